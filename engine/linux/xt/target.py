"""What a rule does with a packet that it matches: the base, the plain verdicts, jumps and REJECT.

Rules. A target is a frozen record. `run` changes the skb or the connection and returns None (the next rule is
tried), or returns an `Act` that ends or moves the walk. It prints itself like a match, and says where the kernel
accepts it (`table`, `hooks`): check.py enforces that with iptables' own error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from engine.linux.xt.options import STRING, Extension, Option, Parsing, Problem
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Nat:
    """What a nat target asks for. `kind` is dnat, snat, masquerade or redirect; `low`..`high` addresses and
    `port_low`..`port_high` ports (0 = keep); `random` is --random or --random-fully."""

    kind: str
    low: int = 0
    high: int = 0
    port_low: int = 0
    port_high: int = 0
    random: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """`word` is accept, drop, reject, return, jump or goto; `chain` for the last two; `reject` the --reject-with."""

    word: str
    chain: str = ""
    reject: str = ""
    nat: Nat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Base of all targets."""

    table: ClassVar[str] = ""
    hooks: ClassVar[tuple[str, ...]] = ()

    def run(self, seen: Seen) -> Act | None:
        raise NotImplementedError

    def unfit(self, table: str, rule: XtRule) -> bool:
        """Does the kernel refuse it in this rule, wherever in `table` that stands (check.py)?"""
        return bool(self.table) and self.table != table

    def words(self) -> list[str]:
        """As iptables-save prints it, `-j NAME` first."""
        raise NotImplementedError

    def name(self) -> str:
        """The target column of `iptables -L`."""
        return self.words()[1]

    def listing(self, numeric: bool) -> str:
        """The end of the line of `iptables -L`, with its leading space."""
        return ""

    def verdict(self) -> str:
        """One word for a step: accept, drop, jump, dnat, mark ..."""
        return self.name().lower()

    def why(self) -> Said:
        """What it does, as a person says it."""
        raise NotImplementedError

    @property
    def needs_conntrack(self) -> bool:
        return False

    @property
    def sets(self) -> tuple[str, ...]:
        """The ipsets that it changes or asks."""
        return ()


ACCEPT_WHY = Phrase("let it through", "통과시킵니다")
DROP_WHY = Phrase("throw it away in silence", "아무 응답 없이 버립니다")
RETURN_WHY = Phrase("go back to the chain that called this one", "이 체인을 부른 체인으로 돌아갑니다")
JUMP_WHY = Phrase("go on in chain {chain}", "{chain} 체인에서 계속 검사합니다")
GOTO_WHY = Phrase(
    "go over to chain {chain}, and do not come back", "{chain} 체인으로 넘어가 돌아오지 않습니다"
)
REJECT_WHY = Phrase("reject it and tell the sender ({kind})", "거부하고 보낸 쪽에 알립니다({kind})")

_ACTS = {word: Act(word=word) for word in ("accept", "drop", "return")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain(Target):
    """ACCEPT, DROP or RETURN."""

    word: str

    def __post_init__(self) -> None:
        if self.word not in _ACTS:
            raise ValueError(f"verdict {self.word!r}")

    def run(self, seen: Seen) -> Act | None:
        return _ACTS[self.word]

    def words(self) -> list[str]:
        return ["-j", self.word.upper()]

    def why(self) -> Said:
        return {"accept": ACCEPT_WHY, "drop": DROP_WHY, "return": RETURN_WHY}[self.word]()


ACCEPT = Plain(word="accept")
DROP = Plain(word="drop")
RETURN = Plain(word="return")


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump(Target):
    """`-j CHAIN`, or `-g CHAIN` when `goto`."""

    chain: str
    goto: bool = False

    def run(self, seen: Seen) -> Act | None:
        return Act(word="goto" if self.goto else "jump", chain=self.chain)

    def words(self) -> list[str]:
        return ["-g" if self.goto else "-j", self.chain]

    def verdict(self) -> str:
        return "goto" if self.goto else "jump"

    def why(self) -> Said:
        return (GOTO_WHY if self.goto else JUMP_WHY)(chain=self.chain)


#: --reject-with types in the kernel's order, and their short aliases.
REJECT_TYPES = {
    "icmp-net-unreachable": "net-unreach", "icmp-host-unreachable": "host-unreach",
    "icmp-proto-unreachable": "proto-unreach", "icmp-port-unreachable": "port-unreach",
    "icmp-net-prohibited": "net-prohib", "icmp-host-prohibited": "host-prohib", "tcp-reset": "tcp-rst",
    "icmp-admin-prohibited": "admin-prohib",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Target):
    """`-j REJECT`."""

    table: ClassVar[str] = "filter"
    hooks: ClassVar[tuple[str, ...]] = ("INPUT", "FORWARD", "OUTPUT")
    kind: str = "icmp-port-unreachable"

    def __post_init__(self) -> None:
        if self.kind not in REJECT_TYPES:
            raise ValueError(f"reject type {self.kind!r}")

    def run(self, seen: Seen) -> Act | None:
        return Act(word="reject", reject=self.kind)

    def unfit(self, table: str, rule: XtRule) -> bool:
        return table != self.table or (self.kind == "tcp-reset" and rule.proto != 6)

    def words(self) -> list[str]:
        return ["-j", "REJECT", "--reject-with", self.kind]

    def listing(self, numeric: bool) -> str:
        return f" reject-with {self.kind}"

    def why(self) -> Said:
        return REJECT_WHY(kind=self.kind)


def _reject_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    low = arg.lower()
    for name, alias in REJECT_TYPES.items():
        if name.startswith(low) or alias.startswith(low):
            p.values["kind"] = name
            return
    raise Problem(f'unknown reject type "{arg}"')


def _reject_build(p: Parsing) -> Reject:
    return Reject(kind=p.values.get("kind", "icmp-port-unreachable"))


REJECT = Extension(
    name="REJECT", options=(Option("reject-with", "kind", STRING),), take=_reject_option, build=_reject_build
)

"""One rule of nft as a frozen row: its statements as they print, and the steps that they mean.

Theory. `tcp dport 80` also asks for TCP. The user need not say it, the kernel's rule has it, and `nft list` leaves it
out again. A Rule keeps what is listed; `compiled` adds what is implied, once for each header. Reading: parse.py;
which of the written statements are listed: context.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from engine.linux.nft.context import unequal_together
from engine.linux.nft.exprs import Field, Names
from engine.linux.nft.keys import TRANSPORTS
from engine.linux.nft.statements import Match, Reject, Statement, Vmap
from engine.linux.nft.types import Loadable
from engine.linux.xt.match_l4 import together
from engine.record import dataclass
from engine.say import Phrase, Said, plain

if TYPE_CHECKING:
    from engine.linux.nft.seen import Seen
    from engine.linux.nft.tables import Cell

WHEN_THEN = Phrase("{when}: {then}", "{when}: {then}")
EVERY = Phrase("every packet: {then}", "모든 패킷: {then}")
NEXT = Phrase("it matches, and the next rule is tried", "조건에 맞고, 다음 규칙을 봅니다")
FOUND = Phrase("{when} (found: {element})", "{when} (찾은 원소: {element})")
NUMBERS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1}

#: what turns `th dport` into a question about ICMP again
ABOUT_ICMP = "meta l4proto icmp "

Step = tuple[int, Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`handle` is its number in the table."""

    statements: tuple[Statement, ...]
    comment: str = ""
    handle: int = 0

    @property
    def needs_conntrack(self) -> bool:
        return any(s.needs_conntrack for s in self.statements)

    def targets(self) -> tuple[str, ...]:
        return tuple(t for s in self.statements for t in s.targets())

    def compiled(self) -> tuple[Step, ...]:
        """(index of the statement, function); -1 for what is implied."""
        out: list[Step] = []
        known, skip = "", 0
        for at, statement in enumerate(self.statements):
            for row in statement.fields():
                if row.layer == "transport" and row.proto in NUMBERS and known != row.proto:
                    known = row.proto
                    out.append((-1, _is_proto(NUMBERS[known])))
            if isinstance(statement, Reject) and statement.kind == "tcp" and known != "tcp":
                known = "tcp"
                out.append((-1, _is_proto(6)))
            if isinstance(statement, Match) and isinstance(statement.left, Field):
                right = statement.right
                if statement.left.row.says == "transport" and statement.op == "" and isinstance(right, tuple):
                    known = TRANSPORTS.get(right[0], "other")  # type: ignore[call-overload]
            if at < skip:
                continue
            together = unequal_together(self.statements, at)
            if together > 1:
                skip = at + together
                out.append((at, _any_differs(self.statements[at:skip])))
                continue
            out.append((at, statement.run))
        return tuple(out)

    def text(
        self, names: Names, cells: Mapping[tuple[int, object], Cell] | None = None, *,
        stateless: bool = False, handle: bool = False,
    ) -> str:  # fmt: skip
        """The line of `nft list`, without its indentation."""
        words = self.words(names, cells or {}, stateless)
        if isinstance(names, Loadable):
            printed = self.words(dict(names), cells or {}, stateless)
            words = [
                word if word == out else ABOUT_ICMP + word for word, out in zip(words, printed, strict=True)
            ]
        out = " ".join(words) + (f' comment "{self.comment}"' if self.comment else "")
        return out + (f" # handle {self.handle}" if handle else "")

    def words(self, names: Names, cells: Mapping[tuple[int, object], Cell], stateless: bool) -> list[str]:
        """Each statement as it prints."""
        return [
            s.text(names, cells.get((self.handle, i)), stateless=stateless)
            for i, s in enumerate(self.statements)
        ]

    def why(self, names: Names, decided: str, then: Said | None) -> Said:
        """What it asked for and what it does; `decided` the element that was found, `then` the verdict of a map."""
        asked = [plain(_asks(s, names)) for s in self.statements if s.why() is None]
        does = [w for s in self.statements if (w := s.why()) is not None]
        if then is not None:
            does.append(then)
        action = together(does) if does else NEXT()
        if not asked:
            return EVERY(then=action)
        when = together(asked)
        return WHEN_THEN(when=FOUND(when=when, element=decided) if decided else when, then=action)


def _asks(statement: Statement, names: Names) -> str:
    if isinstance(statement, Vmap):
        return statement.of.text(names)
    return statement.text(names, stateless=True)


def _any_differs(statements: tuple[Statement, ...]) -> Callable[[Seen, int], bool | None]:
    def test(s: Seen, at: int) -> bool | None:
        """None (go on) when one of them differs."""
        for statement in statements:
            assert isinstance(statement, Match)
            value = statement.left.value(s)
            if value is None:
                return False
            if value != statement.right[0]:  # type: ignore[index]
                return None
        return False

    return test


def _is_proto(number: int) -> Callable[[Seen, int], bool | None]:
    def test(s: Seen, at: int) -> bool | None:
        ip = s.ip
        return None if ip is not None and ip.proto == number else False

    return test

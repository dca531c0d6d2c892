"""Statements of nft that compare, decide and count: matches, verdicts, verdict maps, counter, limit, quota, reject.

Rules. A statement is a frozen record. `run(seen, at)` returns None to go on, False where it does not match (the rule is
over), or an Act that ends or moves the walk; `at` is its place in the rule, under which the chain keeps what it
remembers. `text` prints it as `nft list` does; `cell` is what it remembers. Sources: statement.c of nftables 1.0.6;
net/netfilter/nft_{cmp,lookup,counter,limit,quota,reject}.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.nft.exprs import AnonSet, Expr, Names, SetRef, Source
from engine.linux.nft.keys import KeyRow
from engine.linux.nft.seen import Seen
from engine.linux.nft.sets import Element, NftSet, Verdict, element_text, key_text, within
from engine.linux.nft.tables import Cell
from engine.linux.nft.types import rate_text, time_text
from engine.linux.xt.target import Act
from engine.record import dataclass
from engine.say import Phrase, Said, plain

Result = "None | bool | Act"

COUNT = Phrase("count it", "카운터를 올립니다")
CONTINUE_WHY = Phrase("go on with the next rule", "다음 규칙으로 갑니다")
ACCEPT_WHY = Phrase("let it through here", "여기서 통과시킵니다")
DROP_WHY = Phrase("throw it away in silence", "아무 응답 없이 버립니다")
RETURN_WHY = Phrase("go back to the chain that called this one", "이 체인을 부른 체인으로 돌아갑니다")
JUMP_WHY = Phrase("go on in chain {chain}", "{chain} 체인에서 계속 검사합니다")
GOTO_WHY = Phrase(
    "go over to chain {chain}, and do not come back", "{chain} 체인으로 넘어가 돌아오지 않습니다"
)
REJECT_WHY = Phrase("reject it and tell the sender ({kind})", "거부하고 보낸 쪽에 알립니다({kind})")
VMAP_WHY = Phrase("the map has the element {element}: {then}", "맵에 {element} 원소가 있습니다: {then}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Base of all statements."""

    def run(self, s: Seen, at: int) -> bool | Act | None:
        raise NotImplementedError

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        raise NotImplementedError

    def exprs(self) -> Iterator[Expr]:
        """The expressions inside, in the order in which they are computed."""
        return iter(())

    def fields(self) -> Iterator[KeyRow]:
        for expr in self.exprs():
            yield from expr.fields()

    def sources(self) -> Iterator[Source]:
        """The sets and maps that it looks into."""
        for expr in self.exprs():
            source = getattr(expr, "source", None)
            if source is not None:
                yield source

    def targets(self) -> tuple[str, ...]:
        """The chains that it may go to."""
        return ()

    def why(self) -> Said | None:
        """What it does, as a person says it; None for what only asks."""
        return None

    @property
    def ends(self) -> bool:
        """Does nothing behind it ever run?"""
        return False

    @property
    def needs_conntrack(self) -> bool:
        return any(row.needs_conntrack for row in self.fields())


@dataclass(frozen=True, slots=True, kw_only=True)
class Match(Statement):
    """`left op right`. `op` "" (equal; for flags: any of them), ==, !, !=, <, >, <=, >=; `right` a tuple with one
    part a field, a SetRef or an AnonSet; `mask` of a comparison of flags (`syn / syn,ack`)."""

    left: Expr
    op: str = ""
    right: tuple[object, ...] | Source = ()
    mask: int | None = None

    def run(self, s: Seen, at: int) -> bool | Act | None:
        key = self.left.key(s)
        if key is None:
            return False
        right, op = self.right, self.op
        if isinstance(right, SetRef | AnonSet):
            there, found = right.find(s, key)
            if (found is None) is (op != "!="):
                return False
            if found is not None:
                assert isinstance(found, Element)
                s.decided = element_text(there, found, s.net.clock, stateless=True)
                if found.counter is not None and isinstance(right, SetRef):
                    touch(s, right.name, found)
            return None
        value, want = key[0], right[0]
        if self.mask is not None:
            return None if ((value & self.mask) == want) is (op != "!=") else False  # type: ignore[operator]
        if isinstance(want, tuple):
            return None if within(want, value) is (op != "!=") else False
        if op == "" or op == "!":
            if self.left.types[0].bitmask and isinstance(want, int):
                return None if bool(value & want) is (op == "") else False  # type: ignore[operator]
            if isinstance(want, str) and want.endswith("*"):
                return None if str(value).startswith(want[:-1]) else False
            return None if value == want else False
        if op == "==":
            return None if value == want else False
        if op == "!=":
            if isinstance(want, str) and want.endswith("*"):
                return False if str(value).startswith(want[:-1]) else None
            return None if value != want else False
        if op == "<":
            return None if value < want else False  # type: ignore[operator]
        if op == "<=":
            return None if value <= want else False  # type: ignore[operator]
        if op == ">":
            return None if value > want else False  # type: ignore[operator]
        return None if value >= want else False  # type: ignore[operator]

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        left = self.left.text(names)
        op = f" {self.op}" if self.op else ""
        type = self.left.types[0]
        if isinstance(self.right, SetRef | AnonSet):
            return f"{left}{op} {self.right.text(names)}"
        want = self.right[0]
        if self.mask is not None:
            return f"{left}{op} {type.text(want, names)} / {type.text(self.mask, names)}"  # type: ignore[arg-type]
        if type.bitmask and isinstance(want, int) and op in (" !=", " ==") and want & (want - 1):
            # Several flags compared as one number: as an `or`, or as the number where the byte order is the network's.
            if type.big:
                return f"{left}{op} {type.number(want)}"
            return f"{left}{'' if op == ' ==' else op} {type.text(want, names).replace(',', ' | ')}"
        return f"{left}{op} {key_text(self.left.types, self.right, names)}"

    def exprs(self) -> Iterator[Expr]:
        yield self.left

    def sources(self) -> Iterator[Source]:
        if isinstance(self.right, SetRef | AnonSet):
            yield self.right
        yield from Statement.sources(self)


def touch(s: Seen, name: str, found: Element) -> None:
    """Count at an element that carries a counter."""
    from engine.record import replace

    assert found.counter is not None
    packets, size = found.counter
    there = s.ns.nft.own_set(s.table.key, name)
    s.table = s.ns.nft.tables[s.table.key]
    there.elements[found.key] = replace(found, counter=(packets + 1, size + s.skb.packet.ip_length()))


_PLAIN = {word: Act(word=word) for word in ("accept", "drop", "return")}


def act_of(verdict: Verdict) -> Act | None:
    """`continue` goes on with the next statement of the rule."""
    if verdict.word == "continue":
        return None
    if verdict.chain:
        return Act(word=verdict.word, chain=verdict.chain)
    return _PLAIN[verdict.word]


def verdict_why(verdict: Verdict) -> Said:
    if verdict.word == "jump":
        return JUMP_WHY(chain=verdict.chain)
    if verdict.word == "goto":
        return GOTO_WHY(chain=verdict.chain)
    return {"accept": ACCEPT_WHY, "drop": DROP_WHY, "return": RETURN_WHY, "continue": CONTINUE_WHY}[
        verdict.word
    ]()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictIs(Statement):
    """accept, drop, continue, return, jump CHAIN or goto CHAIN."""

    verdict: Verdict

    def run(self, s: Seen, at: int) -> bool | Act | None:
        return act_of(self.verdict)

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        return self.verdict.text()

    def targets(self) -> tuple[str, ...]:
        return (self.verdict.chain,) if self.verdict.chain else ()

    def why(self) -> Said | None:
        return verdict_why(self.verdict)

    @property
    def ends(self) -> bool:
        return self.verdict.word != "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vmap(Statement):
    """`KEY vmap @map` or `KEY vmap { ... }`: the verdict of the element that the key meets."""

    of: Expr
    source: Source

    def run(self, s: Seen, at: int) -> bool | Act | None:
        key = self.of.key(s)
        if key is None:
            return False
        there, found = self.source.find(s, key)
        if found is None:
            return False
        assert isinstance(found, Element) and isinstance(found.data, Verdict)
        s.decided = element_text(there, found, s.net.clock, stateless=True)
        if found.counter is not None and isinstance(self.source, SetRef):
            touch(s, self.source.name, found)
        return act_of(found.data)

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        return f"{self.of.text(names)} vmap {self.source.text(names)}"

    def exprs(self) -> Iterator[Expr]:
        yield self.of

    def sources(self) -> Iterator[Source]:
        yield self.source

    def targets(self) -> tuple[str, ...]:
        if isinstance(self.source, AnonSet):
            datas = [e.data for e in self.source.content.elements.values()]
            return tuple(d.chain for d in datas if isinstance(d, Verdict) and d.chain)
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter(Statement):
    """`counter`; the cell is (packets, bytes)."""

    def run(self, s: Seen, at: int) -> bool | Act | None:
        packets, size = s.chain.cells.get((s.rule, at), (0, 0))
        s.chain.cells[s.rule, at] = (packets + 1, size + s.skb.packet.ip_length())
        return None

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        if stateless:
            return "counter"
        packets, size = cell or (0, 0)
        return f"counter packets {packets} bytes {size}"

    def why(self) -> Said | None:
        return COUNT()


UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Statement):
    """`limit rate [over] N/UNIT burst M`: a bucket of tokens, a token a packet or a byte. The cell is (tokens in
    nanoseconds, when it was last filled)."""

    rate: int
    unit: str
    over: bool = False
    burst: int = 0
    bytes: bool = False

    def bucket(self) -> tuple[int, int]:
        """(nanoseconds that the bucket holds, cost of a packet or of all bytes of a unit)."""
        span = UNITS[self.unit] * 1_000_000_000
        if self.bytes:
            return span + span * self.burst // self.rate if self.burst else span, span
        cost = span // self.rate
        return cost * (self.burst or 5), cost

    def spend(self, cell: Cell | None, now: float, size: int) -> tuple[Cell, bool]:
        """(new cell, whether the rate is exceeded); nft_limit_eval."""
        full, cost = self.bucket()
        cost = cost * size // self.rate if self.bytes else cost
        at = round(now * 1_000_000_000)
        tokens, last = cell or (full, at)
        tokens = min(tokens + at - last, full)
        if tokens >= cost:
            return (tokens - cost, at), False
        return (tokens, at), True

    def run(self, s: Seen, at: int) -> bool | Act | None:
        cell, exceeded = self.spend(s.chain.cells.get((s.rule, at)), s.net.clock, s.skb.packet.ip_length())
        s.chain.cells[s.rule, at] = cell
        return None if exceeded is self.over else False

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        over = "over " if self.over else ""
        if not self.bytes:
            burst = f" burst {self.burst} packets" if self.burst not in (0, 5) else ""
            return f"limit rate {over}{self.rate}/{self.unit}{burst}"
        number, word = rate_text(self.rate)
        out = f"limit rate {over}{number} {word}/{self.unit}"
        if self.burst:
            number, word = rate_text(self.burst)
            out += f" burst {number} {word}"
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Statement):
    """`quota [over] N bytes`; the cell is (bytes used,). The packet that uses up the last byte is still within it
    (nft_overquota, since 6.16)."""

    limit: int
    over: bool = False

    def spend(self, cell: Cell | None, size: int) -> tuple[Cell, bool]:
        used = (cell or (0,))[0] + size
        return (used,), used > self.limit

    def run(self, s: Seen, at: int) -> bool | Act | None:
        cell, exceeded = self.spend(s.chain.cells.get((s.rule, at)), s.skb.packet.ip_length())
        s.chain.cells[s.rule, at] = cell
        return None if exceeded is self.over else False

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        number, word = rate_text(self.limit)
        out = f"quota {'over ' if self.over else ''}{number} {word}"
        if cell and cell[0] and not stateless:
            number, word = rate_text(min(cell[0], self.limit))
            out += f" used {number} {word}"
        return out


#: icmp code -> --reject-with's name
REJECT_NAMES = {
    0: "icmp-net-unreachable", 1: "icmp-host-unreachable", 2: "icmp-proto-unreachable", 3: "icmp-port-unreachable",
    9: "icmp-net-prohibited", 10: "icmp-host-prohibited", 13: "icmp-admin-prohibited",
}  # fmt: skip
#: icmpx code -> icmp code for IPv4 (nft_reject_icmp_code)
ICMPX = {0: 0, 1: 3, 2: 1, 3: 13}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(Statement):
    """`reject`. `kind` icmp, icmpx or tcp; `code` of the first two; `full` = always printed with its type."""

    kind: str = "icmp"
    code: int = 3
    full: bool = False

    def run(self, s: Seen, at: int) -> bool | Act | None:
        return Act(word="reject", reject=self.how())

    def how(self) -> str:
        if self.kind == "tcp":
            return "tcp-reset"
        return REJECT_NAMES[ICMPX[self.code] if self.kind == "icmpx" else self.code]

    def text(self, names: Names, cell: Cell | None = None, *, stateless: bool = False) -> str:
        from engine.linux.nft.types import TYPES

        if self.kind == "tcp":
            return "reject with tcp reset"
        usual = self.code == (1 if self.kind == "icmpx" else 3)
        if usual and not (self.kind == "icmp" and self.full):
            return "reject"
        return f"reject with {self.kind} {TYPES[f'{self.kind}_code'].text(self.code, names)}"

    def why(self) -> Said | None:
        return REJECT_WHY(kind=self.how())

    @property
    def ends(self) -> bool:
        return True


def asked(statement: Statement, names: Names) -> Said:
    return plain(statement.text(names, stateless=True))


def timeout_text(seconds: float, names: Names) -> str:
    return f" timeout {time_text(seconds, names)}" if seconds else ""


def is_set(source: Source) -> NftSet | None:
    return source.content if isinstance(source, AnonSet) else None

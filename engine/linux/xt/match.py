"""The base of iptables matches, and the five that need no `-m`: -s -d -i -o -p.

Rules. A match is a frozen record that tests a packet (`test`), prints itself as iptables-save does (`words`) and
as `iptables -L` does (`listing`), says in a sentence what it asks for (`why`), and has its parser beside it (here:
in parse.py, because these five belong to the command line itself). Two matches are the same rule part exactly
when they are equal. Sources: man iptables-extensions; output measured with iptables 1.8.9 (nf_tables).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from engine.linux.addr import mask, text4
from engine.linux.xt.names import protocol_name
from engine.linux.xt.seen import Seen
from engine.record import dataclass, replace
from engine.say import Phrase, Said, plain

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule


def asks(yes: Phrase, no: Phrase, invert: bool, **values: str | int) -> Said:
    """The condition as it stands, or its negation: both are sentences of their own, in both languages."""
    return (no if invert else yes)(**values)


def bang(invert: bool) -> list[str]:
    return ["!"] if invert else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Base of all matches. `tables`, `hooks` are where the kernel takes it, () = everywhere (check.py)."""

    tables: ClassVar[tuple[str, ...]] = ()
    hooks: ClassVar[tuple[str, ...]] = ()

    def test(self, seen: Seen) -> bool:
        """Does the packet fulfil it?"""
        raise NotImplementedError

    def unfit(self, rule: XtRule) -> bool:
        """Does the kernel refuse it in this rule, wherever that stands (check.py)?"""
        return False

    def unfit_at(self, hook: str) -> bool:
        """Does the kernel refuse it in the built-in chain of this hook (check.py)?"""
        return False

    def words(self) -> list[str]:
        """As iptables-save prints it, `-m NAME` first."""
        raise NotImplementedError

    def listing(self, numeric: bool, proto: int) -> str:
        """As `iptables -L` prints it behind the destination, with its leading space; "" = in a column of its own.
        `proto` is the rule's own -p (multiport prints service names by it)."""
        return ""

    def why(self) -> Said:
        """The condition, as a person says it."""
        return plain(" ".join(self.words()))

    @property
    def needs_conntrack(self) -> bool:
        return False

    @property
    def sets(self) -> tuple[str, ...]:
        """The ipsets that it asks."""
        return ()

    @property
    def remembers(self) -> tuple[tuple[tuple[str, str], dict[int, int]], ...]:
        """What it keeps for the whole namespace (Xtables.memory), as ((kind, name), what it begins with)."""
        return ()

    @property
    def stateful(self) -> bool:
        """Does it count in the rule's state cell (Chain.states)?"""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting(Match):
    """A match that counts in the rule's state cell. `slot` tells two that are equal in one rule apart: each has a
    counter of its own, as every match of a rule has its own data in the kernel."""

    slot: int = 0

    @property
    def stateful(self) -> bool:
        return True


def slotted(matches: Sequence[Match]) -> tuple[Match, ...]:
    """The matches of one rule with a slot for each that counts."""
    out: list[Match] = []
    for match in matches:
        while isinstance(match, Counting) and match in out:
            match = replace(match, slot=match.slot + 1)
        out.append(match)
    return tuple(out)


def range_text(addr: int, length: int) -> str:
    """An address as -L prints it: without /32."""
    return text4(addr) if length == 32 else f"{text4(addr)}/{length}"


FROM_ADDRESS = Phrase("source {what}", "출발지 {what}")
NOT_FROM_ADDRESS = Phrase("source is not {what}", "출발지가 {what}이(가) 아님")
TO_ADDRESS = Phrase("destination {what}", "목적지 {what}")
NOT_TO_ADDRESS = Phrase("destination is not {what}", "목적지가 {what}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Match):
    """`-s`. `addr` has no host bits."""

    addr: int
    length: int = 32
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return ((seen.src ^ self.addr) >> (32 - self.length) == 0) is not self.invert

    def unfit(self, rule: XtRule) -> bool:
        return self.invert and not self.length

    def words(self) -> list[str]:
        return [*bang(self.invert), "-s", f"{text4(self.addr)}/{self.length}"]

    def why(self) -> Said:
        return asks(FROM_ADDRESS, NOT_FROM_ADDRESS, self.invert, what=range_text(self.addr, self.length))


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Match):
    """`-d`. `addr` has no host bits."""

    addr: int
    length: int = 32
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return ((seen.dst ^ self.addr) >> (32 - self.length) == 0) is not self.invert

    def unfit(self, rule: XtRule) -> bool:
        return self.invert and not self.length

    def words(self) -> list[str]:
        return [*bang(self.invert), "-d", f"{text4(self.addr)}/{self.length}"]

    def why(self) -> Said:
        return asks(TO_ADDRESS, NOT_TO_ADDRESS, self.invert, what=range_text(self.addr, self.length))


def device_matches(pattern: str, name: str) -> bool:
    """`eth0` exactly, `eth+` by its beginning."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


CAME_IN = Phrase("came in by {device}", "{device}(으)로 들어옴")
NOT_CAME_IN = Phrase("did not come in by {device}", "{device}(으)로 들어오지 않음")
GOES_OUT = Phrase("goes out by {device}", "{device}(으)로 나감")
NOT_GOES_OUT = Phrase("does not go out by {device}", "{device}(으)로 나가지 않음")


@dataclass(frozen=True, slots=True, kw_only=True)
class InDevice(Match):
    """`-i`; a trailing + is a wildcard."""

    name: str
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return device_matches(self.name, seen.iif) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-i", self.name]

    def why(self) -> Said:
        return asks(CAME_IN, NOT_CAME_IN, self.invert, device=self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutDevice(Match):
    """`-o`; a trailing + is a wildcard."""

    name: str
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return device_matches(self.name, seen.oif) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-o", self.name]

    def why(self) -> Said:
        return asks(GOES_OUT, NOT_GOES_OUT, self.invert, device=self.name)


PROTOCOL = Phrase("protocol {name}", "프로토콜 {name}")
NOT_PROTOCOL = Phrase("protocol is not {name}", "프로토콜이 {name}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol(Match):
    """`-p`, never 0 (that is every protocol: no match at all)."""

    number: int
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return (seen.proto == self.number) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-p", protocol_name(self.number) or str(self.number)]

    def why(self) -> Said:
        return asks(PROTOCOL, NOT_PROTOCOL, self.invert, name=protocol_name(self.number) or str(self.number))


def network(addr: int, length: int) -> int:
    """`addr` without its host bits."""
    return addr & mask(length)

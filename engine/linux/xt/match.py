"""The base of iptables matches, and the five that need no `-m`: -s -d -i -o -p.

Rules. A match is a frozen record that tests a packet (`test`), prints itself as iptables-save does (`words`) and
as `iptables -L` does (`listing`), says in a sentence what it asks for (`why`), and has its parser beside it (here:
in parse.py, because these five belong to the command line itself). Two matches are the same rule part exactly
when they are equal. Sources: man iptables-extensions; output measured with iptables 1.8.9 (nf_tables).
"""

from __future__ import annotations

from engine.linux.addr import mask, text4
from engine.linux.xt.names import protocol_name
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said, plain

NOT = Phrase("not {what}", "{what} 아님")


def negated(said: Said, invert: bool) -> Said:
    return NOT(what=said) if invert else said


def bang(invert: bool) -> list[str]:
    return ["!"] if invert else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Base of all matches."""

    def test(self, seen: Seen) -> bool:
        """Does the packet fulfil it?"""
        raise NotImplementedError

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
    def stateful(self) -> bool:
        """Does it count in the rule's state cell (Chain.states)?"""
        return False


def range_text(addr: int, length: int) -> str:
    """An address as -L prints it: without /32."""
    return text4(addr) if length == 32 else f"{text4(addr)}/{length}"


FROM_ADDRESS = Phrase("source {what}", "출발지 {what}")
TO_ADDRESS = Phrase("destination {what}", "목적지 {what}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source(Match):
    """`-s`. `addr` has no host bits."""

    addr: int
    length: int = 32
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return ((seen.src ^ self.addr) >> (32 - self.length) == 0) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-s", f"{text4(self.addr)}/{self.length}"]

    def why(self) -> Said:
        return negated(FROM_ADDRESS(what=range_text(self.addr, self.length)), self.invert)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination(Match):
    """`-d`. `addr` has no host bits."""

    addr: int
    length: int = 32
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return ((seen.dst ^ self.addr) >> (32 - self.length) == 0) is not self.invert

    def words(self) -> list[str]:
        return [*bang(self.invert), "-d", f"{text4(self.addr)}/{self.length}"]

    def why(self) -> Said:
        return negated(TO_ADDRESS(what=range_text(self.addr, self.length)), self.invert)


def device_matches(pattern: str, name: str) -> bool:
    """`eth0` exactly, `eth+` by its beginning."""
    return name.startswith(pattern[:-1]) if pattern.endswith("+") else name == pattern


CAME_IN = Phrase("came in by {device}", "{device}(으)로 들어옴")
NOT_CAME_IN = Phrase("not from {device}", "{device}에서 온 것이 아님")
GOES_OUT = Phrase("goes out by {device}", "{device}(으)로 나감")
NOT_GOES_OUT = Phrase("not to {device}", "{device}(으)로 나가지 않음")


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
        return (NOT_CAME_IN if self.invert else CAME_IN)(device=self.name)


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
        return (NOT_GOES_OUT if self.invert else GOES_OUT)(device=self.name)


PROTOCOL = Phrase("protocol {name}", "프로토콜 {name}")


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
        return negated(PROTOCOL(name=protocol_name(self.number) or str(self.number)), self.invert)


def network(addr: int, length: int) -> int:
    """`addr` without its host bits."""
    return addr & mask(length)

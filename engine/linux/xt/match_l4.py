"""Matches on the transport header: -m tcp, udp.

Rules. As in match.py. Each has its option table and its parser beside it.
"""

from __future__ import annotations

from typing import ClassVar

from engine.errors import NotModelled
from engine.linux.packet import Tcp
from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.names import service_name, service_port
from engine.linux.xt.options import (
    ANY,
    STRING,
    Extension,
    Option,
    Parsing,
    Problem,
    strtoui,
)  # fmt: skip
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

ALL_PORTS = (0, 65535)
FLAGS = {"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ALL": 63, "NONE": 0}
_LETTERS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
SYN_ONLY = (23, 2)

DPORT = Phrase("destination port {port}", "목적지 포트 {port}")
NOT_DPORT = Phrase("destination port is not {port}", "목적지 포트가 {port}이(가) 아님")
SPORT = Phrase("source port {port}", "출발지 포트 {port}")
NOT_SPORT = Phrase("source port is not {port}", "출발지 포트가 {port}이(가) 아님")
EITHER = Phrase("source or destination port {port}", "출발지 또는 목적지 포트 {port}")
NEITHER = Phrase(
    "neither source nor destination port is {port}", "출발지 포트도 목적지 포트도 {port}이(가) 아님"
)
TCP_SYN = Phrase("a new TCP connection (SYN only)", "새 TCP 연결(SYN만 켜짐)")
NOT_TCP_SYN = Phrase("not the first packet of a TCP connection (SYN only)", "새 TCP 연결(SYN만 켜짐)이 아님")
TCP_FLAGS = Phrase("of the TCP flags {mask} exactly {set}", "TCP 플래그 {mask} 중 {set}만 켜짐")
NOT_TCP_FLAGS = Phrase(
    "of the TCP flags {mask} not exactly {set}", "TCP 플래그 {mask} 중 {set}만 켜진 것이 아님"
)
TCP_OPTION = Phrase("with TCP option {option}", "TCP 옵션 {option} 있음")
NOT_TCP_OPTION = Phrase("without TCP option {option}", "TCP 옵션 {option} 없음")
ANY_TCP = Phrase("TCP", "TCP")
ANY_UDP = Phrase("UDP", "UDP")
SEPARATE = Phrase("{first}, {rest}", "{first}, {rest}")


def together(parts: list[Said]) -> Said:
    """`a, b, c` of at least one sentence."""
    out = parts[-1]
    for part in reversed(parts[:-1]):
        out = SEPARATE(first=part, rest=out)
    return out


def flag_text(bits: int) -> str:
    return ",".join(n for n, b in FLAGS.items() if b & bits and n != "ALL") or "NONE"


def span(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}:{ports[1]}"


def port_name(port: int, proto: str, numeric: bool) -> str:
    return str(port) if numeric else service_name(proto, port) or str(port)


def _saved(option: str, ports: tuple[int, int], invert: bool) -> list[str]:
    return [] if ports == ALL_PORTS else [*bang(invert), option, span(ports)]


def _listed(word: str, ports: tuple[int, int], invert: bool, proto: str, numeric: bool) -> str:
    if ports == ALL_PORTS and not invert:
        return ""
    low, high = (port_name(p, proto, numeric) for p in ports)
    mark = "!" if invert else ""
    return f" {word}:{mark}{low}" if ports[0] == ports[1] else f" {word}s:{mark}{low}:{high}"


def tcp_options(l4: object) -> tuple[int, ...]:
    """The kinds of option that Linux puts into a segment: MSS, SACK, timestamps, padding and window scale into a SYN,
    padding and timestamps into the others, none into a RST."""
    assert isinstance(l4, Tcp)
    return (2, 4, 8, 1, 3) if "S" in l4.flags else () if "R" in l4.flags else (1, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpMatch(Match):
    """`-m tcp`. `flags` is (mask, set bits); a mask of 0 asks nothing, nor does `option` 0."""

    sport: tuple[int, int] = ALL_PORTS
    dport: tuple[int, int] = ALL_PORTS
    not_sport: bool = False
    not_dport: bool = False
    flags: tuple[int, int] = (0, 0)
    not_flags: bool = False
    option: int = 0
    not_option: bool = False

    def test(self, seen: Seen) -> bool:
        if seen.kind != "tcp":
            return False
        if (self.dport[0] <= seen.dport <= self.dport[1]) is self.not_dport:
            return False
        if (self.sport[0] <= seen.sport <= self.sport[1]) is self.not_sport:
            return False
        if self.flags[0] or self.not_flags:
            assert isinstance(seen.l4, Tcp)
            bits = sum(_LETTERS.get(c, 0) for c in seen.l4.flags)
            if (bits & self.flags[0] == self.flags[1]) is self.not_flags:
                return False
        if self.option or self.not_option:
            return (self.option in tcp_options(seen.l4)) is not self.not_option
        return True

    def words(self) -> list[str]:
        out = ["-m", "tcp", *_saved("--sport", self.sport, self.not_sport)]
        out += _saved("--dport", self.dport, self.not_dport)
        if self.option or self.not_option:
            out += [*bang(self.not_option), "--tcp-option", str(self.option)]
        if self.flags[0] or self.not_flags:
            out += [*bang(self.not_flags), "--tcp-flags", flag_text(self.flags[0]), flag_text(self.flags[1])]
        return out

    def listing(self, numeric: bool, proto: int) -> str:
        out = " tcp" + _listed("spt", self.sport, self.not_sport, "tcp", numeric)
        out += _listed("dpt", self.dport, self.not_dport, "tcp", numeric)
        if self.option or self.not_option:
            out += f" option={'!' if self.not_option else ''}{self.option}"
        if self.flags[0] or self.not_flags:
            mask, value = self.flags
            text = f"0x{mask:02X}/0x{value:02X}" if numeric else f"{flag_text(mask)}/{flag_text(value)}"
            out += f" flags:{'!' if self.not_flags else ''}{text}"
        return out

    def why(self) -> Said:
        parts = port_whys(self.sport, self.not_sport, self.dport, self.not_dport)
        if self.option or self.not_option:
            parts.append(asks(TCP_OPTION, NOT_TCP_OPTION, self.not_option, option=self.option))
        if self.flags == SYN_ONLY:
            parts.append(asks(TCP_SYN, NOT_TCP_SYN, self.not_flags))
        elif self.flags[0] or self.not_flags:
            parts.append(
                asks(
                    TCP_FLAGS,
                    NOT_TCP_FLAGS,
                    self.not_flags,
                    mask=flag_text(self.flags[0]),
                    set=flag_text(self.flags[1]),
                )
            )
        return together(parts or [ANY_TCP()])


@dataclass(frozen=True, slots=True, kw_only=True)
class PortsMatch(Match):
    """The match of a protocol that knows nothing but its ports: NAME as in `-m NAME`, ALONE says it without a port."""

    NAME: ClassVar[str]
    ALONE: ClassVar[Phrase]

    sport: tuple[int, int] = ALL_PORTS
    dport: tuple[int, int] = ALL_PORTS
    not_sport: bool = False
    not_dport: bool = False

    def test(self, seen: Seen) -> bool:
        return (
            seen.kind == self.NAME
            and (self.dport[0] <= seen.dport <= self.dport[1]) is not self.not_dport
            and (self.sport[0] <= seen.sport <= self.sport[1]) is not self.not_sport
        )

    def words(self) -> list[str]:
        out = ["-m", self.NAME, *_saved("--sport", self.sport, self.not_sport)]
        return out + _saved("--dport", self.dport, self.not_dport)

    def listing(self, numeric: bool, proto: int) -> str:
        out = f" {self.NAME}" + _listed("spt", self.sport, self.not_sport, self.NAME, numeric)
        return out + _listed("dpt", self.dport, self.not_dport, self.NAME, numeric)

    def why(self) -> Said:
        return together(port_whys(self.sport, self.not_sport, self.dport, self.not_dport) or [self.ALONE()])


@dataclass(frozen=True, slots=True, kw_only=True)
class UdpMatch(PortsMatch):
    """`-m udp`."""

    NAME: ClassVar[str] = "udp"
    ALONE: ClassVar[Phrase] = ANY_UDP


def port_whys(sport: tuple[int, int], not_sport: bool, dport: tuple[int, int], not_dport: bool) -> list[Said]:
    out = []
    if dport != ALL_PORTS or not_dport:
        out.append(asks(DPORT, NOT_DPORT, not_dport, port=span(dport)))
    if sport != ALL_PORTS or not_sport:
        out.append(asks(SPORT, NOT_SPORT, not_sport, port=span(sport)))
    return out


def parse_port(text: str, proto: str | None) -> int:
    """A number or a service name, in the words of `xtables_parse_port`."""
    number = strtoui(text, 0, 65535)
    if number is None:
        number = service_port(proto, text)
    if number is None:
        raise Problem(f"invalid port/service `{text}' specified")
    return number


def _tcp_range(text: str) -> tuple[int, int]:
    low, colon, high = text.partition(":")
    if not colon:
        one = parse_port(text, "tcp")
        return one, one
    ports = parse_port(low, "tcp") if low else 0, parse_port(high, "tcp") if high else 65535
    if ports[0] > ports[1]:
        raise Problem("invalid portrange (min > max)")
    return ports


def _flag_bits(text: str) -> int:
    bits = 0
    for word in text.split(","):
        if not word:
            continue
        if word.upper() not in FLAGS:
            raise Problem(f"Unknown TCP flag `{word}'")
        bits |= FLAGS[word.upper()]
    return bits


def _tcp_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    if option.id == "option":
        if "option" in p.values:
            raise Problem("Only one `--tcp-option' allowed")
        value = strtoui(arg, 1, 255)
        if value is None:
            raise Problem(f'Bad TCP option "{arg}"')
        p.values["option"] = value
    elif option.id == "flags":
        if "flags" in p.values:
            raise Problem("Only one of `--syn' or `--tcp-flags'  allowed")
        if option.name == "syn":
            p.values["flags"] = SYN_ONLY
        else:
            after = p.next_word()
            if after is None or after[:1] in ("-", "!"):
                raise Problem("--tcp-flags requires two args.")
            p.take_word()
            p.values["flags"] = (_flag_bits(arg), _flag_bits(after))
    else:
        if option.id in p.values:
            long = {"sport": "source-port", "dport": "destination-port"}[option.id]
            raise Problem(f"Only one `--{long}' allowed")
        p.values[option.id] = _tcp_range(arg)
    p.inverted[option.id] = invert


def _no_nothing(p: Parsing) -> None:
    """`! --dport 0:65535` matches nothing by its words, and everything in iptables 1.8.9, which then forgets it."""
    for name, everything in (("sport", ALL_PORTS), ("dport", ALL_PORTS), ("flags", (0, 0))):
        if p.inverted.get(name) and p.values.get(name) == everything:
            raise NotModelled(f"iptables -m {p.extension.name}: a negated --{name} that leaves nothing")


def _tcp_build(p: Parsing) -> TcpMatch:
    _no_nothing(p)
    get, no = p.values.get, p.inverted.get
    return TcpMatch(
        sport=get("sport", ALL_PORTS), dport=get("dport", ALL_PORTS), flags=get("flags", (0, 0)),
        not_sport=no("sport", False), not_dport=no("dport", False), not_flags=no("flags", False),
        option=get("option", 0), not_option=no("option", False),
    )  # fmt: skip


TCP = Extension(
    name="tcp",
    options=(
        Option("source-port", "sport", ANY, invert=True), Option("sport", "sport", ANY, invert=True),
        Option("destination-port", "dport", ANY, invert=True), Option("dport", "dport", ANY, invert=True),
        Option("syn", "flags", None, invert=True), Option("tcp-flags", "flags", ANY, invert=True),
        Option("tcp-option", "option", ANY, invert=True),
    ),
    take=_tcp_option, build=_tcp_build,
)  # fmt: skip


def _udp_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    parts = arg.split(":")
    if len(parts) > 2:
        raise Problem(f'udp: Too many components for option "--{option.name}" (max: 2)\n')
    ports = []
    for part, default in zip(parts, ALL_PORTS, strict=False):
        if not part:
            number: int | None = default
        else:
            # getaddrinfo cuts a number down to 16 bits instead of refusing it.
            number = int(part) & 0xFFFF if part.isdigit() else service_port(None, part)
        if number is None:
            raise Problem(f'Port "{part}" does not resolve to anything.\n')
        ports.append(number)
    p.values[option.id] = (ports[0], ports[-1])
    p.inverted[option.id] = invert


def _udp_build(p: Parsing) -> UdpMatch:
    _no_nothing(p)
    get, no = p.values.get, p.inverted.get
    return UdpMatch(
        sport=get("sport", ALL_PORTS), dport=get("dport", ALL_PORTS),
        not_sport=no("sport", False), not_dport=no("dport", False),
    )  # fmt: skip


UDP = Extension(
    name="udp",
    options=(
        Option("source-port", "sport", STRING, invert=True), Option("sport", "sport", STRING, invert=True),
        Option("destination-port", "dport", STRING, invert=True), Option("dport", "dport", STRING, invert=True),
    ),
    take=_udp_option, build=_udp_build,
)  # fmt: skip

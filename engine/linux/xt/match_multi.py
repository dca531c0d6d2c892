"""Matches on ICMP types and on several ports at once: -m icmp, multiport.

Rules. As in match.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.linux.packet import Icmp
from engine.linux.xt.match import Match, Protocol, asks, bang
from engine.linux.xt.match_l4 import (
    DPORT,
    EITHER,
    NEITHER,
    NOT_DPORT,
    NOT_SPORT,
    SPORT,
    parse_port,
    port_name,
)
from engine.linux.xt.names import ICMP_TYPES, protocol_name
from engine.linux.xt.options import STRING, Extension, Option, Parsing, Problem, exclusive, strtoui
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule

ICMP_TYPE = Phrase("ICMP {name}", "ICMP {name}")
NOT_ICMP_TYPE = Phrase("ICMP type is not {name}", "ICMP 종류가 {name}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class IcmpMatch(Match):
    """`-m icmp --icmp-type`. `type` 255 is any; codes `low`..`high`."""

    type: int = 255
    low: int = 0
    high: int = 255
    invert: bool = False

    def unfit(self, rule: XtRule) -> bool:
        return rule.proto != 1

    def test(self, seen: Seen) -> bool:
        l4 = seen.l4
        if not isinstance(l4, Icmp):
            return False
        hit = self.type == 255 or (l4.type == self.type and self.low <= l4.code <= self.high)
        return hit is not self.invert

    def words(self) -> list[str]:
        text = "any" if self.type == 255 else str(self.type)
        if self.type != 255 and (self.low, self.high) != (0, 255):
            text += f"/{self.low}"
        return ["-m", "icmp", *bang(self.invert), "--icmp-type", text]

    def name(self) -> str | None:
        return next((n for n, *rest in ICMP_TYPES if tuple(rest) == (self.type, self.low, self.high)), None)

    def listing(self, numeric: bool, proto: int) -> str:
        name = None if numeric else self.name()
        if name is not None:
            return f" icmp {'!' if self.invert else ''}{name}"
        out = f" icmp{' !' if self.invert else ''}type {self.type}"
        if self.low == self.high:
            return out + f" code {self.low}"
        return out if (self.low, self.high) == (0, 255) else out + f" codes {self.low}-{self.high}"

    def why(self) -> Said:
        return asks(ICMP_TYPE, NOT_ICMP_TYPE, self.invert, name=self.name() or f"{self.type}/{self.low}")


def _icmp_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    hits = [t for t in ICMP_TYPES if t[0].lower().startswith(arg.lower())]
    if len(hits) > 1:
        raise Problem(f"Ambiguous ICMP type `{arg}': `{hits[0][0]}' or `{hits[1][0]}'?")
    if hits:
        p.values["type"] = hits[0][1:]
    else:
        kind, slash, code = arg.partition("/")
        low, _, high = kind.partition(":")
        number = strtoui(low, 0, 255)
        if number is None or (high and strtoui(high, 0, 255) is None):
            raise Problem(f"Unknown ICMP type `{arg}'")
        if high and high != low:
            raise Problem("ICMP type range not supported")
        if not slash:
            p.values["type"] = (number, 0, 255)
        else:
            first, colon, last = code.partition(":")
            at, to = strtoui(first, 0, 255), strtoui(last if colon else first, 0, 255)
            if at is None or to is None:
                raise Problem(f"Unknown ICMP code `{arg}'")
            p.values["type"] = (number, at, to)
    p.inverted["type"] = invert


def _icmp_build(p: Parsing) -> IcmpMatch:
    kind, low, high = p.values.get("type", (255, 0, 255))
    return IcmpMatch(type=kind, low=low, high=high, invert=p.inverted.get("type", False))


ICMP = Extension(
    name="icmp",
    options=(Option("icmp-type", "icmp-type", STRING, invert=True, must=True),),
    take=_icmp_option, build=_icmp_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiport(Match):
    """`-m multiport`. `which` is sports, dports or ports; `ranges` are inclusive."""

    which: str
    ranges: tuple[tuple[int, int], ...]
    invert: bool = False

    def unfit(self, rule: XtRule) -> bool:
        return any(isinstance(m, Protocol) and m.invert for m in rule.matches)

    def test(self, seen: Seen) -> bool:
        if seen.kind not in ("tcp", "udp", "sctp"):
            return False
        for low, high in self.ranges:
            if (self.which != "sports" and low <= seen.dport <= high) or (
                self.which != "dports" and low <= seen.sport <= high
            ):
                return not self.invert
        return self.invert

    def _text(self, numeric: bool, proto: str) -> str:
        return ",".join(":".join(port_name(p, proto, numeric) for p in dict.fromkeys(r)) for r in self.ranges)

    def words(self) -> list[str]:
        return ["-m", "multiport", *bang(self.invert), f"--{self.which}", self._text(True, "")]

    def listing(self, numeric: bool, proto: int) -> str:
        text = self._text(numeric, protocol_name(proto) or "")
        return f" multiport {self.which} {' !' if self.invert else ''}{text}"

    def why(self) -> Said:
        yes, no = {"sports": (SPORT, NOT_SPORT), "dports": (DPORT, NOT_DPORT), "ports": (EITHER, NEITHER)}[
            self.which
        ]
        return asks(yes, no, self.invert, port=self._text(True, ""))


MULTIPORT_PROTOCOLS = ("tcp", "udp", "udplite", "sctp", "dccp")


def _multiport_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    name = protocol_name(p.proto)
    if p.not_proto or (p.proto and name not in MULTIPORT_PROTOCOLS):
        raise Problem("multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP")
    if not p.proto:
        raise Problem("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")
    ranges, used = [], 0
    for word in arg.split(","):
        low, colon, high = word.partition(":")
        used += 2 if colon else 1
        if used > 15:
            raise Problem("too many ports specified")
        first = parse_port(low, name)
        last = parse_port(high, name) if colon else first
        if colon and first >= last:
            raise Problem("invalid portrange specified")
        ranges.append((first, last))
    p.values["which"], p.values["ranges"], p.inverted["ports"] = option.id, tuple(ranges), invert


def _multiport_build(p: Parsing) -> Multiport:
    if "which" not in p.values:
        raise Problem("multiport expection an option")
    return Multiport(which=p.values["which"], ranges=p.values["ranges"], invert=p.inverted["ports"])


MULTIPORT = Extension(
    name="multiport",
    options=exclusive(
        Option("source-ports", "sports", STRING, invert=True), Option("sports", "sports", STRING, invert=True),
        Option("destination-ports", "dports", STRING, invert=True), Option("dports", "dports", STRING, invert=True),
        Option("ports", "ports", STRING, invert=True),
    ),
    take=_multiport_option, build=_multiport_build,
)  # fmt: skip

"""Matches on the frame and on ranges of addresses: pkttype, iprange, mac.

Rules. As in match.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4, is_multicast, mac_text, text4
from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.match_l4 import together
from engine.linux.xt.options import (
    STRING,
    Extension,
    Option,
    Parsing,
    Problem,
)
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

PACKET_TYPES = ("unicast", "broadcast", "multicast", "otherhost")
TYPE_ALIASES = {"bcast": "broadcast", "mcast": "multicast", "host": "unicast"}
PKTTYPE_WHY = Phrase("packet type {kind}", "패킷 유형 {kind}")
NOT_PKTTYPE = Phrase("packet type is not {kind}", "패킷 유형이 {kind}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pkttype(Match):
    """`-m pkttype`: how the frame was addressed. A packet that has no frame (made here, or on lo) is taken by its IP
    destination, as xt_pkttype.c does for PACKET_LOOPBACK."""

    kind: str
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        frame = seen.skb.came or seen.skb.packet.eth
        if seen.iif == "lo" or seen.skb.local:
            kind = "multicast" if is_multicast(seen.dst) else "unicast"
        elif frame is None:
            kind = "unicast"
        elif frame.dst == 0xFFFFFFFFFFFF:
            kind = "broadcast"
        elif frame.dst >> 40 & 1:
            kind = "multicast"
        else:
            kind = "unicast"
        return (kind == self.kind) is not self.invert

    def words(self) -> list[str]:
        return ["-m", "pkttype", *bang(self.invert), "--pkt-type", self.kind]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" PKTTYPE {'!' if self.invert else ''}= {self.kind}"

    def why(self) -> Said:
        return asks(PKTTYPE_WHY, NOT_PKTTYPE, self.invert, kind=self.kind)


def _pkttype_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    kind = TYPE_ALIASES.get(arg.lower(), arg.lower())
    if kind not in PACKET_TYPES:
        raise Problem(f"Bad packet type '{arg}'")
    if kind == "otherhost":
        raise NotModelled("iptables -m pkttype --pkt-type otherhost")
    p.values["kind"], p.inverted["kind"] = kind, invert


def _pkttype_build(p: Parsing) -> Pkttype:
    return Pkttype(kind=p.values["kind"], invert=p.inverted["kind"])


PKTTYPE = Extension(
    name="pkttype", options=(Option("pkt-type", "pkt-type", STRING, invert=True, must=True),),
    take=_pkttype_option, build=_pkttype_build,
)  # fmt: skip

FROM_RANGE = Phrase("source {low} to {high}", "출발지 {low}부터 {high}까지")
NOT_FROM_RANGE = Phrase("source is not {low} to {high}", "출발지가 {low}부터 {high}까지가 아님")
TO_RANGE = Phrase("destination {low} to {high}", "목적지 {low}부터 {high}까지")
NOT_TO_RANGE = Phrase("destination is not {low} to {high}", "목적지가 {low}부터 {high}까지가 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Iprange(Match):
    """`-m iprange`. Each part is (low, high, negated) or None."""

    src: tuple[int, int, bool] | None = None
    dst: tuple[int, int, bool] | None = None

    def test(self, seen: Seen) -> bool:
        for part, address in ((self.src, seen.src), (self.dst, seen.dst)):
            if part is not None and (part[0] <= address <= part[1]) is part[2]:
                return False
        return True

    def words(self) -> list[str]:
        out = ["-m", "iprange"]
        for name, part in (("--src-range", self.src), ("--dst-range", self.dst)):
            if part is not None:
                out += [*bang(part[2]), name, f"{text4(part[0])}-{text4(part[1])}"]
        return out

    def listing(self, numeric: bool, proto: int) -> str:
        out = ""
        for name, part in (("source", self.src), ("destination", self.dst)):
            if part is not None:
                out += f" {name} IP range{' !' if part[2] else ''} {text4(part[0])}-{text4(part[1])}"
        return out

    def why(self) -> Said:
        parts = []
        for part, yes, no in ((self.src, FROM_RANGE, NOT_FROM_RANGE), (self.dst, TO_RANGE, NOT_TO_RANGE)):
            if part is not None:
                parts.append(asks(yes, no, part[2], low=text4(part[0]), high=text4(part[1])))
        return together(parts)


def _iprange_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    low, dash, high = arg.partition("-")
    ends = []
    for text in (low, high if dash else low):
        try:
            ends.append(ip4(text))
        except (InputError, NotModelled):
            raise Problem(f'iprange: Bad value for "--{option.name}" option: "{text}"') from None
    p.values[option.id] = (ends[0], ends[1], invert)


def _iprange_check(p: Parsing) -> None:
    if not p.used:
        raise Problem("iprange match: You must specify `--src-range' or `--dst-range'")


def _iprange_build(p: Parsing) -> Iprange:
    return Iprange(src=p.values.get("src"), dst=p.values.get("dst"))


IPRANGE = Extension(
    name="iprange",
    options=(Option("src-range", "src", STRING, invert=True), Option("dst-range", "dst", STRING, invert=True)),
    take=_iprange_option, check=_iprange_check, build=_iprange_build,
)  # fmt: skip

MAC_WHY = Phrase("source MAC {mac}", "출발지 MAC {mac}")
NOT_MAC = Phrase("source MAC is not {mac}", "출발지 MAC이 {mac}이(가) 아님")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mac(Match):
    """`-m mac`: only frames have one."""

    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING", "INPUT", "FORWARD")
    mac: int
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        frame = seen.skb.came or seen.skb.packet.eth
        return frame is not None and (frame.src == self.mac) is not self.invert

    def words(self) -> list[str]:
        return ["-m", "mac", *bang(self.invert), "--mac-source", mac_text(self.mac)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" MAC {'! ' if self.invert else ''}{mac_text(self.mac)}"

    def why(self) -> Said:
        return asks(MAC_WHY, NOT_MAC, self.invert, mac=mac_text(self.mac))


def ETHERMAC(extension: str, option: Option, text: str) -> int:
    parts = text.split(":")
    values = [
        int(p, 16) if p and len(p) <= 2 and not set(p.lower()) - set("0123456789abcdef") else -1
        for p in parts
    ]
    if len(parts) != 6 or -1 in values:
        raise Problem("Invalid MAC address specified.")
    return int.from_bytes(bytes(values), "big")


def _mac_build(p: Parsing) -> Any:
    return Mac(mac=p.values["mac"], invert=p.inverted["mac"])


MAC = Extension(
    name="mac", options=(Option("mac-source", "mac", ETHERMAC, invert=True, must=True),), build=_mac_build
)

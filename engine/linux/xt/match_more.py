"""Matches on routing and chance, and the one that matches always: addrtype, statistic, comment.

Rules. As in match.py. addrtype asks the FIB of the namespace, as xt_addrtype.c does: the type of a lookup in the
local table, optionally with the device of the packet.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import is_multicast
from engine.linux.fib import LOCAL
from engine.linux.xt.match import Counting, Match, asks, bang
from engine.linux.xt.match_l4 import together
from engine.linux.xt.options import (
    FRACTION,
    STRING,
    UINT32,
    Extension,
    Option,
    Parsing,
    Problem,
    exclusive,
    number,
)
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

#: Address types in the kernel's order (linux/rtnetlink.h), as -L and iptables-save print them.
TYPES = (
    "UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT",
    "THROW", "NAT", "XRESOLVE",
)  # fmt: skip

DST_LOCAL = Phrase("destination is an address of this machine", "목적지가 이 머신의 주소임")
NOT_DST_LOCAL = Phrase("destination is not an address of this machine", "목적지가 이 머신의 주소가 아님")
SRC_LOCAL = Phrase("source is an address of this machine", "출발지가 이 머신의 주소임")
NOT_SRC_LOCAL = Phrase("source is not an address of this machine", "출발지가 이 머신의 주소가 아님")
DST_TYPE = Phrase("destination type {types}", "목적지 주소 유형 {types}")
NOT_DST_TYPE = Phrase("destination type is not {types}", "목적지 주소 유형이 {types}이(가) 아님")
SRC_TYPE = Phrase("source type {types}", "출발지 주소 유형 {types}")
NOT_SRC_TYPE = Phrase("source type is not {types}", "출발지 주소 유형이 {types}이(가) 아님")


def address_type(seen: Seen, address: int, device: str) -> str:
    """What `address` is for this namespace: the best route of the local table alone says it, and with `device` only
    when it is that device's. Source: __inet_dev_addr_type() of net/ipv4/fib_frontend.c, xt_addrtype.c."""
    if address == 0xFFFFFFFF or address >> 24 == 0:
        return "BROADCAST"
    if is_multicast(address):
        return "MULTICAST"
    found = seen.ns.tables[LOCAL].match(address, lambda route: True)
    if found is None or (device and found.oif != seen.ns.names.get(device)):
        return "UNICAST"
    return found.type.upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class Addrtype(Match):
    """`-m addrtype`. Types in TYPES order; `limit` is "", "in" or "out"."""

    src: tuple[str, ...] = ()
    dst: tuple[str, ...] = ()
    not_src: bool = False
    not_dst: bool = False
    limit: str = ""

    def unfit_at(self, hook: str) -> bool:
        return hook in {"": (), "in": ("OUTPUT", "POSTROUTING"), "out": ("PREROUTING", "INPUT")}[self.limit]

    def test(self, seen: Seen) -> bool:
        device = {"": "", "in": seen.iif, "out": seen.oif}[self.limit]
        if self.src and (address_type(seen, seen.src, device) in self.src) is self.not_src:
            return False
        return not self.dst or (address_type(seen, seen.dst, device) in self.dst) is not self.not_dst

    def words(self) -> list[str]:
        out = ["-m", "addrtype"]
        if self.src:
            out += [*bang(self.not_src), "--src-type", ",".join(self.src)]
        if self.dst:
            out += [*bang(self.not_dst), "--dst-type", ",".join(self.dst)]
        return out + ([f"--limit-iface-{self.limit}"] if self.limit else [])

    def listing(self, numeric: bool, proto: int) -> str:
        out = " ADDRTYPE match"
        if self.src:
            out += f" src-type {'!' if self.not_src else ''}{','.join(self.src)}"
        if self.dst:
            out += f" dst-type {'!' if self.not_dst else ''}{','.join(self.dst)}"
        return out + (f" limit-{self.limit}" if self.limit else "")

    def why(self) -> Said:
        parts = []
        if self.src:
            parts.append(
                asks(SRC_LOCAL, NOT_SRC_LOCAL, self.not_src)
                if self.src == ("LOCAL",)
                else asks(SRC_TYPE, NOT_SRC_TYPE, self.not_src, types=",".join(self.src))
            )
        if self.dst:
            parts.append(
                asks(DST_LOCAL, NOT_DST_LOCAL, self.not_dst)
                if self.dst == ("LOCAL",)
                else asks(DST_TYPE, NOT_DST_TYPE, self.not_dst, types=",".join(self.dst))
            )
        return together(parts)


def _types(arg: str) -> tuple[str, ...]:
    got, rest = set(), arg
    while True:
        part, comma, after = rest.partition(",")
        name = next((t for t in TYPES if part and t.startswith(part.upper())), None)
        if name is None:
            raise Problem(f"addrtype: bad type `{rest}'" if comma else f'addrtype: bad type "{rest}"')
        got.add(name)
        if not comma:
            return tuple(t for t in TYPES if t in got)
        rest = after


def _addrtype_option(p: Parsing, option: Option, arg: Any, invert: bool) -> None:
    if option.kind is None:
        p.values[option.id] = True
    else:
        p.values[option.id], p.inverted[option.id] = _types(arg), invert


def _addrtype_check(p: Parsing) -> None:
    if "src" not in p.used and "dst" not in p.used:
        raise Problem("addrtype: you must specify --src-type or --dst-type")


def _addrtype_build(p: Parsing) -> Addrtype:
    return Addrtype(
        src=p.values.get("src", ()), dst=p.values.get("dst", ()), not_src=p.inverted.get("src", False),
        not_dst=p.inverted.get("dst", False), limit="in" if "in" in p.used else "out" if "out" in p.used else "",
    )  # fmt: skip


ADDRTYPE = Extension(
    name="addrtype",
    options=(
        Option("src-type", "src", STRING, invert=True), Option("dst-type", "dst", STRING, invert=True),
        *exclusive(Option("limit-iface-in", "in", None), Option("limit-iface-out", "out", None)),
    ),
    take=_addrtype_option, check=_addrtype_check, build=_addrtype_build,
)  # fmt: skip

CHANCE = Phrase("by chance ({percent}% of packets)", "{percent}% 확률로 뽑힘")
NOT_CHANCE = Phrase("by chance (all but {percent}% of packets)", "{percent}% 확률에 뽑히지 않음")
TURN = Phrase("one packet in every {every}", "패킷 {every}개마다 하나")
NOT_TURN = Phrase("all but one packet in every {every}", "패킷 {every}개마다 하나를 뺀 나머지")


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomMatch(Match):
    """`-m statistic --mode random`. `threshold` out of 2^31, as the kernel keeps the probability."""

    threshold: int
    invert: bool = False

    @property
    def probability(self) -> float:
        return self.threshold / 0x80000000

    def test(self, seen: Seen) -> bool:
        if self.threshold in (0, 0x80000000):
            return (self.threshold != 0) is not self.invert
        chance = 1 - self.probability if self.invert else self.probability
        return seen.choose.chance("statistic", chance, seen)

    @property
    def stateful(self) -> bool:
        """It counts nothing, but a tape must know which rule asks."""
        return True

    def words(self) -> list[str]:
        text = f"{self.probability:.11f}"
        return ["-m", "statistic", "--mode", "random", *bang(self.invert), "--probability", text]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" statistic mode random{' !' if self.invert else ''} probability {self.probability:.11f}"

    def why(self) -> Said:
        return asks(CHANCE, NOT_CHANCE, self.invert, percent=f"{self.probability * 100:.4g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NthMatch(Counting):
    """`-m statistic --mode nth`. The rule's state cell counts packets that came this far."""

    every: int
    packet: int = 0
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        count = seen.recall(self, 0)
        seen.remember(self, (count + 1) % self.every)
        return (count == self.packet) is not self.invert

    def words(self) -> list[str]:
        out = ["-m", "statistic", "--mode", "nth", *bang(self.invert), "--every", str(self.every)]
        return [*out, "--packet", str(self.packet)]

    def listing(self, numeric: bool, proto: int) -> str:
        tail = f" packet {self.packet}" if self.packet else ""
        return f" statistic mode nth{' !' if self.invert else ''} every {self.every}{tail}"

    def why(self) -> Said:
        return asks(TURN, NOT_TURN, self.invert, every=self.every)


def _statistic_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id == "mode" and value not in ("random", "nth"):
        raise Problem(f'Bad mode "{value}"')
    p.values[option.id] = value
    p.inverted["any"] = p.inverted.get("any", False) or invert


def _statistic_check(p: Parsing) -> None:
    mode = p.values.get("mode", "random")
    if mode == "random" and "probability" not in p.used:
        raise Problem("--probability must be specified when using random mode")
    if mode == "nth":
        if "every" not in p.used and "packet" not in p.used:
            raise Problem("--every and --packet must be specified when using nth mode")
        if p.values.get("packet", 0) >= p.values.get("every", 1):
            raise Problem("the --packet p must be 0 <= p <= n-1")


def _statistic_build(p: Parsing) -> RandomMatch | NthMatch:
    invert = p.inverted.get("any", False)
    if p.values["mode"] == "random":
        return RandomMatch(threshold=int(0x80000000 * p.values["probability"] + 0.5), invert=invert)
    return NthMatch(every=p.values["every"], packet=p.values["packet"], invert=invert)


STATISTIC = Extension(
    name="statistic",
    options=(
        Option("mode", "mode", STRING, must=True),
        Option("probability", "probability", FRACTION, invert=True, excludes=frozenset({"every", "packet"})),
        Option("every", "every", number(1, 0xFFFFFFFF), invert=True, excludes=frozenset({"probability"}),
               requires="packet"),
        Option("packet", "packet", UINT32, excludes=frozenset({"probability"}), requires="every"),
    ),
    take=_statistic_option, check=_statistic_check, build=_statistic_build,
)  # fmt: skip

_BARE = frozenset("_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def quoted(text: str) -> str:
    """As `xtables_save_string` writes it: bare when it is one plain word, else in double quotes."""
    if text and set(text) <= _BARE:
        return text
    return '"' + "".join("\\" + c if c in "\"\\'" else c for c in text) + '"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment(Match):
    """`-m comment`: matches always."""

    text: str

    def test(self, seen: Seen) -> bool:
        return True

    def words(self) -> list[str]:
        return ["-m", "comment", "--comment", quoted(self.text)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" /* {self.text} */"


def _comment_build(p: Parsing) -> Comment:
    return Comment(text=p.values["comment"][:255])


COMMENT = Extension(
    name="comment", options=(Option("comment", "comment", STRING, must=True),), build=_comment_build
)

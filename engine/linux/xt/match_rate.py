"""Matches that count over time: limit, connlimit, quota.

Theory. Each remembers in the rule's own cell: limit its tokens, connlimit the connections that it has met, quota the
bytes that are left. iptables 1.8 (nf_tables) makes a native limit of `-m limit`: a burst of 0 is the default of 5.
Time is the virtual clock. Sources: nft_limit.c, xt_connlimit.c, nf_conncount.c, xt_quota.c.

Rules. As in match.py.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import mask
from engine.linux.conntrack import Tuple, tuple_of
from engine.linux.xt.match import Counting, asks, bang
from engine.linux.xt.options import (
    PLENMASK,
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

SCALE = 10000
#: unit -> seconds, as -L and iptables-save name it
UNITS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}
DEFAULT_BURST = 5
LIMIT_WHY = Phrase("at most {rate} on average ({burst} at once)", "평균 {rate} 이하(한 번에 {burst}개까지)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Counting):
    """`-m limit`: `count` packets a `unit`, `burst` at once."""

    count: int
    unit: str
    burst: int = DEFAULT_BURST

    def test(self, seen: Seen) -> bool:
        """A bucket of tokens in seconds: a packet costs unit / count."""
        cost = UNITS[self.unit] / self.count
        most = cost * self.burst
        tokens, last = seen.recall(self, (most, seen.net.clock))
        tokens = min(tokens + seen.net.clock - last, most)
        # Rounding must not cost a packet.
        hit = bool(tokens >= cost - 1e-9)
        seen.remember(self, (tokens - cost if hit else tokens, seen.net.clock))
        return hit

    def words(self) -> list[str]:
        tail = ["--limit-burst", str(self.burst)] if self.burst != DEFAULT_BURST else []
        return ["-m", "limit", "--limit", f"{self.count}/{self.unit}", *tail]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" limit: avg {self.count}/{self.unit} burst {self.burst}"

    def why(self) -> Said:
        return LIMIT_WHY(rate=f"{self.count}/{self.unit}", burst=self.burst)


def rate(text: str, fallback: str = 'bad rate "{text}"\'') -> tuple[int, str]:
    """`5/min` -> (5, "min") as iptables rounds and prints it."""
    head, slash, unit = text.partition("/")
    seconds = 1
    if slash:
        names = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
        found = next((s for n, s in names.items() if unit and n.startswith(unit.lower())), None)
        if found is None:
            raise Problem(fallback.format(text=text))
        seconds = found
    digits = head[: len(head) - len(head.lstrip("0123456789"))]
    if not digits or not int(digits):
        raise Problem(fallback.format(text=text))
    period = SCALE * seconds // int(digits)
    if not period:
        raise Problem(f'Rate too fast "{text}"')
    names_ = list(UNITS)
    at = 1
    while at < len(names_):
        whole = UNITS[names_[at]] * SCALE
        if period > whole or whole // period < whole % period:
            break
        at += 1
    return UNITS[names_[at - 1]] * SCALE // period, names_[at - 1]


def _limit_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if invert:
        raise Problem("limit does not support invert")
    p.values[option.id] = rate(value) if option.id == "limit" else value


def _limit_build(p: Parsing) -> Limit:
    count, unit = p.values.get("limit", (3, "hour"))
    return Limit(count=count, unit=unit, burst=p.values.get("burst", DEFAULT_BURST) or DEFAULT_BURST)


LIMIT = Extension(
    name="limit",
    options=(Option("limit", "limit", STRING), Option("limit-burst", "burst", number(0, 10000))),
    take=_limit_option, build=_limit_build,
)  # fmt: skip

ABOVE = Phrase(
    "more than {limit} connections {way} its /{length}", "그 /{length} {way} 연결이 {limit}개보다 많음"
)
UPTO = Phrase("at most {limit} connections {way} its /{length}", "그 /{length} {way} 연결이 {limit}개 이하")
#: TCP states of a connection that is not counted any more
OVER = ("TIME_WAIT", "CLOSE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connlimit(Counting):
    """`-m connlimit`: how many of the connections that came by this rule live from (or to) the packet's net."""

    limit: int
    upto: bool = False
    length: int = 32
    daddr: bool = False

    def test(self, seen: Seen) -> bool:
        ct = seen.skb.ct
        key = ct.orig if ct is not None else tuple_of(seen.skb.packet)
        if key is None:
            return False
        net = (key.dst if self.daddr else key.src) & mask(self.length)
        met: dict[int, tuple[Tuple, ...]] = seen.recall(self, {})
        alive = tuple(one for one in met.get(net, ()) if one != key and self._lives(seen, one))
        seen.remember(self, {**met, net: (*alive, key)})
        return (len(alive) + 1 > self.limit) is not self.upto

    @staticmethod
    def _lives(seen: Seen, key: Tuple) -> bool:
        found = seen.ns.conntrack.find(key, seen.net.clock)
        return found is not None and found[0].state not in OVER

    def words(self) -> list[str]:
        out = ["-m", "connlimit", "--connlimit-upto" if self.upto else "--connlimit-above", str(self.limit)]
        return [*out, "--connlimit-mask", str(self.length), f"--connlimit-{'d' if self.daddr else 's'}addr"]

    def listing(self, numeric: bool, proto: int) -> str:
        side = "dst" if self.daddr else "src"
        return f" #conn {side}/{self.length} {'<=' if self.upto else '>'} {self.limit}"

    def why(self) -> Said:
        return (UPTO if self.upto else ABOVE)(
            limit=self.limit, way="to" if self.daddr else "from", length=self.length
        )

    @property
    def needs_conntrack(self) -> bool:
        return True


def _connlimit_check(p: Parsing) -> None:
    if "upto" not in p.used and "above" not in p.used:
        raise Problem('You must specify "--connlimit-above" or "--connlimit-upto".')


def _connlimit_build(p: Parsing) -> Connlimit:
    which = "upto" if "upto" in p.used else "above"
    return Connlimit(
        limit=p.values[which], upto=(which == "upto") is not p.inverted[which], length=p.values.get("mask", 32),
        daddr="daddr" in p.used,
    )  # fmt: skip


CONNLIMIT = Extension(
    name="connlimit",
    options=(
        *exclusive(
            Option("connlimit-upto", "upto", UINT32, invert=True),
            Option("connlimit-above", "above", UINT32, invert=True),
        ),
        Option("connlimit-mask", "mask", PLENMASK),
        *exclusive(Option("connlimit-saddr", "saddr", None), Option("connlimit-daddr", "daddr", None)),
    ),
    check=_connlimit_check, build=_connlimit_build,
)  # fmt: skip

QUOTA_WHY = Phrase("while {quota} bytes last", "{quota}바이트가 남아 있는 동안")
NOT_QUOTA = Phrase("when {quota} bytes are used up", "{quota}바이트를 다 쓴 뒤")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota(Counting):
    """`-m quota`: until so many bytes have come by; a packet that does not fit ends it."""

    quota: int
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        left = seen.recall(self, self.quota)
        size = seen.skb.packet.ip_length()
        fits = left >= size
        seen.remember(self, left - size if fits else 0)
        return fits is not self.invert

    def words(self) -> list[str]:
        return ["-m", "quota", *bang(self.invert), "--quota", str(self.quota)]

    def listing(self, numeric: bool, proto: int) -> str:
        return f" quota: {self.quota} bytes"

    def why(self) -> Said:
        return asks(QUOTA_WHY, NOT_QUOTA, self.invert, quota=self.quota)


def _quota_build(p: Parsing) -> Quota:
    return Quota(quota=p.values["quota"], invert=p.inverted["quota"])


QUOTA = Extension(
    name="quota",
    options=(Option("quota", "quota", number(0, 2**64 - 1), invert=True, must=True),),
    build=_quota_build,
)

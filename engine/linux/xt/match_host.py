"""Matches on what this machine knows of a packet: rpfilter (would it go back the same way?), socket (is somebody here
waiting for it?), recent (has its address been here?).

Theory. rpfilter asks the routing tables for the way back, as a packet of this machine would be routed. socket looks
for a connection's socket, then for a listening one; one bound to any address does not count unless --nowildcard.
recent keeps named lists of addresses with the times they were met, for the whole namespace, of at most 100
addresses; kube-proxy's session affinity lives there. Sources: ipt_rpfilter.c, xt_socket.c, nf_socket_ipv4.c,
xt_recent.c.

Rules. As in match.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engine.linux import sockets
from engine.linux.addr import is_multicast, text4
from engine.linux.fib import lookup, ways
from engine.linux.flow import FlowKey
from engine.linux.packet import Proto
from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.options import (
    HOST,
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

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule

BROADCAST = 0xFFFFFFFF
RP_WHY = Phrase(
    "the way back to its source leads by the device that it came in by",
    "출발지로 돌아가는 길이 들어온 장치와 같음",
)
NOT_RP_WHY = Phrase(
    "the way back to its source does not lead by the device that it came in by",
    "출발지로 돌아가는 길이 들어온 장치와 다름",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rpfilter(Match):
    """`-m rpfilter`. `loose` = any way back will do; `validmark` = with the packet's mark; `local` = --accept-local."""

    tables: ClassVar[tuple[str, ...]] = ("raw", "mangle")
    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING",)
    loose: bool = False
    validmark: bool = False
    local: bool = False
    invert: bool = False

    def test(self, seen: Seen) -> bool:
        return self._same_way(seen) is not self.invert

    def _same_way(self, seen: Seen) -> bool:
        if seen.iif == "lo":
            return True
        to_all = seen.dst == BROADCAST or is_multicast(seen.dst)
        if seen.src >> 24 == 0 and to_all:
            return True
        key = FlowKey(
            dst=seen.src, src=0 if to_all or seen.dst >> 24 == 0 else seen.dst,
            mark=seen.skb.mark if self.validmark else 0,
        )  # fmt: skip
        found = lookup(seen.ns, key)
        route = found.route
        if route is None or (route.type != "unicast" and not (route.type == "local" and self.local)):
            return False
        if self.loose:
            return True
        index = seen.ns.names.get(seen.iif)
        row = found.row if found.row is not None else route
        return any(hop.oif == index for hop in ways(seen.ns.nexthops, row))

    def _flags(self) -> list[str]:
        flags = {
            "loose": self.loose,
            "validmark": self.validmark,
            "accept-local": self.local,
            "invert": self.invert,
        }
        return [name for name, on in flags.items() if on]

    def words(self) -> list[str]:
        return ["-m", "rpfilter", *(f"--{name}" for name in self._flags())]

    def listing(self, numeric: bool, proto: int) -> str:
        return " " + " ".join(["rpfilter", *self._flags()])

    def why(self) -> Said:
        return asks(RP_WHY, NOT_RP_WHY, self.invert)


def _rpfilter_build(p: Parsing) -> Rpfilter:
    used = p.used
    return Rpfilter(
        loose="loose" in used, validmark="validmark" in used, local="local" in used, invert="inv" in used
    )


RPFILTER = Extension(
    name="rpfilter",
    options=(
        Option("loose", "loose", None), Option("validmark", "validmark", None), Option("accept-local", "local", None),
        Option("invert", "inv", None),
    ),
    build=_rpfilter_build,
)  # fmt: skip

SOCKET_WHY = Phrase("a socket of this machine is waiting for it", "이 머신의 소켓이 이 패킷을 기다리고 있음")


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketMatch(Match):
    """`-m socket`. `nowildcard` = also a socket bound to any address; `restore` = take over the socket's mark, which
    is 0 for every socket here."""

    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING", "INPUT")
    transparent: bool = False
    nowildcard: bool = False
    restore: bool = False

    def test(self, seen: Seen) -> bool:
        if seen.kind not in ("tcp", "udp"):
            return False
        found = self._found(seen)
        if found is None:
            return False
        wildcard, transparent = found
        if (wildcard and not self.nowildcard) or (self.transparent and not transparent):
            return False
        if self.restore:
            seen.skb.mark = 0
        return True

    @staticmethod
    def _found(seen: Seen) -> tuple[bool, bool] | None:
        """(bound to any address, transparent) of the socket that would take the packet."""
        proto = Proto.TCP if seen.kind == "tcp" else Proto.UDP
        local, remote = (seen.dst, seen.dport), (seen.src, seen.sport)
        for one in seen.waiting:
            if one.netns == seen.ns.id and one.proto == proto and one.local == local and one.remote == remote:
                return False, not seen.ns.owns(seen.dst)
        steered = seen.skb.steered
        socket = steered or sockets.find(
            seen.ns, seen.kind, seen.dst, seen.dport, iif=seen.iif, choose=seen.choose
        )
        return None if socket is None else (not socket.addr, socket.transparent)

    def _flags(self) -> list[str]:
        flags = {
            "--transparent": self.transparent, "--nowildcard": self.nowildcard, "--restore-skmark": self.restore,
        }  # fmt: skip
        return [name for name, on in flags.items() if on]

    def words(self) -> list[str]:
        return ["-m", "socket", *self._flags()]

    def listing(self, numeric: bool, proto: int) -> str:
        return " " + " ".join(["socket", *self._flags()])

    def why(self) -> Said:
        return SOCKET_WHY()


def _socket_build(p: Parsing) -> SocketMatch:
    return SocketMatch(
        transparent="transparent" in p.used, nowildcard="nowildcard" in p.used, restore="restore" in p.used
    )


SOCKET = Extension(
    name="socket",
    options=(
        Option("transparent", "transparent", None), Option("nowildcard", "nowildcard", None),
        Option("restore-skmark", "restore", None),
    ),
    build=_socket_build,
)  # fmt: skip

#: addresses that a list holds, and times that it keeps of each
LIST_MOST, STAMPS = 100, 20
OPS = {"set": "SET", "rcheck": "CHECK", "update": "UPDATE", "remove": "REMOVE"}
RECENT_SET = Phrase("its {side} goes into the list {name}", "{side} 주소를 목록 {name}에 적음")
RECENT = Phrase("its {side} has been met (list {name}{how})", "{side} 주소가 목록 {name}에 있음{how}")
NOT_RECENT = Phrase("its {side} has not been met (list {name}{how})", "{side} 주소가 목록 {name}에 없음{how}")

#: more hits than a list of -m recent may keep
MOST_HITS = 65535
#: an address of a list: its TTL and when it was met, oldest first
Met = tuple[int, tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recent(Match):
    """`-m recent`. `op` is set, rcheck, update or remove; 0 seconds or hits = not asked."""

    op: str
    name: str = "DEFAULT"
    seconds: int = 0
    reap: bool = False
    hits: int = 0
    rttl: bool = False
    dest: bool = False
    mask: int = 0xFFFFFFFF
    invert: bool = False

    def unfit(self, rule: XtRule) -> bool:
        return self.hits > MOST_HITS

    def test(self, seen: Seen) -> bool:
        memory = seen.ns.xt.remembered()
        # The rule that made the list has given it its mask.
        cut = memory["recent mask", self.name][0]
        met: dict[int, Met] = memory["recent", self.name]
        now = seen.net.clock
        address = (seen.dst if self.dest else seen.src) & cut
        ttl = seen.skb.packet.ip.ttl
        if seen.oif and not seen.skb.local:
            ttl += 1  # as it was before it was forwarded
        entry = met.get(address)
        if entry is not None and self.rttl and entry[0] != ttl:
            entry = None
        hit = False
        if entry is None:
            if self.op == "set":
                if len(met) >= LIST_MOST:
                    del met[next(iter(met))]
                met[address] = (ttl, (now,))
                hit = True
            return hit is not self.invert
        if self.op == "set":
            hit = True
        elif self.op == "remove":
            del met[address]
            return not self.invert
        else:
            since = now - self.seconds
            hits = sum(1 for stamp in entry[1] if not self.seconds or stamp >= since)
            hit = hits >= max(self.hits, 1)
            if self.reap:
                oldest = next(iter(met))
                if met[oldest][1][-1] < since and not (oldest == address and self.op == "update" and hit):
                    del met[oldest]
        result = hit is not self.invert
        if (self.op == "set" or (self.op == "update" and result)) and address in met:
            del met[address]
            met[address] = (ttl, (*entry[1], now)[-max(STAMPS, self.hits) :])
        return result

    def words(self) -> list[str]:
        out = ["-m", "recent", *bang(self.invert), f"--{self.op}"]
        out += ["--seconds", str(self.seconds)] if self.seconds else []
        out += ["--reap"] if self.reap else []
        out += ["--hitcount", str(self.hits)] if self.hits else []
        out += ["--rttl"] if self.rttl else []
        return [
            *out,
            "--name",
            self.name,
            "--mask",
            text4(self.mask),
            "--rdest" if self.dest else "--rsource",
        ]

    def listing(self, numeric: bool, proto: int) -> str:
        out = f"{' !' if self.invert else ''} recent: {OPS[self.op]}"
        out += f" seconds: {self.seconds}" if self.seconds else ""
        out += " reap" if self.reap else ""
        out += f" hit_count: {self.hits}" if self.hits else ""
        out += " TTL-Match" if self.rttl else ""
        return out + f" name: {self.name} side: {'dest' if self.dest else 'source'} mask: {text4(self.mask)}"

    def why(self) -> Said:
        side = "destination" if self.dest else "source"
        if self.op == "set":
            return RECENT_SET(side=side, name=self.name)
        how = f", {self.seconds} s" if self.seconds else ""
        return asks(RECENT, NOT_RECENT, self.invert, side=side, name=self.name, how=how)

    @property
    def remembers(self) -> tuple[tuple[tuple[str, str], dict[int, int]], ...]:
        return ((("recent mask", self.name), {0: self.mask}), (("recent", self.name), {}))


def _recent_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id in OPS:
        p.values["op"], p.inverted["op"] = option.id, invert
    else:
        p.values[option.id] = value


def _recent_check(p: Parsing) -> None:
    if "op" not in p.values:
        raise Problem("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'")


def _recent_build(p: Parsing) -> Recent:
    got = p.values
    return Recent(
        op=got["op"], name=got.get("name", "DEFAULT"), seconds=got.get("seconds", 0), reap="reap" in p.used,
        hits=got.get("hits", 0), rttl="rttl" in p.used, dest="rdest" in p.used and p.used[-1:] != ["rsource"],
        mask=got.get("mask", 0xFFFFFFFF), invert=p.inverted["op"],
    )  # fmt: skip


RECENT_EXTENSION = Extension(
    name="recent",
    options=(
        *exclusive(*(Option(name, name, None, invert=True) for name in OPS)),
        Option("seconds", "seconds", number(1, 0xFFFFFFFF)), Option("reap", "reap", None, requires="seconds"),
        Option("hitcount", "hits", UINT32), Option("rttl", "rttl", None, excludes=frozenset({"set", "remove"})),
        Option("name", "name", STRING), Option("rsource", "rsource", None), Option("rdest", "rdest", None),
        Option("mask", "mask", HOST),
    ),
    take=_recent_option, check=_recent_check, build=_recent_build,
)  # fmt: skip

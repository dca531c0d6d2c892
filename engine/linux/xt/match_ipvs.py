"""-m ipvs: has IPVS handled this packet, and for which virtual service?

Theory. The packet is looked up among IPVS's connections as it is now, rewritten: one that goes to a real server is
found by its client and that server; an answer is not found. A question about the service implies that IPVS has handled
it; one that it has not handled fits only a bare `! --ipvs`. kube-proxy's IPVS mode asks it in OUTPUT, to keep
a node from a load balancer that is not for it. Source: net/netfilter/xt_ipvs.c; the tool's words were read from
iptables 1.8.9 in a kernel that has the match.

Rules. As in match.py. --vportctl is not modelled: nothing here opens connections on another's behalf.
"""

from __future__ import annotations

from typing import Any

from engine.linux.addr import mask, text4
from engine.linux.ipvs.rows import Conn, End
from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.match_l4 import together
from engine.linux.xt.names import protocol_number, service_port
from engine.linux.xt.options import HOSTMASK, STRING, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.record import dataclass
from engine.say import Phrase, Said

HANDLED = Phrase("IPVS has handled it", "IPVS가 처리한 패킷")
NOT_HANDLED = Phrase("IPVS has not handled it", "IPVS가 처리하지 않은 패킷")
VADDR = Phrase("for the virtual address {value}", "가상 주소 {value}(으)로 온 연결")
NOT_VADDR = Phrase("for another virtual address than {value}", "{value}이(가) 아닌 가상 주소로 온 연결")
VPORT = Phrase("for the virtual port {value}", "가상 포트 {value}(으)로 온 연결")
NOT_VPORT = Phrase("for another virtual port than {value}", "{value}이(가) 아닌 가상 포트로 온 연결")
VPROTO = Phrase("a virtual service of protocol {value}", "프로토콜 {value}의 가상 서비스")
NOT_VPROTO = Phrase(
    "a virtual service of another protocol than {value}", "프로토콜 {value}이(가) 아닌 가상 서비스"
)
VDIR = Phrase("its conntrack direction is {value}", "conntrack 방향이 {value}")
VMETHOD = Phrase("forwarded by {value}", "{value} 방식으로 전달됨")
NOT_VMETHOD = Phrase("not forwarded by {value}", "{value} 방식으로 전달되지 않음")
METHODS = {"GATE": "route", "IPIP": "tunnel", "MASQ": "masq"}
DIRECTIONS = ("ORIGINAL", "REPLY")


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsMatch(Match):
    """A part that was not asked for is None, else (value, negated). `handled` is the negation of a bare --ipvs;
    `vaddr` is ((address, prefix length), negated)."""

    handled: bool | None = None
    vproto: tuple[int, bool] | None = None
    vaddr: tuple[tuple[int, int], bool] | None = None
    vport: tuple[int, bool] | None = None
    vdir: str = ""
    vmethod: tuple[str, bool] | None = None

    def test(self, seen: Seen) -> bool:
        skb = seen.skb
        if self.handled is not None:
            return skb.ipvs is not self.handled
        if not skb.ipvs:
            return False
        if self.vproto is not None and (skb.packet.ip.proto == self.vproto[0]) is self.vproto[1]:
            return False
        conn = found(seen)
        if conn is None:
            return False
        if self.vport is not None and (conn.virtual.port == self.vport[0]) is self.vport[1]:
            return False
        if self.vdir and (skb.ct is None or skb.ctdir.upper() != self.vdir):
            return False
        if self.vmethod is not None and (conn.method == METHODS[self.vmethod[0]]) is self.vmethod[1]:
            return False
        if self.vaddr is None:
            return True
        (address, length), negated = self.vaddr
        return ((conn.virtual.addr & mask(length)) == (address & mask(length))) is not negated

    def _options(self, lead: str) -> list[str]:
        out: list[str] = []
        if self.handled is not None:
            out += [*bang(self.handled), f"{lead}ipvs"]
        if self.vproto is not None:
            out += [*bang(self.vproto[1]), f"{lead}vproto", str(self.vproto[0])]
        if self.vaddr is not None:
            out += [*bang(self.vaddr[1]), f"{lead}vaddr", self._vaddr()]
        if self.vport is not None:
            out += [*bang(self.vport[1]), f"{lead}vport", str(self.vport[0])]
        if self.vdir:
            out += [f"{lead}vdir", self.vdir]
        if self.vmethod is not None:
            out += [*bang(self.vmethod[1]), f"{lead}vmethod", self.vmethod[0]]
        return out

    def _vaddr(self) -> str:
        assert self.vaddr is not None
        (address, length), _ = self.vaddr
        return text4(address) + (f"/{length}" if length != 32 else "")

    def words(self) -> list[str]:
        return ["-m", "ipvs", *self._options("--")]

    def listing(self, numeric: bool, proto: int) -> str:
        return " " + " ".join(self._options(""))

    def why(self) -> Said:
        parts: list[Said] = []
        if self.handled is not None:
            parts.append(asks(HANDLED, NOT_HANDLED, self.handled))
        for yes, no, part in (
            (VPROTO, NOT_VPROTO, self.vproto), (VPORT, NOT_VPORT, self.vport), (VMETHOD, NOT_VMETHOD, self.vmethod),
        ):  # fmt: skip
            if part is not None:
                parts.append(asks(yes, no, part[1], value=part[0]))
        if self.vaddr is not None:
            parts.append(asks(VADDR, NOT_VADDR, self.vaddr[1], value=self._vaddr()))
        if self.vdir:
            parts.append(VDIR(value=self.vdir))
        return together(parts)


def found(seen: Seen) -> Conn | None:
    """The connection of a packet that IPVS has sent to a real server (conn_out_get of the inverse header)."""
    skb = seen.skb
    sport, dport = skb.packet.ports
    source, target = End(skb.packet.ip.src, sport), End(skb.packet.ip.dst, dport)
    return seen.ns.ipvs.find_out(skb.packet.ip.proto, target, source, seen.net.clock)


def _proto(text: str) -> int:
    number = strtoui(text, 0, 255)
    number = protocol_number(text.lower()) if number is None else number
    if number is None:
        raise Problem(f'unknown protocol "{text}" specified')
    return number


def _port(text: str) -> int:
    """XTTYPE_PORT."""
    number = strtoui(text, 0, 0xFFFF)
    number = service_port(None, text) if number is None else number
    if number is None:
        raise Problem(f'Port "{text}" does not resolve to anything.\n')
    return number


def _take(p: Parsing, option: Option, arg: Any, invert: bool) -> None:
    value: Any
    if option.id == "ipvs":
        value = invert
    elif option.id == "vproto":
        value = (_proto(arg), invert)
    elif option.id == "vport":
        value = (_port(arg), invert)
    elif option.id == "vdir":
        value = arg.upper()
        if value not in DIRECTIONS:
            raise Problem(f'ipvs: Bad value for "--vdir" option: "{arg}"')
    elif option.id == "vmethod":
        value = (arg.upper(), invert)
        if arg.upper() not in METHODS:
            raise Problem(f'ipvs: Bad value for "--vmethod" option: "{arg}"')
    else:
        value = (arg, invert)
    p.values[option.id] = value


def _check(p: Parsing) -> None:
    if not p.used:
        raise Problem("IPVS: At least one option is required")
    if p.values.get("ipvs") is True and len(p.used) > 1:
        raise Problem("! --ipvs cannot be together with other options")


def _build(p: Parsing) -> IpvsMatch:
    get = p.values.get
    return IpvsMatch(
        handled=get("ipvs") if len(p.used) == 1 else None, vproto=get("vproto"), vaddr=get("vaddr"),
        vport=get("vport"), vdir=get("vdir", ""), vmethod=get("vmethod"),
    )  # fmt: skip


IPVS = Extension(
    name="ipvs",
    options=(
        Option("ipvs", "ipvs", None, invert=True), Option("vproto", "vproto", STRING, invert=True),
        Option("vaddr", "vaddr", HOSTMASK, invert=True), Option("vport", "vport", STRING, invert=True),
        Option("vdir", "vdir", STRING), Option("vmethod", "vmethod", STRING, invert=True),
        Option("vportctl", "vportctl", STRING, invert=True, modelled=False),
    ),
    take=_take, check=_check, build=_build,
)  # fmt: skip

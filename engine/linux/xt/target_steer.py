"""Targets that decide where a packet belongs: TPROXY (to a socket of this machine), CT (to a conntrack zone, or to no
connection), NETMAP (one net for another).

Theory. TPROXY looks for a socket: the connection's own, else one that listens at --on-ip (the device's first address
when it is 0.0.0.0) and --on-port; a transparent one gets the packet, with the mark that a rule needs to route it
here; without one the packet is dropped. Sources: xt_TPROXY.c, nf_tproxy_ipv4.c, xt_CT.c, xt_NETMAP.c.

Rules. As in target.py. A helper, a timeout policy and event masks of CT are refused by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from engine.linux import sockets
from engine.linux.addr import mask, text4
from engine.linux.conntrack import Zone
from engine.linux.packet import Proto
from engine.linux.rows import Socket
from engine.linux.xt.names import service_port
from engine.linux.xt.options import (
    HOST,
    HOSTMASK,
    MARKMASK,
    STRING,
    Extension,
    Option,
    Parsing,
    Problem,
    strtoui,
)
from engine.linux.xt.seen import Seen
from engine.linux.xt.target import Act, Nat, Target
from engine.linux.xt.target_more import Notrack
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule

FULL = 0xFFFFFFFF
TPROXY_WHY = Phrase(
    "hand it to the transparent socket at {where} as it is",
    "내용은 그대로 {where}의 투명(transparent) 소켓에 넘깁니다",
)
ZONE_WHY = Phrase("track it in the conntrack zone {zone}", "conntrack 영역 {zone}에서 추적합니다")
CT_WHY = Phrase("track it as always", "평소처럼 추적합니다")
NETMAP_WHY = Phrase("move its address into {net}", "주소를 {net} 대역으로 옮깁니다")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tproxy(Target):
    """`-j TPROXY`. Port 0 = the packet's own, address 0 = the device's first."""

    table: ClassVar[str] = "mangle"
    hooks: ClassVar[tuple[str, ...]] = ("PREROUTING",)
    port: int
    address: int = 0
    mark: int = 0
    mask: int = 0

    def unfit(self, table: str, rule: XtRule) -> bool:
        return table != self.table or rule.proto not in (6, 17)

    def run(self, seen: Seen) -> Act | None:
        socket = self._socket(seen)
        if socket is None or not socket.transparent:
            return Act(word="drop")
        seen.skb.mark = (seen.skb.mark & ~self.mask & FULL) ^ self.mark
        seen.skb.steered = socket
        return Act(word="accept")

    def _socket(self, seen: Seen) -> Socket | None:
        if seen.kind not in ("tcp", "udp"):
            return None
        proto = Proto.TCP if seen.kind == "tcp" else Proto.UDP
        local, remote = (seen.dst, seen.dport), (seen.src, seen.sport)
        for one in seen.waiting:
            if one.netns == seen.ns.id and one.proto == proto and one.local == local and one.remote == remote:
                return Socket(
                    proto=seen.kind, addr=seen.dst, port=seen.dport, pid=0, state="ESTAB",
                    transparent=not seen.ns.owns(seen.dst),
                )  # fmt: skip
        address = self.address or first_address(seen) or seen.dst
        port = self.port or seen.dport
        return sockets.find(seen.ns, seen.kind, address, port, iif=seen.iif, choose=seen.choose)

    def words(self) -> list[str]:
        out = ["-j", "TPROXY", "--on-port", str(self.port), "--on-ip", text4(self.address)]
        return [*out, "--tproxy-mark", f"0x{self.mark:x}/0x{self.mask:x}"]

    def listing(self, numeric: bool) -> str:
        return f" TPROXY redirect {text4(self.address)}:{self.port} mark 0x{self.mark:x}/0x{self.mask:x}"

    def why(self) -> Said:
        return TPROXY_WHY(where=f"{text4(self.address)}:{self.port}")


def first_address(seen: Seen) -> int:
    """The first address of the device that the packet came in by."""
    index = seen.ns.names.get(seen.iif, 0)
    rows = seen.ns.addresses.get(index, ())
    return rows[0].addr if rows else 0


def PORT(extension: str, option: Option, text: str) -> int:
    value = strtoui(text, 0, 65535)
    value = service_port(None, text) if value is None else value
    if value is None:
        raise Problem(f'Port "{text}" does not resolve to anything.\n')
    return value


def _tproxy_build(p: Parsing) -> Tproxy:
    mark, cut = p.values.get("mark", (0, 0))
    return Tproxy(port=p.values["port"], address=p.values.get("ip", 0), mark=mark, mask=cut)


TPROXY = Extension(
    name="TPROXY",
    options=(
        Option("on-port", "port", PORT, must=True), Option("on-ip", "ip", HOST), Option("tproxy-mark", "mark", MARKMASK)
    ),
    build=_tproxy_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CtZone(Target):
    """`-j CT --zone`, --zone-orig, --zone-reply (`way`); `zone` None = the packet's mark; without any of them it only
    gives the packet a fresh connection, as always."""

    table: ClassVar[str] = "raw"
    zone: int | None = 0
    way: str = ""

    def run(self, seen: Seen) -> Act | None:
        if seen.skb.ct is None and not seen.skb.untracked:
            number = seen.skb.mark & 0xFFFF if self.zone is None else self.zone
            seen.skb.zone = Zone(id=number, way=self.way) if number else Zone()
        return None

    def _words(self, lead: str) -> list[str]:
        if self.zone == 0:
            return []
        tail = f"-{self.way}" if self.way else ""
        return [f"{lead}zone{tail}", "mark" if self.zone is None else str(self.zone)]

    def words(self) -> list[str]:
        return ["-j", "CT", *self._words("--")]

    def listing(self, numeric: bool) -> str:
        return "".join(f" {word}" for word in ["CT", *self._words("")])

    def why(self) -> Said:
        return CT_WHY() if self.zone == 0 else ZONE_WHY(zone="mark" if self.zone is None else self.zone)

    @property
    def needs_conntrack(self) -> bool:
        return True


def _ct_option(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    if option.id == "notrack":
        p.values["notrack"] = True
        return
    number = None if value.lower() == "mark" else strtoui(value, 0, 65535)
    if number is None and value.lower() != "mark":
        raise Problem(f"Cannot parse {value} as a zone ID")
    p.values["zone"], p.values["way"] = number, "" if option.id == "zone" else option.id


def _ct_build(p: Parsing) -> Target:
    if "notrack" in p.values:
        if "zone" in p.values:
            from engine.errors import NotModelled

            raise NotModelled("iptables -j CT --notrack with --zone")
        return Notrack()
    return CtZone(zone=p.values.get("zone", 0), way=p.values.get("way", ""))


CT = Extension(
    name="CT",
    options=(
        Option("notrack", "notrack", None),
        *(Option(n, n, STRING, modelled=False) for n in ("helper", "timeout", "ctevents", "expevents")),
        Option("zone-orig", "orig", STRING), Option("zone-reply", "reply", STRING), Option("zone", "zone", STRING),
    ),
    take=_ct_option, build=_ct_build,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Netmap(Target):
    """`-j NETMAP --to`: the net part of the destination (before routing) or of the source (after it) is replaced."""

    table: ClassVar[str] = "nat"
    net: int
    length: int = 32

    def run(self, seen: Seen) -> Act | None:
        before = seen.hook in ("PREROUTING", "OUTPUT")
        keep = ~mask(self.length) & FULL
        address = self.net | ((seen.dst if before else seen.src) & keep)
        return Act(word="accept", nat=Nat(kind="dnat" if before else "snat", low=address, high=address))

    def words(self) -> list[str]:
        return ["-j", "NETMAP", "--to", f"{text4(self.net)}/{self.length}"]

    def listing(self, numeric: bool) -> str:
        return f" to:{text4(self.net)}/{self.length}"

    def why(self) -> Said:
        return NETMAP_WHY(net=f"{text4(self.net)}/{self.length}")

    @property
    def needs_conntrack(self) -> bool:
        return True


def _netmap_build(p: Parsing) -> Netmap:
    address, length = p.values["to"]
    return Netmap(net=address & mask(length), length=length)


NETMAP = Extension(name="NETMAP", options=(Option("to", "to", HOSTMASK, must=True),), build=_netmap_build)

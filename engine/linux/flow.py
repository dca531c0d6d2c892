"""FlowKey: what a route lookup asks, as one frozen value (the kernel's struct flowi4).

Rules. A key holds numbers and device names, never rows. `of_packet` reads it from a packet; a fragment other than the
first has no ports. Source: include/net/flow.h, net/core/flow_dissector.c.
"""

from __future__ import annotations

from engine.linux.packet import Icmp, Packet, Sctp, Tcp, Udp
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowKey:
    """`iif` "" = the packet is made here; `oif` a device that it must leave by (SO_BINDTODEVICE), "" = any. `uid` of
    the sending socket. `scope` = only routes of this scope or narrower (an ARP table's own question)."""

    dst: int
    src: int = 0
    iif: str = ""
    oif: str = ""
    mark: int = 0
    tos: int = 0
    proto: int = 0
    sport: int = 0
    dport: int = 0
    uid: int = 0
    scope: int = 0


def of_packet(packet: Packet, *, iif: str = "", oif: str = "", mark: int = 0, uid: int = 0) -> FlowKey:
    """The key of a packet. A packet that is made here shows an ICMP type and code where ports are."""
    ip, l4 = packet.ip, packet.l4
    sport = dport = 0
    if isinstance(l4, Tcp | Udp | Sctp):
        sport, dport = l4.sport, l4.dport
    elif isinstance(l4, Icmp) and not iif:
        dport = l4.type << 8 | l4.code
    return FlowKey(
        dst=ip.dst, src=ip.src, iif=iif, oif=oif, mark=mark, tos=ip.tos, proto=int(ip.proto), sport=sport,
        dport=dport, uid=max(uid, 0),
    )  # fmt: skip

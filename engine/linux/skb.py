"""What one kernel keeps beside the headers while a packet is in it.

Rules. An Skb is mutable and lives for one traversal of one namespace: a mark, an input device or a conntrack
entry never crosses a veth. The walker makes a fresh one wherever the kernel would.
"""

from __future__ import annotations

from engine.linux.conntrack import NO_ZONE, CtEntry, Zone
from engine.linux.linkinfo import TunnelKey
from engine.linux.packet import Ethernet, Packet
from engine.linux.rows import Socket
from engine.record import dataclass


@dataclass(slots=True)
class Skb:
    """`iif`, `oif` device names ("" = none); `physin`, `physout` bridge ports under br_netfilter; `ct` the entry
    (id 0 while unconfirmed); `ctdir` "original" or "reply"; `ctstate` NEW ESTABLISHED RELATED INVALID UNTRACKED;
    `uid`, `gid` of the sending socket's process, -1 when there is none; `local` made in this namespace;
    `hop` the next hop's address once the route is chosen; `frame` the header that
    it had at a bridge port, under br_netfilter; `came` the frame that it came in by; `pieces` the bytes of data in
    each fragment that it was made of, in order, none when it came whole; `ipvs` IPVS has handled it; `steered` the
    socket that TPROXY has chosen for it; `tunnel` what an external tunnel device is told by the route or a program."""

    packet: Packet
    mark: int = 0
    iif: str = ""
    oif: str = ""
    physin: str = ""
    physout: str = ""
    ct: CtEntry | None = None
    ctdir: str = "original"
    ctstate: str = "UNTRACKED"
    uid: int = -1
    gid: int = -1
    local: bool = False
    bound: str = ""
    untracked: bool = False
    hop: int = 0
    frame: Ethernet | None = None
    came: Ethernet | None = None
    pieces: tuple[int, ...] = ()
    zone: Zone = NO_ZONE
    ipvs: bool = False
    steered: Socket | None = None
    tunnel: TunnelKey | None = None
    #: the mark with which a hook has routed it anew, -1 for none
    routed: int = -1

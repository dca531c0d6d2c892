"""conntrack's events, decoded: what became of each connection, one line a change.

Source: linux/netfilter/nfnetlink_conntrack.h; the groups CONNTRACK_NEW and CONNTRACK_UPDATE.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from engine.real.netlink import NETLINK_NETFILTER, attributes, messages

SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
NEW, UPDATE = 1, 2
TUPLE_ORIG, TUPLE_REPLY, STATUS, PROTOINFO, MARK = 1, 2, 3, 4, 8
STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 4: "ipip"}


@dataclass(frozen=True)
class Tracked:
    """One event: the two tuples as `A:p > B:q`, TCP's state, the mark."""

    proto: str
    orig: str
    reply: str
    state: str
    mark: int

    def text(self) -> str:
        mark = f" mark {self.mark:#x}" if self.mark else ""
        return f"{self.proto} {self.orig} reply {self.reply}{self.state and ' ' + self.state}{mark}"


def open_events() -> socket.socket:
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    for group in (NEW, UPDATE):
        sock.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, group)
    sock.setblocking(False)
    return sock


def way(data: bytes) -> tuple[int, str]:
    """(protocol, `A:p > B:q`) of a tuple."""
    found = dict(attributes(data))
    addresses, proto = dict(attributes(found[1])), dict(attributes(found[2]))
    ends = [socket.inet_ntoa(addresses[key]) for key in (1, 2)]
    if 2 in proto:
        ends = [f"{end}:{struct.unpack('>H', proto[key])[0]}" for end, key in zip(ends, (2, 3), strict=True)]
    return proto[1][0], " > ".join(ends)


def read_events(sock: socket.socket) -> Iterator[Tracked]:
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        for kind, body in messages(data):
            if kind >> 8 != 1 or body[0] != socket.AF_INET:
                continue
            found = dict(attributes(body[4:]))
            proto, orig = way(found[TUPLE_ORIG])
            info = dict(attributes(found[PROTOINFO])) if PROTOINFO in found else {}
            state = STATES[dict(attributes(info[1]))[1][0]] if 1 in info else ""
            mark = int.from_bytes(found.get(MARK, b""), "big")
            yield Tracked(PROTOCOLS.get(proto, str(proto)), orig, way(found[TUPLE_REPLY])[1], state, mark)

"""What a kernel keeps, read and emptied by netlink without starting a tool: connections, unresolved neighbours.

Theory. A netlink socket that stays open answers in a few microseconds; a tool takes some milliseconds to start.
Sources: linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h (status bits), linux/neighbour.h.
Standard library only: the worker imports it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

from engine.real.netlink import NETLINK_NETFILTER, attributes, messages

NETLINK_ROUTE = 0
CT_GET, CT_DELETE = (1 << 8) | 1, (1 << 8) | 2
GET_NEIGHBOURS, DEL_NEIGHBOUR = 30, 29
#: linux/if_link.h: RTM_NEWLINK; IFLA_LINKINFO holds IFLA_INFO_KIND and IFLA_INFO_DATA
NEW_LINK, LINK_INFO, INFO_KIND, INFO_DATA, BR_FDB_FLUSH = 16, 18, 1, 2, 21
REQUEST, ACK, DUMP = 1, 4, 0x300
DONE, ERROR = 3, 2
SOL_NETLINK, ADD_MEMBERSHIP, NEW_CONNECTIONS, NESTED = 270, 1, 1, 0x8000
HEAD = struct.pack(">BBH", socket.AF_INET, 0, 0)
#: the bits of a connection's status that are compared
STATUS = {2: "SEEN_REPLY", 4: "ASSURED", 16: "SRC_NAT", 32: "DST_NAT"}
TCP_STATES = (
    "NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE",
    "SYN_SENT2",
)  # fmt: skip
#: neighbours that stay: NOARP, PERMANENT
LASTING = 0x40 | 0x80


def open_table(family: int) -> socket.socket:
    """A netlink socket of the current namespace."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
    sock.bind((0, 0))
    return sock


def ask(sock: socket.socket, kind: int, body: bytes, flags: int) -> Iterator[bytes]:
    """The answers to one request; OSError as the kernel has it."""
    sock.send(struct.pack("IHHII", 16 + len(body), kind, REQUEST | flags, 1, 0) + body)
    while True:
        for kind_, data in messages(sock.recv(1 << 18)):
            if kind_ == DONE:
                return
            if kind_ == ERROR:
                error = struct.unpack_from("i", data)[0]
                if error:
                    raise OSError(-error, os.strerror(-error))
                return
            yield data


def tuple_of(data: bytes) -> list[Any]:
    """[proto, source, source port, destination, destination port]; for ICMP the identifier and type << 8 | code."""
    found = dict(attributes(data))
    addresses, l4 = dict(attributes(found[1])), dict(attributes(found[2]))
    proto = l4[1][0]
    sport = dport = 0
    if 2 in l4 and 3 in l4:
        sport, dport = int.from_bytes(l4[2], "big"), int.from_bytes(l4[3], "big")
    elif 4 in l4:
        sport, dport = int.from_bytes(l4[4], "big"), l4[5][0] << 8 | l4[6][0]
    return [proto, socket.inet_ntoa(addresses[1]), sport, socket.inet_ntoa(addresses[2]), dport]


def row_of(data: bytes) -> dict[str, Any]:
    """One entry: {"orig", "reply", "status", "state", "mark", "zone"}."""
    found = dict(attributes(data[4:]))
    status = int.from_bytes(found.get(3, b""), "big")
    inner = dict(attributes(found[4])) if 4 in found else {}
    return {
        "orig": tuple_of(found[1]), "reply": tuple_of(found[2]),
        "state": TCP_STATES[dict(attributes(inner[1]))[1][0]] if 1 in inner else "",
        "status": [word for bit, word in STATUS.items() if status & bit],
        "mark": int.from_bytes(found.get(8, b""), "big"), "zone": int.from_bytes(found.get(18, b""), "big"),
    }  # fmt: skip


class Connections:
    """A namespace's connection table. A dump of it walks every bucket of the machine's hash (10 ms); so new entries are
    learned from events, and each is then asked for, and deleted, by its tuple. Made inside the namespace."""

    def __init__(self) -> None:
        self.sock = open_table(NETLINK_NETFILTER)
        self.events = open_table(NETLINK_NETFILTER)
        self.events.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, NEW_CONNECTIONS)
        self.events.setblocking(False)
        self.known: list[bytes] = []
        #: every entry as it was when it was new: some are gone when the record is read (a RST ends them)
        self.born: list[dict[str, Any]] = []
        list(ask(self.sock, CT_DELETE, HEAD, ACK))

    def listen(self) -> None:
        """Note the connections that are new since the last time."""
        while True:
            try:
                read = self.events.recv(1 << 18)
            except BlockingIOError:
                return
            for _, data in messages(read):
                found = dict(attributes(data[4:]))
                body = packed(NESTED | 1, found[1])
                if 18 in found:
                    body += packed(18, found[18])
                if body not in self.known:
                    self.known.append(body)
                self.born.append(row_of(data))

    def rows(self) -> list[dict[str, Any]]:
        """The IPv4 entries that are there now."""
        self.listen()
        out = []
        for key in self.known:
            try:
                out += [row_of(data) for data in ask(self.sock, CT_GET, HEAD + key, ACK)]
            except FileNotFoundError:
                continue
        return out

    def forget(self) -> None:
        """Delete every entry."""
        self.listen()
        for key in self.known:
            with contextlib.suppress(FileNotFoundError):
                list(ask(self.sock, CT_DELETE, HEAD + key, ACK))
        self.known, self.born = [], []


def packed(kind: int, data: bytes) -> bytes:
    """A netlink attribute, padded."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def forget_neighbours(sock: socket.socket) -> None:
    """Delete every neighbour that was not put there by hand, with the packets that wait for it."""
    for data in list(ask(sock, GET_NEIGHBOURS, struct.pack("BxxxiHBB", socket.AF_INET, 0, 0, 0, 0), DUMP)):
        family, index, state, _, _ = struct.unpack_from("BxxxiHBB", data)
        where = dict(attributes(data[12:])).get(1)
        if family == socket.AF_INET and not state & LASTING and where is not None:
            body = struct.pack("BxxxiHBB", family, index, 0, 0, 0) + struct.pack("HH", 8, 1) + where
            with contextlib.suppress(OSError):
                list(ask(sock, DEL_NEIGHBOUR, body, ACK))


def forget_stations(sock: socket.socket, bridge: int) -> None:
    """Delete what a bridge (by its ifindex) has learned of where MAC addresses are."""
    info = packed(INFO_KIND, b"bridge") + packed(INFO_DATA, packed(BR_FDB_FLUSH, b""))
    list(ask(sock, NEW_LINK, struct.pack("BxHiII", 0, 0, bridge, 0, 0) + packed(LINK_INFO, info), ACK))

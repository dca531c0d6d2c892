"""RTM_GETROUTE over one rtnetlink socket: what the kernel would do with a flow, some ninety thousand times a second.

Standard library only; the worker uses it inside the namespaces. A question is a list (destination, source, iif, oif,
mark, tos, protocol, source port, destination port) of numbers, devices by index; an answer (errno, type, table, oif,
gateway, preferred source). Source: linux/rtnetlink.h; REALITY section 2.8.
"""

from __future__ import annotations

import socket
import struct

RTM_GETROUTE = 26
DST, SRC, IIF, OIF, GATEWAY, PREFSRC, TABLE, MARK, PROTO, SPORT, DPORT = 1, 2, 3, 4, 5, 7, 15, 16, 27, 28, 29
LOOKUP_TABLE = 0x1000

Question = list[int]
Answer = list[int]


def open_route() -> socket.socket:
    """A socket of the namespace that the thread is in now."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, 0))
    return sock


def attribute(kind: int, data: bytes) -> bytes:
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def question(asked: Question) -> bytes:
    dst, src, iif, oif, mark, tos, proto, sport, dport = asked
    parts = attribute(DST, struct.pack(">I", dst))
    parts += attribute(SRC, struct.pack(">I", src)) if src else b""
    parts += attribute(IIF, struct.pack("I", iif)) if iif else b""
    parts += attribute(OIF, struct.pack("I", oif)) if oif else b""
    parts += attribute(MARK, struct.pack("I", mark)) if mark else b""
    parts += attribute(PROTO, bytes([proto])) if proto else b""
    parts += attribute(SPORT, struct.pack(">H", sport)) if sport else b""
    parts += attribute(DPORT, struct.pack(">H", dport)) if dport else b""
    body = struct.pack("BBBBBBBBI", 2, 32, 32 if src else 0, tos, 0, 0, 0, 0, LOOKUP_TABLE) + parts
    return struct.pack("IHHII", 16 + len(body), RTM_GETROUTE, 1, 7, 0) + body


def read(data: bytes) -> Answer:
    length, kind = struct.unpack_from("IH", data)
    if kind == 2:
        return [-struct.unpack_from("i", data, 16)[0], 0, 0, 0, 0, 0]
    out = [0, data[16 + 7], 0, 0, 0, 0]
    at = 28
    while at + 4 <= length:
        size, name = struct.unpack_from("HH", data, at)
        if name == TABLE:
            out[2] = struct.unpack_from("I", data, at + 4)[0]
        elif name == OIF:
            out[3] = struct.unpack_from("I", data, at + 4)[0]
        elif name == GATEWAY:
            out[4] = struct.unpack_from(">I", data, at + 4)[0]
        elif name == PREFSRC:
            out[5] = struct.unpack_from(">I", data, at + 4)[0]
        at += (size + 3) & ~3
    return out


def ask(sock: socket.socket, asked: list[Question]) -> list[Answer]:
    """The kernel's answers, in order."""
    out = []
    for one in asked:
        sock.send(question(one))
        out.append(read(sock.recv(65536)))
    return out

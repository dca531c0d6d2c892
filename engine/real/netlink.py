"""nfnetlink messages, decoded: what `log group 0` and legacy TRACE say about a packet.

Theory. One NFLOG socket per namespace gives one strictly ordered stream of device hops (nft netdev chains) and
iptables rules (TRACE with the logger nfnetlink_log), each with the packet's bytes. Source:
linux/netfilter/nfnetlink_log.h; the TRACE prefix is `TRACE: table:chain:rule|return|policy:number`.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from typing import Any

NETLINK_NETFILTER = 12
NLMSG_ERROR = 2
NFULNL_CFG, NFULNL_PACKET = (4 << 8) | 1, 4 << 8
PACKET_HDR, MARK, IIF, OIF, PHYSIN, PHYSOUT, PAYLOAD, PREFIX = 1, 2, 4, 5, 6, 7, 9, 10


#: the number of a netfilter hook in a log message -> its name
HOOKS = {0: "PREROUTING", 1: "INPUT", 2: "FORWARD", 3: "OUTPUT", 4: "POSTROUTING"}


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("HH", data, at)
        if length < 4:
            return
        yield kind & 0x3FFF, data[at + 4 : at + length]
        at += (length + 3) & ~3


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 16 <= len(data):
        length, kind, _, _, _ = struct.unpack_from("IHHII", data, at)
        yield kind, data[at + 16 : at + length]
        at += (length + 3) & ~3


def open_log(group: int = 0) -> socket.socket:
    """A non-blocking NFLOG socket of the current namespace, whole packets, one message a packet."""
    with open("/proc/sys/net/netfilter/nf_log/2", "w") as file:
        file.write("nfnetlink_log")
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    sock.bind((0, 0))
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)

    def configure(attribute: bytes) -> None:
        body = struct.pack("BB", 0, 0) + struct.pack(">H", group) + attribute
        sock.send(struct.pack("IHHII", 16 + len(body), NFULNL_CFG, 5, 1, 0) + body)
        answer = sock.recv(1 << 16)
        while struct.unpack_from("H", answer, 4)[0] != NLMSG_ERROR:  # a packet that was logged meanwhile
            answer = sock.recv(1 << 16)
        error = struct.unpack_from("i", answer, 16)[0]
        if error:
            raise OSError(-error, os.strerror(-error))

    configure(struct.pack("HHB3x", 5, 1, 1))
    configure(struct.pack("HH", 10, 2) + struct.pack(">IBx", 0xFFFF, 2) + b"\0\0")
    configure(struct.pack("HHI", 8, 4, socket.htonl(1)))
    configure(struct.pack("HHI", 8, 5, socket.htonl(1)))
    sock.setblocking(False)
    return sock


def header(packet: bytes) -> dict[str, Any]:
    """The fields that are compared: addresses, ports, TTL, protocol, TCP flags, ICMP type and code."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return {}
    ihl = (packet[0] & 15) * 4
    proto, l4 = packet[9], packet[ihl:]
    out: dict[str, Any] = {
        "proto": proto, "src": socket.inet_ntoa(packet[12:16]), "dst": socket.inet_ntoa(packet[16:20]),
        "ttl": packet[8],
    }  # fmt: skip
    flags, total = int.from_bytes(packet[6:8], "big"), int.from_bytes(packet[2:4], "big")
    if flags & 0x3FFF:
        # A fragment: where its data stand, how long it is, whether more follow. Only the first shows what it carries.
        out["fragment"] = f"{(flags & 0x1FFF) * 8}+{total}{'+' if flags & 0x2000 else ''}"
        if flags & 0x1FFF:
            return out
    if (
        proto == 17
        and len(l4) >= 30
        and l4[8:12] == b"\x08\0\0\0"
        and l4[15] == 0
        and l4[28:30] == b"\x08\x06"
    ):
        return {}  # ARP inside VXLAN: ARP is not compared
    if proto in (6, 17) and len(l4) >= 4:
        out["sport"], out["dport"] = struct.unpack(">HH", l4[:4])
    if proto == 6 and len(l4) >= 14:
        out["flags"] = "".join(c for bit, c in enumerate("FSRPA") if l4[13] >> bit & 1)
    if proto == 1 and len(l4) >= 8:
        out["type"], out["code"] = l4[0], l4[1]
        if l4[0] in (0, 8):
            out["id"] = struct.unpack(">H", l4[4:6])[0]
        elif len(l4) >= 28:
            out["quoted"] = {k: v for k, v in header(l4[8:]).items() if k != "flags"}
    return out


def read_log(sock: socket.socket, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """All that waits in the socket, oldest first: {"prefix", "mark", "iif", "oif", "physin", "physout", "header"}."""
    while True:
        try:
            data = sock.recv(1 << 18)
        except BlockingIOError:
            return
        yield from decode_log(data, names)


def decode_log(data: bytes, names: dict[int, str]) -> Iterator[dict[str, Any]]:
    """The records in a read of an NFLOG socket (or of a packet socket that sees its messages)."""
    for kind, body in messages(data):
        if kind != NFULNL_PACKET:
            continue
        found = dict(attributes(body[4:]))
        prefix = found.get(PREFIX, b"\0")[:-1].decode().strip()
        packet = found.get(PAYLOAD, b"")
        if (packet and packet[0] >> 4 != 4 and packet[12:14] == b"\x08\x00") or (
            prefix.startswith("DEV:out") and packet[12:14] == b"\x08\x00"
        ):
            packet = packet[14:]

        def number(key: int, found: dict[int, bytes] = found) -> int:
            return int(struct.unpack(">I", found[key])[0]) if key in found else 0

        yield {
            "prefix": prefix, "mark": number(MARK), "iif": names.get(number(IIF), ""),
            "oif": names.get(number(OIF), ""), "physin": names.get(number(PHYSIN), ""),
            "physout": names.get(number(PHYSOUT), ""), "header": header(packet),
            "hook": HOOKS.get(found[PACKET_HDR][2], "") if PACKET_HDR in found else "",
        }  # fmt: skip

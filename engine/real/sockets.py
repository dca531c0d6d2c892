"""The sockets of a flow that is sent in the real kernel: the sender's, and what the servers do with theirs.

Standard library only: worker.py runs it inside the namespaces. A socket is made in the namespace of who calls.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

IP_PKTINFO, IP_MTU_DISCOVER, IP_PMTUDISC_DO = 8, 10, 2
SO_MARK, TCP_REPAIR = 36, 19
ICMP_ERRORS = (3, 4, 5, 11, 12)


def client(act: dict[str, Any]) -> socket.socket:
    """The sender's socket, in the current namespace."""
    kind = {"icmp": socket.SOCK_RAW, "udp": socket.SOCK_DGRAM}.get(act["proto"], socket.SOCK_STREAM)
    sock = socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP if kind == socket.SOCK_RAW else 0)
    sock.setblocking(False)
    if act["proto"] in ("icmp", "udp"):
        if not act.get("cut"):
            sock.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    else:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if act.get("mark"):
        sock.setsockopt(socket.SOL_SOCKET, SO_MARK, act["mark"])
    if act["proto"] != "icmp":
        sock.bind(("0.0.0.0", act["sport"]))
    return sock


def speak(act: dict[str, Any], sock: socket.socket) -> None:
    if act["proto"] == "icmp":
        body = struct.pack(">BBHHH", 8, 0, 0, act["sport"], 1) + b"\0" * 56
        sock.sendto(body[:2] + struct.pack(">H", checksum(body)) + body[4:], (act["dst"], 0))
        return
    sock.connect((act["dst"], act["dport"]))
    if act["proto"] == "udp":
        sock.send(b"x" * act.get("size", 1))


def attempt(call: Callable[[], object]) -> str:
    try:
        call()
    except BlockingIOError:
        return ""
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "") if error.errno != errno.EINPROGRESS else ""
    return ""


def learned(act: dict[str, Any], sock: socket.socket) -> str | None:
    """What the sender's socket knows now: "" = answered, an errno, None = a raw socket saw another's packet."""
    if act["proto"] == "tcp":
        # As connect() ends. SO_ERROR also gives what befell the ACK of a handshake that is done (sk_err_soft);
        # before that, it is the error that came when the socket was locked.
        code = sock.connect_ex((act["dst"], act["dport"]))
        if code == errno.EALREADY:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode.get(code, "")
    try:
        data = sock.recv(65536)
    except OSError as problem:
        return errno.errorcode.get(problem.errno or 0, "")
    if act["proto"] == "icmp":
        message = data[(data[0] & 15) * 4 :]
        own = message[0] == 0 and int.from_bytes(message[4:6], "big") == act["sport"]
        return "" if own or message[0] in ICMP_ERRORS else None
    return ""


def answer_from(extra: list[tuple[int, int, bytes]]) -> bytes:
    """The in_pktinfo for an answer: from the address that was asked, by whatever device routing chooses."""
    for level, kind, data in extra:
        if level == socket.SOL_IP and kind == IP_PKTINFO:
            return struct.pack("I4s4s", 0, data[8:12], b"\0" * 4)
    return struct.pack("I8s", 0, b"\0" * 8)


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def ended(sock: socket.socket) -> bool:
    """Echo what a connection has sent; close it when its other end has."""
    sock.setblocking(False)
    try:
        data = sock.recv(65536)
        if data:
            sock.send(data)
            return False
    except BlockingIOError:
        return False
    except OSError:
        pass
    sock.close()
    return True


def quietly_close(sock: socket.socket) -> None:
    """Close without a word on the wire (TCP_REPAIR), so that no RST or FIN is seen in the next record."""
    if sock.type == socket.SOCK_STREAM:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    sock.close()

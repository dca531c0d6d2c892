"""ARP messages put on a wire by hand, and what comes back: frames of a packet socket, nothing else.

Standard library only; the worker uses it inside the namespaces. A message is (operation, sender MAC, sender address,
target MAC, target address, destination MAC of the frame), all numbers. Source: RFC 826; packet(7).
"""

from __future__ import annotations

import select
import socket
import struct
import time

ETH_P_ARP = 0x0806

Message = list[int]


def frame(message: Message) -> bytes:
    op, sender_mac, sender_ip, target_mac, target_ip, to = message
    head = to.to_bytes(6, "big") + sender_mac.to_bytes(6, "big") + struct.pack(">H", ETH_P_ARP)
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, op)
    body += sender_mac.to_bytes(6, "big") + sender_ip.to_bytes(4, "big")
    return head + body + target_mac.to_bytes(6, "big") + target_ip.to_bytes(4, "big")


def read(data: bytes) -> Message:
    return [
        int.from_bytes(data[20:22], "big"), int.from_bytes(data[22:28], "big"), int.from_bytes(data[28:32], "big"),
        int.from_bytes(data[32:38], "big"), int.from_bytes(data[38:42], "big"), int.from_bytes(data[:6], "big"),
    ]  # fmt: skip


def open_socket(device: str) -> socket.socket:
    """A socket on a device of the current namespace, which sees what comes in by it."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    sock.bind((device, ETH_P_ARP))
    sock.setblocking(False)
    return sock


def say(sock: socket.socket, message: Message, wait: float) -> list[Message]:
    """Send one message; the messages that came in until `wait` seconds have passed without one."""
    sock.send(frame(message))
    return hear(sock, wait)


def hear(sock: socket.socket, wait: float) -> list[Message]:
    out: list[Message] = []
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if not select.select([sock], [], [], max(end - time.monotonic(), 0))[0]:
            break
        data, address = sock.recvfrom(2048)
        if address[2] != socket.PACKET_OUTGOING:
            out.append(read(data))
            end = time.monotonic() + wait
    return out

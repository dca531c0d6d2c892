"""A packet as the bytes of a wire, with the checksums that a receiver would accept.

Theory. Our headers hold what decides where a packet goes. What they do not hold (windows, TCP options, padding) is what
Linux writes by default, and always the same for the same packet: a SYN has mss, sackOK, timestamps and wscale, later
segments only timestamps, a reset nothing, exactly as `Tcp.header_length` counts. ping's data is its time and a pattern.
A DNS message's bytes are made in `dns.py`. What WireGuard seals nobody on the way can read, so the bytes of its data
are a digest's.

Rules. `frame()` is as long as `Packet.length()`. A layer without bytes is NotModelled.
Sources: RFC 791, 792, 768, 793, 826, 7323, 7348, 8926, 2003; wireguard.com/papers/wireguard.pdf section 5.4;
linux net/ipv4/tcp_output.c; iputils ping_common.c.
"""

from __future__ import annotations

import hashlib
import struct

from engine.errors import NotModelled
from engine.linux.clock import BIRTH
from engine.linux.packet import (
    Arp,
    Ethernet,
    Fragment,
    Geneve,
    Icmp,
    IPv4,
    Layer,
    Packet,
    Payload,
    Sctp,
    Tcp,
    Udp,
    Vxlan,
    WireGuard,
)
from engine.linux.wire import dns
from engine.record import dataclass

#: EtherType of a frame inside GRE or Geneve (Transparent Ethernet Bridging)
TRANS_ETHER = 0x6558
FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
#: the TCP timestamp at virtual second 0
TS_START = 1_000_000_000
#: seconds from 1970 to the birth of every lab (UTC)
EPOCH = int((BIRTH - BIRTH.__class__(1970, 1, 1)).total_seconds())


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071) over `data`, as the number to put in the header."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@dataclass(slots=True)
class Wire:
    """One capture's encoder. `mss` is what a SYN offers."""

    mss: int = 1460

    def frame(self, packet: Packet, *, sent: float = 0.0) -> bytes:
        """The frame with its Ethernet header (zero addresses on lo, as Linux has it). `sent`: virtual second at which
        the sender made it."""
        eth = packet.eth or Ethernet(src=0, dst=0)
        kind = 0x0806 if packet.arp is not None else eth.type
        head = eth.dst.to_bytes(6, "big") + eth.src.to_bytes(6, "big") + kind.to_bytes(2, "big")
        return head + self.layers(packet.unframed().layers, None, sent)

    def layers(self, layers: tuple[Layer, ...], ip: IPv4 | None, sent: float) -> bytes:
        """The bytes from the first of `layers` on; `ip` is the header around them."""
        if not layers:
            return b""
        first, rest = layers[0], layers[1:]
        if isinstance(first, Arp):
            return arp_bytes(first)
        if isinstance(first, IPv4):
            piece = next((layer for layer in rest if isinstance(layer, Fragment)), None)
            if piece is not None:
                # The bytes of the whole datagram, and of these the fragment's.
                body = self.layers(piece.whole.layers, first, sent)
                return ip_bytes(first, body[first.offset :][: sum(one.header_length() for one in rest)])
            return ip_bytes(first, self.layers(rest, first, sent))
        if isinstance(first, Tcp) and ip is not None:
            return tcp_bytes(first, ip, self.layers(rest, ip, sent), sent, self.mss)
        if isinstance(first, Udp) and ip is not None:
            data = dns.message(first, rest)
            return udp_bytes(first, ip, self.layers(rest, ip, sent) if data is None else data)
        if isinstance(first, Sctp):
            return sctp_bytes(first)
        if isinstance(first, Icmp):
            quoted = self.layers(first.quoted.layers, None, sent) if first.quoted is not None else b""
            return icmp_bytes(first, quoted + self.layers(rest, ip, sent))
        if isinstance(first, Payload):
            return payload_bytes(first, sent)
        if isinstance(first, Vxlan):
            return struct.pack(">II", 0x08 << 24, first.vni << 8) + self.layers(rest, None, sent)
        if isinstance(first, Geneve):
            return struct.pack(">BBHI", 0, 0, TRANS_ETHER, first.vni << 8) + self.layers(rest, None, sent)
        if isinstance(first, Ethernet):
            return self.frame(Packet((first, *rest)), sent=sent)
        if isinstance(first, WireGuard):
            return wireguard_bytes(first, self.layers(rest, None, sent))
        raise NotModelled(f"pcap: {type(first).__name__}")


def arp_bytes(arp: Arp) -> bytes:
    return (
        struct.pack(">HHBBH", 1, 0x0800, 6, 4, arp.op)
        + arp.sender_mac.to_bytes(6, "big") + arp.sender_ip.to_bytes(4, "big")
        + arp.target_mac.to_bytes(6, "big") + arp.target_ip.to_bytes(4, "big")
    )  # fmt: skip


def ip_bytes(ip: IPv4, inner: bytes) -> bytes:
    cut = (0x4000 if ip.df else 0) | (0x2000 if ip.mf else 0) | ip.offset // 8

    def head(total: int) -> bytes:
        return struct.pack(
            ">BBHHHBBHII", 0x45, ip.tos, 20 + len(inner), ip.ident & 0xFFFF, cut, ip.ttl, int(ip.proto), total,
            ip.src, ip.dst,
        )  # fmt: skip

    return head(checksum(head(0))) + inner


def pseudo(ip: IPv4, length: int) -> bytes:
    """The pseudo header that TCP and UDP sum over."""
    return struct.pack(">IIBBH", ip.src, ip.dst, 0, int(ip.proto), length)


def tcp_stamps(tcp: Tcp, sent: float) -> tuple[int, int]:
    """TCP's timestamp and its echo. They count milliseconds from one start on every machine, so that NAT leaves them
    as they are."""
    now = (TS_START + int(sent * 1000)) & 0xFFFFFFFF
    return now, now if "A" in tcp.flags else 0


def tcp_window(tcp: Tcp, mss: int) -> int:
    """The window that Linux offers by default: larger where the device is lo."""
    if "R" in tcp.flags:
        return 0
    if mss > 60000:
        return {"S": 65495, "SA": 65483}.get(tcp.flags, 512)
    return {"S": 64240, "SA": 65160}.get(tcp.flags, 502)


def mss_of(mtu: int) -> int:
    """What a SYN offers on a device of this MTU (lo's is cut to what a window can say)."""
    return 65495 if mtu > 65000 else mtu - 40


def tcp_options(tcp: Tcp, sent: float, mss: int) -> bytes:
    if "R" in tcp.flags:
        return b""
    stamp = struct.pack(">BBII", 8, 10, *tcp_stamps(tcp, sent))
    if "S" in tcp.flags:
        return struct.pack(">BBHBB", 2, 4, mss, 4, 2) + stamp + struct.pack(">BBBB", 1, 3, 3, 7)
    return b"\1\1" + stamp


def tcp_bytes(tcp: Tcp, ip: IPv4, data: bytes, sent: float, mss: int) -> bytes:
    options = tcp_options(tcp, sent, mss)
    bits = sum(FLAGS[letter] for letter in tcp.flags)
    window = tcp_window(tcp, mss)
    words = (20 + len(options)) // 4

    def whole(total: int) -> bytes:
        head = struct.pack(
            ">HHIIBBHHH", tcp.sport, tcp.dport, tcp.seq & 0xFFFFFFFF, tcp.ack & 0xFFFFFFFF, words << 4, bits,
            window, total, 0,
        )  # fmt: skip
        return head + options + data

    return whole(checksum(pseudo(ip, 20 + len(options) + len(data)) + whole(0)))


def udp_bytes(udp: Udp, ip: IPv4, data: bytes) -> bytes:
    def whole(total: int) -> bytes:
        return struct.pack(">4H", udp.sport, udp.dport, 8 + len(data), total) + data

    return whole(checksum(pseudo(ip, 8 + len(data)) + whole(0)) or 0xFFFF)


#: chunk types of RFC 9260 section 3.2
SCTP_TYPES = {
    "DATA": 0, "INIT": 1, "INIT_ACK": 2, "SACK": 3, "HEARTBEAT": 4, "HEARTBEAT_ACK": 5, "ABORT": 6, "SHUTDOWN": 7,
    "SHUTDOWN_ACK": 8, "ERROR": 9, "COOKIE_ECHO": 10, "COOKIE_ACK": 11, "SHUTDOWN_COMPLETE": 14,
}  # fmt: skip
_CASTAGNOLI = 0x82F63B78


def crc32c(data: bytes) -> int:
    """The checksum of SCTP (RFC 9260 appendix A)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def sctp_bytes(sctp: Sctp) -> bytes:
    """The common header and one chunk: an INIT's fields as Linux sets them, the cookie filled with zeroes."""
    size = sctp.header_length() - 12
    body = b""
    if sctp.chunk in ("INIT", "INIT_ACK"):
        body = struct.pack(">IIHHI", SCTP_TAG, 106496, 10, 65535, SCTP_TAG)
        rest = size - 20
        body += struct.pack(">HH", 7 if sctp.chunk == "INIT_ACK" else 0x8008, rest) + bytes(rest - 4)
    chunk = struct.pack(">BBH", SCTP_TYPES[sctp.chunk], 0, size) + body.ljust(size - 4, b"\0")
    head = struct.pack(">HHI", sctp.sport, sctp.dport, sctp.vtag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + chunk)) + chunk


#: the tag that an INIT offers in a capture
SCTP_TAG = 0x5C7B0001


def icmp_bytes(icmp: Icmp, data: bytes) -> bytes:
    if icmp.type in (0, 8, 13, 14, 15, 16, 17, 18):
        rest = struct.pack(">HH", icmp.ident & 0xFFFF, icmp.seq & 0xFFFF)
    elif icmp.type == 5:
        rest = struct.pack(">I", icmp.ident)  # the better gateway
    else:
        rest = struct.pack(">HH", 0, icmp.mtu)

    def whole(total: int) -> bytes:
        return struct.pack(">BBH", icmp.type, icmp.code, total) + rest + data

    return whole(checksum(whole(0)))


def payload_bytes(data: Payload, sent: float) -> bytes:
    """The text, filled up or cut to `size`. Data without text is ping's: the time it was sent, then a pattern. A DNS
    message by TCP has its length before it."""
    message = dns.of(data)
    if message is not None:
        whole = message.encode()
        return (struct.pack(">H", len(whole)) + whole)[: data.size].ljust(data.size, b"\0")
    if data.text:
        return data.text.encode()[: data.size].ljust(data.size, b"\0")
    stamp = struct.pack("<QQ", int(sent) + EPOCH, int(sent % 1 * 1_000_000)) if data.size >= 16 else b""
    return stamp + bytes(n & 0xFF for n in range(len(stamp), data.size))


#: WireGuard's message types
MESSAGES = {"initiation": 1, "response": 2, "data": 4, "keepalive": 4}


def wireguard_bytes(head: WireGuard, inner: bytes) -> bytes:
    """A message as long as the real one. Type and counter can be read; what is sealed is a digest of it, repeated."""
    kind = struct.pack("<I", MESSAGES[head.message])
    index = hashlib.sha256(head.to.encode()).digest()[:4]
    if head.message in ("data", "keepalive"):
        kind += index + struct.pack("<Q", head.counter)
    size = head.header_length() + len(inner) - len(kind)
    seal = hashlib.sha256(f"{head.sender} {head.to} {head.counter}".encode() + inner).digest()
    return kind + (seal * (size // len(seal) + 1))[:size]

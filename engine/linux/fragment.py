"""Cutting a datagram into fragments, and putting them together again.

Theory. Every fragment but the last carries a multiple of eight bytes, as many as the MTU lets it; the first one alone
has the transport header. They share source, destination, protocol and ident, by which they are known; the datagram is
whole when no byte from 0 to the one that no more fragments follow is missing. Sources: RFC 791 3.2;
net/ipv4/ip_output.c (ip_do_fragment), ip_fragment.c.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.linux.packet import Fragment, Icmp, IPv4, Layer, Packet, Sctp, Tcp, Udp
from engine.record import replace

#: (source, destination, protocol, ident, who collects them): what fragments are known by
Key = tuple[int, int, int, int, str]


def key_of(packet: Packet, user: str) -> Key:
    ip = packet.ip
    return ip.src, ip.dst, int(ip.proto), ip.ident, user


def piece(ip: IPv4, whole: Packet, start: int, size: int, more: bool) -> Packet:
    """One fragment: `size` bytes from `start` of what stands behind the header."""
    header = replace(ip, df=False, mf=more, offset=start)
    first = whole.layers[0] if whole.layers else None
    if start == 0 and isinstance(first, Tcp | Udp | Sctp | Icmp) and first.header_length() <= size:
        taken = first.header_length()
        rest: tuple[Layer, ...] = (
            (Fragment(whole=whole, start=taken, size=size - taken),) if size > taken else ()
        )
        return Packet((header, first, *rest))
    return Packet((header, Fragment(whole=whole, start=start, size=size)))


def cut(packet: Packet, mtu: int) -> list[Packet]:
    """The fragments of a packet (without frame) that fit into `mtu` bytes. A fragment can be cut again."""
    if packet.length() <= mtu:
        return [packet]
    ip = packet.ip
    inner = packet.get(Fragment) if ip.is_fragment else None
    whole = inner.whole if inner is not None else Packet(packet.layers[1:])
    start, end = ip.offset, ip.offset + packet.length() - ip.header_length()
    step = (mtu - ip.header_length()) // 8 * 8
    if step <= 0:
        raise ValueError(f"MTU {mtu}")
    out = []
    while start < end:
        size = min(step, end - start)
        if end - start <= mtu - ip.header_length():
            size = end - start
        more = ip.mf or start + size < end
        out.append(piece(ip, whole, start, size, more))
        start += size
    return out


def cut_at(packet: Packet, sizes: Sequence[int]) -> list[Packet]:
    """The fragments of a whole packet with so many bytes of data each."""
    whole, out, start = Packet(packet.layers[1:]), [], 0
    for at, size in enumerate(sizes):
        out.append(piece(packet.ip, whole, start, size, at + 1 < len(sizes)))
        start += size
    return out


def joined(pieces: Sequence[Packet]) -> Packet | None:
    """The datagram that these fragments make, None while one is missing. Its header is the first fragment's."""
    rows = sorted(pieces, key=lambda p: p.ip.offset)
    if len(rows) == 1 and not rows[0].ip.is_fragment:
        return rows[0]
    at = 0
    for row in rows:
        if row.ip.offset > at:
            return None
        at = max(at, row.ip.offset + row.length() - row.ip.header_length())
    if not rows or rows[-1].ip.mf:
        return None
    found = next((part for row in rows if (part := row.get(Fragment)) is not None), None)
    if found is None:
        return None
    return Packet((replace(rows[0].ip, mf=False, offset=0), *found.whole.layers))

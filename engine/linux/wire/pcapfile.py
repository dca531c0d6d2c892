"""The classic capture file (magic a1b2c3d4, microseconds), as `tcpdump -w` writes it.

Theory. One link type a file: Ethernet for a device, Linux cooked v2 for `any`, where each packet has 20 bytes that say
its protocol, device, hardware type, packet type and the sender's MAC in place of the Ethernet header.
Sources: draft-ietf-opsawg-pcap; pcap/sll.h of libpcap.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from engine.linux.packet import Packet
from engine.linux.wire.encode import EPOCH, Wire
from engine.record import dataclass

ETHERNET, COOKED = 1, 276
SNAPLEN = 262144
#: ARPHRD of a device: Ethernet, loopback
ARPHRD = {"loopback": 772}


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """One packet: virtual second, device (for a cooked capture) and sll packet type: 0 for us, 1 broadcast,
    2 multicast, 3 for somebody else, 4 sent by us; `mss` of the device."""

    time: float
    packet: Packet
    ifindex: int = 0
    kind: str = "veth"
    type: int = 0
    mss: int = 1460


def pcap(rows: Iterable[Captured], linktype: int, snaplen: int = SNAPLEN) -> bytes:
    """The whole file; a packet longer than `snaplen` bytes is cut. Raises NotModelled for a layer without bytes."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, snaplen, linktype)]
    wire = Wire()
    for row in rows:
        wire.mss = row.mss
        data = wire.frame(row.packet, sent=row.time)
        if linktype == COOKED:
            data = cooked(row, data)
        whole, part = divmod(EPOCH * 1_000_000 + round(row.time * 1_000_000), 1_000_000)
        cut = data[:snaplen]
        out.append(struct.pack("<IIII", whole, part, len(cut), len(data)) + cut)
    return b"".join(out)


def cooked(row: Captured, frame: bytes) -> bytes:
    protocol = 0x0806 if row.packet.arp is not None else int.from_bytes(frame[12:14], "big")
    head = struct.pack(">HHIHBB", protocol, 0, row.ifindex, ARPHRD.get(row.kind, 1), row.type, 6)
    return head + frame[6:12] + b"\0\0" + frame[14:]

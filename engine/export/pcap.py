"""pcapng: what a capture on every device of the path would hold, in one file that Wireshark opens.

Theory. One interface block for each namespace and device, named as the course names places (`box/eth0`); a frame tells
its device, its direction and, as a comment, which hop of the journey it is. Times are the lab's virtual clock from its
birth on (2026-11-21 09:00 UTC), in nanoseconds. All interfaces are Ethernet, `lo` too, as on Linux.

Source: draft-ietf-opsawg-pcapng, sections 3 and 4. Blocks are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path

from engine.export.frames import Frame, frames
from engine.export.telling import ASKED, FLOODED, HOP, LATER, sentence, told, way_said
from engine.lab.places import place_name
from engine.linux.addr import BROADCAST_MAC
from engine.linux.journey import Journey, Place
from engine.linux.net import Net
from engine.linux.wire.encode import EPOCH, Wire

SECTION, INTERFACE, PACKET = 0x0A0D0D0A, 1, 6
ETHERNET = 1
SNAPLEN = 262144
NANOSECONDS = 1_000_000_000


def write(path: Path, journey: Journey, net: Net, lang: str = "en") -> None:
    """Write the capture. Raises OSError; NotModelled for a layer that has no bytes."""
    path.write_bytes(pcapng(journey, net, lang))


def pcapng(journey: Journey, net: Net, lang: str = "en") -> bytes:
    """The whole file. A journey without a frame (nothing was sent) is a file without frames."""
    found = frames(journey)
    interfaces: dict[tuple[str, str], int] = {}
    for frame in found:
        interfaces.setdefault((frame.place.netns, frame.place.device), len(interfaces))
    places = {(f.place.netns, f.place.device): f.place for f in reversed(found)}
    out = [section(journey)]
    out += [interface(places[key], net) for key in interfaces]
    wire = Wire()
    out += [packet(f, interfaces[f.place.netns, f.place.device], wire, lang) for f in found]
    return b"".join(out)


def block(kind: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> bytes:
    """A block with its length at both ends; options are padded to 32 bits and closed."""
    tail = b"".join(struct.pack("<HH", code, len(value)) + padded(value) for code, value in options)
    if tail:
        tail += struct.pack("<HH", 0, 0)
    length = 12 + len(body) + len(tail)
    return struct.pack("<II", kind, length) + body + tail + struct.pack("<I", length)


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)


def text(code: int, value: str) -> tuple[int, bytes]:
    """A UTF-8 option; the format allows 65535 bytes."""
    return code, value.encode()[:65535]


def section(journey: Journey) -> bytes:
    body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    said = f"{journey.act}: {journey.outcome}"
    return block(SECTION, body, [text(1, said), text(3, "a lab, virtual time"), text(4, "k8snet-tutor")])


def interface(place: Place, net: Net) -> bytes:
    link = net.spaces[place.netns].link(place.device) if place.netns in net.spaces else None
    options = [text(2, f"{place_name(place)}")]
    if link is not None:
        options.append(text(3, link.kind))
        options.append((6, link.mac.to_bytes(6, "big")))
    options.append((9, bytes([9])))  # if_tsresol: 10^-9 s
    return block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, SNAPLEN), options)


def packet(frame: Frame, interface: int, wire: Wire, lang: str) -> bytes:
    data = wire.frame(frame.packet, sent=frame.sent)
    stamp = EPOCH * NANOSECONDS + round(frame.time * NANOSECONDS)
    body = struct.pack("<IIIII", interface, stamp >> 32, stamp & 0xFFFFFFFF, len(data), len(data)) + padded(
        data
    )
    return block(PACKET, body, [text(1, comment(frame, lang)), (2, struct.pack("<I", flags(frame)))])


def flags(frame: Frame) -> int:
    """epb_flags: direction in bits 0-1, reception type (unicast 1, multicast 2, broadcast 3) in bits 2-4."""
    way = 1 if frame.direction == "in" else 2
    eth = frame.packet.eth
    if eth is None:
        return way
    return way | (3 if eth.dst == BROADCAST_MAC else 2 if eth.dst >> 40 & 1 else 1) << 2


def comment(frame: Frame, lang: str) -> str:
    """`the way there, hop 6 of 11: ...`: where in the journey, then what the hop did."""
    head = {
        "rest": LATER(number=frame.number),
        "aside": ASKED(number=frame.number),
        "copy": FLOODED(),
    }.get(frame.way, way_said(frame.way))
    where = HOP(way=head, hop=frame.hop, hops=frame.hops).text(lang)
    return f"{where}: {place_name(frame.place)}\n" + "\n".join(sentence(s, lang) for s in told(frame.at))

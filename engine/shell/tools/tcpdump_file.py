"""Capture files of the lab's tcpdump: `-w FILE` writes one, `-r FILE` reads one back.

Theory. The file holds the true bytes that Wireshark opens. What it was made of is kept beside it under the digest of
those bytes, so that reading back finds the very packets, wherever the file was copied to meanwhile.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from engine.errors import NotModelled
from engine.linux.addr import BROADCAST_MAC, is_multicast
from engine.linux.net import Netns
from engine.linux.wire.encode import mss_of
from engine.linux.wire.pcapfile import COOKED, ETHERNET, SNAPLEN, Captured, pcap
from engine.shell.binary import as_bytes, as_text
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail
from engine.shell.world import Capture, Seen

NAMES = {ETHERNET: "EN10MB (Ethernet)", COOKED: "LINUX_SLL2 (Linux cooked v2)"}
#: sll packet type -> tcpdump's word for it on `any`: P is for another machine
WAYS = {0: "In", 1: "B", 2: "M", 3: "P", 4: "Out"}


def packet_type(seen: Seen, ns: Netns) -> int:
    """The sll packet type of what a tap saw."""
    if seen.direction == "out":
        return 4
    eth = seen.packet.eth
    link = ns.links.get(ns.names.get(seen.device, 0))
    if eth is not None and eth.dst == BROADCAST_MAC:
        return 1
    if eth is not None and seen.packet.has_ip and is_multicast(seen.packet.ip.dst):
        return 2
    other = (
        eth is not None and link is not None and link.kind != "loopback" and link.mac and eth.dst != link.mac
    )
    return 3 if other else 0


def snaplen(text: str) -> int:
    """`-s`: 0 is the default."""
    if not text.isdigit() or int(text) > SNAPLEN:
        raise Fail(f"tcpdump: invalid snaplen {text}")
    return int(text) or SNAPLEN


def write(ctx: Context, path: str, shown: Sequence[Seen], any_device: bool, length: int) -> str:
    """Write the packets; the text for stdout (`-w -`), "" otherwise."""
    linktype = COOKED if any_device else ETHERNET
    ns = ctx.ns
    rows = []
    for seen in shown:
        link = ns.links[ns.names[seen.device]]
        kind = packet_type(seen, ns)
        rows.append(
            Captured(
                time=seen.time, packet=seen.packet, ifindex=link.ifindex, kind=link.kind, type=kind,
                mss=1460 if any_device else mss_of(link.mtu),
            )
        )  # fmt: skip
    data = pcap(rows, linktype, length)
    digest = hashlib.sha256(data).hexdigest()
    ctx.world.captures[digest] = Capture(linktype, length, tuple(shown), rows[0].mss if rows else 1460)
    if path == "-":
        return as_text(data)
    try:
        ctx.files.write(ctx.path(path), as_text(data))
    except FileError as error:
        raise Fail(f"tcpdump: {path}: {error.reason}") from None
    return ""


def read(ctx: Context, path: str) -> Capture:
    """What a capture file holds. NotModelled for a capture that this lab did not write."""
    if path == "-":
        text = ctx.stdin
    else:
        try:
            text = ctx.files.read(ctx.path(path))
        except FileError as error:
            raise Fail(f"tcpdump: {path}: {error.reason}") from None
    data = as_bytes(text)
    found = ctx.world.captures.get(hashlib.sha256(data).hexdigest())
    if found is not None:
        return found
    if len(data) < 4:
        raise Fail(f"tcpdump: truncated dump file; tried to read 4 file header bytes, only got {len(data)}")
    if data[:4] != bytes.fromhex("d4c3b2a1"):
        raise Fail("tcpdump: unknown file format")
    raise NotModelled(f"tcpdump -r {path}")

"""DNS messages as bytes: the model tells them as text (`A? web.default.`, `A 10.0.0.1`).

Source: RFC 1035 section 4.
"""

from __future__ import annotations

import struct
import zlib

from engine.errors import InputError, NotModelled
from engine.linux.addr import ip4
from engine.linux.packet import Layer, Payload, Udp

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33}
#: the TTL of the answers that docker's name server gives
TTL = 600


def message(udp: Udp, rest: tuple[Layer, ...], questions: dict[int, tuple[int, str]]) -> bytes | None:
    """The message that a DNS payload tells; None for anything else. `questions` (client port -> type and name) is what
    was asked so far, and learns from a question."""
    data = rest[0] if rest else None
    if not isinstance(data, Payload) or data.protocol != "dns":
        return None
    kind, mark, name = data.text.partition("? ")
    asks = bool(mark)
    port = udp.sport if asks else udp.dport
    if asks:
        if kind not in TYPES:
            raise NotModelled(f"pcap: DNS {kind}")
        questions[port] = (TYPES[kind], name)
    asked, name = questions.get(port, (1, ""))
    answers = [] if asks else dns_answers(data.text)
    flags = 0x0100 if asks else 0x8183 if data.text.startswith("NXDOMAIN") else 0x8180
    head = struct.pack(">6H", ident(udp), flags, 1, len(answers), 0, 0)
    question = dns_name(name) + struct.pack(">2H", asked, 1)
    records = [struct.pack(">3HIH", 0xC00C, kind, 1, TTL, len(value)) + value for kind, value in answers]
    return head + question + b"".join(records)


def ident(udp: Udp) -> int:
    """The message id: the model has none, so it is made from the client's port, which question and answer share."""
    port = udp.sport if udp.dport == 53 else udp.dport
    return zlib.crc32(b"dns %d" % port) & 0xFFFF


def dns_name(name: str) -> bytes:
    """`web.default.` as length-prefixed labels. A label over 63 bytes is cut."""
    labels = [
        label.encode("idna" if not label.isascii() else "ascii")[:63] for label in name.split(".") if label
    ]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def dns_answers(text: str) -> list[tuple[int, bytes]]:
    """(type, data) of the answers in a payload's text: `A 10.0.0.1 10.0.0.2`, `PTR name.`, `NXDOMAIN`."""
    kind, *values = text.split() or [""]
    if kind == "A":
        try:
            return [(1, ip4(value).to_bytes(4, "big")) for value in values]
        except (InputError, NotModelled):
            return []
    if kind in ("PTR", "CNAME", "NS"):
        return [(TYPES[kind], dns_name(value)) for value in values]
    return []

"""Packets: frozen headers, one inside the other, outermost first.

Rules. A Packet is a tuple of layers and nothing else: what one kernel keeps beside the headers (mark, input
device, conntrack entry) lives in `skb.py`. Encapsulation puts layers in front, decapsulation takes them off.
A header refuses to be built wrong. Lengths are bytes; `length()` counts what the wire would carry.
"""

from __future__ import annotations

import enum
from dataclasses import fields
from typing import Any, TypeVar

from engine.linux.addr import mac_text, text4
from engine.record import dataclass, replace

ETH_IPV4 = 0x0800
ETH_ARP = 0x0806


class Proto(enum.IntEnum):
    """IP protocol numbers (IANA)."""

    ICMP = 1
    IPIP = 4
    TCP = 6
    UDP = 17
    SCTP = 132


PROTO_NAMES = {
    Proto.ICMP: "icmp",
    Proto.IPIP: "ipencap",
    Proto.TCP: "tcp",
    Proto.UDP: "udp",
    Proto.SCTP: "sctp",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ethernet:
    src: int
    dst: int
    type: int = ETH_IPV4

    def header_length(self) -> int:
        return 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Arp:
    """`op` is 1 (request) or 2 (reply)."""

    op: int
    sender_mac: int
    sender_ip: int
    target_mac: int = 0
    target_ip: int

    def header_length(self) -> int:
        return 28


@dataclass(frozen=True, slots=True, kw_only=True)
class IPv4:
    """`mf`: more fragments follow; `offset`: where this fragment's data stand in the whole datagram's, in bytes (the
    wire counts eights)."""

    src: int
    dst: int
    proto: int
    ttl: int = 64
    tos: int = 0
    ident: int = 0
    df: bool = True
    mf: bool = False
    offset: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.ttl <= 255:
            raise ValueError(f"ttl {self.ttl}")
        if self.offset % 8 or not 0 <= self.offset <= 65528:
            raise ValueError(f"fragment offset {self.offset}")

    @property
    def is_fragment(self) -> bool:
        return self.mf or self.offset > 0

    def header_length(self) -> int:
        return 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """`flags` is a string over F S R P A U in tcpdump's letters (A for ack): "S", "SA", "PA", "R"."""

    sport: int
    dport: int
    flags: str = "S"
    seq: int = 0
    ack: int = 0

    def header_length(self) -> int:
        return 40 if "S" in self.flags else 32 if "R" not in self.flags else 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Udp:
    sport: int
    dport: int

    def header_length(self) -> int:
        return 8


#: bytes of each chunk of SCTP as Linux sends it, without its data
SCTP_CHUNKS = {
    "INIT": 56, "INIT_ACK": 324, "COOKIE_ECHO": 268, "COOKIE_ACK": 4, "DATA": 16, "SACK": 16, "SHUTDOWN": 8,
    "SHUTDOWN_ACK": 4, "SHUTDOWN_COMPLETE": 4, "ABORT": 4, "HEARTBEAT": 44, "HEARTBEAT_ACK": 44, "ERROR": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sctp:
    """RFC 9260 with one chunk a packet. `vtag` is the receiver's verification tag, 0 in an INIT."""

    sport: int
    dport: int
    chunk: str = "INIT"
    vtag: int = 0

    def header_length(self) -> int:
        return 12 + SCTP_CHUNKS[self.chunk]


#: An error is no longer than 576 bytes, so of the packet that it is about it quotes this much (RFC 1812 4.3.2.3).
QUOTE_MAX = 576 - 20 - 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Icmp:
    """`quoted` is the packet (from its IPv4 header on) that an error is about; `mtu` belongs to type 3 code 4."""

    type: int
    code: int = 0
    ident: int = 0
    seq: int = 0
    mtu: int = 0
    quoted: Packet | None = None

    def header_length(self) -> int:
        return 8 + (min(self.quoted.length(), QUOTE_MAX) if self.quoted is not None else 0)

    @property
    def is_error(self) -> bool:
        return self.type in (3, 4, 5, 11, 12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What a program wrote: `protocol` names it (http, dns, echo), `text` is what a person may read."""

    protocol: str
    text: str
    size: int

    def header_length(self) -> int:
        return self.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Vxlan:
    """RFC 7348: behind UDP, before the inner Ethernet header."""

    vni: int

    def header_length(self) -> int:
        return 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Geneve:
    """RFC 8926 without options: behind UDP, before the inner Ethernet header."""

    vni: int

    def header_length(self) -> int:
        return 8


#: bytes of WireGuard's messages that carry no packet
WIREGUARD_SIZES = {"initiation": 148, "response": 92, "keepalive": 32}


@dataclass(frozen=True, slots=True, kw_only=True)
class WireGuard:
    """Behind UDP. `message` is data, initiation, response or keepalive. Data holds the inner IPv4 packet, which nobody
    on the way can read; its 16 bytes of header, the padding `pad` and the 16 bytes of the seal count here. `sender` and
    `to` are the public keys between which it is sealed: only the two ends know them."""

    message: str = "data"
    sender: str = ""
    to: str = ""
    counter: int = 0
    pad: int = 0

    def header_length(self) -> int:
        return WIREGUARD_SIZES.get(self.message, 32 + self.pad)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """The bytes from `start` to `start + size` of what stood behind the IPv4 header of a datagram that was cut: `whole`
    are its layers there, from the transport header on."""

    whole: Packet
    start: int
    size: int

    def header_length(self) -> int:
        return self.size


Layer = Ethernet | Arp | IPv4 | Tcp | Udp | Sctp | Icmp | Payload | Fragment | Vxlan | Geneve | WireGuard
L = TypeVar("L", Ethernet, Arp, IPv4, Tcp, Udp, Sctp, Icmp, Payload, Fragment, Vxlan, Geneve, WireGuard)


@dataclass(frozen=True, slots=True)
class Packet:
    """`layers`, outermost first. Accessors look at the outermost layer of their kind."""

    layers: tuple[Layer, ...]

    def get(self, kind: type[L]) -> L | None:
        for layer in self.layers:
            if isinstance(layer, kind):
                return layer
        return None

    @property
    def eth(self) -> Ethernet | None:
        return self.get(Ethernet)

    @property
    def arp(self) -> Arp | None:
        """The ARP message that this frame is; None for anything else, one inside a tunnel too."""
        first = self.layers[1:2] if self.layers and isinstance(self.layers[0], Ethernet) else self.layers[:1]
        return first[0] if first and isinstance(first[0], Arp) else None

    @property
    def ip(self) -> IPv4:
        """The outermost IPv4 header; ValueError when there is none (ARP)."""
        for layer in self.layers:
            if layer.__class__ is IPv4:
                return layer
        raise ValueError("no IPv4 header")

    @property
    def has_ip(self) -> bool:
        return self.get(IPv4) is not None

    @property
    def l4(self) -> Tcp | Udp | Sctp | Icmp | None:
        """The transport header right behind the outermost IPv4 header."""
        behind = False
        for layer in self.layers:
            if behind:
                return layer if isinstance(layer, Tcp | Udp | Sctp | Icmp) else None
            behind = layer.__class__ is IPv4
        return None

    @property
    def ports(self) -> tuple[int, int]:
        """(source, destination) port; (0, 0) where the protocol has none."""
        l4 = self.l4
        return (l4.sport, l4.dport) if isinstance(l4, Tcp | Udp | Sctp) else (0, 0)

    @property
    def payload(self) -> Payload | None:
        return self.get(Payload)

    def with_ip(self, **changes: Any) -> Packet:
        """A copy with fields of the outermost IPv4 header changed."""
        return self._change(IPv4, changes)

    def with_l4(self, **changes: Any) -> Packet:
        """A copy with fields of the header behind the outermost IPv4 header changed."""
        l4 = self.l4
        return self if l4 is None else self._change(type(l4), changes)

    def _change(self, kind: type[Layer], changes: dict[str, Any]) -> Packet:
        out = list(self.layers)
        for i, layer in enumerate(out):
            if isinstance(layer, kind):
                out[i] = replace(layer, **changes)
                break
        return Packet(tuple(out))

    def framed(self, frame: Ethernet) -> Packet:
        """With `frame` as the outermost header, in place of an Ethernet header that is there."""
        return Packet((frame, *self.unframed().layers))

    def unframed(self) -> Packet:
        """Without the outermost Ethernet header."""
        return Packet(self.layers[1:]) if self.layers and isinstance(self.layers[0], Ethernet) else self

    @property
    def inner(self) -> Packet | None:
        """What the outermost tunnel carries, from its first header on; None for a packet that is in no tunnel."""
        for i, layer in enumerate(self.layers):
            if isinstance(layer, Vxlan | Geneve | WireGuard):
                return Packet(self.layers[i + 1 :]) if len(self.layers) > i + 1 else None
            if isinstance(layer, IPv4) and any(isinstance(x, IPv4) for x in self.layers[i + 1 : i + 2]):
                return Packet(self.layers[i + 1 :])
        return None

    def length(self) -> int:
        """Bytes from the outermost layer to the end."""
        total = 0
        for layer in self.layers:
            total += layer.header_length()
        return total

    def ip_length(self) -> int:
        """Bytes that count against an MTU: everything but the outermost Ethernet header."""
        total = self.length()
        framed = self.layers and isinstance(self.layers[0], Ethernet)
        return total - self.layers[0].header_length() if framed else total

    def to_json(self) -> list[dict[str, Any]]:
        """The public form: a list of layers, outermost first (DESIGN section 5)."""
        return [layer_json(layer) for layer in self.layers]

    def __str__(self) -> str:
        return describe(self)


_MACS = {"sender_mac", "target_mac"}
_IPS = {"sender_ip", "target_ip"}


def layer_json(layer: Layer) -> dict[str, Any]:
    """One layer as JSON: `{"layer": "ipv4", "src": "10.0.0.1", ...}`; addresses as text."""
    out: dict[str, Any] = {"layer": type(layer).__name__.lower()}
    for f in fields(layer):
        value = getattr(layer, f.name)
        if (isinstance(layer, Ethernet) and f.name in ("src", "dst")) or f.name in _MACS:
            value = mac_text(value)
        elif (isinstance(layer, IPv4) and f.name in ("src", "dst")) or f.name in _IPS:
            value = text4(value)
        elif isinstance(layer, Fragment) and f.name == "whole":
            continue
        elif isinstance(value, Packet):
            value = value.to_json()
        elif (
            value is None
            or (isinstance(layer, Icmp) and f.name == "mtu" and not value)
            or (isinstance(layer, IPv4) and f.name in ("mf", "offset") and not layer.is_fragment)
        ):
            continue
        out[f.name] = int(value) if isinstance(value, enum.IntEnum) else value
    return out


ICMP_WORDS = {
    (0, 0): "echo reply", (8, 0): "echo request", (3, 0): "net unreachable", (3, 1): "host unreachable",
    (3, 2): "protocol unreachable", (3, 3): "port unreachable", (3, 4): "fragmentation needed",
    (3, 9): "net prohibited", (3, 10): "host prohibited", (3, 13): "admin prohibited",
    (5, 0): "redirect net", (5, 1): "redirect host", (11, 0): "time exceeded",
}  # fmt: skip


def tunnel_word(packet: Packet) -> str:
    """`VXLAN 1`, `Geneve 7`, `IPIP`, `WireGuard`: the outermost tunnel, "" for none."""
    for layer in packet.layers:
        if isinstance(layer, Vxlan):
            return f"VXLAN {layer.vni}"
        if isinstance(layer, Geneve):
            return f"Geneve {layer.vni}"
        if isinstance(layer, WireGuard):
            return "WireGuard" if layer.message == "data" else f"WireGuard {layer.message}"
    return "IPIP" if packet.inner is not None else ""


def describe(packet: Packet) -> str:
    """One short line for captions: `TCP SYN 10.244.1.5:40000 > 10.244.1.6:80 ttl 64`."""
    arp = packet.arp
    if arp is not None:
        if arp.op == 1:
            return f"ARP who-has {text4(arp.target_ip)} tell {text4(arp.sender_ip)}"
        return f"ARP {text4(arp.sender_ip)} is-at {mac_text(arp.sender_mac)}"
    if not packet.has_ip:
        return "frame"
    ip, l4 = packet.ip, packet.l4
    inner = packet.inner
    if inner is not None or packet.get(WireGuard) is not None:
        return f"{tunnel_word(packet)} {text4(ip.src)} > {text4(ip.dst)} ttl {ip.ttl}" + (
            f" ({describe(inner)})" if inner is not None else ""
        )
    if isinstance(l4, Tcp):
        names = {"S": "SYN", "SA": "SYN-ACK", "A": "ACK", "PA": "data", "FA": "FIN", "R": "RST", "RA": "RST"}
        word = names.get(l4.flags, l4.flags)
        return f"TCP {word} {text4(ip.src)}:{l4.sport} > {text4(ip.dst)}:{l4.dport} ttl {ip.ttl}"
    if isinstance(l4, Udp):
        return f"UDP {text4(ip.src)}:{l4.sport} > {text4(ip.dst)}:{l4.dport} ttl {ip.ttl}"
    if isinstance(l4, Sctp):
        word = l4.chunk.replace("_", " ")
        return f"SCTP {word} {text4(ip.src)}:{l4.sport} > {text4(ip.dst)}:{l4.dport} ttl {ip.ttl}"
    if isinstance(l4, Icmp):
        word = ICMP_WORDS.get((l4.type, l4.code), f"type {l4.type} code {l4.code}")
        return f"ICMP {word} {text4(ip.src)} > {text4(ip.dst)} ttl {ip.ttl}"
    return f"IP {text4(ip.src)} > {text4(ip.dst)} proto {ip.proto} ttl {ip.ttl}"

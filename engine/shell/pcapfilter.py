"""tcpdump's filter language (pcap-filter(7)): words -> a test of packets.

Theory. A primitive is `[proto] [dir] [type] id`; `and` and `or` have one precedence and go from left to right,
`not` binds closest; an id without qualifiers takes those of the one before (`port 80 or 81`).

Rules. A primitive that the language has and we lack (byte expressions, vlan, ip6 ...) is refused by name; a
text that is
no filter is a syntax error in pcap's words.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import field

from engine.errors import InputError, NotModelled
from engine.linux.addr import BROADCAST_MAC, Prefix, mac
from engine.linux.packet import Icmp, IPv4, Packet, Sctp, Tcp, Udp
from engine.linux.text.services import any_port
from engine.record import dataclass

Test = Callable[[Packet], bool]

PROTOS = ("ether", "ip", "arp", "rarp", "ip6", "tcp", "udp", "sctp", "icmp")
LATER = (
    "ip6", "icmp6", "vlan", "mpls", "gateway", "proto", "less", "greater", "inbound", "outbound",
    "ifname", "rarp",
    "multicast", "stp", "vxlan", "geneve", "pppoes", "fddi", "wlan",
)  # fmt: skip


class FilterError(Exception):
    """pcap's own words about a filter."""


@dataclass(slots=True)
class _Parser:
    tokens: list[str]
    resolve: Callable[[str], int]
    at: int = 0
    last: tuple[str, str, str] = ("", "", "")
    waiting: list[str] = field(default_factory=list)

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        word = self.peek()
        self.at += 1
        return word

    def expression(self) -> Test:
        left = self.unary()
        while self.peek() in ("and", "or", "&&", "||"):
            joint = self.take()
            right = self.unary()
            left = _and(left, right) if joint in ("and", "&&") else _or(left, right)
        return left

    def unary(self) -> Test:
        word = self.peek()
        if word in ("not", "!"):
            self.take()
            inner = self.unary()
            return lambda p: not inner(p)
        if word == "(":
            self.take()
            inner = self.expression()
            if self.take() != ")":
                raise FilterError("syntax error")
            return inner
        return self.primitive()

    def primitive(self) -> Test:
        word = self.peek()
        if not word or word in ("and", "or", "&&", "||", ")"):
            raise FilterError("syntax error")
        if "[" in word or word in ("&", "=", "!=", ">", "<", "=="):
            raise NotModelled(f"tcpdump filter `{word}`")
        if word in LATER:
            raise NotModelled(f"tcpdump filter `{word}`")
        proto = direction = kind = ""
        if word in PROTOS:
            proto = self.take()
        if self.peek() in ("src", "dst"):
            direction = self.take()
            if self.peek() in ("or", "and") and self.tokens[self.at + 1 : self.at + 2] in (["src"], ["dst"]):
                joint = self.take()
                direction = "both" if joint == "and" else ""
                self.take()
        if self.peek() in ("host", "net", "port", "portrange", "broadcast"):
            kind = self.take()
        if kind == "broadcast":
            return lambda p: p.eth is not None and p.eth.dst == BROADCAST_MAC
        following = self.peek()
        if proto and not direction and not kind:
            if following in LATER or "[" in following:
                raise NotModelled(f"tcpdump filter `{proto} {following}`")
            return _proto(proto)
        if not (proto or direction or kind):
            proto, direction, kind = self.last
            if not (proto or direction or kind):
                kind = "host"
        self.last = (proto, direction, kind)
        value = self.take()
        if not value or value in ("and", "or", "not", ")"):
            raise FilterError("syntax error")
        return self.match(proto, direction, kind or "host", value)

    def match(self, proto: str, direction: str, kind: str, value: str) -> Test:
        if kind in ("port", "portrange"):
            if proto not in ("", "tcp", "udp", "sctp"):
                raise FilterError("illegal qualifier of 'port'")
            low, high = self.ports(kind, value)
            return _ports(proto, direction, low, high)
        if proto == "ether":
            return _ether(direction, self.mac(value))
        if proto in ("tcp", "udp", "sctp", "icmp"):
            raise FilterError(f"'{proto}' modifier applied to {kind}")
        if kind == "net":
            return _addresses(proto, direction, self.net(value))
        return _addresses(proto, direction, Prefix(self.resolve(value), 32))

    def ports(self, kind: str, value: str) -> tuple[int, int]:
        words = value.split("-") if kind == "portrange" else [value]
        numbers = [any_port(w) for w in words]
        if None in numbers or len(words) > 2:
            raise FilterError(f"unknown port '{value}'" if kind == "port" else f"illegal port range {value}")
        found = [n for n in numbers if n is not None]
        for n in found:
            if n > 65535:
                raise FilterError(f"illegal port number {n} > 65535")
        return found[0], found[-1]

    def mac(self, value: str) -> int:
        try:
            return mac(value)
        except InputError:
            raise FilterError(f"unknown ether host '{value}'") from None

    def net(self, value: str) -> Prefix:
        head, _, length = value.partition("/")
        parts = head.split(".")
        if len(parts) < 4 and all(p.isdigit() for p in parts):
            length = length or str(8 * len(parts))
            head = ".".join(parts + ["0"] * (4 - len(parts)))
        try:
            prefix = Prefix.parse(f"{head}/{length or 32}", host_bits=True)
        except InputError:
            raise FilterError(f"unknown network '{value}'") from None
        if prefix.network != prefix:
            raise FilterError(f'non-network bits set in "{value}"')
        return prefix


def _and(a: Test, b: Test) -> Test:
    return lambda p: a(p) and b(p)


def _or(a: Test, b: Test) -> Test:
    return lambda p: a(p) or b(p)


def _proto(proto: str) -> Test:
    kinds = {"tcp": Tcp, "udp": Udp, "sctp": Sctp, "icmp": Icmp}
    if proto == "arp":
        return lambda p: p.arp is not None
    if proto == "ip":
        return lambda p: p.get(IPv4) is not None
    if proto in kinds:
        kind = kinds[proto]
        return lambda p: p.has_ip and isinstance(p.l4, kind)
    raise FilterError("syntax error")


def _sides(direction: str, src: bool, dst: bool) -> bool:
    return (
        src
        if direction == "src"
        else dst
        if direction == "dst"
        else src and dst
        if direction == "both"
        else src or dst
    )


def _addresses(proto: str, direction: str, prefix: Prefix) -> Test:
    def test(packet: Packet) -> bool:
        arp = packet.arp
        if arp is not None and proto in ("", "arp"):
            return _sides(direction, arp.sender_ip in prefix, arp.target_ip in prefix)
        if packet.has_ip and proto in ("", "ip"):
            return _sides(direction, packet.ip.src in prefix, packet.ip.dst in prefix)
        return False

    return test


def _ports(proto: str, direction: str, low: int, high: int) -> Test:
    def test(packet: Packet) -> bool:
        l4 = packet.l4 if packet.has_ip else None
        if (
            not isinstance(l4, Tcp | Udp | Sctp)
            or (proto == "tcp" and not isinstance(l4, Tcp))
            or (proto == "udp" and not isinstance(l4, Udp))
            or (proto == "sctp" and not isinstance(l4, Sctp))
        ):
            return False
        return _sides(direction, low <= l4.sport <= high, low <= l4.dport <= high)

    return test


def _ether(direction: str, address: int) -> Test:
    def test(packet: Packet) -> bool:
        eth = packet.eth
        return eth is not None and _sides(direction, eth.src == address, eth.dst == address)

    return test


def compile_filter(words: list[str], resolve: Callable[[str], int]) -> Test:
    """The test of a filter; no words let everything pass. `resolve` gives a host's address, raising FilterError.
    Raises FilterError, NotModelled."""
    text = " ".join(words)
    tokens = re.findall(r"[()!]|&&|\|\||[^\s()!]+", text)
    if not tokens:
        return lambda p: True
    # The grammar comes first, names after it: `foo bar` is a syntax error, whoever foo may be.
    for how in (lambda name: 0, resolve):
        parser = _Parser(tokens, how)
        test = parser.expression()
        if parser.at < len(tokens):
            raise FilterError("syntax error")
    return test

"""Connection tracking: entries of two tuples, their states and timeouts.

Theory. An entry is an original and a reply tuple; NAT is nothing but a reply tuple that is not the mirror of
the original. The packet that creates an entry walks the nat chains; every later one is rewritten from the
entry without walking them. An entry is confirmed when its first packet leaves or is delivered: a dropped first
packet leaves none. Sources: facts 10 section 1.2 (measured), nf_conntrack_proto_tcp.c for the TCP states.

Rules. Rows are frozen; `Conntrack` only finds, stores and expires. Who decides NAT is the walker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import NamedTuple

from engine.linux.packet import Icmp, IPv4, Packet, Proto, Tcp, Udp
from engine.record import dataclass

TIMEOUTS = {
    "SYN_SENT": 120, "SYN_RECV": 60, "ESTABLISHED": 432000, "FIN_WAIT": 120, "CLOSE_WAIT": 60, "LAST_ACK": 30,
    "TIME_WAIT": 120, "CLOSE": 10, "udp": 30, "udp_stream": 120, "icmp": 30, "generic": 600,
}  # fmt: skip

#: the sysctls among them
SYSCTLS = {
    "net.netfilter.nf_conntrack_tcp_timeout_established": "ESTABLISHED",
    "net.netfilter.nf_conntrack_udp_timeout": "udp",
    "net.netfilter.nf_conntrack_udp_timeout_stream": "udp_stream",
}

ICMP_PAIRS = {8: 0, 13: 14, 15: 16, 17: 18, 0: 8, 14: 13, 16: 15, 18: 17}


class Tuple(NamedTuple):
    """One direction. For ICMP `sport` is the identifier and `dport` is type << 8 | code."""

    proto: int
    src: int
    sport: int
    dst: int
    dport: int

    def mirrored(self) -> Tuple:
        if self.proto == Proto.ICMP:
            back = ICMP_PAIRS.get(self.dport >> 8, self.dport >> 8) << 8 | self.dport & 255
            return Tuple(self.proto, self.dst, self.sport, self.src, back)
        return Tuple(self.proto, self.dst, self.dport, self.src, self.sport)


def tuple_of(packet: Packet) -> Tuple | None:
    """The tuple of a packet; None for an ICMP error (it relates to the packet it quotes) and for non-IP."""
    if not packet.has_ip:
        return None
    ip, l4 = packet.ip, packet.l4
    if isinstance(l4, Tcp | Udp):
        return Tuple(ip.proto, ip.src, l4.sport, ip.dst, l4.dport)
    if isinstance(l4, Icmp):
        if l4.is_error or l4.type not in ICMP_PAIRS:
            return None
        return Tuple(ip.proto, ip.src, l4.ident, ip.dst, l4.type << 8 | l4.code)
    return Tuple(ip.proto, ip.src, 0, ip.dst, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtEntry:
    """One connection. `state` is the TCP state, "" for other protocols; `deadline` and `born` are on the virtual clock;
    `decided` says which nat chains an unconfirmed entry has met (1 destination, 2 source)."""

    id: int
    orig: Tuple
    reply: Tuple
    state: str = ""
    deadline: float = 0.0
    seen_reply: bool = False
    assured: bool = False
    snat: bool = False
    dnat: bool = False
    mark: int = 0
    fins: int = 0
    born: float = 0.0
    decided: int = 0

    @property
    def natted(self) -> bool:
        return self.snat or self.dnat


@dataclass(slots=True)
class Conntrack:
    """The table of one namespace: tuple -> entry id, id -> entry, in order of creation."""

    by_tuple: dict[Tuple, int] = field(default_factory=dict)
    entries: dict[int, CtEntry] = field(default_factory=dict)
    next_id: int = 1

    def copy(self) -> Conntrack:
        return Conntrack(dict(self.by_tuple), dict(self.entries), self.next_id)

    def find(self, key: Tuple, now: float) -> tuple[CtEntry, str] | None:
        """(entry, "original" or "reply") for a packet's tuple; expired entries are forgotten first."""
        found = self.by_tuple.get(key)
        if found is None:
            return None
        entry = self.entries[found]
        if entry.deadline <= now:
            self.remove(entry)
            return None
        return entry, ("original" if key == entry.orig else "reply")

    def taken(self, reply: Tuple, now: float) -> bool:
        """Is this reply tuple in use, so that a NAT mapping to it would clash?"""
        return self.find(reply, now) is not None

    def confirm(self, entry: CtEntry) -> CtEntry:
        """Store a new entry under both tuples and give it its id."""
        entry = replace(entry, id=self.next_id)
        self.next_id += 1
        self.entries[entry.id] = entry
        self.by_tuple[entry.orig] = entry.id
        self.by_tuple[entry.reply] = entry.id
        return entry

    def update(self, entry: CtEntry) -> None:
        if entry.id in self.entries:
            self.entries[entry.id] = entry

    def remove(self, entry: CtEntry) -> None:
        self.entries.pop(entry.id, None)
        for key in (entry.orig, entry.reply):
            if self.by_tuple.get(key) == entry.id:
                del self.by_tuple[key]

    def expire(self, now: float) -> None:
        for entry in [e for e in self.entries.values() if e.deadline <= now]:
            self.remove(entry)


def timeouts(sysctls: Mapping[str, str]) -> Mapping[str, int]:
    """Seconds by state, as the namespace's sysctls have them."""
    changed = {state: int(sysctls[key]) for key, state in SYSCTLS.items() if key in sysctls}
    return {**TIMEOUTS, **changed} if changed else TIMEOUTS


def initial(packet: Packet, key: Tuple, now: float, times: Mapping[str, int] = TIMEOUTS) -> CtEntry | None:
    """An unconfirmed entry for a first packet, None when no connection may begin like that (ctstate INVALID).
    TCP begins with SYN, or is picked up in the middle by an ACK (tcp_loose = 1); SYN-ACK, FIN and RST begin nothing.
    ICMP begins with a request (nf_conntrack_proto_tcp.c and _icmp.c)."""
    l4 = packet.l4
    state, seconds = "", times["generic"]
    if isinstance(l4, Tcp):
        if l4.flags not in ("S", "A", "PA"):
            return None
        state = "SYN_SENT" if l4.flags == "S" else "ESTABLISHED"
        seconds = times[state]
    elif isinstance(l4, Udp):
        seconds = times["udp"]
    elif isinstance(l4, Icmp):
        if l4.type not in (8, 13, 15, 17):
            return None
        seconds = times["icmp"]
    return CtEntry(id=0, orig=key, reply=key.mirrored(), state=state, deadline=now + seconds, born=now)


def advance(
    entry: CtEntry, packet: Packet, direction: str, now: float, times: Mapping[str, int] = TIMEOUTS
) -> CtEntry:
    """The entry after this packet: seen-reply, assured, TCP state, new deadline."""
    reply = direction == "reply"
    seen = entry.seen_reply or reply
    l4 = packet.l4
    if isinstance(l4, Tcp):
        state, assured, fins = entry.state, entry.assured, entry.fins
        if "R" in l4.flags:
            state = "CLOSE"
        elif l4.flags == "S" and not reply:
            state, assured, fins = "SYN_SENT", False, 0
        elif l4.flags == "SA" and reply and state == "SYN_SENT":
            state = "SYN_RECV"
        elif "F" in l4.flags:
            fins += 1
            state = "FIN_WAIT" if fins == 1 else "LAST_ACK"
        elif "A" in l4.flags:
            if state == "SYN_RECV" and not reply:
                state, assured = "ESTABLISHED", True
            elif state == "FIN_WAIT":
                state = "CLOSE_WAIT"
            elif state == "LAST_ACK":
                state = "TIME_WAIT"
        return replace(
            entry, state=state, assured=assured, fins=fins, seen_reply=seen, deadline=now + times[state]
        )
    if isinstance(l4, Udp):
        assured = entry.assured or (entry.seen_reply and now > entry.born + 2)
        return replace(
            entry,
            seen_reply=seen,
            assured=assured,
            deadline=now + times["udp_stream" if assured else "udp"],
        )
    return replace(
        entry, seen_reply=seen, deadline=now + times["icmp" if entry.orig.proto == 1 else "generic"]
    )


def rewrite(packet: Packet, entry: CtEntry, direction: str, which: str) -> Packet:
    """The packet with its source ("src") or destination ("dst") as the entry wants it in this direction.
    In the original direction the target is the mirror of the reply tuple, and the other way round. An echo's identifier
    is rewritten with either (icmp_manip_pkt)."""
    want = (entry.reply if direction == "original" else entry.orig).mirrored()
    ip, l4 = packet.ip, packet.l4
    if which == "dst":
        if ip.dst != want.dst:
            packet = packet.with_ip(dst=want.dst)
        if isinstance(l4, Tcp | Udp) and l4.dport != want.dport:
            packet = packet.with_l4(dport=want.dport)
    else:
        if ip.src != want.src:
            packet = packet.with_ip(src=want.src)
        if isinstance(l4, Tcp | Udp) and l4.sport != want.sport:
            packet = packet.with_l4(sport=want.sport)
    if isinstance(l4, Icmp) and not l4.is_error and l4.ident != want.sport:
        packet = packet.with_l4(ident=want.sport)
    return packet


def quoted_tuple(packet: Packet) -> Tuple | None:
    """The tuple of the packet that an ICMP error quotes, or None."""
    l4 = packet.l4
    if isinstance(l4, Icmp) and l4.quoted is not None and l4.quoted.get(IPv4) is not None:
        return tuple_of(l4.quoted)
    return None

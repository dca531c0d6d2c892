"""Connection tracking: entries of two tuples, and the table that finds, stores and expires them.

Theory. An entry is an original and a reply tuple; NAT is nothing but a reply tuple that is not the mirror of
the original. The packet that creates an entry walks the nat chains; every later one is rewritten from the
entry without walking them. An entry is confirmed when its first packet leaves or is delivered: a dropped first
packet leaves none. What a packet does to an entry is in `ctproto.py` (TCP in `cttcp.py`).

Rules. Rows are frozen; `Conntrack` only finds, stores and expires. Who decides NAT is the walker. A zone keeps equal
tuples apart; zone 0 is the default. Sources: net/netfilter/nf_conntrack_core.c; facts 10 section 1.2 (measured).
"""

from __future__ import annotations

import zlib
from dataclasses import field
from typing import NamedTuple

from engine.linux.cttcp import Track
from engine.linux.packet import Icmp, IPv4, Packet, Proto, Sctp, Tcp, Udp
from engine.record import dataclass, replace

ICMP_PAIRS = {8: 0, 13: 14, 15: 16, 17: 18, 0: 8, 14: 13, 16: 15, 18: 17}
#: a table that is full looks for unassured entries in this many hash buckets (NF_CT_EVICTION_RANGE)
EVICTION_RANGE = 8


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
    if isinstance(l4, Tcp | Udp | Sctp):
        return Tuple(ip.proto, ip.src, l4.sport, ip.dst, l4.dport)
    if isinstance(l4, Icmp):
        if l4.is_error or l4.type not in ICMP_PAIRS:
            return None
        return Tuple(ip.proto, ip.src, l4.ident, ip.dst, l4.type << 8 | l4.code)
    return Tuple(ip.proto, ip.src, 0, ip.dst, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """`-j CT --zone 5`: `way` is "" (both directions), "orig" or "reply"."""

    id: int = 0
    way: str = ""

    @property
    def orig(self) -> int:
        return self.id if self.way != "reply" else 0

    @property
    def reply(self) -> int:
        return self.id if self.way != "orig" else 0


NO_ZONE = Zone()


@dataclass(frozen=True, slots=True, kw_only=True)
class CtEntry:
    """One connection. `state` is the TCP state, "" for other protocols; `deadline` and `born` are on the virtual clock;
    `decided` says which nat chains an unconfirmed entry has met (1 destination, 2 source); `tcp` what the TCP tracker
    remembers; `counts` packets and bytes there and back, None while accounting is off; `masq` the ifindex that
    MASQUERADE chose for; `fixed` a timeout that packets do not renew; `clash` an entry that only answers use
    (IPS_NAT_CLASH); `alive` since when the entry is in the table, None without timestamps; `ipvs` IPVS rewrites it."""

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
    born: float = 0.0
    decided: int = 0
    zone: Zone = NO_ZONE
    tcp: Track | None = None
    counts: tuple[int, int, int, int] | None = None
    masq: int = 0
    fixed: bool = False
    clash: bool = False
    alive: float | None = None
    ipvs: bool = False

    @property
    def natted(self) -> bool:
        return self.snat or self.dnat


Key = Tuple | tuple[int, Tuple]


def keyed(zone: int, key: Tuple) -> Key:
    return (zone, key) if zone else key


#: the columns of `conntrack -S`
COUNTERS = (
    "found", "invalid", "insert", "insert_failed", "drop", "early_drop", "error", "search_restart", "clash_resolve",
    "chaintoolong",
)  # fmt: skip


@dataclass(slots=True)
class Conntrack:
    """The table of one namespace: tuple (with its zone) -> entry id, id -> entry, in order of creation; `stats` what
    `conntrack -S` counts."""

    by_tuple: dict[Key, int] = field(default_factory=dict)
    entries: dict[int, CtEntry] = field(default_factory=dict)
    next_id: int = 1
    stats: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Conntrack:
        return Conntrack(dict(self.by_tuple), dict(self.entries), self.next_id, dict(self.stats))

    def count(self, what: str, by: int = 1) -> None:
        self.stats[what] = self.stats.get(what, 0) + by

    def find(self, key: Tuple, now: float, zone: Zone = NO_ZONE) -> tuple[CtEntry, str] | None:
        """(entry, "original" or "reply") for a packet's tuple; expired entries are forgotten first."""
        for number in (zone.orig, zone.reply) if zone.way else (zone.id,):
            found = self._at(keyed(number, key), now)
            if found is None:
                continue
            if key == found.orig and found.zone.orig == zone.orig and not found.clash:
                return found, "original"
            if key == found.reply and found.zone.reply == zone.reply:
                return found, "reply"
        return None

    def _at(self, key: Key, now: float) -> CtEntry | None:
        found = self.by_tuple.get(key)
        if found is None:
            return None
        entry = self.entries[found]
        if entry.deadline <= now:
            self.remove(entry)
            return None
        return entry

    def taken(self, reply: Tuple, now: float, but: CtEntry | None = None) -> bool:
        """Is this reply tuple in use, so that a NAT mapping to it would clash? An entry with the very original tuple of
        `but` does not count: both are the same flow (nf_conntrack_tuple_taken)."""
        found = self.find(reply, now, but.zone if but is not None else NO_ZONE)
        if found is None:
            return False
        if but is not None and found[0].orig == but.orig and found[0].zone.orig == but.zone.orig:
            return False
        self.count("found")
        return True

    def confirm(self, entry: CtEntry) -> CtEntry:
        """Store a new entry under both tuples and give it its id."""
        entry = replace(entry, id=self.next_id)
        self.next_id += 1
        self.entries[entry.id] = entry
        if not entry.clash:
            self.by_tuple[keyed(entry.zone.orig, entry.orig)] = entry.id
        self.by_tuple[keyed(entry.zone.reply, entry.reply)] = entry.id
        return entry

    def update(self, entry: CtEntry) -> None:
        if entry.id in self.entries:
            self.entries[entry.id] = entry

    def remove(self, entry: CtEntry) -> None:
        self.entries.pop(entry.id, None)
        for key in (keyed(entry.zone.orig, entry.orig), keyed(entry.zone.reply, entry.reply)):
            if self.by_tuple.get(key) == entry.id:
                del self.by_tuple[key]

    def expire(self, now: float) -> None:
        for entry in [e for e in self.entries.values() if e.deadline <= now]:
            self.remove(entry)

    def forget_masqueraded(self, ifindex: int, address: int = 0) -> None:
        """A device went down, or lost an address (0 = all of it): connections that MASQUERADE gave its address end
        (nf_nat_masquerade.c)."""
        for entry in [e for e in self.entries.values() if e.masq == ifindex and address in (0, e.reply.dst)]:
            self.remove(entry)

    def shown(self, now: float) -> list[CtEntry]:
        """What the tools list: living entries; one that only answers use is hidden, as in the kernel."""
        return [e for e in self.entries.values() if e.deadline > now and not e.clash]

    def early_drop(self, key: Tuple, buckets: int) -> bool:
        """Make room in a full table: unassured entries of the first bucket near `key` that has any. The kernel's hash
        has a secret of its own at each boot; this one is as good as any."""
        start = bucket(key, buckets)
        by_bucket: dict[int, list[CtEntry]] = {}
        for entry in self.entries.values():
            if not entry.assured:
                for one in (entry.orig, entry.reply):
                    by_bucket.setdefault(bucket(one, buckets), []).append(entry)
        for at in range(start, start + EVICTION_RANGE):
            victims = {e.id: e for e in by_bucket.get(at % buckets, ())}
            if victims:
                for entry in victims.values():
                    self.remove(entry)
                self.count("early_drop", len(victims))
                return True
        return False


def bucket(key: Tuple, buckets: int) -> int:
    """The hash bucket of a tuple."""
    return zlib.crc32(b"%d %d %d %d %d" % key) * buckets >> 32


def rewrite(packet: Packet, entry: CtEntry, direction: str, which: str) -> Packet:
    """The packet with its source ("src") or destination ("dst") as the entry wants it in this direction.
    In the original direction the target is the mirror of the reply tuple, and the other way round. An echo's identifier
    is rewritten with either (icmp_manip_pkt)."""
    want = (entry.reply if direction == "original" else entry.orig).mirrored()
    ip, l4 = packet.ip, packet.l4
    if which == "dst":
        if ip.dst != want.dst:
            packet = packet.with_ip(dst=want.dst)
        if isinstance(l4, Tcp | Udp | Sctp) and l4.dport != want.dport:
            packet = packet.with_l4(dport=want.dport)
    else:
        if ip.src != want.src:
            packet = packet.with_ip(src=want.src)
        if isinstance(l4, Tcp | Udp | Sctp) and l4.sport != want.sport:
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

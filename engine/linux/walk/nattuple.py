"""Which address and port a new connection is translated to: a tuple that nobody else uses.

Theory. A source that has a mapping in the wanted range keeps it; a tuple that is free as it stands is kept; else the
address is chosen by a hash of both ends, and the port searched from a random start within its class (1-511, 600-1023,
1024-65535) or the range of the rule. A destination's port is searched from the start of the rule's range. If nothing is
found the last try is taken, and the packet is lost when it is to be confirmed. Source: get_unique_tuple and
nf_nat_l4proto_unique_tuple in net/netfilter/nf_nat_core.c (Linux 6.12).
"""

from __future__ import annotations

from engine.linux.choose import OfConnection
from engine.linux.conntrack import CtEntry, Tuple
from engine.linux.cttcp import after
from engine.linux.hashing import jhash2
from engine.linux.net import Netns
from engine.linux.packet import Proto
from engine.linux.walk.walker import Walker
from engine.record import dataclass, replace

MAX_ATTEMPTS = 128
#: in the last tries a connection in TIME_WAIT or CLOSE may be evicted for its port
HARDER = 32
#: protocols with ports that NAT may change
PORTED = (Proto.TCP, Proto.UDP, 136, Proto.SCTP, 33)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A range: addresses (0 = keep), ports (0 = not given); `device` the ifindex that MASQUERADE leaves by."""

    low: int = 0
    high: int = 0
    port_low: int = 0
    port_high: int = 0
    random: bool = False
    persistent: bool = False
    device: int = 0


def unique(w: Walker, ns: Netns, entry: CtEntry, which: str, wanted: Wanted) -> CtEntry:
    """The entry with a reply tuple within `wanted`, its flag (snat, dnat) set when something changed, and marked as
    settled for this kind."""
    current = entry.reply.mirrored()
    chosen = choose(w, ns, entry, current, which, wanted)
    done = entry.decided | (1 if which == "dst" else 2)
    if chosen == current:
        return replace(entry, decided=done)
    changed = replace(entry, reply=chosen.mirrored(), decided=done)
    return replace(changed, snat=True) if which == "src" else replace(changed, dnat=True)


def choose(w: Walker, ns: Netns, entry: CtEntry, current: Tuple, which: str, wanted: Wanted) -> Tuple:
    """get_unique_tuple: the tuple of the way out, seen from behind the translation."""
    table, now = ns.conntrack, w.net.clock

    def used(t: Tuple) -> bool:
        return table.taken(t.mirrored(), now, entry)

    if which == "src" and not wanted.random:
        if fits(current, wanted):
            if not used(current):
                return current
        else:
            mapped = mapping(ns, entry, current, wanted, now)
            if mapped is not None and not used(mapped):
                return mapped
    chosen = with_address(current, which, address(entry, current, wanted))
    if not wanted.random:
        if wanted.port_low:
            inside = port_fits(chosen, which, wanted)
            if inside and (wanted.port_low == wanted.port_high or not used(chosen)):
                return chosen
        elif not used(chosen):
            return chosen
    return search(w, ns, entry, chosen, which, wanted)


def fits(t: Tuple, wanted: Wanted) -> bool:
    """Is the source within the range?"""
    if wanted.low and not wanted.low <= t.src <= wanted.high:
        return False
    return not wanted.port_low or port_fits(t, "src", wanted)


def port_fits(t: Tuple, which: str, wanted: Wanted) -> bool:
    if t.proto == Proto.ICMP:
        return wanted.port_low <= t.sport <= wanted.port_high
    if t.proto not in (*PORTED, 47):
        return True
    return wanted.port_low <= (t.sport if which == "src" else t.dport) <= wanted.port_high


def mapping(ns: Netns, entry: CtEntry, current: Tuple, wanted: Wanted, now: float) -> Tuple | None:
    """What this very source is translated to already, by the newest connection that has it (find_appropriate_src)."""
    for one in reversed(ns.conntrack.entries.values()):
        same = (one.orig.proto, one.orig.src, one.orig.sport) == (current.proto, current.src, current.sport)
        if same and one.deadline > now and one.decided & 2 and one.zone.orig == entry.zone.orig:
            source = one.reply.mirrored()
            found = current._replace(src=source.src, sport=source.sport)
            if fits(found, wanted):
                return found
    return None


def address(entry: CtEntry, current: Tuple, wanted: Wanted) -> int:
    """One address of the range, the same for the same two ends (find_best_ips_proto); 0 = keep."""
    if wanted.high <= wanted.low:
        return wanted.low
    start = 0 if wanted.persistent else swapped(current.dst) ^ entry.zone.id
    hashed = jhash2((swapped(current.src), 0, 0, 0), start)
    return wanted.low + (hashed * (wanted.high - wanted.low + 1) >> 32)


def swapped(address: int) -> int:
    """An address as the kernel of a little-endian machine holds its four bytes in a number."""
    return int.from_bytes(address.to_bytes(4, "big"), "little")


def with_address(t: Tuple, which: str, address: int) -> Tuple:
    if not address:
        return t
    return t._replace(src=address) if which == "src" else t._replace(dst=address)


def search(w: Walker, ns: Netns, entry: CtEntry, t: Tuple, which: str, wanted: Wanted) -> Tuple:
    """nf_nat_l4proto_unique_tuple: try ports (an echo's identifiers) until one is free."""
    icmp = t.proto == Proto.ICMP
    if not icmp and t.proto not in PORTED:
        return t
    current = t.sport if icmp or which == "src" else t.dport
    if wanted.port_low:
        low, high = wanted.port_low, wanted.port_high
    elif icmp:
        low, high = 0, 65535
    elif which == "dst":
        return t
    else:
        low, high = (1, 511) if current < 512 else (600, 1023) if current < 1024 else (1024, 65535)
    span = high - low + 1
    about = OfConnection(ns.id, entry.orig)

    def start() -> int:
        if which == "dst" and not icmp:
            return w.choose.pick("nat destination port", span, about._replace(low=low))
        return w.choose.number("nat port", low, high, about) - low

    at = start() if wanted.random or which == "src" else 0
    attempts = min(span, MAX_ATTEMPTS)
    while True:
        for i in range(attempts):
            port = low + (at + i) % span
            t = t._replace(sport=port) if icmp or which == "src" else t._replace(dport=port)
            if not used_harder(ns, entry, t, attempts - i, w.net.clock):
                return t
        if attempts >= span or attempts < 16:
            return t
        attempts //= 2
        at = start()


def used_harder(ns: Netns, entry: CtEntry, t: Tuple, left: int, now: float) -> bool:
    """Is the tuple taken? In the last tries a SYN evicts a finished connection whose numbers it has passed."""
    table = ns.conntrack
    if left > HARDER or t.proto != Proto.TCP or entry.state != "SYN_SENT":
        return table.taken(t.mirrored(), now, entry)
    found = table.find(t.mirrored(), now, entry.zone)
    if found is None:
        return False
    other, way = found
    if way == "original" or other.state not in ("TIME_WAIT", "CLOSE") or other.fixed or not other.snat:
        return True
    if other.tcp is None or entry.tcp is None or not after(entry.tcp.sides[0].end, other.tcp.sides[0].end):
        return True
    table.remove(other)
    return False

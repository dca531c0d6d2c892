"""Which of several nexthops a flow takes: the kernel's own hash over the flow, against the weights' share of 2^31.

Theory. `fib_multipath_hash` hashes what the policy names (0: addresses; 1: addresses, protocol, ports; 2: the inner
addresses of a tunnel, else as 0; 3: the fields of fib_multipath_hash_fields) with siphash, whose key is
fib_multipath_hash_seed. With a seed the choice is therefore known, and computed here. Without one the kernel draws a
seed when it starts: then the first packet of a flow draws through `choose`, and the choice is kept, as the kernel's
would be. Ways of a route: `fib_select_multipath` (the first whose own address is the packet's source, then the hash);
of a nexthop group: `nexthop_select_path_hthr` (neighbours that failed are passed over). Both answer with their first
way when none fits. Sources: net/ipv4/{route,fib_semantics,nexthop}.c, net/core/flow_dissector.c, lib/siphash.c,
include/linux/jhash.h; measured on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd

from engine.linux.choose import Choose, OfRoute, Seeded
from engine.linux.fib import Lookup, Nexthop, Route, ends_in_blackhole, first_way, lookup, ways
from engine.linux.flow import FlowKey
from engine.linux.hashing import jhash2, siphash
from engine.linux.net import Net, Netns
from engine.linux.packet import Icmp, IPv4, Packet, Sctp, Tcp, Udp
from engine.linux.source import select_address
from engine.linux.status import linkdown
from engine.record import replace

MASK64 = (1 << 64) - 1
#: bits of net.ipv4.fib_multipath_hash_fields
SRC_IP, DST_IP, IP_PROTO, FLOW_LABEL, SRC_PORT, DST_PORT = 1, 2, 4, 8, 16, 32
OUTER = SRC_IP | DST_IP | IP_PROTO | FLOW_LABEL | SRC_PORT | DST_PORT
INNER_SHIFT = 6
#: NUD_VALID: a neighbour in another state has failed, or nobody knows it yet
VALID = ("PERMANENT", "NOARP", "REACHABLE", "PROBE", "STALE", "DELAY")
#: (source, destination, protocol, source port, destination port)
Fields = tuple[int, int, int, int, int]


def hash_keys(fields: Fields, seed: int) -> int:
    """`fib_multipath_hash_from_keys`: 32 bits, never 0. Addresses and ports are put in an order first, so that both
    directions of a flow hash alike."""
    src, dst, proto, sport, dport = fields
    s, d = src.to_bytes(4, "big"), dst.to_bytes(4, "big")
    if d[::-1] < s[::-1]:
        s, d = d, s
    p, q = sport.to_bytes(2, "big"), dport.to_bytes(2, "big")
    if q[::-1] < p[::-1]:
        p, q = q, p
    # struct flow_keys from `basic` on: protocol, flow label, two VLAN tags, key id, ports, ICMP, addresses, padding.
    data = b"\0\0" + bytes([proto]) + bytes(25) + p + q + bytes(4) + s + d + bytes(4)
    key = seed << 32 | seed
    return siphash(data, key, key) & 0xFFFFFFFF or 1


def key_fields(key: FlowKey) -> Fields:
    return key.src, key.dst, key.proto, key.sport, key.dport


def only(fields: Fields, wanted: int) -> Fields:
    """The fields that a mask of fib_multipath_hash_fields names, the others 0."""
    bits = (SRC_IP, DST_IP, IP_PROTO, SRC_PORT, DST_PORT)
    src, dst, proto, sport, dport = (
        value if wanted & bit else 0 for value, bit in zip(fields, bits, strict=True)
    )
    return src, dst, proto, sport, dport


def inner_of(packet: Packet) -> Packet | None:
    """The packet inside a tunnel that the dissector looks into (IP in IP), or None."""
    for at, layer in enumerate(packet.layers):
        if isinstance(layer, IPv4):
            rest = packet.layers[at + 1 :]
            return Packet(rest) if rest and isinstance(rest[0], IPv4) else None
    return None


def l3_fields(packet: Packet) -> Fields:
    """The addresses; of an ICMP error those of the packet that it is about, so that it takes the flow's own way."""
    l4 = packet.l4
    if isinstance(l4, Icmp) and l4.is_error and l4.quoted is not None:
        return l4.quoted.ip.src, l4.quoted.ip.dst, 0, 0, 0
    return packet.ip.src, packet.ip.dst, 0, 0, 0


def l4_fields(packet: Packet) -> Fields:
    """Addresses, protocol and ports as the flow dissector reads a packet; a fragment shows no ports."""
    ip, l4 = packet.ip, packet.l4
    sport, dport = (l4.sport, l4.dport) if isinstance(l4, Tcp | Udp | Sctp) and not ip.is_fragment else (0, 0)
    return ip.src, ip.dst, int(ip.proto), sport, dport


def hashed(ns: Netns, key: FlowKey, packet: Packet | None) -> tuple[tuple[Fields, ...], int]:
    """(what is hashed, policy). `packet` is given for one that comes in; made here, the key has all there is."""
    policy = int(ns.sysctl("net.ipv4.fib_multipath_hash_policy"))
    if policy == 0 or (policy == 2 and packet is None):
        return ((l3_fields(packet) if packet is not None else (key.src, key.dst, 0, 0, 0)),), policy
    if policy == 1:
        return ((l4_fields(packet) if packet is not None else key_fields(key)),), policy
    if policy == 2:
        assert packet is not None
        inner = inner_of(packet)
        return ((inner.ip.src, inner.ip.dst, 0, 0, 0) if inner is not None else l3_fields(packet),), policy
    wanted = int(ns.sysctl("net.ipv4.fib_multipath_hash_fields"))
    if packet is None:
        return ((only(key_fields(key), wanted),) if wanted & OUTER else ()), policy
    inner = inner_of(packet)
    out = [only(l4_fields(packet), wanted)] if wanted & OUTER else [(0, 0, 0, 0, -1)]
    if inner is not None and wanted >> INNER_SHIFT & OUTER:
        out.append(only(l4_fields(inner), wanted >> INNER_SHIFT))
    return tuple(out), policy


def flow_hash(seed: int, parts: Sequence[Fields], policy: int, *, by_headers: bool) -> int:
    """`fib_multipath_hash`: 31 bits."""
    values = [hash_keys(part, seed) if part[4] >= 0 else 0 for part in parts]
    if policy == 3 and by_headers:
        return jhash2((values[0], values[1] if len(values) > 1 else 0), 0) >> 1
    return values[0] >> 1 if values else 0


def bounds(hops: Sequence[Nexthop], lost: Callable[[int], bool] | None) -> list[int]:
    """`fib_rebalance`: the upper end of each way's share of 2^31; -1 for one that takes no part."""
    live = [not hop.dead and (lost is None or not lost(hop.oif)) for hop in hops]
    total = sum(hop.weight for hop, on in zip(hops, live, strict=True) if on)
    out, weight = [], 0
    for hop, on in zip(hops, live, strict=True):
        if on:
            weight += hop.weight
            out.append(((weight << 31) + total // 2) // total - 1)
        else:
            out.append(-1)
    return out


def reachable(ns: Netns, hop: Nexthop) -> bool:
    """Has the gateway's neighbour entry not failed (none is good too)?"""
    entry = ns.neighbours.get((hop.oif, hop.gateway))
    return entry is None or entry.state in VALID


def select(
    ns: Netns, route: Route, hops: Sequence[Nexthop], value: int, src: int,
    lost: Callable[[int], bool] | None,
) -> int:  # fmt: skip
    """The way for a hash."""
    if route.nhid:
        limits = bounds(hops, None)
        good = [i for i, hop in enumerate(hops) if reachable(ns, hop)]
        return next((i for i in good if value <= limits[i]), good[0] if good else 0)
    limits = bounds(hops, lost)
    choosy = ns.sysctl("net.ipv4.fib_multipath_use_neigh") != "0"
    best, score = -1, -1
    for i, hop in enumerate(hops):
        if limits[i] == -1 or (choosy and hop.gateway and not reachable(ns, hop)):
            continue
        points = 0
        if src:
            link = ns.links.get(hop.oif)
            points += 2 if select_address(ns, link, hop.gateway, route.scope) == src else 0
        points += value <= limits[i]
        if points > score:
            best, score = i, points
    if best >= 0:
        return best
    first = first_way(tuple(hops), 0, lost)
    return list(hops).index(first) if first is not None else 0


IGNORE = "ignore_routes_with_linkdown"


def lost_in(net: Net, ns: Netns) -> Callable[[int], bool]:
    """The test for devices without carrier whose routes this namespace ignores."""

    def lost(ifindex: int) -> bool:
        link = ns.links.get(ifindex)
        if link is None or not (ns.conf("all", IGNORE) or ns.conf(link.name, IGNORE)):
            return False
        return linkdown(net, ns, ifindex)

    return lost


def find(
    net: Net, ns: Netns, key: FlowKey, *, packet: Packet | None = None, choose: Choose | None = None,
    asked: bool = False,
) -> Lookup:  # fmt: skip
    """The route that a flow takes now, one way of it. `packet` is the packet itself where there is one: what comes in
    by `key.iif` is hashed by its headers, and a draw is about it. `asked`: a person asks by RTM_GETROUTE, where the
    kernel hashes a packet of its own making even for what would be sent from here."""
    lost = lost_in(net, ns)
    found = lookup(ns, key, lost=lost)
    return choose_way(ns, found, key, packet=packet, choose=choose, lost=lost, asked=asked)


def choose_way(
    ns: Netns, found: Lookup, key: FlowKey, *, packet: Packet | None = None, choose: Choose | None = None,
    lost: Callable[[int], bool] | None = None, asked: bool = False,
) -> Lookup:  # fmt: skip
    """The lookup with one way filled in. A packet that comes in is hashed by its headers, one that is made here by its
    key. Without a seed the draw is `choose`'s, once per flow and route."""
    route = found.route
    if route is None or not (route.nhid or route.nexthops):
        return found
    if route.nhid and ends_in_blackhole(ns.nexthops, route):
        return replace(found, route=replace(route, type="blackhole"))
    hops = ways(ns.nexthops, route)
    if len(hops) == 1:
        return filled(found, route, hops[0])
    if key.oif:
        hop = first_way(hops, ns.names.get(key.oif, -1), lost)
        return filled(found, route, hop if hop is not None else hops[0])
    by_headers = packet is not None and (bool(key.iif) or asked)
    parts, policy = hashed(ns, key, packet if by_headers else None)
    seed = int(ns.sysctl("net.ipv4.fib_multipath_hash_seed"))
    if seed:
        value = flow_hash(seed, parts, policy, by_headers=by_headers)
    else:
        value = drawn(ns, hops, parts, choose, packet, lost)
    return filled(found, route, hops[select(ns, route, hops, value, 0 if key.iif else key.src, lost)])


def both_ways(part: Fields) -> Fields:
    """What is hashed, the same for both directions."""
    src, dst, proto, sport, dport = part
    return min(src, dst), max(src, dst), proto, min(sport, dport), max(sport, dport)


#: a weighted draw among more shares than this is made among the ways alone
SHARES = 8


def drawn(
    ns: Netns, hops: Sequence[Nexthop], parts: tuple[Fields, ...], choose: Choose | None, shown: Packet | None,
    lost: Callable[[int], bool] | None,
) -> int:  # fmt: skip
    """A hash for a flow of which only its kernel knows the seed: drawn by the weights, then kept."""
    about = (tuple(both_ways(part) for part in parts), tuple(hops))
    if about in ns.flow_hashes:
        return ns.flow_hashes[about]
    limits = bounds(hops, lost)
    live = [i for i, limit in enumerate(limits) if limit >= 0] or [0]
    unit = gcd(*(hops[i].weight for i in live))
    tickets = [i for i in live for _ in range(hops[i].weight // unit)]
    if len(tickets) > SHARES:
        tickets = live
    way_of = [
        (ns.links[hops[i].oif].name if hops[i].oif in ns.links else "", hops[i].gateway) for i in tickets
    ]
    picker: Choose = choose if choose is not None else Seeded(hash_keys(parts[0], 1) if parts else 0)
    of = OfRoute(ns.id, shown, tuple(way_of)) if shown is not None else None
    chosen = tickets[picker.pick("nexthop", len(tickets), of)] if len(tickets) > 1 else tickets[0]
    ns.flow_hashes[about] = max(limits[chosen], 0)
    return ns.flow_hashes[about]


def filled(found: Lookup, route: Route, hop: Nexthop) -> Lookup:
    """The route with this one way in it."""
    one = replace(
        route, gateway=hop.gateway, oif=hop.oif, onlink=hop.onlink, own_gateway=hop.own_gateway, nexthops=(),
        nhid=0,
    )  # fmt: skip
    return replace(found, route=one)

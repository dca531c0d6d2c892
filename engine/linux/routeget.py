"""What `ip route get` would answer, and whether a source may come in where it does.

Theory. The two halves of `inet_rtm_getroute` (net/ipv4/route.c): without `iif` the packet is made here, with it the
packet came in. Nothing is changed by asking, but for the nexthop of a flow that is drawn and kept (multipath.py).
"""

from __future__ import annotations

from engine.linux.addr import is_loopback, is_multicast
from engine.linux.fib import LOCAL, MAIN, Lookup, Route, ways
from engine.linux.flow import FlowKey
from engine.linux.multipath import find
from engine.linux.net import Net, Netns, plain
from engine.linux.packet import Icmp, IPv4, Packet, Proto, Tcp, Udp
from engine.linux.rows import Link
from engine.linux.source import loopback, select_address
from engine.record import dataclass, replace

#: route type -> errno that ends the lookup
ERRORS = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
LAST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A route as the kernel would use it now. `error` is the errno symbol, then nothing else counts. `flags` are the
    words of the cache line; `table` 0 when it is not told; `row` is the deciding route as it stands in its table."""

    error: str = ""
    type: str = "unicast"
    gateway: int = 0
    device: str = ""
    table: int = 0
    src: int = 0
    flags: tuple[str, ...] = ()
    route: Route | None = None
    row: Route | None = None


def error_of(found: Lookup) -> str:
    """The errno of a refused lookup. A rule that says unreachable means the network, a route means the host."""
    if found.route is None or (found.route.type == "unreachable" and found.route.table == 0):
        return "ENETUNREACH"
    return ERRORS[found.route.type]


def told_table(ns: Netns, route: Route | None) -> int:
    if route is None or route.table == MAIN or (route.table == LOCAL and not ns.fib_split):
        return 0
    return route.table


def route_get(net: Net, ns: Netns, key: FlowKey) -> Answer:
    """What `ip route get` answers. Without a protocol it asks as UDP does."""
    if not key.proto:
        key = replace(key, proto=Proto.UDP)
    return coming_in(net, ns, key) if key.iif else going_out(net, ns, key)


def going_out(net: Net, ns: Netns, key: FlowKey) -> Answer:
    """`ip_route_output_key_hash_rcu`."""
    dst, src = key.dst, key.src
    if src:
        if is_multicast(src) or src == LAST:
            return Answer(error="EINVAL")
        if not ns.owns(src):
            return Answer(error="ENETUNREACH")
        if not key.oif and (is_multicast(dst) or dst == LAST):
            # A source names the device for everybody; no table is asked.
            return sent(ns, dst, Answer(device=owner_of(ns, src), src=src))
    bound = ns.link(key.oif) if key.oif else None
    if bound is not None and not bound.up:
        return Answer(error="ENETUNREACH")
    if bound is not None and (is_local_multicast(dst) or dst == LAST):
        return sent(ns, dst, Answer(device=key.oif, src=src or select_address(ns, bound, 0, "link")))
    if bound is not None and not src and (is_multicast(dst) or not dst):
        src = select_address(ns, bound, 0, "global" if dst else "host")
    if not dst:
        return Answer(type="local", device=loopback(ns), src=src or 0x7F000001, flags=("local",))
    key = replace(key, src=src)
    found = find(net, ns, key, packet=probe(key), asked=True)
    route = found.route
    if bound is not None and (route is None or route.type in ERRORS):
        route = None
    if route is None:
        if bound is None:
            return Answer(error="ENETUNREACH")
        # "Apparently, routing tables are wrong. Assume that the destination is on link."
        return sent(ns, dst, Answer(device=key.oif, src=src or select_address(ns, bound, 0, "link")))
    if route.type in ERRORS:
        return Answer(error=error_of(found))
    table = told_table(ns, route)
    if route.type == "local":
        return sent(ns, dst, Answer(
            type="local", device=loopback(ns), table=table, src=src or route.src or dst, route=route, row=found.row,
        ))  # fmt: skip
    link = ns.links[route.oif]
    gateway = 0 if route.own_gateway else route.gateway
    chosen = src or route.src or select_address(ns, link, route.gateway, route.scope)
    return sent(ns, dst, Answer(
        type=route.type, gateway=gateway, device=link.name, table=table, src=chosen, route=route, row=found.row,
    ))  # fmt: skip


def is_local_multicast(address: int) -> bool:
    """224.0.0.0/24"""
    return address >> 8 == 224 << 16


def owner_of(ns: Netns, address: int) -> str:
    """`__ip_dev_find`: the device that has this address of ours, lo for one that only a local route covers."""
    for index, rows in ns.addresses.items():
        if any(row.addr == address for row in rows):
            return ns.links[index].name
    route = ns.tables[LOCAL].match(address, plain)
    return ns.links[route.oif].name if route is not None and route.oif in ns.links else loopback(ns)


def sent(ns: Netns, dst: int, answer: Answer) -> Answer:
    """`__mkroute_output`: the flags that follow from the destination and the device."""
    link = ns.link(answer.device)
    kind, flags = answer.type, set[str]()
    if dst == LAST:
        kind = "broadcast"
    elif is_multicast(dst):
        kind = "multicast"
    outward = link is not None and link.kind != "loopback"
    if is_loopback(answer.src) and outward and not localnet(ns, answer.device):
        return Answer(error="EINVAL")
    if link is not None and link.kind == "loopback":
        flags.add("local")
    if kind == "broadcast":
        flags |= {"brd", "local"}
    elif kind == "multicast":
        flags.add("mc")
    # "If multicast route do not exist use default one, but do not gateway in this case."
    wide = answer.row is None or answer.row.dst.length < 4
    direct = kind == "broadcast" or (kind == "multicast" and wide)
    return replace(
        answer, type=kind, gateway=0 if direct else answer.gateway,
        flags=tuple(f for f in ("local", "mc", "brd") if f in flags),
    )  # fmt: skip


def probe(key: FlowKey) -> Packet:
    """The packet that the kernel builds to ask itself (inet_rtm_getroute_build_skb)."""
    ip = IPv4(src=key.src, dst=key.dst, proto=key.proto, tos=key.tos)
    l4: Tcp | Udp | Icmp
    if key.proto == Proto.TCP:
        l4 = Tcp(sport=key.sport, dport=key.dport)
    elif key.proto == Proto.UDP:
        l4 = Udp(sport=key.sport, dport=key.dport)
    else:
        l4 = Icmp(type=8)
    return Packet((ip, l4))


def coming_in(net: Net, ns: Netns, key: FlowKey) -> Answer:
    """`ip_route_input_slow`."""
    dst, src, iif = key.dst, key.src, key.iif
    link = ns.links[ns.names[iif]]
    if is_multicast(src) or src == LAST:
        return Answer(error="EINVAL")
    if is_multicast(dst):
        # No group is joined here but that of all hosts, which no router answers for.
        return Answer(error="EINVAL")
    if dst == LAST or (not src and not dst):
        return Answer(type="broadcast", device=loopback(ns), flags=("local", "brd"))
    if not src or not dst:
        return Answer(error="EINVAL")
    if (is_loopback(src) or is_loopback(dst)) and not localnet(ns, iif):
        return Answer(error="EINVAL")
    forwarding = bool(ns.conf(iif, "forwarding"))
    # What comes in has no source to match a nexthop's own address with.
    found = find(net, ns, replace(key, oif=""), packet=probe(key))
    route = found.route
    table = told_table(ns, route)
    if route is not None and route.type == "broadcast":
        # The way back from a broadcast is asked for nobody.
        if src and validate_source(net, ns, replace(key, dst=0), link, "").refused:
            return Answer(error="EINVAL")
        return Answer(
            type="broadcast",
            device=loopback(ns),
            table=table,
            flags=("local", "brd"),
            route=route,
            row=found.row,
        )
    if route is None:
        return Answer(error="ENETUNREACH" if forwarding else "EHOSTUNREACH")
    if route.type in ERRORS:
        return Answer(error=error_of(found) if forwarding else "EHOSTUNREACH")
    if route.type == "local":
        if validate_source(net, ns, key, link, "").refused:
            return Answer(error="EINVAL")
        return Answer(
            type="local", device=loopback(ns), table=table, flags=("local",), route=route, row=found.row
        )
    if not forwarding:
        return Answer(error="EHOSTUNREACH")
    out = ns.links[route.oif]
    source = validate_source(net, ns, key, link, out.name)
    if source.refused:
        return Answer(error="EINVAL")
    redirect = (
        out.ifindex == link.ifindex
        and source.beside
        and redirects(ns, out.name)
        and (bool(ns.conf("all", "shared_media") or ns.conf(out.name, "shared_media"))
             or route.gateway == 0)
    )  # fmt: skip
    return Answer(
        type=route.type, gateway=0 if route.own_gateway else route.gateway, device=out.name, table=table, route=route,
        row=found.row, flags=("redirect",) if redirect else (),
    )  # fmt: skip


def localnet(ns: Netns, device: str) -> bool:
    return bool(ns.conf("all", "route_localnet") or ns.conf(device, "route_localnet"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """May a source come in here? `refused` is "" for yes, else martian, strict or loose (by rp_filter); `row` is the
    route back that decided; `beside`: the source is a neighbour on this very device."""

    refused: str = ""
    row: Route | None = None
    beside: bool = False


def redirects(ns: Netns, device: str) -> bool:
    return bool(ns.conf("all", "send_redirects") or ns.conf(device, "send_redirects"))


def validate_source(net: Net, ns: Netns, key: FlowKey, link: Link, out: str) -> Source:
    """`fib_validate_source`. `out` is the device by which the packet would leave, "" when it is for this host: the way
    back is asked as if it came in there. Without rp_filter, rules and local routes of one's own only the addresses of
    this host are refused."""
    strict = max(ns.conf("all", "rp_filter"), ns.conf(link.name, "rp_filter"))
    accept_local = bool(ns.conf("all", "accept_local") or ns.conf(link.name, "accept_local"))
    if not strict and (link.name != out or not redirects(ns, link.name)):
        if accept_local:
            return Source()
        if not ns.custom_local and not ns.fib_split:
            own = any(a.addr == key.src for rows in ns.addresses.values() for a in rows)
            return Source(refused="martian" if own else "")
    marked = ns.conf("all", "src_valid_mark") or ns.conf(link.name, "src_valid_mark")
    found = find(net, ns, FlowKey(
        dst=key.src, src=key.dst, iif=out, tos=key.tos, proto=key.proto, sport=key.dport, dport=key.sport,
        mark=key.mark if marked else 0,
    ))  # fmt: skip
    back, row = found.route, found.row
    unknown = Source(refused={1: "strict", 2: "loose"}.get(strict, ""), row=row)
    if back is None or row is None or back.type in ERRORS:
        return unknown
    if back.type != "unicast" and not (back.type == "local" and accept_local):
        return Source(refused="martian", row=row)
    for hop in ways(ns.nexthops, row):
        if hop.oif == link.ifindex:
            return Source(row=row, beside=not back.gateway)
    if not ns.addresses.get(link.ifindex):
        return unknown
    return Source(refused="strict" if strict == 1 else "", row=row)

"""Routing decisions inside the walk: the look-up, why it chose what it chose, and the ways a route refuses a packet.

Rules. Nothing here moves a packet: `inbound.py` and `outbound.py` do. `route_of` and `find_route` are the only
doors to the look-up.
Sources: facts 10 section 1.1; net/ipv4/{route,fib_frontend}.c.
"""

from __future__ import annotations

from engine.linux.addr import is_loopback, text4
from engine.linux.fib import TABLE_NAMES, Lookup, Route
from engine.linux.flow import FlowKey, of_packet
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.multipath import find
from engine.linux.net import Net, Netns, PathMtu
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.source import select_address
from engine.linux.walk import deliver, rowtext, words
from engine.linux.walk.walker import End, Walker
from engine.record import replace

#: route type -> (why, errno of a local sender, ICMP code for a remote one; None = silence)
BAD_TYPES = {
    "blackhole": (words.BLACKHOLE, "EINVAL", None),
    "unreachable": (words.UNREACHABLE, "EHOSTUNREACH", 1),
    "prohibit": (words.PROHIBIT, "EACCES", 13),
}


def find_route(net: Net, ns: Netns, dst: int, *, src: int = 0, oif: str = "") -> Lookup:
    """The route for a new flow of which no more is known yet: to this address, from this one, by this device."""
    return find(net, ns, FlowKey(dst=dst, src=src, oif=oif))


def route_of(w: Walker, ns: Netns, skb: Skb, *, iif: str = "", unbound: bool = False) -> Lookup:
    """The route of a packet: by its own key, and with `iif` as one that comes in by that device. `unbound`: its socket
    has no address yet, whatever the packet says."""
    key = of_packet(skb.packet, iif=iif, oif="" if iif else skb.bound, mark=skb.mark, uid=skb.uid)
    return find(w.net, ns, replace(key, src=0) if unbound else key, packet=skb.packet, choose=w.choose)


def explain_route(w: Walker, ns: Netns, place: Place, packet: Packet, found: Lookup, src: int) -> None:
    route = found.route
    assert route is not None
    dst, oif = text4(packet.ip.dst), ns.links[route.oif].name if route.oif else "-"
    table = TABLE_NAMES.get(route.table, str(route.table))
    if route.gateway:
        why = words.ROUTED(dst=dst, table=table, oif=oif, hop=text4(route.gateway))
    else:
        why = words.ROUTED_DIRECT(dst=dst, table=table, oif=oif)
    after = packet.with_ip(src=src) if src else packet
    w.step(StepKind.ROUTE, place, packet, after, why, row=rowtext.route(ns, route), table=table)


def bad_type(w: Walker, ns: Netns, skb: Skb, place: Place, route: Route, *, local: bool) -> End:
    phrase, error, code = BAD_TYPES[route.type]
    if route.type == "unreachable" and not route.table:
        # a rule that says so, and no route: fib4_rule_action
        error, code = "ENETUNREACH", 0
    why = phrase(dst=text4(skb.packet.ip.dst))
    answer = None if local or code is None else deliver.icmp_error(ns, skb, 3, code)
    outcome = Outcome.DROPPED if route.type == "blackhole" else Outcome.NO_ROUTE
    row = rowtext.route(ns, route)
    return w.drop(place, skb.packet, why, outcome, error=error if local else "", answer=answer, row=row)


def way_mtu(w: Walker, ns: Netns, route: Route, dst: int, *, forwarded: bool = False) -> PathMtu:
    """`ip_dst_mtu_maybe_forward`: the MTU of a way and whether it is locked. What ICMP errors have taught counts for
    own packets, and for forwarded ones where ip_forward_use_pmtu says so; then the route's own, then the device's."""
    known = ns.path_mtus.get(dst)
    if known is not None and known.until <= w.net.clock:
        del ns.path_mtus[dst]
        known = None
    trusted = not forwarded or route.mtu_lock or ns.sysctl("net.ipv4.ip_forward_use_pmtu") != "0"
    plain = route.mtu or out_device(ns, route).mtu
    if known is not None and trusted and route.type != "local":
        return known._replace(mtu=min(known.mtu, plain), locked=known.locked or route.mtu_lock)
    return PathMtu(plain, 0.0, route.mtu_lock)


def learn_mtu(w: Walker, ns: Netns, dst: int, mtu: int) -> None:
    """`__ip_rt_update_pmtu`: what an ICMP error says about the way to `dst`. Less than min_pmtu is not believed but
    locks the way at that; a locked route learns nothing, and ip_no_pmtu_disc 2 and 3 do not listen."""
    route = find_route(w.net, ns, dst).route
    if route is None or route.mtu_lock or ns.sysctl("net.ipv4.ip_no_pmtu_disc") in ("2", "3"):
        return
    least = int(ns.sysctl("net.ipv4.route.min_pmtu"))
    until = w.net.clock + float(ns.sysctl("net.ipv4.route.mtu_expires"))
    old = way_mtu(w, ns, route, dst).mtu
    if old < mtu or route.type not in ("unicast", "local"):
        return
    ns.path_mtus[dst] = PathMtu(min(old, least), until, True) if mtu < least else PathMtu(mtu, until)


def reroute_refused(w: Walker, ns: Netns, skb: Skb, place: Place) -> End | None:
    """After a DNAT or a new mark in OUTPUT the kernel looks for the new route at once; without one the packet ends
    there. A loopback source may leave only where route_localnet allows it (__mkroute_output in net/ipv4/route.c)."""
    ip = skb.packet.ip
    skb.routed = skb.mark
    route = route_of(w, ns, skb).route
    if route is None:
        return w.drop(
            place, skb.packet, words.NO_ROUTE(dst=text4(ip.dst)), Outcome.NO_ROUTE, error="ENETUNREACH"
        )
    if route.type in BAD_TYPES:
        return bad_type(w, ns, skb, place, route, local=True)
    out = out_device(ns, route)
    allowed = ns.conf("all", "route_localnet") or ns.conf(out.name, "route_localnet")
    if is_loopback(ip.src) and out.kind != "loopback" and not allowed:
        why = words.LOOPBACK_LEAVES(src=text4(ip.src), dev=out.name)
        return w.drop(place, skb.packet, why, Outcome.DROPPED, error="EINVAL")
    return None


def out_device(ns: Netns, route: Route) -> Link:
    """lo for what stays here, else the route's device."""
    return ns.links[1] if route.type == "local" else ns.links[route.oif]


def next_hop(route: Route, dst: int) -> int:
    """The address that must be resolved: the gateway, or the destination itself (also behind a gateway of our own)."""
    return route.gateway if route.gateway and not route.own_gateway else dst


def choose_source(ns: Netns, route: Route, dst: int) -> int:
    """The source address of a new connection: the route's src, the address itself for a local destination, else
    the device's primary address (man ip-route, `src`)."""
    if route.src:
        return route.src
    if route.type == "local":
        return dst
    return select_address(ns, ns.links[route.oif], next_hop(route, dst), route.scope)

"""Packets that come in: PREROUTING, the checks of the source, the route, then INPUT and the socket, or FORWARD.

Theory, forwarded: PREROUTING, source check and route, TTL and MTU, FORWARD, and on to `outbound.output`.
To this host: PREROUTING, route (table local), INPUT, socket. Sources: facts 10 section 1.1;
net/ipv4/{ip_input,ip_forward,fib_frontend}.c.
"""

from __future__ import annotations

from engine.linux.addr import is_loopback, is_multicast, text4
from engine.linux.fib import Route
from engine.linux.flow import FlowKey, of_packet
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Packet
from engine.linux.routeget import localnet, validate_source
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.walk import deliver, fragments, hooks, outbound, routing, rowtext, words
from engine.linux.walk.walker import End, Event, LoopBack, Walker
from engine.say import Said


def receive(w: Walker, ns: Netns, link: Link, frame: Packet, prerouted: Skb | None, mark: int = 0) -> Event:
    """An IPv4 packet enters by `link`. `prerouted` is the skb of a bridge port where PREROUTING has run already."""
    place = w.at(ns, link.name, "in")
    if (ns.id, link.ifindex) in w.seen:
        w.revisited = True
    w.seen.add((ns.id, link.ifindex))
    if prerouted is not None:
        skb = prerouted
        skb.packet, skb.iif = frame.unframed(), link.name
    else:
        skb = Skb(packet=frame.unframed(), iif=link.name, mark=mark, came=frame.eth)
        end = hooks.run_hook(w, ns, "PREROUTING", skb, place)
        if end is not None:
            return end
    return route_input(w, ns, link, skb, place)


def receive_loopback(w: Walker, event: LoopBack) -> Event:
    """What left by lo comes in by lo: its connection stays with it, and so does its route (no new look-up)."""
    ns, skb = w.net.spaces[event.netns], event.skb
    lo = ns.links[1]
    place = w.at(ns, lo.name, "in")
    w.step(StepKind.RECEIVE, place, skb.packet, why=words.INTO(dev=lo.name))
    skb.iif, skb.oif, skb.local = lo.name, "", False
    end = hooks.run_hook(w, ns, "PREROUTING", skb, place)
    if end is not None:
        return end
    dst = skb.packet.ip.dst
    if not ns.owns(dst):
        return route_input(w, ns, lo, skb, place)
    return local_in(w, ns, skb, place, routing.find_route(w.net, ns, dst).route)


def route_input(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place) -> Event:
    """Where does a packet from the wire go: here, onward, nowhere? Martians and rp_filter are judged here."""
    packet = skb.packet
    ip = packet.ip
    if is_multicast(ip.dst) or ip.dst == 0xFFFFFFFF:
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    strange = martian(ns, link, packet)
    if strange is not None:
        return w.drop(place, packet, strange, Outcome.DROPPED)
    found = routing.route_of(w, ns, skb, iif=link.name)
    route = found.route
    forwarding = bool(ns.conf(link.name, "forwarding"))
    if route is not None and route.type == "broadcast":
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    if route is not None and route.type == "local":
        end = check_source(w, ns, link, skb, place)
        return end if end is not None else local_in(w, ns, skb, place, route)
    if not forwarding:
        return w.drop(place, packet, words.NO_FORWARDING(), Outcome.DROPPED, row="net.ipv4.ip_forward = 0")
    if route is None:
        why = words.NO_ROUTE(dst=text4(ip.dst))
        return w.drop(place, packet, why, Outcome.NO_ROUTE, answer=deliver.icmp_error(ns, skb, 3, 0))
    if route.type in routing.BAD_TYPES:
        return routing.bad_type(w, ns, skb, place, route, local=False)
    end = check_source(w, ns, link, skb, place, ns.links[route.oif].name)
    if end is not None:
        return end
    routing.explain_route(w, ns, place, packet, found, src=0)
    return forward(w, ns, link, skb, place, route)


def martian(ns: Netns, link: Link, packet: Packet) -> Said | None:
    """Why an address may not come in by `link` at all, or None."""
    src, dst = packet.ip.src, packet.ip.dst
    localnet = max(ns.conf("all", "route_localnet"), ns.conf(link.name, "route_localnet"))
    if is_multicast(src) or src == 0xFFFFFFFF or (is_loopback(src) and not localnet):
        return words.MARTIAN_SOURCE(src=text4(src), iif=link.name)
    if is_loopback(dst) and not localnet:
        return words.MARTIAN_DESTINATION(dst=text4(dst), iif=link.name)
    return None


def martian_source(ns: Netns, link: Link, src: int) -> bool:
    """May this source come in by no device at all, or only where loopback addresses may?"""
    return src == 0xFFFFFFFF or (is_loopback(src) and not localnet(ns, link.name))


def check_source(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place, out: str = "") -> End | None:
    """Own addresses as source (martian) and rp_filter. `out` is the device of the onward route, "" for this host."""
    key = of_packet(skb.packet, iif=link.name, mark=skb.mark)
    refused = refused_source(w, ns, link, key, out)
    if refused is None:
        return None
    why, outcome, row = refused
    return w.drop(place, skb.packet, why, outcome, row=row)


def refused_source(
    w: Walker, ns: Netns, link: Link, key: FlowKey, out: str
) -> tuple[Said, Outcome, str] | None:
    """(why, outcome, row) when the source may not come in by `link`. ARP questions are judged by it too."""
    if key.src == 0:
        return None
    source = validate_source(w.net, ns, key, link, out)
    if not source.refused:
        return None
    src = text4(key.src)
    if source.refused == "martian":
        return words.MARTIAN_SOURCE(src=src, iif=link.name), Outcome.DROPPED, ""
    row = rowtext.route(ns, source.row) if source.row is not None else ""
    strict = source.refused == "strict"
    why = words.RP_STRICT(src=src, iif=link.name) if strict else words.RP_LOOSE(src=src)
    return why, Outcome.REVERSE_PATH_FILTERED, row


def local_in(w: Walker, ns: Netns, skb: Skb, place: Place, route: Route | None) -> Event:
    """The whole datagram, INPUT, then the socket."""
    if skb.packet.ip.is_fragment:
        held = fragments.collect(w, ns, skb, place, "local")
        if held is not None:
            return held
    row = rowtext.route(ns, route) if route is not None else ""
    w.step(StepKind.LOCAL, place, skb.packet, why=words.IS_LOCAL(dst=text4(skb.packet.ip.dst)), row=row)
    end = hooks.run_hook(w, ns, "INPUT", skb, place)
    return end if end is not None else deliver.deliver(w, ns, skb, place)


def forward(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place, route: Route) -> Event:
    """TTL, MTU, FORWARD, POSTROUTING, out."""
    packet = skb.packet
    if skb.steered is not None:
        return w.drop(place, packet, words.STEERED(), Outcome.DROPPED)
    out = ns.links[route.oif]
    if packet.ip.ttl <= 1:
        outcome = Outcome.LOOP if w.revisited else Outcome.TTL_EXCEEDED
        return w.drop(place, packet, words.TTL_ZERO(), outcome, answer=deliver.icmp_error(ns, skb, 11, 0))
    mtu = routing.way_mtu(w, ns, route, packet.ip.dst, forwarded=True).mtu
    if packet.ip_length() > mtu and packet.ip.df:
        size = packet.ip_length()
        why = words.MTU_EXCEEDED(size=size, oif=out.name, mtu=mtu)
        answer = deliver.icmp_error(ns, skb, 3, 4, mtu=mtu)
        return w.drop(place, packet, why, Outcome.TOO_BIG, answer=answer)
    skb.packet = packet.with_ip(ttl=packet.ip.ttl - 1)
    why = words.FORWARDED(iif=link.name, oif=out.name, old=packet.ip.ttl, new=packet.ip.ttl - 1)
    w.step(StepKind.FORWARD, place, packet, skb.packet, why)
    skb.oif = out.name
    end = hooks.run_hook(w, ns, "FORWARD", skb, place)
    if end is not None:
        return end
    return outbound.output(w, ns, skb, route, place)

"""Packets that go out: made here (`send`), or forwarded (`output`).

Theory. From this host: route (which chooses the source), OUTPUT, route again if the destination or the mark changed,
POSTROUTING, neighbour, device. Source: facts 10 section 1.1; net/ipv4/ip_output.c.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.addr import is_multicast, text4
from engine.linux.fib import Route
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Ethernet, Packet, Proto, describe
from engine.linux.skb import Skb
from engine.linux.walk import arp, deliver, fragments, hooks, l2, routing, rowtext, track, words
from engine.linux.walk.walker import End, Event, LoopBack, Walker
from engine.record import replace


def send(
    w: Walker,
    ns: Netns,
    packet: Packet,
    *,
    who: str = "",
    mark: int = 0,
    uid: int = -1,
    bound: str = "",
    ct_of: Skb | None = None,
    cuttable: bool = False,
    unbound: bool = False,
) -> Event:
    """A packet is made in `ns`. Its source may be 0 (the route chooses), and its TTL (ip_default_ttl).
    `who` names the program, "" the kernel. `cuttable`: a socket that asks for DF where the packet fits and lets it be
    cut where it does not (IP_PMTUDISC_WANT, what a datagram's socket does when nobody says otherwise).
    `unbound`: the socket has no address of its own, so that the route is asked without a source (no rule's `from`
    holds, and a hash does not see it)."""
    skb = Skb(packet=packet, mark=mark, uid=uid, gid=uid, local=True, bound=bound)
    place = w.at(ns, program=who or "kernel")
    w.net.next_ident = w.net.next_ident + 1 & 0xFFFF or 1
    packet = packet.with_ip(ident=w.net.next_ident, ttl=packet.ip.ttl or deliver.default_ttl(ns))
    skb.packet = packet
    dst = packet.ip.dst
    if is_multicast(dst) or dst == 0xFFFFFFFF:
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    found = routing.route_of(w, ns, skb, unbound=unbound)
    route = found.route
    if route is None:
        why = words.NO_ROUTE(dst=text4(dst))
        return w.drop(place, packet, why, Outcome.NO_ROUTE, error="ENETUNREACH")
    if route.type in routing.BAD_TYPES:
        return routing.bad_type(w, ns, skb, place, route, local=True)
    if route.type == "broadcast":
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    src = packet.ip.src
    if src == 0:
        src = routing.choose_source(ns, route, dst)
        if src == 0 and route.type != "local":
            return w.drop(
                place, packet, words.NO_ROUTE(dst=text4(dst)), Outcome.NO_ROUTE, error="EADDRNOTAVAIL"
            )
    if route.type == "local":
        routed = packet.with_ip(src=src)
        w.step(
            StepKind.ROUTE,
            place,
            packet,
            routed,
            words.IS_LOCAL(dst=text4(dst)),
            row=rowtext.route(ns, route),
        )
    else:
        routing.explain_route(w, ns, place, packet, found, src=src)
    packet = packet.with_ip(src=src)
    skb.packet = packet = with_df(w, ns, route, packet, cuttable)
    phrase = (
        words.SENT(who=who, packet=describe(packet)) if who else words.KERNEL_SENT(packet=describe(packet))
    )
    w.step(StepKind.SEND, place, packet, why=phrase)
    oif = routing.out_device(ns, route)
    size, known = packet.ip_length(), routing.way_mtu(w, ns, route, dst)
    if packet.ip.df and size > known.mtu:
        why = words.MTU_EXCEEDED(size=size, oif=oif.name, mtu=known.mtu)
        return w.drop(place, packet, why, Outcome.TOO_BIG, error="EMSGSIZE")
    if ct_of is not None and ct_of.ct is not None:
        track.attach(skb, ct_of)
    return local_out(w, ns, skb, route, place)


def with_df(w: Walker, ns: Netns, route: Route, packet: Packet, cuttable: bool) -> Packet:
    """DF as the sender's kernel sets it (ip_dont_fragment): not on a locked way, not where path MTUs are not to be
    discovered, and not on a datagram that must be cut."""
    if not packet.ip.df:
        return packet
    known = routing.way_mtu(w, ns, route, packet.ip.dst)
    wants = cuttable or packet.ip.proto == Proto.TCP
    if wants and (known.locked or ns.sysctl("net.ipv4.ip_no_pmtu_disc") != "0"):
        return packet.with_ip(df=False)
    return packet.with_ip(df=False) if cuttable and packet.ip_length() > known.mtu else packet


def local_out(w: Walker, ns: Netns, skb: Skb, route: Route, place: Place, *, came_from: str = "") -> Event:
    """OUTPUT, the route once more if that changed the destination or the mark, and out (ip_local_out). `came_from`: the
    tunnel device that POSTROUTING sees as the input device."""
    skb.oif = routing.out_device(ns, route).name
    end = hooks.run_hook(w, ns, "OUTPUT", skb, place)
    if end is not None:
        return end
    if skb.routed >= 0:
        now, held = skb.packet.ip, skb.mark
        skb.mark = skb.routed
        again = routing.route_of(w, ns, skb)
        skb.mark = held
        if again.route is None:
            return w.drop(
                place, skb.packet, words.NO_ROUTE(dst=text4(now.dst)), Outcome.NO_ROUTE, error="ENETUNREACH"
            )
        if again.route.type in routing.BAD_TYPES:
            return routing.bad_type(w, ns, skb, place, again.route, local=True)
        route = again.route
        w.step(StepKind.ROUTE, place, skb.packet, why=words.REROUTED(), row=rowtext.route(ns, route))
        skb.oif = routing.out_device(ns, route).name
    skb.iif = came_from
    return output(w, ns, skb, route, place)


def output(w: Walker, ns: Netns, skb: Skb, route: Route, place: Place) -> Event:
    """POSTROUTING, then the neighbour and the device (or lo)."""
    out = routing.out_device(ns, route)
    hop = routing.next_hop(route, skb.packet.ip.dst)
    skb.oif, skb.hop, skb.tunnel = out.name, hop, route.encap or skb.tunnel
    at = w.at(ns, out.name, "out")
    end = hooks.run_hook(w, ns, "POSTROUTING", skb, at)
    if end is not None:
        return end
    if out.kind == "loopback":
        if not out.up:
            return w.drop(at, skb.packet, words.DEVICE_DOWN(dev=out.name), Outcome.DROPPED)
        w.step(StepKind.TRANSMIT, at, skb.packet, why=words.OUT_OF(dev=out.name))
        return LoopBack(netns=ns.id, skb=skb)
    mtu = routing.way_mtu(w, ns, route, skb.packet.ip.dst, forwarded=not skb.local).mtu
    if skb.packet.length() > mtu and skb.packet.ip.df:
        why = words.MTU_EXCEEDED(size=skb.packet.length(), oif=out.name, mtu=mtu)
        answer = deliver.icmp_error(ns, skb, 3, 4, mtu=mtu)
        error = "EMSGSIZE" if skb.local else ""
        return w.drop(at, skb.packet, why, Outcome.TOO_BIG, error=error, answer=answer)
    pieces = fragments.pieces_of(skb, mtu)
    if out.headerless:
        return away(w, at, skb, pieces, mtu, lambda one, piece: l2.transmit(
            one, ns, out, piece, mark=skb.mark, skb=skb if piece is skb.packet else replace(skb, packet=piece)
        ))  # fmt: skip
    entry, event = arp.resolve(w, ns, out, hop, skb.packet, at)
    if entry is None:
        assert isinstance(event, End)
        if not skb.local:
            return replace(event, answer=deliver.icmp_error(ns, skb, 3, 1), error="")
        return event
    header = Ethernet(src=out.mac, dst=entry.mac)
    return away(w, at, skb, pieces, mtu, lambda one, piece: l2.transmit(
        one, ns, out, piece.framed(header), mark=skb.mark,
        skb=skb if piece is skb.packet else replace(skb, packet=piece),
    ))  # fmt: skip


def away(
    w: Walker, place: Place, skb: Skb, pieces: list[Packet], mtu: int, send: Callable[[Walker, Packet], Event]
) -> Event:
    """The packet as it is, or its fragments one by one."""
    if len(pieces) == 1:
        return send(w, pieces[0])
    return fragments.each(w, place, skb.packet, pieces, mtu, send)

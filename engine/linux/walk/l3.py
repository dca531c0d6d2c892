"""Packets: the five hooks in the kernel's order, routing, forwarding, sending.

Theory, forwarded: PREROUTING, source check and route, TTL and MTU, FORWARD, POSTROUTING, neighbour, device.
To this host: PREROUTING, route (table local), INPUT, socket. From this host: route (which chooses the source),
OUTPUT, route again if the destination or the mark changed, POSTROUTING, neighbour, device. Which tables a hook
runs, and where conntrack and NAT stand between them, is `xt.tables.LAYOUT` and `run_hook`. Sources: facts 10
section 1.1; net/ipv4/{ip_input,ip_forward,ip_output,route,fib_frontend}.c.
"""

from __future__ import annotations

from dataclasses import replace

from engine.linux.addr import is_loopback, is_multicast, text4
from engine.linux.fib import TABLE_NAMES, Lookup, Route, lookup
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Ethernet, Packet, describe
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.source import select_address
from engine.linux.walk import arp, deliver, l2, nat, rowtext, words
from engine.linux.walk.walker import End, Event, LoopBack, Walker
from engine.linux.xt.run import run_chain
from engine.linux.xt.tables import LAYOUT
from engine.say import Said

#: route type -> (why, errno of a local sender, ICMP code for a remote one; None = silence)
BAD_TYPES = {
    "blackhole": (words.BLACKHOLE, "EINVAL", None),
    "unreachable": (words.UNREACHABLE, "EHOSTUNREACH", 1),
    "prohibit": (words.PROHIBIT, "EACCES", 13),
}
CONNTRACK_PRIORITY = -200


def find_route(ns: Netns, dst: int, *, src: int = 0, iif: str = "", oif: str = "", mark: int = 0) -> Lookup:
    """The kernel's lookup; with `oif` only routes out of that device count (a bound socket)."""
    if oif and oif in ns.names:
        index = ns.names[oif]
        return lookup(
            ns.rules, ns.tables, dst, src=src, iif=iif, oif=oif, mark=mark,
            usable=lambda r: r.oif in (0, index) or r.type == "local", split=ns.fib_split,
        )  # fmt: skip
    return lookup(ns.rules, ns.tables, dst, src=src, iif=iif, oif=oif, mark=mark, split=ns.fib_split)


# -- hooks --------------------------------------------------------------------------------------------------


def run_hook(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """All tables of a hook in priority order, with conntrack and NAT at their places. An End stops the packet."""
    tracked = hook not in ("PREROUTING", "OUTPUT")
    mark = skb.mark
    for table, priority in LAYOUT[hook]:
        if not tracked and priority > CONNTRACK_PRIORITY:
            nat.track(w, ns, skb, place)
            tracked = True
        end = (
            nat.run(w, ns, hook, skb, place) if table == "nat" else run_table(w, ns, table, hook, skb, place)
        )
        if end is None and hook == "OUTPUT" and table == "mangle" and skb.mark != mark:
            end = reroute_refused(w, ns, skb, place)
        if end is not None:
            return end
    if hook in ("POSTROUTING", "INPUT"):
        nat.confirm(w, ns, hook, skb, place)
    return None


hook_tables = run_hook


def prerouting(w: Walker, ns: Netns, skb: Skb, place: Place) -> End | None:
    return run_hook(w, ns, "PREROUTING", skb, place)


def postrouting(w: Walker, ns: Netns, skb: Skb, place: Place) -> End | None:
    return run_hook(w, ns, "POSTROUTING", skb, place)


def run_table(w: Walker, ns: Netns, table: str, hook: str, skb: Skb, place: Place) -> End | None:
    """One table of a hook; DROP and REJECT end the packet."""
    if table not in ns.xt.tables:
        return None
    steps, verdict = run_chain(w.net, ns, table, hook, skb, place, w.choose)
    w.steps.extend(steps)
    if verdict.word == "accept":
        return None
    last = verdict.step if verdict.step is not None else (steps[-1] if steps else None)
    row = last.row if last is not None else ""
    if verdict.word == "drop":
        policy = last is not None and last.kind is StepKind.POLICY
        why = words.DROPPED_BY_POLICY(chain=hook) if policy else words.DROPPED_BY_RULE()
        return w.drop(place, skb.packet, why, Outcome.DROPPED, row=row, hook=hook, error=local_error(skb))
    why = words.REJECTED_BY_RULE(how=verdict.reject)
    answer = deliver.reject(ns, skb, verdict.reject)
    return w.drop(
        place, skb.packet, why, Outcome.REJECTED, row=row, hook=hook, answer=answer, error=local_error(skb)
    )


def local_error(skb: Skb) -> str:
    """A packet that netfilter stops on its way out: sendto and sendmsg see EPERM (TCP hides it)."""
    return "EPERM" if skb.local else ""


# -- in -----------------------------------------------------------------------------------------------------


def receive(w: Walker, ns: Netns, link: Link, frame: Packet, prerouted: Skb | None) -> Event:
    """An IPv4 packet enters by `link`. `prerouted` is the skb of a bridge port where PREROUTING has run already."""
    place = w.at(ns, link.name, "in")
    if (ns.id, link.ifindex) in w.seen:
        w.revisited = True
    w.seen.add((ns.id, link.ifindex))
    if prerouted is not None:
        skb = prerouted
        skb.packet, skb.iif = frame.unframed(), link.name
    else:
        skb = Skb(packet=frame.unframed(), iif=link.name)
        end = prerouting(w, ns, skb, place)
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
    end = prerouting(w, ns, skb, place)
    if end is not None:
        return end
    dst = skb.packet.ip.dst
    if not ns.owns(dst):
        return route_input(w, ns, lo, skb, place)
    return local_in(w, ns, skb, place, find_route(ns, dst).route)


def route_input(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place) -> Event:
    """Where does a packet from the wire go: here, onward, nowhere? Martians and rp_filter are judged here."""
    packet = skb.packet
    ip = packet.ip
    if is_multicast(ip.dst) or ip.dst == 0xFFFFFFFF:
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    strange = martian(ns, link, packet)
    if strange is not None:
        return w.drop(place, packet, strange, Outcome.DROPPED)
    found = find_route(ns, ip.dst, src=ip.src, iif=link.name, mark=skb.mark)
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
    if route.type in BAD_TYPES:
        return bad_type(w, ns, skb, place, route, local=False)
    end = check_source(w, ns, link, skb, place)
    if end is not None:
        return end
    explain_route(w, ns, place, packet, found, src=0)
    return forward(w, ns, link, skb, place, route)


def bad_type(w: Walker, ns: Netns, skb: Skb, place: Place, route: Route, *, local: bool) -> End:
    phrase, error, code = BAD_TYPES[route.type]
    why = phrase(dst=text4(skb.packet.ip.dst))
    answer = None if local or code is None else deliver.icmp_error(ns, skb, 3, code)
    outcome = Outcome.DROPPED if route.type == "blackhole" else Outcome.NO_ROUTE
    row = rowtext.route(ns, route)
    return w.drop(place, skb.packet, why, outcome, error=error if local else "", answer=answer, row=row)


def martian(ns: Netns, link: Link, packet: Packet) -> Said | None:
    """Why an address may not come in by `link` at all, or None."""
    src, dst = packet.ip.src, packet.ip.dst
    localnet = max(ns.conf("all", "route_localnet"), ns.conf(link.name, "route_localnet"))
    if is_multicast(src) or src == 0xFFFFFFFF or (is_loopback(src) and not localnet):
        return words.MARTIAN_SOURCE(src=text4(src), iif=link.name)
    if is_loopback(dst) and not localnet:
        return words.MARTIAN_DESTINATION(dst=text4(dst), iif=link.name)
    return None


def check_source(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place) -> End | None:
    """Own addresses as source (martian) and rp_filter, as fib_validate_source does."""
    refused = refused_source(ns, link, skb.packet.ip.src, skb.packet.ip.dst)
    if refused is None:
        return None
    why, outcome, row = refused
    return w.drop(place, skb.packet, why, outcome, row=row)


def refused_source(ns: Netns, link: Link, src: int, dst: int) -> tuple[Said, Outcome, str] | None:
    """(why, outcome, row) when `src` may not come in by `link` for `dst`. ARP questions are judged by it too."""
    if src == 0:
        return None
    accept_local = max(ns.conf("all", "accept_local"), ns.conf(link.name, "accept_local"))
    if ns.owns(src) and not accept_local:
        return words.MARTIAN_SOURCE(src=text4(src), iif=link.name), Outcome.DROPPED, ""
    mode = max(ns.conf("all", "rp_filter"), ns.conf(link.name, "rp_filter"))
    if not mode:
        return None
    back = find_route(ns, src, src=dst, mark=0).route
    row = rowtext.route(ns, back) if back is not None else ""
    if back is not None and back.type == "unicast" and back.oif == link.ifindex:
        return None
    if back is None or back.type not in ("unicast", "local"):
        phrase = words.RP_LOOSE if mode == 2 else words.RP_STRICT
    elif mode == 1 and back.type == "unicast":
        phrase = words.RP_STRICT
    else:
        return None
    why = phrase(src=text4(src), iif=link.name) if phrase is words.RP_STRICT else phrase(src=text4(src))
    return why, Outcome.REVERSE_PATH_FILTERED, row


def local_in(w: Walker, ns: Netns, skb: Skb, place: Place, route: Route | None) -> Event:
    """INPUT, then the socket."""
    row = rowtext.route(ns, route) if route is not None else ""
    w.step(StepKind.LOCAL, place, skb.packet, why=words.IS_LOCAL(dst=text4(skb.packet.ip.dst)), row=row)
    end = run_hook(w, ns, "INPUT", skb, place)
    return end if end is not None else deliver.deliver(w, ns, skb, place)


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


def forward(w: Walker, ns: Netns, link: Link, skb: Skb, place: Place, route: Route) -> Event:
    """TTL, MTU, FORWARD, POSTROUTING, out."""
    packet = skb.packet
    out = ns.links[route.oif]
    if packet.ip.ttl <= 1:
        outcome = Outcome.LOOP if w.revisited else Outcome.TTL_EXCEEDED
        return w.drop(place, packet, words.TTL_ZERO(), outcome, answer=deliver.icmp_error(ns, skb, 11, 0))
    mtu = route.mtu or out.mtu
    if packet.ip_length() > mtu:
        size = packet.ip_length()
        if not packet.ip.df:
            why = words.FRAGMENTS(size=size, oif=out.name, mtu=mtu)
            return w.drop(place, packet, why, Outcome.NOT_MODELLED)
        why = words.MTU_EXCEEDED(size=size, oif=out.name, mtu=mtu)
        answer = deliver.icmp_error(ns, skb, 3, 4, mtu=mtu)
        return w.drop(place, packet, why, Outcome.TOO_BIG, answer=answer)
    skb.packet = packet.with_ip(ttl=packet.ip.ttl - 1)
    why = words.FORWARDED(iif=link.name, oif=out.name, old=packet.ip.ttl, new=packet.ip.ttl - 1)
    w.step(StepKind.FORWARD, place, packet, skb.packet, why)
    skb.oif = out.name
    end = run_hook(w, ns, "FORWARD", skb, place)
    if end is not None:
        return end
    return output(w, ns, skb, route, place)


# -- out ----------------------------------------------------------------------------------------------------


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
) -> Event:
    """A packet is made in `ns`. Its source may be 0 (the route chooses), and its TTL (ip_default_ttl).
    `who` names the program, "" the kernel."""
    skb = Skb(packet=packet, mark=mark, uid=uid, gid=uid, local=True, bound=bound)
    place = w.at(ns, program=who or "kernel")
    w.net.next_ident = w.net.next_ident + 1 & 0xFFFF or 1
    packet = packet.with_ip(ident=w.net.next_ident, ttl=packet.ip.ttl or deliver.default_ttl(ns))
    skb.packet = packet
    dst = packet.ip.dst
    if is_multicast(dst) or dst == 0xFFFFFFFF:
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    found = find_route(ns, dst, src=packet.ip.src, oif=bound, mark=mark)
    route = found.route
    if route is None:
        why = words.NO_ROUTE(dst=text4(dst))
        return w.drop(place, packet, why, Outcome.NO_ROUTE, error="ENETUNREACH")
    if route.type in BAD_TYPES:
        return bad_type(w, ns, skb, place, route, local=True)
    if route.type == "broadcast":
        return w.drop(place, packet, words.BROADCAST_NOT_MODELLED(), Outcome.NOT_MODELLED)
    src = packet.ip.src
    if src == 0:
        src = choose_source(ns, route, dst)
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
        explain_route(w, ns, place, packet, found, src=src)
    skb.packet = packet = packet.with_ip(src=src)
    phrase = (
        words.SENT(who=who, packet=describe(packet)) if who else words.KERNEL_SENT(packet=describe(packet))
    )
    w.step(StepKind.SEND, place, packet, why=phrase)
    oif = out_device(ns, route)
    mtu = path_mtu(w, ns, dst, route.mtu or oif.mtu)
    if packet.ip_length() > mtu:
        why = words.MTU_EXCEEDED(size=packet.ip_length(), oif=oif.name, mtu=mtu)
        if packet.ip.df:
            return w.drop(place, packet, why, Outcome.TOO_BIG, error="EMSGSIZE")
        why = words.FRAGMENTS(size=packet.ip_length(), oif=oif.name, mtu=mtu)
        return w.drop(place, packet, why, Outcome.NOT_MODELLED)
    skb.oif = oif.name
    if ct_of is not None and ct_of.ct is not None:
        nat.attach(skb, ct_of)
    end = run_hook(w, ns, "OUTPUT", skb, place)
    if end is not None:
        return end
    now = skb.packet.ip
    if now.dst != dst or skb.mark != mark:
        again = find_route(ns, now.dst, src=now.src, oif=bound, mark=skb.mark)
        if again.route is None:
            return w.drop(
                place, skb.packet, words.NO_ROUTE(dst=text4(now.dst)), Outcome.NO_ROUTE, error="ENETUNREACH"
            )
        if again.route.type in BAD_TYPES:
            return bad_type(w, ns, skb, place, again.route, local=True)
        route = again.route
        w.step(StepKind.ROUTE, place, skb.packet, why=words.REROUTED(), row=rowtext.route(ns, route))
        skb.oif = out_device(ns, route).name
    return output(w, ns, skb, route, place)


def path_mtu(w: Walker, ns: Netns, dst: int, mtu: int) -> int:
    """The smaller of the device's MTU and what an ICMP error has taught about the way to `dst` (ten minutes long)."""
    known = ns.path_mtus.get(dst)
    if known is None:
        return mtu
    if known[1] <= w.net.clock:
        del ns.path_mtus[dst]
        return mtu
    return min(mtu, known[0])


def reroute_refused(w: Walker, ns: Netns, skb: Skb, place: Place) -> End | None:
    """After a DNAT or a new mark in OUTPUT the kernel looks for the new route at once; without one the packet ends
    there. A loopback source may leave only where route_localnet allows it (__mkroute_output in net/ipv4/route.c)."""
    ip = skb.packet.ip
    route = find_route(ns, ip.dst, src=ip.src, oif=skb.bound, mark=skb.mark).route
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


def output(w: Walker, ns: Netns, skb: Skb, route: Route, place: Place) -> Event:
    """POSTROUTING, then the neighbour and the device (or lo)."""
    out = out_device(ns, route)
    hop = next_hop(route, skb.packet.ip.dst)
    skb.oif, skb.hop = out.name, hop
    at = w.at(ns, out.name, "out")
    end = run_hook(w, ns, "POSTROUTING", skb, at)
    if end is not None:
        return end
    if out.kind == "loopback":
        if not out.up:
            return w.drop(at, skb.packet, words.DEVICE_DOWN(dev=out.name), Outcome.DROPPED)
        w.step(StepKind.TRANSMIT, at, skb.packet, why=words.OUT_OF(dev=out.name))
        return LoopBack(netns=ns.id, skb=skb)
    entry, event = arp.resolve(w, ns, out, hop, skb.packet, at)
    if entry is None:
        assert isinstance(event, End)
        if not skb.local:
            return replace(event, answer=deliver.icmp_error(ns, skb, 3, 1), error="")
        return event
    return l2.transmit(w, ns, out, skb.packet.framed(Ethernet(src=out.mac, dst=entry.mac)))

"""Neighbours: from the next hop's address to its MAC, and the question on the wire when nobody knows it.

Theory. An entry is used while REACHABLE, STALE (then DELAY), PROBE or PERMANENT; how entries grow old is in
timers.py. Otherwise a broadcast asks; three questions a second apart, then FAILED and "host unreachable" after 3.07 s
(facts 10 section 1.4). Who is asked answers if the address is its own, or by proxy_arp if its own route to it leaves
by another device, and remembers the asker. Source: net/ipv4/arp.c, net/core/neighbour.c.
"""

from __future__ import annotations

from dataclasses import replace

from engine.linux.addr import BROADCAST_MAC, Prefix, mac_text, text4
from engine.linux.fib import MAIN
from engine.linux.flow import FlowKey
from engine.linux.journey import Fidelity, Outcome, Place, StepKind, Walk
from engine.linux.multipath import find
from engine.linux.net import Net, Netns
from engine.linux.packet import ETH_ARP, Arp, Ethernet, Packet
from engine.linux.rows import Link, Neighbour
from engine.linux.source import select_address
from engine.linux.walk import inbound, routing, rowtext, timers, words
from engine.linux.walk import words_tunnel as tunnel_words
from engine.linux.walk.walker import Answering, End, Event, Walker
from engine.say import Said

GIVE_UP_SECONDS = 3.07
USABLE = ("REACHABLE", "STALE", "DELAY", "PROBE", "PERMANENT", "NOARP")


def resolve(
    w: Walker, ns: Netns, link: Link, hop: int, packet: Packet, place: Place
) -> tuple[Neighbour | None, Event]:
    """(entry, unused event) or (None, the End). Adds the NEIGHBOUR step, with the ARP exchange as its aside."""
    end = End(outcome=Outcome.UNRESOLVED_NEIGHBOUR, netns=ns.id, packet=packet, error="EHOSTUNREACH")
    now = w.net.clock
    key = (link.ifindex, hop)
    entry = timers.neighbour(w.net, ns, key)
    if entry is not None and entry.state in USABLE and entry.mac:
        if entry.state == "STALE":
            entry = replace(entry, state="DELAY", since=now)
        ns.neighbours[key] = entry
        why = words.NEIGH_KNOWN(ip=text4(hop), mac=mac_text(entry.mac))
        w.step(StepKind.NEIGHBOUR, place, packet, why=why, row=rowtext.neighbour(ns, entry))
        return entry, end
    if link.noarp:
        # arp_constructor: the device's own address stands for everybody.
        entry = ns.neighbours[key] = Neighbour(
            ifindex=link.ifindex, ip=hop, mac=link.mac, state="NOARP", since=now
        )
        why = tunnel_words.NEIGH_NOARP(dev=link.name, ip=text4(hop))
        w.step(StepKind.NEIGHBOUR, place, packet, why=why, row=rowtext.neighbour(ns, entry))
        return entry, end
    asked = ask(w, ns, link, hop, packet.ip.src)
    entry = ns.neighbours.get(key)
    if entry is not None and entry.state in USABLE and entry.mac:
        why = words.NEIGH_ASKED(ip=text4(hop), mac=mac_text(entry.mac))
        w.step(StepKind.NEIGHBOUR, place, packet, why=why, row=rowtext.neighbour(ns, entry), aside=asked)
        return entry, end
    w.net.clock += GIVE_UP_SECONDS
    failed = Neighbour(ifindex=link.ifindex, ip=hop, state="FAILED", since=w.net.clock)
    ns.neighbours[key] = failed
    why = words.NEIGH_FAILED(ip=text4(hop), dev=link.name)
    w.step(StepKind.NEIGHBOUR, place, packet, why=why, row=rowtext.neighbour(ns, failed), aside=asked)
    return None, w.drop(place, packet, why, Outcome.UNRESOLVED_NEIGHBOUR, error="EHOSTUNREACH")


def source_for(ns: Netns, link: Link, hop: int, src: int) -> int:
    """The sender address of a question: the packet's own source if it is ours (arp_announce 0), else the device's."""
    if ns.owns(src):
        return src
    return select_address(ns, link, hop, "link")


def ask(w: Walker, ns: Netns, link: Link, hop: int, src: int) -> tuple[Walk, ...]:
    """Broadcast the question and walk the answer; the entry is written by who receives the answer."""
    me = source_for(ns, link, hop, src)
    ns.neighbours[link.ifindex, hop] = Neighbour(
        ifindex=link.ifindex, ip=hop, state="INCOMPLETE", since=w.net.clock
    )
    question = Packet(
        (
            Ethernet(src=link.mac, dst=BROADCAST_MAC, type=ETH_ARP),
            Arp(op=1, sender_mac=link.mac, sender_ip=me, target_ip=hop),
        )
    )
    out = w.fork()
    end = out.frame_out(ns, link, question)
    walks = [out.walk(end, question)]
    if end.answer is not None:
        back = w.fork()
        there = w.net.spaces[end.answer.netns]
        device = there.links[there.names[end.answer.device]]
        done = back.frame_out(there, device, end.answer.packet)
        walks.append(back.walk(done, end.answer.packet))
    return tuple(walks)


def receive(w: Walker, ns: Netns, link: Link, frame: Packet, message: Arp) -> Event:
    """An ARP message reaches an IP device: answer it, or learn from it."""
    place = w.at(ns, link.name, "in")
    done = End(outcome=Outcome.DELIVERED, netns=ns.id, packet=frame)
    key = (link.ifindex, message.sender_ip)
    if message.op == 2:
        entry = ns.neighbours.get(key)
        if entry is None or entry.state == "PERMANENT":
            return replace(done, outcome=Outcome.DROPPED, quiet=True)
        if entry.mac and entry.state == "REACHABLE" and w.net.clock - entry.since < 1.0:
            return done
        note(w, ns, link, frame, message, "REACHABLE", place)
        return done
    answer = who_answers(w, ns, link, message)
    if answer is None:
        if key in ns.neighbours and ns.neighbours[key].state != "PERMANENT" and ns.neighbours[key].mac:
            ns.neighbours[key] = replace(ns.neighbours[key], mac=message.sender_mac)
        why = words.ARP_NOT_MINE(ip=text4(message.target_ip))
        return w.drop(place, frame, why, Outcome.DROPPED, quiet=True, fidelity=Fidelity.KERNEL_CHECKED)
    refused = inbound.refused_source(w, ns, link, FlowKey(dst=message.target_ip, src=message.sender_ip), "")
    if refused is not None:
        return w.drop(place, frame, refused[0], Outcome.DROPPED, row=refused[2])
    if message.sender_ip:
        note(w, ns, link, frame, message, "STALE", place)
    w.step(StepKind.ARP, place, frame, why=answer)
    assert frame.eth is not None
    reply = Packet(
        (
            Ethernet(src=link.mac, dst=message.sender_mac, type=ETH_ARP),
            Arp(
                op=2, sender_mac=link.mac, sender_ip=message.target_ip, target_mac=message.sender_mac,
                target_ip=message.sender_ip,
            ),
        )
    )  # fmt: skip
    return replace(done, answer=Answering(netns=ns.id, packet=reply, device=link.name))


def note(w: Walker, ns: Netns, link: Link, frame: Packet, message: Arp, state: str, place: Place) -> None:
    """Write what a message tells about its sender. A question never weakens an entry that is REACHABLE and agrees."""
    key = (link.ifindex, message.sender_ip)
    old = ns.neighbours.get(key)
    if old is not None and old.state == "PERMANENT":
        return
    if state == "STALE" and old is not None and old.mac == message.sender_mac and old.state in USABLE:
        return
    entry = Neighbour(
        ifindex=link.ifindex, ip=message.sender_ip, mac=message.sender_mac, state=state, since=w.net.clock
    )
    ns.neighbours[key] = entry
    why = words.ARP_LEARNED(ip=text4(message.sender_ip), mac=mac_text(message.sender_mac))
    w.step(StepKind.ARP, place, frame, why=why, row=rowtext.neighbour(ns, entry))


def who_answers(w: Walker, ns: Netns, link: Link, message: Arp) -> Said | None:
    """The why of an answer, or None for silence."""
    target = message.target_ip
    ignore = max(ns.conf("all", "arp_ignore"), ns.conf(link.name, "arp_ignore"))
    if ns.owns(target):
        on_device = any(a.addr == target for a in ns.addresses.get(link.ifindex, ()))
        if ignore >= 1 and not on_device:
            return None
        if ignore >= 2 and not any(
            message.sender_ip in Prefix(a.addr, a.length).network for a in ns.addresses.get(link.ifindex, ())
        ):
            return None
        return words.ARP_MINE(ip=text4(target), mac=mac_text(link.mac))
    proxy = max(ns.conf("all", "proxy_arp"), ns.conf(link.name, "proxy_arp"))
    if proxy and ns.forwarding:
        found = find(w.net, ns, FlowKey(dst=target, src=message.sender_ip, iif=link.name))
        route = found.route
        if route is not None and route.type == "unicast" and route.oif not in (0, link.ifindex):
            return words.ARP_PROXY(ip=text4(target), dev=ns.links[route.oif].name)
    return None


def confirm(net: Net, ns: Netns, hop: int) -> None:
    """An answer from beyond a neighbour proves that it is reachable (what TCP tells the neighbour table)."""
    route = routing.find_route(net, ns, hop).route
    if route is None or (route.table != MAIN and route.type != "unicast"):
        return
    key = (route.oif, route.gateway or hop)
    entry = ns.neighbours.get(key)
    if entry is not None and entry.mac and entry.state in ("STALE", "DELAY", "PROBE", "REACHABLE"):
        ns.neighbours[key] = replace(entry, state="REACHABLE", since=net.clock)

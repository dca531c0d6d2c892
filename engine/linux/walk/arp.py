"""Neighbours: from the next hop's address to its MAC, and the question on the wire when nobody knows it.

Theory. An entry is used while REACHABLE, STALE (then DELAY), PROBE or PERMANENT; how entries grow old is in
timers.py. Otherwise a broadcast asks; three questions a second apart, then FAILED and "host unreachable" after 3.07 s
(facts 10 section 1.4). Who is asked answers if the address is its own, or by proxy_arp if its own route to it leaves
by another device, and remembers the asker. Source: net/ipv4/arp.c, net/core/neighbour.c.
"""

from __future__ import annotations

from engine.linux.addr import BROADCAST_MAC, Prefix, is_loopback, is_multicast, mac_text, text4
from engine.linux.choose import Seeded
from engine.linux.fib import MAIN, REFUSING, SCOPES
from engine.linux.flow import FlowKey
from engine.linux.journey import Outcome, Place, StepKind, Walk
from engine.linux.multipath import find
from engine.linux.net import Net, Netns
from engine.linux.packet import ETH_ARP, Arp, Ethernet, Packet
from engine.linux.routeget import localnet
from engine.linux.rows import Link, Neighbour
from engine.linux.source import select_address
from engine.linux.walk import inbound, routing, rowtext, timers, words
from engine.linux.walk.walker import Answering, End, Event, Walker
from engine.record import replace
from engine.say import Said

#: how late the timer is that gives up, beyond the questions' own time
LATE_SECONDS = 0.07
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
        from engine.linux.walk import words_tunnel as tunnel_words

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
    w.net.clock += give_up_seconds(ns, link)
    failed = Neighbour(ifindex=link.ifindex, ip=hop, state="FAILED", since=w.net.clock)
    ns.neighbours[key] = failed
    why = words.NEIGH_FAILED(ip=text4(hop), dev=link.name)
    w.step(StepKind.NEIGHBOUR, place, packet, why=why, row=rowtext.neighbour(ns, failed), aside=asked)
    return None, w.drop(place, packet, why, Outcome.UNRESOLVED_NEIGHBOUR, error="EHOSTUNREACH")


def give_up_seconds(ns: Netns, link: Link) -> float:
    """How long an unanswered question lasts: mcast_solicit questions, retrans_time apart."""
    questions = ns.neigh(link.name, "mcast_solicit")
    return questions * ns.neigh(link.name, "retrans_time_ms") / 1000 + LATE_SECONDS


def source_for(ns: Netns, link: Link, hop: int, src: int) -> int:
    """The sender address of a question (arp_solicit): by arp_announce 0 the packet's own source if it is ours, by 1
    only if the one who is asked is in its subnet, by 2 never; else the device's primary address."""
    announce = max(ns.conf("all", "arp_announce"), ns.conf(link.name, "arp_announce"))
    if src and announce < 2 and ns.owns(src) and (announce == 0 or beside(ns, link, hop, src)):
        return src
    return select_address(ns, link, hop, "link")


def beside(ns: Netns, link: Link, one: int, other: int) -> bool:
    """`inet_addr_onlink`: has the device a primary subnet that both are in?"""
    return any(
        not a.secondary and one in Prefix(a.addr, a.length) and other in Prefix(a.addr, a.length)
        for a in ns.addresses.get(link.ifindex, ())
    )


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


def ignored(ns: Netns, frame: Packet) -> End:
    return End(outcome=Outcome.DROPPED, netns=ns.id, packet=frame, quiet=True)


def receive(w: Walker, ns: Netns, link: Link, frame: Packet, message: Arp) -> Event:
    """An ARP message reaches an IP device: answer it, or learn from it (arp_process)."""
    place = w.at(ns, link.name, "in")
    sip, tip = message.sender_ip, message.target_ip
    if is_multicast(tip) or (is_loopback(tip) and not localnet(ns, link.name)):
        return ignored(ns, frame)
    if sip == tip and (ns.conf("all", "drop_gratuitous_arp") or ns.conf(link.name, "drop_gratuitous_arp")):
        return ignored(ns, frame)
    if message.op == 2 and not sip:
        return ignored(ns, frame)
    silence, row = words.ARP_NOT_MINE(ip=text4(tip)), ""
    if message.op == 1:
        answer = who_answers(w, ns, link, message)
        if isinstance(answer, Said):
            return answered(w, ns, link, frame, message, answer)
        if isinstance(answer, tuple):
            silence, row = answer
        elif not answer:
            return w.drop(place, frame, silence, Outcome.DROPPED, quiet=True)
    known = ns.neighbours.get((link.ifindex, sip))
    accepts = accepts_unknown(ns, link, sip)
    told = gratuitous(ns, message) if known is not None or accepts else False
    if known is None and not (accepts and (told or (message.op == 2 and ns.address_type(sip) == "unicast"))):
        if message.op == 2:
            return ignored(ns, frame)
        return w.drop(place, frame, silence, Outcome.DROPPED, quiet=not row, row=row)
    lock = ns.neigh(link.name, "locktime") / 100
    fresh = known is not None and bool(known.mac) and w.net.clock - known.since <= lock
    assert frame.eth is not None
    state = "REACHABLE" if message.op == 2 and frame.eth.dst == link.mac else "STALE"
    note(w, ns, link, frame, message, state, place, override=told or not fresh)
    if message.op == 2:
        return End(outcome=Outcome.DELIVERED, netns=ns.id, packet=frame)
    return w.drop(place, frame, silence, Outcome.DROPPED, quiet=not row, row=row)


def answered(w: Walker, ns: Netns, link: Link, frame: Packet, message: Arp, why: Said) -> Event:
    """The answer, and what the question teaches about who asks. A proxy's answer to a broadcast waits a random while,
    so that the owner's own comes first (proxy_delay)."""
    place = w.at(ns, link.name, "in")
    if message.sender_ip:
        note(w, ns, link, frame, message, "STALE", place, override=True)
    assert frame.eth is not None
    if why.phrase is words.ARP_PROXY and frame.eth.dst != link.mac:
        hundredths = ns.neigh(link.name, "proxy_delay")
        if hundredths:
            w.net.clock += w.choose.number("proxy delay", 0, hundredths - 1) / 100
    w.step(StepKind.ARP, place, frame, why=why)
    reply = Packet(
        (
            Ethernet(src=link.mac, dst=message.sender_mac, type=ETH_ARP),
            Arp(
                op=2, sender_mac=link.mac, sender_ip=message.target_ip, target_mac=message.sender_mac,
                target_ip=message.sender_ip,
            ),
        )
    )  # fmt: skip
    done = End(outcome=Outcome.DELIVERED, netns=ns.id, packet=frame)
    return replace(done, answer=Answering(netns=ns.id, packet=reply, device=link.name))


def accepts_unknown(ns: Netns, link: Link, sip: int) -> bool:
    """arp_accept: 1 lets unasked messages make an entry, 2 only for senders in the device's own subnets."""
    mode = max(ns.conf("all", "arp_accept"), ns.conf(link.name, "arp_accept"))
    if mode == 2:
        return any(sip in Prefix(a.addr, a.length) for a in ns.addresses.get(link.ifindex, ()))
    return mode == 1


def gratuitous(ns: Netns, message: Arp) -> bool:
    """`arp_is_garp`: somebody tells about itself, unasked, an address that is nobody's here."""
    itself = message.sender_ip == message.target_ip
    if message.op == 2:
        itself = itself and message.target_mac == message.sender_mac
    return itself and ns.address_type(message.sender_ip) == "unicast"


def note(
    w: Walker, ns: Netns, link: Link, frame: Packet, message: Arp, state: str, place: Place, *, override: bool
) -> None:
    """`neigh_update`: write what a message tells about its sender. STALE never weakens a valid entry that agrees;
    another MAC takes its place only when it may `override`."""
    key = (link.ifindex, message.sender_ip)
    old = ns.neighbours.get(key)
    if old is not None and old.state in ("PERMANENT", "NOARP"):
        return
    if old is not None and old.state in USABLE and old.mac:
        if old.mac != message.sender_mac and not override:
            return
        if old.mac == message.sender_mac and state == "STALE":
            return
    since = w.net.clock
    entry = Neighbour(
        ifindex=link.ifindex, ip=message.sender_ip, mac=message.sender_mac, state=state, since=since
    )
    ns.neighbours[key] = entry
    why = words.ARP_LEARNED(ip=text4(message.sender_ip), mac=mac_text(message.sender_mac))
    w.step(StepKind.ARP, place, frame, why=why, row=rowtext.neighbour(ns, entry))


def who_answers(w: Walker, ns: Netns, link: Link, message: Arp) -> Said | bool | tuple[Said, str]:
    """The why of an answer; True for silence that still learns from the question, with its own (why, row) where its
    source is refused; False for silence that does not."""
    sip, tip = message.sender_ip, message.target_ip
    if not sip:
        # Somebody asks whether an address is free (RFC 2131, RFC 5227).
        mine = ns.address_type(tip) == "local" and not silent_about(ns, link, sip, tip)
        return words.ARP_MINE(ip=text4(tip), mac=mac_text(link.mac)) if mine else False
    key = FlowKey(dst=tip, src=sip, iif=link.name)
    if not ns.conf(link.name, "forwarding") and not may_be_own(ns, tip):
        return True
    if inbound.martian_source(ns, link, sip) or is_multicast(sip):
        return True
    route = find(w.net, ns, key).route
    forwards = bool(ns.conf(link.name, "forwarding"))
    if route is None or (route.type != "local" and not (route.type == "unicast" and forwards)):
        return True
    out = ns.links[route.oif].name if route.type == "unicast" and route.oif else ""
    refused = inbound.refused_source(w, ns, link, key, out)
    if refused is not None:
        return refused[0], refused[2]
    if route.type == "local":
        if silent_about(ns, link, sip, tip) or filtered(w, ns, link, sip, tip):
            return False
        return words.ARP_MINE(ip=text4(tip), mac=mac_text(link.mac))
    elsewhere = route.oif != link.ifindex
    proxy = bool(ns.conf("all", "proxy_arp") or ns.conf(link.name, "proxy_arp"))
    if elsewhere and (proxy or (link.ifindex, tip) in ns.proxies):
        return words.ARP_PROXY(ip=text4(tip), dev=out)
    return True


def may_be_own(ns: Netns, address: int) -> bool:
    """False for an address that no route of type local can cover (most of those that are asked for by a broadcast)."""
    if ns.custom_local or is_loopback(address):
        return True
    return any(row.addr == address for rows in ns.addresses.values() for row in rows)


def silent_about(ns: Netns, link: Link, sip: int, tip: int) -> bool:
    """`arp_ignore`: 0 answers for every address of this host, 1 for the device's own, 2 also only to its own subnet,
    3 not for addresses of scope host, 8 never."""
    mode = max(ns.conf("all", "arp_ignore"), ns.conf(link.name, "arp_ignore"))
    here = ns.addresses.get(link.ifindex, ())
    if mode == 1:
        return not any(a.addr == tip for a in here)
    if mode == 2:
        nets = [Prefix(a.addr, a.length) for a in here]
        both = any(tip in net and (not sip or sip in net) for net in nets)
        return not (any(a.addr == tip for a in here) and both)
    if mode == 3:
        rows = (a for every in ns.addresses.values() for a in every)
        return not any(a.addr == tip and SCOPES[a.scope] <= SCOPES["link"] for a in rows)
    return mode == 8


def filtered(w: Walker, ns: Netns, link: Link, sip: int, tip: int) -> bool:
    """arp_filter: answer only where the route back to the asker leaves by this very device."""
    if not (ns.conf("all", "arp_filter") or ns.conf(link.name, "arp_filter")):
        return False
    route = find(w.net, ns, FlowKey(dst=sip, src=tip)).route
    return route is None or route.type in REFUSING or route.oif != link.ifindex


def announce(net: Net, ns: Netns, link: Link) -> None:
    """Gratuitous ARP for every address of a device (inetdev_send_gratuitous_arp): arp_notify says when it comes up or
    changes its MAC, and whoever has an entry for them takes the MAC over."""
    for row in ns.addresses.get(link.ifindex, ()):
        told = Arp(op=1, sender_mac=link.mac, sender_ip=row.addr, target_mac=0, target_ip=row.addr)
        frame = Packet((Ethernet(src=link.mac, dst=BROADCAST_MAC, type=ETH_ARP), told))
        Walker(net=net, choose=Seeded()).frame_out(ns, link, frame)


def confirm(net: Net, ns: Netns, hop: int) -> None:
    """An answer from beyond a neighbour proves that it is reachable (what TCP tells the neighbour table)."""
    route = routing.find_route(net, ns, hop).route
    if route is None or (route.table != MAIN and route.type != "unicast"):
        return
    key = (route.oif, route.gateway or hop)
    entry = ns.neighbours.get(key)
    if entry is not None and entry.mac and entry.state in ("STALE", "DELAY", "PROBE", "REACHABLE"):
        ns.neighbours[key] = replace(entry, state="REACHABLE", since=net.clock)

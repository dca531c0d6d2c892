"""What a kernel's timers do while nobody acts: neighbours grow old and are asked again, bridges forget.

Theory. A REACHABLE entry is STALE after 30 s. The first packet to a STALE neighbour makes it DELAY; if nothing has
confirmed it within 5 s it is asked again, straight at its known MAC (PROBE): an answer makes it REACHABLE, three
questions a second apart without one make it FAILED. A bridge forgets what it has not seen for its ageing time. Source:
net/core/neighbour.c (neigh_timer_handler), net/bridge/br_fdb.c; facts 10 sections 1.4 and 1.6.

Rules. Timers are caught up with when the rows of a namespace are shown or used; the states carry the moment at which
the timer would have run. `DelNeighbour` and its kind stay ops: this is only what happens by itself.
"""

from __future__ import annotations

from engine.linux.choose import Seeded
from engine.linux.net import Net, Netns
from engine.linux.packet import ETH_ARP, Arp, Ethernet, Packet
from engine.linux.rows import FdbEntry, Link, Neighbour
from engine.linux.source import select_address
from engine.linux.walk.walker import Walker
from engine.record import replace

#: fewer entries than this are never collected (net.ipv4.neigh.default.gc_thresh1 of the machine)
GC_THRESHOLD = 128


def catch_up(net: Net, ns: Netns) -> None:
    """Bring every neighbour and every learned address of a namespace to this moment."""
    for key in list(ns.neighbours):
        neighbour(net, ns, key)
    if len(ns.neighbours) >= GC_THRESHOLD:
        for key, row in list(ns.neighbours.items()):
            link = ns.links.get(row.ifindex)
            old = link is not None and net.clock - row.since > ns.neigh(link.name, "gc_stale_time")
            if row.state == "FAILED" or (row.state == "STALE" and old):
                del ns.neighbours[key]
    for key, entry in list(ns.fdb.items()):
        bridge = ns.links.get(entry.bridge)
        if bridge is not None and forgotten(entry, bridge, net.clock):
            del ns.fdb[key]


def forgotten(entry: FdbEntry, bridge: Link, now: float) -> bool:
    """Has a bridge not seen this learned address for its ageing time?"""
    return not (entry.local or entry.static) and now - entry.since > bridge.ageing


def neighbour(net: Net, ns: Netns, key: tuple[int, int]) -> Neighbour | None:
    """The entry as time has left it; None when there is none. `key` is (ifindex, address)."""
    entry = ns.neighbours.get(key)
    if entry is None or entry.state not in ("REACHABLE", "DELAY", "PROBE"):
        return entry
    link = ns.links.get(entry.ifindex)
    if link is None:
        return entry
    entry = aged(ns, link, entry, net.clock)
    if entry.state in ("DELAY", "PROBE"):
        delay = float(ns.neigh(link.name, "delay_first_probe_time"))
        began = entry.since + (delay if entry.state == "DELAY" else 0.0)
        if net.clock >= began:
            entry = probed(net, ns, link, entry, began)
    ns.neighbours[key] = entry
    return entry


def aged(ns: Netns, link: Link, entry: Neighbour, now: float) -> Neighbour:
    """REACHABLE becomes STALE after base_reachable_time (the kernel draws between a half and one and a half of it)."""
    life = ns.neigh(link.name, "base_reachable_time_ms") / 1000
    if entry.state == "REACHABLE" and now - entry.since > life:
        return replace(entry, state="STALE", since=entry.since + life)
    return entry


def probed(net: Net, ns: Netns, link: Link, entry: Neighbour, began: float) -> Neighbour:
    """The entry after the questions that began then."""
    if answered(net, ns, entry):
        return aged(ns, link, replace(entry, state="REACHABLE", since=began), net.clock)
    long = ns.neigh(link.name, "ucast_solicit") * ns.neigh(link.name, "retrans_time_ms") / 1000
    if net.clock - began < long:
        return replace(entry, state="PROBE", since=began)
    return replace(entry, state="FAILED", mac=0, since=began + long)


def answered(net: Net, ns: Netns, entry: Neighbour) -> bool:
    """Ask the neighbour at its known MAC and see whether its answer comes back."""

    link = ns.links.get(entry.ifindex)
    if link is None:
        return False
    question = Packet(
        (
            Ethernet(src=link.mac, dst=entry.mac, type=ETH_ARP),
            Arp(
                op=1, sender_mac=link.mac, sender_ip=select_address(ns, link, entry.ip, "link"), target_mac=entry.mac,
                target_ip=entry.ip,
            ),
        )
    )  # fmt: skip
    end = Walker(net=net, choose=Seeded()).frame_out(ns, link, question)
    if end.answer is None:
        return False
    there = net.spaces[end.answer.netns]
    device = there.links[there.names[end.answer.device]]
    done = Walker(net=net, choose=Seeded()).frame_out(there, device, end.answer.packet)
    reply = end.answer.packet.arp
    return done.netns == ns.id and not done.quiet and reply is not None and reply.sender_mac == entry.mac

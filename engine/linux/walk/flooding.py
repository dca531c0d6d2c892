"""A bridge floods: a frame for many, or for a MAC that it has not learned, goes out of every port that may have it.

Theory. Each port gets a copy of its own, and so does the bridge device when the frame is for all (br_flood,
br_handle_frame_finish). Copies share their connection (skb_clone): what the first settles of it the next ones find
settled. One copy is the walk that a person follows, the others hang on its step.

Rules. A machine that sleeps is not woken by a frame that it would only overhear (overheard.py, asleep.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.linux.addr import BROADCAST_MAC, mac_text
from engine.linux.journey import Outcome, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.linux.skb import Skb
from engine.linux.walk import suppress, words
from engine.linux.walk.overheard import overheard
from engine.linux.walk.walker import End, Event, Walker, with_copies
from engine.record import replace


def may_not(port: Link | None, out: Link) -> str:
    """Why a frame may not go from `port` to `out`: "same", "isolated" or ""."""
    if port is None:
        return ""
    if port.ifindex == out.ifindex and not out.hairpin:
        return "same"
    return "isolated" if port.isolated and out.isolated else ""


def flood(
    w: Walker, ns: Netns, bridge: Link, port: Link | None, frame: Packet, skb: Skb, *, filtered: bool
) -> Event:
    """Out of every port that may have it; a broadcast also goes up. The copy that somebody wanted is the walk."""
    from engine.linux.walk import l2

    assert frame.eth is not None
    broadcast = bool(frame.eth.dst >> 40 & 1)
    place = w.at(ns, bridge.name)
    circle = (ns.id, bridge.ifindex, frame)
    if circle in w.flooded:
        return w.drop(place, frame, words.LOOPED(), Outcome.LOOP)
    w.flooded.add(circle)
    kept = False
    if frame.arp is not None and suppress.enabled(ns, bridge):
        kept, answered = suppress.answer(w, ns, bridge, port, frame)
        if answered is not None:
            return answered
    there: Sequence[Link] = ns.links.ports(bridge.ifindex).rows
    whole = len(there)
    if w.net.asleep is not None:
        there = w.net.asleep.awake_for(w.net, ns.id, ns.links.ports(bridge.ifindex).rows, frame)
    outs = [
        p for p in there
        if p.up and floods_to(frame.eth.dst, port, p) and not may_not(port, p) and not (kept and p.neigh_suppress)
    ]  # fmt: skip
    names = named(outs, whole - len(there))
    why = (
        words.BRIDGE_BROADCAST(ports=names)
        if broadcast
        else words.BRIDGE_FLOOD(mac=mac_text(frame.eth.dst), ports=names)
    )
    goes_up = broadcast and port is not None
    if not outs and not goes_up:
        return w.drop(place, frame, words.BRIDGE_NO_PORT(), Outcome.DROPPED)
    w.step(StepKind.BRIDGE, place, frame, why=why, verdict="flood")
    at = len(w.steps) - 1
    runs: list[tuple[Walker, End]] = []
    for out in outs:
        one = w.fork()
        end = overheard(one, ns, out, frame)
        if end is None:
            copy = replace(skb)
            end = one.run(l2.port_out(one, ns, bridge, port, out, frame, copy, filtered=filtered))
            skb.ct = copy.ct
        runs.append((one, end))
    if goes_up:
        one = w.fork()
        runs.append((one, one.run(l2.bridge_up(one, ns, bridge, frame, replace(skb)))))
    best = max(range(len(runs)), key=lambda i: interest(runs[i][1], len(runs[i][0].steps)))
    others = tuple(one.walk(end) for i, (one, end) in enumerate(runs) if i != best)
    w.steps[at] = with_copies(w.steps[at], others)
    w.steps.extend(runs[best][0].steps)
    return runs[best][1]


#: names of ports in one sentence; of more the first are named
NAMED = 40


def named(ports: list[Link], more: int) -> str:
    """The ports' names, for a sentence; `more` are those that lead to machines which sleep."""
    names = ", ".join(p.name for p in ports[:NAMED]) or "-"
    return names if len(ports) <= NAMED and not more else f"{names} ... ({len(ports) + more})"


def floods_to(dst: int, port: Link | None, out: Link) -> bool:
    """The flag that lets a port have a copy; what the bridge device itself sends is not held back (br_flood)."""
    if not dst >> 40 & 1:
        return out.flood
    if port is None:
        return True
    return out.bcast_flood if dst == BROADCAST_MAC else out.mcast_flood


def interest(end: End, length: int) -> tuple[bool, bool, int]:
    """Which copy tells the story: one that was answered or delivered, then one that was not just ignored."""
    return (end.answer is not None or end.outcome is Outcome.DELIVERED, not end.quiet, length)

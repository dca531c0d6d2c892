"""Fragments on their way: cut where they leave, put together where somebody must see the whole.

Theory. A packet above the MTU without DF meets its hooks whole and is cut behind POSTROUTING. Each fragment then goes
its own way; a firewall meets each by itself, and only the first has ports. With connection tracking a namespace puts
them together before anything else at PREROUTING (priority -400), and cuts again on the way out, into pieces no larger
than those that came. Without it they are put together for a local socket only, before INPUT. Sources:
net/ipv4/{ip_output,ip_fragment}.c, net/ipv4/netfilter/nf_defrag_ipv4.c.

Rules. The walk that is told follows the last fragment: it completes the datagram, and what comes after is about the
whole. The others are the `copies` of the step that cut them. When the datagram never gets whole, the walk told is that
of the fragment that was lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.linux import fragment
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Packet
from engine.linux.skb import Skb
from engine.linux.walk import words
from engine.linux.walk.track import active
from engine.linux.walk.walker import End, Event, Walker, with_copies
from engine.record import replace

DEFRAG_PRIORITY = -400


def defrag(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """The hook of connection tracking: only the whole goes on."""
    if not skb.packet.ip.is_fragment or not active(ns):
        return None
    return collect(w, ns, skb, place, "conntrack")


def collect(w: Walker, ns: Netns, skb: Skb, place: Place, user: str) -> End | None:
    """Keep a fragment; with the last missing one the skb has the whole datagram. Else this is its End for now."""
    packet = skb.packet
    life = float(ns.sysctl("net.ipv4.ipfrag_time"))
    for key in [k for k, (_, since) in ns.fragments.items() if w.net.clock - since >= life]:
        del ns.fragments[key]
    key = fragment.key_of(packet, user)
    held, since = ns.fragments.get(key, ((), w.net.clock))
    pieces = (*(row for row in held if row.ip.offset != packet.ip.offset), packet)
    whole = fragment.joined(pieces)
    if whole is None:
        ns.fragments[key] = (pieces, since)
        w.step(StepKind.MTU, place, packet, why=words.FRAGMENT_HELD(count=len(pieces)), verdict="held")
        return End(outcome=Outcome.DROPPED, netns=ns.id, packet=packet, quiet=True)
    ns.fragments.pop(key, None)
    rows = sorted(pieces, key=lambda row: row.ip.offset)
    skb.packet, skb.pieces = whole, tuple(row.length() - row.ip.header_length() for row in rows)
    why = words.REASSEMBLED(count=len(pieces), size=whole.length())
    w.step(StepKind.MTU, place, packet, whole, why, verdict="whole")
    return None


def pieces_of(skb: Skb, mtu: int) -> list[Packet]:
    """What leaves: the packet itself, or its fragments. One that was put together here is cut as it came, where these
    fragments still fit (ip_do_fragment's fast path), and into none larger than the largest that came."""
    packet, header = skb.packet, skb.packet.ip.header_length()
    if skb.pieces:
        mtu = min(mtu, max(skb.pieces) + header)
    if packet.length() <= mtu:
        return [packet]
    data = packet.length() - header
    fits = sum(skb.pieces) == data and all(size % 8 == 0 for size in skb.pieces[:-1])
    if skb.pieces and fits and all(size + header <= mtu for size in skb.pieces):
        return fragment.cut_at(packet, skb.pieces)
    return fragment.cut(packet, mtu)


def each(
    w: Walker, place: Place, packet: Packet, pieces: Sequence[Packet], mtu: int,
    send: Callable[[Walker, Packet], Event],
) -> Event:  # fmt: skip
    """Send every fragment, in order, while the device takes them."""
    why = words.FRAGMENTED(size=packet.length(), mtu=mtu, count=len(pieces))
    w.step(StepKind.MTU, place, packet, pieces[0], why, verdict="fragments")
    at = len(w.steps) - 1
    runs: list[tuple[Walker, End]] = []
    for one in pieces:
        fork = w.fork()
        runs.append((fork, fork.run(send(fork, one))))
        if fork.steps[-1].kind is StepKind.DROP and fork.steps[-1].place == place:
            # The device did not take it: the rest is not even tried (ip_do_fragment).
            break
    told = len(runs) - 1
    if waits(runs[told][1]):
        told = next((i for i, (_, end) in enumerate(runs) if not waits(end)), told)
    others = tuple(fork.walk(end, pieces[i]) for i, (fork, end) in enumerate(runs) if i != told)
    w.amend_step(at, lambda step: replace(with_copies(step, others), after=pieces[told]))
    w.steps.extend(runs[told][0].steps)
    return runs[told][1]


def waits(end: End) -> bool:
    """Did this fragment end by waiting for the others?"""
    return end.quiet and end.outcome is Outcome.DROPPED and end.packet.has_ip and end.packet.ip.is_fragment

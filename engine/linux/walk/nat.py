"""Connection tracking and NAT at their places in the hooks.

Theory. `track` runs at priority -200 of PREROUTING and OUTPUT: find the connection or make an unconfirmed one.
`run` is the nat table: its chains are walked once per connection and per kind (destination at PREROUTING and
OUTPUT, source at POSTROUTING and INPUT); then, for every packet, the headers are rewritten from the entry.
An ICMP error is rewritten outside and, mirrored, in the packet that it quotes. `confirm` enters the connection
when its first packet leaves or arrives. Sources: net/netfilter/nf_{conntrack,nat}_core.c; facts 10 section 1.2.
"""

from __future__ import annotations

from dataclasses import replace

from engine.linux.addr import text4
from engine.linux.choose import OfConnection
from engine.linux.conntrack import (
    CtEntry,
    Tuple,
    advance,
    initial,
    quoted_tuple,
    rewrite,
    timeouts,
    tuple_of,
)
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Icmp, Packet, Proto, Tcp
from engine.linux.skb import Skb
from engine.linux.source import select_address
from engine.linux.walk import hooks, routing, rowtext, words
from engine.linux.walk.walker import End, Walker
from engine.linux.xt.run import Nat, run_chain

DST_HOOKS = ("PREROUTING", "OUTPUT")


def track(w: Walker, ns: Netns, skb: Skb, place: Place) -> None:
    """Give the skb its connection and ctstate; nothing happens while no rule needs tracking."""
    if skb.ct is not None:
        return
    if skb.untracked:
        skb.ctstate = "UNTRACKED"
        w.step(StepKind.CONNTRACK, place, skb.packet, why=words.CT_UNTRACKED(), verdict="UNTRACKED")
        return
    if not ns.xt.tracks and not ns.conntrack.entries:
        return
    now = w.net.clock
    packet = skb.packet
    key = tuple_of(packet)
    if key is None:
        track_error(w, ns, skb, place)
        return
    found = ns.conntrack.find(key, now)
    times = timeouts(ns.sysctls)
    if found is None:
        fresh = initial(packet, key, now, times)
        if fresh is None:
            skb.ctstate = "INVALID"
            w.step(StepKind.CONNTRACK, place, packet, why=words.CT_INVALID(), verdict="INVALID")
            return
        skb.ct, skb.ctdir, skb.ctstate = fresh, "original", "NEW"
        why = words.CT_NEW()
    else:
        entry, skb.ctdir = found
        l4 = packet.l4
        if isinstance(l4, Tcp) and "R" in l4.flags and skb.ctdir == "reply" and not entry.seen_reply:
            ns.conntrack.remove(entry)
            skb.ct, skb.ctstate = replace(entry, seen_reply=True), "ESTABLISHED"
        else:
            reopened = isinstance(l4, Tcp) and l4.flags == "S" and entry.state in ("TIME_WAIT", "CLOSE")
            if reopened and skb.ctdir == "original":
                ns.conntrack.remove(entry)
                fresh = initial(packet, key, now, times)
                assert fresh is not None
                skb.ct, skb.ctstate = fresh, "NEW"
                w.step(
                    StepKind.CONNTRACK,
                    place,
                    packet,
                    why=words.CT_NEW(),
                    verdict="NEW",
                    row=rowtext.conntrack(fresh, now),
                )
                return
            entry = advance(entry, packet, skb.ctdir, now, times)
            ns.conntrack.update(entry)
            skb.ct = entry
            skb.ctstate = "ESTABLISHED" if entry.seen_reply else "NEW"
        why = words.CT_FOUND(direction=skb.ctdir)
    w.step(
        StepKind.CONNTRACK, place, packet, why=why, verdict=skb.ctstate, row=rowtext.conntrack(skb.ct, now)
    )  # fmt: skip


def track_error(w: Walker, ns: Netns, skb: Skb, place: Place) -> None:
    """An ICMP error belongs (RELATED) to the connection of the packet that it quotes."""
    key = quoted_tuple(skb.packet)
    found = ns.conntrack.find(key.mirrored(), w.net.clock) if key is not None else None
    if found is None:
        skb.ctstate = "INVALID"
        w.step(StepKind.CONNTRACK, place, skb.packet, why=words.CT_INVALID(), verdict="INVALID")
        return
    skb.ct, skb.ctdir = found
    skb.ctstate = "RELATED"
    row = rowtext.conntrack(skb.ct, w.net.clock)
    w.step(StepKind.CONNTRACK, place, skb.packet, why=words.CT_RELATED(), verdict="RELATED", row=row)


def attach(skb: Skb, origin: Skb) -> None:
    """A RST made by REJECT belongs to the connection of the packet that it answers, confirmed or not."""
    assert origin.ct is not None
    skb.ct = origin.ct
    skb.ctdir = "reply" if origin.ctdir == "original" else "original"
    skb.ctstate = "RELATED"


def run(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """The nat table at a hook: choose a translation for a new connection, then rewrite the packet."""
    entry = skb.ct
    if entry is None:
        return None
    which = "dst" if hook in DST_HOOKS else "src"
    fresh = skb.ctstate == "NEW" or (skb.ctstate == "RELATED" and not is_error(skb.packet))
    if fresh and entry.id == 0 and "nat" in ns.xt.tables and not decided(entry, which):
        steps, verdict = run_chain(w.net, ns, "nat", hook, skb, place, w.choose)
        w.steps.extend(steps)
        if verdict.word == "drop":
            row = steps[-1].row if steps else ""
            return w.drop(
                place,
                skb.packet,
                words.DROPPED_BY_RULE(),
                Outcome.DROPPED,
                row=row,
                hook=hook,
                error=hooks.local_error(skb),
            )
        if verdict.nat is not None:
            chosen = choose(w, ns, skb, entry, verdict.nat, hook)
            if chosen is None:
                return w.drop(
                    place,
                    skb.packet,
                    words.NAT_PORT_CLASH(),
                    Outcome.DROPPED,
                    hook=hook,
                    error=hooks.local_error(skb),
                )
            entry = chosen
        elif which == "src":
            entry = unique(w, ns, entry, "src", keep=True) or entry
        skb.ct = mark_decided(entry, which)
        entry = skb.ct
    before = skb.packet.ip.dst
    apply(w, skb, entry, which, place, hook)
    if hook == "OUTPUT" and skb.packet.ip.dst != before:
        return routing.reroute_refused(w, ns, skb, place)
    return None


def decided(entry: CtEntry, which: str) -> bool:
    """Has this unconfirmed connection met its nat chains of this kind (it has when it comes back by lo)?"""
    return bool(entry.decided & (1 if which == "dst" else 2))


def mark_decided(entry: CtEntry, which: str) -> CtEntry:
    return replace(entry, decided=entry.decided | (1 if which == "dst" else 2))


def choose(w: Walker, ns: Netns, skb: Skb, entry: CtEntry, spec: Nat, hook: str) -> CtEntry | None:
    """The entry with a reply tuple as the target asks; None when no port is free."""
    reply = entry.reply
    if spec.kind in ("dnat", "redirect"):
        if spec.kind == "redirect":
            link = ns.link(skb.iif) if skb.iif else None
            address = (
                127 << 24 | 1
                if hook == "OUTPUT"
                else (select_address(ns, link, 0, "host") if link is not None else 0)
            )
        else:
            address = pick_address(w, ns, entry, spec)
        port = pick_port(w, ns, entry, spec, reply.sport)
        reply = Tuple(reply.proto, address or reply.src, port, reply.dst, reply.dport)
        return replace(entry, reply=reply, dnat=reply.mirrored() != entry.orig or entry.dnat)
    if spec.kind == "masquerade":
        out = ns.link(skb.oif)
        assert out is not None
        address = select_address(ns, out, skb.hop or skb.packet.ip.dst)
    else:
        address = pick_address(w, ns, entry, spec)
    reply = Tuple(reply.proto, reply.src, reply.sport, address, reply.dport)
    changed = replace(entry, reply=reply)
    return unique(w, ns, changed, "src", spec=spec)


def pick_address(w: Walker, ns: Netns, entry: CtEntry, spec: Nat) -> int:
    if spec.high <= spec.low:
        return spec.low
    about = OfConnection(ns.id, entry.orig, spec.low)
    return spec.low + w.choose.pick("nat address", spec.high - spec.low + 1, about)


def pick_port(w: Walker, ns: Netns, entry: CtEntry, spec: Nat, current: int) -> int:
    if not spec.port_low:
        return current
    if spec.port_high <= spec.port_low:
        return spec.port_low
    if spec.port_low <= current <= spec.port_high and not spec.random:
        return current
    about = OfConnection(ns.id, entry.orig, spec.port_low)
    return spec.port_low + w.choose.pick("nat destination port", spec.port_high - spec.port_low + 1, about)


def unique(
    w: Walker, ns: Netns, entry: CtEntry, which: str, *, spec: Nat | None = None, keep: bool = False
) -> CtEntry | None:
    """A free reply tuple: the port stays if nobody uses it (and no --random), else another of its class is taken
    (1-511, 600-1023, 1024-65535; get_unique_tuple in nf_nat_core.c). Sets the snat flag."""
    reply, now = entry.reply, w.net.clock
    icmp = reply.proto == Proto.ICMP
    current = reply.sport if icmp else reply.dport
    low, high = (
        (spec.port_low, spec.port_high or spec.port_low) if spec is not None and spec.port_low else (0, 0)
    )

    def with_port(port: int) -> Tuple:
        if icmp:
            return reply._replace(sport=port)
        return reply._replace(dport=port)

    def done(t: Tuple) -> CtEntry:
        source = t.mirrored()
        return replace(
            entry,
            reply=t,
            snat=entry.snat or (source.src, source.sport) != (entry.orig.src, entry.orig.sport),
        )

    random = spec is not None and spec.random
    if (low == 0 or low <= current <= high) and not random and not ns.conntrack.taken(reply, now):
        return done(reply)
    if not low:
        if icmp:
            low, high = 0, 65535
        elif current < 512:
            low, high = 1, 511
        elif current < 1024:
            low, high = 600, 1023
        else:
            low, high = 1024, 65535
    if keep and not ns.conntrack.taken(reply, now):
        return done(reply)
    span = high - low + 1
    start = w.choose.number("nat port", low, high, OfConnection(ns.id, entry.orig)) - low
    for i in range(span):
        t = with_port(low + (start + i) % span)
        if not ns.conntrack.taken(t, now):
            return done(t)
    return None


def apply(w: Walker, skb: Skb, entry: CtEntry, which: str, place: Place, hook: str) -> None:
    """Rewrite the packet as the entry wants it at this kind of hook; add the NAT step when something changed."""
    flag = entry.snat if (which == "src") == (skb.ctdir == "original") else entry.dnat
    if not flag:
        return
    before = skb.packet
    change = rewrite_error if is_error(before) else rewrite
    after = change(before, entry, skb.ctdir, which)
    if after == before:
        return
    skb.packet = after
    old, new = ends(before, which), ends(after, which)
    if skb.ctdir == "reply":
        why = words.NAT_UNDO(old=old, new=new)
    else:
        why = (words.NAT_DST if which == "dst" else words.NAT_SRC)(old=old, new=new)
    row = rowtext.conntrack(entry, w.net.clock)
    w.step(StepKind.NAT, place, before, after, why, row=row, hook=hook, table="nat")


def is_error(packet: Packet) -> bool:
    l4 = packet.l4
    return isinstance(l4, Icmp) and l4.is_error


def rewrite_error(packet: Packet, entry: CtEntry, direction: str, which: str) -> Packet:
    """An ICMP error: its outer address as the connection wants it, and the mirrored change in what it quotes."""
    l4 = packet.l4
    assert isinstance(l4, Icmp) and l4.quoted is not None
    other = entry.orig if direction == "reply" else entry.reply
    want = other.mirrored()
    quoted = l4.quoted
    if which == "dst":
        quoted = quoted.with_ip(src=other.src)
        if quoted.ports != (0, 0):
            quoted = quoted.with_l4(sport=other.sport)
        packet = packet.with_ip(dst=want.dst)
    else:
        quoted = quoted.with_ip(dst=other.dst)
        if quoted.ports != (0, 0):
            quoted = quoted.with_l4(dport=other.dport)
        packet = packet.with_ip(src=want.src)
    if isinstance(quoted.l4, Icmp):
        quoted = quoted.with_l4(ident=other.sport)
    return packet.with_l4(quoted=quoted)


def ends(packet: Packet, which: str) -> str:
    """`ADDRESS:PORT` of the source or the destination, for a sentence."""
    sport, dport = packet.ports
    address, port = (packet.ip.src, sport) if which == "src" else (packet.ip.dst, dport)
    return f"{text4(address)}:{port}" if port else text4(address)


def confirm(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> None:
    """Enter a new connection into the table."""
    if skb.ct is None or skb.ct.id or skb.ctstate != "NEW":
        return
    skb.ct = ns.conntrack.confirm(skb.ct)
    why = words.CT_CONFIRMED() if hook == "POSTROUTING" else words.CT_CONFIRMED_IN()
    row = rowtext.conntrack(skb.ct, w.net.clock)
    w.step(StepKind.CONNTRACK, place, skb.packet, why=why, verdict="confirmed", row=row)

"""Connection tracking at its places in the hooks: look up or begin, and enter what is new.

Theory. `track` runs at priority -200 of PREROUTING and OUTPUT: find the connection, or make an unconfirmed one; an ICMP
error belongs to the connection of the packet that it quotes. `confirm` runs last at INPUT and POSTROUTING: it enters
the connection when its first packet leaves or arrives, and refuses one whose tuples somebody else has by now. A full
table drops the first packet of a connection. Sources: net/netfilter/nf_conntrack_core.c; facts 10 section 1.2.
"""

from __future__ import annotations

from engine.linux.conntrack import CtEntry, Tuple, quoted_tuple, tuple_of
from engine.linux.ctproto import Settings, advance, initial, settings, timeouts
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Proto
from engine.linux.skb import Skb
from engine.linux.walk import rowtext, words
from engine.linux.walk.walker import End, Walker
from engine.record import replace
from engine.say import Said

FULL_LINE = "kernel: nf_conntrack: nf_conntrack: table full, dropping packet"
#: protocols whose trackers let two entries of one flow meet (allow_clash)
MAY_CLASH = (Proto.UDP, Proto.ICMP, 47, 136)


def active(ns: Netns) -> bool:
    """Is conntrack attached to this namespace's hooks? Only while something asks for it."""
    return ns.xt.tracks or ns.nft.tracks or ns.tracking


def track(w: Walker, ns: Netns, skb: Skb, place: Place) -> End | None:
    """Give the skb its connection and ctstate; nothing happens while nothing needs tracking."""
    if skb.ct is not None:
        return None
    if skb.untracked:
        skb.ctstate = "UNTRACKED"
        w.step(StepKind.CONNTRACK, place, skb.packet, why=words.CT_UNTRACKED(), verdict="UNTRACKED")
        return None
    if not active(ns):
        return None
    key = tuple_of(skb.packet)
    if key is None:
        track_error(w, ns, skb, place)
        return None
    now, how = w.net.clock, settings(ns.sysctls)
    found = ns.conntrack.find(key, now, skb.zone)
    if found is not None:
        entry, skb.ctdir = found
        judged = advance(entry, skb.packet, skb.ctdir, now, how)
        if judged.word != "repeat":
            return known(w, ns, skb, place, entry, judged.word, judged.entry)
        ns.conntrack.remove(entry)
    return begun(w, ns, skb, place, key, how)


def begun(w: Walker, ns: Netns, skb: Skb, place: Place, key: Tuple, how: Settings) -> End | None:
    """No entry yet: make one, unless the table is full or no connection begins like that."""
    table, now = ns.conntrack, w.net.clock
    root = w.net.spaces.get(ns.box, ns)
    limit = settings(root.sysctls).limit if root is not ns else how.limit
    if limit and len(table.entries) >= limit:
        table.expire(now)
        if len(table.entries) >= limit and not table.early_drop(key, how.buckets):
            table.count("drop")
            w.net.boxes[ns.box].journal.append((now, FULL_LINE))
            row = f"net.netfilter.nf_conntrack_max = {limit}"
            why = words.CT_FULL(limit=limit)
            return w.drop(
                place, skb.packet, why, Outcome.DROPPED, row=row, error="EPERM" if skb.local else ""
            )
    fresh = initial(skb.packet, key, now, how, skb.zone)
    if fresh is None:
        invalid(w, ns, skb, place)
        return None
    skb.ct, skb.ctdir, skb.ctstate = fresh, "original", "NEW"
    noted(w, skb, place, words.CT_NEW())
    return None


def known(
    w: Walker, ns: Netns, skb: Skb, place: Place, entry: CtEntry, word: str, after: CtEntry
) -> End | None:
    """The packet of an entry that is in the table. Its state is judged by what was seen before it."""
    ns.conntrack.update(after)
    if word == "invalid":
        invalid(w, ns, skb, place)
        return None
    if word == "kill":
        ns.conntrack.remove(after)
    skb.ct = after
    skb.ctstate = "ESTABLISHED" if skb.ctdir == "reply" or entry.seen_reply else "NEW"
    noted(w, skb, place, words.CT_FOUND(direction=skb.ctdir))
    return None


def noted(w: Walker, skb: Skb, place: Place, why: Said) -> None:
    assert skb.ct is not None
    row = rowtext.conntrack(skb.ct, w.net.clock)
    w.step(StepKind.CONNTRACK, place, skb.packet, why=why, verdict=skb.ctstate, row=row)


def invalid(w: Walker, ns: Netns, skb: Skb, place: Place) -> None:
    ns.conntrack.count("invalid")
    skb.ctstate = "INVALID"
    w.step(StepKind.CONNTRACK, place, skb.packet, why=words.CT_INVALID(), verdict="INVALID")


def track_error(w: Walker, ns: Netns, skb: Skb, place: Place) -> None:
    """An ICMP error belongs (RELATED) to the connection of the packet that it quotes, if that connection's packets go
    where the error goes (nf_conntrack_inet_error)."""
    key = quoted_tuple(skb.packet)
    found = ns.conntrack.find(key.mirrored(), w.net.clock, skb.zone) if key is not None else None
    if found is not None:
        entry, way = found
        if skb.packet.ip.dst != (entry.orig if way == "original" else entry.reply).dst:
            found = None
    if found is None:
        ns.conntrack.count("error")
        invalid(w, ns, skb, place)
        return
    skb.ct, skb.ctdir = found
    skb.ctstate = "RELATED"
    noted(w, skb, place, words.CT_RELATED())


def attach(skb: Skb, origin: Skb) -> None:
    """What a kernel answers because of a packet (a RST, an ICMP error) belongs to that packet's connection, confirmed
    or not."""
    assert origin.ct is not None
    skb.ct = origin.ct
    skb.ctdir = "reply" if origin.ctdir == "original" else "original"
    skb.ctstate = "RELATED"


def closing(w: Walker, ns: Netns, skb: Skb) -> None:
    """A RST that REJECT makes ends the connection at once, also where it meets no hook (nf_ct_set_closing)."""
    entry = skb.ct
    if entry is None or not entry.id or entry.state in ("", "CLOSE"):
        return
    seconds = timeouts(ns.sysctls)["CLOSE"]
    deadline = entry.deadline if entry.fixed else w.net.clock + seconds
    skb.ct = replace(entry, state="CLOSE", deadline=deadline)
    ns.conntrack.update(skb.ct)


def confirm(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """Enter a new connection into the table. One whose tuples are taken by now is lost, except that equal datagrams of
    one flow share the entry that is there (nf_ct_resolve_clash). Whose packet it is does not matter, only that it goes
    the connection's way: the ICMP error about a rejected RST about a rejected SYN does (`attach`, twice)."""
    entry = skb.ct
    if entry is None or entry.id or skb.ctdir != "original":
        return None
    table, now = ns.conntrack, w.net.clock
    here = table.find(entry.orig, now, entry.zone)
    there = table.find(entry.reply, now, entry.zone)
    if here is not None or there is not None:
        settled = resolve(entry, here, there)
        if settled is None:
            table.count("drop")
            table.count("insert_failed")
            error = "EPERM" if skb.local else ""
            return w.drop(place, skb.packet, words.NAT_PORT_CLASH(), Outcome.DROPPED, hook=hook, error=error)
        table.count("clash_resolve")
        if settled.id:
            skb.ct = settled
            return None
        entry = replace(settled, deadline=now + 1)
    else:
        entry = replace(entry, deadline=now + (entry.deadline - entry.born))
    skb.ct = table.confirm(entry)
    noted_confirmed(w, hook, skb, place)
    return None


def noted_confirmed(w: Walker, hook: str, skb: Skb, place: Place) -> None:
    assert skb.ct is not None
    why = words.CT_CONFIRMED() if hook == "POSTROUTING" else words.CT_CONFIRMED_IN()
    row = rowtext.conntrack(skb.ct, w.net.clock)
    w.step(StepKind.CONNTRACK, place, skb.packet, why=why, verdict="confirmed", row=row)


def resolve(
    entry: CtEntry, here: tuple[CtEntry, str] | None, there: tuple[CtEntry, str] | None
) -> CtEntry | None:
    """Two connections want one tuple: the one that is there, if both are the same flow; the new one for answers alone,
    if only the way there is taken; else None."""
    if entry.orig.proto not in MAY_CLASH:
        return None
    for found in (here, there):
        if found is None:
            continue
        other = found[0]
        if other.zone != entry.zone:
            continue
        if (other.orig, other.reply) == (entry.orig, entry.reply) or (
            not entry.natted and not other.natted and (other.orig, other.reply) == (entry.reply, entry.orig)
        ):
            return other
    if there is not None:
        return None
    return replace(entry, clash=True, fixed=True)

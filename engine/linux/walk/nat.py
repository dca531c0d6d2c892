"""NAT at its places in the hooks: choose a translation for a new connection, then rewrite every packet.

Theory. The nat chains are walked once per connection and per kind (destination at PREROUTING and OUTPUT, source at
POSTROUTING and INPUT); a connection that no chain translates is bound to what it has, which for a source may still
mean another port (a null binding). Then, for every packet, the headers are rewritten from the entry. An ICMP error is
rewritten outside and, mirrored, in the packet that it quotes. Which address and port are free is `nattuple.py`.
Sources: net/netfilter/nf_nat_{core,proto,masquerade,redirect}.c.
"""

from __future__ import annotations

from engine.linux.addr import text4
from engine.linux.conntrack import CtEntry, rewrite
from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.packet import Icmp, Packet
from engine.linux.skb import Skb
from engine.linux.source import select_address
from engine.linux.walk import hooks, routing, rowtext, words
from engine.linux.walk.nattuple import Wanted, unique
from engine.linux.walk.walker import End, Walker
from engine.linux.xt.run import Nat
from engine.record import replace
from engine.say import Said

DST_HOOKS = ("PREROUTING", "OUTPUT")
LOOPBACK = 127 << 24 | 1


def run(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """The NAT core at a hook: the nat chains of iptables and nft in order, until one of them settles a translation."""
    entry = skb.ct
    if entry is None:
        return None
    which = "dst" if hook in DST_HOOKS else "src"
    if undecided(skb, which) and ("nat" in ns.xt.tables or ns.nft.has_nat):
        spec: Nat | None = None
        for chain in hooks.nat_chains(ns, hook):
            steps, verdict = chain(w, ns, hook, skb, place)
            w.steps.extend(steps)
            if verdict.word != "accept":
                return hooks.refused(w, ns, skb, place, hook, verdict, steps)
            if verdict.nat is not None:
                spec = verdict.nat
                break
        end = bind(w, ns, hook, skb, place, spec)
        if end is not None:
            return end
    return rewritten(w, ns, hook, skb, place)


def undecided(skb: Skb, which: str) -> bool:
    """Has this connection still to meet its nat chains of this kind? (It has met them when it comes back by lo.)"""
    entry = skb.ct
    fresh = skb.ctstate == "NEW" or (skb.ctstate == "RELATED" and not is_error(skb.packet))
    return entry is not None and fresh and not entry.decided & (1 if which == "dst" else 2)


def bind(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place, spec: Nat | None) -> End | None:
    """Settle the connection's translation of this kind: what a target asked for, or the null binding (None). A
    connection that is in the table already stays as it is (nf_nat_setup_info)."""
    entry = skb.ct
    assert entry is not None
    which = "dst" if hook in DST_HOOKS else "src"
    if entry.id:
        return None
    wanted = null_binding(entry, which) if spec is None else target(ns, skb, entry, spec, hook)
    if wanted is None:
        why = words.NO_ADDRESS(dev=skb.oif or skb.iif)
        return dropped(w, skb, place, why, hook, "")
    if wanted.device:
        entry = replace(entry, masq=wanted.device)
    skb.ct = unique(w, ns, entry, which, wanted)
    return None


def null_binding(entry: CtEntry, which: str) -> Wanted:
    address = entry.reply.dst if which == "src" else entry.reply.src
    return Wanted(low=address, high=address)


def target(ns: Netns, skb: Skb, entry: CtEntry, spec: Nat, hook: str) -> Wanted | None:
    """What a nat target asks for, with the address that MASQUERADE and REDIRECT find; None where there is none."""
    low, high, device = spec.low, spec.high, 0
    if spec.kind == "redirect":
        low = high = LOOPBACK if hook == "OUTPUT" else first_address(ns, skb.iif)
    elif spec.kind == "masquerade":
        out = ns.link(skb.oif)
        assert out is not None
        low = high = select_address(ns, out, skb.hop or skb.packet.ip.dst)
        device = out.ifindex
    if not low and spec.kind in ("redirect", "masquerade"):
        return None
    return Wanted(
        low=low, high=max(low, high), port_low=spec.port_low, port_high=spec.port_high or spec.port_low,
        random=spec.random, persistent=spec.persistent, device=device,
    )  # fmt: skip


def first_address(ns: Netns, device: str) -> int:
    """The first address of a device, 0 without one (nf_nat_redirect_ipv4)."""
    link = ns.link(device)
    rows = ns.addresses.get(link.ifindex, ()) if link is not None else ()
    return rows[0].addr if rows else 0


def rewritten(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """Rewrite the packet as its connection wants it at this hook."""
    entry = skb.ct
    assert entry is not None
    which = "dst" if hook in DST_HOOKS else "src"
    if hook == "POSTROUTING" and entry.masq and skb.ctdir == "original" and not is_error(skb.packet):
        out = ns.link(skb.oif)
        if out is not None and out.ifindex != entry.masq:
            ns.conntrack.remove(entry)
            why = words.MASQ_DEVICE_CHANGED(dev=skb.oif)
            return dropped(w, skb, place, why, hook, rowtext.conntrack(entry, w.net.clock))
    before = skb.packet.ip.dst
    apply(w, skb, entry, which, place, hook)
    if hook == "OUTPUT" and skb.packet.ip.dst != before:
        return routing.reroute_refused(w, ns, skb, place)
    return None


def dropped(w: Walker, skb: Skb, place: Place, why: Said, hook: str, row: str) -> End:
    error = hooks.local_error(skb)
    return w.drop(place, skb.packet, why, Outcome.DROPPED, row=row, hook=hook, error=error)


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
    why = told_error(before, after, which) if is_error(before) else told(before, after, which, skb.ctdir)
    row = rowtext.conntrack(entry, w.net.clock)
    w.step(StepKind.NAT, place, before, after, why, row=row, hook=hook, table="nat")


def told(before: Packet, after: Packet, which: str, direction: str) -> Said:
    old, new = ends(before, which), ends(after, which)
    if direction == "reply":
        return words.NAT_UNDO(old=old, new=new)
    return (words.NAT_DST if which == "dst" else words.NAT_SRC)(old=old, new=new)


def told_error(before: Packet, after: Packet, which: str) -> Said:
    """An error has two addresses that change: its own, and the mirrored one in the packet that it quotes."""
    inner = "src" if which == "dst" else "dst"
    old, new = ends(before, which), ends(after, which)
    quoted_old, quoted_new = (ends(quoted(p), inner) for p in (before, after))
    if old == new:
        return words.NAT_QUOTED(old=quoted_old, new=quoted_new)
    if quoted_old == quoted_new:
        return words.NAT_UNDO(old=old, new=new)
    return words.NAT_ERROR(old=old, new=new, quoted_old=quoted_old, quoted_new=quoted_new)


def quoted(packet: Packet) -> Packet:
    l4 = packet.l4
    assert isinstance(l4, Icmp) and l4.quoted is not None
    return l4.quoted


def is_error(packet: Packet) -> bool:
    l4 = packet.l4
    return isinstance(l4, Icmp) and l4.is_error


def rewrite_error(packet: Packet, entry: CtEntry, direction: str, which: str) -> Packet:
    """An ICMP error: its outer address as the connection wants it, and the mirrored change in what it quotes."""
    other = entry.orig if direction == "reply" else entry.reply
    want = other.mirrored()
    inner = quoted(packet)
    if which == "dst":
        inner = inner.with_ip(src=other.src)
        if inner.ports != (0, 0):
            inner = inner.with_l4(sport=other.sport)
        packet = packet.with_ip(dst=want.dst)
    else:
        inner = inner.with_ip(dst=other.dst)
        if inner.ports != (0, 0):
            inner = inner.with_l4(dport=other.dport)
        packet = packet.with_ip(src=want.src)
    if isinstance(inner.l4, Icmp):
        inner = inner.with_l4(ident=other.sport)
    return packet.with_l4(quoted=inner)


def ends(packet: Packet, which: str) -> str:
    """`ADDRESS:PORT` of the source or the destination, for a sentence."""
    sport, dport = packet.ports
    address, port = (packet.ip.src, sport) if which == "src" else (packet.ip.dst, dport)
    return f"{text4(address)}:{port}" if port else text4(address)

"""Netfilter's hooks: who is registered at each, in the kernel's order, and what their verdicts do to the packet.

Theory. At PREROUTING, INPUT, FORWARD, OUTPUT and POSTROUTING stand the tables of `xt.tables.LAYOUT` by rising
priority, with the collector of fragments at -400 and conntrack at -200, NAT at its own places, and the confirmation
of new connections last. `registered` is the one place that says what stands where; a packet meets them in that order
until one of them takes it. The base chains of nft stand between them by their priorities; among equals the one that
was registered last comes first. Its nat chains stand inside the NAT core, whatever their priority is beside other
chains. Sources: facts 10 section 1.1; include/uapi/linux/netfilter_ipv4.h; net/netfilter/core.c
(nf_hook_entries_grow), nf_nat_core.c.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from engine.linux.journey import Outcome, Place, Step, StepKind
from engine.linux.net import Netns
from engine.linux.skb import Skb
from engine.linux.walk import deliver, fragments, nat, routing, words
from engine.linux.walk import track as ct
from engine.linux.walk.walker import End, Event, Walker
from engine.linux.xt.run import Verdict, run_chain
from engine.linux.xt.tables import LAYOUT

if TYPE_CHECKING:
    from engine.linux.nft.tables import Base, TableKey

#: priorities of what is no table of iptables
CONNTRACK_PRIORITY = -200
CONFIRM_PRIORITY = 2**31 - 1

#: what stands at a hook: it changes the skb and returns None to let the packet go on, or an Event: its End, or where
#: it goes instead
Hooked = Callable[[Walker, Netns, str, Skb, Place], "Event | None"]


def track(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    return ct.track(w, ns, skb, place)


def confirm(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    return ct.confirm(w, ns, hook, skb, place)


def mangle_output(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
    """A mark that mangle OUTPUT changes is routed anew at once (ipt_mangle_out)."""
    mark = skb.mark
    end = run_table(w, ns, "mangle", hook, skb, place)
    if end is None and skb.mark != mark:
        return routing.reroute_refused(w, ns, skb, place)
    return end


def table_hook(table: str, hook: str) -> Hooked:
    """One table of iptables at one hook."""
    if table == "nat":
        return nat.run
    if (table, hook) == ("mangle", "OUTPUT"):
        return mangle_output

    def run(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
        return run_table(w, ns, table, hook, skb, place)

    return run


def fixed(hook: str) -> tuple[tuple[int, Hooked], ...]:
    """(priority, function) of what every kernel has at this hook, in order."""
    found = [(priority, table_hook(table, hook)) for table, priority in LAYOUT[hook]]
    if hook == "PREROUTING":
        found.append((fragments.DEFRAG_PRIORITY, fragments.defrag))
    if hook in ("PREROUTING", "OUTPUT"):
        found.append((CONNTRACK_PRIORITY, track))
    if hook in ("POSTROUTING", "INPUT"):
        found.append((CONFIRM_PRIORITY, confirm))
    return tuple(sorted(found, key=lambda one: one[0]))


FIXED = {hook: fixed(hook) for hook in LAYOUT}


@cache
def with_ipvs(hook: str) -> tuple[tuple[int, Hooked], ...]:
    """The same with IPVS, which registers with its first virtual service (and is loaded then)."""
    from engine.linux.walk import ipvs

    return tuple(sorted((*FIXED[hook], *ipvs.PLACES.get(hook, ())), key=lambda one: one[0]))


def built_in(ns: Netns, hook: str) -> tuple[tuple[int, Hooked], ...]:
    return with_ipvs(hook) if ns.balancing else FIXED[hook]


def registered(ns: Netns, hook: str) -> tuple[tuple[int, Hooked], ...]:
    """What a packet meets at a hook of this namespace, by rising priority."""
    chains = [row for row in ns.nft.standing(hook) if row[2].type != "nat"]
    if not chains:
        return built_in(ns, hook)
    tables = {priority: table for table, priority in LAYOUT[hook]}
    found: list[tuple[int, int, Hooked]] = []
    for at, (key, name, base) in enumerate(chains):
        found.append((base.priority, 2 * at + 1, nft_hook(key, name, base)))
    for priority, function in built_in(ns, hook):
        # What iptables registered after a chain of nft comes before it, what stood there before comes behind it.
        older = [
            at for at, (_, _, base) in enumerate(chains)
            if base.priority == priority and tables.get(priority, "") in base.xt_there
        ]  # fmt: skip
        found.append((priority, 2 * max(older) + 2 if older else 0, function))
    return tuple((priority, function) for priority, _, function in sorted(found, key=lambda one: one[:2]))


def nft_hook(key: TableKey, name: str, base: Base) -> Hooked:
    """One base chain of nft at one hook. A chain of type route routes anew what it has changed."""
    from engine.linux.nft.run import run_base

    def run(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> End | None:
        mark, ip = skb.mark, skb.packet.ip
        steps, verdict = run_base(w.net, ns, key, name, hook, skb, place, w.choose)
        w.steps.extend(steps)
        if verdict.word != "accept":
            return refused(w, ns, skb, place, hook, verdict, steps)
        now = skb.packet.ip
        if base.type == "route" and (skb.mark, now.src, now.dst, now.tos) != (mark, ip.src, ip.dst, ip.tos):
            return routing.reroute_refused(w, ns, skb, place)
        return None

    return run


Chained = Callable[[Walker, Netns, str, Skb, Place], "tuple[list[Step], Verdict]"]


def nat_chains(ns: Netns, hook: str) -> list[Chained]:
    """The nat chains of a hook in the order of the NAT core."""
    found: list[tuple[int, int, Chained]] = []
    chains = [row for row in ns.nft.standing(hook) if row[2].type == "nat"]
    usual = 100 if hook in ("INPUT", "POSTROUTING") else -100
    for at, (key, name, base) in enumerate(chains):
        found.append((base.priority, 2 * at + 1, nft_nat(key, name)))
    if ns.xt.chain("nat", hook) is not None:
        older = [at for at, row in enumerate(chains) if row[2].priority == usual and "nat" in row[2].xt_there]
        found.append((usual, 2 * max(older) + 2 if older else 0, xt_nat))
    return [function for _, _, function in sorted(found, key=lambda one: one[:2])]


def xt_nat(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> tuple[list[Step], Verdict]:
    return run_chain(w.net, ns, "nat", hook, skb, place, w.choose, w.waiting)


def nft_nat(key: TableKey, name: str) -> Chained:
    from engine.linux.nft.run import run_base

    def run(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> tuple[list[Step], Verdict]:
        return run_base(w.net, ns, key, name, hook, skb, place, w.choose)

    return run


def run_hook(w: Walker, ns: Netns, hook: str, skb: Skb, place: Place) -> Event | None:
    """The packet meets the hook. An Event says that it does not go on from here as it came."""
    for _, function in registered(ns, hook):
        event = function(w, ns, hook, skb, place)
        if event is not None:
            return event
    return None


def run_table(w: Walker, ns: Netns, table: str, hook: str, skb: Skb, place: Place) -> End | None:
    """One table of a hook; DROP and REJECT end the packet."""
    if table not in ns.xt.tables:
        return None
    steps, verdict = run_chain(w.net, ns, table, hook, skb, place, w.choose, w.waiting)
    w.steps.extend(steps)
    if verdict.word == "accept":
        return None
    return refused(w, ns, skb, place, hook, verdict, steps)


def refused(
    w: Walker, ns: Netns, skb: Skb, place: Place, hook: str, verdict: Verdict, steps: list[Step]
) -> End:
    """A chain said drop or reject."""
    last = verdict.step if verdict.step is not None else (steps[-1] if steps else None)
    row = last.row if last is not None else ""
    if verdict.word == "drop":
        policy = last is not None and last.kind is StepKind.POLICY
        chain = last.chain if last is not None else hook
        why = words.DROPPED_BY_POLICY(chain=chain) if policy else words.DROPPED_BY_RULE()
        return w.drop(place, skb.packet, why, Outcome.DROPPED, row=row, hook=hook, error=local_error(skb))
    why = words.REJECTED_BY_RULE(how=verdict.reject)
    answer = deliver.reject(ns, skb, verdict.reject)
    if verdict.reject == "tcp-reset" and answer is not None:
        ct.closing(w, ns, skb)
    return w.drop(
        place, skb.packet, why, Outcome.REJECTED, row=row, hook=hook, answer=answer, error=local_error(skb)
    )


def local_error(skb: Skb) -> str:
    """A packet that netfilter stops on its way out: sendto and sendmsg see EPERM (TCP hides it)."""
    return "EPERM" if skb.local else ""

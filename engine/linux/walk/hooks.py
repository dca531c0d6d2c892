"""Netfilter's hooks: who is registered at each, in the kernel's order, and what their verdicts do to the packet.

Theory. At PREROUTING, INPUT, FORWARD, OUTPUT and POSTROUTING stand the tables of `xt.tables.LAYOUT` by rising priority,
with conntrack at -200, NAT at its own places, and the confirmation of new connections last. `registered` is the one
place that says what stands where; a packet meets them in that order until one of them takes it. Sources: facts 10
section 1.1; include/uapi/linux/netfilter_ipv4.h.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.journey import Outcome, Place, StepKind
from engine.linux.net import Netns
from engine.linux.skb import Skb
from engine.linux.walk import deliver, nat, routing, words
from engine.linux.walk import track as ct
from engine.linux.walk.walker import End, Event, Walker
from engine.linux.xt.run import run_chain
from engine.linux.xt.tables import LAYOUT

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
    if hook in ("PREROUTING", "OUTPUT"):
        found.append((CONNTRACK_PRIORITY, track))
    if hook in ("POSTROUTING", "INPUT"):
        found.append((CONFIRM_PRIORITY, confirm))
    return tuple(sorted(found, key=lambda one: one[0]))


FIXED = {hook: fixed(hook) for hook in LAYOUT}


def registered(ns: Netns, hook: str) -> tuple[tuple[int, Hooked], ...]:
    """What a packet meets at a hook of this namespace, by rising priority."""
    return FIXED[hook]


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

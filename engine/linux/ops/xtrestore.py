"""The op that iptables-restore makes of one table of its text.

Rules. All or nothing: it is carried out on a copy of the rules, which takes the place of the old ones when every
line was taken. Sources: xtables-restore.c, nft.c of iptables 1.8.9; measured on Linux 6.18.
"""

from __future__ import annotations

from engine.errors import EngineError
from engine.linux.net import Net
from engine.linux.ops.base import Op, apply, handles
from engine.linux.ops.xt import XtAppend, XtInsert, XtOp, XtReplace
from engine.linux.xt.check import sound
from engine.linux.xt.refused import XtRefused, kernel
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain, builtin
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """One chain of a text for iptables-restore. `policy` is "" for a user chain."""

    name: str
    policy: str = ""
    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XtRestore(Op):
    """One table of iptables-restore's input. `chains` are its `:` lines; `steps` the ops of its command lines, with
    their line numbers; without `keep` everything that the table held goes first, with it (--noflush) only what the
    `:` lines name."""

    netns: str
    table: str
    chains: tuple[Restored, ...] = ()
    steps: tuple[tuple[int, XtOp], ...] = ()
    keep: bool = False


@handles(XtRestore)
def _restore(net: Net, op: XtRestore) -> None:
    """Carried out on a copy of the rules, so that a refusal leaves nothing behind."""
    ns = net.spaces[op.netns]
    before, ns.xt = ns.xt, ns.xt.copy()
    try:
        if not op.keep:
            ns.xt.tables.pop(op.table, None)
        chains = ns.xt.open(op.table)
        for row in op.chains:
            if row.policy:
                ns.xt.open(op.table, row.name)
                chain = ns.xt.own(op.table, row.name)
                chain.policy, chain.policy_packets, chain.policy_bytes = row.policy, row.packets, row.bytes
            elif row.name in chains:
                ns.xt.own(op.table, row.name).clear()
            else:
                chains[row.name] = Chain(row.name)
        _many(net, op)
    except EngineError:
        ns.xt = before
        raise
    ns.xt.changed()


def _many(net: Net, op: XtRestore) -> None:
    """The command lines, in order; appends that stand together are looked at together. What iptables-restore finds out
    itself stops it at once; what the kernel refuses it hears for every line of the table, once all are sent."""
    at = 0
    bad: list[XtRefused] = []
    while at < len(op.steps):
        end = at
        while not bad and end < len(op.steps) and isinstance(op.steps[end][1], XtAppend):
            end += 1
        if end - at > 1 and _append_all(net, [s for _, s in op.steps[at:end] if isinstance(s, XtAppend)]):
            at = end
            continue
        line, step = op.steps[at]
        at += 1
        verb = {XtAppend: "RULE_APPEND", XtInsert: "RULE_INSERT", XtReplace: "RULE_REPLACE"}.get(type(step))
        if verb and any(error.whole for error in bad):
            bad.append(kernel(bad[-1].errno, verb, f"rule in chain {getattr(step, 'chain', '')}").at(line))
            continue
        try:
            apply(net, step)
        except XtRefused as error:
            if error.shape != "kernel":
                raise error.at(line) from None
            bad.append(error.at(line))
    if bad:
        rest = "".join(f"\nline {error.line}: {error.word}" for error in bad[1:])
        raise XtRefused(bad[0].errno, "kernel", bad[0].word + rest, bad[0].line)


def _append_all(net: Net, steps: list[XtAppend]) -> bool:
    """Append many rules at once; False, and nothing done, when the kernel would refuse one of them."""
    first = steps[0]
    xt = net.spaces[first.netns].xt
    before = dict(xt.tables.get(first.table, {}))
    new: dict[str, list[tuple[XtRule, int, int]]] = {}
    for step in steps:
        new.setdefault(step.chain, []).extend((rule, step.packets, step.bytes) for rule in step.rules)
    good = all(name in before or name in builtin(first.table) for name in new)
    if good:
        for name, rows in new.items():
            if name in before:
                before[name] = before[name].copy()
            xt.open(first.table, name)
            xt.own(first.table, name).extend(rows)
        good = sound(first.table, xt.tables[first.table])
        if not good:
            xt.tables[first.table] = before
    return good

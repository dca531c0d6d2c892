"""What the kernel refuses of a rule: a target in the wrong table or chain, a match in the wrong hook, a loop.

Rules. The kernel checks the whole tree that a built-in chain reaches, whenever a rule joins it. Sources: the
`table` and `hooks` fields of the xt targets and matches, nft_compat.c, nf_tables_check_loops() (at most 16 nested
jumps); measured with iptables 1.8.9 on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.xt.match import Protocol
from engine.linux.xt.match_l4 import IcmpMatch, Multiport
from engine.linux.xt.match_more import Addrtype
from engine.linux.xt.match_state import Owner, Physdev
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain
from engine.linux.xt.target import Reject

DEPTH = 16


def unfit(table: str, hook: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule where `hook` ("" = not reached from any) walks it?"""
    target = rule.target
    if target is not None and target.table and target.table != table:
        return True
    if target is not None and hook and target.hooks and hook not in target.hooks:
        return True
    if isinstance(target, Reject) and target.kind == "tcp-reset" and rule.proto != 6:
        return True
    for match in rule.matches:
        if isinstance(match, Owner) and (
            match.socket is not None and (match.uid or match.gid) and match.socket
        ):
            return True
        if isinstance(match, Owner) and hook and hook not in ("OUTPUT", "POSTROUTING"):
            return True
        if isinstance(match, Addrtype) and unfit_addrtype(match, hook):
            return True
        if isinstance(match, Physdev) and hook == "OUTPUT" and (match.isout is not None or match.name_out):
            return True
        if isinstance(match, IcmpMatch) and rule.proto != 1:
            return True
        if isinstance(match, Multiport) and any(isinstance(m, Protocol) and m.invert for m in rule.matches):
            return True
    return False


def unfit_addrtype(match: Addrtype, hook: str) -> bool:
    if match.limit == "in" and hook in ("OUTPUT", "POSTROUTING"):
        return True
    return match.limit == "out" and hook in ("PREROUTING", "INPUT")


def callers(chains: dict[str, Chain], name: str) -> set[str]:
    """The chains from which `name` is reached, itself among them."""
    above: dict[str, set[str]] = {}
    for chain in chains.values():
        for rule in chain.rules:
            if rule.jumps_to:
                above.setdefault(rule.jumps_to, set()).add(chain.name)
    found, todo = {name}, [name]
    while todo:
        for caller in above.get(todo.pop(), ()):
            if caller not in found:
                found.add(caller)
                todo.append(caller)
    return found


def below(chains: dict[str, Chain], name: str, found: set[str]) -> Iterator[XtRule]:
    """Every rule of the chains that `name` reaches, its own among them."""
    if name in found or name not in chains:
        return
    found.add(name)
    for rule in chains[name].rules:
        yield rule
        if rule.jumps_to:
            yield from below(chains, rule.jumps_to, found)


def depth(chains: dict[str, Chain], name: str) -> int:
    """The longest way of jumps down from a chain, in jumps."""
    best = 0
    todo = [(name, 0)]
    while todo:
        at, level = todo.pop()
        best = max(best, level)
        if level > DEPTH:
            break
        todo += [(r.jumps_to, level + 1) for r in chains[at].rules if r.jumps_to in chains]
    return best


def refused(table: str, chains: dict[str, Chain], chain: str, rule: XtRule) -> str:
    """The errno with which the kernel refuses `rule` in `chain`, or ""."""
    target = rule.jumps_to
    up = None
    if target:
        up = callers(chains, chain)
        if target in up:
            return "EMLINK"
        if chains[target].policy:
            return "EOPNOTSUPP"
        if depth(chains, target) + 1 + max((0, *(_up_depth(chains, chain, up),))) > DEPTH:
            return "EMLINK"
    picky = (rule.target is not None and rule.target.hooks) or any(
        isinstance(m, Owner | Addrtype | Physdev) for m in rule.matches
    )
    if not target and not picky:
        return "EINVAL" if unfit(table, "", rule) else ""
    if up is None:
        up = callers(chains, chain)
    hooks = [name for name in up if chains[name].policy] or [""]
    for hook in hooks:
        if unfit(table, hook, rule):
            return "EINVAL"
        if target and hook and any(unfit_hooks(table, hook, r) for r in below(chains, target, set())):
            return "EINVAL"
    return ""


def unfit_hooks(table: str, hook: str, rule: XtRule) -> bool:
    """As `unfit`, for a rule that stands in a chain that becomes reachable: only the hook masks are looked at again."""
    target = rule.target
    if target is not None and target.hooks and hook not in target.hooks:
        return True
    return any(isinstance(m, Owner) and hook not in ("OUTPUT", "POSTROUTING") for m in rule.matches)


def _up_depth(chains: dict[str, Chain], chain: str, up: set[str]) -> int:
    """The longest way of jumps from a built-in chain down to `chain`."""
    above: dict[str, set[str]] = {}
    for name in up:
        for rule in chains[name].rules:
            if rule.jumps_to in up:
                above.setdefault(rule.jumps_to, set()).add(name)
    best, todo = 0, [(chain, 0)]
    while todo:
        at, level = todo.pop()
        best = max(best, level)
        if level <= DEPTH:
            todo += [(name, level + 1) for name in above.get(at, ())]
    return best

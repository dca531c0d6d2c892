"""What the kernel refuses of a rule: a target in the wrong table or chain, a match in the wrong hook, a loop.

Theory. A rule is looked at twice. By itself, when it is made: its target's table, its matches' needs. And by the
hooks from which packets can reach it: a target or match knows where it works, and no chain may come back to
itself or lie more than 16 jumps deep. A chain that no built-in chain reaches yet is not looked at from hooks; it is
when a jump joins it to one. Sources: the `table` and `hooks` fields of the xt targets and matches, nft_compat.c,
nft_table_validate(); measured with iptables 1.8.9 on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain

DEPTH = 16


def unfit(table: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule wherever it stands in the table?"""
    if rule.target is not None and rule.target.unfit(table, rule):
        return True
    return any((m.tables and table not in m.tables) or m.unfit(rule) for m in rule.matches)


def unfit_directly(hook: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule in the built-in chain of a hook? (In a user chain these are not looked at.)"""
    return any(m.unfit_at(hook) for m in rule.matches)


def unfit_below(hook: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule in any chain that a hook reaches?"""
    target = rule.target
    if target is not None and target.hooks and hook not in target.hooks:
        return True
    return any(m.hooks and hook not in m.hooks for m in rule.matches)


def refused(table: str, chains: dict[str, Chain], chain: str, rule: XtRule) -> tuple[str, bool]:
    """The errno with which the kernel refuses `rule` at the end of `chain`, or "", and whether it found it by walking
    the table (then it refuses every later rule of the same batch too)."""
    if unfit(table, rule):
        return "EINVAL", False
    target = rule.jumps_to
    if target and chains[target].policy:
        return "EOPNOTSUPP", False
    if chains[chain].policy and unfit_directly(chain, rule):
        return "EINVAL", False
    if target or rule.picky:
        for base in [c for c in chains.values() if c.policy and leads(chains, c.name, chain)]:
            error = walk(base.name, chains, base.name, {}, extra=(chain, rule))
            if error:
                return error, True
    return "", False


def leads(chains: dict[str, Chain], base: str, goal: str) -> bool:
    """Do jumps lead from one chain to another? Where they do not, a new rule of the other is nothing new for packets
    that come in by the one."""
    seen, todo = {base}, [base]
    while todo:
        name = todo.pop()
        if name == goal:
            return True
        fresh = chains[name].jumps - seen
        seen |= fresh
        todo += fresh
    return False


def walk(
    hook: str,
    chains: dict[str, Chain],
    base: str,
    done: dict[str, int],
    extra: tuple[str, XtRule] | None = None,
) -> str:
    """Go through everything that the built-in chain `base` of `hook` reaches, as nft_table_validate() does. `done`
    keeps how deep each chain below is. `extra` is a rule that is not in its chain yet."""
    path: set[str] = set()

    def depth(name: str) -> int:
        """Jumps below this chain; raises _Bad."""
        if name in done:
            return done[name]
        if name in path or len(path) > DEPTH:
            raise _Bad("EMLINK")
        path.add(name)
        best = 0
        for to in jumps(name):
            best = max(best, depth(to) + 1)
            if best > DEPTH:
                raise _Bad("EMLINK")
        path.discard(name)
        done[name] = best
        return best

    def jumps(name: str) -> Iterator[str]:
        """The chains that one goes to, in the order of its rules; raises _Bad. Where every hook may reach all of its
        rules, their order does not matter."""
        chain, more = chains[name], extra is not None and extra[0] == name
        if not chain.picky and not more:
            yield from chain.jumps
            return
        for rule in (*chain.rules, extra[1]) if more and extra is not None else chain.rules:
            if unfit_below(hook, rule):
                raise _Bad("EINVAL")
            if rule.jumps_to:
                yield rule.jumps_to

    try:
        depth(base)
    except _Bad as bad:
        return bad.errno
    return ""


class _Bad(Exception):
    def __init__(self, errno: str) -> None:
        super().__init__(errno)
        self.errno = errno


def sound(table: str, chains: dict[str, Chain]) -> bool:
    """Would the kernel take the whole table at once? (Which rule is at fault: `refused`, rule by rule.)"""
    for chain in chains.values():
        for rule in chain.rules:
            if unfit(table, rule) or (chain.policy and unfit_directly(chain.name, rule)):
                return False
            if rule.jumps_to and (rule.jumps_to not in chains or chains[rule.jumps_to].policy):
                return False
    return not any(walk(c.name, chains, c.name, {}) for c in chains.values() if c.policy)

"""What the kernel refuses of a rule: a target in the wrong table or chain, a match in the wrong hook, a loop.

Theory. A rule is looked at twice. By itself, when it is made: its target's table, its matches' needs. And by the
hooks from which packets can reach it: a target or match knows where it works, and no chain may come back to
itself or lie more than 16 jumps deep. A chain that no built-in chain reaches yet is not looked at from hooks; it is
when a jump joins it to one. Sources: the `table` and `hooks` fields of the xt targets and matches, nft_compat.c,
nft_table_validate(); measured with iptables 1.8.9 on Linux 6.18.
"""

from __future__ import annotations

from engine.linux.xt.match import Destination, Protocol, Source
from engine.linux.xt.match_host import Recent
from engine.linux.xt.match_more import Addrtype
from engine.linux.xt.match_multi import IcmpMatch, Multiport
from engine.linux.xt.match_state import Owner, Physdev
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain
from engine.linux.xt.target import Reject
from engine.linux.xt.target_set import SetTarget
from engine.linux.xt.target_steer import Tproxy

DEPTH = 16
#: more hits than a list of -m recent may keep
RECENT_HITS = 65535
OWNER_HOOKS = ("OUTPUT", "POSTROUTING")


def unfit(table: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule wherever it stands in the table?"""
    target = rule.target
    if target is not None and target.table and target.table != table:
        return True
    if isinstance(target, Reject) and target.kind == "tcp-reset" and rule.proto != 6:
        return True
    if isinstance(target, SetTarget) and target.mark is not None and table != "mangle":
        return True
    if isinstance(target, Tproxy) and rule.proto not in (6, 17):
        return True
    for match in rule.matches:
        if match.tables and table not in match.tables:
            return True
        if isinstance(match, Recent) and match.hits > RECENT_HITS:
            return True
        if isinstance(match, Source | Destination) and match.invert and not match.length:
            return True
        if isinstance(match, IcmpMatch) and rule.proto != 1:
            return True
        if isinstance(match, Multiport) and any(isinstance(m, Protocol) and m.invert for m in rule.matches):
            return True
    return False


def unfit_directly(hook: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule in the built-in chain of a hook? (In a user chain these are not looked at.)"""
    for match in rule.matches:
        if isinstance(match, Addrtype):
            if match.limit == "in" and hook in ("OUTPUT", "POSTROUTING"):
                return True
            if match.limit == "out" and hook in ("PREROUTING", "INPUT"):
                return True
        if isinstance(match, Physdev) and hook == "OUTPUT" and (match.isout is not None or match.name_out):
            return True
    return False


def unfit_below(hook: str, rule: XtRule) -> bool:
    """Does the kernel refuse this rule in any chain that a hook reaches?"""
    target = rule.target
    if target is not None and target.hooks and hook not in target.hooks:
        return True
    if any(m.hooks and hook not in m.hooks for m in rule.matches):
        return True
    return any(isinstance(m, Owner) for m in rule.matches) and hook not in OWNER_HOOKS


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
    picky = (rule.target is not None and rule.target.hooks) or any(
        isinstance(m, Owner) or m.hooks for m in rule.matches
    )
    if target or picky:
        for base in [c for c in chains.values() if c.policy]:
            error = walk(base.name, chains, base.name, {}, extra=(chain, rule))
            if error:
                return error, True
    return "", False


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
        rules = chains[name].rules
        for rule in (*rules, extra[1]) if extra is not None and extra[0] == name else rules:
            if unfit_below(hook, rule):
                raise _Bad("EINVAL")
            if rule.jumps_to:
                best = max(best, depth(rule.jumps_to) + 1)
                if best > DEPTH:
                    raise _Bad("EMLINK")
        path.discard(name)
        done[name] = best
        return best

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

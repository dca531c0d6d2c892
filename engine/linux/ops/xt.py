"""Ops on iptables rules, one command each. A whole text for iptables-restore: xtrestore.py.

Rules. As everywhere: an op happens whole or raises (XtRefused, whose text is iptables' own) and changes nothing.
A built-in chain comes into being when an op first names it, as with iptables 1.8 (nf_tables).
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.linux.xt.check import refused
from engine.linux.xt.refused import BAD_RULE, NO_CHAIN, XtRefused, kernel, no_such_chain
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain, Xtables, builtin
from engine.record import dataclass
from engine.say import Phrase

BUILT_IN = Phrase(
    en="Renaming a built-in chain takes it out of iptables' sight; rename chains of your own.",
    ko="내장 체인의 이름을 바꾸면 iptables에서 보이지 않게 됩니다. 직접 만든 체인의 이름만 바꾸십시오.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class XtOp(Op):
    """Base: a table of a namespace."""

    netns: str
    table: str = "filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class XtNewChain(XtOp):
    """`iptables -N`."""

    chain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class XtAppend(XtOp):
    """`iptables -A`, one rule or several (a list of addresses), with the counters of -c."""

    chain: str
    rules: tuple[XtRule, ...]
    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XtInsert(XtOp):
    """`iptables -I CHAIN POSITION` (1 = first). Several rules stand in their order from there on."""

    chain: str
    rules: tuple[XtRule, ...]
    position: int = 1
    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XtReplace(XtOp):
    """`iptables -R CHAIN NUMBER`."""

    chain: str
    number: int
    rule: XtRule
    packets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class XtDelete(XtOp):
    """`iptables -D CHAIN RULE`: the first equal rule, for each of `rules`."""

    chain: str
    rules: tuple[XtRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class XtDeleteNumber(XtOp):
    """`iptables -D CHAIN NUMBER`."""

    chain: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class XtFlush(XtOp):
    """`iptables -F [CHAIN]`."""

    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class XtDeleteChain(XtOp):
    """`iptables -X [CHAIN]`."""

    chain: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class XtRenameChain(XtOp):
    """`iptables -E`."""

    chain: str
    new_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class XtPolicy(XtOp):
    """`iptables -P`."""

    chain: str
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class XtZero(XtOp):
    """`iptables -Z [CHAIN [NUMBER]]`."""

    chain: str = ""
    number: int = 0


def _xt(net: Net, op: XtOp) -> Xtables:
    return net.spaces[op.netns].xt


def _table(net: Net, op: XtOp) -> dict[str, Chain]:
    return _xt(net, op).tables.get(op.table, {})


def _opened(net: Net, op: XtOp, chain: str) -> Chain:
    """A chain, to be written to: a built-in one is made; a missing one is refused."""
    if chain not in builtin(op.table) and chain not in _table(net, op):
        raise XtRefused("ENOENT", "table", NO_CHAIN)
    xt = _xt(net, op)
    xt.open(op.table, chain)
    return xt.own(op.table, chain)


def _known(net: Net, op: XtOp, chain: str, word: str = NO_CHAIN) -> Chain:
    """A chain that is there, to be written to."""
    if chain not in _table(net, op):
        raise XtRefused("ENOENT", "table", word)
    return _xt(net, op).own(op.table, chain)


def _all(net: Net, op: XtOp) -> list[Chain]:
    """Every chain of the table, to be written to."""
    return [_xt(net, op).own(op.table, name) for name in list(_table(net, op))]


def _jumps(net: Net, op: XtOp, rules: tuple[XtRule, ...]) -> None:
    """The chains that the rules jump to exist."""
    table = _table(net, op)
    for rule in rules:
        for name in rule.sets:
            if name not in net.spaces[op.netns].ipsets.sets:
                raise XtRefused("ENOENT", "check", f"Set {name} doesn't exist.\n")
        if rule.jumps_to and rule.jumps_to not in table:
            if rule.jumps_to in builtin(op.table):
                raise kernel("ENOENT", "RULE_APPEND", f"rule in chain {getattr(op, 'chain', '')}")
            raise no_such_chain(rule.jumps_to)


def _fits(net: Net, op: XtOp, chain: str, rules: tuple[XtRule, ...], verb: str) -> None:
    xt = _xt(net, op)
    fresh, first = chain not in _table(net, op), op.table not in xt.tables
    chains = xt.open(op.table, chain)
    for rule in rules:
        errno, whole = refused(op.table, chains, chain, rule)
        if errno:
            if fresh:
                del chains[chain]
                if first:
                    del xt.tables[op.table]
            error = kernel(errno, verb, f"rule in chain {chain}")
            error.whole = whole
            raise error


@handles(XtNewChain)
def _new_chain(net: Net, op: XtNewChain) -> None:
    if op.chain in _table(net, op) or op.chain in builtin(op.table):
        raise XtRefused("EEXIST", "table", "Chain already exists")
    _xt(net, op).open(op.table)[op.chain] = Chain(op.chain)


@handles(XtAppend)
def _append(net: Net, op: XtAppend) -> None:
    _jumps(net, op, op.rules)
    if op.chain not in builtin(op.table):
        _known(net, op, op.chain)
    _fits(net, op, op.chain, op.rules, "RULE_APPEND")
    _opened(net, op, op.chain).extend((rule, op.packets, op.bytes) for rule in op.rules)
    _xt(net, op).changed()


@handles(XtInsert)
def _insert(net: Net, op: XtInsert) -> None:
    _jumps(net, op, op.rules)
    if op.chain not in builtin(op.table):
        _known(net, op, op.chain)
    there = _table(net, op).get(op.chain)
    if op.position > (len(there.rules) if there is not None else 0) + 1:
        raise XtRefused("E2BIG", "table", "Index of insertion too big")
    _fits(net, op, op.chain, op.rules, "RULE_INSERT")
    _opened(net, op, op.chain).insert(op.position - 1, op.rules, op.packets, op.bytes)
    _xt(net, op).changed()


@handles(XtReplace)
def _replace(net: Net, op: XtReplace) -> None:
    _jumps(net, op, (op.rule,))
    chain = _known(net, op, op.chain)
    if op.number > len(chain.rules):
        raise XtRefused("E2BIG", "table", "Index of replacement too big")
    _fits(net, op, op.chain, (op.rule,), "RULE_REPLACE")
    chain.replace(op.number - 1, op.rule, op.packets, op.bytes)
    _xt(net, op).changed()


def find(chain: Chain, rule: XtRule) -> int:
    """The index of the first equal rule, or -1."""
    return next((i for i, r in enumerate(chain.rules) if r == rule), -1)


@handles(XtDelete)
def _delete(net: Net, op: XtDelete) -> None:
    _jumps(net, op, op.rules)
    chain = _known(net, op, op.chain, BAD_RULE)
    trial = chain.copy()
    for rule in op.rules:
        at = find(trial, rule)
        if at < 0:
            raise XtRefused("ENOENT", "table", BAD_RULE)
        trial.remove(at)
    _table(net, op)[op.chain] = trial
    _xt(net, op).changed()


@handles(XtDeleteNumber)
def _delete_number(net: Net, op: XtDeleteNumber) -> None:
    chain = _known(net, op, op.chain)
    if op.number > len(chain.rules):
        raise XtRefused("E2BIG", "table", "Index of deletion too big")
    chain.remove(op.number - 1)
    _xt(net, op).changed()


@handles(XtFlush)
def _flush(net: Net, op: XtFlush) -> None:
    if op.chain:
        _opened(net, op, op.chain).clear()
    else:
        for chain in _all(net, op):
            chain.clear()
    _xt(net, op).changed()


@handles(XtDeleteChain)
def _delete_chain(net: Net, op: XtDeleteChain) -> None:
    table = _table(net, op)
    used = _xt(net, op).references(op.table)
    if op.chain:
        chain = _known(net, op, op.chain)
        if chain.policy == "DROP":
            raise XtRefused("EBUSY", "table", "Directory not empty")
        if chain.rules or used[op.chain]:
            raise kernel("EBUSY", "CHAIN_DEL", f"chain {op.chain}")
        del table[op.chain]
        return
    for chain in table.values():
        if not chain.policy and (chain.rules or used[chain.name]):
            raise kernel("EBUSY", "CHAIN_DEL", f"chain {chain.name}")
    for chain in list(table.values()):
        if not chain.policy or (not chain.rules and chain.policy == "ACCEPT"):
            del table[chain.name]


@handles(XtRenameChain)
def _rename_chain(net: Net, op: XtRenameChain) -> None:
    table = _table(net, op)
    if op.new_name in table or op.new_name in builtin(op.table):
        raise XtRefused("EEXIST", "table", "File exists")
    chain = _known(net, op, op.chain)
    if chain.policy:
        raise NotModelled(f"iptables -E {op.chain}", BUILT_IN())
    renamed = [(op.new_name if n == op.chain else n, c) for n, c in table.items()]
    table.clear()
    table.update(renamed)
    chain.rename(op.new_name)
    for other in [c for c in table.values() if any(r.jumps_to == op.chain for r in c.rules)]:
        _xt(net, op).own(op.table, other.name).retarget(op.chain, op.new_name)


@handles(XtPolicy)
def _policy(net: Net, op: XtPolicy) -> None:
    if op.chain not in builtin(op.table):
        raise XtRefused("ENOENT", "table", "Bad built-in chain name")
    if op.policy not in ("ACCEPT", "DROP"):
        raise XtRefused("EINVAL", "table", "Bad policy name")
    _opened(net, op, op.chain).policy = op.policy


@handles(XtZero)
def _zero(net: Net, op: XtZero) -> None:
    if op.chain:
        chain = _known(net, op, op.chain, BAD_RULE if op.number else NO_CHAIN)
        if op.number:
            if op.number <= len(chain.rules):
                chain.packets[op.number - 1] = chain.bytes[op.number - 1] = 0
            return
        chain.zero()
        return
    for chain in _all(net, op):
        chain.zero()

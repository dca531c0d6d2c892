"""The op of a program that keeps whole chains of its own: `iptables-restore --noflush`, from rows instead of text.

Theory. A program like kube-proxy writes every chain that changed as a whole: its `:` line empties it or makes it, its
rules follow, `-X` takes away what nobody needs any more. Its chains are the same on many machines, so a block carries
the chain ready made, and machines share it until one of them counts in it.

Rules. As XtRestore with `keep`: all or nothing, counters begin at 0. A rule may jump to any chain that is there when
the op is done; a chain that some rule still goes to cannot be taken away. Loops are not looked for: the author's
chains go one way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import field
from functools import cached_property

from engine.linux.layered import LARGE, Layered
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.linux.ops.command import Place, Words, to_command
from engine.linux.xt.check import unfit
from engine.linux.xt.refused import XtRefused, kernel
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import Chain, Xtables
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class XtBlock:
    """A user chain with all its rules. `chain` is made from them."""

    name: str
    rules: tuple[XtRule, ...] = ()
    chain: Chain = field(init=False, compare=False, repr=False)
    #: the table that its rules were found to fit last
    fits: str = field(default="", init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        count = len(self.rules)
        chain = Chain(self.name, "", self.rules, [0] * count, [0] * count, states=[None] * count)
        object.__setattr__(self, "chain", chain)


class XtBlocks(tuple[XtBlock, ...]):
    """The chains of a program that many machines get alike: what they come to is worked out once."""

    @cached_property
    def chains(self) -> Layered[str, Chain]:
        """By name; a machine takes a copy."""
        return Layered({block.name: block.chain for block in self})

    @cached_property
    def goals(self) -> Layered[str, int]:
        """How many of the chains go to a chain; a machine takes a copy."""
        return Layered(dict(Counter(to for block in self.chains.values() for to in block.jumps)))

    @cached_property
    def outside(self) -> tuple[str, ...]:
        """The chains that they go to and do not bring."""
        return tuple(name for name in self.goals if name not in self.chains)

    def fits(self, table: str) -> None:
        """Raise where the kernel would refuse a rule in this table."""
        if table not in self.known:
            for block in self:
                _fits_by_itself(table, block)
            self.known.add(table)

    @cached_property
    def known(self) -> set[str]:
        """Tables that all rules were found to fit."""
        return set()


@dataclass(frozen=True, slots=True, kw_only=True)
class XtChains(Op):
    """One table: chains written as a whole, then chains deleted."""

    netns: str
    table: str
    blocks: tuple[XtBlock, ...] = ()
    gone: tuple[str, ...] = ()


@handles(XtChains)
def _chains(net: Net, op: XtChains) -> None:
    xt = net.spaces[op.netns].xt
    before = xt.tables.get(op.table, {})
    if isinstance(op.blocks, XtBlocks) and len(before) < LARGE <= len(op.blocks):
        _lay(xt, before, op, op.blocks)
        return
    after = before.copy()
    for block in op.blocks:
        there = before.get(block.name)
        if there is not None and there.policy:
            raise XtRefused("EOPNOTSUPP", "table", f"chain {block.name} is a built-in chain")
        after[block.name] = block.chain
    for block in op.blocks:
        there = before.get(block.name)
        if there is None or there.rules is not block.rules:
            _fit(op.table, block, after)
    for name in op.gone:
        if name not in after:
            raise kernel("ENOENT", "CHAIN_DEL", f"chain {name}")
        del after[name]
    held = xt.replaced(op.table, after, [block.chain for block in op.blocks], op.gone)
    if held:
        raise kernel("EBUSY", "CHAIN_DEL", f"chain {held}")


def _lay(xt: Xtables, before: dict[str, Chain], op: XtChains, blocks: XtBlocks) -> None:
    """A machine with few chains gets many: those that all machines share, and above them what it has itself."""
    after = blocks.chains.copy()
    for name, chain in before.items():
        if name not in blocks.chains:
            after[name] = chain
        elif chain.policy:
            raise XtRefused("EOPNOTSUPP", "table", f"chain {name} is a built-in chain")
    blocks.fits(op.table)
    for name in blocks.outside:
        if name not in after:
            raise XtRefused("ENOENT", "parameter", f"Chain '{name}' does not exist")
    for name in op.gone:
        if name not in after:
            raise kernel("ENOENT", "CHAIN_DEL", f"chain {name}")
        del after[name]
    held = xt.laid(op.table, after, blocks.goals.copy(), op.gone)
    if held:
        raise kernel("EBUSY", "CHAIN_DEL", f"chain {held}")


def _fit(table: str, block: XtBlock, chains: dict[str, Chain]) -> None:
    """Raise where the kernel would: a rule that does not fit the table, a jump to nowhere."""
    _fits_by_itself(table, block)
    for target in block.chain.jumps:
        if target not in chains:
            raise XtRefused("ENOENT", "parameter", f"Chain '{target}' does not exist")


def _fits_by_itself(table: str, block: XtBlock) -> None:
    if table != block.fits:
        for rule in block.rules:
            if unfit(table, rule):
                raise kernel("EINVAL", "RULE_APPEND", f"rule in chain {block.name}")
        object.__setattr__(block, "fits", table)


def text(op: XtChains) -> str:
    """The input for iptables-restore."""
    return "\n".join(_lines(op)) + "\n"


def _lines(op: XtChains) -> Iterator[str]:
    yield f"*{op.table}"
    for name in (*(b.name for b in op.blocks), *op.gone):
        yield f":{name} - [0:0]"
    for block in op.blocks:
        for rule in block.rules:
            yield rule.text(block.name)
    for name in op.gone:
        yield f"-X {name}"
    yield "COMMIT"


@to_command.register
def _(op: XtChains, place: Place) -> tuple[Words, ...]:
    inside = place(op.netns)
    head = ("ip", "netns", "exec", inside) if inside else ()
    return ((*head, "iptables-restore", "--noflush", "--counters", text(op)),)

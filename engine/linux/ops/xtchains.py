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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import overload

from engine.linux.layered import LARGE, Layered
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.linux.ops.command import Place, Words, to_command
from engine.linux.xt.check import unfit
from engine.linux.xt.refused import XtRefused, kernel
from engine.linux.xt.rule import XtRule
from engine.linux.xt.tables import NOWHERE, Chain, Xtables
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


class XtBlocks(Sequence[XtBlock]):
    """The chains of a program that many machines get alike: what they come to is worked out once. `chains` by name and
    `goals` (how many of the chains go to a chain) are for a machine to take a copy of; `outside` are the chains that
    they go to and do not bring."""

    __slots__ = ("_known", "blocks", "chains", "goals", "outside")

    def __init__(self, rows: Iterable[XtBlock]) -> None:
        named = {block.name: block for block in rows}
        self.blocks: Layered[str, XtBlock] = Layered(named)
        self.chains: Layered[str, Chain] = Layered({name: block.chain for name, block in named.items()})
        self.goals: Layered[str, int] = Layered(
            dict(Counter(to for c in self.chains.values() for to in c.jumps))
        )
        self.outside = frozenset(name for name in self.goals if name not in named)
        #: the table that all rules were found to fit
        self._known = ""

    def renewed(self, new: Iterable[XtBlock], gone: Iterable[str]) -> XtBlocks:
        """With other chains in place of those of their names, new ones, and without some. Costs what changed."""
        out = XtBlocks.__new__(XtBlocks)
        out.blocks, out.chains, out.goals = self.blocks.copy(), self.chains.copy(), self.goals.copy()
        out._known = self._known
        outside = set(self.outside)
        for name in gone:
            for to in out.chains[name].jumps:
                out.goals[to] -= 1
            del out.blocks[name], out.chains[name]
            outside |= {name} if out.goals.get(name) else set()
        for block in new:
            old = out.blocks.get(block.name)
            if old is block:
                continue
            before = old.chain.jumps if old is not None else NOWHERE
            for to in before - block.chain.jumps:
                out.goals[to] -= 1
            for to in block.chain.jumps - before:
                out.goals[to] = out.goals.get(to, 0) + 1
                outside.add(to)
            out.blocks[block.name], out.chains[block.name] = block, block.chain
            if out._known:
                _fits_by_itself(out._known, block)
        out.outside = frozenset(name for name in outside if name not in out.chains and out.goals.get(name))
        return out

    def fits(self, table: str) -> None:
        """Raise where the kernel would refuse a rule in this table."""
        if table != self._known:
            for block in self:
                _fits_by_itself(table, block)
            self._known = table

    def __len__(self) -> int:
        return len(self.blocks)

    def __iter__(self) -> Iterator[XtBlock]:
        return iter(self.blocks.values())

    @overload
    def __getitem__(self, at: int, /) -> XtBlock: ...
    @overload
    def __getitem__(self, at: slice, /) -> list[XtBlock]: ...
    def __getitem__(self, at: int | slice, /) -> XtBlock | list[XtBlock]:
        return list(self)[at]


@dataclass(frozen=True, slots=True, kw_only=True)
class XtChains(Op):
    """One table: chains written as a whole, then chains deleted."""

    netns: str
    table: str
    blocks: Sequence[XtBlock] = ()
    gone: tuple[str, ...] = ()


@handles(XtChains)
def _chains(net: Net, op: XtChains) -> None:
    xt = net.spaces[op.netns].xt
    before = xt.tables.get(op.table, {})
    if isinstance(op.blocks, XtBlocks) and len(before) < LARGE:
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

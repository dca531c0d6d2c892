"""Ops on the connections that a namespace tracks: what `conntrack -D`, `-F`, `-I`, `-U` and `-z` do."""

from __future__ import annotations

from engine.linux.conntrack import CtEntry
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class CtDelete(Op):
    """`conntrack -D`: these entries, by id."""

    netns: str
    ids: tuple[int, ...]


@handles(CtDelete)
def _ct_delete(net: Net, op: CtDelete) -> None:
    table = net.spaces[op.netns].conntrack
    gone: list[CtEntry] = [table.entries[i] for i in op.ids if i in table.entries]
    for entry in gone:
        table.remove(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtFlush(Op):
    """`conntrack -F`."""

    netns: str


@handles(CtFlush)
def _ct_flush(net: Net, op: CtFlush) -> None:
    for entry in list(net.spaces[op.netns].conntrack.entries.values()):
        net.spaces[op.netns].conntrack.remove(entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtInsert(Op):
    """`conntrack -I` (an entry with id 0) and `-U` (one that is there)."""

    netns: str
    entry: CtEntry


@handles(CtInsert)
def _ct_insert(net: Net, op: CtInsert) -> None:
    table = net.spaces[op.netns].conntrack
    if op.entry.id:
        table.update(op.entry)
    else:
        table.confirm(op.entry)
        table.count("insert")


@dataclass(frozen=True, slots=True, kw_only=True)
class CtZero(Op):
    """`conntrack -L -z`: the counters of these entries begin anew."""

    netns: str
    ids: tuple[int, ...]


@handles(CtZero)
def _ct_zero(net: Net, op: CtZero) -> None:
    table = net.spaces[op.netns].conntrack
    for id in op.ids:
        if id in table.entries and table.entries[id].counts is not None:
            table.update(replace(table.entries[id], counts=(0, 0, 0, 0)))

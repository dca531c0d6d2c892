"""Ops on the connections that a namespace tracks: what `conntrack -D` and `-F` do."""

from __future__ import annotations

from engine.linux.conntrack import CtEntry
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.record import dataclass


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

"""Ops on ipsets, one command each.

Rules. As everywhere: an op happens whole or raises (IpsetRefused, whose text is the tool's own) and changes nothing.
A range of which a part was added before the kernel refused is the command's business: it asks for the part (`first`)
with an op of its own. A set that rules or a list:set use cannot go or change its name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice

from engine.linux.ipset.expand import elements
from engine.linux.ipset.held import IpSets
from engine.linux.ipset.kinds import KINDS
from engine.linux.ipset.refused import IpsetRefused
from engine.linux.ipset.rows import Asked, Beside, Element, Options
from engine.linux.ipset.sets import IpSet
from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op, handles
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetOp(Op):
    """Base: the sets of a namespace."""

    netns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetCreate(IpsetOp):
    """`ipset create`; with `exist` a set that is there and alike is taken."""

    name: str
    kind: str
    options: Options = Options()
    exist: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetDestroy(IpsetOp):
    """`ipset destroy [NAME]`; "" = all."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetFlush(IpsetOp):
    """`ipset flush [NAME]`; "" = all."""

    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetRename(IpsetOp):
    """`ipset rename`."""

    name: str
    new_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetSwap(IpsetOp):
    """`ipset swap`: the two names change their contents."""

    name: str
    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetAdd(IpsetOp):
    """`ipset add`. Of a range only the first `first` elements, -1 = all."""

    name: str
    asked: Asked
    beside: Beside = Beside()
    exist: bool = False
    first: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class IpsetDel(IpsetOp):
    """`ipset del`. Of a range only the first `first` elements, -1 = all."""

    name: str
    asked: Asked
    exist: bool = False
    first: int = -1


def references(ns: Netns) -> Counter[str]:
    """How often each set is used: by rules, by SET targets, by list:sets."""
    return Counter(name for rule in ns.xt.rules() for name in rule.sets) + ns.ipsets.members()


def _there(net: Net, op: IpsetOp, name: str) -> IpSets:
    sets = net.spaces[op.netns].ipsets
    if name not in sets.sets:
        raise IpsetRefused("ENOENT")
    return sets


@handles(IpsetCreate)
def _create(net: Net, op: IpsetCreate) -> None:
    sets = net.spaces[op.netns].ipsets
    fresh = IpSet(op.name, KINDS[op.kind], op.options)
    old = sets.sets.get(op.name)
    if old is None:
        sets.create(fresh)
    elif not op.exist or not alike(old, fresh):
        raise IpsetRefused("EEXIST")


def alike(a: IpSet, b: IpSet) -> bool:
    """Does the kernel take one for the other in `create -exist` (same_set)?"""
    x, y = a.options, b.options
    same = a.kind is b.kind and (x.timeout, x.extensions) == (y.timeout, y.extensions)
    if a.kind.is_hash:
        return same and (x.maxelem, x.netmask, x.bitmask) == (y.maxelem, y.netmask, y.bitmask)
    return same and (x.low, x.high, x.netmask, x.size) == (y.low, y.high, y.netmask, y.size)


@handles(IpsetDestroy)
def _destroy(net: Net, op: IpsetDestroy) -> None:
    ns = net.spaces[op.netns]
    if op.name:
        _there(net, op, op.name)
    used = references(ns)
    names = [op.name] if op.name else ns.ipsets.names()
    if any(used[name] for name in names):
        raise IpsetRefused("BUSY")
    for name in names:
        ns.ipsets.destroy(name)
    if not op.name:
        ns.ipsets.slots.clear()


@handles(IpsetFlush)
def _flush(net: Net, op: IpsetFlush) -> None:
    sets = _there(net, op, op.name) if op.name else net.spaces[op.netns].ipsets
    for name in [op.name] if op.name else sets.names():
        sets.own(name).flush()


@handles(IpsetRename)
def _rename(net: Net, op: IpsetRename) -> None:
    sets = _there(net, op, op.name)
    if references(net.spaces[op.netns])[op.name]:
        raise IpsetRefused("REFERENCED")
    if op.new_name in sets.sets:
        raise IpsetRefused("RENAME_EXISTS")
    sets.rename(op.name, op.new_name)


@handles(IpsetSwap)
def _swap(net: Net, op: IpsetSwap) -> None:
    sets = _there(net, op, op.name)
    if op.other not in sets.sets:
        raise IpsetRefused("SWAP_ENOENT")
    if sets.sets[op.name].kind is not sets.sets[op.other].kind:
        raise IpsetRefused("MISMATCH")
    if op.name != op.other:
        sets.swap(op.name, op.other)


def _fits(one: IpSet, asked: Asked, beside: Beside) -> None:
    """Extensions that the set was not made for; a port out of a bitmap's range comes first."""
    o = one.options
    if one.kind.name == "bitmap:port" and not o.low <= asked.port <= o.high:
        raise IpsetRefused("BITMAP_RANGE")
    if beside.timeout is not None and o.timeout is None:
        raise IpsetRefused("TIMEOUT")
    if (beside.packets is not None or beside.bytes is not None) and not o.counters:
        raise IpsetRefused("COUNTER")
    if beside.comment is not None and not o.comment:
        raise IpsetRefused("COMMENT")
    if any(v is not None for v in (beside.skbmark, beside.skbprio, beside.skbqueue)) and not o.skbinfo:
        raise IpsetRefused("SKBINFO")


def _member(sets: IpSets, asked: Asked) -> None:
    """A member of a list:set, and its neighbour, exist and are no list:sets."""
    found = sets.sets.get(asked.name)
    if found is None:
        raise IpsetRefused("NAME")
    if found.kind.is_list:
        raise IpsetRefused("LOOP")
    near = asked.before or asked.after
    if near and near not in sets.sets:
        raise IpsetRefused("NAMEREF")


@handles(IpsetAdd)
def _add(net: Net, op: IpsetAdd) -> None:
    sets = _there(net, op, op.name)
    shared = sets.sets[op.name]
    _fits(shared, op.asked, op.beside)
    if shared.kind.is_list:
        _member(sets, op.asked)
        sets.own(op.name).add_member(op.asked, op.beside, net.clock, exist=op.exist)
        return
    one, wanted = _work(sets, op)
    for number, element in enumerate(wanted):
        try:
            one.add(element, op.beside, net.clock, exist=op.exist)
        except IpsetRefused as error:
            raise IpsetRefused(error.code, number) from None
    _swap_in(sets, op.name, one)


@handles(IpsetDel)
def _del(net: Net, op: IpsetDel) -> None:
    sets = _there(net, op, op.name)
    shared = sets.sets[op.name]
    if shared.kind.is_list:
        _member(sets, op.asked)
        asked = op.asked
        if (asked.before or asked.after) and not shared.beside_member(asked):
            raise IpsetRefused("REF_EXIST")
    one, wanted = _work(sets, op)
    for number, element in enumerate(wanted):
        try:
            one.delete(element, net.clock, exist=op.exist)
        except IpsetRefused as error:
            raise IpsetRefused(error.code, number) from None
    _swap_in(sets, op.name, one)


def _work(sets: IpSets, op: IpsetAdd | IpsetDel) -> tuple[IpSet, Iterator[Element]]:
    """The set to change and the elements, one after the other: for several a copy, which takes the old one's place at
    the end, because a refusal in the middle must leave nothing behind."""
    shared = sets.sets[op.name]
    wanted = islice(elements(shared.kind, shared.options, op.asked), None if op.first < 0 else op.first)
    head = list(islice(wanted, 2))
    return (shared.copy() if len(head) > 1 else sets.own(op.name)), chain(head, wanted)


def _swap_in(sets: IpSets, name: str, one: IpSet) -> None:
    if sets.sets[name] is not one:
        one.owner = sets.token
        sets.sets[name] = one

"""Ops on neighbours (ARP entries) and on the forwarding entries of bridges (man ip-neighbour, man bridge)."""

from __future__ import annotations

from engine.errors import NotModelled, OpError
from engine.linux.addr import Prefix
from engine.linux.net import Net
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.rows import FdbEntry, Neighbour
from engine.record import dataclass, replace

NO_ENTRY = "RTNETLINK answers: No such file or directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNeighbour(Op):
    """`ip neigh add|replace|change`; `replace` False refuses an entry that is there, `create` False one that is not."""

    netns: str
    device: str
    neighbour: Neighbour
    replace: bool = True
    create: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DelNeighbour(Op):
    netns: str
    device: str
    ip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetProxy(Op):
    """`ip neigh add|del proxy`: answer ARP questions for `ip` that come in by the device; `gone` takes it away."""

    netns: str
    device: str
    ip: int
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushNeighbours(Op):
    """`ip neigh flush`: entries that fit go. Without `states`, all but PERMANENT and NOARP, as the tool does."""

    netns: str
    device: str = ""
    to: Prefix | None = None
    states: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFdb(Op):
    """`bridge fdb add|replace|del`; `gone` removes. `device` is a bridge or one of its ports; `entry.bridge` and
    `entry.ifindex` are filled in. `entry.local` with `entry.static` is a permanent entry made by hand. `replace` False
    refuses an entry that is there."""

    netns: str
    device: str
    entry: FdbEntry
    gone: bool = False
    replace: bool = True


@handles(SetNeighbour)
def _set_neighbour(net: Net, op: SetNeighbour) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.device)
    new = op.neighbour
    key = (link.ifindex, new.ip)
    if key in ns.neighbours and not op.replace:
        raise OpError("EEXIST", "RTNETLINK answers: File exists")
    if key not in ns.neighbours and not op.create:
        raise OpError("ENOENT", NO_ENTRY)
    if not new.mac and new.state not in ("FAILED", "INCOMPLETE", "NOARP"):
        raise OpError("EINVAL", "Error: No link layer address given.")
    # An entry that is not valid has no MAC to show.
    mac = 0 if new.state in ("FAILED", "INCOMPLETE") else new.mac
    ns.neighbours[key] = replace(new, ifindex=link.ifindex, mac=mac, since=net.clock)


@handles(SetProxy)
def _set_proxy(net: Net, op: SetProxy) -> None:
    ns = net.spaces[op.netns]
    key = (need_device(ns, op.device).ifindex, op.ip)
    if not op.gone:
        ns.proxies.add(key)
    elif key in ns.proxies:
        ns.proxies.remove(key)
    else:
        raise OpError("ENOENT", NO_ENTRY)


@handles(DelNeighbour)
def _del_neighbour(net: Net, op: DelNeighbour) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.device)
    if ns.neighbours.pop((link.ifindex, op.ip), None) is None:
        raise OpError("ENOENT", NO_ENTRY)


@handles(FlushNeighbours)
def _flush_neighbours(net: Net, op: FlushNeighbours) -> None:
    ns = net.spaces[op.netns]
    only = need_device(ns, op.device).ifindex if op.device else 0
    for key, row in list(ns.neighbours.items()):
        if (only and key[0] != only) or (op.to is not None and row.ip not in op.to):
            continue
        if row.state in op.states if op.states else row.state not in ("PERMANENT", "NOARP"):
            del ns.neighbours[key]


@handles(SetFdb)
def _set_fdb(net: Net, op: SetFdb) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.device)
    bridge = link.ifindex if link.kind == "bridge" else link.master
    if not bridge:
        raise OpError("EOPNOTSUPP", "RTNETLINK answers: Operation not supported")
    key = (bridge, op.entry.mac)
    if op.gone:
        if key not in ns.fdb or ns.fdb[key].ifindex != link.ifindex:
            raise OpError("ENOENT", NO_ENTRY)
        del ns.fdb[key]
        return
    if key in ns.fdb and not op.replace:
        raise OpError("EEXIST", "RTNETLINK answers: File exists")
    if op.entry.mac >> 40 & 1:
        raise NotModelled("a multicast address in bridge fdb")
    ns.fdb.pop(key, None)
    ns.fdb[key] = replace(op.entry, bridge=bridge, ifindex=link.ifindex, since=net.clock)

"""Ops on IPVS: virtual services, their servers, timeouts, counters.

Rules. As everywhere: whole, or OpError with what ipvsadm prints and nothing changed. A new server stands in front of
the others; one that is removed stays with its connections until they end. Source: net/netfilter/ipvs/ip_vs_ctl.c.
"""

from __future__ import annotations

from engine.errors import NotModelled, OpError
from engine.linux.addr import is_multicast
from engine.linux.fib import LOCAL
from engine.linux.ipvs.rows import REFUSED, SCHEDULERS, Dest, DestKey, Mark, Service, Stats, SvcKey
from engine.linux.ipvs.sched import changed, start
from engine.linux.ipvs.table import Ipvs, forget
from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op, handles
from engine.record import dataclass, replace

INVALID = "Invalid operation.  Possibly wrong module version, address not unicast, ..."


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsAddService(Op):
    """`ipvsadm -A`; servers of `service` are ignored."""

    netns: str
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsEditService(Op):
    """`ipvsadm -E`: scheduler, persistence and flags."""

    netns: str
    service: Service


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsDelService(Op):
    """`ipvsadm -D`."""

    netns: str
    key: SvcKey


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsClear(Op):
    """`ipvsadm -C`."""

    netns: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsAddDest(Op):
    """`ipvsadm -a`."""

    netns: str
    key: SvcKey
    dest: Dest


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsEditDest(Op):
    """`ipvsadm -e`."""

    netns: str
    key: SvcKey
    dest: Dest


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsDelDest(Op):
    """`ipvsadm -d`."""

    netns: str
    key: SvcKey
    dest: DestKey


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsTimeouts(Op):
    """`ipvsadm --set TCP TCPFIN UDP`, seconds; 0 = leave it."""

    netns: str
    tcp: int
    tcpfin: int
    udp: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IpvsZero(Op):
    """`ipvsadm -Z`: counters of one service, or (None) of all."""

    netns: str
    key: SvcKey | None = None


def bind(svc: Service) -> None:
    """Is there such a scheduler?"""
    if svc.scheduler in REFUSED:
        raise NotModelled(f"ipvsadm -s {svc.scheduler}")
    if svc.scheduler not in SCHEDULERS:
        raise OpError("ENOENT", "Scheduler or persistence engine not found")


def known(table: Ipvs, key: SvcKey, text: str) -> Service:
    found = table.services.get(key)
    if found is None:
        raise OpError("ESRCH", text)
    return found


@handles(IpvsAddService)
def _add_service(net: Net, op: IpvsAddService) -> None:
    table, svc = net.spaces[op.netns].ipvs, replace(op.service, dests=())
    if svc.key in table.services:
        raise OpError("EEXIST", "Service already exists")
    bind(svc)
    table.services[svc.key] = svc
    table.marks[svc.key] = start(svc)
    table.svc_stats[svc.key] = Stats()


@handles(IpvsEditService)
def _edit_service(net: Net, op: IpvsEditService) -> None:
    table = net.spaces[op.netns].ipvs
    old = known(table, op.service.key, "No such service")
    bind(op.service)
    svc = replace(op.service, dests=old.dests)
    table.services[svc.key] = svc
    if svc.scheduler != old.scheduler:
        table.marks[svc.key] = start(svc)


@handles(IpvsDelService)
def _del_service(net: Net, op: IpvsDelService) -> None:
    ns = net.spaces[op.netns]
    known(ns.ipvs, op.key, "No such service")
    forget_service(ns, op.key)


def forget_service(ns: Netns, key: SvcKey) -> None:
    svc = ns.ipvs.services.pop(key)
    ns.ipvs.marks.pop(key, None)
    ns.ipvs.svc_stats.pop(key, None)
    for dest in svc.dests:
        left(ns, key, dest.key)


@handles(IpvsClear)
def _clear(net: Net, op: IpvsClear) -> None:
    ns = net.spaces[op.netns]
    for key in list(ns.ipvs.services):
        forget_service(ns, key)


def left(ns: Netns, key: SvcKey, dest: DestKey) -> None:
    """A server went: its counters go with its last connection; with expire_nodest_conn its connections end now."""
    table = ns.ipvs
    mine = [c for c in table.conns.values() if (c.svc, c.dest) == (key, dest)]
    if ns.sysctl("net.ipv4.vs.expire_nodest_conn") != "0":
        for conn in sorted(mine, key=lambda c: c.template):
            table.remove(conn)
        forget(ns.conntrack, mine, float("-inf"))
        mine = []
    if not mine:
        table.loads.pop((key, dest), None)
        table.dest_stats.pop((key, dest), None)


def store(table: Ipvs, svc: Service, dests: tuple[Dest, ...], gone: DestKey | None = None) -> None:
    """The service with other servers; rr and wrr find their place again."""
    after = replace(svc, dests=dests)
    table.services[svc.key] = after
    table.marks[svc.key] = changed(after, table.marks.get(svc.key, Mark()), gone, svc.dests)


def overload(table: Ipvs, key: SvcKey, dest: Dest, before: Dest | None) -> None:
    """Is a server over its threshold, after that was changed (__ip_vs_update_dest)?"""
    if before is not None and (before.upper, before.lower) == (dest.upper, dest.lower):
        return
    load = table.load(key, dest.key)
    over = dest.upper > 0 and (load.total >= dest.upper or (load.overload and load.total >= dest.low_mark))
    table.loads[key, dest.key] = load._replace(overload=over)


@handles(IpvsAddDest)
def _add_dest(net: Net, op: IpvsAddDest) -> None:
    ns = net.spaces[op.netns]
    svc = known(ns.ipvs, op.key, "Service not defined")
    check(op.dest)
    if svc.dest(op.dest.key) is not None:
        raise OpError("EEXIST", "Destination already exists")
    fresh = not any(ns.tables[LOCAL].lengths.values())
    if fresh or is_multicast(op.dest.addr) or op.dest.addr in (0, 0xFFFFFFFF):
        raise OpError("EINVAL", INVALID)
    if ns.address_type(op.dest.addr) not in ("local", "unicast"):
        raise OpError("EINVAL", INVALID)
    store(ns.ipvs, svc, (replace(op.dest, last_weight=op.dest.weight), *svc.dests))
    overload(ns.ipvs, svc.key, op.dest, None)


def check(dest: Dest) -> None:
    if dest.weight < 0 or dest.lower > dest.upper:
        raise OpError("ERANGE", "Weight or threshold out of range")


@handles(IpvsEditDest)
def _edit_dest(net: Net, op: IpvsEditDest) -> None:
    table = net.spaces[op.netns].ipvs
    svc = known(table, op.key, "Service not defined")
    check(op.dest)
    old = svc.dest(op.dest.key)
    if old is None:
        raise OpError("ENOENT", "No such destination")
    new = replace(op.dest, last_weight=op.dest.weight or old.last_weight)
    store(table, svc, tuple(new if d.key == new.key else d for d in svc.dests))
    overload(table, svc.key, new, old)


@handles(IpvsDelDest)
def _del_dest(net: Net, op: IpvsDelDest) -> None:
    ns = net.spaces[op.netns]
    svc = known(ns.ipvs, op.key, "Service not defined")
    if svc.dest(op.dest) is None:
        raise OpError("ENOENT", "No such destination")
    store(ns.ipvs, svc, tuple(d for d in svc.dests if d.key != op.dest), gone=op.dest)
    left(ns, op.key, op.dest)


@handles(IpvsTimeouts)
def _timeouts(net: Net, op: IpvsTimeouts) -> None:
    times = net.spaces[op.netns].ipvs.timeouts
    for state, seconds in (("ESTABLISHED", op.tcp), ("FIN_WAIT", op.tcpfin), ("udp", op.udp)):
        if not 0 <= seconds <= 31 * 86400:
            raise OpError("EINVAL", INVALID)
        if seconds:
            times[state] = seconds


@handles(IpvsZero)
def _zero(net: Net, op: IpvsZero) -> None:
    table = net.spaces[op.netns].ipvs
    if op.key is not None:
        known(table, op.key, "No such service")
    else:
        table.total = Stats()
    for key in [op.key] if op.key is not None else list(table.services):
        table.svc_stats[key] = Stats()
        for svc, dest in list(table.dest_stats):
            if svc == key:
                table.dest_stats[svc, dest] = Stats()

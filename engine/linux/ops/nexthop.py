"""Ops on nexthop objects (man ip-nexthop).

Theory. A route can name an object instead of a way; changing the object changes every route by it at once. A group
shares flows among its members by weight. Source: net/ipv4/nexthop.c (nh_create_ipv4, nexthop_add, remove_nexthop).
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.fib import MAIN, NexthopObject
from engine.linux.net import Net, Netns
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.kernelroutes import forget_nexthop
from engine.linux.ops.route import Way, check_way
from engine.record import dataclass

EXISTS = "RTNETLINK answers: File exists"
NOT_THERE = "RTNETLINK answers: No such file or directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNexthop(Op):
    """`ip nexthop add|replace`. `id` 0 = the kernel's choice. One of: a way (`gateway`, `device`, `onlink`),
    `blackhole`, or `group` of (id, weight). `replace` False refuses an id that is there."""

    netns: str
    id: int = 0
    gateway: int = 0
    device: str = ""
    onlink: bool = False
    blackhole: bool = False
    group: tuple[tuple[int, int], ...] = ()
    proto: str = "unspec"
    replace: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DelNexthop(Op):
    """`ip nexthop del id ID`."""

    netns: str
    id: int


@handles(SetNexthop)
def _set_nexthop(net: Net, op: SetNexthop) -> None:
    ns = net.spaces[op.netns]
    if op.device:
        need_device(ns, op.device)
    if op.replace and not op.id:
        raise OpError("EINVAL", "Error: Replace requires nexthop id.")
    thing = made(ns, op)
    old = ns.nexthops.get(op.id) if op.id else None
    if old is None:
        ns.nexthops[thing.id] = thing
        return
    if not op.replace:
        raise OpError("EEXIST", EXISTS)
    if bool(old.group) != bool(thing.group):
        what = "a nexthop group with a nexthop" if old.group else "a nexthop with a nexthop group"
        raise OpError("EINVAL", f"Error: Can not replace {what}.")
    if thing.blackhole and any(
        any(id == op.id for id, _ in g.group) and len(g.group) > 1 for g in ns.nexthops.values()
    ):
        raise OpError(
            "EINVAL", "Error: Blackhole nexthop can not be a member of a group with more than one path."
        )
    ns.nexthops[op.id] = thing


def made(ns: Netns, op: SetNexthop) -> NexthopObject:
    """The row that the kernel would store. Raises OpError."""
    id = op.id or free_id(ns)
    if op.group:
        check_group(ns, op)
        return NexthopObject(id=id, group=op.group, proto=op.proto)
    if op.blackhole:
        if op.gateway or op.device:
            raise OpError(
                "EINVAL", "Error: Blackhole attribute can not be used with gateway, oif, encap or fdb."
            )
        return NexthopObject(id=id, blackhole=True, proto=op.proto)
    if not op.device:
        if not op.gateway:
            raise OpError("EINVAL", "Error: Invalid address family.")
        raise OpError("EINVAL", "Error: Device attribute required for non-blackhole and non-fdb nexthops.")
    link = need_device(ns, op.device)
    if not link.up:
        raise OpError("ENETDOWN", "Error: Nexthop device is not up.")
    if op.onlink and not op.gateway:
        raise OpError("EINVAL", "Error: ONLINK flag can not be set for nexthop without a gateway.")
    hop = check_way(ns, Way(gateway=op.gateway, device=op.device, onlink=op.onlink), "global", MAIN)
    scope = "link" if op.gateway and not hop.own_gateway else "host"
    return NexthopObject(id=id, hop=hop, scope=scope, proto=op.proto)


def check_group(ns: Netns, op: SetNexthop) -> None:
    """`nh_check_attr_group`."""
    if op.gateway or op.device or op.blackhole:
        raise OpError("EINVAL", "Error: Invalid family for group.")
    seen: set[int] = set()
    for id, _ in op.group:
        if not id or id in seen:
            raise OpError("EINVAL", "Error: Nexthop id can not be used twice in a group.")
        seen.add(id)
    for id, _ in op.group:
        member = ns.nexthops.get(id)
        if member is None:
            raise OpError("EINVAL", "Error: Invalid nexthop id.")
        if member.group:
            raise OpError("EINVAL", "Error: Hash-threshold group can not be a nexthop within a group.")
        if member.blackhole and len(op.group) > 1:
            raise OpError(
                "EINVAL", "Error: Blackhole nexthop can not be used in a group with more than 1 path."
            )


def free_id(ns: Netns) -> int:
    """`nh_find_unused_id`."""
    return next(id for id in range(1, 1 << 32) if id not in ns.nexthops)


@handles(DelNexthop)
def _del_nexthop(net: Net, op: DelNexthop) -> None:
    ns = net.spaces[op.netns]
    if op.id not in ns.nexthops:
        raise OpError("ENOENT", NOT_THERE)
    forget_nexthop(ns, op.id)

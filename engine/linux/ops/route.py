"""Ops on routes (man ip-route).

Theory. What a route may be is decided by `fib_create_info` and `fib_check_nh` (net/ipv4/fib_semantics.c), where it
stands and whom it replaces by `fib_table_insert` (net/ipv4/fib_trie.c). A gateway must be reached by a route of
scope link or host; a route is found again by its prefix, metric and type of next hop.
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.addr import Prefix, mask
from engine.linux.fib import (
    LOCAL,
    MAIN,
    SCOPES,
    Nexthop,
    Route,
    Table,
    first_way,
    lookup,
    together,
    usable_for,
    ways,
)
from engine.linux.flow import FlowKey
from engine.linux.linkinfo import TunnelKey
from engine.linux.net import Net, Netns, plain
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.kernelroutes import table_of
from engine.record import dataclass, replace

NO_PROCESS = "RTNETLINK answers: No such process"
NO_DEVICE = "RTNETLINK answers: No such device"
BAD_GATEWAY = "Error: Nexthop has invalid gateway."
EXISTS = "RTNETLINK answers: File exists"
#: Types that end a lookup with an error, and so have no next hop.
ERROR_TYPES = ("blackhole", "unreachable", "prohibit", "throw")
MODES = ("add", "replace", "change", "append", "prepend")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One `nexthop via GATEWAY dev DEVICE weight WEIGHT onlink` of a command; 0 and "" = not given."""

    gateway: int = 0
    device: str = ""
    weight: int = 1
    onlink: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute(Op):
    """`ip route add|replace|change|append|prepend`, by `mode`. `device` "" = by the gateway; `scope` "" = as ip
    chooses it (link without a gateway, host for local, global else); `table` 0 = local for the types local and
    broadcast, main else. `gateway`, `src`, `metric`, `mtu` 0 = none. `nexthops` are the ways of a route that has
    several, in place of `gateway` and `device`; `nhid` names a nexthop object instead."""

    netns: str
    dst: Prefix
    type: str = "unicast"
    gateway: int = 0
    device: str = ""
    src: int = 0
    metric: int = 0
    proto: str = "boot"
    scope: str = ""
    onlink: bool = False
    mtu: int = 0
    table: int = 0
    mode: str = "add"
    tos: int = 0
    mtu_lock: bool = False
    advmss: int = 0
    hoplimit: int = 0
    nexthops: tuple[Way, ...] = ()
    nhid: int = 0
    encap: TunnelKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DelRoute(Op):
    """`ip route del`: the first route of the prefix that fits; a field that is 0, "" or None fits all."""

    netns: str
    dst: Prefix
    type: str = ""
    gateway: int = 0
    device: str = ""
    src: int = 0
    metric: int = 0
    proto: str = ""
    scope: str = ""
    table: int = 0
    tos: int = 0
    nexthops: tuple[Way, ...] = ()
    nhid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRoutes(Op):
    """`ip route flush`: every route that fits. `table` 0 = main, -1 = all. `root`, `match`, `exact` as the selectors of
    ip; without a table, routes made by the kernel for addresses go too when they fit, as with the real tool."""

    netns: str
    device: str = ""
    table: int = 0
    proto: str = ""
    type: str = ""
    scope: str = ""
    gateway: int = 0
    root: Prefix | None = None
    match: Prefix | None = None
    exact: Prefix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRouteCache(Op):
    """`ip route flush cache`: what ICMP errors have taught about path MTUs is forgotten."""

    netns: str


def default_scope(type: str, gateway: int, ways: tuple[Way, ...] = (), nhid: int = 0) -> str:
    """The scope that ip gives when none is written."""
    if type == "local":
        return "host"
    if type == "broadcast":
        return "link"
    if type == "unicast" and not gateway and not nhid and not ways:
        return "link"
    return "global"


def default_table(type: str) -> int:
    return LOCAL if type in ("local", "broadcast") else MAIN


@handles(AddRoute)
def _add_route(net: Net, op: AddRoute) -> None:
    ns = net.spaces[op.netns]
    if op.mode not in MODES:
        raise ValueError(f"mode {op.mode!r}")
    for device in (op.device, *(way.device for way in op.nexthops)):
        if device:
            need_device(ns, device)
    if op.tos & 3:
        raise OpError("EINVAL", "Error: Invalid dsfield (tos): ECN bits must be 0.")
    if op.dst.addr & ~mask(op.dst.length) & 0xFFFFFFFF:
        raise OpError("EINVAL", "Error: Invalid prefix for given prefix length.")
    # The kernel opens the table before it looks at the route, so that a refused route leaves an empty table behind.
    table = table_of(ns, op.table or default_table(op.type))
    route = resolve(ns, op)
    insert(table, route, op.mode)
    if route.type == "local":
        ns.custom_local = True


def insert(table: Table, route: Route, mode: str) -> None:
    """`fib_table_insert`: where the route stands, and whom it replaces."""
    rows = list(table.at(route.dst))
    same = [r for r in rows if (r.tos, r.metric) == (route.tos, route.metric)]
    if not same:
        if mode == "change":
            raise OpError("ENOENT", "RTNETLINK answers: No such file or directory")
        table.add(route)
        return
    if mode == "add":
        raise OpError("EEXIST", EXISTS)
    if mode in ("replace", "change"):
        if route == same[0]:
            return
        if route in same:
            raise OpError("EEXIST", EXISTS)
        rows[rows.index(same[0])] = route
        table.put(route.dst, tuple(rows))
        return
    if route in same:
        raise OpError("EEXIST", EXISTS)
    if mode == "append":
        table.add(route)
    else:
        rows.insert(rows.index(same[0]), route)
        table.put(route.dst, tuple(rows))


def resolve(ns: Netns, op: AddRoute) -> Route:
    """The row that the kernel would store. Raises OpError as it would."""
    scope = op.scope or default_scope(op.type, op.gateway, op.nexthops, op.nhid)
    table = op.table or default_table(op.type)
    least = "host" if op.type == "local" else "link" if op.type == "broadcast" else "global"
    if SCOPES[scope] < SCOPES[least] or scope == "nowhere":
        raise OpError("EINVAL", "Error: Invalid scope.")
    route = Route(
        dst=op.dst, type=op.type, src=op.src, metric=op.metric, proto=op.proto, scope=scope,
        mtu=min(op.mtu, 65520), table=table, tos=op.tos, mtu_lock=op.mtu_lock, advmss=min(op.advmss, 65495),
        hoplimit=min(op.hoplimit, 255), encap=op.encap,
    )  # fmt: skip
    if op.nhid:
        route = by_object(ns, op, route)
    elif op.type in ERROR_TYPES:
        if op.gateway or op.device or op.nexthops:
            raise OpError(
                "EINVAL", "Error: Gateway, device and multipath can not be specified for this route type."
            )
    elif op.nexthops:
        first = op.nexthops[0]
        if op.gateway and op.gateway != first.gateway:
            raise OpError("EINVAL", "Error: Nexthop gateway does not match RTA_GATEWAY or RTA_VIA.")
        if op.device and op.device != first.device:
            raise OpError("EINVAL", "Error: Nexthop device index does not match RTA_OIF.")
        hops = tuple(check_way(ns, way, scope, table, several=len(op.nexthops) > 1) for way in op.nexthops)
        route = one_way(route, hops[0]) if len(hops) == 1 else replace(route, nexthops=hops)
    else:
        way = Way(gateway=op.gateway, device=op.device, onlink=op.onlink)
        route = one_way(route, check_way(ns, way, scope, table))
    named = op.src and op.type not in ERROR_TYPES
    if named and not (op.type == "local" and op.dst.addr == op.src) and not valid_source(ns, op.src, table):
        raise OpError("EINVAL", "Error: Invalid prefsrc address.")
    return route


def one_way(route: Route, hop: Nexthop) -> Route:
    return replace(route, gateway=hop.gateway, oif=hop.oif, onlink=hop.onlink, own_gateway=hop.own_gateway)


def by_object(ns: Netns, op: AddRoute, route: Route) -> Route:
    """A route whose way is a nexthop object (fib_check_nexthop)."""
    if op.gateway or op.device or op.nexthops:
        raise OpError("EINVAL", "Error: Nexthop specification and nexthop id are mutually exclusive.")
    thing = ns.nexthops.get(op.nhid)
    if thing is None:
        raise OpError("EINVAL", "Error: Nexthop id does not exist.")
    members = [ns.nexthops[id] for id, _ in thing.group] if thing.group else [thing]
    if any(one.blackhole for one in members):
        # The object's blackhole makes the route one, whatever was asked.
        return replace(route, type="blackhole" if op.type == "unicast" else op.type, nhid=op.nhid)
    if op.type in ERROR_TYPES:
        raise OpError(
            "EINVAL", "Error: Gateway, device and multipath can not be specified for this route type."
        )
    if SCOPES[route.scope] >= SCOPES["host"] and (
        thing.group or (thing.hop is not None and thing.hop.gateway)
    ):
        raise OpError("EINVAL", "Error: Route with host scope can not have a gateway.")
    return replace(route, nhid=op.nhid)


def check_way(ns: Netns, way: Way, scope: str, table: int, *, several: bool = False) -> Nexthop:
    """`fib_check_nh`: the way as it is stored. Raises OpError."""
    oif = need_device(ns, way.device).ifindex if way.device else 0
    own = False
    if scope == "host":
        if several:
            raise OpError("EINVAL", "Error: Route with host scope can not have multiple nexthops.")
        if way.gateway:
            raise OpError("EINVAL", "Error: Route with host scope can not have a gateway.")
        if not oif:
            raise OpError("ENODEV", NO_DEVICE)
    elif way.gateway:
        oif, own = check_gateway(ns, way, oif, scope, table)
    else:
        if way.onlink:
            raise OpError("EINVAL", "Error: Invalid flags for nexthop - PERVASIVE and ONLINK can not be set.")
        if not oif:
            raise OpError("ENODEV", NO_DEVICE)
        if not ns.links[oif].up:
            raise OpError("ENETDOWN", "Error: Device for nexthop is not up.")
    return Nexthop(gateway=way.gateway, oif=oif, weight=way.weight, onlink=way.onlink, own_gateway=own)


def valid_source(ns: Netns, address: int, table: int) -> bool:
    """`fib_valid_prefsrc`: the route's own table may say that the address is local, else the table local."""
    own = ns.tables.get(table) if table not in (MAIN, LOCAL) else None
    route = own.match(address, plain) if own is not None else None
    return (route is not None and route.type == "local") or ns.owns(address)


def check_gateway(ns: Netns, way: Way, oif: int, scope: str, table: int) -> tuple[int, bool]:
    """`fib_check_nh_v4_gw`: (the device behind the gateway, is the way to it of scope host: then it is ourselves)."""
    if way.onlink:
        if SCOPES[scope] >= SCOPES["link"]:
            raise OpError("EINVAL", "Error: Nexthop has invalid scope.")
        if not oif:
            raise OpError("ENODEV", "Error: Nexthop device required for onlink.")
        if not ns.links[oif].up:
            raise OpError("ENETDOWN", "Error: Nexthop device is not up.")
        if ns.address_type(way.gateway) != "unicast":
            raise OpError("EINVAL", BAD_GATEWAY)
        return oif, False
    device = ns.links[oif].name if oif else ""
    key = FlowKey(dst=way.gateway, oif=device, scope=max(SCOPES[scope] + 1, SCOPES["link"]))
    usable = usable_for(ns, key, None)
    own = ns.tables.get(table) if table != MAIN else None
    route = own.match(way.gateway, usable) if own is not None else None
    if table == LOCAL and not ns.fib_split:
        route = together(ns.tables, way.gateway, usable)
    if route is None or route.type in ERROR_TYPES:
        route = lookup(ns, key).route
    if route is None or route.type not in ("unicast", "local"):
        raise OpError("ENETUNREACH" if route is None else "EINVAL", BAD_GATEWAY)
    found = first_way(ways(ns.nexthops, route), oif, None)
    if found is None or found.oif not in ns.links or not ns.links[found.oif].up:
        raise OpError("ENETDOWN", "RTNETLINK answers: Network is down")
    return found.oif, route.scope == "host"


@handles(DelRoute)
def _del_route(net: Net, op: DelRoute) -> None:
    ns = net.spaces[op.netns]
    oif = need_device(ns, op.device).ifindex if op.device else 0
    if op.dst.addr & ~mask(op.dst.length) & 0xFFFFFFFF:
        raise OpError("EINVAL", "Error: Invalid prefix for given prefix length.")
    if op.nhid and op.nhid not in ns.nexthops:
        raise OpError("EINVAL", "Error: Nexthop id does not exist.")
    table = ns.tables.get(op.table or default_table(op.type))
    for route in table.at(op.dst) if table is not None else ():
        if (
            (not op.type or route.type == op.type)
            and route.tos == op.tos
            and (not op.metric or route.metric == op.metric)
            and (not op.src or route.src == op.src)
            and (not op.proto or route.proto == op.proto)
            and (not op.scope or route.scope == op.scope)
            and same_way(ns, op, route, oif)
        ):
            table.remove(route)  # type: ignore[union-attr]
            return
    if table is None:
        raise OpError("ESRCH", "Error: FIB table does not exist.")
    raise OpError("ESRCH", NO_PROCESS)


def same_way(ns: Netns, op: DelRoute, route: Route, oif: int) -> bool:
    """`fib_nh_match`: does the route go the way that the command names, if it names one?"""
    if op.nhid:
        return route.nhid == op.nhid
    if op.nexthops:
        have = route.nexthops or ways(ns.nexthops, route)
        if len(have) > len(op.nexthops):
            return False
        return all(
            (not way.device or (ns.link(way.device) or ns.links[1]).ifindex == hop.oif)
            and (not way.gateway or way.gateway == hop.gateway)
            for way, hop in zip(op.nexthops, have, strict=False)
        )
    if not op.gateway and not oif:
        return True
    if route.nhid:
        return False
    first = route.nexthops[0] if route.nexthops else None
    gateway, device = (first.gateway, first.oif) if first is not None else (route.gateway, route.oif)
    return (not op.gateway or gateway == op.gateway) and (not oif or device == oif)


def only_device(ns: Netns, route: Route) -> int:
    """The device of a route with one way, 0 for one with several: a selection by device has none of those."""
    if not route.nhid and not route.nexthops:
        return route.oif
    hops = ways(ns.nexthops, route)
    return hops[0].oif if len(hops) == 1 else 0


def selected(ns: Netns, op: FlushRoutes) -> list[Route]:
    """The routes that a flush takes away."""
    oif = need_device(ns, op.device).ifindex if op.device else 0
    numbers = sorted(ns.tables) if op.table == -1 else [op.table or MAIN]
    return [
        route
        for number in numbers if number in ns.tables
        for route in ns.tables[number].routes()
        if (not oif or only_device(ns, route) == oif)
        and (not op.proto or route.proto == op.proto)
        and (not op.type or route.type == op.type)
        and (not op.scope or route.scope == op.scope)
        and (not op.gateway or route.gateway == op.gateway)
        and (op.root is None or op.root.covers(route.dst))
        and (op.match is None or route.dst.covers(op.match))
        and (op.exact is None or route.dst == op.exact)
    ]  # fmt: skip


@handles(FlushRoutes)
def _flush_routes(net: Net, op: FlushRoutes) -> None:
    ns = net.spaces[op.netns]
    for route in selected(ns, op):
        ns.tables[route.table].remove(route)


@handles(FlushRouteCache)
def _flush_route_cache(net: Net, op: FlushRouteCache) -> None:
    net.spaces[op.netns].path_mtus.clear()

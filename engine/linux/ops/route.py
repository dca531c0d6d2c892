"""Ops on routes and policy rules (man ip-route, man ip-rule).

Theory. What a route may be is decided by `fib_create_info` and `fib_check_nh` (net/ipv4/fib_semantics.c), where it
stands and whom it replaces by `fib_table_insert` (net/ipv4/fib_trie.c). A gateway must be reached by a route of
scope link or host; a route is found again by its prefix, metric and type of next hop.
"""

from __future__ import annotations

from dataclasses import replace

from engine.errors import OpError
from engine.linux.addr import Prefix, mask
from engine.linux.fib import ANY, LOCAL, MAIN, SCOPES, Route, Rule, lookup, together
from engine.linux.net import Net, Netns
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.kernelroutes import table_of
from engine.record import dataclass

NO_PROCESS = "RTNETLINK answers: No such process"
NO_DEVICE = "RTNETLINK answers: No such device"
BAD_GATEWAY = "Error: Nexthop has invalid gateway."
EXISTS = "RTNETLINK answers: File exists"
#: Types that end a lookup with an error, and so have no next hop.
ERROR_TYPES = ("blackhole", "unreachable", "prohibit", "throw")
MODES = ("add", "replace", "change", "append", "prepend")


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRoute(Op):
    """`ip route add|replace|change|append|prepend`, by `mode`. `device` "" = by the gateway; `scope` "" = as ip
    chooses it (link without a gateway, host for local, global else); `table` 0 = local for the types local and
    broadcast, main else. `gateway`, `src`, `metric`, `mtu` 0 = none."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AddRule(Op):
    """`ip rule add`. `priority` -1 = the kernel's choice: one less than the first rule after priority 0's."""

    netns: str
    priority: int = -1
    table: int = MAIN
    src: Prefix = ANY
    dst: Prefix = ANY
    iif: str = ""
    oif: str = ""
    fwmark: int = 0
    fwmask: int = 0
    action: str = "lookup"
    proto: str = "unspec"
    invert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DelRule(Op):
    """`ip rule del`: the first rule for which every given field is equal; None = not given. The kernel does not look at
    `invert` here, so neither do we."""

    netns: str
    priority: int | None = None
    table: int | None = None
    src: Prefix | None = None
    dst: Prefix | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: int | None = None
    fwmask: int | None = None
    action: str | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushRules(Op):
    """`ip rule flush`: all rules but that of priority 0."""

    netns: str


def default_scope(type: str, gateway: int) -> str:
    """The scope that ip gives when none is written."""
    if type == "local":
        return "host"
    if type == "broadcast" or (type == "unicast" and not gateway):
        return "link"
    return "global"


def default_table(type: str) -> int:
    return LOCAL if type in ("local", "broadcast") else MAIN


@handles(AddRoute)
def _add_route(net: Net, op: AddRoute) -> None:
    ns = net.spaces[op.netns]
    if op.mode not in MODES:
        raise ValueError(f"mode {op.mode!r}")
    if op.device:
        need_device(ns, op.device)
    if op.dst.addr & ~mask(op.dst.length) & 0xFFFFFFFF:
        raise OpError("EINVAL", "Error: Invalid prefix for given prefix length.")
    # The kernel opens the table before it looks at the route, so that a refused route leaves an empty table behind.
    table = table_of(ns, op.table or default_table(op.type))
    route = resolve(ns, op)
    same = [r for r in table.at(route.dst) if r.metric == route.metric]
    if not same:
        if op.mode == "change":
            raise OpError("ENOENT", "RTNETLINK answers: No such file or directory")
        table.add(route)
        return
    if op.mode == "add":
        raise OpError("EEXIST", EXISTS)
    if op.mode in ("replace", "change"):
        if route == same[0]:
            return
        if route in same:
            raise OpError("EEXIST", EXISTS)
        put_at(ns, route, same[0], drop=True)
        return
    if route in same:
        raise OpError("EEXIST", EXISTS)
    if op.mode == "append":
        table.add(route)
    else:
        put_at(ns, route, same[0], drop=False)


def put_at(ns: Netns, route: Route, place: Route, *, drop: bool) -> None:
    """Put `route` where `place` stands: in its stead, or before it."""
    nets = ns.tables[route.table].lengths[route.dst.length]
    rows = list(nets[route.dst.addr])
    at = rows.index(place)
    rows[at : at + (1 if drop else 0)] = [route]
    nets[route.dst.addr] = tuple(rows)


def resolve(ns: Netns, op: AddRoute) -> Route:
    """The row that the kernel would store. Raises OpError as it would."""
    dst, oif = op.dst, 0
    if op.device:
        oif = need_device(ns, op.device).ifindex
    scope = op.scope or default_scope(op.type, op.gateway)
    table = op.table or default_table(op.type)
    least = "host" if op.type == "local" else "link" if op.type == "broadcast" else "global"
    if SCOPES[scope] < SCOPES[least] or scope == "nowhere":
        raise OpError("EINVAL", "Error: Invalid scope.")
    if op.type in ERROR_TYPES:
        if op.gateway or oif:
            raise OpError(
                "EINVAL", "Error: Gateway, device and multipath can not be specified for this route type."
            )
    elif scope == "host":
        if op.gateway:
            raise OpError("EINVAL", "Error: Route with host scope can not have a gateway.")
        if not oif:
            raise OpError("ENODEV", NO_DEVICE)
    elif op.gateway:
        oif = check_gateway(ns, op, oif, scope, table)
    else:
        if op.onlink:
            raise OpError("EINVAL", "Error: Invalid flags for nexthop - PERVASIVE and ONLINK can not be set.")
        if not oif:
            raise OpError("ENODEV", NO_DEVICE)
        if not ns.links[oif].up:
            raise OpError("ENETDOWN", "Error: Device for nexthop is not up.")
    named = op.src and op.type not in ERROR_TYPES
    if named and not (op.type == "local" and dst.addr == op.src) and not valid_source(ns, op.src, table):
        raise OpError("EINVAL", "Error: Invalid prefsrc address.")
    return Route(
        dst=dst, type=op.type, gateway=op.gateway, oif=oif, src=op.src, metric=op.metric, proto=op.proto,
        scope=scope, onlink=op.onlink, mtu=op.mtu, table=table,
        own_gateway=bool(op.gateway) and not op.onlink and ns.owns(op.gateway),
    )  # fmt: skip


def valid_source(ns: Netns, address: int, table: int) -> bool:
    """`fib_valid_prefsrc`: the route's own table may say that the address is local, else the table local."""
    own = ns.tables.get(table) if table not in (MAIN, LOCAL) else None
    route = own.match(address, lambda r: True) if own is not None else None
    return (route is not None and route.type == "local") or ns.owns(address)


def check_gateway(ns: Netns, op: AddRoute, oif: int, scope: str, table: int) -> int:
    """`fib_check_nh_v4_gw`: the device behind the gateway."""
    if op.onlink:
        if SCOPES[scope] >= SCOPES["link"]:
            raise OpError("EINVAL", "Error: Nexthop has invalid scope.")
        if not oif:
            raise OpError("ENODEV", "Error: Nexthop device required for onlink.")
        if not ns.links[oif].up:
            raise OpError("ENETDOWN", "Error: Nexthop device is not up.")
        if ns.address_type(op.gateway) != "unicast":
            raise OpError("EINVAL", BAD_GATEWAY)
        return oif
    least = max(SCOPES[scope] + 1, SCOPES["link"])

    def usable(route: Route) -> bool:
        return SCOPES[route.scope] >= least and (not oif or route.oif == oif)

    own = ns.tables.get(table) if table != MAIN else None
    route = own.match(op.gateway, usable) if own is not None else None
    if table == LOCAL and not ns.fib_split:
        route = together(ns.tables, op.gateway, usable)
    if route is None or route.type in ERROR_TYPES:
        oif_name = ns.links[oif].name if oif else ""
        route = lookup(
            ns.rules,
            ns.tables,
            op.gateway,
            iif=ns.links[1].name,
            oif=oif_name,
            usable=usable,
            split=ns.fib_split,
        ).route
    if route is None or route.type not in ("unicast", "local"):
        raise OpError("ENETUNREACH" if route is None else "EINVAL", BAD_GATEWAY)
    if not ns.links[route.oif].up:
        raise OpError("ENETDOWN", "RTNETLINK answers: Network is down")
    return route.oif


@handles(DelRoute)
def _del_route(net: Net, op: DelRoute) -> None:
    ns = net.spaces[op.netns]
    oif = need_device(ns, op.device).ifindex if op.device else 0
    if op.dst.addr & ~mask(op.dst.length) & 0xFFFFFFFF:
        raise OpError("EINVAL", "Error: Invalid prefix for given prefix length.")
    table = ns.tables.get(op.table or default_table(op.type))
    for route in table.at(op.dst) if table is not None else ():
        if (
            (not op.type or route.type == op.type)
            and (not op.gateway or route.gateway == op.gateway)
            and (not oif or route.oif == oif)
            and (not op.src or route.src == op.src)
            and (not op.metric or route.metric == op.metric)
            and (not op.proto or route.proto == op.proto)
            and (not op.scope or route.scope == op.scope)
        ):
            table.remove(route)  # type: ignore[union-attr]
            return
    if table is None:
        raise OpError("ESRCH", "Error: FIB table does not exist.")
    raise OpError("ESRCH", NO_PROCESS)


def selected(ns: Netns, op: FlushRoutes) -> list[Route]:
    """The routes that a flush takes away."""
    oif = need_device(ns, op.device).ifindex if op.device else 0
    numbers = sorted(ns.tables) if op.table == -1 else [op.table or MAIN]
    return [
        route
        for number in numbers if number in ns.tables
        for route in ns.tables[number].routes()
        if (not oif or route.oif == oif)
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


def free_priority(rules: list[Rule]) -> int:
    """`fib_default_rule_pref`: one below the second rule in the list; 0 when there is none."""
    return max(rules[1].priority - 1, 0) if len(rules) > 1 and rules[1].priority else 0


@handles(AddRule)
def _add_rule(net: Net, op: AddRule) -> None:
    ns = net.spaces[op.netns]
    if op.action not in ("lookup", "blackhole", "unreachable", "prohibit"):
        raise ValueError(f"rule action {op.action!r}")
    rule = Rule(
        priority=free_priority(ns.rules) if op.priority < 0 else op.priority, 
        table=op.table if op.action == "lookup" else 0, src=op.src,
        dst=op.dst, iif=op.iif, oif=op.oif, fwmark=op.fwmark,
        fwmask=op.fwmask or (0xFFFFFFFF if op.fwmark else 0), action=op.action, proto=op.proto,
        invert=op.invert,
    )  # fmt: skip
    # The kernel compares neither the protocol nor `not`.
    if any(replace(r, proto=rule.proto, invert=rule.invert) == rule for r in ns.rules):
        raise OpError("EEXIST", EXISTS)
    ns.fib_split = True
    at = sum(1 for r in ns.rules if r.priority <= rule.priority)
    ns.rules.insert(at, rule)


@handles(DelRule)
def _del_rule(net: Net, op: DelRule) -> None:
    ns = net.spaces[op.netns]
    wanted = {
        name: value
        for name in ("priority", "table", "src", "dst", "iif", "oif", "fwmark", "fwmask", "action")
        if (value := getattr(op, name)) is not None
    }
    for place, rule in enumerate(ns.rules):
        if all(getattr(rule, name) == value for name, value in wanted.items()):
            del ns.rules[place]
            ns.fib_split = True
            return
    raise OpError("ENOENT", "RTNETLINK answers: No such file or directory")


@handles(FlushRules)
def _flush_rules(net: Net, op: FlushRules) -> None:
    ns = net.spaces[op.netns]
    ns.rules[:] = [r for r in ns.rules if r.priority == 0]
    ns.fib_split = True

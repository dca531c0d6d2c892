"""Routes, nexthops, policy rules and the lookup: rules by priority, then longest prefix, then TOS and metric.

Theory. A `Table` keeps one dict per prefix length in use, so a lookup costs as many dict probes as there are
lengths, whatever the number of routes. `lookup` walks the rules as fib_rules_lookup does and returns the row that
decided, so that it can be shown. Until somebody touches the rules the kernel keeps `local` and `main` in one tree, so
that the longest prefix of both wins (net/ipv4/fib_frontend.c, fib_unmerge). Which of several nexthops a flow takes is
decided in multipath.py. Sources: man ip-route, ip-rule; net/core/fib_rules.c, net/ipv4/{fib_rules,fib_trie}.c.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Protocol

from engine.linux.addr import Prefix, mask
from engine.linux.flow import FlowKey
from engine.linux.linkinfo import TunnelKey
from engine.record import dataclass

TABLE_NAMES = {255: "local", 254: "main", 253: "default"}
LOCAL, MAIN, DEFAULT = 255, 254, 253
ROUTE_TYPES = ("unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw")
#: types that end a lookup without a nexthop; throw alone lets the next rule try
REFUSING = ("blackhole", "unreachable", "prohibit", "throw")
RULE_ACTIONS = ("lookup", "goto", "nop", "blackhole", "unreachable", "prohibit")
#: every address: a rule that does not ask
ANY = Prefix(0, 0)
SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}
#: the bits of the TOS byte that routes and rules look at (INET_DSCP_LEGACY_TOS_MASK)
TOS_BITS = 0x1C


@dataclass(frozen=True, slots=True, kw_only=True)
class Nexthop:
    """One way of a route: `via gateway dev oif weight W onlink`. `dead`: its device went down under a route whose
    other ways live; `own_gateway`: when it was made its gateway was an address of this very host."""

    gateway: int = 0
    oif: int = 0
    weight: int = 1
    onlink: bool = False
    dead: bool = False
    own_gateway: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        if not 1 <= self.weight <= 256:
            raise ValueError(f"weight {self.weight}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NexthopObject:
    """A row of `ip nexthop`: one way (`hop`), a blackhole, or a group of (id, weight)."""

    id: int
    hop: Nexthop | None = None
    scope: str = "global"
    proto: str = "unspec"
    blackhole: bool = False
    group: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if (self.hop is not None) + self.blackhole + bool(self.group) != 1:
            raise ValueError("a nexthop is one of: a way, a blackhole, a group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route. `oif` 0 for types that need none; `gateway` 0 for none; `src` 0 for no hint; `mtu` 0 for none,
    `mtu_lock`: it may not be learned smaller. `nexthops` are the ways of a route that has several, then `gateway` and
    `oif` are 0; `nhid` names a nexthop object, which then says the way. `advmss`, `hoplimit` as `ip route` takes them.
    `own_gateway`: when it was made its gateway was an address of this very host, so that it is no next hop. `encap`
    (`encap ip id ...`) is what an external tunnel device is told."""

    dst: Prefix
    type: str = "unicast"
    gateway: int = 0
    oif: int = 0
    src: int = 0
    metric: int = 0
    proto: str = "boot"
    scope: str = "global"
    onlink: bool = False
    mtu: int = 0
    table: int = MAIN
    own_gateway: bool = field(default=False, compare=False)
    tos: int = 0
    mtu_lock: bool = False
    advmss: int = 0
    hoplimit: int = 0
    nexthops: tuple[Nexthop, ...] = ()
    nhid: int = 0
    encap: TunnelKey | None = None

    def __post_init__(self) -> None:
        if self.type not in ROUTE_TYPES:
            raise ValueError(f"route type {self.type!r}")
        if self.scope not in SCOPES:
            raise ValueError(f"route scope {self.scope!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A policy rule: `priority: from src lookup table`. Names of devices, not indexes, as the kernel keeps them.
    `action` is one of RULE_ACTIONS; `invert` = `not`: it holds where its conditions do not. `ipproto` 0, `sport`,
    `dport`, `uids` None = any, else (first, last). `suppress`: a route found by this rule does not count when its
    prefix is no longer than this, -1 = it always counts."""

    priority: int
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
    tos: int = 0
    ipproto: int = 0
    sport: tuple[int, int] | None = None
    dport: tuple[int, int] | None = None
    uids: tuple[int, int] | None = None
    suppress: int = -1
    target: int = 0


DEFAULT_RULES = (
    Rule(priority=0, table=LOCAL, proto="kernel"),
    Rule(priority=32766, table=MAIN, proto="kernel"),
    Rule(priority=32767, table=DEFAULT, proto="kernel"),
)


def order(route: Route) -> tuple[int, int]:
    """Among routes of one prefix: a TOS before none, then by rising metric."""
    return (-route.tos, route.metric)


@dataclass(slots=True)
class Table:
    """One routing table: prefix length -> network -> routes in the order of `order`. `ladder` are the same dicts with
    their netmasks, longest first."""

    lengths: dict[int, dict[int, tuple[Route, ...]]] = field(default_factory=dict)
    ladder: list[tuple[int, int, dict[int, tuple[Route, ...]]]] = field(default_factory=list)

    #: do other copies read these very dicts? Who writes takes its own first
    common: bool = field(default=False, compare=False, repr=False)

    def copy(self) -> Table:
        self.common = True
        return Table(self.lengths, self.ladder, True)

    def _own(self) -> None:
        if self.common:
            self.common = False
            self.lengths = {n: dict(d) for n, d in self.lengths.items()}
            self.ladder = [(n, bits, self.lengths[n]) for n, bits, _ in self.ladder]

    def each(self) -> list[Route]:
        """All routes, in no order."""
        return [r for nets in self.lengths.values() for rs in nets.values() for r in rs]

    def routes(self) -> Iterator[Route]:
        """All routes in `ip route` order: by prefix address, then longest first for equal ones, then TOS, metric."""
        flat = self.each()
        flat.sort(key=lambda r: (r.dst.addr, -r.dst.length, *order(r)))
        return iter(flat)

    def at(self, dst: Prefix) -> tuple[Route, ...]:
        return self.lengths.get(dst.length, {}).get(dst.addr, ())

    def add(self, route: Route) -> None:
        """Put a route in; equal metrics keep their order of coming. The caller has checked for clashes."""
        self._own()
        length = route.dst.length
        nets = self.lengths.get(length)
        if nets is None:
            nets = self.lengths[length] = {}
            insort(self.ladder, (length, mask(length), nets), key=lambda step: -step[0])
        rows = [*nets.get(route.dst.addr, ()), route]
        rows.sort(key=order)
        nets[route.dst.addr] = tuple(rows)

    def put(self, dst: Prefix, rows: tuple[Route, ...]) -> None:
        """The routes of one prefix, in their order, in place of those that are there."""
        self._own()
        nets = self.lengths[dst.length]
        if rows:
            nets[dst.addr] = rows
            return
        del nets[dst.addr]
        if not nets:
            del self.lengths[dst.length]
            self.ladder = [step for step in self.ladder if step[0] != dst.length]

    def remove(self, route: Route) -> None:
        self.put(route.dst, tuple(r for r in self.at(route.dst) if r is not route and r != route))

    def match(self, address: int, usable: Callable[[Route], bool]) -> Route | None:
        """The best usable route for `address`, or None."""
        for _, bits, nets in self.ladder:
            rows = nets.get(address & bits)
            if rows is not None:
                for route in rows:
                    if usable(route):
                        return route
        return None


class Space(Protocol):
    """What a lookup reads of a network namespace (engine.linux.net.Netns is one)."""

    rules: list[Rule]
    tables: dict[int, Table]
    fib_split: bool
    names: dict[str, int]
    nexthops: dict[int, NexthopObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Which rule and which row decided. `route` is the row with its one way filled in (gateway, oif), and None when
    every table came to its end; `row` is the route as it stands in its table."""

    route: Route | None
    rule: Rule | None = None
    row: Route | None = None


def ways(nexthops: Mapping[int, NexthopObject], route: Route) -> tuple[Nexthop, ...]:
    """Every way of a route, in order; none for a nexthop object that is a blackhole."""
    if route.nhid:
        thing = nexthops.get(route.nhid)
        if thing is None:
            return ()
        if thing.group:
            members = [(nexthops[id].hop, weight) for id, weight in thing.group if id in nexthops]
            return tuple(with_weight(hop, weight) for hop, weight in members if hop is not None)
        return (thing.hop,) if thing.hop is not None else ()
    if route.nexthops:
        return route.nexthops
    return (
        Nexthop(gateway=route.gateway, oif=route.oif, onlink=route.onlink, own_gateway=route.own_gateway),
    )


def with_weight(hop: Nexthop, weight: int) -> Nexthop:
    return Nexthop(
        gateway=hop.gateway, oif=hop.oif, weight=weight, onlink=hop.onlink, dead=hop.dead,
        own_gateway=hop.own_gateway,
    )  # fmt: skip


def ends_in_blackhole(nexthops: Mapping[int, NexthopObject], route: Route) -> bool:
    """Does the route's nexthop object say blackhole, itself or as a group of one?"""
    thing = nexthops.get(route.nhid)
    if thing is not None and len(thing.group) == 1:
        thing = nexthops.get(thing.group[0][0])
    return thing is not None and thing.blackhole


def holds(rule: Rule, key: FlowKey, iif: str) -> bool:
    """Do all conditions of the rule hold? Its `invert` is not looked at."""
    return (
        (not rule.src.length or key.src in rule.src)
        and (not rule.dst.length or key.dst in rule.dst)
        and (not rule.iif or rule.iif == iif)
        and (not rule.oif or rule.oif == key.oif)
        and (not (rule.fwmask or rule.fwmark) or (key.mark ^ rule.fwmark) & (rule.fwmask or 0xFFFFFFFF) == 0)
        and (not rule.tos or rule.tos == key.tos & TOS_BITS)
        and (not rule.ipproto or rule.ipproto == key.proto)
        and (rule.sport is None or rule.sport[0] <= key.sport <= rule.sport[1])
        and (rule.dport is None or rule.dport[0] <= key.dport <= rule.dport[1])
        and (rule.uids is None or rule.uids[0] <= key.uid <= rule.uids[1])
    )


def together(tables: dict[int, Table], address: int, usable: Callable[[Route], bool]) -> Route | None:
    """The best route of `local` and `main` as one tree: the longest prefix, `local` first among equals."""
    local, main = tables[LOCAL].match(address, usable), tables[MAIN].match(address, usable)
    if local is None or main is None:
        return local or main
    return main if main.dst.length > local.dst.length else local


def usable_for(space: Space, key: FlowKey, lost: Callable[[int], bool] | None) -> Callable[[Route], bool]:
    """The test that fib_table_lookup puts each route to. `lost` names devices without carrier whose routes are
    ignored (ignore_routes_with_linkdown)."""
    tos, scope = key.tos & TOS_BITS, key.scope
    oif = space.names.get(key.oif, -1) if key.oif else 0
    nexthops = space.nexthops

    def usable(route: Route) -> bool:
        if route.tos and route.tos != tos:
            return False
        if scope and SCOPES[route.scope] < scope:
            return False
        if route.type in REFUSING:
            return True
        if not route.nhid and not route.nexthops:
            return (not oif or route.oif == oif) and (lost is None or not lost(route.oif))
        if ends_in_blackhole(nexthops, route):
            return True
        return first_way(ways(nexthops, route), oif, lost) is not None

    return usable


def first_way(hops: tuple[Nexthop, ...], oif: int, lost: Callable[[int], bool] | None) -> Nexthop | None:
    """The first way that lives and, with `oif`, leaves by that device."""
    for hop in hops:
        if not hop.dead and (not oif or hop.oif == oif) and (lost is None or not lost(hop.oif)):
            return hop
    return None


def lookup_unsplit(space: Space, key: FlowKey, usable: Callable[[Route], bool]) -> Lookup:
    """`fib_lookup` while the rules are the kernel's own three: `local` with `main`, then `default`."""
    route = together(space.tables, key.dst, usable)
    if route is None or route.type == "throw":
        route = space.tables[DEFAULT].match(key.dst, usable)
        if route is None or route.type == "throw":
            return Lookup(route=None)
    rule = DEFAULT_RULES[0 if route.table == LOCAL else 1 if route.table == MAIN else 2]
    return Lookup(route=route, rule=rule, row=route)


def lookup(space: Space, key: FlowKey, *, lost: Callable[[int], bool] | None = None) -> Lookup:
    """Walk the rules. A rule that refuses gives a route of its action's type in table 0. A route with several ways is
    returned as it stands; `multipath.choose_way` then fills in one."""
    usable = usable_for(space, key, lost)
    if not space.fib_split:
        return lookup_unsplit(space, key, usable)
    rules, tables = space.rules, space.tables
    # A packet that is made here has come in by the loopback device, whatever it is called.
    iif = key.iif or next((name for name, index in space.names.items() if index == 1), "lo")
    at, leap = 0, -1
    while at < len(rules):
        rule = rules[at]
        at += 1
        if rule.priority < leap or holds(rule, key, iif) == rule.invert:
            continue
        if rule.action == "goto":
            # A target that is not there yet is passed over; one that is there is always further on.
            if any(r.priority == rule.target for r in rules[at:]):
                leap = rule.target
            continue
        if rule.action == "nop":
            continue
        if rule.action != "lookup":
            refusal = Route(dst=ANY, type=rule.action, table=0)
            return Lookup(route=refusal, rule=rule, row=refusal)
        table = tables.get(rule.table)
        route = table.match(key.dst, usable) if table is not None else None
        if route is None or route.type == "throw":
            continue
        if route.type not in REFUSING and route.dst.length <= rule.suppress:
            continue
        return Lookup(route=route, rule=rule, row=route)
    return Lookup(route=None)

"""Routes, policy rules and the lookup: rules by priority, then longest prefix, then metric.

Theory. A `Table` keeps one dict per prefix length in use, so a lookup costs as many dict probes as there are
lengths, whatever the number of routes. `lookup` walks the rules (facts: `ip rule` prints 0 local, 32766 main,
32767 default) and returns the row that decided, so that it can be shown. Until somebody touches the rules the kernel
keeps `local` and `main` in one tree, so that the longest prefix of both wins (net/ipv4/fib_frontend.c, fib_unmerge).
Source: man ip-route, ip-rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field

from engine.linux.addr import Prefix, mask
from engine.record import dataclass

TABLE_NAMES = {255: "local", 254: "main", 253: "default"}
LOCAL, MAIN, DEFAULT = 255, 254, 253
ROUTE_TYPES = ("unicast", "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw")
#: every address: a rule that does not ask
ANY = Prefix(0, 0)
SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254, "nowhere": 255}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route. `oif` 0 for types that need none; `gateway` 0 for none; `src` 0 for no hint; `mtu` 0 for none.
    `own_gateway`: when it was made its gateway was an address of this very host, so that it is no next hop."""

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

    def __post_init__(self) -> None:
        if self.type not in ROUTE_TYPES:
            raise ValueError(f"route type {self.type!r}")
        if self.scope not in SCOPES:
            raise ValueError(f"route scope {self.scope!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A policy rule: `priority: from src lookup table`. Names of devices, not indexes, as the kernel keeps them.
    `action` is lookup, blackhole, unreachable or prohibit; `invert` = `not`: it holds where its conditions do not."""

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


DEFAULT_RULES = (
    Rule(priority=0, table=LOCAL, proto="kernel"),
    Rule(priority=32766, table=MAIN, proto="kernel"),
    Rule(priority=32767, table=DEFAULT, proto="kernel"),
)


@dataclass(slots=True)
class Table:
    """One routing table: prefix length -> network -> routes by rising metric."""

    lengths: dict[int, dict[int, tuple[Route, ...]]] = field(default_factory=dict)

    def copy(self) -> Table:
        return Table({n: dict(d) for n, d in self.lengths.items()})

    def routes(self) -> Iterator[Route]:
        """All routes in `ip route` order: by prefix address, then longest first for equal ones, then metric."""
        flat = [r for nets in self.lengths.values() for rs in nets.values() for r in rs]
        flat.sort(key=lambda r: (r.dst.addr, -r.dst.length, r.metric))
        return iter(flat)

    def at(self, dst: Prefix) -> tuple[Route, ...]:
        return self.lengths.get(dst.length, {}).get(dst.addr, ())

    def add(self, route: Route) -> None:
        """Put a route in; equal metrics keep their order of coming. The caller has checked for clashes."""
        nets = self.lengths.setdefault(route.dst.length, {})
        rows = [*nets.get(route.dst.addr, ()), route]
        rows.sort(key=lambda r: r.metric)
        nets[route.dst.addr] = tuple(rows)
        self.lengths = dict(sorted(self.lengths.items(), reverse=True))

    def remove(self, route: Route) -> None:
        nets = self.lengths[route.dst.length]
        rows = tuple(r for r in nets[route.dst.addr] if r is not route and r != route)
        if rows:
            nets[route.dst.addr] = rows
        else:
            del nets[route.dst.addr]
            if not nets:
                del self.lengths[route.dst.length]

    def match(self, address: int, usable: Callable[[Route], bool]) -> Route | None:
        """The best usable route for `address`, or None."""
        for length, nets in self.lengths.items():
            for route in nets.get(address & mask(length), ()):
                if usable(route):
                    return route
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Which rule and which route decided. `route` is None when every table came to its end."""

    route: Route | None
    rule: Rule | None = None


def holds(rule: Rule, dst: int, src: int, iif: str, oif: str, mark: int) -> bool:
    """Do all conditions of the rule hold? Its `invert` is not looked at."""
    return (
        (not rule.src.length or src in rule.src)
        and (not rule.dst.length or dst in rule.dst)
        and (not rule.iif or rule.iif == iif)
        and (not rule.oif or rule.oif == oif)
        and (not (rule.fwmask or rule.fwmark) or (mark ^ rule.fwmark) & (rule.fwmask or 0xFFFFFFFF) == 0)
    )


def together(tables: dict[int, Table], address: int, usable: Callable[[Route], bool]) -> Route | None:
    """The best route of `local` and `main` as one tree: the longest prefix, `local` first among equals."""
    local, main = tables[LOCAL], tables[MAIN]
    for length in sorted({*local.lengths, *main.lengths}, reverse=True):
        key = address & mask(length)
        for table in (local, main):
            for route in table.lengths.get(length, {}).get(key, ()):
                if usable(route):
                    return route
    return None


def lookup_unsplit(tables: dict[int, Table], dst: int, usable: Callable[[Route], bool]) -> Lookup:
    """`fib_lookup` while the rules are the kernel's own three: `local` with `main`, then `default`."""
    route = together(tables, dst, usable)
    if route is None or route.type == "throw":
        route = tables[DEFAULT].match(dst, usable)
        if route is None or route.type == "throw":
            return Lookup(route=None)
    return Lookup(route=route, rule=next(rule for rule in DEFAULT_RULES if rule.table == route.table))


def lookup(
    rules: list[Rule],
    tables: dict[int, Table],
    dst: int,
    *,
    src: int = 0,
    iif: str = "",
    oif: str = "",
    mark: int = 0,
    usable: Callable[[Route], bool] = lambda route: True,
    split: bool | None = None,
) -> Lookup:
    """Walk the rules. A rule that refuses gives a route of its action's type in table 0. `oif` restricts to routes out
    of a device only through `usable` (SO_BINDTODEVICE). `split` says whether rules were ever touched here
    (`Netns.fib_split`); None = they were if they differ from the kernel's own."""
    if not (split if split is not None else tuple(rules) != DEFAULT_RULES):
        return lookup_unsplit(tables, dst, usable)
    for rule in rules:
        if holds(rule, dst, src, iif, oif, mark) == rule.invert:
            continue
        if rule.action != "lookup":
            return Lookup(route=Route(dst=ANY, type=rule.action, table=0), rule=rule)
        table = tables.get(rule.table)
        if table is None:
            continue
        route = table.match(dst, usable)
        if route is None or route.type == "throw":
            continue
        return Lookup(route=route, rule=rule)
    return Lookup(route=None)

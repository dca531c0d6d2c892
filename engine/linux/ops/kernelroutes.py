"""The routes that the kernel makes and takes away by itself: for addresses, and when a device goes.

Theory. `fib_add_ifaddr`, `fib_del_ifaddr` and `fib_sync_down_dev` of net/ipv4/fib_frontend.c and fib_semantics.c:
an address makes a host route in `local` at once; the connected route and the broadcast routes only while its
device is up. A device that goes down loses every route through it but those of scope host.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.linux.addr import Prefix
from engine.linux.fib import LOCAL, MAIN, Nexthop, Route, Table
from engine.linux.net import Netns
from engine.linux.rows import Address, Link
from engine.record import replace


def table_of(ns: Netns, number: int) -> Table:
    """The table, made when it is not there yet."""
    if number not in ns.tables:
        ns.tables[number] = Table()
    return ns.tables[number]


def primary_of(ns: Netns, address: Address) -> Address | None:
    """The primary address of the same subnet; the address itself when it is primary."""
    if not address.secondary:
        return address
    mine = Prefix(address.addr, address.length).network
    for one in ns.addresses.get(address.ifindex, ()):
        if not one.secondary and Prefix(one.addr, one.length).network == mine:
            return one
    return None


def routes_for(ns: Netns, link: Link, address: Address) -> Iterator[Route]:
    """What the kernel puts into `local` and `main` for one address, in its order."""
    primary = primary_of(ns, address)
    if primary is None:
        return
    net = Prefix(address.addr, address.length).network

    def route(kind: str, dst: Prefix) -> Route:
        return Route(
            dst=dst, type=kind, oif=link.ifindex, src=primary.addr, proto="kernel",
            scope="host" if kind == "local" else "link", table=MAIN if kind == "unicast" else LOCAL,
        )  # fmt: skip

    yield route("local", Prefix(address.addr, 32))
    if not link.up:
        return
    if address.broadcast and address.broadcast != 0xFFFFFFFF:
        yield route("broadcast", Prefix(address.broadcast, 32))
    if net.addr >> 24 and not address.secondary and address.length < 32:
        if not address.noprefixroute:
            yield route("local" if link.kind == "loopback" else "unicast", net)
        if address.length < 31:
            yield route("broadcast", Prefix(net.broadcast, 32))


def add_routes(ns: Netns, link: Link, address: Address) -> None:
    """Append the routes of an address; one that is there already stays as it is."""
    for route in routes_for(ns, link, address):
        table = table_of(ns, route.table)
        if route not in table.at(route.dst):
            table.add(route)
    if link.up and len(ns.addresses.get(link.ifindex, ())) == 1:
        up_device(ns, link.ifindex)


def remove_routes(ns: Netns, doomed: Callable[[Route], bool]) -> None:
    """Take out every route of every table that the test names."""
    for table in ns.tables.values():
        for route in [r for r in table.each() if doomed(r)]:
            table.remove(route)


def down_device(ns: Netns, ifindex: int, *, force: bool = False, gone: bool = False) -> None:
    """The device went down (fib_sync_down_dev, nexthop_flush_dev): its routes go; those of scope host stay unless
    `force` (it lost its last address). Of a route with several ways this one dies, and the route goes with the last;
    all of it goes when the device itself is `gone`. Nexthop objects through it go, and routes by them."""

    def mine(hop: Nexthop) -> bool:
        return hop.oif == ifindex

    for table in ns.tables.values():
        for route in table.each():
            if not route.nexthops or not any(mine(hop) for hop in route.nexthops):
                continue
            hops = tuple(replace(hop, dead=True) if mine(hop) else hop for hop in route.nexthops)
            if gone or all(hop.dead for hop in hops):
                table.remove(route)
            else:
                swap(table, route, replace(route, nexthops=hops))
    remove_routes(
        ns, lambda r: not r.nexthops and not r.nhid and r.oif == ifindex and (force or r.scope != "host")
    )
    forget_nexthops(ns, ifindex)


def up_device(ns: Netns, ifindex: int) -> None:
    """The device came up: dead ways through it live again (fib_sync_up)."""
    for table in ns.tables.values():
        for route in table.each():
            if route.nexthops and any(hop.dead and hop.oif == ifindex for hop in route.nexthops):
                hops = tuple(replace(h, dead=False) if h.oif == ifindex else h for h in route.nexthops)
                swap(table, route, replace(route, nexthops=hops))


def swap(table: Table, old: Route, new: Route) -> None:
    """`new` stands where `old` stood."""
    table.put(old.dst, tuple(new if row is old else row for row in table.at(old.dst)))


def forget_nexthops(ns: Netns, ifindex: int) -> None:
    """Nexthop objects through a device go when it goes down or loses its carrier."""
    for id in [i for i, thing in ns.nexthops.items() if thing.hop is not None and thing.hop.oif == ifindex]:
        forget_nexthop(ns, id)


def forget_nexthop(ns: Netns, id: int) -> None:
    """A nexthop object goes: out of its groups (an empty group goes too), and with it the routes by it."""
    ns.nexthops.pop(id, None)
    remove_routes(ns, lambda r: r.nhid == id)
    for group in [g for g in ns.nexthops.values() if any(member == id for member, _ in g.group)]:
        rest = tuple((member, weight) for member, weight in group.group if member != id)
        if rest:
            ns.nexthops[group.id] = replace(group, group=rest)
        else:
            forget_nexthop(ns, group.id)


def forget_address(ns: Netns, link: Link, gone: Address, made: list[Route]) -> None:
    """After `gone` left its device: the routes `made` for it go unless another address wants the very same ones;
    routes that name it as their source go when it is no longer local; the last address takes all routes and neighbours
    of the device along (fib_disable_ip)."""
    rest = ns.addresses.get(link.ifindex, ())
    wanted = {r for a in rest for r in routes_for(ns, link, a)}
    for route in made:
        table = table_of(ns, route.table)
        if route not in wanted and route in table.at(route.dst):
            table.remove(route)
    if not any(a.addr == gone.addr for rows in ns.addresses.values() for a in rows):
        remove_routes(ns, lambda r: r.src == gone.addr)
    if not rest:
        down_device(ns, link.ifindex, force=True)
        for key in [k for k in ns.neighbours if k[0] == link.ifindex]:
            del ns.neighbours[key]

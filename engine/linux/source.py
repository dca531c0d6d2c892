"""Which source address the kernel puts on its own packets, and what `ip route get` would answer.

Theory. `inet_select_addr` (net/ipv4/devinet.c) and the two halves of `inet_rtm_getroute` (net/ipv4/route.c): without
`iif` the packet is made here, with it the packet came in. Nothing is changed by asking.
"""

from __future__ import annotations

from engine.linux.addr import Prefix, is_loopback, is_multicast
from engine.linux.fib import LOCAL, MAIN, SCOPES, Lookup, Route, lookup
from engine.linux.net import Netns
from engine.linux.rows import Link
from engine.record import dataclass

#: route type -> errno that ends the lookup
ERRORS = {"blackhole": "EINVAL", "unreachable": "EHOSTUNREACH", "prohibit": "EACCES"}
LAST = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A route as the kernel would use it now. `error` is the errno symbol, then nothing else counts. `flags` are the
    words of the cache line; `table` 0 when it is not told."""

    error: str = ""
    type: str = "unicast"
    gateway: int = 0
    device: str = ""
    table: int = 0
    src: int = 0
    flags: tuple[str, ...] = ()
    mtu: int = 0
    route: Route | None = None


def select_address(ns: Netns, link: Link | None, dst: int, scope: str = "global") -> int:
    """The device's primary address in the destination's subnet, else its first of this scope, else another device's;
    0 when there is none."""
    top = SCOPES[scope]
    best = 0
    for row in ns.addresses.get(link.ifindex, ()) if link is not None else ():
        if row.secondary or SCOPES[row.scope] > top:
            continue
        if not dst or dst in Prefix(row.addr, row.length):
            return row.addr
        best = best or row.addr
    if best:
        return best
    for index in sorted(ns.addresses):
        for row in ns.addresses[index]:
            if not row.secondary and row.scope != "link" and SCOPES[row.scope] <= top:
                return row.addr
    return 0


def loopback(ns: Netns) -> str:
    """The name of the loopback device, which may have been changed."""
    return ns.links[1].name


def find(ns: Netns, dst: int, *, src: int, iif: str, oif: str, mark: int) -> Lookup:
    index = ns.names[oif] if oif else 0
    return lookup(
        ns.rules, ns.tables, dst, src=src, iif=iif or loopback(ns), oif=oif, mark=mark,
        usable=lambda r: not index or r.oif in (0, index), split=ns.fib_split,
    )  # fmt: skip


def error_of(found: Lookup) -> str:
    """The errno of a refused lookup. A rule that says unreachable means the network, a route means the host."""
    if found.route is None or (found.route.type == "unreachable" and found.route.table == 0):
        return "ENETUNREACH"
    return ERRORS[found.route.type]


def told_table(ns: Netns, route: Route | None) -> int:
    if route is None or route.table == MAIN or (route.table == LOCAL and not ns.fib_split):
        return 0
    return route.table


def route_get(ns: Netns, dst: int, *, src: int = 0, iif: str = "", oif: str = "", mark: int = 0) -> Answer:
    """What `ip route get` answers."""
    return coming_in(ns, dst, src, iif, oif, mark) if iif else going_out(ns, dst, src, oif, mark)


def going_out(ns: Netns, dst: int, src: int, oif: str, mark: int) -> Answer:
    """`ip_route_output_key_hash_rcu`."""
    if src:
        if is_multicast(src) or src == LAST or not src >> 24:
            return Answer(error="EINVAL")
        if not ns.owns(src):
            return Answer(error="ENETUNREACH")
    bound = ns.link(oif) if oif else None
    if bound is not None and not bound.up:
        return Answer(error="ENETUNREACH")
    if not dst:
        return Answer(type="local", device=loopback(ns), src=src or 0x7F000001, flags=("local",))
    found = find(ns, dst, src=src, iif="", oif=oif, mark=mark)
    route = found.route
    if bound is not None and (route is None or route.type in ERRORS):
        route = None
    if route is None:
        if bound is None:
            return Answer(error="ENETUNREACH")
        # "Apparently, routing tables are wrong. Assume that the destination is on link."
        return sent(ns, dst, Answer(device=oif, src=src or select_address(ns, bound, 0, "link")))
    if route.type in ERRORS:
        return Answer(error=error_of(found))
    table = told_table(ns, route)
    if route.type == "local":
        return Answer(
            type="local", device=loopback(ns), table=table, src=src or route.src or dst, flags=("local",),
            mtu=route.mtu,
            route=route,
        )  # fmt: skip
    link = ns.links[route.oif]
    gateway = 0 if route.own_gateway else route.gateway
    chosen = src or route.src or select_address(ns, link, route.gateway, route.scope)
    return sent(ns, dst, Answer(
        type=route.type, gateway=gateway, device=link.name, table=table, src=chosen, mtu=route.mtu, route=route,
    ))  # fmt: skip


def sent(ns: Netns, dst: int, answer: Answer) -> Answer:
    """`__mkroute_output`: the flags that follow from the destination and the device."""
    link = ns.link(answer.device)
    kind, flags = answer.type, set[str]()
    if dst == LAST:
        kind = "broadcast"
    elif is_multicast(dst):
        kind = "multicast"
    outward = link is not None and link.kind != "loopback"
    if is_loopback(answer.src) and outward and not localnet(ns, answer.device):
        return Answer(error="EINVAL")
    if link is not None and link.kind == "loopback":
        flags.add("local")
    if kind == "broadcast":
        flags |= {"brd", "local"}
    elif kind == "multicast":
        flags.add("mc")
    return Answer(
        type=kind, gateway=0 if kind == "multicast" else answer.gateway, device=answer.device, table=answer.table,
        src=answer.src,
        flags=tuple(f for f in ("local", "mc", "brd") if f in flags), mtu=answer.mtu, route=answer.route,
    )  # fmt: skip


def coming_in(ns: Netns, dst: int, src: int, iif: str, oif: str, mark: int) -> Answer:
    """`ip_route_input_slow`."""
    link = ns.links[ns.names[iif]]
    if is_multicast(src) or src == LAST or not src >> 24 or (is_loopback(src) and not localnet(ns, iif)):
        return Answer(error="EINVAL")
    if dst != LAST and (not dst >> 24 or (is_loopback(dst) and not localnet(ns, iif))):
        return Answer(error="EINVAL")
    forwarding = ns.forwarding
    found = find(ns, dst, src=src, iif=iif, oif=oif, mark=mark)
    route = found.route
    table = told_table(ns, route)
    if dst == LAST or (route is not None and route.type == "broadcast"):
        return Answer(type="broadcast", device=loopback(ns), table=table, flags=("local", "brd"), route=route)
    if route is None:
        return Answer(error="ENETUNREACH" if forwarding else "EHOSTUNREACH")
    if route.type in ERRORS:
        return Answer(error=error_of(found) if forwarding else "EHOSTUNREACH")
    error, beside = validate_source(ns, src, dst, link, mark)
    if route.type == "local":
        if error:
            return Answer(error=error)
        return Answer(type="local", device=loopback(ns), table=table, flags=("local",), route=route)
    if not forwarding:
        return Answer(error="EHOSTUNREACH")
    if error:
        return Answer(error=error)
    out = ns.links[route.oif]
    redirect = (
        out.ifindex == link.ifindex
        and beside
        and bool(ns.conf("all", "send_redirects") or ns.conf(out.name, "send_redirects"))
    )
    return Answer(
        type=route.type, gateway=route.gateway, device=out.name, table=table, mtu=route.mtu, route=route,
        flags=("redirect",) if redirect else (),
    )  # fmt: skip


def localnet(ns: Netns, device: str) -> bool:
    return bool(ns.conf("all", "route_localnet") or ns.conf(device, "route_localnet"))


def validate_source(ns: Netns, src: int, dst: int, link: Link, mark: int) -> tuple[str, bool]:
    """`fib_validate_source`: (errno or "", is the source a neighbour on this very device)."""
    strict = max(ns.conf("all", "rp_filter"), ns.conf(link.name, "rp_filter"))
    back = lookup(ns.rules, ns.tables, src, src=dst, iif=link.name, mark=0, split=ns.fib_split).route
    if back is None:
        return ("EINVAL" if strict else ""), False
    if back.type == "local" and not ns.conf(link.name, "accept_local"):
        return "EINVAL", False
    if back.type not in ("unicast", "local"):
        return "EINVAL", False
    if back.oif == link.ifindex:
        return "", not back.gateway
    return ("EINVAL" if strict == 1 else ""), False

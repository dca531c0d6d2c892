"""`ip route`. Source: iproute2 6.1 ip/iproute.c."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import Any

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import Prefix, mask
from engine.linux.fib import DEFAULT, MAIN, Route
from engine.linux.linkinfo import TunnelKey
from engine.linux.text import route as route_text
from engine.linux.text.route import plain_number, proto_name, table_number
from engine.record import dataclass
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import (
    USAGE,
    Ip,
    Words,
    address,
    dsfield,
    garbage,
    invarg,
    matches,
    no_device,
    number,
    prefix,
    route_type,
    scope,
)
from engine.shell.tools.ip_route_get import downs, get

OTHER_TYPES = ("multicast", "anycast", "nat", "xresolve")
#: words of a route that are real and not modelled: (word, may be abbreviated)
REFUSED = (
    ("as", False), ("from", False), ("expires", False), ("reordering", True), ("rtt", False), ("rto_min", False),
    ("window", True), ("cwnd", True), ("initcwnd", True), ("initrwnd", True), ("features", True), ("quickack", True),
    ("congctl", True), ("rttvar", True), ("ssthresh", True), ("realms", True), ("vrf", True),
    ("pref", True), ("ttl-propagate", False), ("fastopen_no_cookie", True),
)  # fmt: skip


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if any(matches(word, full) for full in ("list", "show", "lst")):
        return show(ip, rest)
    if matches(word, "add"):
        return modify(ip, rest, "add")
    if matches(word, "change") or word == "chg":
        return modify(ip, rest, "change")
    if matches(word, "replace"):
        return modify(ip, rest, "replace")
    if matches(word, "prepend"):
        return modify(ip, rest, "prepend")
    if matches(word, "append"):
        return modify(ip, rest, "append")
    if matches(word, "test"):
        raise NotModelled("ip route test")
    if matches(word, "delete"):
        return modify(ip, rest, "delete")
    if matches(word, "get"):
        return get(ip, rest)
    if matches(word, "flush"):
        return flush(ip, rest)
    for other in ("save", "restore", "showdump"):
        if matches(word, other):
            raise NotModelled(f"ip route {other}")
    if matches(word, "help"):
        raise ip_usage.usage("route")
    raise Fail(f'Command "{word}" is unknown, try "ip route help".', USAGE)


def modify(ip: Ip, words: Words, action: str) -> None:
    got: dict[str, Any] = {}
    family = ip.family
    while words.more:
        word = words.take()
        if word == "src":
            got["src"] = address(words.value(), family)
            family = "inet"
        elif word == "via":
            if "gateway" in got:
                raise invarg("use nexthop syntax to specify multiple via\n", word)
            value = words.value()
            if value in ("inet", "inet6", "mpls", "bridge", "link"):
                if value != "inet":
                    raise NotModelled(f"via {value}")
                value = words.value()
            got["gateway"] = address(value, family)
            family = "inet"
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            got["metric"] = number(words.value(), '"metric" value is invalid\n')
        elif word == "scope":
            got["scope"] = scope(words.value(), 'invalid "scope" value\n')
        elif word == "mtu":
            value = words.value()
            if value == "lock":
                got["mtu_lock"], value = True, words.value()
            got["mtu"] = number(value, '"mtu" value is invalid\n')
        elif word in ("advmss", "hoplimit"):
            value = words.value()
            if value == "lock":
                raise NotModelled(f"{word} lock in ip route")
            got[word] = number(value, f'"{word}" value is invalid\n')
            if word == "hoplimit" and got[word] > 255:
                raise invarg('"hoplimit" value is invalid\n', value)
        elif word == "tos" or matches(word, "dsfield"):
            got["tos"] = dsfield(words.value())
        elif word == "nhid":
            value = words.value()
            got["nhid"] = number(value, '"id" value is invalid\n')
        elif word == "nexthop":
            got["nexthops"] = nexthops(ip, words)
            break
        elif word == "onlink":
            got["onlink"] = True
        elif matches(word, "protocol"):
            value = words.value()
            name = proto_name(value)
            if name is None:
                raise invarg('"protocol" value is invalid\n', value)
            got["proto"] = name
        elif matches(word, "table"):
            value = words.value()
            table = table_number(value)
            if table is None:
                raise invarg('"table" value is invalid\n', value)
            got["table"] = table
        elif word in ("dev", "oif"):
            got["device"] = words.value()
        elif word == "encap":
            got["encap"] = encap(words)
        else:
            refused = next((k for k, short in REFUSED if (matches(word, k) if short else word == k)), "")
            if refused:
                raise NotModelled(f"{refused} in ip route")
            if word == "to":
                word = words.value()
            kind = route_type(word) if not word[:1].isdigit() else ""
            if kind:
                got["type"] = kind
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("route")
            if "dst" in got:
                raise garbage("to", word)
            got["dst"], _ = prefix(word, family)
            family = "inet" if word not in ("default", "any", "all") else family
    if "dst" not in got:
        raise ip_usage.usage("route")
    if "device" in got and ip.ns.link(got["device"]) is None:
        raise no_device(got["device"])
    if got.get("mtu_lock") and not got.get("mtu"):
        got.pop("mtu_lock")
    if action == "delete" and "encap" in got:
        raise NotModelled("encap in ip route del")
    if action == "delete":
        for key in ("onlink", "mtu", "mtu_lock", "advmss", "hoplimit"):
            got.pop(key, None)
        ip.do(ops.DelRoute(netns=ip.ns.id, **got))
    elif got.get("type") in OTHER_TYPES:
        raise NotModelled(f"a route of type {got['type']}")
    else:
        ip.do(ops.AddRoute(netns=ip.ns.id, mode=action, **got))


def encap(words: Words) -> TunnelKey:
    """`encap ip id N src A dst B ttl T tos X key csum` (lwt_parse_encap)."""
    kind = words.value()
    if kind != "ip":
        if kind in ("mpls", "ip6", "bpf", "seg6", "seg6local", "rpl", "ioam6", "xfrm"):
            raise NotModelled(f"encap {kind}")
        raise invarg('"encap type" value is invalid\n', kind)
    got: dict[str, Any] = {}
    while words.more and words.now in (
        "id",
        "dst",
        "src",
        "ttl",
        "hoplimit",
        "hlim",
        "tos",
        "dsfield",
        "key",
        "csum",
    ):
        word = words.take()
        if word in ("key", "csum"):
            got[word] = True
            continue
        value = words.value()
        if word in ("dst", "src"):
            got[word] = address(value, "inet")
            continue
        name = {"hoplimit": "ttl", "hlim": "ttl", "dsfield": "tos"}.get(word, word)
        top = (1 << 32) - 1 if name == "id" else 255
        number = plain_number(value) if name != "tos" else dsfield(value)
        if number is None or not 0 <= number <= top:
            raise invarg(f'"{name}" value is invalid\n', value)
        got[name] = number
    if words.more and words.now in ("seq", "geneve_opts", "vxlan_opts", "erspan_opts"):
        raise NotModelled(f"{words.now} in encap ip")
    return TunnelKey(**got)


def oif_of(ip: Ip, row: Route) -> int:
    """The device of a route's one way; a listing by device shows no route with several."""
    return route_text.single(ip.ns, row)[1]


def nexthops(ip: Ip, words: Words) -> tuple[ops.Way, ...]:
    """`nexthop via A dev D weight W onlink nexthop ...` to the end of the line; the first word is read already."""
    ways: list[dict[str, Any]] = [{}]
    while words.more:
        word = words.take()
        if word == "nexthop":
            ways.append({})
        elif word == "via":
            value = words.value()
            if value in ("inet", "inet6", "mpls", "bridge", "link"):
                if value != "inet":
                    raise NotModelled(f"via {value}")
                value = words.value()
            ways[-1]["gateway"] = address(value, ip.family or "inet")
        elif word == "dev":
            ways[-1]["device"] = words.value()
            if ip.ns.link(ways[-1]["device"]) is None:
                raise no_device(ways[-1]["device"])
        elif word == "weight":
            value = words.value()
            weight = plain_number(value)
            if weight is None or not 1 <= weight <= 256:
                raise invarg('"weight" is invalid\n', value)
            ways[-1]["weight"] = weight
        elif word == "onlink":
            ways[-1]["onlink"] = True
        elif matches(word, "realms") or word in ("encap", "as"):
            raise NotModelled(f"{word} in a nexthop of ip route")
        else:
            raise Fail(f'Error: either "nexthop" is duplicate, or "{word}" is a garbage.', USAGE)
    return tuple(ops.Way(**way) for way in ways)


@dataclass(slots=True)
class Filter:
    """What a listing or flush asks for; `table` 0 is all; `hide` are the fields that the tool then leaves out."""

    table: int = MAIN
    proto: str = ""
    scope: str = ""
    type: str = ""
    device: str = ""
    oif: int = 0
    metric: int | None = None
    via: Prefix | None = None
    src: Prefix | None = None
    root: Prefix | None = None
    match: Prefix | None = None
    cached: bool = False
    tos: int | None = None
    hide: set[str] = field(default_factory=set)

    def fits(self, row: Route, oif: int) -> bool:
        def inside(value: int, want: Prefix | None) -> bool:
            return want is None or (value ^ want.addr) & mask(want.length) == 0

        return (
            (not self.proto or row.proto == self.proto)
            and (not self.scope or row.scope == self.scope)
            and (not self.type or row.type == self.type)
            and (not self.oif or oif == self.oif)
            and (self.tos is None or row.tos == self.tos)
            and (self.metric is None or row.metric == self.metric)
            and inside(row.gateway, self.via)
            and inside(row.src, self.src)
            and (
                self.root is None or (row.dst.length >= self.root.length and inside(row.dst.addr, self.root))
            )
            and (
                self.match is None
                or (
                    row.dst.length <= self.match.length
                    and (row.dst.addr ^ self.match.addr) & mask(row.dst.length) == 0
                )
            )
        )


def read_filter(ip: Ip, words: Words) -> Filter:
    got = Filter()

    def dst() -> Prefix:
        return prefix(words.value(), ip.family)[0]

    while words.more:
        word = words.take()
        if matches(word, "table"):
            value = words.value()
            table = table_number(value)
            if table is not None:
                got.table = table
            elif value == "all":
                got.table = 0
            elif value == "cache":
                got.cached = True
            elif value == "help":
                raise ip_usage.usage("route")
            else:
                raise invarg("table id value is invalid\n", value)
        elif matches(word, "vrf"):
            raise NotModelled("vrf in ip route")
        elif matches(word, "cached") or matches(word, "cloned"):
            got.cached = True
        elif word == "tos" or matches(word, "dsfield"):
            got.tos = dsfield(words.value())
            got.hide.add("tos")
        elif matches(word, "protocol"):
            value = words.value()
            name = "" if value == "all" else proto_name(value)
            if name is None:
                raise invarg('invalid "protocol"\n', value)
            got.proto = name
            if value != "all":
                got.hide.add("proto")
        elif matches(word, "scope"):
            value = words.value()
            if value != "all":
                got.scope = scope(value, 'invalid "scope"\n')
                got.hide.add("scope")
        elif matches(word, "type"):
            value = words.value()
            got.type = route_type(value)
            if not got.type:
                raise invarg("node type value is invalid\n", value)
        elif word in ("dev", "oif"):
            got.device = words.value()
            got.hide.add("dev")
        elif word in ("iif", "mark"):
            raise NotModelled(f"{word} in ip route show")
        elif matches(word, "metric") or matches(word, "priority") or word == "preference":
            got.metric = number(words.value(), '"metric" value is invalid\n')
            got.hide.add("metric")
        elif word == "via":
            got.via = dst()
            if got.via.length == 32:
                got.hide.add("via")
        elif word == "src":
            got.src = dst()
            if got.src.length == 32:
                got.hide.add("src")
        elif matches(word, "realms") or matches(word, "from"):
            raise NotModelled(f"{word} in ip route show")
        else:
            if matches(word, "to"):
                word = words.value()
            if matches(word, "root"):
                got.root = dst()
            elif matches(word, "match"):
                got.match = dst()
            else:
                if matches(word, "exact"):
                    word = words.value()
                got.root = got.match = prefix(word, ip.family)[0]
    if got.device:
        link = ip.ns.link(got.device)
        if link is None:
            raise no_device(got.device)
        got.oif = link.ifindex
    return got


def chosen(ip: Ip, rows: Filter) -> Iterator[Route]:
    numbers = [rows.table] if rows.table else sorted(ip.ns.tables, key=lambda n: (n & 255, n))
    for number_ in numbers:
        table = ip.ns.tables.get(number_)
        if table is not None:
            yield from (row for row in table.routes() if rows.fits(row, oif_of(ip, row)))


def show(ip: Ip, words: Words) -> None:
    rows = read_filter(ip, words)
    ip.dumped = True
    if rows.cached:
        # IPv4 has had no route cache to list since Linux 3.6.
        return
    table = ip.ns.tables.get(rows.table)
    if rows.table and (table is None or (rows.table == DEFAULT and not table.lengths)):
        raise Fail("Error: ipv4: FIB table does not exist.\nDump terminated", 2)
    for row in chosen(ip, rows):
        if ip.details and row.nhid:
            raise NotModelled("ip -details route with nhid")
        down, lost = downs(ip, row)
        told = not rows.table
        ip.emit(
            route_text.to_text(
                ip.ns,
                row,
                hide=rows.hide,
                table=told,
                down=down,
                lost=lost,
                join=f" {ip.break_}",
                details=bool(ip.details),
            )
            + " ",
            route_text.to_json(
                ip.ns, row, hide=rows.hide, table=told, down=down, lost=lost, details=bool(ip.details)
            ),
        )


def flush(ip: Ip, words: Words) -> None:
    if not words.more:
        raise Fail('"ip route flush" requires arguments.', 1)
    rows = read_filter(ip, words)
    if rows.cached:
        ip.do(ops.FlushRouteCache(netns=ip.ns.id))
        return
    if rows.table and rows.table not in ip.ns.tables:
        raise Fail("Error: ipv4: FIB table does not exist.\nFlush terminated", 2)
    for row in list(chosen(ip, rows)):
        name = ip.ns.links[row.oif].name if row.oif else ""
        ip.do(
            ops.DelRoute(
                netns=ip.ns.id,
                dst=row.dst,
                type=row.type,
                gateway=row.gateway,
                device=name,
                src=row.src,
                metric=row.metric,
                proto=row.proto,
                scope=row.scope,
                table=row.table,
                tos=row.tos,
                nhid=row.nhid,
                nexthops=tuple(
                    ops.Way(gateway=h.gateway, device=ip.ns.links[h.oif].name, weight=h.weight)
                    for h in row.nexthops
                ),
            )
        )

"""A route as `ip route` prints it, and back. Source: iproute2 6.1 ip/iproute.c (print_route, iproute_modify).

Rules. `to_text` has no trailing space; the tool adds the one that ip prints. Device names come from the namespace.
A word that is not modelled is refused by name, never skipped.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.fib import (
    MAIN,
    ROUTE_TYPES,
    SCOPES,
    TABLE_NAMES,
    Nexthop,
    Route,
    ends_in_blackhole,
    ways,
)
from engine.linux.linkinfo import TunnelKey
from engine.linux.net import Netns
from engine.say import Phrase

#: /etc/iproute2/rt_protos of iproute2 6.1
PROTOS = {
    0: "unspec", 1: "redirect", 2: "kernel", 3: "boot", 4: "static", 8: "gated", 9: "ra", 10: "mrt", 11: "zebra",
    12: "bird", 13: "dnrouted", 14: "xorp", 15: "ntk", 16: "dhcp", 18: "keepalived", 42: "babel", 99: "openr",
    186: "bgp", 187: "isis", 188: "ospf", 189: "rip", 192: "eigrp",
}  # fmt: skip
TABLES = {**TABLE_NAMES, 0: "unspec"}

NO_DEVICE = Phrase(en="there is no device {name!r} here", ko="{name!r}(이)라는 장치가 없습니다")
NOT_A_ROUTE = Phrase(
    en="{found!r} is not a route as ip route prints it",
    ko="{found!r}은(는) ip route가 출력하는 경로 형식이 아닙니다",
)


def proto_name(word: str) -> str | None:
    """A protocol's name from a name or number as typed; None when it is neither."""
    number = plain_number(word, 255)
    if number is not None:
        return PROTOS.get(number, str(number))
    return word if word in PROTOS.values() else None


def plain_number(word: str, top: int = 0xFFFFFFFF) -> int | None:
    """`strtoul(word, 0)`: decimal, 0x hex or 0 octal; None when it is no number or too large."""
    try:
        body = word.lower()
        if body.startswith("0x"):
            value = int(body, 16)
        elif body.startswith("0") and body.isascii() and body.isdigit():
            value = int(body, 8)
        elif body.isascii() and body.isdigit():
            value = int(body)
        else:
            return None
    except ValueError:
        return None
    return value if value <= top else None


def table_name(number: int) -> str:
    return TABLES.get(number, str(number))


def table_number(word: str) -> int | None:
    """A table's number from a name or number as typed; None when it is neither."""
    for number, name in TABLES.items():
        if name == word:
            return number
    return plain_number(word)


def dst_text(dst: Prefix) -> str:
    """`default`, `10.0.0.0/8`, or a bare address for /32."""
    if dst == (0, 0):
        return "default"
    return text4(dst.addr) if dst.length == 32 else str(dst)


def device_name(ns: Netns, ifindex: int) -> str:
    link = ns.links.get(ifindex)
    return link.name if link is not None else f"if{ifindex}"


def metrics(row: Route) -> list[tuple[str, int]]:
    """The metrics of a route in ip's order; `lock` parts mtu from its number when it is locked."""
    words = (("mtu", row.mtu), ("advmss", row.advmss), ("hoplimit", row.hoplimit))
    return [(name, value) for name, value in words if value]


def encap_words(key: TunnelKey) -> list[str]:
    """`encap ip id 100 src 0.0.0.0 dst 192.168.50.12 ttl 0 tos 0 [key] [csum]`."""
    words = ["encap", "ip", "id", str(key.id), "src", text4(key.src), "dst", text4(key.dst)]
    words += ["ttl", str(key.ttl), "tos", str(key.tos)]
    return words + [name for name in ("key", "csum") if getattr(key, name)]


def read_encap(kind: str, words: list[str], where: str) -> TunnelKey:
    """The words after `encap KIND`; those that are not its own stay in `words`."""
    if kind != "ip":
        raise NotModelled(f"encap {kind} of a route")
    got: dict[str, Any] = {}
    while words and words[0] in ("id", "src", "dst", "ttl", "tos", "key", "csum"):
        name = words.pop(0)
        if name in ("key", "csum"):
            got[name] = True
        elif not words:
            raise InputError([Problem(where=where, said=NOT_A_ROUTE(found=name))])
        else:
            value = words.pop(0)
            got[name] = ip4(value, where) if name in ("src", "dst") else int(value)
    return TunnelKey(**got)


def metric_words(row: Route) -> list[str]:
    words: list[str] = []
    for name, value in metrics(row):
        words += [name, *(["lock"] if name == "mtu" and row.mtu_lock else []), str(value)]
    return words


def hop_flags(hop: Nexthop, down: bool) -> list[str]:
    flags = (("onlink", hop.onlink), ("dead", hop.dead), ("linkdown", hop.dead or down))
    return [word for word, on in flags if on]


def several(ns: Netns, row: Route) -> tuple[Nexthop, ...]:
    """The ways that are listed one by one; none for a route with one."""
    hops = ways(ns.nexthops, row) if row.nhid or row.nexthops else ()
    return hops if len(hops) > 1 else ()


def single(ns: Netns, row: Route) -> tuple[int, int, bool]:
    """(gateway, oif, onlink) of a route with one way; a blackhole's object stands on lo."""
    if not row.nhid:
        return row.gateway, row.oif, row.onlink
    if ends_in_blackhole(ns.nexthops, row):
        return 0, 1, False
    hops = ways(ns.nexthops, row)
    return (hops[0].gateway, hops[0].oif, hops[0].onlink) if len(hops) == 1 else (0, 0, False)


def to_text(
    ns: Netns, row: Route, *, hide: Collection[str] = (), table: bool = False, down: bool = False,
    lost: Collection[int] = (), join: str = " \n", details: bool = False,
) -> str:  # fmt: skip
    """`details` (`ip -d`) tells also what is usual; `hide` drops fields by ip's selector names (dev, via, proto,
    scope, src, metric, type); `table` shows a table other than main; `down` adds the flag linkdown, `lost` adds it to
    the ways by these devices. The ways of a route with several follow it, each after `join` and a tab."""
    words: list[str] = []
    if row.type != "unicast" or details:
        words.append(row.type)
    words.append(dst_text(row.dst))
    if row.tos and "tos" not in hide:
        words += ["tos", f"{row.tos:#04x}"]
    if row.nhid:
        words += ["nhid", str(row.nhid)]
    if row.encap is not None:
        words += ["", *encap_words(row.encap)]
    gateway, oif, onlink = single(ns, row)
    if gateway and "via" not in hide:
        words += ["via", text4(gateway)]
    if oif and "dev" not in hide:
        words += ["dev", device_name(ns, oif)]
    if table and row.table != MAIN:
        words += ["table", table_name(row.table)]
    if (row.proto != "boot" or details) and "proto" not in hide:
        words += ["proto", row.proto]
    if (row.scope != "global" or details) and "scope" not in hide:
        words += ["scope", row.scope]
    if row.src and "src" not in hide:
        words += ["src", text4(row.src)]
    if row.metric and "metric" not in hide:
        words += ["metric", str(row.metric)]
    if onlink:
        words.append("onlink")
    if down and oif:
        words.append("linkdown")
    words += metric_words(row)
    out = " ".join(words)
    for hop in several(ns, row):
        via = ["via", text4(hop.gateway)] if hop.gateway else []
        text = ["nexthop", *via, "dev", device_name(ns, hop.oif), "weight", str(hop.weight)]
        out += f"{join}\t" + " ".join([*text, *hop_flags(hop, hop.oif in lost)])
    return out


class Again(str):
    """A key that stands in an object a second time: the tool tells `dst` of a route and of its encap alike."""

    __slots__ = ()
    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def encap_json(key: TunnelKey) -> dict[str, Any]:
    out: dict[str, Any] = {"encap": "ip", "id": key.id, "src": text4(key.src), Again("dst"): text4(key.dst)}
    out |= {"ttl": key.ttl, "tos": key.tos}
    return out | {name: True for name in ("key", "csum") if getattr(key, name)}


def to_json(
    ns: Netns, row: Route, *, hide: Collection[str] = (), table: bool = False, down: bool = False,
    lost: Collection[int] = (), details: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """The object of `ip -j route`, keys in the tool's order."""
    out: dict[str, Any] = {}
    if row.type != "unicast" or details:
        out["type"] = row.type
    out["dst"] = dst_text(row.dst)
    if row.tos and "tos" not in hide:
        out["tos"] = f"{row.tos:#04x}"
    if row.nhid:
        out["nhid"] = row.nhid
    if row.encap is not None:
        out |= encap_json(row.encap)
    gateway, oif, onlink = single(ns, row)
    if gateway and "via" not in hide:
        out["gateway"] = text4(gateway)
    if oif and "dev" not in hide:
        out["dev"] = device_name(ns, oif)
    if table and row.table != MAIN:
        out["table"] = table_name(row.table)
    if (row.proto != "boot" or details) and "proto" not in hide:
        out["protocol"] = row.proto
    if (row.scope != "global" or details) and "scope" not in hide:
        out["scope"] = row.scope
    if row.src and "src" not in hide:
        out["prefsrc"] = text4(row.src)
    if row.metric and "metric" not in hide:
        out["metric"] = row.metric
    out["flags"] = [w for w, on in (("onlink", onlink), ("linkdown", down and bool(oif))) if on]
    if metrics(row):
        out["metrics"] = [dict(metrics(row))]
    hops = several(ns, row)
    if hops:
        out["nexthops"] = [
            {
                **({"gateway": text4(hop.gateway)} if hop.gateway else {}),
                "dev": device_name(ns, hop.oif), "weight": hop.weight, "flags": hop_flags(hop, hop.oif in lost),
            }
            for hop in hops
        ]  # fmt: skip
    return out


def parse(ns: Netns, text: str, *, table: int = MAIN, where: str = "") -> Route:
    """One route of `ip route`, its ways in the same text, -> row. `table` is the table that was listed, when the text
    does not name one. The flag linkdown is read over: it is derived. What a nexthop object says is read over too.
    Raises InputError, NotModelled."""

    def bad() -> InputError:
        return InputError([Problem(where=where, said=NOT_A_ROUTE(found=text))])

    def number(word: str, top: int = 0xFFFFFFFF) -> int:
        value = plain_number(word, top)
        if value is None:
            raise bad()
        return value

    words = text.replace("\\", " ").split()
    kind = words.pop(0) if words and words[0] in ROUTE_TYPES else "unicast"
    if not words:
        raise bad()
    dst = Prefix.parse(words.pop(0), where)
    got: dict[str, Any] = {"type": kind, "dst": dst, "table": table}
    hops: list[dict[str, Any]] = []
    into = got
    while words:
        key = words.pop(0)
        if key == "nexthop":
            into = {}
            hops.append(into)
            continue
        if key in ("linkdown", "dead", "onlink"):
            if key == "onlink" or (key == "dead" and hops):
                into[key] = True
            continue
        if not words:
            raise bad()
        value = words.pop(0)
        if key == "encap":
            got["encap"] = read_encap(value, words, where)
        elif key == "via":
            into["gateway"] = ip4(value, where)
        elif key == "dev":
            link = ns.link(value)
            if link is None:
                raise InputError([Problem(where=where, said=NO_DEVICE(name=value))])
            into["oif"] = link.ifindex
        elif key == "weight" and hops:
            into["weight"] = number(value, 256)
            if not into["weight"]:
                raise bad()
        elif hops:
            raise NotModelled(f"{key} in a nexthop")
        elif key == "src":
            got["src"] = ip4(value, where)
        elif key == "table":
            named = table_number(value)
            if named is None:
                raise bad()
            got["table"] = named
        elif key == "proto":
            name = proto_name(value)
            if name is None:
                raise bad()
            got["proto"] = name
        elif key == "scope":
            if value not in SCOPES:
                raise NotModelled(f"scope {value} of a route")
            got["scope"] = value
        elif key == "tos":
            got["tos"] = number(value, 255)
        elif key == "mtu" and value == "lock" and words:
            got["mtu"], got["mtu_lock"] = number(words.pop(0)), True
        elif key in ("metric", "mtu", "nhid", "advmss", "hoplimit"):
            got[key] = number(value)
        else:
            raise NotModelled(f"{key} in a route")
    if got.get("nhid"):
        for key in ("gateway", "oif", "onlink"):
            got.pop(key, None)
    elif hops:
        got["nexthops"] = tuple(Nexthop(**hop) for hop in hops)
    return Route(**got)

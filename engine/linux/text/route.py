"""A route as `ip route` prints it, and back. Source: iproute2 6.1 ip/iproute.c (print_route, iproute_modify).

Rules. `to_text` has no trailing space; the tool adds the one that ip prints. Device names come from the namespace.
A word that is not modelled is refused by name, never skipped.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.fib import MAIN, ROUTE_TYPES, SCOPES, TABLE_NAMES, Route
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


def to_text(
    ns: Netns, row: Route, *, hide: Collection[str] = (), table: bool = False, down: bool = False
) -> str:
    """`hide` drops fields by ip's selector names (dev, via, proto, scope, src, metric, type); `table` shows a table
    other than main; `down` adds the flag linkdown."""
    words: list[str] = []
    if row.type != "unicast":
        words.append(row.type)
    words.append(dst_text(row.dst))
    if row.gateway and "via" not in hide:
        words += ["via", text4(row.gateway)]
    if row.oif and "dev" not in hide:
        link = ns.links.get(row.oif)
        words += ["dev", link.name if link is not None else f"if{row.oif}"]
    if table and row.table != MAIN:
        words += ["table", table_name(row.table)]
    if row.proto != "boot" and "proto" not in hide:
        words += ["proto", row.proto]
    if row.scope != "global" and "scope" not in hide:
        words += ["scope", row.scope]
    if row.src and "src" not in hide:
        words += ["src", text4(row.src)]
    if row.metric and "metric" not in hide:
        words += ["metric", str(row.metric)]
    if row.onlink:
        words.append("onlink")
    if down:
        words.append("linkdown")
    if row.mtu:
        words += ["mtu", str(row.mtu)]
    return " ".join(words)


def to_json(
    ns: Netns, row: Route, *, hide: Collection[str] = (), table: bool = False, down: bool = False
) -> dict[str, Any]:
    """The object of `ip -j route`, keys in the tool's order."""
    out: dict[str, Any] = {}
    if row.type != "unicast":
        out["type"] = row.type
    out["dst"] = dst_text(row.dst)
    if row.gateway and "via" not in hide:
        out["gateway"] = text4(row.gateway)
    if row.oif and "dev" not in hide:
        link = ns.links.get(row.oif)
        out["dev"] = link.name if link is not None else f"if{row.oif}"
    if table and row.table != MAIN:
        out["table"] = table_name(row.table)
    if row.proto != "boot" and "proto" not in hide:
        out["protocol"] = row.proto
    if row.scope != "global" and "scope" not in hide:
        out["scope"] = row.scope
    if row.src and "src" not in hide:
        out["prefsrc"] = text4(row.src)
    if row.metric and "metric" not in hide:
        out["metric"] = row.metric
    out["flags"] = [w for w, on in (("onlink", row.onlink), ("linkdown", down)) if on]
    if row.mtu:
        out["metrics"] = [{"mtu": row.mtu}]
    return out


def parse(ns: Netns, text: str, *, table: int = MAIN, where: str = "") -> Route:
    """One line of `ip route` -> row. `table` is the table that was listed, when the line does not name one. The flags
    linkdown and dead are read over: they are derived. Raises InputError, NotModelled."""

    def bad() -> InputError:
        return InputError([Problem(where=where, said=NOT_A_ROUTE(found=text))])

    words = text.split()
    kind = words.pop(0) if words and words[0] in ROUTE_TYPES else "unicast"
    if not words:
        raise bad()
    dst = Prefix.parse(words.pop(0), where)
    got: dict[str, Any] = {"type": kind, "dst": dst, "table": table}
    while words:
        key = words.pop(0)
        if key in ("linkdown", "dead"):
            continue
        if key == "onlink":
            got["onlink"] = True
            continue
        if not words:
            raise bad()
        value = words.pop(0)
        if key == "via":
            got["gateway"] = ip4(value, where)
        elif key == "src":
            got["src"] = ip4(value, where)
        elif key == "dev":
            link = ns.link(value)
            if link is None:
                raise InputError([Problem(where=where, said=NO_DEVICE(name=value))])
            got["oif"] = link.ifindex
        elif key == "table":
            number = table_number(value)
            if number is None:
                raise bad()
            got["table"] = number
        elif key == "proto":
            name = proto_name(value)
            if name is None:
                raise bad()
            got["proto"] = name
        elif key == "scope":
            if value not in SCOPES:
                raise NotModelled(f"scope {value} of a route")
            got["scope"] = value
        elif key in ("metric", "mtu"):
            number = plain_number(value)
            if number is None:
                raise bad()
            got[key] = number
        else:
            raise NotModelled(f"{key} in a route")
    return Route(**got)

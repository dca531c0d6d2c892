"""A policy rule as `ip rule` prints it, and back. Source: iproute2 6.1 ip/iprule.c."""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import Prefix, text4
from engine.linux.fib import Rule
from engine.linux.net import Netns
from engine.linux.text.route import plain_number, proto_name, table_name, table_number
from engine.say import Phrase

ACTIONS = ("blackhole", "unreachable", "prohibit")
ALL_BITS = 0xFFFFFFFF
NOT_A_RULE = Phrase(
    en="{found!r} is not a rule as ip rule prints it",
    ko="{found!r}은(는) ip rule이 출력하는 규칙 형식이 아닙니다",
)


def prefix_text(prefix: Prefix) -> str:
    return text4(prefix.addr) if prefix.length == 32 else str(prefix)


def detached(ns: Netns | None, device: str) -> bool:
    """Does the rule name a device that is not there?"""
    return ns is not None and bool(device) and device not in ns.names


def to_text(row: Rule, ns: Netns | None = None) -> str:
    """`32766:<tab>from all lookup main`; with a namespace, devices that are not there are marked [detached]."""
    out = f"{row.priority}:\t" + ("not " if row.invert else "")
    out += "from " + (prefix_text(row.src) if row.src.length else "all")
    if row.dst.length:
        out += " to " + prefix_text(row.dst)
    if row.fwmark or row.fwmask:
        out += f" fwmark {hex_text(row.fwmark)}" + (
            f"/{hex_text(row.fwmask)}" if row.fwmask != ALL_BITS else ""
        )
    if row.iif:
        out += f" iif {row.iif}" + (" [detached]" if detached(ns, row.iif) else "")
    if row.oif:
        out += f" oif {row.oif}" + (" [detached]" if detached(ns, row.oif) else "")
    out += f" lookup {table_name(row.table)}" if row.action == "lookup" else f" {row.action}"
    if row.proto not in ("unspec", "kernel"):
        out += f" proto {row.proto}"
    return out


def hex_text(value: int) -> str:
    """C's `%#x`: 0 has no prefix."""
    return f"{value:#x}" if value else "0"


def to_json(row: Rule, ns: Netns | None = None) -> dict[str, Any]:
    """The object of `ip -j rule`, keys in the tool's order."""
    out: dict[str, Any] = {"priority": row.priority}
    if row.invert:
        out["not"] = None
    out["src"] = text4(row.src.addr) if row.src.length else "all"
    if row.src.length not in (0, 32):
        out["srclen"] = row.src.length
    if row.dst.length:
        out["dst"] = text4(row.dst.addr)
        if row.dst.length != 32:
            out["dstlen"] = row.dst.length
    if row.fwmark or row.fwmask:
        out["fwmark"] = hex_text(row.fwmark)
        if row.fwmask != ALL_BITS:
            out["fwmask"] = hex_text(row.fwmask)
    if row.iif:
        out["iif"] = row.iif
        if detached(ns, row.iif):
            out["iif_detached"] = None
    if row.oif:
        out["oif"] = row.oif
        if detached(ns, row.oif):
            out["oif_detached"] = None
    if row.action == "lookup":
        out["table"] = table_name(row.table)
    else:
        out["action"] = row.action
    if row.proto not in ("unspec", "kernel"):
        out["protocol"] = row.proto
    return out


def parse(text: str, where: str = "") -> Rule:
    """One line of `ip rule` -> row. Raises InputError, NotModelled."""
    bad = InputError([Problem(where=where, said=NOT_A_RULE(found=text))])
    head, colon, rest = text.partition(":")
    if not colon or not head.strip().isdigit():
        raise bad
    got: dict[str, Any] = {"priority": int(head), "action": "", "table": 0}
    words = rest.split()
    while words:
        key = words.pop(0)
        if key == "not":
            got["invert"] = True
            continue
        if key in ACTIONS:
            got["action"] = key
            continue
        if key in ("[detached]",):
            continue
        if not words:
            raise bad
        value = words.pop(0)
        if key == "from":
            got["src"] = Prefix.parse(value, where)
        elif key == "to":
            got["dst"] = Prefix.parse(value, where)
        elif key == "fwmark":
            mark, slash, bits = value.partition("/")
            number, bound = plain_number(mark), plain_number(bits) if slash else ALL_BITS
            if number is None or bound is None:
                raise bad
            got["fwmark"], got["fwmask"] = number, bound
        elif key in ("iif", "oif"):
            got[key] = value
        elif key == "lookup":
            table = table_number(value)
            if table is None:
                raise bad
            got["table"], got["action"] = table, "lookup"
        elif key == "proto":
            name = proto_name(value)
            if name is None:
                raise bad
            got["proto"] = name
        else:
            raise NotModelled(f"{key} in ip rule")
    if not got["action"]:
        raise bad
    if got["priority"] in (0, 32766, 32767) and "proto" not in got and got["table"] in (255, 254, 253):
        got["proto"] = "kernel"
    return Rule(**got)

"""A policy rule as `ip rule` prints it, and back. Source: iproute2 6.1 ip/iprule.c."""

from __future__ import annotations

from typing import Any, TypeVar

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import Prefix, text4
from engine.linux.fib import Rule
from engine.linux.net import Netns
from engine.linux.text.route import plain_number, proto_name, table_name, table_number
from engine.say import Phrase

ACTIONS = ("blackhole", "unreachable", "prohibit", "nop")
#: ip protocols that /etc/protocols of Debian names among those a rule may ask for
PROTOCOLS = {1: "icmp", 2: "igmp", 4: "ipencap", 6: "tcp", 17: "udp", 41: "ipv6", 47: "gre", 50: "esp", 51: "ah",
             58: "ipv6-icmp", 132: "sctp", 136: "udplite"}  # fmt: skip
ALL_BITS = 0xFFFFFFFF
T = TypeVar("T")
NOT_A_RULE = Phrase(
    en="{found!r} is not a rule as ip rule prints it",
    ko="{found!r}은(는) ip rule이 출력하는 규칙 형식이 아닙니다",
)


def prefix_text(prefix: Prefix) -> str:
    return text4(prefix.addr) if prefix.length == 32 else str(prefix)


def detached(ns: Netns | None, device: str) -> bool:
    """Does the rule name a device that is not there?"""
    return ns is not None and bool(device) and device not in ns.names


def proto_text(number: int) -> str:
    """`inet_proto_n2a`."""
    return PROTOCOLS.get(number, f"ipproto-{number}")


def proto_number(word: str) -> int | None:
    """`inet_proto_a2n`: a name or a number up to 255; None when it is neither."""
    named = next((number for number, name in PROTOCOLS.items() if name == word), None)
    if named is not None:
        return named
    return plain_number(word.removeprefix("ipproto-"), 255)


def range_text(ports: tuple[int, int]) -> str:
    return str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"


def read_range(word: str, top: int) -> tuple[int, int] | None:
    """`80` or `80-90`; None when it is neither."""
    first, dash, last = word.partition("-")
    low = plain_number(first, top)
    high = plain_number(last, top) if dash else low
    return (low, high) if low is not None and high is not None else None


def to_text(row: Rule, ns: Netns | None = None) -> str:
    """`32766:<tab>from all lookup main`; with a namespace, devices that are not there are marked [detached]."""
    out = f"{row.priority}:\t" + ("not " if row.invert else "")
    out += "from " + (prefix_text(row.src) if row.src.length else "all")
    if row.dst.length:
        out += " to " + prefix_text(row.dst)
    if row.tos:
        out += f" tos {row.tos:#04x}"
    if row.fwmark or row.fwmask:
        out += f" fwmark {hex_text(row.fwmark)}" + (
            f"/{hex_text(row.fwmask)}" if row.fwmask != ALL_BITS else ""
        )
    if row.iif:
        out += f" iif {row.iif}" + (" [detached]" if detached(ns, row.iif) else "")
    if row.oif:
        out += f" oif {row.oif}" + (" [detached]" if detached(ns, row.oif) else "")
    if row.uids is not None:
        out += f" uidrange {row.uids[0]}-{row.uids[1]}"
    if row.ipproto:
        out += f" ipproto {proto_text(row.ipproto)}"
    for key, ports in (("sport", row.sport), ("dport", row.dport)):
        out += f" {key} {range_text(ports)}" if ports is not None else ""
    if row.action == "lookup":
        out += f" lookup {table_name(row.table)}"
        out += f" suppress_prefixlength {row.suppress}" if row.suppress >= 0 else ""
    elif row.action == "goto":
        out += f" goto {row.target}" + (" [unresolved]" if unresolved(ns, row) else "")
    else:
        out += f" {row.action}"
    if row.proto not in ("unspec", "kernel"):
        out += f" proto {row.proto}"
    return out


def unresolved(ns: Netns | None, row: Rule) -> bool:
    """Does a goto name a priority that no rule has?"""
    return ns is not None and all(rule.priority != row.target for rule in ns.rules)


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
    if row.tos:
        out["tos"] = f"{row.tos:#04x}"
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
    if row.uids is not None:
        out["uid_start"], out["uid_end"] = row.uids
    if row.ipproto:
        out["ipproto"] = proto_text(row.ipproto)
    for key, ports in (("sport", row.sport), ("dport", row.dport)):
        if ports is not None and ports[0] == ports[1]:
            out[key] = ports[0]
        elif ports is not None:
            out[f"{key}_start"], out[f"{key}_end"] = ports
    if row.action == "lookup":
        out["table"] = table_name(row.table)
        if row.suppress >= 0:
            out["suppress_prefixlen"] = row.suppress
    elif row.action == "goto":
        out["goto"] = row.target
        if unresolved(ns, row):
            out["unresolved"] = None
    elif row.action == "nop":
        out["nop"] = None
    else:
        out["action"] = row.action
    if row.proto not in ("unspec", "kernel"):
        out["protocol"] = row.proto
    return out


def needed(value: T | None, bad: InputError) -> T:
    if value is None:
        raise bad
    return value


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
        if key in ("[detached]", "[unresolved]"):
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
        elif key == "tos":
            got["tos"] = needed(plain_number(value, 255), bad)
        elif key == "uidrange":
            got["uids"] = needed(read_range(value, 0xFFFFFFFF), bad)
        elif key == "ipproto":
            got["ipproto"] = needed(proto_number(value), bad)
        elif key in ("sport", "dport"):
            got[key] = needed(read_range(value, 65535), bad)
        elif key == "suppress_prefixlength":
            got["suppress"] = needed(plain_number(value, 0x7FFFFFFF), bad)
        elif key == "goto":
            got["action"], got["target"] = "goto", needed(plain_number(value), bad)
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

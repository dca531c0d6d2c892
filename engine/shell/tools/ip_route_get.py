"""`ip route get`: the route that a packet would take now. Source: iproute2 6.1 ip/iproute.c (iproute_get)."""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.fib import Route
from engine.linux.flow import FlowKey
from engine.linux.routeget import Answer, route_get
from engine.linux.status import linkdown
from engine.linux.text import route as route_text
from engine.linux.text.route import table_name
from engine.linux.text.rule import proto_number
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import Ip, Words, dsfield, invarg, matches, no_device, number, prefix

ERRNO = {
    "EINVAL": "Invalid argument", "EHOSTUNREACH": "No route to host", "EACCES": "Permission denied",
    "ENETUNREACH": "Network is unreachable", "EXDEV": "Invalid cross-device link", "ENODEV": "No such device",
}  # fmt: skip
#: protocols that the kernel lets a question name
ASKABLE = (1, 6, 17)


def get(ip: Ip, words: Words) -> None:
    """`ip route get`: the route that a packet would take now."""
    got: dict[str, Any] = {}
    dst: int | None = None
    source_given = False
    fib_match = False
    family = ip.family
    while words.more:
        word = words.take()
        if word == "tos" or matches(word, "dsfield"):
            got["tos"] = dsfield(words.value())
        elif matches(word, "from"):
            found, _ = prefix(words.value(), family)
            got["src"] = found.addr
            source_given = True
            family = "inet"
        elif matches(word, "iif"):
            got["iif"] = words.value()
        elif matches(word, "mark"):
            got["mark"] = number(words.value(), "invalid mark value")
        elif matches(word, "oif") or word == "dev":
            got["oif"] = words.value()
        elif matches(word, "notify") or matches(word, "connected") or matches(word, "vrf") or word == "as":
            raise NotModelled(f"{word} in ip route get")
        elif matches(word, "uid"):
            got["uid"] = number(words.value(), "invalid UID\n")
        elif matches(word, "fibmatch"):
            fib_match = True
        elif word in ("sport", "dport"):
            value = words.value()
            if not value.isdigit() or int(value) > 65535:
                raise invarg(f"invalid {word}\n", value)
            got[word] = int(value)
        elif word == "ipproto":
            value = words.value()
            proto = proto_number(value)
            if proto is None:
                raise invarg("invalid ipproto value\n", value)
            got["proto"] = proto
        else:
            if word == "to":
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("route")
            found, _ = prefix(word, family)
            family = "inet"
            if found.length != 32:
                ip.warnings.append(
                    f"Warning: /{found.length} as prefix is invalid, only /32 (or none) is supported."
                )
            dst = found.addr
    if dst is None:
        raise Fail("\n".join([*ip.warnings, "need at least a destination address"]), 1)
    for key in ("iif", "oif"):
        if key in got and ip.ns.link(got[key]) is None:
            raise no_device(got[key])
    if got.get("tos", 0) & 3:
        raise Fail("Error: Invalid dsfield (tos): ECN bits must be 0.", 2)
    if got.get("proto") and got["proto"] not in ASKABLE:
        raise Fail("Error: Unsupported ip proto.", 2)
    asked = FlowKey(dst=dst, **got)
    answer = route_get(ip.net, ip.ns, asked)
    if answer.row is not None and answer.row.encap is not None and not fib_match:
        raise NotModelled("ip route get by a route with encap")
    if answer.error:
        raise Fail("\n".join([*ip.warnings, f"RTNETLINK answers: {ERRNO[answer.error]}"]), 2)
    if fib_match:
        show_row(ip, answer)
    else:
        show(ip, asked, answer, source_given)


def show_row(ip: Ip, answer: Answer) -> None:
    """`fibmatch`: the route as it stands in its table."""
    row = answer.row
    if row is None:
        raise Fail("RTNETLINK answers: No route to host", 2)
    table = bool(answer.table)
    down, lost = downs(ip, row)
    ip.emit(
        route_text.to_text(ip.ns, row, table=table, down=down, lost=lost, join=f" {ip.break_}") + " ",
        route_text.to_json(ip.ns, row, table=table, down=down, lost=lost),
    )


def downs(ip: Ip, row: Route) -> tuple[bool, set[int]]:
    """(is the one way of a route without carrier, the devices of its several ways that are)."""
    oifs = {hop.oif for hop in route_text.several(ip.ns, row)}
    _, oif, _ = route_text.single(ip.ns, row)
    lost = {index for index in oifs if linkdown(ip.net, ip.ns, index)}
    return linkdown(ip.net, ip.ns, oif) and row.scope != "host", lost


def show(ip: Ip, asked: FlowKey, answer: Answer, source_given: bool) -> None:
    """The answer and its cache line."""
    dst, src, iif = asked.dst, asked.src, asked.iif
    shown_src = 0 if iif or answer.src == src else answer.src
    line = "" if answer.type == "unicast" else f"{answer.type} "
    line += f"{text4(dst)} "
    obj: dict[str, Any] = {} if answer.type == "unicast" else {"type": answer.type}
    obj["dst"] = text4(dst)
    for key, text, name in (
        ("from", text4(src) if source_given and src else "", "from"),
        ("tos", f"{asked.tos:#04x}" if asked.tos else "", "tos"),
        ("via", text4(answer.gateway) if answer.gateway else "", "gateway"),
        ("dev", answer.device, "dev"),
        ("table", table_name(answer.table) if answer.table else "", "table"),
        ("src", text4(shown_src) if shown_src else "", "prefsrc"),
    ):
        if text:
            line += f"{key} {text} "
            obj[name] = text
    # RTCF_MULTICAST and RTM_F_OFFLOAD_FAILED are the same bit, and ip prints both.
    obj["flags"] = ["rt_offload_failed"] if "mc" in answer.flags else []
    line += "".join(f"{word} " for word in obj["flags"])
    if asked.mark:
        line += f"mark {asked.mark if asked.mark < 16 else hex(asked.mark)} "
        obj["mark"] = asked.mark
    if not iif:
        line += f"uid {asked.uid} "
        obj["uid"] = asked.uid
    line += f"{ip.break_}    cache " + (f"<{','.join(answer.flags)}> " if answer.flags else "")
    obj["cache"] = list(answer.flags)
    route = answer.route
    numbers = (
        dict(route_text.metrics(route)) if route is not None and not (iif and answer.type == "local") else {}
    )
    lock = route is not None and route.mtu_lock
    known = ip.ns.path_mtus.get(dst)
    if known is not None and known.until > ip.net.clock and not iif and answer.type == "unicast":
        learned, lock = known.mtu, lock or known.locked
        obj["expires"] = int(known.until - ip.net.clock)
        line += f"expires {obj['expires']}sec "
        numbers = {
            "mtu": min(numbers.get("mtu", learned), learned),
            **{k: v for k, v in numbers.items() if k != "mtu"},
        }
    for name, value in numbers.items():
        line += f"{name} {'lock ' if name == 'mtu' and lock else ''}{value} "
    if numbers:
        obj["metrics"] = [numbers]
    if iif:
        line += f"iif {iif} "
        obj["iif"] = iif
    ip.emit(line, obj)

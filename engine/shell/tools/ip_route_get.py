"""`ip route get`: the route that a packet would take now. Source: iproute2 6.1 ip/iproute.c (iproute_get)."""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.source import route_get
from engine.linux.status import linkdown
from engine.linux.text import route as route_text
from engine.linux.text.route import table_name
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import Ip, Words, matches, no_device, number, prefix

ERRNO = {
    "EINVAL": "Invalid argument", "EHOSTUNREACH": "No route to host", "EACCES": "Permission denied",
    "ENETUNREACH": "Network is unreachable", "EXDEV": "Invalid cross-device link", "ENODEV": "No such device",
}  # fmt: skip


def get(ip: Ip, words: Words) -> None:
    """`ip route get`: the route that a packet would take now."""
    got: dict[str, int | str] = {}
    dst: int | None = None
    source_given = False
    uid = 0
    fib_match = False
    family = ip.family
    while words.more:
        word = words.take()
        if word == "tos" or any(matches(word, k) for k in ("dsfield", "sport", "dport", "ipproto")):
            raise NotModelled(f"{word} in ip route get")
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
            uid = number(words.value(), "invalid UID\n")
        elif matches(word, "fibmatch"):
            fib_match = True
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
        if key in got and ip.ns.link(str(got[key])) is None:
            raise no_device(str(got[key]))
    src, iif, mark = int(got.get("src", 0)), str(got.get("iif", "")), int(got.get("mark", 0))
    answer = route_get(ip.ns, dst, src=src, iif=iif, oif=str(got.get("oif", "")), mark=mark)
    if answer.error:
        raise Fail("\n".join([*ip.warnings, f"RTNETLINK answers: {ERRNO[answer.error]}"]), 2)
    if fib_match:
        row = answer.route
        if row is None:
            raise Fail("RTNETLINK answers: No route to host", 2)
        down = linkdown(ip.net, ip.ns, row.oif) and row.scope != "host"
        table = bool(answer.table)
        ip.emit(
            route_text.to_text(ip.ns, row, table=table, down=down) + " ",
            route_text.to_json(ip.ns, row, table=table, down=down),
        )
        return
    shown_src = 0 if iif or answer.src == src else answer.src
    line = "" if answer.type == "unicast" else f"{answer.type} "
    line += f"{text4(dst)} "
    obj: dict[str, Any] = {} if answer.type == "unicast" else {"type": answer.type}
    obj["dst"] = text4(dst)
    for key, text, name in (
        ("from", text4(src) if source_given and src else "", "from"),
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
    if mark:
        line += f"mark {mark if mark < 16 else hex(mark)} "
        obj["mark"] = mark
    if not iif:
        line += f"uid {uid} "
        obj["uid"] = uid
    line += f"{ip.break_}    cache " + (f"<{','.join(answer.flags)}> " if answer.flags else "")
    obj["cache"] = list(answer.flags)
    mtu = answer.mtu
    learned, until = ip.ns.path_mtus.get(dst, (0, 0.0))
    if until > ip.net.clock and not iif and answer.type == "unicast":
        obj["expires"] = int(until - ip.net.clock)
        line += f"expires {obj['expires']}sec "
        mtu = min(mtu, learned) if mtu else learned
    if mtu:
        line += f"mtu {mtu} "
        obj["metrics"] = [{"mtu": mtu}]
    if iif:
        line += f"iif {iif} "
        obj["iif"] = iif
    ip.emit(line, obj)

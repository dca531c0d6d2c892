"""`ip nexthop`. Source: iproute2 6.1 ip/ipnexthop.c."""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.fib import NexthopObject
from engine.linux.status import linkdown
from engine.linux.text import nexthop as nexthop_text
from engine.linux.text.route import plain_number, proto_name
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import USAGE, Ip, Words, address, invarg, matches, number

REFUSED = ("encap", "fdb", "type", "buckets", "idle_timer", "unbalanced_timer")


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return modify(ip, rest, replace=False)
    if matches(word, "replace"):
        return modify(ip, rest, replace=True)
    if matches(word, "delete"):
        return ip.do(ops.DelNexthop(netns=ip.ns.id, id=wanted_id(rest)))
    if any(matches(word, full) for full in ("list", "show", "lst")):
        return show(ip, rest)
    if matches(word, "get"):
        return get(ip, rest)
    if matches(word, "flush"):
        return flush(ip, rest)
    if matches(word, "help"):
        raise ip_usage.usage("nexthop")
    if matches(word, "bucket"):
        raise NotModelled("ip nexthop bucket")
    raise Fail(f'Command "{word}" is unknown, try "ip nexthop help".', USAGE)


def known_device(ip: Ip, name: str) -> str:
    if ip.ns.link(name) is None:
        raise invarg("Device does not exist\n", name)
    return name


def modify(ip: Ip, words: Words, *, replace: bool) -> None:
    got: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "id":
            got["id"] = number(words.value(), "invalid id value")
        elif word == "dev":
            got["device"] = known_device(ip, words.value())
        elif word == "via":
            value = words.value()
            if value in ("inet", "inet6", "mpls", "bridge", "link"):
                if value != "inet":
                    raise NotModelled(f"via {value} in ip nexthop")
                value = words.value()
            got["gateway"] = address(value, ip.family or "inet")
        elif word == "group":
            value = words.value()
            group = nexthop_text.read_group(value)
            if isinstance(group[0], str):
                raise invarg(group[0], str(group[1]))
            got["group"] = group
        elif matches(word, "protocol"):
            value = words.value()
            name = proto_name(value)
            if name is None:
                raise invarg('"protocol" value is invalid\n', value)
            got["proto"] = name
        elif word == "onlink":
            got["onlink"] = True
        elif matches(word, "blackhole"):
            got["blackhole"] = True
        elif matches(word, "help"):
            raise ip_usage.usage("nexthop")
        elif any(word == one for one in REFUSED):
            raise NotModelled(f"{word} in ip nexthop")
        else:
            raise invarg("", word)
    ip.do(ops.SetNexthop(netns=ip.ns.id, replace=replace, **got))


def wanted_id(words: Words) -> int:
    wanted = 0
    while words.more:
        word = words.take()
        if word != "id":
            raise invarg("", word)
        wanted = number(words.value(), "invalid id value")
    if not wanted:
        raise Fail("Error: Nexthop id is missing.", 2)
    return wanted


def get(ip: Ip, words: Words) -> None:
    wanted = wanted_id(words)
    row = ip.ns.nexthops.get(wanted)
    if row is None:
        raise Fail("RTNETLINK answers: No such file or directory", 2)
    emit(ip, row)


def emit(ip: Ip, row: NexthopObject) -> None:
    down = row.hop is not None and linkdown(ip.net, ip.ns, row.hop.oif)
    ip.emit(nexthop_text.to_text(ip.ns, row, down=down) + " ", nexthop_text.to_json(ip.ns, row, down=down))


def chosen(ip: Ip, words: Words) -> list[NexthopObject]:
    """The objects that a listing or a flush asks for, by id."""
    device = 0
    id = 0
    proto = ""
    groups = False
    while words.more:
        word = words.take()
        if word == "dev":
            device = ip.ns.names[known_device(ip, words.value())]
        elif matches(word, "groups"):
            groups = True
        elif word == "id":
            value = words.value()
            id = plain_number(value) or 0
            if not id:
                raise invarg("invalid id value", value)
        elif matches(word, "protocol"):
            value = words.value()
            wanted = plain_number(value, 255)
            if wanted is None:
                raise invarg("invalid protocol value", value)
            proto = proto_name(value) or ""
        elif word in ("vrf", "master", "fdb"):
            raise NotModelled(f"ip nexthop show {word}")
        elif matches(word, "help"):
            raise ip_usage.usage("nexthop")
        else:
            raise invarg("", word)
    return [
        row
        for _, row in sorted(ip.ns.nexthops.items())
        if (not device or (row.hop is not None and row.hop.oif == device))
        and (not groups or row.group)
        and (not id or row.id == id)
        and (not proto or row.proto == proto)
    ]


def show(ip: Ip, words: Words) -> None:
    if words.rest[:1] == ["id"]:
        return get(ip, words)
    rows = chosen(ip, words)
    ip.dumped = True
    for row in rows:
        emit(ip, row)


def flush(ip: Ip, words: Words) -> None:
    rows = chosen(ip, words)
    if not rows:
        print_line(ip, "Nothing to flush")
        return
    for row in rows:
        if row.id in ip.ns.nexthops:
            ip.do(ops.DelNexthop(netns=ip.ns.id, id=row.id))
    print_line(ip, f"Flushed {len(rows)} nexthops")


def print_line(ip: Ip, line: str) -> None:
    """printf, whatever the form of the listing."""
    ip.lines.append(line)

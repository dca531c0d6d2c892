"""A nexthop object as `ip nexthop` prints it, and back. Source: iproute2 6.1 ip/ipnexthop.c."""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import ip4, text4
from engine.linux.fib import SCOPES, Nexthop, NexthopObject
from engine.linux.net import Netns
from engine.linux.text.route import NO_DEVICE, device_name, plain_number, proto_name
from engine.say import Phrase

NOT_A_NEXTHOP = Phrase(
    en="{found!r} is not a nexthop as ip nexthop prints it",
    ko="{found!r}은(는) ip nexthop이 출력하는 형식이 아닙니다",
)


def to_text(ns: Netns, row: NexthopObject, *, down: bool = False) -> str:
    """`id 1 via 10.0.0.2 dev eth0 scope link`; `down` adds linkdown. No trailing space."""
    words = ["id", str(row.id)]
    if row.group:
        words += ["group", group_text(row.group)]
    if row.hop is not None:
        words += ["via", text4(row.hop.gateway)] if row.hop.gateway else []
        words += ["dev", device_name(ns, row.hop.oif)]
    if row.scope != "global":
        words += ["scope", row.scope]
    if row.blackhole:
        words.append("blackhole")
    if row.proto != "unspec":
        words += ["proto", row.proto]
    if row.hop is not None and row.hop.onlink:
        words.append("onlink")
    return " ".join([*words, *(["linkdown"] if down else [])])


def group_text(group: tuple[tuple[int, int], ...]) -> str:
    """`1,2/3`: ids, each with its weight when that is not 1."""
    return "/".join(f"{id},{weight}" if weight > 1 else str(id) for id, weight in group)


def read_group(word: str) -> tuple[tuple[int, int], ...] | tuple[str, str]:
    """The members of `1,2/3`; else (what ip says, of which word)."""
    out = []
    for part in word.split("/"):
        id, comma, weight = part.partition(",")
        number = plain_number(id)
        if number is None:
            return '"group" value is invalid\n', id
        share = plain_number(weight) if comma else 1
        if share is None or not 1 <= share <= 256:
            return '"weight" is invalid\n', weight
        out.append((number, share))
    return tuple(out)


def to_json(ns: Netns, row: NexthopObject, *, down: bool = False) -> dict[str, Any]:
    """The object of `ip -j nexthop`."""
    out: dict[str, Any] = {"id": row.id}
    if row.group:
        out["group"] = [{"id": id, **({"weight": weight} if weight > 1 else {})} for id, weight in row.group]
    if row.hop is not None:
        if row.hop.gateway:
            out["gateway"] = text4(row.hop.gateway)
        out["dev"] = device_name(ns, row.hop.oif)
    if row.scope != "global":
        out["scope"] = row.scope
    if row.blackhole:
        out["blackhole"] = None
    if row.proto != "unspec":
        out["protocol"] = row.proto
    flags = (("onlink", row.hop is not None and row.hop.onlink), ("linkdown", down))
    out["flags"] = [word for word, on in flags if on]
    return out


def parse(ns: Netns, text: str, where: str = "") -> NexthopObject:
    """One line of `ip nexthop` -> row. Raises InputError, NotModelled."""
    bad = InputError([Problem(where=where, said=NOT_A_NEXTHOP(found=text))])
    words = text.split()
    got: dict[str, Any] = {}
    hop: dict[str, Any] = {}
    while words:
        key = words.pop(0)
        if key == "blackhole":
            got["blackhole"] = True
            continue
        if key in ("onlink", "linkdown"):
            if key == "onlink":
                hop["onlink"] = True
            continue
        if not words:
            raise bad
        value = words.pop(0)
        if key == "id":
            got["id"] = plain_number(value)
        elif key == "group":
            group = read_group(value)
            if isinstance(group[0], str):
                raise bad
            got["group"] = group
        elif key == "via":
            hop["gateway"] = ip4(value, where)
        elif key == "dev":
            link = ns.link(value)
            if link is None:
                raise InputError([Problem(where=where, said=NO_DEVICE(name=value))])
            hop["oif"] = link.ifindex
        elif key == "scope" and value in SCOPES:
            got["scope"] = value
        elif key == "proto":
            got["proto"] = proto_name(value)
        else:
            raise NotModelled(f"{key} in ip nexthop")
    kinds = bool(hop) + bool(got.get("blackhole")) + bool(got.get("group"))
    if not got.get("id") or kinds != 1 or got.get("proto", "") is None or (hop and "oif" not in hop):
        raise bad
    return NexthopObject(**got, hop=Nexthop(**hop) if hop else None)

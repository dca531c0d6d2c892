"""An address as `ip addr` prints it, and back. Source: iproute2 6.1 ip/ipaddress.c (print_addrinfo)."""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.fib import SCOPES
from engine.linux.rows import Address
from engine.say import Phrase

LIFETIME = "       valid_lft forever preferred_lft forever"
FOREVER = 4294967295
NOT_AN_ADDRESS = Phrase(
    en="{found!r} is not an address as ip addr prints it",
    ko="{found!r}은(는) ip addr가 출력하는 주소 형식이 아닙니다",
)


def to_text(row: Address) -> str:
    """`inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0`."""
    words = ["inet", f"{text4(row.addr)}/{row.length}"]
    if row.broadcast:
        words += ["brd", text4(row.broadcast)]
    words += ["scope", row.scope]
    if row.secondary:
        words.append("secondary")
    if row.noprefixroute:
        words.append("noprefixroute")
    return " ".join([*words, row.label])


def brief(row: Address) -> str:
    """`10.0.0.1/24`, as `ip -br addr` prints it."""
    return f"{text4(row.addr)}/{row.length}"


def to_json(row: Address, *, brief: bool = False) -> dict[str, Any]:
    """One object of `addr_info` in `ip -j addr`."""
    if brief:
        return {"local": text4(row.addr), "prefixlen": row.length}
    out: dict[str, Any] = {"family": "inet", "local": text4(row.addr), "prefixlen": row.length}
    if row.broadcast:
        out["broadcast"] = text4(row.broadcast)
    out["scope"] = row.scope
    if row.secondary:
        out["secondary"] = True
    if row.noprefixroute:
        out["noprefixroute"] = True
    return {**out, "label": row.label, "valid_life_time": FOREVER, "preferred_life_time": FOREVER}


def parse(text: str, *, ifindex: int = 0, where: str = "") -> Address:
    """The `inet` line -> row. Raises InputError, NotModelled (peer addresses, lifetimes, IPv6)."""
    bad = InputError([Problem(where=where, said=NOT_AN_ADDRESS(found=text))])
    words = text.split()
    if words[:1] == ["inet6"]:
        raise NotModelled("inet6")
    if len(words) < 5 or words[0] != "inet":
        raise bad
    prefix = Prefix.parse(words[1], where, host_bits=True)
    got: dict[str, Any] = {}
    label = words.pop()
    rest = words[2:]
    while rest:
        key = rest.pop(0)
        if key in ("secondary", "noprefixroute"):
            got[key] = True
        elif key == "brd" and rest:
            got["broadcast"] = ip4(rest.pop(0), where)
        elif key == "scope" and rest:
            if rest[0] not in SCOPES:
                raise NotModelled(f"scope {rest[0]} of an address")
            got["scope"] = rest.pop(0)
        elif key in ("peer", "dynamic", "deprecated", "tentative", "metric"):
            raise NotModelled(f"{key} in ip addr")
        else:
            raise bad
    return Address(ifindex=ifindex, addr=prefix.addr, length=prefix.length, label=label, **got)

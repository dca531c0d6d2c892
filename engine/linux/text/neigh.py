"""A neighbour as `ip neigh` prints it, and back. Source: iproute2 6.1 ip/ipneigh.c."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import ip4, mac, mac_text, text4
from engine.linux.net import Netns
from engine.linux.rows import NUD, Neighbour
from engine.say import Phrase

NOT_A_NEIGHBOUR = Phrase(
    en="{found!r} is not an entry as ip neigh prints it",
    ko="{found!r}은(는) ip neigh가 출력하는 항목 형식이 아닙니다",
)
NO_DEVICE = Phrase(en="there is no device {name!r} here", ko="{name!r}(이)라는 장치가 없습니다")


def device_name(ns: Netns, ifindex: int) -> str:
    link = ns.links.get(ifindex)
    return link.name if link is not None else f"if{ifindex}"


def to_text(ns: Netns, row: Neighbour, *, hide: Collection[str] = ()) -> str:
    """`10.0.0.2 dev eth0 lladdr 02:.. REACHABLE`; `hide` may hold dev. No trailing space."""
    words = [text4(row.ip)]
    if "dev" not in hide:
        words += ["dev", device_name(ns, row.ifindex)]
    if row.mac:
        words += ["lladdr", mac_text(row.mac)]
    return " ".join([*words, row.state])


def proxy_text(ns: Netns, key: tuple[int, int], *, hide: Collection[str] = ()) -> str:
    """`10.0.0.9 dev eth0 proxy`: an address that this machine answers for. `key` is (ifindex, address)."""
    words = [text4(key[1])]
    if "dev" not in hide:
        words += ["dev", device_name(ns, key[0])]
    return " ".join([*words, "proxy"])


def proxy_json(ns: Netns, key: tuple[int, int], *, hide: Collection[str] = ()) -> dict[str, Any]:
    """The object of `ip -j neigh show proxy`."""
    out: dict[str, Any] = {"dst": text4(key[1])}
    if "dev" not in hide:
        out["dev"] = device_name(ns, key[0])
    return {**out, "proxy": None}


def parse_proxy(ns: Netns, text: str, where: str = "") -> tuple[int, int]:
    """One line of `ip neigh show proxy` -> (ifindex, address). Raises InputError."""
    words = text.split()
    if len(words) != 4 or words[1] != "dev" or words[3] != "proxy":
        raise InputError([Problem(where=where, said=NOT_A_NEIGHBOUR(found=text))])
    link = ns.link(words[2])
    if link is None:
        raise InputError([Problem(where=where, said=NO_DEVICE(name=words[2]))])
    return link.ifindex, ip4(words[0], where)


def to_brief(ns: Netns, row: Neighbour, *, hide: Collection[str] = ()) -> str:
    """The line of `ip -br neigh`."""
    out = f"{text4(row.ip):<39} "
    if "dev" not in hide:
        out += f"{device_name(ns, row.ifindex):<16} "
    return out + (mac_text(row.mac) if row.mac else "")


def to_json(ns: Netns, row: Neighbour, *, hide: Collection[str] = (), brief: bool = False) -> dict[str, Any]:
    """The object of `ip -j neigh`."""
    out: dict[str, Any] = {"dst": text4(row.ip)}
    if "dev" not in hide:
        out["dev"] = device_name(ns, row.ifindex)
    if row.mac:
        out["lladdr"] = mac_text(row.mac)
    if not brief:
        out["state"] = [row.state]
    return out


def parse(ns: Netns, text: str, *, device: str = "", where: str = "") -> Neighbour:
    """One line of `ip neigh` -> row; `device` when the line does not name one. Raises InputError, NotModelled."""
    bad = InputError([Problem(where=where, said=NOT_A_NEIGHBOUR(found=text))])
    words = text.split()
    if len(words) < 2 or words[-1] not in NUD:
        raise bad
    state = words.pop()
    got: dict[str, str] = {"dev": device}
    address = ip4(words.pop(0), where)
    while words:
        key = words.pop(0)
        if key not in ("dev", "lladdr"):
            raise NotModelled(f"{key} in ip neigh")
        if not words:
            raise bad
        got[key] = words.pop(0)
    link = ns.link(got["dev"])
    if link is None:
        raise InputError([Problem(where=where, said=NO_DEVICE(name=got["dev"]))])
    hw = mac(got["lladdr"], where) if "lladdr" in got else 0
    return Neighbour(ifindex=link.ifindex, ip=address, mac=hw, state=state)

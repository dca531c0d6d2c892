"""A forwarding entry as `bridge fdb` prints it, and back. Source: iproute2 6.1 bridge/fdb.c.

Rules. Rows with `self` are a device's own: the entries of a VXLAN device (`remote_text`, one line a remote), and the
multicast list that `multicast_macs` derives as the kernel joins it: all hosts while up, and for a bridge the group of
all snoopers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import ip4, mac, mac_text, text4
from engine.linux.net import Netns
from engine.linux.rows import FdbEntry, Link, Remote, VxlanFdb
from engine.linux.text.neigh import NO_DEVICE, device_name
from engine.say import Phrase

NOT_AN_ENTRY = Phrase(
    en="{found!r} is not an entry as bridge fdb prints it",
    ko="{found!r}은(는) bridge fdb가 출력하는 항목 형식이 아닙니다",
)


def state(row: FdbEntry) -> str:
    return "permanent" if row.local else "static" if row.static else ""


def to_text(ns: Netns, row: FdbEntry, *, hide: Collection[str] = ()) -> str:
    """`02:.. dev veth0 master br0 permanent`; a learned entry ends with a space, as the tool prints it."""
    dev = "" if "dev" in hide else f"dev {device_name(ns, row.ifindex)} "
    return f"{mac_text(row.mac)} {dev}master {device_name(ns, row.bridge)} {state(row)}"


def to_json(ns: Netns, row: FdbEntry, *, hide: Collection[str] = ()) -> dict[str, Any]:
    """The object of `bridge -j fdb`."""
    out: dict[str, Any] = {"mac": mac_text(row.mac)}
    if "dev" not in hide:
        out["ifname"] = device_name(ns, row.ifindex)
    return {**out, "flags": [], "master": device_name(ns, row.bridge), "state": state(row)}


def own_state(row: VxlanFdb) -> str:
    return "permanent" if row.permanent else "static" if row.static else ""


def remote_words(ns: Netns, row: VxlanFdb, remote: Remote) -> dict[str, Any]:
    """What a line says of one remote, in the tool's order; keys are those of the JSON form."""
    out: dict[str, Any] = {}
    if remote.dst:
        out["dst"] = text4(remote.dst)
    if remote.port:
        out["port"] = remote.port
    if remote.vni:
        out["vni"] = remote.vni
    if row.vni:
        out["src_vni"] = row.vni
    if remote.via:
        out["viaIf"] = device_name(ns, remote.via)
    return out


def remote_text(ns: Netns, row: VxlanFdb, remote: Remote, *, hide: Collection[str] = ()) -> str:
    """`02:.. dev flannel.1 dst 192.168.50.12 self permanent`: one line for each remote."""
    dev = "" if "dev" in hide else f"dev {device_name(ns, row.ifindex)} "
    words = "".join(
        f"{'via' if key == 'viaIf' else key} {value} " for key, value in remote_words(ns, row, remote).items()
    )
    return f"{mac_text(row.mac)} {dev}{words}self {own_state(row)}"


def remote_json(ns: Netns, row: VxlanFdb, remote: Remote, *, hide: Collection[str] = ()) -> dict[str, Any]:
    """The object of `bridge -j fdb` for one remote."""
    out: dict[str, Any] = {"mac": mac_text(row.mac)}
    if "dev" not in hide:
        out["ifname"] = device_name(ns, row.ifindex)
    return {**out, **remote_words(ns, row, remote), "flags": ["self"], "state": own_state(row)}


def parse_remote(ns: Netns, text: str, *, device: str = "", where: str = "") -> VxlanFdb | None:
    """One line of a VXLAN device's own entries -> a row with one remote; None for another kind of line."""
    words = text.split()
    if "self" not in words or len(words) < 2:
        return None
    hw = mac(words.pop(0), where)
    got = {"dev": device, "dst": "", "port": "0", "vni": "0", "src_vni": "0", "via": ""}
    flags: set[str] = set()
    while words:
        key = words.pop(0)
        if key in ("self", "permanent", "static"):
            flags.add(key)
        elif key in got and words:
            got[key] = words.pop(0)
        else:
            raise NotModelled(f"{key} in bridge fdb")
    link = ns.link(got["dev"])
    if link is None:
        raise InputError([Problem(where=where, said=NO_DEVICE(name=got["dev"]))])
    if link.kind != "vxlan":
        return None
    below = ns.link(got["via"]) if got["via"] else None
    remote = Remote(
        dst=ip4(got["dst"]) if got["dst"] else 0, port=int(got["port"]), vni=int(got["vni"]),
        via=below.ifindex if below is not None else 0,
    )  # fmt: skip
    return VxlanFdb(
        ifindex=link.ifindex, mac=hw, remotes=(remote,), permanent="permanent" in flags, static="static" in flags,
        vni=int(got["src_vni"]),
    )  # fmt: skip


def multicast_macs(link: Link) -> Iterator[str]:
    """The multicast addresses that a device listens to, in the kernel's order. Below 1280 bytes there is no IPv6."""
    if link.kind == "loopback" or link.headerless:
        return
    if link.mtu >= 1280:
        yield "33:33:00:00:00:01"
    if link.up:
        if link.kind == "bridge":
            yield "01:00:5e:00:00:6a"
            if link.mtu >= 1280:
                yield "33:33:00:00:00:6a"
        yield "01:00:5e:00:00:01"


def parse(ns: Netns, text: str, *, device: str = "", where: str = "") -> FdbEntry | None:
    """One line of `bridge fdb` -> row; None for a line with `self`, which is no bridge's entry. `device` when the line
    names none. Raises InputError, NotModelled."""
    bad = InputError([Problem(where=where, said=NOT_AN_ENTRY(found=text))])
    words = text.split()
    if not words:
        raise bad
    hw = mac(words.pop(0), where)
    got = {"dev": device, "master": ""}
    kind = ""
    own = False
    while words:
        key = words.pop(0)
        if key in ("permanent", "static"):
            kind = key
        elif key == "self":
            own = True
        elif key in got and words:
            got[key] = words.pop(0)
        elif key in ("vlan", "dst", "vni", "via", "extern_learn", "offload", "sticky", "router"):
            raise NotModelled(f"{key} in bridge fdb")
        else:
            raise bad
    if own:
        return None
    port, bridge = ns.link(got["dev"]), ns.link(got["master"])
    for name, link in ((got["dev"], port), (got["master"], bridge)):
        if link is None:
            raise InputError([Problem(where=where, said=NO_DEVICE(name=name))])
    if port is None or bridge is None:
        raise bad
    return FdbEntry(
        bridge=bridge.ifindex,
        ifindex=port.ifindex,
        mac=hw,
        local=kind == "permanent",
        static=kind == "static",
    )

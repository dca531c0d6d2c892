"""Devices with a kind of their own as commands for the real kernel: vxlan, macvlan, tun and the like.

Rules. A part of `plan.py`: the lines are `ip -batch` lines, run inside the namespace where the device is made, and
`bridge -batch` lines for what a person put into a VXLAN device's table. What the kernel makes by itself (the entry of a
default remote, learned entries) is not planned.
"""

from __future__ import annotations

from engine.linux.addr import mac_text, text4
from engine.linux.linkinfo import Geneve, Ipip, Ipvlan, Macvlan, Tun, Vxlan, WireGuard
from engine.linux.net import Net, Netns
from engine.linux.ops.devicecommands import info_words
from engine.linux.rows import Link


def home_id(ns: Netns, link: Link) -> str:
    """The namespace in which the command must run."""
    return link.lower[0] if link.lower is not None else ns.id


def device_lines(net: Net, ns: Netns, names: dict[str, str]) -> list[str]:
    """The lines that make the devices whose home is this namespace, those below first."""
    lines: list[str] = []
    for space in net.spaces.values():
        for index in sorted(space.links):
            link = space.links[index]
            if link.info is not None and home_id(space, link) == ns.id:
                lines += device_line(net, space, link, names)
    return lines


def device_line(net: Net, ns: Netns, link: Link, names: dict[str, str]) -> list[str]:
    info = link.info
    if isinstance(info, Tun):
        return [f"tuntap add dev {link.name} mode {info.mode}"]
    if isinstance(info, Ipip) and info.fallback:
        return []
    below = ""
    if link.lower is not None and link.lower[1]:
        below = net.spaces[link.lower[0]].links[link.lower[1]].name
    mac = "" if link.headerless or isinstance(info, Ipvlan) else f" address {mac_text(link.mac)}"
    under = f" link {below}" if isinstance(info, Macvlan | Ipvlan) else ""
    where = f" netns {names[ns.id]}" if home_id(ns, link) != ns.id else ""
    assert isinstance(info, Vxlan | Geneve | Ipip | WireGuard | Macvlan | Ipvlan)
    words = " ".join(info_words(info, "" if under else below))
    return [f"link add{under} name {link.name}{where} index {link.ifindex}{mac} mtu {link.mtu} type {words}"]


def table_lines(ns: Netns) -> list[str]:
    """What stands in the tables of VXLAN devices by hand, as lines of `bridge -batch`."""
    lines: list[str] = []
    for row in ns.vxlan_fdb.values():
        link = ns.links[row.ifindex]
        info = link.info
        if not row.fixed or not isinstance(info, Vxlan):
            continue
        state = "permanent" if row.permanent else "static"
        for remote in row.remotes:
            if not row.mac and remote.dst == info.remote:
                continue
            words = f"fdb append {mac_text(row.mac)} dev {link.name} dst {text4(remote.dst)}"
            words += f" port {remote.port}" if remote.port else ""
            words += f" vni {remote.vni}" if remote.vni else ""
            words += f" src_vni {row.vni}" if row.vni else ""
            words += f" via {ns.links[remote.via].name}" if remote.via else ""
            lines.append(f"{words} self {state}")
    return lines

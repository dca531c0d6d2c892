"""The books that a kernel keeps about its tunnels: whose socket takes which packets, and what lies on which device.

Rules. Called by the ops on links, never by anybody else. A tunnel's socket lives in the namespace where the device was
made (`Link.lower`), and is open while the device is up. Sources: drivers/net/vxlan/vxlan_core.c (vxlan_sock_add),
drivers/net/geneve.c, drivers/net/wireguard/socket.c, net/ipv4/ip_tunnel.c.
"""

from __future__ import annotations

import hashlib

from engine.errors import OpError
from engine.linux.linkinfo import Geneve, Ipip, Vxlan, WireGuard
from engine.linux.net import Net, Netns
from engine.linux.rows import Link
from engine.record import replace

IN_USE = "RTNETLINK answers: Address already in use"


def home_of(net: Net, ns: Netns, link: Link) -> Netns:
    """The namespace in which the device was made."""
    return net.spaces.get(link.lower[0], ns) if link.lower is not None else ns


def socket_key(link: Link) -> tuple[int, int] | None:
    """(IP protocol, UDP port) that a device listens on while it is up; None: it is no tunnel."""
    info = link.info
    if isinstance(info, Vxlan | Geneve | WireGuard):
        return 17, info.port
    return (4, 0) if isinstance(info, Ipip) else None


def check_open(net: Net, ns: Netns, link: Link) -> None:
    """May the device's socket be opened? Devices of one kind share a port, an external one shares with nobody but
    its like."""
    key = socket_key(link)
    if key is None or key[0] != 17:
        return
    home = home_of(net, ns, link)
    for id, index in home.tunnels.get(key, ()):
        other = net.spaces[id].links[index]
        if (id, index) == (ns.id, link.ifindex):
            continue
        shared = (
            other.kind == link.kind
            and link.kind != "wireguard"
            and getattr(other.info, "external", False) == getattr(link.info, "external", False)
        )
        if not shared:
            raise OpError("EADDRINUSE", IN_USE)
    if any(s.proto == "udp" and s.port == key[1] for s in home.sockets):
        raise OpError("EADDRINUSE", IN_USE)


def open_sockets(net: Net, ns: Netns, link: Link) -> None:
    """The device came up."""
    key = socket_key(link)
    if key is None:
        return
    home = home_of(net, ns, link)
    if isinstance(link.info, WireGuard) and not link.info.port:
        port = chosen_port(home, link.name)
        link = ns.links[link.ifindex] = replace(link, info=replace(link.info, port=port))
        key = (17, port)
    mine = (ns.id, link.ifindex)
    if mine not in home.tunnels.get(key, ()):
        home.tunnels[key] = (*home.tunnels.get(key, ()), mine)


def chosen_port(ns: Netns, name: str) -> int:
    """The port of a WireGuard device that was given none: out of the host's range, the same for the same name."""
    low, high = (int(x) for x in ns.sysctl("net.ipv4.ip_local_port_range").split())
    raw = hashlib.blake2b(f"{ns.id}/{name}".encode(), digest_size=4).digest()
    return low + int.from_bytes(raw) % (high - low + 1)


def close_sockets(net: Net, ns: Netns, link: Link) -> None:
    """The device went down: its socket closes, what it had learned and its sessions are forgotten (vxlan_stop,
    wg_stop)."""
    key = socket_key(link)
    if key is None:
        return
    home = home_of(net, ns, link)
    left = tuple(one for one in home.tunnels.get(key, ()) if one != (ns.id, link.ifindex))
    if left:
        home.tunnels[key] = left
    else:
        home.tunnels.pop(key, None)
    for place, entry in list(ns.vxlan_fdb.items()):
        if place[0] == link.ifindex and not entry.fixed:
            del ns.vxlan_fdb[place]
    for session in [one for one in ns.wg_sessions if one[0] == link.ifindex]:
        del ns.wg_sessions[session]


def forget_entries(ns: Netns, ifindex: int) -> None:
    """The device is gone: so is its forwarding table."""
    for key in [one for one in ns.vxlan_fdb if one[0] == ifindex]:
        del ns.vxlan_fdb[key]


def put_above(net: Net, ns: Netns, link: Link) -> None:
    """Note a macvlan or ipvlan with the device below it."""
    if link.lower is None:
        return
    below = net.spaces[link.lower[0]]
    below.uppers[link.lower[1]] = (*below.uppers.get(link.lower[1], ()), (ns.id, link.ifindex))


def take_from_above(net: Net, ns: Netns, link: Link) -> None:
    if link.lower is None or link.lower[0] not in net.spaces:
        return
    below = net.spaces[link.lower[0]]
    left = tuple(one for one in below.uppers.get(link.lower[1], ()) if one != (ns.id, link.ifindex))
    if left:
        below.uppers[link.lower[1]] = left
    else:
        below.uppers.pop(link.lower[1], None)

"""Ops on links: adding, removing, raising, moving and enslaving devices (man ip-link).

Rules. Every check comes before the first change, so that a refused op leaves the rows alone. What follows from a
change stands in `linkstate.py`; devices with an `info` of their own (tunnels, macvlan ...) are made in `device.py`.
Measured on Linux 6.18; the sources are net/core/rtnetlink.c, drivers/net/veth.c, net/bridge/br_if.c.
"""

from __future__ import annotations

import hashlib

from engine.errors import NotModelled, OpError
from engine.linux.linkinfo import Ipip, Ipvlan, Macvlan, Vxlan
from engine.linux.net import Net, Netns
from engine.linux.ops.address import AddAddress, DelAddress, need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.linkstate import (
    move,
    name_space,
    new_index,
    react,
    remove_link,
    rename,
    set_link_down,
    set_link_up,
    set_mac,
    set_master,
    set_mtu,
    watch,
)
from engine.linux.ops.neigh import DelNeighbour, SetFdb, SetNeighbour
from engine.linux.ops.ports import put, settle_bridge
from engine.linux.ops.tunnels import check_open, close_sockets, open_sockets
from engine.linux.rows import Link, Port
from engine.record import dataclass, replace

__all__ = [
    "AddAddress", "AddLink", "AddVeth", "DelAddress", "DelLink", "DelNeighbour", "SetFdb", "SetLink", "SetNeighbour",
    "make_mac", "remove_link", "set_link_up",
]  # fmt: skip

EXISTS = "RTNETLINK answers: File exists"
NOT_SUPPORTED = "RTNETLINK answers: Operation not supported"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLink(Op):
    """`ip link add NAME type KIND` (bridge, dummy, ifb, or physical with its `peer` port, which only the fabric makes).
    `mac` 0 = one made from the namespace and the name, always the same for the same lab. `peer` may be there already
    or come later: whoever comes second closes the cable."""

    netns: str
    name: str
    kind: str
    mac: int = 0
    mtu: int = 1500
    peer: Port | None = None
    txqlen: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AddVeth(Op):
    """`ip link add NAME type veth peer name PEER [netns N]`. `peer_mtu` 0 = the same as `mtu`."""

    netns: str
    name: str
    peer_netns: str
    peer_name: str
    mac: int = 0
    peer_mac: int = 0
    mtu: int = 1500
    peer_mtu: int = 0
    txqlen: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DelLink(Op):
    netns: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink(Op):
    """`ip link set NAME ...`: every field that is not None is changed. `master` "" = nomaster; `netns_to` moves it."""

    netns: str
    name: str
    up: bool | None = None
    mtu: int | None = None
    mac: int | None = None
    master: str | None = None
    new_name: str | None = None
    netns_to: str | None = None
    hairpin: bool | None = None
    isolated: bool | None = None
    learning: bool | None = None
    flood: bool | None = None
    mcast_flood: bool | None = None
    bcast_flood: bool | None = None
    neigh_suppress: bool | None = None
    promisc: bool | None = None
    ageing: int | None = None
    txqlen: int | None = None


PORT_FLAGS = (
    "hairpin", "isolated", "learning", "flood", "mcast_flood", "bcast_flood", "neigh_suppress",
)  # fmt: skip


def make_mac(netns_id: str, name: str) -> int:
    """A locally administered unicast MAC that is always the same for the same namespace and device name."""
    raw = bytearray(hashlib.blake2b(f"{netns_id}/{name}".encode(), digest_size=6).digest())
    raw[0] = raw[0] & 0xFC | 2
    return int.from_bytes(raw)


def valid_name(name: str) -> bool:
    """`dev_valid_name` of the kernel."""
    return (
        1 <= len(name.encode()) <= 15
        and name not in (".", "..")
        and not any(c in "/:" or c.isspace() for c in name)
    )


def check_name(ns: Netns, name: str) -> None:
    if not valid_name(name):
        raise OpError("EINVAL", f'Error: argument "{name}" is wrong: "name" not a valid ifname')
    if name in ns.names:
        raise OpError("EEXIST", EXISTS)


def check_mac(mac: int) -> None:
    if mac >> 40 & 1 or not mac:
        raise OpError("EADDRNOTAVAIL", "RTNETLINK answers: Cannot assign requested address")


def check_mtu(kind: str, mtu: int) -> None:
    if kind == "loopback":
        if mtu < 68:
            raise NotModelled("an MTU below 68 on lo (IPv4 ends there)")
        return
    if mtu < 68:
        raise OpError("EINVAL", "Error: mtu less than device minimum.")
    if mtu > 65535:
        raise OpError("EINVAL", "Error: mtu greater than device maximum.")


@handles(AddLink)
def _add_link(net: Net, op: AddLink) -> None:
    ns = net.spaces[op.netns]
    check_name(ns, op.name)
    check_mtu(op.kind, op.mtu)
    if op.kind not in ("bridge", "dummy", "physical", "ifb"):
        raise OpError("EOPNOTSUPP", "Error: Unknown device type.")
    if op.mac:
        check_mac(op.mac)
    other = net.spaces[op.peer[0]].links.get(op.peer[1]) if op.peer and op.peer[0] in net.spaces else None
    if other is not None and other.peer is not None:
        raise OpError("EBUSY", f"{op.peer} has a cable already")
    index = new_index(ns)
    by_hand = op.kind == "bridge" and bool(op.mac)
    put(ns, Link(
        ifindex=index, name=op.name, kind=op.kind, mac=op.mac or make_mac(op.netns, op.name), mtu=op.mtu,
        peer=op.peer, mac_set=by_hand, selected=by_hand, txqlen=op.txqlen,
    ))  # fmt: skip
    if other is not None and op.peer is not None:
        put(net.spaces[op.peer[0]], replace(other, peer=(op.netns, index)))
    if op.kind == "bridge":
        settle_bridge(ns, index, index)


@handles(AddVeth)
def _add_veth(net: Net, op: AddVeth) -> None:
    ns, there = net.spaces[op.netns], net.spaces[op.peer_netns]
    check_name(there, op.peer_name)
    check_name(ns, op.name)
    if ns is there and op.name == op.peer_name:
        raise OpError("EEXIST", EXISTS)
    for mac in (op.mac, op.peer_mac):
        if mac:
            check_mac(mac)
    peer_mtu = op.peer_mtu or op.mtu
    for mtu in (op.mtu, peer_mtu):
        check_mtu("veth", mtu)
    # The peer is registered first and so gets the lower index.
    theirs = new_index(there)
    ours = new_index(ns)
    put(there, Link(
        ifindex=theirs, name=op.peer_name, kind="veth", mac=op.peer_mac or make_mac(op.peer_netns, op.peer_name),
        mtu=peer_mtu, peer=(op.netns, ours), txqlen=op.txqlen,
    ))  # fmt: skip
    put(ns, Link(
        ifindex=ours, name=op.name, kind="veth", mac=op.mac or make_mac(op.netns, op.name), mtu=op.mtu,
        peer=(op.peer_netns, theirs), txqlen=op.txqlen,
    ))  # fmt: skip
    name_space(net, op.netns, op.peer_netns)
    name_space(net, op.peer_netns, op.netns)


@handles(DelLink)
def _del_link(net: Net, op: DelLink) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.name)
    if link.kind in ("loopback", "physical"):
        raise OpError("EOPNOTSUPP", NOT_SUPPORTED)
    if isinstance(link.info, Ipip) and link.info.fallback:
        return  # ip_tunnel_dellink leaves it, and says nothing
    remove_link(net, ns, link)


@handles(SetLink)
def _set_link(net: Net, op: SetLink) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.name)
    check_set(net, ns, link, op)
    if op.netns_to is not None and op.netns_to != op.netns:
        ns, link = move(net, ns, link, op.netns_to, op.new_name)
    if op.mac is not None:
        set_mac(net, ns, link.ifindex, op.mac)
    if op.mtu is not None:
        set_mtu(net, ns, link.ifindex, op.mtu)
    if op.new_name is not None and op.new_name != link.name:
        rename(ns, ns.links[link.ifindex], op.new_name)
    if op.master is not None:
        set_master(net, ns, ns.links[link.ifindex], op.master)
    link = ns.links[link.ifindex]
    changes = {
        f: getattr(op, f) for f in (*PORT_FLAGS, "promisc", "ageing", "txqlen") if getattr(op, f) is not None
    }
    if changes:
        link = put(ns, replace(link, **changes))
    if op.up is not None and op.up != link.up:
        before = watch(net, ns, link)
        if op.up:
            set_link_up(ns, link)
            open_sockets(net, ns, ns.links[link.ifindex])
        else:
            set_link_down(ns, link)
            close_sockets(net, ns, link)
        react(net, before)
    if op.up or op.mac is not None:
        notify(net, ns, ns.links[link.ifindex])


def notify(net: Net, ns: Netns, link: Link) -> None:
    """arp_notify: a device that came up or changed its MAC tells its addresses, unasked."""
    if link.up and (ns.conf("all", "arp_notify") or ns.conf(link.name, "arp_notify")):
        from engine.linux.walk.arp import announce  # what goes over wires stands above the changes

        announce(net, ns, link)


def check_set(net: Net, ns: Netns, link: Link, op: SetLink) -> None:
    """Everything that can refuse `ip link set`, before anything is changed."""
    target = ns
    if op.netns_to is not None:
        if op.netns_to not in net.spaces:
            raise OpError("EINVAL", f'Error: argument "{op.netns_to}" is wrong: Invalid "netns" value\n')
        target = net.spaces[op.netns_to]
        if target is not ns:
            if link.kind in ("loopback", "bridge") or (isinstance(link.info, Ipip) and link.info.fallback):
                raise OpError("EINVAL", "Error: The interface netns is immutable.")
            check_name(target, op.new_name or link.name)
    if op.new_name is not None and op.new_name != link.name and target is ns:
        check_name(ns, op.new_name)
    if op.mac is not None and link.kind != "loopback":
        check_mac(op.mac)
    if op.mtu is not None:
        check_mtu(link.kind, op.mtu)
        check_lower_mtu(net, link, op.mtu)
    if op.up and not link.up and target is ns:
        check_open(net, ns, link)
    if op.master:
        master = target.link(op.master)
        if master is None:
            raise OpError("ENODEV", f'Error: argument "{op.master}" is wrong: Device does not exist\n')
        if master.kind != "bridge":
            raise OpError("EOPNOTSUPP", NOT_SUPPORTED)
        if link.kind == "bridge":
            raise OpError("ELOOP", "Error: Can not enslave a bridge to a bridge.")
        if link.kind == "loopback" or link.headerless:
            raise OpError("EINVAL", "RTNETLINK answers: Invalid argument")
        if link.ifindex in ns.uppers:
            raise OpError("EBUSY", "RTNETLINK answers: Device or resource busy")
    port = bool(op.master) if op.master is not None else bool(link.master) and target is ns
    if not port and any(getattr(op, f) is not None for f in PORT_FLAGS):
        raise OpError("EOPNOTSUPP", NOT_SUPPORTED)
    if op.ageing is not None and link.kind != "bridge":
        raise OpError("EOPNOTSUPP", NOT_SUPPORTED)


def check_lower_mtu(net: Net, link: Link, mtu: int) -> None:
    """A device on a device is no wider than that one leaves room for (macvlan_change_mtu, vxlan_change_mtu)."""
    if link.lower is None or link.lower[0] not in net.spaces:
        return
    below = net.spaces[link.lower[0]].links.get(link.lower[1])
    room = 50 if isinstance(link.info, Vxlan) else 0 if isinstance(link.info, Macvlan | Ipvlan) else None
    if below is not None and room is not None and mtu > below.mtu - room:
        raise OpError("EINVAL", "RTNETLINK answers: Invalid argument")

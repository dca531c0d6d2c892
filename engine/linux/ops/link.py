"""Ops on links: adding, removing, raising, moving and enslaving devices (man ip-link).

Rules. Every check comes before the first change, so that a refused op leaves the rows alone. What follows from a
change (routes, neighbours, a bridge's MAC and MTU, learned entries) is done here, as the kernel's notifiers do it.
Measured on Linux 6.18; the sources are net/core/rtnetlink.c, drivers/net/veth.c, net/bridge/br_if.c.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

from engine.errors import NotModelled, OpError
from engine.linux.net import Net, Netns
from engine.linux.ops.address import AddAddress, DelAddress, drop_address, insert_address, need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.kernelroutes import add_routes, down_device, up_device
from engine.linux.ops.neigh import DelNeighbour, SetFdb, SetNeighbour
from engine.linux.ops.ports import drop_port, enslave, forget_learned, put, settle_bridge
from engine.linux.rows import Address, Link, Port
from engine.linux.status import carrier, peer_of
from engine.record import dataclass

__all__ = [
    "AddAddress", "AddLink", "AddVeth", "DelAddress", "DelLink", "DelNeighbour", "SetFdb", "SetLink", "SetNeighbour",
    "make_mac", "remove_link", "set_link_up",
]  # fmt: skip

EXISTS = "RTNETLINK answers: File exists"
NOT_SUPPORTED = "RTNETLINK answers: Operation not supported"
#: qdisc of a device once it has been up; a NIC gets what Debian and Ubuntu set by default.
QDISC = {"physical": "fq_codel"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLink(Op):
    """`ip link add NAME type KIND` (bridge, dummy, or physical with its `peer` port, which only the fabric makes).
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
    promisc: bool | None = None
    ageing: int | None = None
    txqlen: int | None = None


PORT_FLAGS = ("hairpin", "isolated", "learning", "flood")


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


def new_index(ns: Netns) -> int:
    """The next free index after the last one given out, as the kernel allocates."""
    index = ns.next_ifindex
    while index in ns.links:
        index += 1
    ns.next_ifindex = index + 1
    return index


def name_space(net: Net, seen_from: str, other: str) -> None:
    """Give the other namespace its id (nsid) in this one, as the kernel does when a link first points there."""
    if seen_from == other:
        return
    ids = net.spaces[seen_from].nsids
    if other not in ids:
        taken = set(ids.values())
        ids[other] = next(i for i in range(len(taken) + 1) if i not in taken)


@handles(AddLink)
def _add_link(net: Net, op: AddLink) -> None:
    ns = net.spaces[op.netns]
    check_name(ns, op.name)
    check_mtu(op.kind, op.mtu)
    if op.kind not in ("bridge", "dummy", "physical"):
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
    remove_link(net, ns, link)


@handles(SetLink)
def _set_link(net: Net, op: SetLink) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.name)
    check_set(net, ns, link, op)
    if op.netns_to is not None and op.netns_to != op.netns:
        ns, link = move(net, ns, link, op.netns_to, op.new_name)
    if op.mac is not None:
        set_mac(ns, link.ifindex, op.mac)
    if op.mtu is not None:
        link = put(ns, replace(ns.links[link.ifindex], mtu=op.mtu, mtu_set=True))
        settle_bridge(ns, link.master)
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
        else:
            set_link_down(ns, link)
        react(net, before)


def check_set(net: Net, ns: Netns, link: Link, op: SetLink) -> None:
    """Everything that can refuse `ip link set`, before anything is changed."""
    target = ns
    if op.netns_to is not None:
        if op.netns_to not in net.spaces:
            raise OpError("EINVAL", f'Error: argument "{op.netns_to}" is wrong: Invalid "netns" value\n')
        target = net.spaces[op.netns_to]
        if target is not ns:
            if link.kind in ("loopback", "bridge"):
                raise OpError("EINVAL", "Error: The interface netns is immutable.")
            check_name(target, op.new_name or link.name)
    if op.new_name is not None and op.new_name != link.name and target is ns:
        check_name(ns, op.new_name)
    if op.mac is not None and link.kind != "loopback":
        check_mac(op.mac)
    if op.mtu is not None:
        check_mtu(link.kind, op.mtu)
    if op.master:
        master = target.link(op.master)
        if master is None:
            raise OpError("ENODEV", f'Error: argument "{op.master}" is wrong: Device does not exist\n')
        if master.kind != "bridge":
            raise OpError("EOPNOTSUPP", NOT_SUPPORTED)
        if link.kind == "bridge":
            raise OpError("ELOOP", "Error: Can not enslave a bridge to a bridge.")
        if link.kind == "loopback":
            raise OpError("EINVAL", "RTNETLINK answers: Invalid argument")
    port = bool(op.master) if op.master is not None else bool(link.master) and target is ns
    if not port and any(getattr(op, f) is not None for f in PORT_FLAGS):
        raise OpError("EOPNOTSUPP", NOT_SUPPORTED)
    if op.ageing is not None and link.kind != "bridge":
        raise OpError("EOPNOTSUPP", NOT_SUPPORTED)


def set_link_up(ns: Netns, link: Link) -> None:
    """Raise a link: addresses on it get their connected routes; lo gets 127.0.0.1/8."""
    link = put(ns, replace(link, up=True, qdisc=QDISC.get(link.kind, "noqueue")))
    for row in ns.addresses.get(link.ifindex, ()):
        add_routes(ns, link, row)
    up_device(ns, link.ifindex)
    rows = ns.addresses.get(link.ifindex, ())
    if link.kind == "loopback" and not any(a.addr == 0x7F000001 and a.length == 8 for a in rows):
        insert_address(ns, link, Address(ifindex=0, addr=0x7F000001, length=8, scope="host"))


def set_link_down(ns: Netns, link: Link) -> None:
    """Lower a link: its routes, neighbours and learned entries go; its addresses stay."""
    put(ns, replace(link, up=False))
    down_device(ns, link.ifindex)
    forget_neighbours(ns, link.ifindex)
    forget_learned(ns, link.ifindex)


def forget_neighbours(ns: Netns, ifindex: int, *, keep_permanent: bool = False) -> None:
    for key, row in list(ns.neighbours.items()):
        if key[0] == ifindex and not (keep_permanent and row.state == "PERMANENT"):
            del ns.neighbours[key]


def watch(net: Net, ns: Netns, link: Link) -> list[tuple[Netns, int]]:
    """The devices that have carrier now and may lose it by a change of `link`: it, its peer, and their bridges."""
    ends = [(ns, link)]
    other = peer_of(net, link)
    if other is not None:
        ends.append(other)
    ends += [(space, space.links[end.master]) for space, end in list(ends) if end.master in space.links]
    return [(space, end.ifindex) for space, end in ends if carrier(net, space, end)]


def react(net: Net, had: list[tuple[Netns, int]]) -> None:
    """After a change: devices that lost their carrier forget neighbours (arp_evict_nocarrier) and learned entries."""
    for space, index in had:
        link = space.links.get(index)
        if link is not None and not carrier(net, space, link):
            forget_neighbours(space, index, keep_permanent=True)
            if link.master:
                forget_learned(space, index)


def set_mac(ns: Netns, index: int, mac: int) -> None:
    link = put(ns, replace(ns.links[index], mac=mac, mac_set=ns.links[index].kind == "bridge"))
    forget_neighbours(ns, index)
    if link.kind == "bridge":
        put(ns, replace(link, selected=True))
        settle_bridge(ns, index, index)
    settle_bridge(ns, link.master, index)


def set_master(net: Net, ns: Netns, link: Link, name: str) -> None:
    """Put a device into a bridge, or take it out ("")."""
    master = ns.names[name] if name else 0
    if master == link.master:
        return
    old = link.master
    before = watch(net, ns, link)
    if old:
        drop_port(ns, link)
    if master:
        enslave(ns, ns.links[link.ifindex], ns.links[master])
    react(net, before)


def rename(ns: Netns, link: Link, name: str) -> None:
    """A new name: labels of addresses follow as the kernel writes them, and so do the device's sysctls."""
    del ns.names[link.name]
    put(ns, replace(link, name=name))
    rows: list[Address] = []
    for number, row in enumerate(ns.addresses.get(link.ifindex, ())):
        tail = ""
        if number:
            _, colon, alias = row.label.partition(":")
            tail = f":{alias}" if colon else f":{number + 1}"
        rows.append(replace(row, label=f"{name}{tail}" if len(tail) + len(name) < 16 else tail))
    if rows:
        ns.addresses[link.ifindex] = tuple(rows)
    for key, new in list(conf_keys(ns, link.name, name)):
        ns.sysctls[new] = ns.sysctls.pop(key)


def conf_keys(ns: Netns, name: str, new: str = "") -> Iterator[tuple[str, str]]:
    """Sysctls of one device that were set, with their keys under another name."""
    old_dots, new_dots = name.replace(".", "/"), new.replace(".", "/")
    for family in ("conf", "neigh"):
        head = f"net.ipv4.{family}.{old_dots}."
        for key in list(ns.sysctls):
            if key.startswith(head):
                yield key, f"net.ipv4.{family}.{new_dots}.{key[len(head) :]}"


def strip(net: Net, ns: Netns, link: Link) -> None:
    """Take away everything that hangs on a device: master, ports, addresses, routes, neighbours, entries, sysctls."""
    if link.master:
        drop_port(ns, link)
    for port in list(ns.ports(link.ifindex)):
        drop_port(ns, port)
    set_link_down(ns, ns.links[link.ifindex])
    for row in ns.addresses.get(link.ifindex, ()):
        if row in ns.addresses.get(link.ifindex, ()):
            drop_address(ns, link, row)
    down_device(ns, link.ifindex, force=True, gone=True)
    for key, entry in list(ns.fdb.items()):
        if entry.bridge == link.ifindex:
            del ns.fdb[key]
    for name, _ in list(conf_keys(ns, link.name)):
        del ns.sysctls[name]
    ns.link_stats.pop(link.ifindex, None)


def take_out(net: Net, ns: Netns, link: Link) -> None:
    """Strip a device and remove its row; what loses carrier by it reacts."""
    before = watch(net, ns, link)
    strip(net, ns, link)
    del ns.links[link.ifindex]
    del ns.names[link.name]
    react(net, before)


def remove_link(net: Net, ns: Netns, link: Link) -> None:
    """Take a link away with its addresses, routes, neighbours, ports; a veth takes its peer with it. A physical device
    cannot vanish: it goes back to its machine's root namespace, as when its namespace ends."""
    if link.kind == "physical":
        home = net.spaces.get(ns.box)
        if home is not None and home is not ns:
            free = link.name if link.name not in home.names else next(
                f"dev{n}" for n in range(len(home.names) + 1) if f"dev{n}" not in home.names
            )  # fmt: skip
            move(net, ns, link, home.id, free)
        return
    other = peer_of(net, link) if link.kind == "veth" else None
    take_out(net, ns, link)
    if other is not None:
        take_out(net, other[0], other[0].links[other[1].ifindex])


def move(net: Net, ns: Netns, link: Link, to: str, new_name: str | None) -> tuple[Netns, Link]:
    """Into another namespace: down, bare, with the same index where that is free there. Returns where it is now."""
    there = net.spaces[to]
    other = peer_of(net, link)
    before = watch(net, ns, link)
    strip(net, ns, link)
    del ns.links[link.ifindex]
    del ns.names[link.name]
    index = link.ifindex if link.ifindex not in there.links else new_index(there)
    fresh = replace(
        link, ifindex=index, name=new_name or link.name, up=False, master=0, qdisc="noop", promisc=False,
        hairpin=False, isolated=False, learning=True, flood=True,
    )  # fmt: skip
    put(there, fresh)
    name_space(net, ns.id, to)
    if other is not None:
        space, peer = other
        put(space, replace(space.links[peer.ifindex], peer=(to, index)))
        if link.kind == "veth":
            name_space(net, to, space.id)
            name_space(net, space.id, to)
    react(net, before)
    return there, fresh

"""What follows when a device goes up or down, moves, gets another name or address, or goes away.

Rules. Called by the ops on links, never by anybody else: every check has been made. What hangs on a device (routes,
neighbours, learned entries, a bridge's MAC and MTU, sockets of a tunnel, devices above it) is done here, as the
kernel's notifiers do it. Sources: net/core/dev.c, drivers/net/veth.c, drivers/net/vxlan/vxlan_core.c,
drivers/net/macvlan.c, net/bridge/br_if.c; measured on Linux 6.18.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.linkinfo import Ipvlan, Macvlan
from engine.linux.net import Net, Netns
from engine.linux.ops.address import drop_address, insert_address
from engine.linux.ops.kernelroutes import add_routes, down_device, forget_nexthops, up_device
from engine.linux.ops.ports import PORT_DEFAULTS, drop_port, enslave, forget_learned, put, settle_bridge
from engine.linux.ops.tunnels import close_sockets, forget_entries, put_above, take_from_above
from engine.linux.rows import Address, Link
from engine.linux.status import carrier, peer_of
from engine.record import replace

#: qdisc of a device once it has been up; a NIC gets what Debian and Ubuntu set by default.
QDISC = {"physical": "fq_codel", "tun": "fq_codel", "ifb": "fq_codel"}


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
    ns.conntrack.forget_masqueraded(link.ifindex)


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
    for space, end in list(ends):
        for id, index in space.uppers.get(end.ifindex, ()):
            ends.append((net.spaces[id], net.spaces[id].links[index]))
    ends += [(space, space.links[end.master]) for space, end in list(ends) if end.master in space.links]
    return [(space, end.ifindex) for space, end in ends if carrier(net, space, end)]


def react(net: Net, had: list[tuple[Netns, int]]) -> None:
    """After a change: devices that lost their carrier forget neighbours (arp_evict_nocarrier), nexthop objects and
    learned entries."""
    for space, index in had:
        link = space.links.get(index)
        if link is not None and not carrier(net, space, link):
            forget_neighbours(space, index, keep_permanent=True)
            forget_nexthops(space, index)
            if link.master:
                forget_learned(space, index)


def set_mtu(net: Net, ns: Netns, index: int, mtu: int) -> None:
    """A new MTU; a bridge above follows, and macvlans and ipvlans on it that are wider."""
    link = put(ns, replace(ns.links[index], mtu=mtu, mtu_set=True))
    settle_bridge(ns, link.master)
    for id, above in ns.uppers.get(index, ()):
        upper = net.spaces[id].links[above]
        if upper.mtu > mtu or isinstance(upper.info, Ipvlan):
            set_mtu(net, net.spaces[id], above, mtu)


def set_mac(net: Net, ns: Netns, index: int, mac: int) -> None:
    link = put(ns, replace(ns.links[index], mac=mac, mac_set=ns.links[index].kind == "bridge"))
    forget_neighbours(ns, index)
    if link.kind == "bridge":
        put(ns, replace(link, selected=True))
        settle_bridge(ns, index, index)
    settle_bridge(ns, link.master, index)
    for id, above in ns.uppers.get(index, ()):
        if isinstance(net.spaces[id].links[above].info, Ipvlan):
            set_mac(net, net.spaces[id], above, mac)


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
        ns.sysctls[new] = ns.sysctls[key]
        del ns.sysctls[key]


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
    drop_above(net, ns, link)
    set_link_down(ns, ns.links[link.ifindex])
    close_sockets(net, ns, link)
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


def drop_above(net: Net, ns: Netns, link: Link) -> None:
    """What lies on a device goes with it: macvlans, ipvlans, and VXLAN devices that were bound to it. (An ipip device
    stays, with an index that leads nowhere.)"""
    mine = (ns.id, link.ifindex)
    for space in net.spaces.values():
        for one in [x for x in space.links.values() if x.lower == mine]:
            if one.kind in ("macvlan", "ipvlan", "vxlan") and one.ifindex in space.links:
                remove_link(net, space, space.links[one.ifindex])


def take_out(net: Net, ns: Netns, link: Link) -> None:
    """Strip a device and remove its row; what loses carrier by it reacts."""
    before = watch(net, ns, link)
    strip(net, ns, link)
    forget_entries(ns, link.ifindex)
    ns.conntrack.forget_masqueraded(link.ifindex)
    take_from_above(net, ns, link)
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
        **PORT_DEFAULTS,
    )  # fmt: skip
    put(there, fresh)
    name_space(net, ns.id, to)
    if isinstance(link.info, Macvlan | Ipvlan):
        take_from_above(net, ns, link)
        put_above(net, there, fresh)
    for (old, mac, vni), entry in list(ns.vxlan_fdb.items()):
        if old == link.ifindex:
            del ns.vxlan_fdb[old, mac, vni]
            there.vxlan_fdb[index, mac, vni] = replace(entry, ifindex=index)
    if link.lower is not None and link.lower[0] in net.spaces:
        name_space(net, to, link.lower[0])
    if other is not None:
        space, peer = other
        put(space, replace(space.links[peer.ifindex], peer=(to, index)))
        if link.kind == "veth":
            name_space(net, to, space.id)
            name_space(net, space.id, to)
    react(net, before)
    return there, fresh

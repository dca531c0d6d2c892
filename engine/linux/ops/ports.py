"""Ports of bridges: what a bridge takes from its ports, and what stands in its forwarding table for them.

Rules. Called by the ops on links, never by anybody else. Source: net/bridge/br_if.c, br_fdb.c; measured on Linux 6.18.
"""

from __future__ import annotations

from typing import Any

from engine.linux.net import Netns
from engine.linux.rows import FdbEntry, Link
from engine.record import replace

#: a port's flags when nobody has set them
PORT_DEFAULTS: dict[str, Any] = {
    "hairpin": False, "isolated": False, "learning": True, "flood": True, "mcast_flood": True, "bcast_flood": True,
    "neigh_suppress": False,
}  # fmt: skip


def put(ns: Netns, link: Link) -> Link:
    """Store a row under its index and its name."""
    ns.links[link.ifindex] = link
    ns.names[link.name] = link.ifindex
    return link


def settle_bridge(ns: Netns, index: int, fresh: int = 0) -> None:
    """After its ports changed: the bridge's MAC is the lowest of theirs and its MTU the smallest, unless set by hand.
    Own addresses stand in the forwarding table: that of `fresh` (the device that is new, or has a new address) is
    put in, as is the bridge's when it changed; entries that no device answers to any more go."""
    bridge = ns.links.get(index)
    if bridge is None or bridge.kind != "bridge":
        return
    ports = list(ns.ports(index))
    if not bridge.mac_set and (ports or bridge.selected):
        bridge = replace(bridge, mac=min((p.mac for p in ports), default=0))
    if not bridge.mtu_set and (ports or bridge.selected):
        bridge = replace(bridge, mtu=min((p.mtu for p in ports), default=1500))
    changed = bridge.mac != ns.links[index].mac
    bridge = put(ns, replace(bridge, selected=bridge.selected or bool(ports)))
    own = {device.ifindex: device.mac for device in (*ports, bridge)}
    for key, row in list(ns.fdb.items()):
        if row.bridge == index and row.local and not row.static and own.get(row.ifindex) != row.mac:
            del ns.fdb[key]
    for device in [fresh] if fresh in own else []:
        own_entry(ns, index, device, own[device])
    if changed and fresh != index:
        own_entry(ns, index, index, bridge.mac)


def enslave(ns: Netns, port: Link, bridge: Link) -> None:
    """A device becomes a port. The same as `settle_bridge` would do, without a look at the other ports: a switch may
    have thousands."""
    lonely = not bridge.selected or not any(p.master == bridge.ifindex for p in ns.links.values())
    put(ns, replace(port, master=bridge.ifindex))
    mac = bridge.mac if bridge.mac_set else port.mac if lonely else min(bridge.mac, port.mac)
    mtu = bridge.mtu if bridge.mtu_set else port.mtu if lonely else min(bridge.mtu, port.mtu)
    own_entry(ns, bridge.ifindex, port.ifindex, port.mac)
    if mac != bridge.mac:
        old = ns.fdb.get((bridge.ifindex, bridge.mac))
        if old is not None and old.ifindex == bridge.ifindex and old.local and not old.static:
            del ns.fdb[(bridge.ifindex, bridge.mac)]
        own_entry(ns, bridge.ifindex, bridge.ifindex, mac)
    put(ns, replace(bridge, mac=mac, mtu=mtu, selected=True))


def own_entry(ns: Netns, bridge: int, ifindex: int, mac: int) -> None:
    """A device's own address in the forwarding table, unless another device of the bridge holds it there already."""
    held = ns.fdb.get((bridge, mac))
    if mac and (held is None or not held.local):
        ns.fdb.pop((bridge, mac), None)
        ns.fdb[(bridge, mac)] = FdbEntry(bridge=bridge, ifindex=ifindex, mac=mac, local=True)


def drop_port(ns: Netns, link: Link) -> None:
    """A port leaves its bridge: its entries go with it, its flags fall back to their defaults."""
    old = link.master
    for key, row in list(ns.fdb.items()):
        if row.ifindex == link.ifindex and row.bridge == old:
            del ns.fdb[key]
    put(ns, replace(link, master=0, **PORT_DEFAULTS))
    settle_bridge(ns, old)


def forget_learned(ns: Netns, ifindex: int) -> None:
    """Drop what a bridge learned behind this port, or altogether when `ifindex` is the bridge."""
    for key, row in list(ns.fdb.items()):
        if ifindex in (row.ifindex, row.bridge) and not (row.local or row.static):
            del ns.fdb[key]

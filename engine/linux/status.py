"""What a kernel derives from its links: carrier, operational state, flags, the other end of a device.

Rules. Nothing is stored here; everything follows from the rows, so a copy of a Net agrees by itself. The state is
the one after the kernel's link watch has run. Sources: net/core/dev.c (netif_oper_up), net/core/link_watch.c
(default_operstate), net/bridge/br_stp.c (br_port_state_selection), drivers/net/veth.c; measured on Linux 6.18.
"""

from __future__ import annotations

from engine.linux.linkinfo import Ipip, Tun
from engine.linux.net import Net, Netns
from engine.linux.rows import Link

#: kinds whose carrier nothing watches, so that they stay UNKNOWN
SILENT = ("loopback", "dummy", "ifb", "vxlan", "geneve", "ipip", "wireguard")


def peer_of(net: Net, link: Link) -> tuple[Netns, Link] | None:
    """The other end of a veth or of a cable: its namespace and its row; None when there is none."""
    if link.peer is None:
        return None
    space = net.spaces.get(link.peer[0])
    if space is None or link.peer[1] not in space.links:
        return None
    return space, space.links[link.peer[1]]


def lower_of(net: Net, link: Link) -> tuple[Netns, Link] | None:
    """The device below: its namespace and its row; None when there is none (any more)."""
    space = net.spaces.get(link.lower[0]) if link.lower is not None else None
    if space is None or link.lower is None or link.lower[1] not in space.links:
        return None
    return space, space.links[link.lower[1]]


def iflink(ns: Netns, link: Link) -> int | None:
    """The index that the kernel tells as the other end (dev_get_iflink): a veth's peer, the device below; 0 = none
    (`@NONE`); None: it tells none."""
    if link.kind == "veth" and link.peer is not None:
        return link.peer[1]
    if link.lower is None:
        return None
    if link.kind in ("macvlan", "ipvlan", "ipip"):
        return link.lower[1]
    # A tunnel that was moved tells its own index, because its home is told too.
    return link.ifindex if link.lower[0] != ns.id else None


def carrier(net: Net, ns: Netns, link: Link) -> bool:
    """IFF_LOWER_UP's base: is there a signal? A bridge has one while a port is live, or before it ever had a port."""
    if link.kind in ("veth", "physical"):
        if net.asleep is not None and link.peer is not None and link.peer[0] in net.asleep:
            return link.up  # a sleeping machine's NIC is up
        peer = peer_of(net, link)
        return link.up and peer is not None and peer[1].up
    if link.kind in ("macvlan", "ipvlan"):
        below = lower_of(net, link)
        return below is not None and below[1].up and carrier(net, *below)
    if isinstance(link.info, Tun):
        return link.info.pid != 0 or not link.up
    if link.kind == "bridge" and link.selected:
        index = link.ifindex
        return any(port.master == index and port_live(net, ns, link, port) for port in ns.links.values())
    return True


def port_live(net: Net, ns: Netns, bridge: Link, port: Link) -> bool:
    """Is this port forwarding? (No STP here: a port forwards as soon as it and its bridge are up with carrier.)"""
    return bridge.up and port.up and carrier(net, ns, port)


def operstate(net: Net, ns: Netns, link: Link) -> str:
    """`state` as ip link prints it: UP, DOWN, LOWERLAYERDOWN or UNKNOWN."""
    if not link.up:
        return "DOWN"
    if link.kind in SILENT or (link.kind == "bridge" and not link.selected):
        return "UNKNOWN"
    if carrier(net, ns, link):
        return "UNKNOWN" if link.kind == "ipvlan" else "UP"
    other = iflink(ns, link)
    if other:
        # The kernel looks the other end's index up in the device's own namespace, wherever the other end is.
        lower = ns.links.get(other)
        if other != link.ifindex and lower is not None and not carrier(net, ns, lower):
            return "LOWERLAYERDOWN"
    return "DOWN"


def running(net: Net, ns: Netns, link: Link) -> bool:
    """IFF_RUNNING: up, and the operational state is UP or UNKNOWN."""
    return link.up and operstate(net, ns, link) in ("UP", "UNKNOWN")


def lower_down(net: Net, ns: Netns, link: Link) -> bool:
    """Does ip print M-DOWN: the other end is in the same namespace and not administratively up?"""
    peer = lower_of(net, link) if link.kind in ("macvlan", "ipvlan", "ipip") else peer_of(net, link)
    if link.kind == "physical":
        return False
    return peer is not None and peer[0].id == ns.id and not peer[1].up


def kind_flags(link: Link) -> tuple[str, ...]:
    """The words that follow from the kind alone."""
    if link.kind == "loopback":
        return ("LOOPBACK",)
    if link.kind in ("dummy", "ifb"):
        return "BROADCAST", "NOARP"
    if isinstance(link.info, Ipip):
        return ("POINTOPOINT", "NOARP") if link.info.remote else ("NOARP",)
    if link.kind == "wireguard":
        return "POINTOPOINT", "NOARP"
    if isinstance(link.info, Tun) and link.headerless:
        return "POINTOPOINT", "MULTICAST", "NOARP"
    if link.kind == "ipvlan" and link.noarp and link.up:
        return "BROADCAST", "MULTICAST", "NOARP"
    return "BROADCAST", "MULTICAST"


def flags(net: Net, ns: Netns, link: Link) -> tuple[str, ...]:
    """The words between < and > in the order of ip link."""
    out: list[str] = []
    if link.up and not running(net, ns, link):
        out.append("NO-CARRIER")
    out += kind_flags(link)
    if link.promisc:
        out.append("PROMISC")
    if link.up:
        out.append("UP")
        if carrier(net, ns, link):
            out.append("LOWER_UP")
    if lower_down(net, ns, link):
        out.append("M-DOWN")
    return tuple(out)


def linkdown(net: Net, ns: Netns, ifindex: int) -> bool:
    """Does a route out of this device carry the flag `linkdown` (device up, no carrier)?"""
    link = ns.links.get(ifindex)
    return link is not None and link.up and not carrier(net, ns, link)

"""What a kernel derives from its links: carrier, operational state, flags, the other end of a device.

Rules. Nothing is stored here; everything follows from the rows, so a copy of a Net agrees by itself. The state is
the one after the kernel's link watch has run. Sources: net/core/dev.c (netif_oper_up), net/core/link_watch.c
(default_operstate), net/bridge/br_stp.c (br_port_state_selection), drivers/net/veth.c; measured on Linux 6.18.
"""

from __future__ import annotations

from engine.linux.net import Net, Netns
from engine.linux.rows import Link


def peer_of(net: Net, link: Link) -> tuple[Netns, Link] | None:
    """The other end of a veth or of a cable: its namespace and its row; None when there is none."""
    if link.peer is None:
        return None
    space = net.spaces.get(link.peer[0])
    if space is None or link.peer[1] not in space.links:
        return None
    return space, space.links[link.peer[1]]


def carrier(net: Net, ns: Netns, link: Link) -> bool:
    """IFF_LOWER_UP's base: is there a signal? A bridge has one while a port is live, or before it ever had a port."""
    if link.kind in ("veth", "physical"):
        peer = peer_of(net, link)
        return link.up and peer is not None and peer[1].up
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
    if link.kind in ("loopback", "dummy") or (link.kind == "bridge" and not link.selected):
        return "UNKNOWN"
    if carrier(net, ns, link):
        return "UP"
    if link.kind == "veth" and link.peer is not None:
        # The kernel looks the peer's index up in the device's own namespace, wherever the peer is.
        lower = ns.links.get(link.peer[1])
        if link.peer[1] != link.ifindex and lower is not None and not carrier(net, ns, lower):
            return "LOWERLAYERDOWN"
    return "DOWN"


def running(net: Net, ns: Netns, link: Link) -> bool:
    """IFF_RUNNING: up, and the operational state is UP or UNKNOWN."""
    return link.up and operstate(net, ns, link) in ("UP", "UNKNOWN")


def lower_down(net: Net, ns: Netns, link: Link) -> bool:
    """Does ip print M-DOWN: the peer is in the same namespace and not administratively up?"""
    if link.kind != "veth":
        return False
    peer = peer_of(net, link)
    return peer is not None and peer[0].id == ns.id and not peer[1].up


def flags(net: Net, ns: Netns, link: Link) -> tuple[str, ...]:
    """The words between < and > in the order of ip link."""
    out: list[str] = []
    if link.up and not running(net, ns, link):
        out.append("NO-CARRIER")
    if link.kind == "loopback":
        out.append("LOOPBACK")
    else:
        out.append("BROADCAST")
        out.append("NOARP" if link.kind == "dummy" else "MULTICAST")
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

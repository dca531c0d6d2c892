"""The router of a lab: a machine that forwards between the LANs and owns the gateway address of each.

Rules. It is a Linux box like any other (role "router", ip_forward 1) without default route: what leaves the lab's
own networks ends here with ICMP net unreachable, as it does at a real router that knows no way.
"""

from __future__ import annotations

from engine.fabric.machine import make_machine
from engine.linux.addr import Prefix
from engine.linux.ops import Changes
from engine.linux.ops.sysctl import SetSysctl


def build_router(changes: Changes, name: str) -> None:
    """A router box without NICs yet; lan.join_lan and lan.build_cable give it some."""
    make_machine(changes, name, "router")
    changes.do(SetSysctl(netns=name, key="net.ipv4.ip_forward", value="1"))


def gateway_in(subnet: Prefix, taken: set[int]) -> int | None:
    """The router's address in a subnet: the highest usable one that nobody has. None when the subnet is full."""
    if subnet.length > 30:
        return None
    for address in range(subnet.broadcast - 1, subnet.addr, -1):
        if address not in taken:
            return address
    return None

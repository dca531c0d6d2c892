"""A LAN segment: one switch box with the bridge br0 and a port for each NIC that is plugged in; or a bare cable.

Rules. A switch is a box of role "switch" whose root namespace holds nothing but br0 and its ports; it has no
addresses and answers nothing. A port is called `port-MACHINE`; a machine whose name is too long for a device
name gets its name's beginning and five hex digits. Frames pass a switch exactly as they pass a Linux bridge.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from engine.fabric.machine import give_address, plug
from engine.linux.addr import Prefix
from engine.linux.ops import AddBox, AddLink, Changes, SetLink
from engine.linux.rows import Port
from engine.record import replace

BRIDGE = "br0"


def port_name(machine: str) -> str:
    """The switch's name for a machine's port; 15 characters at most."""
    if len(machine) <= 10:
        return f"port-{machine}"
    return f"port-{machine[:5]}{hashlib.sha256(machine.encode()).hexdigest()[:5]}"


def build_switch(changes: Changes, name: str) -> None:
    """An empty switch: a box of role "switch" with br0 up."""
    changes.do(AddBox(name=name, role="switch"))
    changes.do(AddLink(netns=name, name=BRIDGE, kind="bridge"))
    changes.do(SetLink(netns=name, name=BRIDGE, up=True))


def free_port(changes: Changes, switch: str, machine: str) -> Port:
    """A new raised port of the switch, for a NIC of `machine` to be plugged into."""
    port = port_name(machine)
    changes.do(AddLink(netns=switch, name=port, kind="physical"))
    changes.do(SetLink(netns=switch, name=port, up=True, master=BRIDGE))
    return switch, changes.net.spaces[switch].names[port]


def reserve(changes: Changes, switch: str, machine: str, index: int) -> None:
    """A port whose cable leads to a machine that sleeps: its NIC will have this ifindex."""
    _, port = free_port(changes, switch, machine)
    rows = changes.net.spaces[switch].links
    rows[port] = replace(rows[port], peer=(machine, index))


def release(changes: Changes, port: Port) -> None:
    """The cable of a reserved port ends nowhere, so that a NIC can be plugged in."""
    rows = changes.net.spaces[port[0]].links
    rows[port[1]] = replace(rows[port[1]], peer=None)


def join_lan(
    changes: Changes, switch: str, machine: str, nic: str, addresses: Sequence[Prefix], *, mtu: int = 1500
) -> None:
    """Plug a new NIC of a machine into a switch and give it its addresses (host bits kept)."""
    plug(changes, machine, nic, free_port(changes, switch, machine), mtu=mtu)
    for address in addresses:
        give_address(changes, machine, nic, address)


def build_lan(
    changes: Changes, name: str, members: Sequence[tuple[str, str, Prefix]], *, mtu: int = 1500
) -> None:
    """A LAN of machines that exist: `members` are (machine, NIC name, address with its length)."""
    build_switch(changes, name)
    for machine, nic, address in members:
        join_lan(changes, name, machine, nic, [address], mtu=mtu)


def build_cable(
    changes: Changes, one: tuple[str, str, Prefix], other: tuple[str, str, Prefix], *, mtu: int = 1500
) -> None:
    """Two NICs of two machines, joined by a cable without a switch."""
    end = plug(changes, one[0], one[1], None, mtu=mtu)
    plug(changes, other[0], other[1], end, mtu=mtu)
    for machine, nic, address in (one, other):
        give_address(changes, machine, nic, address)

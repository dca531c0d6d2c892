"""What there is to draw: machines, their namespaces, devices and wires, read from the rows of a Net.

Rules. Everything here is a row of the model; nothing is invented. A switch box of the fabric becomes a Lan (a bus),
every other box a Machine. Names are the ones that the learner's commands print. Order is the rows' own, so the same
lab is always drawn the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field

from engine.linux.addr import text4
from engine.linux.net import Net, Netns
from engine.linux.rows import Link, Port
from engine.record import dataclass

#: What a node of the scene stands for: ("dev", netns, device), ("ns", netns, ""), ("box", box, ""), ("fold", box, "").
Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device as drawn. `address` is the first address with its length ("" for none); `more` counts the others;
    `master` names its bridge; `peer` is the other end of its wire as (netns, device)."""

    netns: str
    name: str
    ifindex: int
    kind: str
    address: str = ""
    more: int = 0
    master: str = ""
    peer: tuple[str, str] | None = None
    up: bool = True

    @property
    def key(self) -> Key:
        return ("dev", self.netns, self.name)

    def label(self, detail: int) -> tuple[str, ...]:
        """Lines of its label: 0 the name, 1 name and address without its length, 2 name and address in full."""
        if not self.address or not detail:
            return (self.name,)
        address = self.address if detail > 1 else self.address.split("/")[0]
        return (self.name, address + (f" +{self.more}" if self.more else ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A network namespace with its devices (lo is left out unless it is asked for, or all that there is)."""

    id: str
    label: str
    box: str
    devices: tuple[Device, ...]

    def bridges(self) -> list[Device]:
        return [d for d in self.devices if d.kind == "bridge"]

    def ports(self, bridge: str) -> list[Device]:
        return [d for d in self.devices if d.master == bridge]

    def device(self, name: str) -> Device | None:
        return next((d for d in self.devices if d.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A box of the lab and its namespaces; `children` are those besides the root one."""

    name: str
    role: str
    root: Space
    children: tuple[Space, ...]

    def spaces(self) -> Iterator[Space]:
        yield self.root
        yield from self.children


@dataclass(frozen=True, slots=True, kw_only=True)
class Lan:
    """A segment. `ports` are (device at the switch, its key in the machine); `netns` "" is a cable without switch."""

    name: str
    netns: str
    bridge: str
    ports: tuple[tuple[str, Key], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    machines: tuple[Machine, ...]
    lans: tuple[Lan, ...]
    #: Namespaces that a file or a process holds but the drawing folds are still found here: netns id -> box.
    boxes: Mapping[str, str] = field(default_factory=dict)


def topology(net: Net, *, lo: Collection[str] = ()) -> Topology:
    """Read the lab. `lo` names the namespaces whose loopback device is to be shown (a journey crosses it)."""
    by_box: dict[str, list[Netns]] = {}
    for ns in net.spaces.values():
        by_box.setdefault(ns.box, []).append(ns)
    machines: list[Machine] = []
    lans: list[Lan] = []
    for name, box in net.boxes.items():
        spaces = by_box.get(name, [])
        root = net.spaces.get(name)
        if root is None:
            continue
        if box.role == "switch":
            lans.extend(_lans(net, root))
            continue
        children = tuple(_space(net, ns, ns.id in lo) for ns in spaces if ns.id != name)
        machines.append(
            Machine(name=name, role=box.role, root=_space(net, root, name in lo), children=children)
        )
    lans.extend(_cables(machines, lans))
    return Topology(
        machines=tuple(machines), lans=tuple(lans), boxes={ns.id: ns.box for ns in net.spaces.values()}
    )


def _space(net: Net, ns: Netns, lo: bool) -> Space:
    alone = len(ns.links) == 1 and ns.id != ns.box  # lo is all that a namespace without a network has
    found = [
        _device(net, ns, link)
        for _, link in sorted(ns.links.items())
        if lo or alone or link.kind != "loopback"
    ]
    return Space(id=ns.id, label=ns.label, box=ns.box, devices=tuple(found))


def _device(net: Net, ns: Netns, link: Link) -> Device:
    rows = ns.addresses.get(link.ifindex, ())
    master = ns.links.get(link.master) if link.master else None
    return Device(
        netns=ns.id, name=link.name, ifindex=link.ifindex, kind=link.kind, up=link.up,
        address=f"{text4(rows[0].addr)}/{rows[0].length}" if rows else "", more=max(0, len(rows) - 1),
        master=master.name if master is not None else "", peer=_named(net, link.peer),
    )  # fmt: skip


def _named(net: Net, port: Port | None) -> tuple[str, str] | None:
    if port is None or port[0] not in net.spaces:
        return None
    link = net.spaces[port[0]].links.get(port[1])
    return None if link is None else (port[0], link.name)


def _lans(net: Net, switch: Netns) -> Iterator[Lan]:
    """Each bridge of a switch is one segment; its own ports in order of ifindex."""
    bridges = [link for _, link in sorted(switch.links.items()) if link.kind == "bridge"]
    for bridge in bridges:
        ports: list[tuple[str, Key]] = []
        for port in switch.ports(bridge.ifindex):
            far = _named(net, port.peer)
            if far is not None:
                ports.append((port.name, ("dev", *far)))
        name = switch.box if len(bridges) == 1 else f"{switch.box} {bridge.name}"
        yield Lan(name=name, netns=switch.id, bridge=bridge.name, ports=tuple(ports))


def _cables(machines: list[Machine], lans: list[Lan]) -> Iterator[Lan]:
    """NICs that are plugged into another machine's NIC directly."""
    done = {key for lan in lans for _, key in lan.ports}
    home = {space.id: machine.name for machine in machines for space in machine.spaces()}
    for machine in machines:
        for space in machine.spaces():
            for device in space.devices:
                if (
                    device.peer is None
                    or device.key in done
                    or home.get(device.peer[0], machine.name) == machine.name
                ):
                    continue
                far: Key = ("dev", *device.peer)
                done |= {device.key, far}
                yield Lan(name="", netns="", bridge="", ports=(("", device.key), ("", far)))

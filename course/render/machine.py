"""One machine as a block: its namespaces in a row, the root namespace's bridges and devices below them, its NICs at
the lower edge.

Theory. Everything hangs on columns. A namespace gives each of its wired devices a column ("lane"); the wire runs
straight down it to the other end in the root namespace, so wires never bend unless both ends are namespaces. A bridge
is as wide as its lanes; bridges that would overlap go on different levels. Below them runs the root lane, along which
a routed packet moves from one device to another. The word of a device stands two cells right of its lane, so a packet
in a lane covers no letter.

Rules. Children that the journey crosses are always drawn; `Detail` says what else. The block is made for the upper
side of a LAN; `layout.py` mirrors it for the lower one.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from rich.cells import cell_len

from course.render.block import Block, Box, Name, Text, Wire
from course.render.spaces import Detail, Programs, SpacesRow, folded_word
from course.render.topology import Device, Key, Machine
from engine.record import dataclass


@dataclass(slots=True)
class _Element:
    """A device of the root namespace in the levels zone: a bridge with its lanes, or a device standing alone."""

    device: Device
    lanes: dict[int, Name]
    left: int
    right: int
    level: int = 0
    y: int = 0


class MachineBlock(SpacesRow):
    """The whole block; use `build()`."""

    def __init__(
        self, machine: Machine, detail: Detail, kept: frozenset[str], programs: Programs, words: Mapping[str, str],
        lan_ports: Mapping[Key, bool],
    ) -> None:  # fmt: skip
        super().__init__(machine, detail, kept, programs, words, lan_ports)
        self.elements: dict[str, _Element] = {}
        self.low = 0

    def build(self) -> Block:
        self._place_columns()
        bottom = self._draw_children()
        bottom = self._wires_between(bottom)
        bottom = self._draw_elements(bottom)
        self._draw_root(bottom)
        return self.b

    # -- bridges and devices of the root namespace --------------------------------------------------------------

    def _root_elements(self) -> list[_Element]:
        """Bridges and lone devices with their lanes; those without a wired child get new columns on the right."""
        root = self.m.root
        above = {("dev", *d.peer): (self.lanes[d.key], d.key) for s in self.shown for d in s.devices
                 if d.peer and d.peer[0] == root.id and d.key in self.lanes}  # fmt: skip
        by_bridge: dict[str, _Element] = {}
        found: list[_Element] = []
        for device in root.devices:
            if device.kind == "bridge":
                by_bridge[device.name] = _Element(device, {}, 0, 0)
                found.append(by_bridge[device.name])
        for device in root.devices:
            if device.kind == "bridge" or device.key in self.lan_ports:
                continue
            element = by_bridge.get(device.master)
            if element is None:
                if self._hidden_end(device):
                    continue
                element = _Element(device, {}, 0, 0)
                found.append(element)
            if device.key in above:
                element.lanes[above[device.key][0]] = device.key
        self._fold_lane(by_bridge)
        self.low = max([self._extent(e)[1] + 1 for e in found if e.lanes], default=0)
        for device in root.devices:
            element = by_bridge.get(device.master)
            if element is None or device.key in above or device.key in self.lan_ports:
                continue
            if device.master and not self._hidden_end(device):
                element.lanes[self._new_column(device)] = device.key
        for element in found:
            if not element.lanes:
                element.lanes[self._new_column(element.device)] = ("joint", root.id, element.device.name)
        return found

    def _hidden_end(self, device: Device) -> bool:
        return device.peer is not None and any(device.peer[0] == s.id for s in self.hidden)

    def _extent(self, e: _Element) -> tuple[int, int]:
        """First and last column of an element that has its lanes."""
        lanes = sorted(e.lanes)
        text = cell_len(" ".join(self._label(e.device)))
        beside = e.device.kind == "bridge" and self.d.bridge == 1
        return lanes[0] - 2, lanes[-1] + 4 + text + 1 if beside else max(
            lanes[-1] + 2, lanes[0] + 2 + text + 1
        )

    def _new_column(self, device: Device) -> int:
        """A column right of everything that stands in the root namespace so far."""
        x = (self.low + self.d.gap if self.low else 2) + 2
        self.low = x + 2 + cell_len(" ".join(self._label(device))) + 2
        self.right = max(self.right, self.low)
        return x

    def _fold_lane(self, bridges: dict[str, _Element]) -> None:
        """One wire stands for those of the folded children; it goes to the bridge that most of them hang on."""
        if not self.hidden:
            return
        masters: dict[str, int] = {}
        ends = [d for d in self.m.root.devices if self._hidden_end(d)]
        for device in ends:
            masters[device.master] = masters.get(device.master, 0) + 1
        best = max(sorted(masters), key=lambda m: masters[m], default="")
        fold: Name = ("fold", self.m.name, "")
        joint: Name = ("joint-fold", self.m.name, "")
        for device in ends:
            self.b.stands_for[device.key] = joint if best in bridges else fold
        if best in bridges:
            bridges[best].lanes[self.b.nodes[fold][0]] = joint

    def _draw_elements(self, y: int) -> int:
        elements = self._root_elements()
        for e in elements:
            e.left, e.right = self._extent(e)
            self.right = max(self.right, e.right + 1)
        levels: list[int] = []
        for e in sorted(elements, key=lambda e: (e.left, e.device.ifindex)):
            e.level = next((i for i, right in enumerate(levels) if right < e.left), len(levels))
            if e.level == len(levels):
                levels.append(0)
            levels[e.level] = e.right
        pairs = self._root_pairs(elements)
        first_row, y = y, y + len(pairs)
        ports = [n for e in elements if e.device.kind == "bridge" for n in e.lanes.values()]
        if self.d.ends and any(isinstance(n, tuple) and n[0] == "dev" for n in ports):
            self._draw_ends(elements, y)
            y += 1
        elif self.columns and elements and not pairs and self.d.ends:
            y += 1
        step = self.d.bridge
        for e in elements:
            e.y = y + e.level * step
            foreign = [x for o in elements if o.level > e.level for x in o.lanes if e.left <= x <= e.right]
            self._draw_element(e, foreign)
        self.elements = {e.device.name: e for e in elements}
        for row, (one, two) in enumerate(pairs, first_row):
            (xa, _), (xb, _) = self.b.nodes[one], self.b.nodes[two]
            points = (self.b.nodes[one], (xa, row), (xb, row), self.b.nodes[two])
            self.b.wires.append(Wire(points, "wire", over=True))
            self.b.tracks.append((one, two, points))
        return y + step * len(levels)

    def _root_pairs(self, elements: list[_Element]) -> list[tuple[Key, Key]]:
        """veth pairs of which both ends are still in the root namespace."""
        ends = {n for e in elements for n in e.lanes.values()} | {e.device.key for e in elements}
        found: list[tuple[Key, Key]] = []
        for device in self.m.root.devices:
            far: Key | None = ("dev", *device.peer) if device.peer is not None else None
            if far is not None and device.key in ends and far in ends and (far, device.key) not in found:
                found.append((device.key, far))
        return found

    def _draw_ends(self, elements: list[_Element], y: int) -> None:
        """The names of the bridges' ports, in the row above them."""
        paired = {key for pair in self._root_pairs(elements) for key in pair}
        lanes = sorted(
            x
            for e in elements
            for x, name in e.lanes.items()
            if e.device.key in paired or not (isinstance(name, tuple) and name[0] == "joint")
        )
        for e in elements:
            if e.device.kind != "bridge":
                continue
            for x, name in e.lanes.items():
                if isinstance(name, tuple) and name[0] == "dev":
                    after = [v for v in lanes if v > x]
                    column = next(
                        (c.x + c.w + self.d.gap for c in self.columns if c.x <= x < c.x + c.w), self.right
                    )
                    port = self.m.root.device(name[2])
                    role = "end" if port is None or port.up else "down"
                    width = self._free(x + 2, after, max(column, x + 6))
                    self.b.texts.append(Text(x + 2, y, ((str(name[2]), role),), width))

    def _draw_element(self, e: _Element, foreign: list[int]) -> None:
        b, lanes = self.b, sorted(e.lanes)
        first = lanes[0]
        bridge = e.device.kind == "bridge"
        text = (*self._label(e.device), "")[:2]
        role = "dev" if e.device.up else "down"
        beside = bridge and self.d.bridge == 1
        label_x, label_y = (
            (lanes[-1] + 4 if beside else first + 2),
            (e.y + 1 if bridge and not beside else e.y),
        )
        if bridge and self.d.bridge == 3:
            b.boxes.append(Box(e.left, e.y, e.right - e.left + 1, 3, "", "bridge", "", rounded=False))
        elif bridge:
            b.wires.append(
                Wire(((e.left, e.y), (max(lanes[-1] + 2, e.left + (4 if beside else 6)), e.y)), "bridge", 2)
            )
        width = self._free(label_x, [x for x in foreign if x > label_x], e.right)
        b.texts.append(Text(label_x, label_y, ((text[0], role),), width))
        rest = width - cell_len(text[0]) - 1
        if text[1] and rest > 3:
            b.texts.append(Text(label_x + 1 + cell_len(text[0]), label_y, ((text[1], "addr"),), rest))
        for x, name in e.lanes.items():
            if name not in b.nodes:
                b.nodes[name] = (x, e.y)
            self._wire_up(x, name, e.y)
        if bridge:
            names = [e.lanes[x] for x in lanes]
            for one, two in itertools.pairwise(names):
                b.join(one, two)
            b.nodes[e.device.key] = (first, e.y + self.d.bridge - 1)
            b.join(e.lanes[first], e.device.key)
        elif e.device.key not in b.nodes:
            b.nodes[e.device.key] = (first, e.y)
            b.join(e.lanes[first], e.device.key)

    def _wire_up(self, x: int, name: Name, y: int) -> None:
        """The wire from a root device up to the namespace above it (or to the fold)."""
        b = self.b
        far: Name | None = None
        dashed = False
        if isinstance(name, tuple) and name[0] == "joint-fold":
            far, dashed = ("fold", self.m.name, ""), True
        elif isinstance(name, tuple) and name[0] == "dev":
            device = self.m.root.device(name[2])
            if device is not None and device.peer is not None and ("dev", *device.peer) in self.lanes:
                far = ("dev", *device.peer)
                dashed = not device.up
        if far is not None and far in b.nodes:
            b.wires.append(Wire((b.nodes[far], (x, y)), "wire", dashed=dashed, over=True))
            b.join(far, name)

    # -- the root namespace itself and the NICs -------------------------------------------------------------------

    def _draw_root(self, y: int) -> None:
        b, root = self.b, self.m.root
        down = [d for d in root.devices if self.lan_ports.get(d.key) is False]
        up = [d for d in root.devices if self.lan_ports.get(d.key) is True]
        names = self.programs.get(root.id, ())
        through = [d for s in self.shown for d in s.devices if d.key in self.lan_ports]
        lane_row = bool(self.columns or self.elements or names or up or len(down) > 1)
        lane_y = y
        nic_y = y + 1 if lane_row else y
        bottom = nic_y + (1 if down or not lane_row or through else 0)
        joints: list[tuple[int, Name]] = []
        x = 4 if self.columns or self.elements else 2
        for device in down:
            text = " ".join(self._label(device))
            while any(x - 1 <= v <= x + 3 + cell_len(text) for v in (self.lanes[d.key] for d in through)):
                x += 1
            self._nic(device, x, nic_y, bottom, text, joints, lane_y)
            x += cell_len(text) + 5
        for device in through:
            lane = self.lanes[device.key]
            b.wires.append(Wire((b.nodes[device.key], (lane, bottom)), "wire", over=True))
            b.pins[device.key] = (lane, False)
        x, lowest = (self.right + 2 if self.columns else 2), x
        for device in up:
            text = " ".join(self._label(device))
            b.nodes[device.key] = (x, 0)
            b.pins[device.key] = (x, True)
            self._nic_label(device, x + 2, 1, text)
            b.nodes[("lane", root.id, device.name)] = (x, lane_y)
            b.join(device.key, ("lane", root.id, device.name))
            joints.append((x, ("lane", root.id, device.name)))
            x += cell_len(text) + 5
        x = max(x, lowest, 4)
        for e in self.elements.values():
            key = e.device.key
            joint: Name = ("lane", root.id, e.device.name)
            b.nodes[joint] = (b.nodes[key][0], lane_y)
            b.join(key, joint)
            joints.append((b.nodes[joint][0], joint))
        self._seat(joints, names, lane_y, lane_row, x)
        count = f" {folded_word(self.hidden, self.words)}" if self.hidden and not self.columns else ""
        shift = max((px + 1 for px, top in b.pins.values() if top), default=0)
        b.w = max(self.right + self.d.blank, x, cell_len(self.m.name + count) + 6 + shift, 12)
        b.h = bottom + 1
        b.boxes.insert(0, Box(0, 0, b.w, b.h, self.m.name + count, self.m.role, "node-name", shift=shift))
        b.nodes.setdefault(("box", self.m.name, ""), b.nodes[("ns", root.id, "")])

    def _nic_label(self, device: Device, x: int, y: int, text: str) -> None:
        name, _, address = text.partition(" ")
        self.b.texts.append(Text(x, y, ((name, "dev" if device.up else "down"),), cell_len(name)))
        if address:
            self.b.texts.append(Text(x + cell_len(name) + 1, y, ((address, "addr"),), cell_len(address)))

    def _nic(
        self,
        device: Device,
        x: int,
        y: int,
        bottom: int,
        text: str,
        joints: list[tuple[int, Name]],
        lane_y: int,
    ) -> None:
        b = self.b
        self._nic_label(device, x + 2, y, text)
        b.nodes[device.key] = (x, bottom)
        b.pins[device.key] = (x, False)
        bridge = self.elements.get(device.master)
        if bridge is not None:  # a NIC that is a port of a bridge: its wire goes to the bar itself
            b.wires.append(Wire(((x, bridge.y), (x, bottom)), "wire", over=True))
            port: Name = ("joint", device.netns, device.name)
            b.nodes[port] = (x, bridge.y)
            b.join(device.key, port)
            b.join(port, bridge.lanes[min(bridge.lanes)])
            if x > bridge.right:
                b.wires.append(
                    Wire(((bridge.right, bridge.y), (x, bridge.y)), "bridge", 1 if self.d.bridge == 3 else 2)
                )
            return
        if lane_y < y:
            joint: Name = ("lane", device.netns, device.name)
            b.nodes[joint] = (x, lane_y)
            b.join(device.key, joint)
            joints.append((x, joint))

    def _seat(
        self, joints: list[tuple[int, Name]], names: tuple[str, ...], lane_y: int, lane_row: bool, x: int
    ) -> None:
        """Where the root namespace's own programs sit: at the right end of the root lane."""
        b, seat = self.b, ("ns", self.m.root.id, "")
        if not lane_row:
            first = next(iter(b.pins), None)
            b.nodes[seat] = b.nodes[first] if first is not None else (2, lane_y)
            if first is not None:
                b.join(first, seat)
            return
        joints.sort(key=lambda j: j[0])
        last = joints[-1][0] if joints else 2
        spot = 4 if not joints else min(last + 4, max(last + 2, self.right - 2))
        if len(joints) == 1 and not self.elements:  # a machine with one NIC: the program sits right above it
            spot = joints[0][0]
        text = ", ".join(names)
        b.nodes[seat] = (spot, lane_y)
        if text:
            b.texts.append(Text(spot + 2, lane_y, ((text, "program"),), cell_len(text)))
            self.right = max(self.right, spot + 3 + cell_len(text))
        joints.append((spot, seat))
        for (_, one), (_, two) in itertools.pairwise(joints):
            b.join(one, two)

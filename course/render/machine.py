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
from dataclasses import dataclass

from rich.cells import cell_len

from course.render.block import Block, Box, Name, Text, Wire
from course.render.topology import Device, Key, Machine, Space

#: netns -> names of programs that the journey meets there.
Programs = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much is drawn. `address` 0 name, 1 address, 2 address and length; `ends` the names of veth ends in the root
    namespace; `room` an empty row in each namespace; `boxes` bridges as boxes (else bars); `others` how many children
    that the journey does not cross are drawn (-1 all); `far` whether machines that it does not cross are drawn in "full"
    or only named in a "fold"."""

    address: int = 2
    ends: bool = True
    room: bool = True
    boxes: bool = True
    others: int = -1
    far: str = "full"
    gap: int = 1


@dataclass(slots=True)
class _Column:
    """A child (or the fold of several): where it stands and the lanes of its devices."""

    x: int
    w: int
    title: str
    space: Space | None
    hidden: tuple[Space, ...] = ()


def folded_word(hidden: tuple[Space, ...], words: Mapping[str, str]) -> str:
    """`+3 pods`: pods when every label is NAMESPACE/NAME, else namespaces; a single one is called by its name."""
    if len(hidden) == 1:
        return hidden[0].label.rpartition("/")[2]
    kind = "pods" if all("/" in s.label for s in hidden) else "spaces"
    return words[kind].format(n=len(hidden))


@dataclass(slots=True)
class _Element:
    """A device of the root namespace in the levels zone: a bridge with its lanes, or a device standing alone."""

    device: Device
    lanes: dict[int, Name]
    left: int
    right: int
    level: int = 0
    y: int = 0


class MachineBlock:
    """Builds one Block; use `build()`."""

    def __init__(
        self, machine: Machine, detail: Detail, kept: frozenset[str], programs: Programs, words: Mapping[str, str],
        lan_ports: Mapping[Key, bool],
    ) -> None:  # fmt: skip
        self.m, self.d, self.words = machine, detail, words
        self.programs, self.lan_ports = programs, lan_ports
        shown, hidden = self._choose(kept)
        self.b = Block()
        self.shown, self.hidden = shown, hidden
        self.lanes: dict[Key, int] = {}
        self.columns: list[_Column] = []
        self.elements: dict[str, _Element] = {}
        self.right = 2

    def _choose(self, kept: frozenset[str]) -> tuple[list[Space], tuple[Space, ...]]:
        order = {d.name: i for i, d in enumerate(self.m.root.devices)}

        def place(space: Space) -> tuple[int, int, int]:
            """By the bridge that it hangs on, then by the port; plain wires next; then the rest."""
            ends = [
                self.m.root.device(d.peer[1]) for d in space.devices if d.peer and d.peer[0] == self.m.root.id
            ]
            ports = [e for e in ends if e is not None]
            if not ports:
                return (9_999, int(any(d.key in self.lan_ports for d in space.devices)), 0)
            first = ports[0]
            return (order.get(first.master, 5_000), first.ifindex, 0)

        ordered = sorted(self.m.children, key=place)
        room = self.d.others
        shown: list[Space] = []
        hidden: list[Space] = []
        for space in ordered:
            if space.id in kept or room:
                shown.append(space)
                room -= 0 if space.id in kept or room < 0 else 1
            else:
                hidden.append(space)
        if len(hidden) == 1 and self.d.others:  # a fold of one takes the room of the one
            shown, hidden = [s for s in ordered if s in shown or s in hidden], []
        return shown, tuple(hidden)

    # -- the row of namespaces ------------------------------------------------------------------------------------

    def build(self) -> Block:
        self._place_columns()
        bottom = self._draw_children()
        bottom = self._wires_between(bottom)
        bottom = self._draw_elements(bottom)
        self._draw_root(bottom)
        return self.b

    def _label(self, device: Device) -> tuple[str, ...]:
        return device.label(self.d.address)

    def _place_columns(self) -> None:
        x = 2
        for space in self.shown:
            cursor = 2
            for device in space.devices:
                if device.kind == "bridge":
                    continue
                self.lanes[device.key] = x + cursor
                cursor += 2 + max(map(cell_len, self._label(device))) + 2
            title = self._title(space)
            words = [title, *(f"  {p}" for p in self.programs.get(space.id, ()))]
            words += [f"  {d.name} {d.address}" for d in space.bridges()]
            w = max(cursor, 6, *(cell_len(t) + 6 for t in words))
            self.columns.append(_Column(x, w, title, space))
            x += w + self.d.gap
        if self.hidden:
            title = folded_word(self.hidden, self.words)
            w = max(cell_len(title) + 4, 6)
            self.columns.append(_Column(x, w, title, None, self.hidden))
            x += w + self.d.gap
        self.right = max(2, x - self.d.gap)

    def _title(self, space: Space) -> str:
        """The namespace's label; in little room a pod's name without its Kubernetes namespace, as `kubectl` prints it."""
        return space.label if self.d.address > 1 else space.label.rpartition("/")[2]

    def _draw_children(self) -> int:
        """Boxes, labels, seats. Returns the y of the row below them (1 when there are none)."""
        if not self.columns:
            return 2 if any(self.lan_ports.get(d.key) for d in self.m.root.devices) else 1
        labels = max(
            (len(self._label(d)) for s in self.shown for d in s.devices if d.kind != "bridge"), default=1
        )
        bars = 2 * max((len(s.bridges()) for s in self.shown), default=0)
        room = 1 if self.d.room or any(self.programs.get(s.id) for s in self.shown) else 0
        height = 2 + room + bars + labels
        for column in self.columns:
            fold = column.space is None
            self.b.boxes.append(
                Box(column.x, 1, column.w, height, "" if fold else column.title, "fold" if fold else "ns",
                    "fold" if fold else "ns-name", dashed=fold)
            )  # fmt: skip
            if column.space is None:
                self._draw_fold(column, height)
            else:
                self._draw_space(column, column.space, height, room, bars, labels)
        return 1 + height

    def _draw_fold(self, column: _Column, height: int) -> None:
        name: Name = ("fold", self.m.name, "")
        y = 1 + height // 2 if height > 2 else 1
        self.b.texts.append(Text(column.x + 2, y, ((column.title, "fold"),), column.w - 3))
        lane = column.x + 2
        self.b.nodes[name] = (lane, height)
        for space in column.hidden:
            self.b.stands_for[("ns", space.id, "")] = name
            for device in space.devices:
                self.b.stands_for[device.key] = name

    def _draw_space(
        self, column: _Column, space: Space, height: int, room: int, bars: int, labels: int
    ) -> None:
        b, bottom = self.b, height  # the box is rows 1..height
        seat_y = 2
        plain = [d for d in space.devices if d.kind != "bridge"]
        seat_x = self.lanes[plain[0].key] if plain else column.x + 2
        seat: Name = ("ns", space.id, "")
        b.nodes[seat] = (seat_x, seat_y)
        names = self.programs.get(space.id, ())
        if names:
            b.texts.append(
                Text(seat_x + 2, seat_y, ((", ".join(names), "program"),), column.x + column.w - seat_x - 3)
            )
        label_y = 2 + room + bars
        for device in plain:
            lane = self.lanes[device.key]
            wired = device.peer is not None or device.key in self.lan_ports
            b.nodes[device.key] = (lane, bottom if wired else label_y)
            lines = self._label(device)
            roles = ("dev" if device.up else "down", "addr")
            width = self._free(
                lane + 2, [v for v in self.lanes.values() if v > lane], column.x + column.w - 1
            )
            pairs = tuple(zip(lines, roles, strict=False))
            b.texts.append(Text(lane + 2, label_y + labels - len(lines), pairs, width))
            if not device.master:
                b.join(device.key, seat, (lane, seat_y))
        for level, bridge in enumerate(space.bridges()):
            self._inner_bridge(column, space, bridge, seat, label_y - 1 - 2 * level, bottom)

    @staticmethod
    def _free(x: int, obstacles: list[int], right: int) -> int:
        """Cells from x on that are free before the next obstacle, a blank kept."""
        return max(1, min([*obstacles, right]) - 1 - x)

    def _inner_bridge(
        self, column: _Column, space: Space, bridge: Device, seat: Name, y: int, bottom: int
    ) -> None:
        """A bridge inside a namespace: a bar above the devices that are its ports."""
        b = self.b
        ports = [d for d in space.ports(bridge.name) if d.key in self.lanes]
        xs = sorted(self.lanes[d.key] for d in ports) or [column.x + 2]
        left, right = xs[0], max(xs[-1] + 1, xs[0] + 4)
        b.wires.append(Wire(((left, y), (right, y)), "bridge", 2))
        text = " ".join(bridge.label(2))
        b.texts.append(Text(xs[0] + 2, y - 1, ((text, "dev"),), column.x + column.w - xs[0] - 4))
        b.nodes[bridge.key] = (xs[0], y - 1)
        joints: list[tuple[int, Name]] = []
        for device in ports:
            lane, joint = self.lanes[device.key], ("joint", device.netns, device.name)
            b.nodes[joint] = (lane, y)
            b.wires.append(Wire(((lane, y), (lane, bottom)), "wire", over=True))
            b.join(device.key, joint)
            joints.append((lane, joint))
        joints.sort()
        if not joints:
            joints = [(xs[0], ("joint", bridge.netns, bridge.name))]
            b.nodes[joints[0][1]] = (xs[0], y)
        for (_, one), (_, two) in itertools.pairwise(joints):
            b.join(one, two)
        b.join(joints[0][1], bridge.key)
        b.join(bridge.key, seat, (xs[0], b.nodes[seat][1]))

    # -- wires, bridges and devices of the root namespace -------------------------------------------------------

    def _wires_between(self, y: int) -> int:
        """Wires whose two ends are both namespaces, one row each. Returns the next free row."""
        done: set[Key] = set()
        for space in self.shown:
            for device in space.devices:
                if device.peer is None or device.key in done or device.key not in self.lanes:
                    continue
                far: Key = ("dev", *device.peer)
                if far not in self.lanes:
                    continue
                done |= {device.key, far}
                a, c = self.lanes[device.key], self.lanes[far]
                start, end = self.b.nodes[device.key], self.b.nodes[far]
                points = (start, (a, y), (c, y), end)
                self.b.wires.append(Wire(points, "wire", dashed=not device.up))
                self.b.tracks.append((device.key, far, points))
                y += 1
        return y

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
            elif device.master and not self._hidden_end(device):
                element.lanes[self._new_column(device)] = device.key
        self._fold_lane(by_bridge)
        for element in found:
            if not element.lanes:
                element.lanes[self._new_column(element.device)] = ("joint", root.id, element.device.name)
        return found

    def _hidden_end(self, device: Device) -> bool:
        return device.peer is not None and any(device.peer[0] == s.id for s in self.hidden)

    def _new_column(self, device: Device) -> int:
        start = self.right + self.d.gap if self.right > 2 else 2
        x = start + 2
        self.right = x + 2 + cell_len(" ".join(self._label(device))) + 2
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
            lanes = sorted(e.lanes)
            text = cell_len(" ".join(self._label(e.device)))
            e.left = lanes[0] - 2
            e.right = max(lanes[-1] + 2, lanes[0] + 2 + text + 1)
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
        elif self.columns and elements and not pairs:
            y += 1
        step = 3 if self.d.boxes else 2
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
        lanes = sorted(x for e in elements for x in e.lanes)
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
        label_y = e.y + 1 if bridge else e.y
        if bridge and self.d.boxes:
            b.boxes.append(Box(e.left, e.y, e.right - e.left + 1, 3, "", "bridge", "", rounded=False))
        elif bridge:
            b.wires.append(Wire(((e.left, e.y), (max(lanes[-1] + 2, e.left + 6), e.y)), "bridge", 2))
        width = self._free(first + 2, foreign, e.right)
        b.texts.append(Text(first + 2, label_y, ((text[0], role),), width))
        rest = width - cell_len(text[0]) - 1
        if text[1] and rest > 3:
            b.texts.append(Text(first + 3 + cell_len(text[0]), label_y, ((text[1], "addr"),), rest))
        for x, name in e.lanes.items():
            if name not in b.nodes:
                b.nodes[name] = (x, e.y)
            self._wire_up(x, name, e.y)
        if bridge:
            names = [e.lanes[x] for x in lanes]
            for one, two in itertools.pairwise(names):
                b.join(one, two)
            b.nodes[e.device.key] = (first, e.y + (2 if self.d.boxes else 1))
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
        b.w = max(self.right + 2, x, cell_len(self.m.name + count) + 6 + shift, 12)
        b.h = bottom + 1
        b.boxes.insert(0, Box(0, 0, b.w, b.h, self.m.name + count, self.m.role, "node-name", shift=shift))
        b.nodes.setdefault(("box", self.m.name, ""), b.nodes[("ns", root.id, "")])

    def _nic_label(self, device: Device, x: int, y: int, text: str) -> None:
        name, _, address = text.partition(" ")
        self.b.texts.append(Text(x, y, ((name, "dev" if device.up else "down"),), cell_len(name)))
        if address:
            self.b.texts.append(Text(x + cell_len(name) + 1, y, ((address, "addr"),), cell_len(address)))

    def _nic(self, device: Device, x: int, y: int, bottom: int, text: str, joints: list[tuple[int, Name]], lane_y: int) -> None:  # fmt: skip
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
                    Wire(((bridge.right, bridge.y), (x, bridge.y)), "bridge", 1 if self.d.boxes else 2)
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

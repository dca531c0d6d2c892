"""The row of a machine's network namespaces: which are drawn, where they stand, what is inside each.

Theory. A namespace gives each of its wired devices a column ("lane") and its programs a seat at the lane's upper
end. The word of a device stands two cells right of its lane, so a packet in a lane covers no letter. A bridge inside
a namespace is a bar above its ports.

Rules. Children that the journey crosses are always drawn; `Detail` says what else. The rest is folded into one box.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from rich.cells import cell_len

from course.render.block import Block, Box, Name, Text, Wire
from course.render.topology import Device, Key, Machine, Space
from engine.record import dataclass

#: netns -> names of programs that the journey meets there.
Programs = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How much is drawn. `address` 0 name, 1 address, 2 address and length; `ends` the names of veth ends in the root
    namespace; `room` an empty row in each namespace; `bridge` the rows of one: 3 a box, 2 a bar and its name below, 1
    both in one row; `others` how many children that the journey does not cross are drawn (-1 all); `far` whether
    machines that it does not cross are drawn in "full" or only named in a "fold"; `tight` 1 leaves out
    blank columns between boxes, 2 also those behind the words in them."""

    address: int = 2
    ends: bool = True
    room: bool = True
    bridge: int = 3
    others: int = -1
    far: str = "full"
    gap: int = 1
    tight: int = 0

    @property
    def blank(self) -> int:
        """Columns from the last box in a machine to its border's end, and between machines."""
        return 1 if self.tight else 2


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


class SpacesRow:
    """The upper part of a machine's block. `lanes` are the columns of wired devices, `right` the first free one."""

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
                cursor += 2 + max(map(cell_len, self._label(device))) + (1 if self.d.tight > 1 else 2)
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
        """The namespace's label; in little room a pod's name without its Kubernetes namespace, as kubectl does."""
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
                lane + 2,
                [v for v in self.lanes.values() if v > lane],
                column.x + column.w - (self.d.tight < 2),
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

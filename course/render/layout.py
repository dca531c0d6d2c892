"""A whole lab in a given size: machines above and below their LANs, with as much detail as fits.

Theory. Every LAN is a bus, a double line across the scene. Machines stand in rows between the buses: those of the
first LAN above it, hosts and routers below it, a machine on two neighbouring LANs between them. FOLDS and
DENSITIES say from rich to poor what may be drawn; the first that fits wins, and if none fits the poorest is used and
the widget moves its window along with the packet. What the journey crosses is never folded.

Rules. Deterministic: the same rows, journey and size give the same picture. Nothing is drawn that is not a row.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

from rich.cells import cell_len

from course.render.block import Block, Name, Text, Wire
from course.render.canvas import Canvas, Cell, Point
from course.render.glyphs import UNICODE, Glyphs
from course.render.machine import MachineBlock
from course.render.plan import ENGLISH, Plan, Wanted
from course.render.spaces import Detail
from course.render.topology import Key, Lan, Machine, Topology
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scene:
    """The finished picture and what moves on it. `rows` are `height` rows of `width` cells; `nodes` are named points;
    `tracks` join them; `stands_for` sends what is folded to what is drawn; `boxes` knows the box of each namespace."""

    width: int
    height: int
    rows: tuple[tuple[Cell, ...], ...]
    nodes: Mapping[Name, Point]
    tracks: tuple[tuple[Name, Name, tuple[Point, ...]], ...]
    stands_for: Mapping[Name, Name]
    boxes: Mapping[str, str]
    bridges: frozenset[Key]
    masters: Mapping[Key, Key]
    detail: Detail
    fits: bool
    glyphs: Glyphs = UNICODE
    machines: tuple[str, ...] = ()


#: (children besides those that the journey crosses, machines that it does not cross), what is folded last comes last.
FOLDS: tuple[tuple[int, str], ...] = ((-1, "full"), (-1, "fold"), (3, "fold"), (1, "fold"), (0, "fold"))
#: From roomy to dense: first empty rows and boxes go, then lengths of addresses and the names of veth ends.
DENSITIES: tuple[Detail, ...] = (
    Detail(gap=3), Detail(), Detail(room=False), Detail(room=False, bridge=2), Detail(room=False, bridge=1),
    Detail(room=False, address=1), Detail(room=False, bridge=2, address=1), Detail(room=False, bridge=1, address=1),
    Detail(room=False, bridge=2, address=1, ends=False), Detail(room=False, bridge=1, address=1, ends=False),
)  # fmt: skip
NARROWEST, LOWEST = DENSITIES[-2:]
#: When even those do not fit, and only then: the blanks between boxes go, too.
TIGHT = tuple(replace(d, tight=tight) for tight in (1, 2) for d in (NARROWEST, LOWEST))


def layout(
    lab: Topology, width: int, height: int, *, wanted: Wanted | None = None, glyphs: Glyphs = UNICODE,
    words: Mapping[str, str] = ENGLISH,
) -> Scene:  # fmt: skip
    """The richest picture of the lab that fits `width` x `height` cells; `fits` is False if none does."""
    plan = Plan(lab, wanted or Wanted(), words)
    folds: Sequence[tuple[int, str]] = FOLDS if not plan.many else [f for f in FOLDS if f[1] == "fold"]
    small: tuple[Block, Detail] = (Block(w=1, h=1), NARROWEST)
    for others, far in folds:
        limits = [_best(plan, replace(d, others=others, far=far), width, height) for d in (NARROWEST, LOWEST)]
        small = (limits[0][0], replace(NARROWEST, others=others, far=far))
        if not any(fits for _, fits in limits) and (limits[0][0].w > width or limits[1][0].h > height):
            continue  # nothing of this fold fits
        for density in DENSITIES:
            detail = replace(density, others=others, far=far)
            block, fits = _best(plan, detail, width, height)
            if fits:
                return _finish(lab, block, detail, glyphs, True)
    others, far = folds[-1]
    for density in TIGHT:
        detail = replace(density, others=others, far=far)
        block, fits = _best(plan, detail, width, height)
        if fits:
            return _finish(lab, block, detail, glyphs, True)
    return _finish(lab, *small, glyphs, False)


def _best(plan: Plan, detail: Detail, width: int, height: int) -> tuple[Block, bool]:
    """The arrangement that fits (True), else the smallest. Others than the usual one are only tried where they help."""
    block = _Arrangement(plan, detail, "").build()
    found = [block]
    if block.w > width:
        found.append(_Arrangement(plan, detail, "both").build())
    if block.h > height:
        found.append(_Arrangement(plan, detail, "flat").build())
    for one in found:
        if one.w <= width and one.h <= height:
            return one, True
    return min(found, key=lambda one: one.w * one.h), False


def _finish(lab: Topology, block: Block, detail: Detail, glyphs: Glyphs, fits: bool) -> Scene:
    canvas = Canvas(max(1, block.w), max(1, block.h))
    block.draw(canvas, glyphs)
    bridges: set[Key] = set()
    masters: dict[Key, Key] = {}
    for machine in lab.machines:
        for space in machine.spaces():
            for device in space.devices:
                if device.kind == "bridge":
                    bridges.add(device.key)
                elif device.master:
                    masters[device.key] = ("dev", space.id, device.master)
    for lan in lab.lans:
        if lan.netns:
            bridges.add(("dev", lan.netns, lan.bridge))
            masters.update(
                {("dev", lan.netns, port): ("dev", lan.netns, lan.bridge) for port, _ in lan.ports}
            )
    return Scene(
        width=canvas.width, height=canvas.height, rows=canvas.cells(glyphs), nodes=block.nodes,
        tracks=tuple(block.tracks), stands_for=block.stands_for, boxes=lab.boxes, bridges=frozenset(bridges),
        masters=masters, detail=detail, fits=fits, glyphs=glyphs, machines=tuple(m.name for m in lab.machines),
    )  # fmt: skip


class _Arrangement:
    """Machines in rows between buses, for one Detail. `how` is "" (nodes above their LAN, the others below), "both"
    (nodes on both sides, when one row is too wide) or "flat" (all in one row, when two are too high)."""

    def __init__(self, plan: Plan, detail: Detail, how: str) -> None:
        self.plan, self.detail, self.how = plan, detail, how
        self.lans, self.bus, self.on = plan.lans, plan.bus, plan.on

    def build(self) -> Block:
        fold = self.plan.fold if self.detail.far == "fold" else None
        rows = self._rows(self.plan.near if fold is not None else self.plan.machines)
        blocks: dict[str, Block] = {}
        for index, row in enumerate(rows):
            for machine in row:
                blocks[machine.name] = self._machine(machine, index)
        return self._stack(rows, blocks, fold)

    def _rows(self, machines: Sequence[Machine]) -> list[list[Machine]]:
        """Row i stands above bus i; the last row stands below the last bus."""
        rows: list[list[Machine]] = [[] for _ in range(len(self.lans) + 1)]
        nodes: dict[int, list[Machine]] = {}
        for machine in machines:
            buses = sorted(self.on.get(machine.name, ()))
            if not buses or self.how == "flat":
                rows[0].append(machine)
            elif len(buses) > 1:
                rows[min(buses[0] + 1, len(self.lans))].append(machine)
            elif buses[0] and not self.lans[buses[0]].netns:  # at the end of a cable: beside the other end
                rows[buses[0]].append(machine)
            elif machine.role == "node" or (machine.children and machine.role == "host"):
                rows[buses[0]].append(machine)
                nodes.setdefault(buses[0], []).append(machine)
            else:
                rows[buses[0] + 1].append(machine)
        for bus, above in nodes.items():
            if self.how == "both" and len(above) > 1:
                keep = (len(above) + 1) // 2
                for machine in above[keep:]:
                    rows[bus].remove(machine)
                rows[bus + 1] = above[keep:] + rows[bus + 1]
        if len(self.lans) == 1 and not rows[0]:
            rows[0], rows[1] = rows[1], []
        return rows

    def _machine(self, machine: Machine, row: int) -> Block:
        """The machine's block, NICs towards their buses. A row's upper bus is `row - 1`."""
        ports = {
            d.key: self.bus[d.key] < row for s in machine.spaces() for d in s.devices if d.key in self.bus
        }
        below = bool(ports) and all(ports.values())
        if below:
            ports = dict.fromkeys(ports, False)
        block = MachineBlock(
            machine, self.detail, self.plan.wanted.spaces, self.plan.wanted.programs, self.plan.words, ports
        ).build()
        return block.mirrored() if below else block

    def _stack(self, rows: list[list[Machine]], blocks: dict[str, Block], fold: Block | None) -> Block:
        gap = self.detail.blank if self.detail.gap < 3 else 4
        out = Block()
        placed: list[tuple[Block, int, int, int]] = []  # block, x, y, row
        used = self._used(blocks)
        buses_y: list[int | None] = []
        y = 0
        fold_row = min(used) + 1 if used else next((i for i in range(len(rows)) if rows[i]), 0)
        for index, row in enumerate(rows):
            members = [blocks[m.name] for m in row]
            if fold is not None and index == fold_row:
                members.append(fold.mirrored() if index else fold)
            tall = max((b.h for b in members), default=0)
            above_bus = index < len(self.lans)
            total = sum(b.w for b in members) + gap * max(0, len(members) - 1)
            x = 0
            for block in members:
                # Stand on the bus below, or hang from the one above; between two buses both are reached by wires.
                low = above_bus and (index == 0 or any(not top for _, top in block.pins.values()))
                placed.append((block, x, y + (tall - block.h if low else 0), index))
                x += block.w + gap
            out.w = max(out.w, total)
            y += tall
            if above_bus:
                buses_y.append(y if index in used else None)
                y += index in used
        out.h = max(1, y)
        self._centre(placed, out.w)
        for block, x, top, _ in placed:
            out.add(block, x, top)
        self._draw_buses(out, placed, buses_y, fold)
        return out

    def _used(self, blocks: Mapping[str, Block]) -> set[int]:
        """The LANs that something drawn is plugged into; a cable needs both its ends."""
        ends: dict[int, int] = {}
        for block in blocks.values():
            for name in block.pins:
                bus = self.bus.get(name) if isinstance(name, tuple) else None
                if bus is not None:
                    ends[bus] = ends.get(bus, 0) + 1
        return {bus for bus, count in ends.items() if self.lans[bus].netns or count > 1}

    def _centre(self, placed: list[tuple[Block, int, int, int]], width: int) -> None:
        """Narrow rows stand in the middle of the widest one."""
        for row in {p[3] for p in placed}:
            members = [i for i, p in enumerate(placed) if p[3] == row]
            used = max(placed[i][1] + placed[i][0].w for i in members)
            shift = (width - used) // 2
            for i in members:
                block, x, y, _ = placed[i]
                placed[i] = (block, x + shift, y, row)

    def _draw_buses(
        self,
        out: Block,
        placed: Iterable[tuple[Block, int, int, int]],
        buses_y: list[int | None],
        fold: Block | None,
    ) -> None:
        taps: list[list[tuple[int, Name, Point]]] = [[] for _ in self.lans]
        far = self.plan.ports
        for block, x, y, row in placed:
            for name, (px, top) in block.pins.items():
                bus = self.bus.get(name) if isinstance(name, tuple) else None
                if bus is not None:
                    taps[bus].append((x + px, name, (x + px, y if top else y + block.h - 1)))
            if fold is not None and self.lans and ("fold", "", "") in block.nodes:
                bus = min(max(row - 1, 0), len(self.lans) - 1)
                nx, ny = block.nodes[("fold", "", "")]
                taps[bus].append((x + nx, ("fold", "", ""), (x + nx, y + ny)))
        for index, lan in enumerate(self.lans):
            at = buses_y[index]
            if at is not None:
                self._draw_bus(out, lan, at, sorted(taps[index], key=lambda t: (t[0], repr(t[1]))), far)

    def _draw_bus(
        self, out: Block, lan: Lan, y: int, taps: list[tuple[int, Name, Point]], far: Mapping[Key, str]
    ) -> None:
        right = out.w - 1
        if not taps:
            return
        if lan.netns or len(taps) > 2:
            out.wires.append(Wire(((0, y), (right, y)), "lan", 3))
        else:
            out.wires.append(Wire(((taps[0][0], y), (taps[-1][0], y)), "wire", 1))
        joints: list[Name] = []
        for x, name, end in taps:
            out.wires.append(Wire((end, (x, y)), "wire", over=True))
            key: Name = ("joint-fold", lan.name, "")
            if isinstance(name, tuple) and name[0] == "dev":
                key = ("dev", lan.netns, far[name]) if lan.netns else ("cable", lan.name, name)
            out.nodes[key] = (x, y)
            out.join(name, key)
            joints.append(key)
        for one, two in itertools.pairwise(joints):
            out.join(one, two)
        if lan.netns:
            self._name_bus(out, lan, y, {x for x, _, _ in taps}, right)
            middle = joints[len(joints) // 2]
            for key in (("dev", lan.netns, lan.bridge), ("ns", lan.netns, "")):
                out.stands_for[key] = middle
            shown = {k for k in joints if isinstance(k, tuple)}
            for port, _ in lan.ports:
                if ("dev", lan.netns, port) not in shown:
                    out.stands_for[("dev", lan.netns, port)] = ("joint-fold", lan.name, "")

    @staticmethod
    def _name_bus(out: Block, lan: Lan, y: int, taken: set[int], right: int) -> None:
        """The LAN's name on its bus, where no wire ends: at the right end, else the widest free stretch."""
        text = f" {lan.name} "
        need = cell_len(text)
        starts = [right - need - 1, *range(2, max(2, right - need))]
        spot = next(
            (s for s in starts if s >= 0 and not any(s - 1 <= x <= s + need for x in taken)),
            max(0, right - need),
        )
        out.texts.append(Text(spot, y, ((text, "lan-name"),), need))

"""A drawing in its own coordinates, that can be moved, mirrored, and put on a canvas: boxes, texts, lines, and the
nodes and tracks on which a packet moves.

Rules. A block knows nothing of packets or rows. Mirroring turns it upside down (a machine below its LAN has its NIC
on top): boxes and lines turn, the lines of one text stay in reading order.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import field

from course.render.canvas import Canvas, Point
from course.render.glyphs import Glyphs
from engine.record import dataclass, replace

#: A named point of the drawing. Devices and namespaces use topology.Key; joints have names of their own.
Name = Hashable


@dataclass(slots=True)
class Box:
    x: int
    y: int
    w: int
    h: int
    title: str
    role: str
    title_role: str
    rounded: bool = True
    dashed: bool = False
    below: bool = False  # the title stands on the lower border
    shift: int = 0  # the title starts so much further right (a wire leaves where it would stand)


@dataclass(slots=True)
class Text:
    """`lines` from (x, y) down, each with its role, clipped to `width` cells."""

    x: int
    y: int
    lines: tuple[tuple[str, str], ...]
    width: int


@dataclass(slots=True)
class Wire:
    points: tuple[Point, ...]
    role: str
    weight: int = 1
    dashed: bool = False
    over: bool = False


@dataclass(slots=True)
class Block:
    """`pins` are where wires leave the block: name -> (x, at the top edge?)."""

    w: int = 0
    h: int = 0
    boxes: list[Box] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    nodes: dict[Name, Point] = field(default_factory=dict)
    tracks: list[tuple[Name, Name, tuple[Point, ...]]] = field(default_factory=list)
    pins: dict[Name, tuple[int, bool]] = field(default_factory=dict)
    stands_for: dict[Name, Name] = field(default_factory=dict)

    def join(self, a: Name, b: Name, *via: Point) -> None:
        """A track from a to b, straight or by the corners `via`."""
        self.tracks.append((a, b, (self.nodes[a], *via, self.nodes[b])))

    def mirrored(self) -> Block:
        """Upside down."""

        def turn(p: Point) -> Point:
            return (p[0], self.h - 1 - p[1])

        return Block(
            w=self.w,
            h=self.h,
            boxes=[replace(b, y=self.h - b.y - b.h, below=not b.below) for b in self.boxes],
            texts=[Text(t.x, self.h - t.y - len(t.lines), t.lines, t.width) for t in self.texts],
            wires=[Wire(tuple(map(turn, w.points)), w.role, w.weight, w.dashed, w.over) for w in self.wires],
            nodes={k: turn(p) for k, p in self.nodes.items()},
            tracks=[(a, b, tuple(map(turn, points))) for a, b, points in self.tracks],
            pins={k: (x, not top) for k, (x, top) in self.pins.items()},
            stands_for=dict(self.stands_for),
        )

    def add(self, other: Block, dx: int, dy: int) -> None:
        """Put another block into this one at (dx, dy)."""

        def move(p: Point) -> Point:
            return (p[0] + dx, p[1] + dy)

        self.boxes += [replace(b, x=b.x + dx, y=b.y + dy) for b in other.boxes]
        self.texts += [Text(t.x + dx, t.y + dy, t.lines, t.width) for t in other.texts]
        self.wires += [
            Wire(tuple(map(move, w.points)), w.role, w.weight, w.dashed, w.over) for w in other.wires
        ]
        self.nodes.update({k: move(p) for k, p in other.nodes.items()})
        self.tracks += [(a, b, tuple(map(move, points))) for a, b, points in other.tracks]
        self.stands_for.update(other.stands_for)

    def draw(self, canvas: Canvas, glyphs: Glyphs) -> None:
        """Lines first, then words, so that a word is never cut by a line."""
        for b in self.boxes:
            canvas.box(b.x, b.y, b.w, b.h, b.role, rounded=b.rounded, dashed=b.dashed)
        for w in self.wires:
            canvas.line(w.points, w.role, weight=w.weight, dashed=w.dashed, over=w.over)
        for b in self.boxes:
            title = glyphs.clip(b.title, b.w - 6 - b.shift) if b.title else ""
            if title:
                y = b.y + b.h - 1 if b.below else b.y
                canvas.put(b.x + 2 + b.shift, y, f" {title} ", b.title_role)
        for t in self.texts:
            for i, (line, role) in enumerate(t.lines):
                canvas.put(t.x, t.y + i, glyphs.clip(line, t.width), role)

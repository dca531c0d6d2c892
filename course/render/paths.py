"""Where a packet is on a scene: places of a walk become points, and consecutive places a line of cells along wires.

Theory. The scene's tracks are a small graph of named points. A place is resolved to a name (a device, the seat of a
namespace, or what stands for it when it is folded); between two names the shortest way over the tracks is taken. A
bridge is crossed from port to port: the packet stops half way on the bar, where the bridge decides.

Rules. Every way is a list of neighbouring cells; what cannot be found stays where it is, so that an odd lab never
stops the player.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from course.render.block import Name
from course.render.canvas import Point
from course.render.layout import Scene
from course.render.topology import Key
from engine.linux.journey import Place

Path = tuple[Point, ...]


class Paths:
    """Answers for one scene; ways are kept once found."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self._near: dict[Name, list[tuple[int, Name, tuple[Point, ...]]]] = {}
        for a, b, points in scene.tracks:
            length = sum(abs(x2 - x1) + abs(y2 - y1) for (x1, y1), (x2, y2) in itertools.pairwise(points))
            self._near.setdefault(a, []).append((length, b, points))
            self._near.setdefault(b, []).append((length, a, points[::-1]))
        self._ways: dict[tuple[Name, Name], Path | None] = {}

    def name(self, place: Place) -> Name | None:
        """The name of the point where a place is drawn; None when nothing of it is drawn."""
        seat: Key = ("ns", place.netns, "")
        first: list[Name] = [("dev", place.netns, place.device)] if place.device else []
        for name in (*first, seat, ("box", self.scene.boxes.get(place.netns, place.node), "")):
            seen: set[Name] = set()
            while name not in self.scene.nodes and name in self.scene.stands_for and name not in seen:
                seen.add(name)
                name = self.scene.stands_for[name]
            if name in self.scene.nodes:
                return name
        return None

    def way(self, a: Name, b: Name) -> Path | None:
        """Cells from a to b, both included; None when no track joins them."""
        if (a, b) not in self._ways:
            self._ways[a, b] = self._search(a, b)
        return self._ways[a, b]

    def _search(self, a: Name, b: Name) -> Path | None:
        order = 0
        queue: list[tuple[int, int, Name, tuple[Point, ...]]] = [(0, order, a, (self.scene.nodes[a],))]
        done: set[Name] = set()
        while queue:
            cost, _, name, points = heapq.heappop(queue)
            if name == b:
                return trimmed(cells(points))
            if name in done:
                continue
            done.add(name)
            for length, other, track in self._near.get(name, ()):
                if other not in done:
                    order += 1
                    heapq.heappush(queue, (cost + length, order, other, points + track[1:]))
        return None

    def stops(self, places: Sequence[Place]) -> list[Path]:
        """For each place the cells from the place before it to its own, both included; the first is one cell."""
        names = [self.name(p) for p in places]
        out: list[Path] = []
        at: Point | None = None
        i = 0
        while i < len(places):
            crossing = self._crossing(places, names, i)
            if crossing is not None and at is not None:
                half = max(1, len(crossing) // 2)
                out += [crossing[: half + 1], crossing[half:]]
                at = crossing[-1]
                i += 2
                continue
            path = self._step(at, names[i - 1] if i else None, names[i])
            out.append(path)
            at = path[-1] if path else at
            i += 1
        return out

    def _crossing(self, places: Sequence[Place], names: Sequence[Name | None], i: int) -> Path | None:
        """The way over a bridge, if place i is a bridge between two of its ports (or half folded ones)."""
        if not 0 < i < len(places) - 1 or places[i].direction or not places[i].device:
            return None
        bridge: Key = ("dev", places[i].netns, places[i].device)
        if bridge not in self.scene.bridges:
            return None
        before, after = places[i - 1], places[i + 1]
        ends = [self.scene.masters.get(("dev", p.netns, p.device)) for p in (before, after)]
        if ends != [bridge, bridge]:
            return None
        a, b = names[i - 1], names[i + 1]
        return None if a is None or b is None else self.way(a, b)

    def _step(self, at: Point | None, before: Name | None, now: Name | None) -> Path:
        if now is None:
            return (at,) if at is not None else ()
        here = self.scene.nodes[now]
        if at is None or before is None:
            return (here,)
        way = self.way(before, now)
        if way is None:
            return trimmed(cells((at, (here[0], at[1]), here)))
        if way[0] != at:  # the last stop was half way on a bar
            way = trimmed(cells((at, (way[0][0], at[1]), way[0]))[:-1] + way)
        return way


def cells(points: Sequence[Point]) -> Path:
    """Every cell of an orthogonal polyline, each once per visit."""
    out: list[Point] = [points[0]]
    for x2, y2 in points[1:]:
        x, y = out[-1]
        while (x, y) != (x2, y2):
            x, y = (x + (x2 > x) - (x2 < x), y) if x != x2 else (x, y + (y2 > y) - (y2 < y))
            out.append((x, y))
    return tuple(out)


def trimmed(path: Path) -> Path:
    """Without going out and back: a cell that comes again cuts the loop between."""
    out: list[Point] = []
    index: dict[Point, int] = {}
    for cell in path:
        if cell in index:
            for gone in out[index[cell] + 1 :]:
                del index[gone]
            del out[index[cell] + 1 :]
        else:
            index[cell] = len(out)
            out.append(cell)
    return tuple(out)

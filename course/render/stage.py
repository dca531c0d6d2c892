"""A film on a scene: the way of every beat, and one moment of it as cells over the picture.

Rules. Pure: (scene, film, playback) -> cells. The widget compares two answers and redraws only what differs. The
packet, its label, its shells, the trail behind it, flooded copies and end marks are drawn here and nowhere else.
"""

from __future__ import annotations

from rich.cells import cell_len

from course.render.canvas import Cell, Point, spread
from course.render.frames import Beat, Film
from course.render.layout import Scene
from course.render.paths import Path, Paths
from course.render.playback import Playback, over
from course.render.words import OUTCOME_WORDS, destination
from engine.linux.journey import Outcome, Place, StepKind
from engine.record import replace

Overlay = dict[Point, Cell]

#: Where a label may stand beside its packet: (dx of its near end, dy, grows to the right?), best first.
SIDES: tuple[tuple[int, int, bool], ...] = (
    (2, 0, True), (1, -1, True), (1, 1, True), (-2, 0, False),
    (-1, -1, False), (-1, 1, False), (2, -2, True), (2, 2, True), (-2, -2, False), (-2, 2, False), (6, 1, True),
    (6, -1, True), (-5, 1, False), (-5, -1, False), (2, -3, True), (2, 3, True), (-2, -3, False), (-2, 3, False),
)  # fmt: skip
OVER_TEXT, OVER_BOX, OVER_LINE, OUTSIDE = 12, 3, 1, 400


class Stage:
    """The ways of all beats on one scene."""

    def __init__(self, scene: Scene, film: Film) -> None:
        self.scene, self.film = scene, film
        self.paths = Paths(scene)
        self.ways: list[Path] = self._ways()
        self._ghosts: dict[int, list[Path]] = {}
        self._sides: dict[tuple[int, str], tuple[int, int, bool]] = {}

    def lengths(self) -> list[int]:
        return [len(way) for way in self.ways]

    def _ways(self) -> list[Path]:
        """Walk by walk, one place a run of beats at it (a hop that asked by ARP has two beats at one place)."""
        ways: list[Path] = [()] * len(self.film.beats)
        walks: dict[int, list[int]] = {}
        for i, beat in enumerate(self.film.beats):
            walks.setdefault(beat.walk, []).append(i)
        for members in walks.values():
            groups: list[list[int]] = []
            for i in members:
                if groups and self.film.beats[groups[-1][-1]].place == self.film.beats[i].place:
                    groups[-1].append(i)
                else:
                    groups.append([i])
            found = self.paths.stops([_standing(self.film.beats[g[-1]]) for g in groups])
            for group, path in zip(groups, found, strict=True):
                ways[group[0]] = path
                for i in group[1:]:
                    ways[i] = path[-1:]
        return ways

    def ghosts(self, index: int) -> list[Path]:
        """The ways of the copies that a bridge floods at this beat."""
        if index not in self._ghosts:
            self._ghosts[index] = [
                p for p in map(lambda g: self._ghost(index, g), self.film.beats[index].ghosts) if p
            ]
        return self._ghosts[index]

    def _ghost(self, index: int, places: tuple[Place, ...]) -> Path:
        beat = self.film.beats[index]
        before = [
            b
            for b in self.film.beats[max(0, index - 3) : index]
            if b.walk == beat.walk and b.place != beat.place
        ]
        start = ([before[-1].place] if before else []) + [beat.place]
        steps = self.paths.stops([*start, *places])[len(start) - 1 :]
        flat: list[Point] = []
        for path in steps:
            flat += [cell for cell in path if not flat or cell != flat[-1]]
        here = self.ways[index][-1] if self.ways[index] else None
        return tuple(flat[flat.index(here) :] if here in flat else flat)

    # -- one moment -----------------------------------------------------------------------------------------------

    def position(self, playback: Playback) -> Point | None:
        """The cell where the packet is."""
        beat = playback.now
        way = self.ways[playback.beat] if beat is not None else ()
        if not way:
            return None
        return way[min(len(way) - 1, round(playback.way() * (len(way) - 1)))]

    def overlay(self, playback: Playback, lang: str) -> Overlay:
        """Everything that moves, at this moment."""
        beat = playback.now
        here = self.position(playback)
        if beat is None or here is None:
            return {}
        out: Overlay = {}
        self._trail(out, playback, beat, here)
        self._copies(out, playback)
        self._packet(out, playback, beat, here, lang)
        return out

    def _trail(self, out: Overlay, playback: Playback, beat: Beat, here: Point) -> None:
        role = "trail-back" if beat.answer else "trail"
        cells: list[Point] = []
        for i in range(playback.beat, -1, -1):
            other = self.film.beats[i]
            if other.walk != beat.walk:
                if other.way == "aside" and other.number == beat.number and beat.way != "aside":
                    continue
                break
            way = self.ways[i]
            if i == playback.beat and here in way:
                way = way[: way.index(here) + 1]
            cells = [*way, *cells]
        for i, (x, y) in enumerate(cells):
            if not (0 <= y < self.scene.height and 0 <= x < self.scene.width):
                continue
            text = self.scene.rows[y][x][0]
            if text == " ":
                text = self._bend(cells, i)
            elif text == "" or text.isalnum():
                continue
            out[x, y] = (text, role)

    def _bend(self, cells: list[Point], i: int) -> str:
        """The line that the trail itself draws where there is no wire (inside a namespace)."""
        sides = [0, 0, 0, 0]
        for other in (cells[i - 1] if i else None, cells[i + 1] if i + 1 < len(cells) else None):
            if other is None:
                continue
            dx, dy = other[0] - cells[i][0], other[1] - cells[i][1]
            if abs(dx) + abs(dy) == 1:
                sides[0 if dy < 0 else 2 if dy > 0 else 1 if dx > 0 else 3] = 1
        a, b, c, d = sides
        if not any(sides):
            return " "
        if (a or c) and not (b or d):
            a = c = 1
        if (b or d) and not (a or c):
            b = d = 1
        return self.scene.glyphs.line((a, b, c, d))

    def _copies(self, out: Overlay, playback: Playback) -> None:
        shown = [(playback.beat, playback.ghosts())]
        if playback.beat and self.film.beats[playback.beat - 1].walk == self.film.beats[playback.beat].walk:
            shown.append((playback.beat - 1, 1.0))
        for index, part in shown:
            if part <= 0:
                continue
            for way in self.ghosts(index):
                at = min(len(way) - 1, round(part * (len(way) - 1)))
                for x, y in way[:at]:
                    text = self.scene.rows[y][x][0]
                    if text not in (" ", "") and not text.isalnum() and (x, y) not in out:
                        out[x, y] = (text, "ghost-trail")
                out[way[at]] = (self.scene.glyphs.ghost, "ghost")

    def _packet(self, out: Overlay, playback: Playback, beat: Beat, here: Point, lang: str) -> None:
        g = self.scene.glyphs
        ended = beat.ends if playback.way() >= 1.0 and over(playback) else None
        bad = ended is not None and ended not in GOOD
        step = beat.moments[playback.shown()].step
        role = "stopped" if bad else "answer" if beat.answer else "packet"
        mark = g.stopped if bad else g.answer if beat.answer else g.packet
        text = destination(
            step.before if playback.way() < 1.0 else step.after or step.before or beat.after
        ).text(lang)
        if ended is not None and bad:
            text = f"{g.stopped} {OUTCOME_WORDS[ended]().text(lang)}"
        elif ended is not None:
            text = f"{g.ok} {text}"
        self._tag(
            out,
            playback.beat,
            here,
            f" {text} ",
            "tag-stopped" if bad else "tag-back" if beat.answer else "tag",
        )
        x, y = here
        for level, (left, right) in enumerate(g.shells[: beat.depth], 1):
            self._put(out, x - level, y, left, role)
            self._put(out, x + level, y, right, role)
        out[here] = (mark, role)

    def _tag(self, out: Overlay, beat: int, here: Point, text: str, role: str) -> None:
        if not text.strip():
            return
        width = cell_len(text)
        key = (beat, text)
        if key not in self._sides:
            self._sides[key] = self._best_side(beat, width)
        dx, dy, right = self._sides[key]
        x = here[0] + dx if right else here[0] + dx - width + 1
        y = here[1] + dy
        y = y if 0 <= y < self.scene.height else here[1] - dy
        if dy or right:
            x = max(0, min(x, self.scene.width - width))
        if y == here[1] and x <= here[0] < x + width:
            y = here[1] - 1 if here[1] else here[1] + 1
        for i, cell in enumerate(spread(text, role)):
            self._put(out, x + i, y, *cell)

    def _best_side(self, beat: int, width: int) -> tuple[int, int, bool]:
        """The side where the label hides least, judged where the packet will stand and half way there."""
        way = self.ways[beat]
        spots = {way[-1], way[len(way) // 2]}
        ahead = set(self.ways[beat + 1]) if beat + 1 < len(self.ways) else set()
        costs: list[int] = []
        for rank, (dx, dy, right) in enumerate(SIDES):
            cost = rank
            for x, y in spots:
                start = x + dx if right else x + dx - width + 1
                cost += sum(self._cost(start + i, y + dy, ahead) for i in range(width)) * (
                    3 if (x, y) == way[-1] else 1
                )
            costs.append(cost)
        return SIDES[costs.index(min(costs))]

    def _cost(self, x: int, y: int, ahead: set[Point]) -> int:
        if not (0 <= x < self.scene.width and 0 <= y < self.scene.height):
            return OUTSIDE
        text, role = self.scene.rows[y][x]
        if (x, y) in ahead:
            return OVER_LINE
        if text == " ":
            return 0
        return OVER_TEXT if role in TEXT_ROLES else OVER_BOX if role in BOX_ROLES else OVER_LINE

    def _put(self, out: Overlay, x: int, y: int, text: str, role: str) -> None:
        if 0 <= x < self.scene.width and 0 <= y < self.scene.height:
            out[x, y] = (text, role)


def _standing(beat: Beat) -> Place:
    """Where a beat is drawn: a packet that reaches its socket at a device goes on to the programs' seat."""
    if beat.place.device and any(m.step.kind is StepKind.SOCKET for m in beat.moments):
        return replace(beat.place, device="", program="socket", direction="")
    return beat.place


GOOD = frozenset({Outcome.DELIVERED})
TEXT_ROLES = frozenset({"dev", "addr", "end", "down", "program", "ns-name", "node-name", "lan-name", "fold"})
BOX_ROLES = frozenset({"node", "host", "router", "ns"})

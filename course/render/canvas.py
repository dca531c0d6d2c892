"""A grid of terminal cells with text, boxes and joined lines.

Rules. A cell is (text, role). A wide letter (Hangul) fills two cells: its own and a "second half" whose text is
empty, so that nothing can cut it in two unseen. Lines are kept as weights to their four sides and become glyphs
only in `cells()`, so that every joint is right however lines were drawn. Roles are words; colours come later.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import field

from rich.cells import cell_len, get_character_cell_size

from course.render.glyphs import Glyphs, Sides
from engine.record import dataclass

Cell = tuple[str, str]
Point = tuple[int, int]
BLANK: Cell = (" ", "")
SECOND_HALF = ""


@dataclass(slots=True)
class _Line:
    sides: list[int]
    role: str
    rounded: bool = False
    dashed: bool = False


@dataclass(slots=True)
class Canvas:
    """`width` x `height` cells; what is drawn outside is left out."""

    width: int
    height: int
    _texts: dict[Point, Cell] = field(default_factory=dict)
    _lines: dict[Point, _Line] = field(default_factory=dict)

    def put(self, x: int, y: int, text: str, role: str) -> int:
        """Write `text` from (x, y) on; returns the number of cells that it takes. Later text wins."""
        start = x
        for letter in text:
            size = get_character_cell_size(letter)
            if size == 0:
                continue
            if 0 <= y < self.height and x >= 0 and x + size <= self.width:
                self._clear(x, y)
                self._texts[(x, y)] = (letter, role)
                if size == 2:
                    self._clear(x + 1, y)
                    self._texts[(x + 1, y)] = (SECOND_HALF, role)
            x += size
        return x - start

    def _clear(self, x: int, y: int) -> None:
        old = self._texts.pop((x, y), None)
        if old is None:
            return
        if old[0] == SECOND_HALF:
            self._texts[(x - 1, y)] = (" ", old[1])
        elif get_character_cell_size(old[0]) == 2:
            self._texts[(x + 1, y)] = (" ", old[1])

    def line(
        self, points: Sequence[Point], role: str, *, weight: int = 1, dashed: bool = False, over: bool = False
    ) -> None:
        """An orthogonal polyline. It joins every line that it meets; `over` passes upright over flat ones instead."""
        for (x1, y1), (x2, y2) in itertools.pairwise(points):
            if x1 != x2 and y1 != y2:
                raise ValueError(f"not orthogonal: {(x1, y1)} to {(x2, y2)}")
            dx, dy = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
            x, y = x1, y1
            while (x, y) != (x2, y2):
                self._side(x, y, dx, dy, role, weight, dashed, over and (x, y) not in points)
                x, y = x + dx, y + dy
                self._side(x, y, -dx, -dy, role, weight, dashed, over and (x, y) not in points)

    def _side(
        self, x: int, y: int, dx: int, dy: int, role: str, weight: int, dashed: bool, over: bool
    ) -> None:
        if not (0 <= x < self.width and 0 <= y < self.height):
            return
        line = self._lines.get((x, y))
        if line is None or (
            over and dy and (line.sides[1] or line.sides[3]) and not (line.sides[0] or line.sides[2])
        ):
            line = self._lines[(x, y)] = _Line([0, 0, 0, 0], role, dashed=dashed)
        side = 0 if dy < 0 else 2 if dy > 0 else 1 if dx > 0 else 3
        line.sides[side] = max(line.sides[side], weight)
        line.dashed = line.dashed and dashed

    def box(
        self, x: int, y: int, w: int, h: int, role: str, *, rounded: bool = True, dashed: bool = False
    ) -> None:
        """A box of `w` x `h` cells, borders included."""
        x2, y2 = x + w - 1, y + h - 1
        self.line([(x, y), (x2, y), (x2, y2), (x, y2), (x, y)], role, dashed=dashed)
        for corner in ((x, y), (x2, y), (x2, y2), (x, y2)):
            if corner in self._lines:
                self._lines[corner].rounded = rounded

    def is_text(self, x: int, y: int) -> bool:
        return self._texts.get((x, y), BLANK)[0] != " "

    def is_line(self, x: int, y: int) -> bool:
        return (x, y) in self._lines

    def cells(self, glyphs: Glyphs) -> tuple[tuple[Cell, ...], ...]:
        """The finished rows, each exactly `width` cells."""
        rows: list[tuple[Cell, ...]] = []
        for y in range(self.height):
            row: list[Cell] = []
            for x in range(self.width):
                text = self._texts.get((x, y))
                if text is not None:
                    row.append(text)
                    continue
                line = self._lines.get((x, y))
                if line is None:
                    row.append(BLANK)
                else:
                    a, b, c, d = line.sides
                    sides: Sides = (a, b, c, d)
                    row.append((glyphs.line(sides, rounded=line.rounded, dashed=line.dashed), line.role))
            rows.append(tuple(row))
        return tuple(rows)


def over(row: Sequence[Cell], changes: dict[int, Cell]) -> list[Cell]:
    """A row with some cells replaced. A wide letter of which only one half is replaced becomes a blank."""
    out = list(row)
    for x, (text, role) in changes.items():
        if not 0 <= x < len(out):
            continue
        if out[x][0] == SECOND_HALF and x > 0 and x - 1 not in changes:
            out[x - 1] = (" ", out[x - 1][1])
        if x + 1 < len(out) and out[x + 1][0] == SECOND_HALF and x + 1 not in changes:
            out[x + 1] = (" ", out[x + 1][1])
        out[x] = (text, role)
    for x, (text, role) in enumerate(out):
        if (text == SECOND_HALF and (x == 0 or get_character_cell_size((out[x - 1][0] or " ")[-1]) != 2)) or (
            text
            and get_character_cell_size(text[-1]) == 2
            and (x + 1 == len(out) or out[x + 1][0] != SECOND_HALF)
        ):
            out[x] = (" ", role)
    return out


def spread(text: str, role: str) -> list[Cell]:
    """A text as cells, second halves included."""
    out: list[Cell] = []
    for letter in text:
        size = get_character_cell_size(letter)
        if size:
            out.append((letter, role))
        if size == 2:
            out.append((SECOND_HALF, role))
    return out


def runs(row: Sequence[Cell]) -> list[tuple[str, str]]:
    """A row as (text, role) runs: what a Strip is made of. The cell widths of the texts add up to the row's length."""
    out: list[tuple[str, str]] = []
    for text, role in row:
        if out and out[-1][1] == role:
            out[-1] = (out[-1][0] + text, role)
        else:
            out.append((text, role))
    return out


def text_of(row: Sequence[Cell]) -> str:
    """A row as plain text (tests and the plain mode)."""
    return "".join(text for text, _ in row)


def width_of(row: Sequence[Cell]) -> int:
    return sum(cell_len(text) for text, _ in row)

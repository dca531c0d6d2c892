"""Text that is laid out for the width it gets: tables whose cells wrap, lines that go on under their beginning.

Theory. Textual wraps a Content line by line, so the rest of a long line starts at the edge, where it looks like a line
of its own. A widget knows its width only in layout: `Fitted` is a Visual that asks for its Content with that width.

Rules. Pure functions of text and width; `make` is asked once per width.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.content import Content
from textual.visual import RenderOptions, Visual

if TYPE_CHECKING:
    from textual.css.styles import RulesMap
    from textual.strip import Strip
    from textual.style import Style

#: cells between two columns of a table, and the least that a column is narrowed to
GAP, LEAST = 2, 8


class Fitted(Visual):
    """What `make(width)` gives; None stands for as wide as it likes."""

    def __init__(self, make: Callable[[int | None], Content]) -> None:
        self.make = lru_cache(maxsize=4)(make)

    def __str__(self) -> str:
        return str(self.make(None))

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return self.make(None).get_optimal_width(rules, container_width)

    def get_minimal_width(self, rules: RulesMap) -> int:
        return self.make(None).get_minimal_width(rules)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.make(width).get_height(rules, width)

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        return self.make(width).render_strips(width, height, style, options)


def hang(text: Content, width: int | None, indent: int) -> Content:
    """Each line wrapped to `width` cells; what goes on from a line stands `indent` cells in."""
    if width is None or width <= indent + LEAST:
        return text
    out: list[Content] = []
    for line in text.split("\n", allow_blank=True):
        if cell_len(line.plain) <= width:
            out.append(line)
            continue
        first = line.wrap(width)[0]
        out.append(first)
        rest = line[len(first.plain) :]
        rest = rest[len(rest.plain) - len(rest.plain.lstrip(" ")) :]
        out += [Content.assemble(" " * indent, more) for more in rest.wrap(width - indent)]
    return Content("\n").join(out)


def narrowed(widths: Sequence[int], width: int | None) -> list[int]:
    """The widths of a table's columns so that it fits: the widest gives way first."""
    out = list(widths)
    room = None if width is None else width - GAP * (len(out) - 1)
    while room is not None and sum(out) > room and max(out) > LEAST:
        out[out.index(max(out))] -= 1
    return out


def table(rows: Sequence[Sequence[Content]], width: int | None) -> Content:
    """Columns `GAP` cells apart, the first row in bold; a cell that is too wide wraps inside its column."""
    columns = max(map(len, rows))
    widths = narrowed([max(cell_len(r[i].plain) for r in rows if i < len(r)) for i in range(columns)], width)
    lines: list[Content] = []
    for number, row in enumerate(rows):
        cells = [
            (c.stylize("bold") if number == 0 else c).wrap(max(w, 1))
            for c, w in zip(row, widths, strict=False)
        ]
        for k in range(max(map(len, cells))):
            parts = [cell[k] if k < len(cell) else Content("") for cell in cells]
            padded = [
                Content.assemble(p, " " * (w - cell_len(p.plain)))
                for p, w in zip(parts, widths, strict=False)
            ]
            lines.append((Content(" " * GAP)).join(padded))
    return Content("\n").join(lines)

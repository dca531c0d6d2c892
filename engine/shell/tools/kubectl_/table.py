"""Columns as Go's tabwriter aligns them for kubectl: minimum width 6, three spaces between (cli-runtime/printers)."""

from __future__ import annotations

from collections.abc import Sequence


def table(rows: Sequence[Sequence[str]], *, minimum: int = 6, padding: int = 3) -> str:
    """Aligned lines, each ending in a newline. The last cell of a row is not padded."""
    if not rows:
        return ""
    columns = max(len(r) for r in rows)
    widths = [0] * columns
    for row in rows:
        for i, cell in enumerate(row[:-1]):
            widths[i] = max(widths[i], width(cell))
    out = []
    for row in rows:
        cells = [c + " " * (max(widths[i] + padding, minimum) - width(c)) for i, c in enumerate(row[:-1])]
        out.append("".join(cells) + row[-1] + "\n")
    return "".join(out)


def width(text: str) -> int:
    return len(text)


class Blocks:
    """The indented blocks of kubectl describe: tabwriter with padding 2, each run of lines with tabs aligned as Go
    does it, cells ended by a tab, a line without one breaking the column."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def put(self, level: int, text: str) -> None:
        """One or more lines at an indent of two spaces a level; cells are parted by tabs."""
        for line in text.split("\n"):
            self.lines.append("  " * level + line)

    def text(self) -> str:
        rows = [line.split("\t") for line in self.lines]
        widths = [[0] * len(r) for r in rows]
        align(rows, widths, 0, len(rows), 0)
        out = []
        for row, sizes in zip(rows, widths, strict=True):
            out.append("".join(c.ljust(sizes[i]) for i, c in enumerate(row[:-1])) + row[-1])
        return "\n".join(out) + "\n" if out else ""


def align(
    rows: list[list[str]], widths: list[list[int]], start: int, end: int, column: int, padding: int = 2
) -> None:
    """tabwriter.format: a column is a block of neighbouring lines that have a cell ended by a tab there."""
    at = start
    while at < end:
        if column >= len(rows[at]) - 1:
            at += 1
            continue
        stop = at
        size = 0
        while stop < end and column < len(rows[stop]) - 1:
            size = max(size, len(rows[stop][column]) + padding)
            stop += 1
        for row in range(at, stop):
            widths[row][column] = size
        align(rows, widths, at, stop, column + 1, padding)
        at = stop

"""Text in cells: a Hangul letter takes two. Used where a line must have an exact width."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.table import Table
from rich.text import Text


def clip(text: str, cells: int, mark: str = "…") -> str:
    """`text` in at most `cells` cells, ended with `mark` where something is missing."""
    if cell_len(text) <= cells:
        return text
    room = cells - cell_len(mark)
    return set_cell_size(text, room).rstrip() + mark if room > 0 else mark[: max(0, cells)]


def fill(text: str, cells: int, mark: str = "…") -> str:
    """`text` in exactly `cells` cells: clipped, or with blanks behind it."""
    return set_cell_size(clip(text, cells, mark), cells)


def led(lead: str, text: str) -> Table:
    """A line behind its key: what does not fit goes on under the text, not under the key. Hangul breaks at spaces."""
    row = Table.grid(expand=True)
    row.add_column(width=cell_len(lead), no_wrap=True)
    row.add_column(ratio=1)
    row.add_row(Text(lead, style="bold"), Text(text))
    return row

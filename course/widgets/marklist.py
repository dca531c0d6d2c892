"""A list in which several lines can be marked: `[x]` and `[ ]`, which any colour or none can show.

Rules. Space or Enter marks the line under the pointer, or takes the mark away. The marks are characters of the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.table import Table
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from course.text import led


class MarkList(OptionList):
    """`rows` are (id, text). `marked` holds the ids that are marked."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("space,enter", "mark", show=False)]

    def __init__(self, rows: Sequence[tuple[str, str]], *, id: str | None = None) -> None:
        self.rows = tuple(rows)
        self.marked: set[str] = set()
        super().__init__(*(Option(self._line(i), id=i) for i, _ in self.rows), id=id)

    def _line(self, id: str) -> Table:
        return led("[x] " if id in self.marked else "[ ] ", dict(self.rows)[id])

    def mark(self, ids: Sequence[str]) -> None:
        """Exactly these are marked."""
        self.marked = {i for i, _ in self.rows if i in ids}
        for i, _ in self.rows:
            self.replace_option_prompt(i, self._line(i))

    def toggle(self, at: int) -> None:
        id = self.rows[at][0]
        self.mark(sorted(self.marked ^ {id}))

    def action_mark(self) -> None:
        if self.highlighted is not None:
            self.toggle(self.highlighted)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click."""
        event.stop()
        self.toggle(event.option_index)

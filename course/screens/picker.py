"""A list that is filtered by typing and run by Enter: the help of a pane, and the palette of everything. And a question
with a few answers, each chosen by its own key.

Rules. It knows rows, not commands: who opens it says what a row does. The whole of it works by arrows, Enter and Esc;
in a Picker letters always go to the filter, so a Korean input method can be used to search Korean words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from course import words
from course.keys import alias
from course.text import led
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`key` is shown left, `text` beside it; `run` is called after the picker has closed (None: only to be read)."""

    key: str
    text: str
    run: Callable[[], None] | None = None


class Picker(ModalScreen[None]):
    """Shows rows under a filter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1", "close", show=False),
        Binding("down", "move(1)", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("pagedown", "move(10)", show=False),
        Binding("pageup", "move(-10)", show=False),
    ]
    DEFAULT_CSS = """
    Picker { align: center middle; }
    Picker #box {
        width: 76; max-width: 96%; height: 80%; max-height: 30; border: round $primary; background: $surface;
        padding: 0 1;
    }
    Picker Input, Picker Input:focus { border: none; height: 1; padding: 0; background: $panel; margin-bottom: 1; }
    Picker OptionList { border: none; background: $surface; height: 1fr; padding: 0; scrollbar-size-vertical: 1; }
    Picker OptionList > .option-list--option-highlighted {
        color: $block-cursor-foreground; background: $block-cursor-background; text-style: bold;
    }
    Picker #none { display: none; color: $text-muted; }
    """

    def __init__(self, title: str, rows: Sequence[Row], lang: str) -> None:
        super().__init__()
        self._title, self._rows, self._lang = title, list(rows), lang
        self._shown: list[Row] = list(rows)

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield Input(placeholder=words.TYPE_TO_FILTER().text(self._lang), id="filter")
            yield OptionList(id="rows")
            yield Static(words.NOTHING_FOUND().text(self._lang), id="none")

    def on_mount(self) -> None:
        self._fill("")
        self._begin()

    def _begin(self) -> None:
        """Put the focus where the rows are worked from."""
        self.query_one("#rows", OptionList).can_focus = False
        self.query_one("#filter", Input).focus()

    def _fill(self, text: str) -> None:
        parts = text.casefold().split()
        self._shown = [r for r in self._rows if all(p in f"{r.key} {r.text}".casefold() for p in parts)]
        width = max((cell_len(r.key) for r in self._rows), default=0)
        rows = self.query_one("#rows", OptionList)
        rows.clear_options()
        for row in self._shown:
            rows.add_option(Option(led(row.key + " " * (width - cell_len(row.key) + 2), row.text)))
        if self._shown:
            rows.highlighted = 0
        self.query_one("#none").display = not self._shown

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._fill(event.value)

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self._choose(self.query_one("#rows", OptionList).highlighted)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self._choose(event.option_index)

    def _choose(self, index: int | None) -> None:
        run = self._shown[index].run if index is not None and index < len(self._shown) else None
        self.dismiss()
        if run is not None:
            self.app.call_after_refresh(run)

    def action_move(self, by: int) -> None:
        rows = self.query_one("#rows", OptionList)
        if rows.option_count:
            at = rows.highlighted or 0
            rows.highlighted = max(0, min(rows.option_count - 1, at + by))

    def action_close(self) -> None:
        self.dismiss()


class Asked(Picker):
    """A question: no filter, no more room than its answers need; the key of a row chooses it."""

    DEFAULT_CSS = """
    Asked #box { height: auto; max-height: 90%; padding: 1 1; }
    Asked OptionList, Asked OptionList:focus { height: auto; max-height: 20; border: none; }
    """

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield OptionList(id="rows")
            yield Static(id="none")

    def _begin(self) -> None:
        self.query_one("#rows", OptionList).focus()

    def on_key(self, event: events.Key) -> None:
        for index, row in enumerate(self._rows):
            if event.character and event.character in (row.key, alias(row.key)):
                event.stop()
                self._choose(index)
                return

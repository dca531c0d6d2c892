"""A question for one number, over any screen. Enter gives it back, Esc gives None."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input


class NumberPrompt(ModalScreen[int | None]):
    """Asks for a number from 0 to 999999."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "cancel", show=False)]
    DEFAULT_CSS = """
    NumberPrompt { align: center middle; }
    NumberPrompt #box { width: 40; height: 3; border: round $primary; background: $surface; padding: 0 1; }
    NumberPrompt Input, NumberPrompt Input:focus { border: none; height: 1; padding: 0; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._title
            yield Input(type="integer", max_length=6)

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        self.dismiss(int(event.value) if event.value.isdigit() else None)

    def action_cancel(self) -> None:
        self.dismiss(None)

"""An editor over any screen: what `vi FILE`, `nano FILE` and `kubectl edit` open in the lab's terminal.

Rules. It gives back the text to save, or None. It knows no lab. Esc leaves without saving, but not by accident: with
unsaved changes it says so first and a second Esc leaves.
"""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import TextArea

from course import words_lesson as words


class Editor(ModalScreen[str | None]):
    """Shows `text` under the name of its file."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2,ctrl+s,ctrl+ㄴ", "save", show=False, priority=True),
        Binding("escape", "leave", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Editor { align: center middle; }
    Editor #box { width: 96%; height: 92%; border: round $accent; background: $surface; }
    Editor TextArea, Editor TextArea:focus { border: none; padding: 0; background: $surface; }
    """

    def __init__(self, name: str, text: str, lang: str) -> None:
        super().__init__()
        self._file, self._text, self._lang = name, text, lang
        self._warned = False

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = self._file.replace("[", r"\[")
            box.border_subtitle = words.EDITOR_KEYS().text(self._lang)
            area = TextArea(self._text, soft_wrap=False, show_line_numbers=True, tab_behavior="indent")
            area.indent_width = 2
            yield area

    def on_mount(self) -> None:
        self.query_one(TextArea).focus()

    def on_text_area_changed(self) -> None:
        if self._warned:
            self._warned = False
            self.query_one("#box").border_subtitle = words.EDITOR_KEYS().text(self._lang)

    def action_save(self) -> None:
        self.dismiss(self.query_one(TextArea).text)

    def action_leave(self) -> None:
        if self.query_one(TextArea).text == self._text or self._warned:
            self.dismiss(None)
            return
        self._warned = True
        self.query_one("#box").border_subtitle = words.EDITOR_UNSAVED().text(self._lang)

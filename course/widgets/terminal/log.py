"""The log of the lab's terminal: lines that keep their colours and wrap again when the width or the theme changes.

Rules. What was written is kept as (text, style) with the style's theme variables unresolved; RichLog only shows it.
Before the log has a width nothing is drawn, so that no line is wrapped for a pane that is not there yet.
"""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.widgets import RichLog

KEPT = 2000
Entry = tuple[str, str]


class Log(RichLog):
    """`put` adds a text. It never takes the focus; the terminal's keys scroll it."""

    can_focus = False

    def __init__(self) -> None:
        super().__init__(wrap=True, highlight=False, markup=False, min_width=10)
        self.entries: list[Entry] = []
        self._drawn = 0

    def on_mount(self) -> None:
        self.app.theme_changed_signal.subscribe(self, lambda _: self.draw())

    def put(self, text: str, style: str = "") -> None:
        self.entries.append((text, style))
        if len(self.entries) > KEPT:
            del self.entries[: KEPT // 10]
        if self._drawn:
            self._draw_one(text, style)

    def forget(self) -> None:
        """An empty log."""
        self.entries.clear()
        self.clear()

    def take(self) -> list[Entry]:
        """Everything that was written, for `bring`; the log is empty then."""
        entries, self.entries = self.entries, []
        self.clear()
        return entries

    def bring(self, entries: list[Entry]) -> None:
        """Show these, the last one in view."""
        self.entries = entries
        self.draw()

    def last(self) -> Entry | None:
        return self.entries[-1] if self.entries else None

    def plain_text(self) -> str:
        """Everything that was written, for tests."""
        return "\n".join(text for text, _ in self.entries)

    def on_resize(self, event: events.Resize) -> None:
        """RichLog has its own handler for the first size; this one comes beside it."""
        width = self.scrollable_content_region.width
        if width and width != self._drawn:
            self._drawn = width
            self.draw()

    def draw(self) -> None:
        """Write everything again, for this width and theme."""
        self.clear()
        if self._drawn:
            for text, style in self.entries:
                self._draw_one(text, style)

    def _draw_one(self, text: str, style: str) -> None:
        self.write(styled(text, style, self.app.theme_variables), width=self._drawn)


def styled(text: str, style: str, variables: dict[str, str]) -> Text:
    """A rich text with the theme's colours resolved."""
    words = []
    for word in style.split():
        if word.startswith("$"):
            colour = variables.get(word[1:], "").removeprefix("ansi_")
            words.append("" if colour == "default" else colour)
        else:
            words.append(word)
    return Text(text, style=" ".join(w for w in words if w))

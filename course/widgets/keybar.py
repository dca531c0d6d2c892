"""The key bar: what the keys do here, always on the last line. Help and Quit are never cut off.

Rules. It shows the commands of the focused pane and of the screen, by `Command.bar`; when the line is too narrow the
least important go first. It is one Static line: pure text from `fit`, so that it can be tested without a screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from course.commands import Command

GAP = 2


def unique(commands: Iterable[Command]) -> list[Command]:
    """The first command of every key, in order: the focused pane wins over the screen, the screen over the app."""
    seen: set[str] = set()
    out = []
    for command in commands:
        if command.bar and command.keys and command.keys[0] not in seen:
            seen.update(command.keys)
            out.append(command)
    return out


def fit(commands: Sequence[Command], width: int, lang: str, *, ascii: bool = False) -> list[tuple[str, str]]:
    """(key, label) pairs that fit into `width` cells; the highest `bar` stay, in their order; 9 stands at the end."""
    rows = [(c, c.key_text(ascii=ascii), c.label().text(lang)) for c in commands]
    rows.sort(key=lambda r: r[0].bar == 9)

    def size(rows: list[tuple[Command, str, str]]) -> int:
        return (
            sum(cell_len(k) + 1 + cell_len(label) for _, k, label in rows) + GAP * max(0, len(rows) - 1) + 1
        )

    while len(rows) > 1 and size(rows) > width:
        weakest = min(range(len(rows)), key=lambda i: (rows[i][0].bar, -i))
        del rows[weakest]
    return [(k, label) for _, k, label in rows]


class KeyBar(Static):
    """The last line of every screen."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def show(self, commands: Iterable[Command], lang: str, *, ascii: bool = False) -> None:
        self._rows = unique(commands)
        self._lang, self._ascii = lang, ascii
        self.redraw()

    def redraw(self) -> None:
        rows = getattr(self, "_rows", [])
        if not self.size.width:
            return
        parts: list[tuple[str, str] | str] = [" "]
        for i, (key, label) in enumerate(fit(rows, self.size.width, self._lang, ascii=self._ascii)):
            if i:
                parts.append(" " * GAP)
            parts += [(key, "bold $accent"), f" {label}"]
        self.update(Content.assemble(*parts), layout=False)

    def on_resize(self) -> None:
        self.redraw()


def pane_commands(widget: Widget | None) -> tuple[Command, ...]:
    """The commands of the focused widget and of the panes around it, innermost first."""
    out: list[Command] = []
    while widget is not None:
        if not widget.is_attached or widget is widget.screen:
            break
        out += getattr(widget, "ACTIONS", ())
        parent = widget.parent
        widget = parent if isinstance(parent, Widget) else None
    return tuple(out)

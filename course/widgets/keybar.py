"""The key bar: what the keys do here, always on the last line. Help and Quit are never cut off.

Rules. It shows the commands of the focused pane and of the screen, by `Command.bar`; when the line is too narrow the
least important go first. A pane whose keys depend on its state has `actions_now()` beside ACTIONS. It is
one Static line: pure text from `fit`, so that it can be tested without a screen. Asking by class name keeps TextArea
from being imported before somebody needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from course.commands import Command

GAP = 2


def unique(commands: Iterable[Command], *, typing: bool = False) -> list[Command]:
    """The first command of every key, in order: the focused pane wins over the screen, the screen over the app."""
    seen: set[str] = set()
    out = []
    for command in commands:
        keys = command.usable(typing=typing)
        if keys and keys[0] not in seen:
            seen.update(keys)
            if command.bar:
                out.append(command)
    return out


def fit(
    commands: Sequence[Command], width: int, lang: str, *, ascii: bool = False, typing: bool = False
) -> list[tuple[str, str]]:
    """(key, label) pairs that fit into `width` cells; the highest `bar` stay, in their order; 9 stands at the end."""
    rows = [(c, c.key_text(ascii=ascii, typing=typing), c.label().text(lang)) for c in commands]
    rows.sort(key=lambda r: r[0].bar == 9)

    def size(rows: list[tuple[Command, str, str]]) -> int:
        return (
            sum(cell_len(k) + 1 + cell_len(label) for _, k, label in rows) + GAP * max(0, len(rows) - 1) + 1
        )

    while len(rows) > 1 and size(rows) > width:
        weakest = min(range(len(rows)), key=lambda i: (rows[i][0].bar, -i))
        del rows[weakest]
    return [(k, label) for _, k, label in rows]


def types(widget: Widget | None) -> bool:
    """Is this a widget where letters are text?"""
    return any(c.__name__ in ("Input", "TextArea") for c in type(widget).__mro__)


class KeyBar(Static):
    """The last line of every screen."""

    DEFAULT_CSS = """
    KeyBar { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[Command] = []
        self._lang, self._ascii, self._typing = "en", False, False

    def show(
        self, commands: Iterable[Command], lang: str, *, ascii: bool = False, typing: bool = False
    ) -> None:
        self._rows = unique(commands, typing=typing)
        self._lang, self._ascii, self._typing = lang, ascii, typing
        self.redraw()

    def redraw(self) -> None:
        if not self.size.width:
            return
        pairs = fit(self._rows, self.size.width, self._lang, ascii=self._ascii, typing=self._typing)
        parts: list[tuple[str, str] | str] = [" "]
        for i, (key, label) in enumerate(pairs):
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
        now = getattr(widget, "actions_now", None)
        out += now() if now is not None else getattr(widget, "ACTIONS", ())
        parent = widget.parent
        widget = parent if isinstance(parent, Widget) else None
    return tuple(out)

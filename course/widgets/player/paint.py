"""Painted: a widget that draws (text, role) cells by its line API. Roles become colours here, and only here.

Rules. A role is a component class `player--ROLE`; its colour is a theme variable, so every theme works, 16 colours and
NO_COLOR too: shape and word say the same as the colour. Strips are cached until the style or the size changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

#: role -> its CSS. One accent for the packet, one for what changed, one for danger; everything else is quiet.
ROLES: dict[str, str] = {
    "node": "color: $foreground-muted;",
    "host": "color: $foreground-muted;",
    "router": "color: $foreground-muted;",
    "node-name": "color: $foreground; text-style: bold;",
    "ns": "color: $foreground-muted;",
    "ns-name": "color: $foreground;",
    "dev": "color: $foreground; text-style: bold;",
    "addr": "color: $foreground-muted;",
    "end": "color: $foreground-muted;",
    "down": "color: $foreground-muted; text-style: italic;",
    "wire": "color: $foreground-muted;",
    "bridge": "color: $foreground-muted;",
    "lan": "color: $foreground-muted;",
    "lan-name": "color: $foreground; text-style: bold;",
    "fold": "color: $foreground-muted;",
    "program": "color: $foreground; text-style: italic;",
    "packet": "color: $accent; text-style: bold;",
    "answer": "color: $accent; text-style: bold;",
    "trail": "color: $accent;",
    "trail-back": "color: $accent;",
    "ghost": "color: $accent;",
    "ghost-trail": "color: $accent;",
    "tag": "color: $accent; text-style: bold reverse;",
    "tag-back": "color: $accent; text-style: bold reverse;",
    "stopped": "color: $error; text-style: bold;",
    "tag-stopped": "color: $error; text-style: bold reverse;",
    "bar": "color: $foreground-muted;",
    "done": "color: $accent;",
    "title": "color: $foreground; text-style: bold;",
    "way": "color: $accent; text-style: bold;",
    "word": "color: $foreground-muted;",
    "value": "color: $foreground;",
    "layer": "color: $foreground-muted;",
    "changed": "color: $warning; text-style: bold;",
    "gone": "color: $foreground-muted;",
    "why": "color: $foreground;",
    "rule": "color: $foreground; text-style: bold;",
    "trust": "color: $foreground-muted; text-style: italic;",
    "row": "color: $foreground;",
    "aside": "color: $foreground-muted;",
    "here": "color: $accent; text-style: bold;",
    "divider": "color: $foreground-muted;",
    "head": "color: $foreground-muted;",
    "rail": "color: $foreground-muted;",
    "met": "color: $foreground; text-style: bold;",
    "passed": "color: $foreground-muted;",
    "unreached": "color: $foreground-muted;",
    "away": "color: $foreground-muted;",
    "now": "color: $accent; text-style: bold;",
    "chain": "color: $foreground-muted;",
}


class Painted(Widget):
    """Base of the player's own drawings. `lines` are shown from the top; a subclass may answer `spans(y)` itself."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"player--{role}" for role in ROLES}
    DEFAULT_CSS = "".join(f"Painted > .player--{role} {{ {css} }}\n" for role, css in ROLES.items())
    can_focus = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lang = "en"
        self.ascii = False
        self._lines: list[list[tuple[str, str]]] = []
        self._styles_by_role: dict[str, Style] = {}
        self._strips: dict[int, Strip] = {}

    def set_lines(self, lines: list[list[tuple[str, str]]]) -> None:
        """Show other lines; only those that differ are drawn again."""
        old, self._lines = self._lines, lines
        for y in range(max(len(old), len(lines))):
            if (old[y] if y < len(old) else None) != (lines[y] if y < len(lines) else None):
                self._strips.pop(y, None)
                self.refresh_row(y)

    def refresh_row(self, y: int) -> None:
        from textual.geometry import Region

        self.refresh(Region(0, y, self.size.width, 1))

    def style_of(self, role: str) -> Style:
        """The style of a role; "" is the widget's own."""
        found = self._styles_by_role.get(role)
        if found is None:
            ground = Style(bgcolor=self.rich_style.bgcolor)
            full = Style.null() if role not in ROLES else self.get_component_rich_style(f"player--{role}")
            found = ground + Style(color=full.color, bold=full.bold, italic=full.italic, reverse=full.reverse)
            self._styles_by_role[role] = found
        return found

    def notify_style_update(self) -> None:
        self._styles_by_role.clear()
        self._strips.clear()
        super().notify_style_update()

    def on_resize(self) -> None:
        self._strips.clear()

    def spans(self, y: int) -> Iterable[tuple[str, str]]:
        """The spans of one line of the widget."""
        return self._lines[y] if y < len(self._lines) else ()

    def strip(self, spans: Iterable[tuple[str, str]], width: int) -> Strip:
        """Spans as a strip of exactly `width` cells."""
        segments = [Segment(text, self.style_of(role)) for text, role in spans if text]
        length = sum(cell_len(s.text) for s in segments)
        return Strip(segments, length).adjust_cell_length(width, self.style_of(""))

    def render_line(self, y: int) -> Strip:
        found = self._strips.get(y)
        if found is None or found.cell_length != self.size.width:
            found = self._strips[y] = self.strip(self.spans(y), self.size.width)
        return found

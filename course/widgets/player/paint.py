"""Painted: a widget that draws (text, role) cells by its line API. Roles become colours here, and only here.

Rules. A role has a look, and a look is a component class `player--LOOK`; its colour is a theme variable, so every
theme works, 16 colours and NO_COLOR too: shape and word say the same as the colour. Looks are few because Textual
styles every component class of every widget again at each change. Strips are cached until the style or size changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

#: look -> its CSS. One accent for the packet, one for what changed, one for danger; everything else is quiet.
LOOKS: dict[str, str] = {
    "quiet": "color: $foreground-muted;",
    "name": "color: $foreground; text-style: bold;",
    "text": "color: $foreground;",
    "faint": "color: $foreground-muted; text-style: italic;",
    "program": "color: $foreground; text-style: italic;",
    "packet": "color: $accent; text-style: bold;",
    "trail": "color: $accent;",
    "tag": "color: $accent; text-style: bold reverse;",
    "stopped": "color: $error; text-style: bold;",
    "tag-stopped": "color: $error; text-style: bold reverse;",
    "changed": "color: $warning; text-style: bold;",
}

#: role -> its look
ROLES: dict[str, str] = {
    role: look
    for look, roles in (
        (
            "quiet",
            "node host router ns addr end wire bridge lan fold bar word layer gone aside divider head rail",
        ),
        ("quiet", "passed unreached away chain"),
        ("name", "node-name dev lan-name title rule met"),
        ("text", "ns-name value why row"),
        ("faint", "down trust"),
        ("program", "program"),
        ("packet", "packet answer way here now"),
        ("trail", "trail trail-back ghost ghost-trail done"),
        ("tag", "tag tag-back"),
        ("stopped", "stopped"),
        ("tag-stopped", "tag-stopped"),
        ("changed", "changed"),
    )
    for role in roles.split()
}


class Painted(Widget):
    """Base of the player's own drawings. `lines` are shown from the top; a subclass may answer `spans(y)` itself."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"player--{look}" for look in LOOKS}
    DEFAULT_CSS = "".join(f"Painted > .player--{look} {{ {css} }}\n" for look, css in LOOKS.items())
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
            look = ROLES.get(role)
            full = Style.null() if look is None else self.get_component_rich_style(f"player--{look}")
            # The terminal's own colours cannot be blended: there a quiet thing is dim.
            dim = True if self.app.current_theme.ansi and "muted" in ROLES.get(role, "") else None
            found = ground + Style(
                color=full.color, bold=full.bold, italic=full.italic, reverse=full.reverse, dim=dim
            )
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

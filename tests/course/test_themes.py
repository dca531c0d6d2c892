"""The themes: what is written can be read, on every ground."""

from __future__ import annotations

import pytest
from textual.app import App
from textual.color import Color

from course.themes import OWN

GROUNDS = ("background", "surface", "panel")
WRITTEN = ("foreground", "foreground-muted", "primary", "secondary", "accent", "warning", "error", "success")


def light(color: Color) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in color.normalized]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("theme", OWN, ids=lambda t: t.name)
async def test_every_role_can_be_read_on_every_ground(theme) -> None:  # type: ignore[no-untyped-def]
    app: App[None] = App()
    app.register_theme(theme)
    async with app.run_test():
        app.theme = theme.name
        colors = app.get_css_variables()
        for ground in GROUNDS:
            under = Color.parse(colors[ground])
            for role in WRITTEN:
                color = Color.parse(colors[role])
                over = under.blend(color, color.a)
                one, two = sorted((light(over), light(under)))
                assert (two + 0.05) / (one + 0.05) >= 4.5, f"{role} on {ground}"

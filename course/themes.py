"""The themes: dark, light, high contrast, and the terminal's own sixteen colours in dark and light.

Rules. Three roles carry meaning and every theme has them: accent (the packet), warning (what changed), error (danger).
No meaning hangs on colour alone, so any theme may make them equal. What is written has a contrast of 4.5 at least on
every ground of its theme, quiet words too (a test measures it).
"""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="k8snet-dark", primary="#7aa2c8", secondary="#8a93a6", accent="#4fd6be", warning="#e0af68", error="#f7768e",
    success="#9ece6a", foreground="#d5d9e3", background="#14171d", surface="#191d25", panel="#222734", dark=True,
)  # fmt: skip
LIGHT = Theme(
    name="k8snet-light", primary="#2f5f8f", secondary="#566072", accent="#006b60", warning="#875000", error="#b3123b",
    success="#336a19", foreground="#1d2330", background="#fbfaf7", surface="#f4f2ec", panel="#e8e5dc", dark=False,
    variables={"foreground-muted": "#566072"},
)  # fmt: skip
CONTRAST = Theme(
    name="k8snet-contrast", primary="#ffffff", secondary="#ffffff", accent="#00ffff", warning="#ffff00",
    error="#ff5555",
    success="#55ff55", foreground="#ffffff", background="#000000", surface="#000000", panel="#1a1a1a", dark=True,
)  # fmt: skip

OWN = (DARK, LIGHT, CONTRAST)
#: the order in which the theme key goes round; the ansi ones are Textual's own
ORDER = ("k8snet-dark", "k8snet-light", "k8snet-contrast", "ansi-dark", "ansi-light")

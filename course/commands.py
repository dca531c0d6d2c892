"""What a person can do on a screen: one table drives the keys, the key bar, the help and the palette.

Rules. A screen or a pane has `ACTIONS: ClassVar[tuple[Command, ...]]` and calls `bindings(ACTIONS)` for its
BINDINGS. A key on a letter gets its alias under the Korean two-set layout by itself. `bar` says how long a command
stays in the key bar when the terminal is narrow: 0 never, 9 always (Help and Quit). Labels are one or two words.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.binding import Binding, BindingType

from course.keys import aliases
from engine.record import dataclass
from engine.say import Phrase

#: key name -> how the bar shows it
SHOWN = {
    "enter": "Enter", "escape": "Esc", "space": "Space", "left": "←", "right": "→", "up": "↑", "down": "↓",
    "slash": "/", "question_mark": "?", "tab": "Tab", "shift+tab": "Shift+Tab", "home": "Home", "end": "End",
    "pageup": "PgUp", "pagedown": "PgDn", "plus": "+", "minus": "-", "full_stop": ".", "comma": ",",
}  # fmt: skip
#: the same without arrows, for the ASCII drawing set
ASCII_SHOWN = {"left": "Left", "right": "Right", "up": "Up", "down": "Down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`action` is Textual's action; `keys` its keys, the first one is shown; `shown` overrides that (two keys in one)."""

    action: str
    keys: tuple[str, ...]
    label: Phrase
    about: Phrase
    bar: int = 0
    shown: str = ""
    priority: bool = False

    def key_text(self, *, ascii: bool = False) -> str:
        if self.shown:
            text = self.shown
            return (
                text.replace("←", "Left").replace("→", "Right").replace("↑", "Up").replace("↓", "Down")
                if ascii
                else text
            )
        return key_text(self.keys[0], ascii=ascii) if self.keys else ""


def key_text(key: str, *, ascii: bool = False) -> str:
    """`ctrl+p` -> `^p`, `f1` -> `F1`, `enter` -> `Enter`."""
    if ascii and key in ASCII_SHOWN:
        return ASCII_SHOWN[key]
    if key in SHOWN:
        return SHOWN[key]
    if key.startswith("ctrl+"):
        return "^" + key[5:]
    if len(key) > 1 and key[0] == "f" and key[1:].isdigit():
        return key.upper()
    return key


def bindings(commands: Iterable[Command]) -> list[BindingType]:
    """The Textual bindings of a table; never shown by Textual's own footer."""
    return [
        Binding(aliases(*c.keys), c.action, c.label.en, show=False, priority=c.priority)
        for c in commands
        if c.keys
    ]

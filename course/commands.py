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
#: keys that write a character: where a line is typed, they are text
PRINTING = {
    "space", "slash", "question_mark", "plus", "minus", "full_stop", "comma", "number_sign",
    "left_square_bracket", "right_square_bracket",
}  # fmt: skip
#: the same without arrows, for the ASCII drawing set
ASCII_SHOWN = {"left": "Left", "right": "Right", "up": "Up", "down": "Down"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`action` is Textual's action; `keys` its keys: the first one is shown, or `shown` (two keys in one)."""

    action: str
    keys: tuple[str, ...]
    label: Phrase
    about: Phrase
    bar: int = 0
    shown: str = ""
    priority: bool = False

    def usable(self, *, typing: bool = False) -> tuple[str, ...]:
        """The keys that work now: while a line is typed, only those that write no character."""
        return tuple(k for k in self.keys if not prints(k)) if typing else self.keys

    def key_text(self, *, ascii: bool = False, typing: bool = False) -> str:
        """The key as it is shown; empty when none works."""
        keys = self.usable(typing=typing)
        if not keys:
            return ""
        if self.shown and keys[0] == self.keys[0]:
            text = self.shown
            for arrow, word in (("←", "Left"), ("→", "Right"), ("↑", "Up"), ("↓", "Down")):
                text = text.replace(arrow, word) if ascii else text
            return text
        return key_text(keys[0], ascii=ascii)


def prints(key: str) -> bool:
    """Does this key write a character where a line is typed?"""
    return len(key) == 1 or key in PRINTING


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

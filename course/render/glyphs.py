"""The two drawing sets: Unicode box drawing, and ASCII for terminals and fonts that lack it.

Rules. A line is kept as weights to its four sides (north, east, south, west: 0 none, 1 light, 2 heavy, 3 double);
the glyph is looked up here, in one place. Every glyph is one cell wide in Textual and tmux (TUI.md section 4).
Meaning is never carried by colour alone, so each mark has its own shape in both sets.
"""

from __future__ import annotations

from engine.record import dataclass

Sides = tuple[int, int, int, int]

_LIGHT = {
    (1, 0, 1, 0): "│", (0, 1, 0, 1): "─", (0, 1, 1, 0): "┌", (0, 0, 1, 1): "┐", (1, 1, 0, 0): "└", (1, 0, 0, 1): "┘",
    (1, 1, 1, 0): "├", (1, 0, 1, 1): "┤", (0, 1, 1, 1): "┬", (1, 1, 0, 1): "┴", (1, 1, 1, 1): "┼",
    (1, 0, 0, 0): "╵", (0, 1, 0, 0): "╶", (0, 0, 1, 0): "╷", (0, 0, 0, 1): "╴",
}  # fmt: skip
_HEAVY = {
    (0, 2, 0, 2): "━", (0, 2, 0, 0): "╺", (0, 0, 0, 2): "╸", (2, 0, 2, 0): "┃",
    (1, 2, 0, 2): "┷", (0, 2, 1, 2): "┯", (1, 2, 1, 2): "┿",
    (1, 2, 0, 0): "┕", (1, 0, 0, 2): "┙", (0, 2, 1, 0): "┍", (0, 0, 1, 2): "┑", (1, 2, 1, 0): "┝", (1, 0, 1, 2): "┥",
}  # fmt: skip
_DOUBLE = {
    (0, 3, 0, 3): "═", (0, 3, 0, 0): "═", (0, 0, 0, 3): "═",
    (1, 3, 0, 3): "╧", (0, 3, 1, 3): "╤", (1, 3, 1, 3): "╪",
    (1, 3, 0, 0): "╘", (1, 0, 0, 3): "╛", (0, 3, 1, 0): "╒", (0, 0, 1, 3): "╕", (1, 3, 1, 0): "╞", (1, 0, 1, 3): "╡",
}  # fmt: skip
_ROUND = {(0, 1, 1, 0): "╭", (0, 0, 1, 1): "╮", (1, 1, 0, 0): "╰", (1, 0, 0, 1): "╯"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One drawing set. `packet`, `answer`, `ghost` move; `met`, `passed`, `stopped` are the zoom's stages; `ok` and
    `stopped` end a walk; `arrow`, `gives`, `dot`, `cut` belong to text lines."""

    ascii: bool
    packet: str
    answer: str
    ghost: str
    met: str
    passed: str
    stopped: str
    unreached: str
    ok: str
    here: str
    arrow: str
    gives: str
    dot: str
    cut: str
    then: str
    down: str
    play: str
    pause: str
    slower: str
    faster: str
    shells: tuple[tuple[str, str], ...]
    changed: str = "*"

    def line(self, sides: Sides, *, rounded: bool = False, dashed: bool = False) -> str:
        """The glyph of one cell of a line. `dashed` is a wire whose end is down."""
        if self.ascii:
            return _ascii(sides, dashed)
        if dashed and sides in ((1, 0, 1, 0), (0, 1, 0, 1)):
            return "┆" if sides[0] else "┄"
        if rounded and sides in _ROUND:
            return _ROUND[sides]
        found = _LIGHT.get(sides) or _HEAVY.get(sides) or _DOUBLE.get(sides)
        return found or _LIGHT[(min(sides[0], 1), min(sides[1], 1), min(sides[2], 1), min(sides[3], 1))]

    def clip(self, text: str, width: int) -> str:
        """`text` in at most `width` cells, ended with the cut mark where something is missing."""
        from rich.cells import cell_len, set_cell_size

        if cell_len(text) <= width:
            return text
        if width <= 0:
            return ""
        return (set_cell_size(text, width - 1).rstrip() + self.cut) if width > 1 else self.cut

    def clip_middle(self, text: str, width: int) -> str:
        """`text` in at most `width` cells with its beginning and its last word: what is missing is missing between."""
        from rich.cells import cell_len

        head, _, last = text.rpartition(" ")
        if cell_len(text) <= width or not head or cell_len(last) > width - 8:
            return self.clip(text, width)
        return f"{self.clip(head, width - cell_len(last) - 1)} {last}"


def _ascii(sides: Sides, dashed: bool) -> str:
    upright, flat = bool(sides[0] or sides[2]), bool(sides[1] or sides[3])
    if upright and flat:
        return "+"
    if upright:
        return ":" if dashed else "|"
    if max(sides) >= 2:
        return "="
    return "." if dashed else "-"


UNICODE = Glyphs(
    ascii=False, packet="●", answer="◆", ghost="○", met="●", passed="○", stopped="✖", unreached="·", ok="✔",
    here="▸", arrow="→", gives="⇒", dot="·", cut="…", then="─▶", down="▾", play="▶", pause="▮▮", slower="◀", faster="▶",
    shells=(("(", ")"), ("[", "]"), ("{", "}")),
)  # fmt: skip
ASCII = Glyphs(
    ascii=True, packet="*", answer="#", ghost="o", met="*", passed="o", stopped="X", unreached=".", ok="+",
    here=">", arrow="->", gives="=>", dot="-", cut="~", then="->", down="v", play=">", pause="||", slower="<",
    faster=">", shells=(("(", ")"), ("[", "]"), ("{", "}")),
)  # fmt: skip


def glyphs(ascii: bool = False) -> Glyphs:
    return ASCII if ascii else UNICODE

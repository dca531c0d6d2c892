"""Keys that work under a Korean input method too.

Under the two-set (dubeolsik) layout the key `j` arrives as `ㅓ`, and ctrl+c may arrive as `ctrl+ㅊ`. Rules. Every
binding on a letter is written `aliases("j")`; a binding on an arrow, Enter, Esc, Space, Tab, a digit or an F-key needs
no alias. The table is the keyboard's own and complete: 26 letters, and the seven shifted ones that differ.
"""

from __future__ import annotations

#: The letter on a key -> the jamo that the two-set layout makes of it (KS X 5002).
TWO_SET: dict[str, str] = {
    "q": "ㅂ", "w": "ㅈ", "e": "ㄷ", "r": "ㄱ", "t": "ㅅ", "y": "ㅛ", "u": "ㅕ", "i": "ㅑ", "o": "ㅐ", "p": "ㅔ",
    "a": "ㅁ", "s": "ㄴ", "d": "ㅇ", "f": "ㄹ", "g": "ㅎ", "h": "ㅗ", "j": "ㅓ", "k": "ㅏ", "l": "ㅣ",
    "z": "ㅋ", "x": "ㅌ", "c": "ㅊ", "v": "ㅍ", "b": "ㅠ", "n": "ㅜ", "m": "ㅡ",
}  # fmt: skip
#: With Shift these give a jamo of their own; the other letters give the same one as without.
SHIFTED: dict[str, str] = {"Q": "ㅃ", "W": "ㅉ", "E": "ㄸ", "R": "ㄲ", "T": "ㅆ", "O": "ㅒ", "P": "ㅖ"}


def alias(key: str) -> str | None:
    """The same key under the two-set layout, or None where the layout changes nothing (`f1`, `space`, `3`)."""
    head, plus, letter = key.rpartition("+")
    if len(letter) != 1:
        return None
    jamo = TWO_SET.get(letter) or SHIFTED.get(letter)
    return None if jamo is None else head + plus + jamo


def aliases(*keys: str) -> str:
    """The keys of a `Binding`, each followed by its alias: `aliases("j", "down") -> "j,ㅓ,down"`."""
    out: list[str] = []
    for key in keys:
        out.append(key)
        other = alias(key)
        if other is not None:
            out.append(other)
    return ",".join(out)

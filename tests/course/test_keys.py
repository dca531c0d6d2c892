"""Keys under the Korean two-set layout."""

from __future__ import annotations

import string
import unicodedata

import pytest

from course.keys import TWO_SET, alias, aliases


def test_every_letter_has_its_own_jamo() -> None:
    assert sorted(TWO_SET) == list(string.ascii_lowercase)
    assert len(set(TWO_SET.values())) == 26
    assert all("HANGUL LETTER" in unicodedata.name(j) for j in TWO_SET.values())


@pytest.mark.parametrize(
    ("keys", "want"),
    [
        (("j",), "j,ㅓ"),
        (("ctrl+c",), "ctrl+c,ctrl+ㅊ"),
        (("j", "down"), "j,ㅓ,down"),
        (("f1",), "f1"),
        (("space",), "space"),
        (("3",), "3"),
        (("Q",), "Q,ㅃ"),
    ],
)
def test_aliases(keys: tuple[str, ...], want: str) -> None:
    assert aliases(*keys) == want


def test_what_has_no_alias() -> None:
    assert alias("enter") is None and alias("ctrl+f1") is None and alias("slash") is None

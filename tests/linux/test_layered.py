"""A dict in layers is a dict, whatever is done to it and to its copies."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.linux import layered
from engine.linux.layered import Layered, shared

VERBS = ["set", "del", "pop", "copy", "update", "default"]
STEPS = st.lists(
    st.tuples(st.sampled_from(VERBS), st.integers(0, 12), st.integers(0, 9)),
    max_size=60,
)  # fmt: skip


@given(st.dictionaries(st.integers(0, 9), st.integers(), max_size=10), STEPS)
@settings(max_examples=300, deadline=None)
def test_it_does_what_a_dict_does(begin: dict[int, int], steps: list[tuple[str, int, int]]) -> None:
    large, layered.LARGE = layered.LARGE, 2
    try:
        rows: list[tuple[dict[int, int], dict[int, int]]] = [(dict(begin), dict(begin))]
        for what, key, value in steps:
            mine, plain = rows[value % len(rows)]
            if what == "set":
                mine[key] = plain[key] = value
            elif what == "del" and key in plain:
                del mine[key], plain[key]
            elif what == "pop":
                assert mine.pop(key, None) == plain.pop(key, None)
            elif what == "update":
                mine.update({key: value, 20: 1})
                plain.update({key: value, 20: 1})
            elif what == "default":
                assert mine.setdefault(key, value) == plain.setdefault(key, value)
            elif what == "copy":
                at = value % len(rows)
                one, other = shared(mine)
                rows[at] = (one, plain)
                rows.append((other, dict(plain)))
            for mine, plain in rows:
                assert list(mine) == list(plain) and list(mine.items()) == list(plain.items())
                assert list(mine.values()) == list(plain.values()) and len(mine) == len(plain)
                assert mine == plain and bool(mine) == bool(plain)
                assert all((k in mine) == (k in plain) and mine.get(k) == plain.get(k) for k in range(14))
                assert {**mine} == plain and dict(mine) == plain and sorted(mine) == sorted(plain)
    finally:
        layered.LARGE = large


def test_small_dicts_stay_dicts() -> None:
    one, other = shared({1: 2})
    assert type(one) is dict and type(other) is dict and one is not other
    big = dict.fromkeys(range(layered.LARGE), 0)
    one, other = shared(big)
    assert isinstance(one, Layered) and isinstance(other, Layered)
    one[0] = 1
    assert other[0] == 0 and big[0] == 0

"""A trail reads as a list does, and its copies know nothing of each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.linux.trail import Trail

#: which of the trails acts, and what it does: None = make a copy, else append this
STEPS = st.lists(st.tuples(st.integers(0, 5), st.none() | st.integers(0, 9)), max_size=40)


@given(STEPS)
def test_copies_are_lists_of_their_own(steps: list[tuple[int, int | None]]) -> None:
    trails: list[Trail[int]] = [Trail([1, 2])]
    lists: list[list[int]] = [[1, 2]]
    for which, what in steps:
        at = which % len(trails)
        if what is None:
            trails.append(trails[at].copy())
            lists.append(list(lists[at]))
        else:
            trails[at].append(what)
            lists[at].append(what)
    for trail, rows in zip(trails, lists, strict=True):
        assert (len(trail), list(trail), trail[:], trail[-1]) == (len(rows), rows, rows, rows[-1])
        assert (trail[1:], trail[-3:], trail[5:2], trail[::-1], list(reversed(trail))) == (
            rows[1:], rows[-3:], rows[5:2], rows[::-1], rows[::-1])  # fmt: skip


def test_an_index_beyond_its_own_end_is_no_index() -> None:
    trail = Trail([1])
    other = trail.copy()
    other.append(2)
    try:
        trail[1]
    except IndexError:
        return
    raise AssertionError("another's row was given")

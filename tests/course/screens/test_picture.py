"""The course map's pictures: every ready lesson has one from 120x40 on, and it is no wider than its room."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from course.catalog import entries
from course.screens.picture import lab_picture

READY = [e for e in entries() if e.ready]
#: what the map leaves at 120x40 and at 160x50
ROOMS = [(72, 26), (112, 36)]


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("room", ROOMS, ids=str)
@pytest.mark.parametrize("entry", READY, ids=lambda e: e.id)
def test_every_lesson_has_its_picture(entry, room: tuple[int, int], lang: str) -> None:  # type: ignore[no-untyped-def]
    width, height = room
    picture = lab_picture(entry, width, height, lang=lang, ascii=False)
    assert picture is not None
    lines = picture.plain.split("\n")
    assert len(lines) <= height and max(map(cell_len, lines)) <= width


def test_what_does_not_fit_is_not_drawn() -> None:
    assert lab_picture(READY[0], 20, 4, lang="en", ascii=True) is None

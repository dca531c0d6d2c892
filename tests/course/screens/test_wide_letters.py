"""Hangul beside a moving packet: what is repainted never ends within a letter, or a terminal wipes it out."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.geometry import Region

from course.render.canvas import SECOND_HALF, spread
from course.widgets.player.scene import PlayerScene, stretches, whole
from tests.course.screens.sitting import sitting


def test_a_stretch_grows_to_whole_letters() -> None:
    row = [("┆", "fold"), (" ", ""), *spread("파드 +2", "fold"), (" ", "")]
    assert whole(row, 0, 1) == (0, 1)
    assert whole(row, 0, 2) == (0, 3)
    assert whole(row, 3, 4) == (2, 5)
    assert whole(row, 5, 9) == (4, 9)
    assert whole(row, -1, 40) == (-1, 40)


def test_cells_near_each_other_are_one_stretch() -> None:
    assert list(stretches([9, 1, 2, 5, 20])) == [(1, 9), (20, 20)]


@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_no_region_ends_within_a_letter(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sitting(tmp_path, size=size, lang="ko", lesson="07-networkpolicy") as s:
        await s.press("n", "s")
        await s.settled()
        await s.press("2", "space")
        await s.until(lambda: s.player.playing)
        scene = s.lesson.query_one(PlayerScene)
        cut: list[str] = []
        seen: list[Region] = []

        def refresh(*regions: Region, **_: object) -> PlayerScene:
            dx, dy = scene._origin
            for region in regions:
                row = scene._cells(region.y - dy)
                seen.append(region)
                for edge in (region.x - dx, region.right - dx):  # the first cell within, the first one behind
                    if 0 < edge < len(row) and row[edge][0] == SECOND_HALF:
                        cut.append(row[edge - 1][0])
            return scene

        monkeypatch.setattr(scene, "refresh", refresh)
        for _ in range(400):
            s.player.advance(0.05)
        assert seen and not cut
        drawn = scene.scene
        assert drawn is not None
        assert any(text == SECOND_HALF for row in drawn.rows for text, _ in row)
        for y in range(drawn.height):
            for x in range(drawn.width):
                scene._refresh_cells([(x, y)])
        assert not cut

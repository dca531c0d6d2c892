"""A comparison in the lesson: two players under one clock, at both sizes, in both languages."""

from __future__ import annotations

from pathlib import Path

import pytest

from course.widgets.beside import Beside
from course.widgets.blocks import PlayBlock
from tests.course.render.compared import where
from tests.course.screens.sitting import Sitting, sitting


async def opened(s: Sitting) -> Beside:
    _, (step, _) = where()
    s.lesson._step(step - s.lesson.step)
    await s.until(lambda: s.lesson.step == step)
    await s.settled()
    block = next(b for b in s.lesson.query(PlayBlock) if b.play.beside is not None)
    block.focus()
    await s.press("enter")
    await s.settled()
    await s.until(lambda: s.lesson.see.comparing and s.lesson.focused is s.lesson.see.beside)
    beside = s.lesson.see.beside
    assert beside is not None
    return beside


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
async def test_two_packets_move_hop_by_hop(tmp_path: Path, size: tuple[int, int], lang: str) -> None:
    async with sitting(tmp_path, size=size, lang=lang, lesson=where()[0]) as s:
        beside = await opened(s)
        assert beside.playing and beside.duet is not None
        await s.press("space", "home")
        await s.until(lambda: not beside.playing)
        one, two = beside.twins
        assert beside.has_class("stacked") is (size[0] < 110)
        assert (one.region.y < two.region.y) is (size[0] < 110)
        assert one.size.width >= 59 and one.view == two.view == ("ladder" if size[0] < 110 else "scene")
        await s.press("right", "right", "right")
        assert beside.duet.at == 2 and one.playback.beat == two.playback.beat == 2
        await s.press("end")
        await s.pilot.pause()
        assert all(t.playback.at_end for t in beside.twins)
        words = ("63 | 64", "172.17.0.2:80") if size[0] < 110 else ("172.17.0.2:80",)
        assert all(w in s.text() for w in words)
        before = s.lesson.see.tutor.lang
        await s.press("l")
        await s.settled()
        assert s.app.lang != before and s.lesson.focused is beside
        await s.press("escape")
        assert s.lesson.pane == "read" and not s.lesson.read.has_class("hidden")


async def test_its_keys_move_both_and_a_packet_of_ones_own_takes_its_place(tmp_path: Path) -> None:
    async with sitting(tmp_path, size=(120, 40), lesson=where()[0]) as s:
        beside = await opened(s)
        await s.press("v")
        await s.pilot.pause()
        assert {t.view for t in beside.twins} == {"ladder"}
        await s.press("z")
        assert all(t.zoomed for t in beside.twins)
        await s.press("z", "plus", "r")
        assert beside.speed == 2.0 and beside.playing and all(t.speed == 2.0 for t in beside.twins)
        assert beside.advance(1.0)
        await s.press("t")
        await s.until(lambda: s.line.has_focus)
        await s.type("ping -c1 172.17.0.2")
        await s.press("enter")
        await s.until(lambda: not s.lesson.see.comparing)
        assert not s.lesson.see.empty

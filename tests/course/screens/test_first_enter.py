"""The key that the bar names first works at once: Enter in the text, before anything was walked to."""

from __future__ import annotations

from pathlib import Path

from course.app import TutorApp
from course.screens.lesson.read import ReadPane
from tests.course.screens.sitting import sitting


async def test_enter_does_the_first_block_on_the_screen(tmp_path: Path) -> None:
    async with sitting(tmp_path, lang="ko", lesson="07-networkpolicy") as s:
        await s.press("n")
        await s.until(lambda: "2/10" in s.text() and "예측하고 재생" in s.text())
        await s.settled()
        assert "Enter" in s.bar
        assert not any(b.has_focus for b in s.lesson.query_one(ReadPane).blocks())
        await s.press("enter")
        await s.until(lambda: s.lesson.see.question is not None)


async def test_help_says_a_pair_of_keys_once(tmp_path: Path) -> None:
    async with sitting(tmp_path, lesson="01-containers") as s:
        assert isinstance(s.app, TutorApp)
        rows = s.app._rows(s.lesson)
        about = [row.text for row in rows if row.key in ("↑↓", "↑", "↓")]
        assert len(about) == len(set(about)) and any(row.key == "↑↓" for row in rows)

"""What is painted before the engine is there: the words of the step, and nothing of the engine's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from course.catalog import entries
from course.screens.lesson.first import first_words
from engine.grade.course import Course

READY = [e for e in entries() if e.ready]


@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("entry", READY, ids=lambda e: e.id)
def test_the_first_words_are_the_lessons_own(entry, lang: str) -> None:  # type: ignore[no-untyped-def]
    lesson = Course.load(entry.folder.parent).lesson(entry.id).lesson
    for number, step in enumerate(lesson.steps):
        words = first_words(entry.folder, number, lang)
        assert f"## {step.title.text(lang)}" in words
        assert (words[0] == lesson.opening(lang).strip()) is (number == 0)
        assert not any("```run" in w or "```play" in w or "```exercise" in w for w in words)
    assert first_words(entry.folder, 99, lang) == first_words(entry.folder, len(lesson.steps) - 1, lang)


def test_a_missing_file_has_no_words(tmp_path: Path) -> None:
    assert first_words(tmp_path, 0, "en") == []


def test_the_lesson_screen_does_not_wait_for_the_engine() -> None:
    code = (
        "import sys, course.screens.lesson\n"
        "print([m for m in sys.modules if m.startswith(('engine.lab', 'engine.grade', 'engine.shell', 'engine.kube'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

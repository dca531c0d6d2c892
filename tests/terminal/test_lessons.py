"""Each ready lesson, from the first key to the last exercise, in a real terminal; then a second sitting finds it all.

The first lesson is done at both sizes in both languages; the others once more each, so that every size and language has
its share of every kind of exercise.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from course.catalog import entries
from engine.grade.lesson import ExerciseRef, Play
from tests.terminal.learner import Learner, folder
from tests.terminal.tmux import Tmux

READY = [e for e in entries() if e.ready]
SIZES, LANGS = ((80, 24), (120, 40)), ("en", "ko")
PAIRS = [(size, lang) for size in SIZES for lang in LANGS]
#: lesson, size, language: the first lesson with every pair, the others with one that moves on from lesson to lesson
CASES = [(READY[0], *pair) for pair in PAIRS]
CASES += [(e, *PAIRS[(i + 1) % len(PAIRS)]) for i, e in enumerate(READY[1:])]


def name(case: object) -> str:
    return f"{case[0]}x{case[1]}" if isinstance(case, tuple) else getattr(case, "id", str(case))


@pytest.mark.needs("tmux")
@pytest.mark.parametrize(("entry", "size", "lang"), CASES, ids=name)
def test_a_lesson_by_keys(entry, size: tuple[int, int], lang: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    options = ("--data-dir", str(tmp_path / "kept"), "--lang", lang)
    lesson = folder(entry.id).lesson
    with Tmux(tmp_path, size) as terminal:
        learner = Learner(terminal, lang, entry.id)
        terminal.start(*options)
        terminal.keys("Home", *["Down"] * READY.index(entry), "Enter")
        for number, step in enumerate(lesson.steps, 1):
            terminal.wait(f"{number}/{len(lesson.steps)}")
            terminal.wait(learner.text(step.title, 20))
            first = next((j for j, b in enumerate(step.en) if isinstance(b, Play)), None)
            if first is not None and getattr(step.en[first], "ask", None) is not None:
                learner.predict((number - 1, first))
            for block in step.en:
                if isinstance(block, ExerciseRef):
                    learner.solve(block.id)
            if number < len(lesson.steps):
                terminal.wait_bar(r"\bn ")
                terminal.keys("n")
        marks = "✔" * len(lesson.exercises)
        terminal.wait(marks)
        terminal.keys("q")
        terminal.wait("code=0")
        assert not terminal.alternate()

        terminal.start(*options)
        terminal.wait(f"✔ +{entry.number} ")
        terminal.keys("Home", *["Down"] * READY.index(entry), "Enter")
        terminal.wait(f"{len(lesson.steps)}/{len(lesson.steps)}")
        terminal.wait(marks)
        terminal.keys("q")
        terminal.wait(r"code=0\s+(.*\s)*.*code=0|code=0")

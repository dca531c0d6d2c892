"""The first lesson, from the first key to the last exercise, in a real terminal; then a second sitting finds it all.

The right answers come from the engine: the test poses the same exercises with the same seed. It waits for what a
person would wait for, so it also proves that each next key is on the screen.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from course import words_lesson as say
from course.catalog import LESSONS, entries
from engine.grade.course import Course, Folder
from engine.grade.lesson import ExerciseRef
from engine.grade.pose import Posed
from engine.lab.deeds import Deed
from engine.say import Phrase, Said
from tests.terminal.tmux import Tmux

FIRST = next(e for e in entries() if e.ready)
SEED = 1


@cache
def folder() -> Folder:
    return Course.load(LESSONS).lesson(FIRST.id)


@cache
def posed(id: str) -> Posed:
    return folder().pose(id, SEED)


class Learner:
    """Somebody who reads the key bar."""

    def __init__(self, terminal: Tmux, lang: str) -> None:
        self.t, self.lang = terminal, lang

    def text(self, what: Phrase | Said, cells: int = 200) -> str:
        """A pattern for the beginning of what is said; a line of the screen may not hold more."""
        said = what() if isinstance(what, Phrase) else what
        return re.escape(re.sub("[*`]", "", said.text(self.lang)).splitlines()[0][:cells].strip())

    def leave_line(self) -> None:
        """Out of a typed line, so that letters are keys again."""
        if "^q" in self.t.bar():
            self.t.keys("Escape")
            self.t.wait_bar(r"(^|[^^])\bq ")

    def open(self, id: str) -> Posed:
        exercise = posed(id)
        self.t.keys("e")
        # The title at the left edge, where only the exercise pane has it; the text of the step names it in mid-line.
        self.t.wait(rf"(?m)^ (✔ )?{self.text(exercise.title, 14)}")
        self.t.wait_bar(f"(h|F10) {self.text(say.HINT)}")
        return exercise

    def pick(self, ids: list[str], right: str) -> None:
        self.t.keys(*["Down"] * ids.index(right), "Enter")

    def solve(self, id: str) -> None:
        exercise = self.open(id)
        if exercise.diagnosis is not None:
            question = exercise.diagnosis
            self.pick([o.id for o in question.options], question.right.id)
            self.t.wait(self.text(say.RIGHT, 12))
        done = say.RIGHT
        if exercise.kind == "predict" and exercise.question is not None:
            self.pick([o.id for o in exercise.question.options], exercise.question.right.id)
        elif exercise.kind == "choice" and exercise.many:
            for option in exercise.options:
                self.t.keys(*(["Space"] if option.right else []), "Down")
            self.t.keys("c")
        elif exercise.kind == "choice":
            self.pick([o.id for o in exercise.options], next(o.id for o in exercise.options if o.right))
        elif exercise.kind == "answer":
            self.t.type(exercise.value)
            self.t.keys("Enter")
        elif exercise.kind == "order":
            self.put_in_order([i.id for i in exercise.items], list(exercise.order))
        else:
            done = say.REACHED
            assert exercise.solution is not None
            self.work(exercise.solution.deeds)
        self.t.wait(self.text(done))
        self.leave_line()

    def put_in_order(self, now: list[str], wanted: list[str]) -> None:
        at = 0
        for target, id in enumerate(wanted):
            found = now.index(id)
            self.t.keys(*["Down" if found > at else "Up"] * abs(found - at), *["u"] * (found - target))
            now.insert(target, now.pop(found))
            at = target
        self.t.keys("c")

    def work(self, deeds: tuple[Deed, ...]) -> None:
        """Type the deeds in the terminal pane, each at its place."""
        self.t.keys("t")
        self.t.wait_bar(r"\^o ")
        for deed in deeds:
            assert deed.place and deed.lines, "this lesson's solutions are typed lines"
            self.t.keys("C-o")
            self.t.wait(self.text(say.PLACES_TITLE))
            self.t.type(deed.place)
            self.t.keys("Enter")
            self.t.wait(self.text(say.PLACES_TITLE), gone=True)
            self.t.wait(rf"─{re.escape(deed.place)}")
            for line in deed.lines:
                self.t.type(line)
                self.t.keys("Enter")
        self.t.keys("F9")


@pytest.mark.needs("tmux")
@pytest.mark.parametrize("lang", ["en", "ko"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
def test_first_lesson_by_keys(size: tuple[int, int], lang: str, tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "kept"), "--lang", lang)
    steps = folder().lesson.steps
    with Tmux(tmp_path, size) as terminal:
        learner = Learner(terminal, lang)
        terminal.start(*options)
        terminal.keys("Enter")
        for number, step in enumerate(steps, 1):
            terminal.wait(f"{number}/{len(steps)}")
            terminal.wait(learner.text(step.title, 20))
            for block in step.en:
                if isinstance(block, ExerciseRef):
                    learner.solve(block.id)
            if number < len(steps):
                terminal.wait_bar(r"\bn ")
                terminal.keys("n")
        marks = "✔" * len(folder().lesson.exercises)
        terminal.wait(marks)
        terminal.keys("q")
        terminal.wait("code=0")
        assert not terminal.alternate()

        terminal.start(*options)
        terminal.wait(f"✔ +{FIRST.number} ")
        terminal.keys("Home", "Enter")
        terminal.wait(f"{len(steps)}/{len(steps)}")
        terminal.wait(marks)
        terminal.keys("q")
        terminal.wait(r"code=0\s+(.*\s)*.*code=0|code=0")

"""Somebody who does a lesson by keys in a real terminal, and reads the key bar.

The right answers come from the engine: the same exercises are posed with the same seed. It waits for what a person
would wait for, so it also proves that each next key is on the screen.
"""

from __future__ import annotations

import json
import re
from functools import cache

import yaml

from course import words_lesson as say
from course.catalog import LESSONS
from engine.grade.course import Course, Folder
from engine.grade.pose import Posed
from engine.grade.predict import Question
from engine.grade.story import Story
from engine.lab.deeds import Deed
from engine.say import Phrase, Said
from tests.terminal.tmux import Tmux

SEED = 1


@cache
def folder(lesson: str) -> Folder:
    return Course.load(LESSONS).lesson(lesson)


@cache
def posed(lesson: str, id: str) -> Posed:
    return folder(lesson).pose(id, SEED)


@cache
def story(lesson: str) -> Story:
    return Story(folder(lesson))


def asked(lesson: str, at: tuple[int, int]) -> Question:
    """The question of a play."""
    question = story(lesson).play(*at).question
    assert question is not None
    return question


def typed(deed: Deed) -> tuple[str, list[str]]:
    """A deed as lines at a place; a manifest goes through a file of the laptop, a document at a time."""
    if not deed.manifest:
        assert deed.place and deed.lines, "a solution is typed lines or a manifest"
        return deed.place, list(deed.lines)
    return "host/laptop", [f"echo '{d}' | kubectl apply -f -" for d in documents(deed)]


def documents(deed: Deed) -> list[str]:
    """The documents of a deed's manifest, a line each."""
    return [json.dumps(d) for d in yaml.safe_load_all(deed.manifest) if d is not None]


class Learner:
    """Somebody who reads the key bar."""

    def __init__(self, terminal: Tmux, lang: str, lesson: str) -> None:
        self.t, self.lang, self.lesson = terminal, lang, lesson

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
        exercise = posed(self.lesson, id)
        self.t.keys("e")
        # The title at the left edge, where only the exercise pane has it; the text of the step names it in mid-line.
        self.t.wait(rf"(?m)^ (✔ )?{self.text(exercise.title, 14)}")
        self.t.wait_bar(f"(h|F10) {self.text(say.HINT)}")
        return exercise

    def pick(self, ids: list[str], right: str) -> None:
        self.t.keys(*["Down"] * ids.index(right), "Enter")

    def solve(self, id: str) -> None:
        exercise = self.open(id)
        solved = self.solved()
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
        elif exercise.manifest:
            done = say.REACHED
            assert exercise.solution is not None
            self.write([line for deed in exercise.solution.deeds for line in documents(deed)])
        else:
            done = say.REACHED
            assert exercise.solution is not None
            self.work(exercise.solution.deeds)
        self.t.wait(self.text(done))
        self.t.wait(rf"\A[^\n]*(✔[^✔\n]*){{{solved + 1}}}")  # its mark in the line above
        self.leave_line()

    def solved(self) -> int:
        """How many exercises the line above marks as solved."""
        return self.t.screen().split("\n", 1)[0].count("✔")

    def put_in_order(self, now: list[str], wanted: list[str]) -> None:
        at = 0
        for target, id in enumerate(wanted):
            found = now.index(id)
            self.t.keys(*["Down" if found > at else "Up"] * abs(found - at), *["u"] * (found - target))
            now.insert(target, now.pop(found))
            at = target
        self.t.keys("c")

    def write(self, lines: list[str]) -> None:
        """Write a manifest into the exercise's own editor."""
        for at, line in enumerate(lines):
            if at:
                self.t.keys("Enter")
                self.t.type("---")
                self.t.keys("Enter")
            self.t.type(line)
            self.t.wait(re.escape(line[-12:]))
        self.t.keys("F9")

    def work(self, deeds: tuple[Deed, ...]) -> None:
        """Type the deeds in the terminal pane, each at its place."""
        self.leave_line()
        self.t.keys("t")
        self.t.wait_bar(r"\^o ")
        for deed in deeds:
            place, lines = typed(deed)
            self.t.keys("C-o")
            self.t.wait(self.text(say.PLACES_TITLE))
            self.t.type(place)
            self.t.keys("Enter")
            self.t.wait(self.text(say.PLACES_TITLE), gone=True)
            self.t.wait(rf"─{re.escape(place)}")
            for line in lines:
                self.t.type(line)
                self.t.keys("Enter")
        self.t.keys("F9")

    def predict(self, at: tuple[int, int]) -> None:
        """Answer the question of the packet that stands in See, and let it move."""
        question = asked(self.lesson, at)
        self.t.wait_bar(rf"p {self.text(say.PREDICT)}")
        self.t.keys("p")
        title = say.asked(question.ask, question.field)
        self.t.wait(rf"[╭─] {self.text(title, 20)}")
        self.pick([o.id for o in question.options], question.right.id)
        self.t.wait(rf"[╭─] {self.text(title, 20)}", gone=True)
        self.t.wait_bar(r"(^|[^^])\bq ")

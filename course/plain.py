"""The course without screens: lines out, lines in. For screen readers, pipes, and terminals that draw nothing.

Theory. The same `Desk` as the lesson screen; a play is the text ladder of `trace`, a lab is the terminal of `shell`.
The end of the input is the end of the course, wherever it comes.

Rules. Every question says which answers it takes. Nothing is drawn by position and no line depends on colour.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from datetime import datetime
from typing import Any

from course import catalog, words
from course import words_lesson as lesson_words
from course import words_plain as say
from course.catalog import Entry
from course.cli.common import Paint
from course.cli.shell import Terminal
from course.cli.trace import ladder, ladder_before
from course.lang import wanted
from course.paths import data_dir
from course.progress import Outcome, Progress
from course.screens.desk import Desk
from engine.errors import EngineError
from engine.grade.finding import Halt, Verdict
from engine.grade.lesson import ExerciseRef, Play, Prose, Run
from engine.grade.pose import Posed
from engine.grade.predict import Option, Question
from engine.lab.lab import Lab
from engine.say import Phrase, Said

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def run_plain(args: argparse.Namespace) -> int:
    """The whole mode. Exit code 0, also at the end of the input."""
    with Progress.open(data_dir(args.data_dir), lambda: datetime.now().astimezone()) as progress:
        plain = Plain(progress, args.lang or progress.settings().language or wanted())
        try:
            plain.course(args.lesson)
        except EOFError:
            print()
    return 0


class Leave(Exception):
    """Back to the course map."""


class Plain:
    """One sitting. Raises EOFError when the input ends or the learner quits."""

    def __init__(self, progress: Progress, lang: str) -> None:
        self.progress, self.lang = progress, lang
        self.paint = Paint()

    # -- lines ----------------------------------------------------------------------------------------------

    def say(self, said: Said | str, style: str = "") -> None:
        text = said if isinstance(said, str) else said.text(self.lang)
        print(self.paint(style, text) if style else text)

    def ask(self, phrase: Phrase, **values: Any) -> str:
        """One typed line. `q` and the end of the input end the course, `m` alone is the caller's."""
        typed = input(phrase(**values).text(self.lang)).strip()
        if not sys.stdin.isatty():
            print(typed)
        if typed in ("q", "ㅂ"):
            raise EOFError
        return typed

    # -- the map --------------------------------------------------------------------------------------------

    def course(self, wanted_lesson: str | None) -> None:
        entry = catalog.find(wanted_lesson) if wanted_lesson is not None else None
        while True:
            if entry is None:
                entry = self._pick()
            try:
                self.lesson(entry)
            except Leave:
                pass
            except EngineError as error:
                self.say(lesson_words.LESSON_FAILED(error=error.text(self.lang)))
            entry = None

    def _pick(self) -> Entry:
        self.say(words.APP(), "bold")
        for group in catalog.groups():
            self.say(group.title[self.lang], "bold")
            for e in group.lessons:
                tail = "" if e.ready else f" ({words.COMING().text(self.lang)})"
                print(f"  {e.number}. {e.title[self.lang]}{tail}")
        ready = [e for e in catalog.entries() if e.ready]
        last = self.progress.last()
        default = next((e for e in ready if last is not None and e.id == last.lesson), ready[0])
        while True:
            typed = self.ask(say.PICK, default=default.number)
            found = default if not typed else catalog.find(typed)
            if found is not None and found.ready:
                return found
            self.say(say.NOT_READY(number=typed, ready=", ".join(str(e.number) for e in ready)))

    # -- a lesson -------------------------------------------------------------------------------------------

    def lesson(self, entry: Entry) -> None:
        desk = Desk(entry, self.lang)
        position = self.progress.positions().get(entry.id)
        step = position.step if position is not None else 0
        self.say(f"{entry.number}. {entry.title[self.lang]}", "bold")
        if step == 0 and desk.lesson.opening(self.lang):
            self.say("\n" + desk.lesson.opening(self.lang).strip())
        while True:
            step = self._step(entry, desk, step)

    def _step(self, entry: Entry, desk: Desk, number: int) -> int:
        """One step; the number of the step to show next."""
        opened = desk.open(number)
        number, steps = opened.step, desk.lesson.steps
        self.progress.visit(entry.id, number)
        print()
        self.say(say.STEP(step=number + 1, all=len(steps), title=steps[number].title), "bold")
        own, exercises = steps[number].en, []
        used: set[int] = set()
        for block in steps[number].blocks(self.lang):
            if isinstance(block, Prose):
                self.say("\n" + block.text.strip())
                continue
            index = next(i for i in range(len(own)) if own[i] is block and i not in used)
            used.add(index)
            print()
            if isinstance(block, Run):
                self._run(desk, block, (number, index))
            elif isinstance(block, Play):
                self._play(desk, (number, index), block)
            elif isinstance(block, ExerciseRef):
                exercises.append(block.id)
                Exercise(self, entry, desk, block.id).run()
        while True:
            print()
            typed = self.ask(say.AFTER)
            if typed in ("m", "ㅡ"):
                raise Leave
            if typed in ("b", "ㅠ"):
                return max(0, number - 1)
            if typed in ("e", "ㄷ"):
                for id in exercises:
                    Exercise(self, entry, desk, id).run()
            elif typed.startswith("lab"):
                self.lab(opened.lab, typed, desk.place(opened))
            elif typed:
                self.say(say.UNKNOWN(word=typed))
            elif number + 1 < len(steps):
                return number + 1
            else:
                self.say(say.END())
                raise Leave

    def _run(self, desk: Desk, block: Run, at: tuple[int, int]) -> None:
        shown = desk.outputs(at)
        if isinstance(shown, EngineError):
            self.say(shown.text(self.lang), "red")
            return
        for one in shown:
            self.say(f"{block.place}$ {one.command}", "bold")
            print((one.result.stdout + one.result.stderr).rstrip("\n"))

    def _play(self, desk: Desk, at: tuple[int, int], block: Play) -> None:
        played = desk.play(at)
        if isinstance(played, EngineError):
            self.say(played.text(self.lang), "red")
            return
        self.say(say.FROM_TO(flow=f"{block.flow.source} > {block.flow.to}"), "bold")
        if played.question is not None:
            self._predict(desk, at, played.question, played.halt)
        for line in ladder(played.journey, self.lang, self.paint):
            print(line)

    def _predict(self, desk: Desk, at: tuple[int, int], question: Question, halt: Halt | None) -> None:
        """The hops so far, the question, one answer or none; what comes next shows what is right."""
        if halt is not None:
            for line in ladder_before(question.journey, halt, self.lang, self.paint):
                print(line)
        self.say(desk.question_text(question))
        self.options(question.options)
        typed, name = self.ask(say.PREDICT), desk.prediction(at)
        if not typed:
            self.progress.watch(desk.entry.id, name)
            return
        answer = self.letter(typed, question.options)
        finding = question.check(answer)
        self.say(lesson_words.RIGHT() if finding is None else finding.said)
        self.progress.record(
            lesson=desk.entry.id, exercise=name, seed=0, answer=answer, hints=0, seconds=0.0,
            outcome=Outcome.PASSED if finding is None else Outcome.FAILED,
        )  # fmt: skip

    # -- what exercises use too -----------------------------------------------------------------------------

    def options(self, options: tuple[Option, ...]) -> None:
        for letter, option in zip(LETTERS, options, strict=False):
            print(f"  {letter}. {option.text.text(self.lang)}")

    def letter(self, typed: str, options: tuple[Option, ...]) -> str:
        """The id of the option with this letter; what is no letter goes to the grader as it is."""
        at = LETTERS.find(typed.lower()) if len(typed) == 1 else -1
        return options[at].id if 0 <= at < len(options) else typed

    def lab(self, lab: Lab, typed: str, place: str) -> None:
        """`lab` or `lab PLACE`: type commands until an empty line."""
        wanted_place = typed.removeprefix("lab").strip() or place
        terminal = Terminal(lab, place, argparse.Namespace(lang=self.lang, json=False))
        self.say(say.PLACES(places=", ".join(lab.places())))
        if wanted_place != place:
            terminal.own([":place", wanted_place])
        self.say(say.LAB(place=terminal.place))
        while True:
            line = input(lab.shell(terminal.place).prompt)
            if not sys.stdin.isatty():
                print(line)
            if not line.strip() or line.strip() in (":back", "exit"):
                return
            terminal.line(line)


class Exercise:
    """One exercise, asked until it is right or left."""

    def __init__(self, plain: Plain, entry: Entry, desk: Desk, id: str) -> None:
        self.plain, self.entry, self.desk, self.id = plain, entry, desk, id
        self.hints = 0

    def run(self) -> None:
        plain = self.plain
        self._pose(None)
        if plain.progress.exercise(self.entry.id, self.id).solved:
            plain.say(say.ALREADY())
        self.began = time.monotonic()
        while not self._turn():
            pass

    def _pose(self, seed: int | None) -> None:
        plain, lang = self.plain, self.plain.lang
        self.posed: Posed = self.desk.pose(self.id, seed, fresh=seed is not None)
        self.diagnosed = self.posed.diagnosis is None
        kind = lesson_words.KINDS[self.posed.kind]().text(lang)
        plain.say(say.EXERCISE(title=self.posed.title, kind=kind, seed=self.posed.seed), "bold")
        plain.say(self.posed.task)
        for line in self.desk.goal_lines(lang, ascii=True):
            print(f"  {line}")

    def _turn(self) -> bool:
        """One line; True when the exercise is over."""
        plain, posed = self.plain, self.posed
        typed = plain.ask(self._question(), keys=say.KEYS())
        if not typed:
            return True
        if typed in ("h", "ㅗ") and self.hints < len(posed.hints):
            plain.say(posed.hints[self.hints])
            self.hints += 1
        elif typed in ("h", "ㅗ"):
            plain.say(lesson_words.NO_MORE_HINTS())
        elif typed in ("s", "ㄴ"):
            for said in self.desk.solution():
                plain.say(said)
            plain.say(lesson_words.SOLUTION_NOTE())
            plain.progress.watch(self.entry.id, self.id)
        elif typed in ("n", "ㅜ"):
            self._pose(random.SystemRandom().randrange(1, 10000))
        elif typed == "lab" or typed.startswith("lab "):
            plain.lab(posed.lab, typed, self.desk.place_of_exercise(posed))
        else:
            return self._check(typed)
        return False

    def _question(self) -> Phrase:
        """Show what can be chosen, and say how to answer."""
        posed = self.posed
        if not self.diagnosed and posed.diagnosis is not None:
            self.plain.say(posed.diagnosis_task or lesson_words.DIAGNOSE())
            self.plain.options(posed.diagnosis.options)
            return say.ONE
        if posed.kind == "choice":
            self.plain.options(posed.options)
            return say.SEVERAL if posed.many else say.ONE
        if posed.kind == "predict" and posed.question is not None:
            self.plain.options(posed.question.options)
            return say.ONE
        if posed.kind == "order":
            self.plain.options(posed.items)
            return say.ORDER
        if posed.kind == "answer":
            return say.VALUE
        return say.MANIFEST if posed.manifest else say.GOAL

    def _answer(self, typed: str) -> Any:
        plain, posed = self.plain, self.posed
        if posed.kind == "order":
            return [plain.letter(w, posed.items) for w in typed.replace(",", " ").split()]
        if posed.kind == "choice" and posed.many:
            return [plain.letter(w, posed.options) for w in typed.replace(",", " ").split()]
        if posed.kind == "choice":
            return plain.letter(typed, posed.options)
        if posed.kind == "predict" and posed.question is not None:
            return plain.letter(typed, posed.question.options)
        if posed.kind == "answer":
            return typed
        if posed.manifest:
            lines: list[str] = []
            while (line := input()) != ".":
                lines.append(line)
            return "\n".join(lines) + "\n"
        return None

    def _check(self, typed: str) -> bool:
        plain, posed = self.plain, self.posed
        if not self.diagnosed and posed.diagnosis is not None:
            verdict = self.desk.check(plain.letter(typed, posed.diagnosis.options), diagnosis=True)
            self._keep(verdict, f"{posed.id}/diagnosis", typed)
            self.diagnosed = verdict.passed
            self._tell(verdict)
            return False
        goal = posed.kind in ("repair", "build")
        if goal and typed not in (("m", "ㅡ") if posed.manifest else ("c", "ㅊ")):
            plain.say(say.UNKNOWN(word=typed))
            return False
        answer = self._answer(typed)
        verdict = self.desk.check(answer)
        self._keep(verdict, posed.id, answer)
        self._tell(verdict)
        return verdict.passed

    def _keep(self, verdict: Verdict, name: str, answer: Any) -> None:
        self.plain.progress.record(
            lesson=self.entry.id, exercise=name, seed=self.posed.seed,
            outcome=Outcome.PASSED if verdict.passed else Outcome.FAILED,
            answer=answer if isinstance(answer, str | list) else None, hints=self.hints,
            seconds=time.monotonic() - self.began,
        )  # fmt: skip

    def _tell(self, verdict: Verdict) -> None:
        plain = self.plain
        if verdict.passed:
            plain.say(lesson_words.RIGHT(), "green")
            if self.posed.explain is not None and self.diagnosed:
                plain.say(self.posed.explain)
            return
        plain.say(lesson_words.NOT_RIGHT(), "red")
        for finding in verdict.findings:
            plain.say(f"  {finding.flow + ': ' if finding.flow else ''}{finding.said.text(plain.lang)}")
        shown = next((f.journey for f in verdict.findings if f.journey is not None), None)
        if shown is not None:
            for line in ladder(shown, plain.lang, plain.paint):
                print(line)

"""The linter of lessons: every run runs, every play plays, every exercise is proven.

Theory. An exercise is right when it fails untouched, passes with its solution and each accepted way, fails with each
near-miss; with at least two seeds. What has a closed set of answers is tried whole.

Rules. A report never stops at the first problem. A problem has its place and says the next step. Each exercise gives
one Proof, which is one test of the test suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from engine.errors import EngineError, InputError, Problem
from engine.grade.course import Course, Folder
from engine.grade.lesson import Play, Run
from engine.grade.proof import FEW_OPTIONS, TOO_FEW, Proof, prove
from engine.grade.steps import find
from engine.grade.story import Story
from engine.lab.reader import Problems
from engine.lab.source import SUFFIXES
from engine.linux.journey import Outcome
from engine.record import dataclass
from engine.say import Phrase, plain

LEAST_EXERCISES, LEAST_KINDS, LEAST_REPAIRS = 6, 4, 2

NOT_PLACED = Phrase(
    en="no lesson block places it; add a block ```exercise {id} to both lesson files",
    ko="레슨에 놓이지 않았습니다. 두 레슨 파일에 ```exercise {id} 블록을 더하십시오",
)
PLACED_TWICE = Phrase(
    en="placed {count} times; keep one block", ko="{count}번 놓였습니다. 블록 하나만 남기십시오"
)
NO_SUCH = Phrase(
    en="there is no exercise {id!r} in exercises.yaml", ko="exercises.yaml에 {id!r} 연습이 없습니다"
)
EXERCISES = Phrase(en="exercises", ko="연습")
EXERCISE_KINDS = Phrase(en="kinds of exercises", ko="연습의 종류")
REPAIRS = Phrase(en="repairs", ko="수리 연습")
RUN_FAILED = Phrase(
    en="`{line}` ends with {code}; repair it, or mark the block `fails`: {text}",
    ko="`{line}` 명령이 {code}(으)로 끝납니다. 고치거나 블록에 `fails`를 적으십시오: {text}",
)
RUN_MODEL = Phrase(en="`{line}` is outside the model: {text}", ko="`{line}`은(는) 모델 밖입니다: {text}")
RUN_WORKS = Phrase(
    en="every command works, but the block says `fails`; take the word away",
    ko="모든 명령이 성공하는데 블록에 `fails`가 있습니다. 낱말을 빼십시오",
)
PLAY_MODEL = Phrase(en="this play is not modelled: {why}", ko="이 재생은 모델 밖입니다: {why}")
PLAY_STOP = Phrase(
    en="the journey never meets its stop {selector}", ko="여정이 멈출 단계 {selector}을(를) 만나지 않습니다"
)
PLAY_DEED = Phrase(en="what the play does first fails: {text}", ko="재생 전에 할 일이 실패합니다: {text}")
ORPHAN = Phrase(
    en="nothing names this file; use it or remove it", ko="이 파일을 쓰는 곳이 없습니다. 쓰거나 지우십시오"
)
NOT_LISTED = Phrase(
    en="course.yaml does not list this folder as ready; add it",
    ko="course.yaml에 이 폴더가 ready로 없습니다. 더하십시오",
)
LISTED_ONLY = Phrase(
    en="course.yaml lists {id} as ready, but there is no such folder",
    ko="course.yaml에 {id}이(가) ready인데 그 폴더가 없습니다",
)


@dataclass(slots=True, kw_only=True)
class Report:
    """The result for one lesson: what is wrong with its text, files and story; a proof for each exercise."""

    id: str
    problems: list[Problem] = field(default_factory=list)
    proofs: list[Proof] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.problems and all(p.ok for p in self.proofs)

    def to_json(self, lang: str = "en") -> dict[str, Any]:
        def texts(problems: Sequence[Problem]) -> list[str]:
            return [p.text(lang) for p in problems]

        exercises = [
            {"id": p.id, "kind": p.kind, "ok": p.ok, "problems": texts(p.problems)} for p in self.proofs
        ]
        return {"lesson": self.id, "ok": self.ok, "problems": texts(self.problems), "exercises": exercises}


def check_lesson(path: Path, course: Course | None = None) -> Report:
    """Everything about one lesson's folder."""
    report = Report(id=path.name)
    try:
        folder = Folder.load(path, course)
    except InputError as error:
        report.problems += error.problems
        return report
    report.problems = lesson_problems(folder, course)
    report.proofs = [prove(folder, exercise) for exercise in folder.file.exercises]
    return report


def lesson_problems(folder: Folder, course: Course | None = None) -> list[Problem]:
    """What is wrong with a lesson apart from its exercises: placing, numbers, files, runs, plays."""
    problems = Problems()
    _placed(folder, problems)
    _counts(folder, problems)
    _listed(folder, course, problems)
    _orphans(folder, problems)
    _story(folder, problems)
    return problems.found


def check_course(course: Course) -> Iterator[Report]:
    """Every lesson that is ready, and every folder that course.yaml forgot."""
    ready = [e.id for e in course.entries() if e.ready]
    there = sorted(p.parent.name for p in course.path.glob("*/exercises.yaml"))
    for id in ready:
        if (course.path / id).is_dir():
            yield check_lesson(course.path / id, course)
        else:
            yield Report(id=id, problems=[Problem(where="course.yaml", said=LISTED_ONLY(id=id))])
    for id in there:
        if id not in ready:
            yield check_lesson(course.path / id, course)


# ---- the lesson as a whole


def _placed(folder: Folder, problems: Problems) -> None:
    placed = folder.lesson.exercises
    for exercise in folder.file.exercises:
        count = placed.count(exercise.id)
        if count == 0:
            problems.add(exercise.where, NOT_PLACED(id=exercise.id))
        elif count > 1:
            problems.add(exercise.where, PLACED_TWICE(count=count))
    for step in folder.lesson.steps:
        for block in step.en:
            if isinstance(id := getattr(block, "id", None), str) and folder.file.find(id) is None:
                problems.add(getattr(block, "where", ""), NO_SUCH(id=id))


def _counts(folder: Folder, problems: Problems) -> None:
    kinds = [e.kind for e in folder.file.exercises]
    for count, what, least in (
        (len(kinds), EXERCISES(), LEAST_EXERCISES),
        (len(set(kinds)), EXERCISE_KINDS(), LEAST_KINDS),
        (kinds.count("repair"), REPAIRS(), LEAST_REPAIRS),
    ):
        if count < least:
            problems.add(folder.file.doc.name, TOO_FEW(count=count, what=what, least=least))


def _listed(folder: Folder, course: Course | None, problems: Problems) -> None:
    if course is not None and folder.id not in [e.id for e in course.entries() if e.ready]:
        problems.add(folder.id, NOT_LISTED())


def _orphans(folder: Folder, problems: Problems) -> None:
    """Files of the folder that nothing names: a name counts when a YAML file or a lesson file holds it."""
    known = {"lesson.en.md", "lesson.ko.md", "exercises.yaml"}
    files = [p for p in folder.path.rglob("*") if p.is_file()]
    files = [p for p in files if "__pycache__" not in p.parts and not p.name.startswith(".")]
    texts = [p.read_text(encoding="utf-8", errors="replace") for p in files if p.suffix in (".md", *SUFFIXES)]
    for path in files:
        name = str(path.relative_to(folder.path))
        words = {name, path.name, path.stem if path.suffix in SUFFIXES else name}
        if name not in known and not any(w in text for w in words for text in texts):
            problems.add(f"{folder.id}/{name}", ORPHAN())


def _story(folder: Folder, problems: Problems) -> None:
    try:
        story = Story(folder)
    except EngineError as error:
        problems.take(error, folder.file.doc.name)
        return
    for at, block in story.everything():
        where = getattr(block, "where", folder.id)
        try:
            if isinstance(block, Run):
                _run(story, at, block, problems)
            elif isinstance(block, Play):
                _play(story, at, block, problems)
        except EngineError as error:
            problems.take(error, where)
            if isinstance(block, Run):
                return


def _run(story: Story, at: tuple[int, int], block: Run, problems: Problems) -> None:
    failed = False
    for shown in story.outputs(*at):
        result = shown.result
        text = plain((result.stderr or result.stdout).strip()[:300] or "-")
        if "is not modelled here" in result.stderr:
            problems.add(block.where, RUN_MODEL(line=shown.command, text=text))
        elif result.code and not block.fails:
            problems.add(block.where, RUN_FAILED(line=shown.command, code=result.code, text=text))
        failed = failed or bool(result.code)
    if block.fails and not failed:
        problems.add(block.where, RUN_WORKS())


def _play(story: Story, at: tuple[int, int], block: Play, problems: Problems) -> None:
    played = story.play(*at)
    for side in (played, played.beside):
        for said in side.failed if side is not None else ():
            problems.add(block.where, PLAY_DEED(text=said))
        if side is not None and side.journey.outcome is Outcome.NOT_MODELLED:
            why = side.journey.why if side.journey.why is not None else plain("-")
            problems.add(block.where, PLAY_MODEL(why=why))
    if block.stop is not None and find(played.journey, block.stop) is None:
        problems.add(block.where, PLAY_STOP(selector=block.stop.text()))
    if played.question is not None and len(played.question.options) < 3:
        problems.add(block.where, FEW_OPTIONS(count=len(played.question.options)))

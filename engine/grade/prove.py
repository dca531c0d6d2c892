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
from typing import Any, Final

from engine.errors import EngineError, InputError, Problem
from engine.grade.check import check
from engine.grade.course import Course, Folder
from engine.grade.exercise import Exercise
from engine.grade.finding import KINDS, Finding, Verdict
from engine.grade.lesson import Play, Run
from engine.grade.pose import Posed, Way, taken
from engine.grade.steps import find
from engine.grade.story import Story
from engine.lab.deeds import do
from engine.lab.lab import Lab
from engine.lab.reader import Problems
from engine.lab.source import SUFFIXES
from engine.linux.journey import Outcome
from engine.record import dataclass
from engine.say import Phrase, Said, plain

SEEDS: Final = (1, 2)
LEAST_EXERCISES, LEAST_KINDS, LEAST_REPAIRS = 6, 4, 2

NOT_PLACED = Phrase(
    en="no lesson block places it; add a block ```exercise {id} to both lesson files",
    ko="레슨에 놓이지 않았습니다. 두 레슨 파일에 ```exercise {id} 블록을 더하십시오",
)
PLACED_TWICE = Phrase(
    en="placed {count} times; keep one block", ko="{count}번 놓였습니다. 블록 하나만 남기십시오"
)
NO_SUCH = Phrase(
    en="there is no exercise {id!r} in exercises.yaml", ko="exercises.yaml에 {id!r} 문제가 없습니다"
)
TOO_FEW = Phrase(
    en="{count} {what}, accepted: at least {least}", ko="{what} {count}개. {least}개 이상이어야 합니다"
)
EXERCISES = Phrase(en="exercises", ko="문제")
EXERCISE_KINDS = Phrase(en="kinds of exercises", ko="문제의 종류")
REPAIRS = Phrase(en="repairs", ko="고치기 문제")
ACCEPTED = Phrase(en="accepted ways", ko="허용되는 방법(accepted)")
REFUSED = Phrase(en="refused near-misses", ko="거절되는 오답(refused)")
WRONG_OPTIONS = Phrase(en="wrong options", ko="틀린 선택지")
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
FEW_OPTIONS = Phrase(
    en="the lab yields {count} options, accepted: at least three; ask another question or another step",
    ko="랩에서 나온 선택지가 {count}개입니다. 셋 이상이어야 합니다. 다른 질문이나 단계를 고르십시오",
)
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
UNTOUCHED = Phrase(
    en="seed {seed}: it passes untouched; the goal must not hold at the start",
    ko="seed {seed}: 손대지 않아도 통과합니다. 처음에는 목표가 성립하지 않아야 합니다",
)
UNKNOWN_AT_START = Phrase(
    en="seed {seed}: the goal cannot be judged: {text}", ko="seed {seed}: 목표를 판정할 수 없습니다: {text}"
)
MUST_PASS = Phrase(
    en="seed {seed}: {way} must pass, and does not: {text}",
    ko="seed {seed}: {way}은(는) 통과해야 하는데 통과하지 않습니다: {text}",
)
MUST_FAIL = Phrase(
    en="seed {seed}: {way} must be refused, and passes",
    ko="seed {seed}: {way}은(는) 거절되어야 하는데 통과합니다",
)
WRONG_REASON = Phrase(
    en="seed {seed}: {way} should be refused for {expected}, found {found}",
    ko="seed {seed}: {way}은(는) {expected} 때문에 거절되어야 하는데 {found}입니다",
)
BAD_FINDING = Phrase(
    en="{found!r} is no kind of finding; accepted: {kinds}", ko="{found!r}은(는) 없는 종류입니다: {kinds}"
)
DEED_FAILED = Phrase(
    en="seed {seed}: {way} does not run: {text}", ko="seed {seed}: {way}을(를) 실행할 수 없습니다: {text}"
)
SOLUTION = Phrase(en="the solution", ko="풀이(solution)")
RIGHT_ANSWER = Phrase(en="the right answer", ko="정답")
NO_ANSWER = Phrase(en="an empty answer", ko="빈 답")
WAY = Phrase(en="`{name}`", ko="`{name}`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result for one exercise."""

    id: str
    kind: str
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


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
    for said in played.failed:
        problems.add(block.where, PLAY_DEED(text=said))
    if played.journey.outcome is Outcome.NOT_MODELLED:
        why = played.journey.why if played.journey.why is not None else plain("-")
        problems.add(block.where, PLAY_MODEL(why=why))
    if block.stop is not None and find(played.journey, block.stop) is None:
        problems.add(block.where, PLAY_STOP(selector=block.stop.text()))
    if played.question is not None and len(played.question.options) < 3:
        problems.add(block.where, FEW_OPTIONS(count=len(played.question.options)))


# ---- one exercise


def prove(folder: Folder, exercise: Exercise, seeds: Sequence[int] = SEEDS) -> Proof:
    """Prove one exercise with every seed."""
    problems = Problems()
    for seed in seeds:
        try:
            posed = folder.pose(exercise.id, seed)
            _Prover(posed, problems).prove()
        except InputError as error:
            for one in error.problems:
                problems.add(one.where or exercise.where, one.said)
        except EngineError as error:
            problems.add(exercise.where, error.said)
    return Proof(id=exercise.id, kind=exercise.kind, problems=tuple(problems.found))


class _Prover:
    """Tries one posed exercise."""

    def __init__(self, posed: Posed, problems: Problems) -> None:
        self.posed, self.problems = posed, problems
        self.seed = posed.seed
        self.where = posed.exercise.where

    def add(self, said: Said, where: str = "") -> None:
        self.problems.add(where or self.where, said)

    def prove(self) -> None:
        {
            "choice": self.choice,
            "answer": self.answer,
            "predict": self.predict,
            "order": self.order,
            "repair": self.goal,
            "build": self.goal,
        }[self.posed.kind]()

    def passes(self, way: Said, answer: Any, lab: Lab | None = None) -> None:
        verdict = check(lab if lab is not None else self.posed.lab, self.posed, answer)
        if not verdict.passed:
            self.add(MUST_PASS(seed=self.seed, way=way, text=verdict.findings[0].said))

    def fails(self, way: Said, answer: Any, lab: Lab | None = None) -> Verdict:
        verdict = check(lab if lab is not None else self.posed.lab, self.posed, answer)
        if verdict.passed:
            self.add(MUST_FAIL(seed=self.seed, way=way))
        return verdict

    # closed sets of answers

    def choice(self) -> None:
        right = [o.id for o in self.posed.options if o.right]
        wrong = [o.id for o in self.posed.options if not o.right]
        self.passes(RIGHT_ANSWER(), right if self.posed.many else right[0])
        self.fails(NO_ANSWER(), [])
        for id in wrong:
            self.fails(WAY(name=id), id)
            if self.posed.many:
                self.fails(WAY(name=f"{', '.join(right)} + {id}"), [*right, id])
        if self.posed.many:
            for id in right if len(right) > 1 else ():
                self.fails(WAY(name=id), [id])

    def predict(self) -> None:
        question = self.posed.question
        assert question is not None
        if len(question.options) < 3:
            self.add(FEW_OPTIONS(count=len(question.options)))
        self.passes(RIGHT_ANSWER(), question.right.id)
        self.fails(NO_ANSWER(), "")
        for option in question.options:
            if not option.right:
                self.fails(WAY(name=option.id), option.id)

    def order(self) -> None:
        right = list(self.posed.order)
        self.passes(RIGHT_ANSWER(), right)
        self.fails(NO_ANSWER(), [])
        self.fails(WAY(name=", ".join(reversed(right))), right[::-1])
        for at in range(len(right) - 1):
            swapped = [*right[:at], right[at + 1], right[at], *right[at + 2 :]]
            self.fails(WAY(name=", ".join(swapped)), swapped)

    # open ones

    def enough(self) -> None:
        for ways, what in ((self.posed.accepted, ACCEPTED()), (self.posed.refused, REFUSED())):
            if len(ways) < 2:
                self.add(TOO_FEW(count=len(ways), what=what, least=2))

    def answer(self) -> None:
        posed = self.posed
        self.enough()
        self.fails(NO_ANSWER(), "")
        self.passes(RIGHT_ANSWER(), posed.value)
        for way in posed.accepted:
            self.passes(WAY(name=way.name), self.given(way))
        for way in posed.refused:
            self.fails(WAY(name=way.name), self.given(way))
        if posed.solution is not None:
            for said in do(posed.lab.copy(), posed.solution.deeds):
                self.add(DEED_FAILED(seed=self.seed, way=SOLUTION(), text=said), posed.solution.where)

    def given(self, way: Way) -> str:
        if way.take is None:
            return way.answer
        return taken(self.posed.lab, way.take, many=self.posed.as_ == "set")

    def goal(self) -> None:
        posed = self.posed
        self.enough()
        start = check(posed.lab, posed, None)
        if start.passed:
            self.add(UNTOUCHED(seed=self.seed))
        for finding in start.findings:
            if finding.kind == "not-modelled":
                self.add(UNKNOWN_AT_START(seed=self.seed, text=finding.said))
        if posed.diagnosis is not None and len(posed.diagnosis.options) < 3:
            self.add(FEW_OPTIONS(count=len(posed.diagnosis.options)))
        if posed.solution is not None:
            self.try_way(posed.solution, SOLUTION(), must_pass=True)
        for way in posed.accepted:
            self.try_way(way, WAY(name=way.name), must_pass=True)
        for way in posed.refused:
            self.try_way(way, WAY(name=way.name), must_pass=False)

    def try_way(self, way: Way, name: Said, *, must_pass: bool) -> None:
        """Do a way in a copy of the lab and judge it."""
        if way.finding and way.finding not in KINDS:
            self.add(BAD_FINDING(found=way.finding, kinds=", ".join(KINDS)), way.where)
            return
        lab = self.posed.lab.copy()
        answer: str | None = None
        if self.posed.manifest and way.deeds and way.deeds[-1].manifest:
            answer = way.deeds[-1].manifest
        else:
            for said in do(lab, way.deeds):
                self.add(DEED_FAILED(seed=self.seed, way=name, text=said), way.where)
        verdict = check(lab, self.posed, answer)
        if must_pass and not verdict.passed:
            self.add(MUST_PASS(seed=self.seed, way=name, text=verdict.findings[0].said), way.where)
        elif not must_pass and verdict.passed:
            self.add(MUST_FAIL(seed=self.seed, way=name), way.where)
        elif not must_pass and way.finding and way.finding not in {f.kind for f in verdict.findings}:
            self.add(self.wrong_reason(name, way.finding, verdict.findings), way.where)

    def wrong_reason(self, name: Said, expected: str, findings: Sequence[Finding]) -> Said:
        found = ", ".join(dict.fromkeys(f.kind for f in findings))
        return WRONG_REASON(seed=self.seed, way=name, expected=expected, found=found)

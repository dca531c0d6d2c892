"""The proof of one exercise: it fails untouched, passes solved, accepts each way, refuses each near-miss.

Theory. What has a closed set of answers (choice, predict, order) is tried whole; the others by the ways that their file
gives. Each seed is another task, so each is proven.

Rules. A Proof never stops at the first problem; each has its place in exercises.yaml.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.errors import EngineError, InputError, Problem
from engine.grade.check import check
from engine.grade.course import Folder
from engine.grade.exercise import Exercise
from engine.grade.finding import KINDS, Finding, Verdict
from engine.grade.pose import Posed
from engine.grade.ways import Way, taken
from engine.lab.deeds import do
from engine.lab.lab import Lab
from engine.lab.reader import Problems
from engine.record import dataclass
from engine.say import Phrase, Said

SEEDS: Final = (1, 2)

TOO_FEW = Phrase(
    en="{count} {what}, accepted: at least {least}", ko="{what} {count}개. {least}개 이상이어야 합니다"
)
FEW_OPTIONS = Phrase(
    en="the lab yields {count} options, accepted: at least three; ask another question or another step",
    ko="실습 환경에서 나온 선택지가 {count}개입니다. 셋 이상이어야 합니다. 다른 질문이나 단계를 고르십시오",
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
ACCEPTED = Phrase(en="accepted ways", ko="허용되는 방법(accepted)")
REFUSED = Phrase(en="refused near-misses", ko="거절되는 오답(refused)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The result for one exercise."""

    id: str
    kind: str
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.problems


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

"""The lesson's desk: everything slow that the lesson screen asks for, as plain calls without a widget.

Rules. A worker calls it; only one call runs at a time per group, and the lock keeps the story's lab from two at once.
It raises EngineError, or gives it back where a block should show it. No Textual here.
"""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from course import words_lesson as words
from course.catalog import LESSONS
from course.widgets.exercise.task import flow_text
from course.widgets.exercise.wish import wish_text
from engine.errors import EngineError
from engine.grade import check as checking
from engine.grade import flows, state
from engine.grade import goal as goals
from engine.grade.course import Course
from engine.grade.finding import Verdict
from engine.grade.lesson import Lesson, Run
from engine.grade.pose import Posed
from engine.grade.predict import Question
from engine.grade.story import Played, Shown, Story
from engine.record import dataclass
from engine.say import Said, plain

if TYPE_CHECKING:
    from course.catalog import Entry
    from engine.grade.exercise import Exercise
    from engine.lab.lab import Lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A step that can be shown; `lab` is the learner's own, as the blocks before this step left it."""

    step: int
    lab: Lab


class Desk:
    """One lesson in use."""

    def __init__(self, entry: Entry, lang: str) -> None:
        self.entry, self.lang = entry, lang
        self.folder = Course.load(LESSONS).lesson(entry.id)
        self.posed: Posed | None = None
        self._kept: dict[str, Posed] = {}
        self._steps: dict[int, Opened] = {}
        self._lock = threading.RLock()

    @cached_property
    def story(self) -> Story:
        """Opens the lab, at the first call; the text is there before."""
        return Story(self.folder, self.lang)

    @property
    def lesson(self) -> Lesson:
        return self.folder.lesson

    def exercise(self, id: str) -> Exercise:
        found = self.folder.file.find(id)
        assert found is not None
        return found

    # -- steps ----------------------------------------------------------------------------------------------

    def step(self, number: int) -> int:
        """The step that there is: a number past the end is the last one."""
        return max(0, min(number, len(self.lesson.steps) - 1))

    def open(self, step: int) -> Opened:
        """The step with its lab; one that was open before with what was done in it."""
        with self._lock:
            step = self.step(step)
            if step not in self._steps:
                self._steps[step] = Opened(step=step, lab=self.story.lab_at(step))
            return self._steps[step]

    def place(self, opened: Opened) -> str:
        """Where the terminal stands at first: the place of the step's first run block, else the first one there is."""
        places = opened.lab.places()
        for block in self.lesson.steps[opened.step].en:
            if isinstance(block, Run) and block.place in places:
                return block.place
        return places[0]

    def outputs(self, at: tuple[int, int]) -> tuple[Shown, ...] | EngineError:
        with self._lock:
            try:
                return self.story.outputs(*at)
            except EngineError as error:
                return error

    def play(self, at: tuple[int, int]) -> Played | EngineError:
        with self._lock:
            try:
                return self.story.play(*at)
            except EngineError as error:
                return error

    def prediction(self, at: tuple[int, int]) -> str:
        """The name under which the answer to a play's question is kept; the "/" tells it from an exercise."""
        return f"step-{at[0] + 1}/prediction-{at[1]}"

    # -- exercises ------------------------------------------------------------------------------------------

    def pose(self, id: str, seed: int | None, *, fresh: bool = False) -> Posed:
        """An exercise; the one that was open before with what was done in its lab, unless `fresh` or another seed."""
        with self._lock:
            kept = self._kept.get(id)
            if kept is None or fresh or (seed is not None and seed != kept.seed):
                kept = self.folder.pose(id, seed if seed is not None else 1, lang=self.lang)
                self._kept[id] = kept
            self.posed = kept
            return kept

    def place_of_exercise(self, posed: Posed) -> str:
        """Where its solution begins, else the first node or host."""
        places = posed.lab.places()
        way = posed.solution
        wanted = [d.place for d in way.deeds if d.place] if way is not None else []
        if way is not None and way.take is not None:
            wanted.append(way.take.on)
        return next((p for p in wanted if p in places), places[0])

    def check(self, answer: Any, *, diagnosis: bool = False) -> Verdict:
        """The grader's verdict on the lab as it is now."""
        assert self.posed is not None
        with self._lock:
            if diagnosis:
                return checking.check_diagnosis(self.posed, answer)
            return checking.check(self.posed.lab, self.posed, answer)

    def goal_lines(self, lang: str, *, ascii: bool = False) -> list[str]:
        """Each flow and state of the goal with a mark for how it stands now."""
        posed = self.posed
        if posed is None or posed.goal is None:
            return []
        yes, no = ("x", ".") if ascii else ("✔", "✖")
        with self._lock:
            out = []
            for flow in posed.goal.flows:
                row = flows.judge(posed.lab, flow)
                out.append(
                    f"{yes} {flow_text(flow)}" if row.ok else f"{no} {row.findings[0].said.text(lang)}"
                )
            for one in posed.goal.states:
                out.append(f"{yes if state.holds(posed.lab, one) else no} {wish_text(one)}")
            if posed.goal.keep or posed.goal.keep_all:
                found = goals.judge(posed.lab, posed.goal, posed.healthy, posed.start)
                harmed = [f for f in found if f.kind == "harm"]
                out.append(f"{no if harmed else yes} {words.KEEP().text(lang)}")
            return out

    def solution(self) -> list[Said]:
        """The solution, a line each."""
        posed = self.posed
        if posed is None:
            return []
        way = posed.solution
        if way is not None and way.deeds:
            return [plain(deed.shown()) for deed in way.deeds]
        if way is not None and way.take is not None:
            return [plain(f"{way.take.on}: {way.take.run}"), plain(posed.value)]
        if posed.question is not None:
            return [posed.question.right.text]
        if posed.order:
            by_id = {i.id: i.text for i in posed.items}
            return [by_id[i] for i in posed.order]
        return [o.text for o in posed.options if o.right]

    def question_text(self, question: Question) -> Said:
        """The question of a play."""
        return words.asked(question.ask, question.field)

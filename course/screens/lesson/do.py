"""The Do pane: the exercise and the lab's terminal, beside each other or one at a time.

Rules. Posing, checking and judging the goal happen in workers on the `Desk`; here their results are shown and kept in
the progress file. What happened goes out as messages, so that the screen can show the packet and the marks. The
terminal types in the lab of the step, or of the open exercise.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message

from course import words_lesson as say
from course.progress import Outcome
from course.screens.prompt import NumberPrompt
from course.widgets.exercise import ExercisePane
from course.widgets.terminal import CommandLine, Terminal
from engine.errors import EngineError

if TYPE_CHECKING:
    from course.app import TutorApp
    from course.screens.desk import Desk, Opened
    from engine.grade.finding import Verdict
    from engine.grade.pose import Posed


class DoPane(Horizontal):
    """`open` says whether an exercise is open, `side` which of the two is in use: terminal or exercise."""

    DEFAULT_CSS = """
    DoPane { height: 9; }
    DoPane #exercise-side { width: 1fr; border-top: solid $panel; border-title-color: $accent; }
    DoPane #exercise-side:focus-within { border-top: solid $accent; }
    DoPane #terminal { width: 1fr; padding: 0 1; }
    """

    class ExerciseOpened(Message):
        """An exercise is there, ready to be answered."""

        def __init__(self, posed: Posed) -> None:
            super().__init__()
            self.posed = posed

    class Judged(Message):
        """An answer was graded, and the verdict is shown."""

        def __init__(self, posed: Posed, verdict: Verdict, diagnosis: bool) -> None:
            super().__init__()
            self.posed, self.verdict, self.diagnosis = posed, verdict, diagnosis

    class Watched(Message):
        """The solution was shown."""

    class ExerciseClosed(Message):
        """The exercise was left."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.desk: Desk | None = None
        self.opened: Opened | None = None
        self.open = False
        self.side = "terminal"
        self._began = time.monotonic()

    def compose(self) -> ComposeResult:
        with Vertical(id="exercise-side", classes="hidden"):
            yield ExercisePane(id="exercise", lang=self.tutor.lang, ascii=self.tutor.ascii)
        yield Terminal(id="terminal", lang=self.tutor.lang)

    @property
    def tutor(self) -> TutorApp:
        return cast("TutorApp", self.app)

    @property
    def exercise(self) -> ExercisePane:
        return self.query_one(ExercisePane)

    @property
    def terminal(self) -> Terminal:
        return self.query_one(Terminal)

    @property
    def posed(self) -> Posed | None:
        """The open exercise."""
        return self.desk.posed if self.open and self.desk is not None else None

    def show_sides(self, narrow: bool) -> None:
        """Show both where there is room, else the side in use."""
        typing = self.side == "terminal"
        self.query_one("#exercise-side").set_class(not self.open or (narrow and typing), "hidden")
        self.terminal.set_class(narrow and self.open and not typing, "hidden")

    def focus_in(self) -> None:
        if self.open and self.side == "exercise":
            self.exercise.focus_answer()
        else:
            self.query_one(CommandLine).focus()

    # -- the lab of the step --------------------------------------------------------------------------------

    def at_step(self, desk: Desk, opened: Opened) -> None:
        """Another step: no exercise is open, the terminal types in its lab."""
        self.desk, self.opened = desk, opened
        self._leave()

    def _leave(self) -> None:
        self.open, self.side = False, "terminal"
        if self.desk is not None and self.opened is not None:
            place = self.desk.place(self.opened)
            self.terminal.attach(
                self.opened.lab, place, say.LAB_OF_STEP(place=place).text(self.tutor.lang)
            )  # fmt: skip

    # -- an exercise ----------------------------------------------------------------------------------------

    def pose(self, id: str, seed: int | None = None, *, fresh: bool = False) -> None:
        """Open an exercise, as it was left, or anew with this seed."""
        desk = self.desk
        if desk is None:
            return

        def work() -> None:
            try:
                posed = desk.pose(id, seed, fresh=fresh)
            except EngineError as error:
                self.app.call_from_thread(
                    self.app.notify, error.text(self.tutor.lang), severity="error", timeout=10
                )
                return
            self.tutor.from_thread(self._posed(desk, posed))

        self.run_worker(work, name="pose", group="exercise", exclusive=True, thread=True)

    async def _posed(self, desk: Desk, posed: Posed) -> None:
        self.open, self.side = True, "exercise"
        self._began = time.monotonic()
        state = self.tutor.progress.exercise(desk.entry.id, posed.id)
        pane = self.exercise
        await pane.show(posed, solved=state.solved)
        title = say.LAB_OF_EXERCISE(title=posed.title).text(self.tutor.lang)
        self.terminal.attach(posed.lab, desk.place_of_exercise(posed), title)
        self.goal_now()
        self.post_message(self.ExerciseOpened(posed))
        pane.scroll_home(animate=False)

    def close(self) -> None:
        self._leave()
        self.post_message(self.ExerciseClosed())

    def check(self) -> None:
        """Check the open exercise, from wherever the focus is."""
        if self.open:
            self.exercise.action_check()

    @on(ExercisePane.Closed)
    def _left(self, event: ExercisePane.Closed) -> None:
        event.stop()
        self.close()

    @on(ExercisePane.Answered)
    def _answered(self, event: ExercisePane.Answered) -> None:
        event.stop()
        desk, posed = self.desk, self.posed
        if desk is None or posed is None:
            return

        def work() -> None:
            verdict = desk.check(event.answer, diagnosis=event.diagnosis)
            self.app.call_from_thread(self._judged, posed, verdict, event.answer, event.diagnosis)

        self.run_worker(work, name="check", group="exercise", exclusive=True, thread=True)

    def _judged(self, posed: Posed, verdict: Verdict, answer: Any, diagnosis: bool) -> None:
        """Show the verdict and keep it."""
        assert self.desk is not None
        pane = self.exercise
        pane.judged(verdict, diagnosis=diagnosis)
        self.tutor.progress.record(
            lesson=self.desk.entry.id, exercise=f"{posed.id}/diagnosis" if diagnosis else posed.id, seed=posed.seed,
            outcome=Outcome.PASSED if verdict.passed else Outcome.FAILED,
            answer=answer if isinstance(answer, str | list) else None, hints=pane.hints,
            seconds=time.monotonic() - self._began,
        )  # fmt: skip
        self.goal_now()
        self.post_message(self.Judged(posed, verdict, diagnosis))

    @on(Terminal.Ran)
    def goal_now(self) -> None:
        """How each line of the goal stands in the lab now."""
        desk, posed = self.desk, self.posed
        if desk is None or posed is None or posed.goal is None:
            return
        lang, ascii = self.tutor.lang, self.tutor.ascii

        def work() -> None:
            lines = desk.goal_lines(lang, ascii=ascii)
            self.app.call_from_thread(self.exercise.goal_lines, lines)

        self.run_worker(work, name="goal", group="goal", exclusive=True, thread=True)

    @on(ExercisePane.SolutionAsked)
    def _solution(self, event: ExercisePane.SolutionAsked) -> None:
        event.stop()
        desk, posed = self.desk, self.posed
        if desk is None or posed is None:
            return
        self.exercise.say(say.SOLUTION_TITLE(), "bold")
        for number, said in enumerate(desk.solution(), 1):
            line = say.NUMBERED(number=number, text=said) if posed.kind == "order" else said
            self.exercise.say(line, "$accent")
        self.exercise.say(say.SOLUTION_NOTE(), "dim")
        self.tutor.progress.watch(desk.entry.id, posed.id)
        self.post_message(self.Watched())

    @on(ExercisePane.AgainAsked)
    def _again(self, event: ExercisePane.AgainAsked) -> None:
        event.stop()
        posed = self.posed
        if posed is not None:
            seed = event.seed if event.seed is not None else random.SystemRandom().randrange(1, 10000)
            self.pose(posed.id, seed, fresh=True)

    @on(ExercisePane.SeedAsked)
    def _seed(self, event: ExercisePane.SeedAsked) -> None:
        event.stop()

        def done(seed: int | None) -> None:
            posed = self.posed
            if seed is not None and posed is not None:
                self.pose(posed.id, seed, fresh=True)

        self.app.push_screen(NumberPrompt(say.SEED_TITLE().text(self.tutor.lang)), done)

    async def retext(self) -> None:
        await self.exercise.retext(self.tutor.lang, self.tutor.ascii)
        self.goal_now()

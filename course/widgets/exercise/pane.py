"""The exercise pane: the task, what to answer with, hints, and what the check said.

Rules. It shows one `Posed` exercise and collects an answer; grading is `engine.grade.check`, run by the screen in a
worker, which calls `judged`. `Answers` collects the answer, `task` has the texts. The pane decides nothing about right
or wrong and never hides a finding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.widgets import Static, TextArea

from course import words_lesson as words
from course.commands import Command, bindings
from course.widgets.exercise.answers import Answers
from course.widgets.exercise.task import Told, help_text, task_text, verdict_text
from engine.record import replace
from engine.say import Said

if TYPE_CHECKING:
    from engine.grade.finding import Verdict
    from engine.grade.pose import Posed


class ExercisePane(VerticalScroll):
    """`show(posed)` puts an exercise there. What the learner wants goes out as one of the messages below."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="check", keys=("c", "f9"), label=words.CHECK, about=words.CHECK_ABOUT, bar=7),
        Command(action="hint", keys=("h", "f10"), label=words.HINT, about=words.HINT_ABOUT, bar=7),
        Command(action="solution", keys=("s",), label=words.SOLUTION, about=words.SOLUTION_ABOUT, bar=5),
        Command(action="again", keys=("r",), label=words.AGAIN, about=words.AGAIN_ABOUT, bar=2),
        Command(action="seed", keys=("number_sign",), label=words.SEED, about=words.SEED_ABOUT),
        Command(action="close", keys=("x",), label=words.CLOSE, about=words.CLOSE_ABOUT),
        Command(action="line(-1)", keys=("u", "shift+up"), label=words.UP_DOWN, about=words.UP_DOWN_ABOUT),
        Command(action="line(1)", keys=("d", "shift+down"), label=words.UP_DOWN, about=words.UP_DOWN_ABOUT),
    )
    #: first in the bar, one of them at a time: what Enter or Space does here
    ANSWER: ClassVar[Command] = Command(
        action="answer_now", keys=("enter",), label=words.ANSWER, about=words.ANSWER_ABOUT, bar=8
    )
    INTO: ClassVar[Command] = Command(
        action="into", keys=("enter",), label=words.ANSWER, about=words.INTO_ABOUT, bar=8
    )
    MARK: ClassVar[Command] = Command(
        action="mark", keys=("space",), label=words.MARK, about=words.MARK_ABOUT, bar=8
    )
    TO_TERMINAL: ClassVar[Command] = Command(
        action="to_terminal", keys=("t",), label=words.TERMINAL, about=words.TERMINAL_ABOUT, bar=8
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(ACTIONS),
        Binding("f9", "check", show=False, priority=True),
        Binding("enter", "into", show=False),
    ]
    DEFAULT_CSS = """
    ExercisePane { height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    ExercisePane #help { color: $text-muted; }
    ExercisePane #said { margin-top: 1; }
    ExercisePane #body { height: auto; margin: 1 0 0 0; }
    """

    class Answered(Message):
        """Check this answer. `diagnosis` when it names the broken hop."""

        def __init__(self, pane: ExercisePane, answer: Any, diagnosis: bool = False) -> None:
            super().__init__()
            self.pane, self.answer, self.diagnosis = pane, answer, diagnosis

    class HintAsked(Message):
        """The next hint was opened."""

    class SolutionAsked(Message):
        """The learner wants to watch the solution."""

    class AgainAsked(Message):
        """Another seed: `seed` None draws one."""

        def __init__(self, seed: int | None = None) -> None:
            super().__init__()
            self.seed = seed

    class SeedAsked(Message):
        """The learner wants to type a seed."""

    class TerminalAsked(Message):
        """The learner wants to type in the exercise's lab."""

    class Closed(Message):
        """The learner leaves the exercise."""

    def __init__(self, *, id: str | None = None, lang: str = "en", ascii: bool = False) -> None:
        super().__init__(id=id, can_focus=True)
        self.lang, self.ascii = lang, ascii
        self.posed: Posed | None = None
        self.solved = False
        self.hints = 0
        self._said: list[Told] = []  # opened hints, the watched solution
        self._verdict: list[Told] = []  # of the last check
        self._before = 0  # so much of `_said` was there before it
        self._diagnosed = False
        self._goal_said: list[str] = []

    def compose(self) -> ComposeResult:
        yield Static(id="task")
        yield Answers(id="body")
        yield Static(id="help")
        yield Static(id="said")

    # -- what the screen asks for ---------------------------------------------------------------------------

    async def show(self, posed: Posed, *, solved: bool = False) -> None:
        """Show another exercise, with nothing answered."""
        self.posed, self.solved = posed, solved
        self.hints, self._said, self._verdict, self._before = 0, [], [], 0
        self._diagnosed = posed.diagnosis is None
        self._goal_said = []
        await self._fill()

    async def retext(self, lang: str, ascii: bool) -> None:
        self.lang, self.ascii = lang, ascii
        if self.posed is not None:
            await self._fill(keep=True)

    @property
    def answers(self) -> Answers:
        return self.query_one("#body", Answers)

    async def _fill(self, *, keep: bool = False) -> None:
        """Write the task and build the widgets of this kind; `keep` what was typed, marked and pointed at."""
        posed = self.posed
        assert posed is not None
        focused = self.screen.focused
        inside = focused is not None and self.answers in focused.ancestors
        await self.answers.fill(posed, self.lang, diagnosing=not self._diagnosed, keep=keep)
        self._write_task()  # last: who sees the new title can answer it
        help = help_text(posed, self.lang)
        self.query_one("#help", Static).update(help)
        self.query_one("#help").display = bool(help.plain)
        self._write_said()
        if inside:
            self.focus_answer()

    def actions_now(self) -> tuple[Command, ...]:
        """The pane's commands that mean something for this exercise, the first one first."""
        posed, focused = self.posed, self.screen.focused
        if posed is None:
            return ()
        commands = {c.action: c for c in self.ACTIONS}
        goal = posed.kind in ("repair", "build") and self._diagnosed
        picks = not self._diagnosed or posed.kind == "predict" or (posed.kind == "choice" and not posed.many)
        out: list[Command] = []
        if focused is self and self.query("#body > *") and not goal:
            out.append(self.INTO)
        elif picks or (posed.kind == "answer" and focused is not self):
            out.append(self.ANSWER)
        elif posed.kind == "choice" and posed.many:
            out.append(self.MARK)
        elif posed.kind == "order":
            out += [replace(commands["line(-1)"], bar=8, shown="u d"), commands["line(1)"]]
        if goal and not posed.manifest:
            out.append(self.TO_TERMINAL)
        check = commands["check"]
        out.append(replace(check, bar=0) if self.ANSWER in out else replace(check, bar=8))
        out += [commands[name] for name in ("hint", "solution", "again")]
        out += [commands["seed"]] if posed.values else []
        return (*out, commands["close"])

    def _to_end(self) -> None:
        self.scroll_end(animate=False)

    def focus_answer(self) -> None:
        """Put the focus where the answer is given."""
        if not self.answers.focus_answer():
            self.focus()

    def judged(self, verdict: Verdict, *, diagnosis: bool = False) -> None:
        """What the check found; everything is shown, in order."""
        posed = self.posed
        if posed is None:
            return
        told: list[Told] = []
        self._verdict, self._before = told, len(self._said)
        if verdict.passed and diagnosis:
            self._diagnosed = True
            told += [(words.RIGHT(), "bold $success"), (words.NOW_REPAIR(), "")]
            self.call_later(self._diagnosis_passed)
            return
        self.solved = self.solved or verdict.passed
        told += verdict_text(
            posed, verdict, goal=posed.kind in ("repair", "build") and not diagnosis, ascii=self.ascii
        )
        self._write_task()
        self._write_said()
        self.call_after_refresh(self.scroll_end, animate=False)

    async def _diagnosis_passed(self) -> None:
        """The question goes, the goal is what is left to do."""
        await self._fill()
        if not self.query("#body > *"):
            self.focus()
        self.scroll_end(animate=False)
        self.set_timer(0.15, self._to_end)  # again, when the new lines have found their height

    def onward(self, said: Said) -> None:
        """Under a right answer: which key goes on."""
        self._verdict.append((said, "$accent"))
        self._write_said()
        self.call_after_refresh(self.scroll_end, animate=False)

    def goal_lines(self, lines: list[str]) -> None:
        """How the goal stands now, one line a flow or state (made by the screen after each command)."""
        self._goal_said = lines
        self._write_task()

    @on(TextArea.Changed)
    def _see_editor(self, event: TextArea.Changed) -> None:
        """The editor comes into sight when somebody writes in it; until then the task stays where it can be read."""
        event.stop()
        if event.text_area.text:
            event.text_area.scroll_visible(animate=False)

    def say(self, said: Said | str, style: str = "") -> None:
        self._said.append((said, style))
        self._write_said()
        self.call_after_refresh(self.scroll_end, animate=False)

    # -- texts ----------------------------------------------------------------------------------------------

    def _write_task(self) -> None:
        if self.posed is not None:
            text = task_text(
                self.posed, self._goal_said, solved=self.solved, lang=self.lang, ascii=self.ascii
            )
            self.query_one("#task", Static).update(text)

    def _write_said(self) -> None:
        """In the order of time, an empty line before and behind the verdict: the last is what scrolls into sight."""
        lines: list[tuple[str, str] | str] = []
        for part in (self._said[: self._before], self._verdict, self._said[self._before :]):
            lines += ["\n"] if lines and part else []
            for said, style in part:
                text = said if isinstance(said, str) else said.text(self.lang)
                lines += [(text, style), "\n"]
        self.query_one("#said", Static).update(Content.assemble(*lines[:-1]) if lines else "")

    # -- answering ------------------------------------------------------------------------------------------

    @on(Answers.Given)
    def _given(self, event: Answers.Given) -> None:
        event.stop()
        value = event.value if event.value is not None else self.answers.given()
        self.post_message(self.Answered(self, value, diagnosis=not self._diagnosed))

    # -- commands -------------------------------------------------------------------------------------------

    def action_check(self) -> None:
        answer = self.answers.given()
        if self.posed is not None and (self._diagnosed or answer is not None):
            self.post_message(self.Answered(self, answer, diagnosis=not self._diagnosed))

    def action_hint(self) -> None:
        posed = self.posed
        if posed is None:
            return
        if self.hints >= len(posed.hints):
            self.say(words.NO_MORE_HINTS(), "dim")
            return
        self.hints += 1
        self.say(words.HINT_N(n=self.hints, text=posed.hints[self.hints - 1]), "$warning")
        self.post_message(self.HintAsked())

    def action_solution(self) -> None:
        if self.posed is not None:
            self.post_message(self.SolutionAsked())

    def action_again(self) -> None:
        if self.posed is not None:
            self.post_message(self.AgainAsked())

    def action_seed(self) -> None:
        if self.posed is not None:
            self.post_message(self.SeedAsked())

    def action_into(self) -> None:
        self.focus_answer()

    def action_answer_now(self) -> None:
        self.action_check()

    def action_mark(self) -> None:
        self.answers.mark()

    def action_to_terminal(self) -> None:
        self.post_message(self.TerminalAsked())

    def action_close(self) -> None:
        self.post_message(self.Closed())

    def action_line(self, by: int) -> None:
        """Move the marked line of an order exercise."""
        self.answers.move_line(by, self.lang)

"""The lesson screen: its keys, and what one pane wants of another.

Theory. A step is shown from its blocks; everything slow (opening the lab, running blocks, posing and checking an
exercise) happens in `Desk`, a plain object that a named exclusive worker calls; the worker only hands back values.

Rules. The panes know nothing of each other: what one of them wants of another comes here as a message. Esc always goes
outward: from the line to the text, from an exercise to the step, from the step to the course map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType

from course import words
from course import words_lesson as say
from course.commands import Command, bindings
from course.screens.lesson.do import DoPane
from course.screens.lesson.onward import onward, todo
from course.screens.lesson.packets import LessonPackets
from course.screens.picker import Picker, Row
from course.widgets.blocks import DoBlock, ExerciseBlock, FoldBlock, PlayBlock, RunBlock
from course.widgets.exercise import ExercisePane
from course.widgets.keybar import types
from course.widgets.terminal import CommandLine, Terminal
from engine.record import replace

if TYPE_CHECKING:
    pass

#: from this width on the panes stand side by side
WIDE = 110
#: seconds that the lab waits at most for the text to be painted
PAINT = 0.5


class LessonScreen(LessonPackets):
    """One lesson at one step."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="pane('read')", keys=("1",), label=say.READ, about=say.READ_ABOUT, bar=3),
        Command(action="pane('see')", keys=("2",), label=say.SEE, about=say.SEE_ABOUT, bar=3),
        Command(action="pane('do')", keys=("3",), label=say.DO, about=say.DO_ABOUT, bar=3),
        Command(action="predict", keys=("p",), label=say.PREDICT, about=say.PREDICT_ABOUT, bar=8),
        Command(action="skip", keys=("s",), label=say.SKIP, about=say.SKIP_ABOUT),
        Command(action="play", keys=("space",), label=say.PLAY, about=say.PLAY_ABOUT, bar=6),
        Command(action="play", keys=("f7",), label=say.SEE_PACKET, about=say.SEE_PACKET_ABOUT),
        Command(action="check", keys=("f9",), label=say.CHECK, about=say.CHECK_ABOUT),
        Command(action="terminal", keys=("t",), label=say.TERMINAL, about=say.TERMINAL_ABOUT, bar=4),
        Command(action="exercise", keys=("e",), label=say.EXERCISE, about=say.EXERCISE_ABOUT, bar=5),
        Command(action="next", keys=("n", "ctrl+right"), label=say.NEXT, about=say.NEXT_ABOUT, bar=7),
        Command(action="before", keys=("b", "ctrl+left"), label=say.BEFORE, about=say.BEFORE_ABOUT, bar=1),
        Command(action="maximise", keys=("f11",), label=say.MAXIMISE, about=say.MAXIMISE_ABOUT),
        Command(action="back", keys=("escape",), label=words.BACK, about=words.BACK_ABOUT, bar=8),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(c for c in ACTIONS if c.action != "back"),
        Binding("escape", "back", show=False, priority=False),
    ]

    def actions_now(self) -> tuple[Command, ...]:
        """The screen's commands. `next` stands out when nothing is left to do; what cannot be done is hidden."""
        left = self.desk is not None and bool(todo(self.desk, self.tutor.progress, self.step))
        typing, asking = types(self.focused), self.see.question is not None
        bars = {
            "next": 4 if left else 8,
            "exercise": 6 if left else 0,
            "predict": 8 if asking else 0,
            "skip": 5 if asking else 0,
        }
        out = []
        for command in self.ACTIONS:
            bar = bars.get(command.action, command.bar)
            if command.action == "play" and self.see.empty:
                bar = 0
            elif command.action == "play" and command.keys == ("f7",):
                bar = 6 if typing else 0
            elif (command.action in ("next", "before") and typing) or (
                command.action == "exercise" and self._at_it()
            ):
                bar = 0
            elif command.action == "check":
                bar = 7 if self.do.open and isinstance(self.focused, CommandLine) else 0
            out.append(replace(command, bar=bar) if bar != command.bar else command)
        return tuple(out)

    def action_pane(self, pane: str) -> None:
        if self.loaded:
            self._go(pane, ("exercise" if self.do.open else "terminal") if pane == "do" else "")

    def action_terminal(self) -> None:
        if self.loaded:
            self._go("do", "terminal")
        else:
            self._eager = "terminal"

    def action_back(self) -> None:
        """One step outward."""
        focused = self.focused
        if self.do.open and (isinstance(focused, CommandLine) or self.pane == "see"):
            self._go("do", "exercise")
        elif self.do.open and types(focused):
            self.do.exercise.focus()
        elif self.do.open:
            self.do.close()
        elif self.pane != "read":
            self._go("read")
        else:
            self.tutor.leave(self)

    # -- a step ---------------------------------------------------------------------------------------------

    def stepped(self) -> None:
        """Load its first play; then do what was asked for too early, else the learner reads."""
        eager, self._eager = self._eager, ""
        self._first_play(go=eager == "play")
        if eager == "exercise":
            self.action_exercise()
        elif eager == "terminal":
            self.action_terminal()
        else:
            self._go("read")
            self.read.scroll_home(animate=False)

    def action_next(self) -> None:
        self._step(1)

    def action_before(self) -> None:
        self._step(-1)

    # -- blocks and places ----------------------------------------------------------------------------------

    @on(DoBlock.Chosen)
    def _chosen(self, event: DoBlock.Chosen) -> None:
        if self.opened is None:
            return  # the text is there a moment before its lab
        block = event.block
        if isinstance(block, RunBlock):
            self.do.terminal.go(block.run_block.place)
            self.do.terminal.type(block.run_block.commands[0])
            self._go("do", "terminal")
        elif isinstance(block, PlayBlock):
            self._play(block.at, go=True)
        elif isinstance(block, ExerciseBlock):
            self.do.pose(block.ref.id)
        elif isinstance(block, FoldBlock) and self.see.question is not None and self.see.at == block.at:
            self.see.skip()
        elif isinstance(block, FoldBlock):
            self._skip(block.at)

    @on(Terminal.PlacesAsked)
    def _places(self, event: Terminal.PlacesAsked) -> None:
        lab, lang = event.terminal.lab, self.tutor.lang
        if lab is None:
            return

        def go(place: str) -> Any:
            def run() -> None:
                event.terminal.go(place)
                self._go("do", "terminal")

            return run

        rows = [Row(key="", text=place, run=go(place)) for place in lab.places()]
        self.app.push_screen(Picker(say.PLACES_TITLE().text(lang), rows, lang))

    # -- exercises ------------------------------------------------------------------------------------------

    def action_exercise(self) -> None:
        """The open exercise, else the step's first unsolved one, else its first."""
        desk = self.desk
        if not self.loaded or desk is None:
            self._eager = "exercise"
            return
        left, posed = todo(desk, self.tutor.progress, self.step), self.do.posed
        if posed is not None and (posed.id in left or not left):
            self._go("do", "exercise")
            return
        for id in (left or list(desk.lesson.steps[self.step].exercises))[:1]:
            self.do.pose(id)

    def _at_it(self) -> bool:
        """Is the exercise that `e` would open the one in use?"""
        posed = self.do.posed
        if posed is None or self.desk is None or self.pane != "do" or self.do.side != "exercise":
            return False
        left = todo(self.desk, self.tutor.progress, self.step)
        return posed.id in left or not left

    def action_check(self) -> None:
        """F9 also from the terminal: check the open exercise."""
        self.do.check()
        if self.do.open and self.narrow:
            self._go("do", "exercise")

    @on(DoPane.ExerciseOpened)
    def _posed(self, event: DoPane.ExerciseOpened) -> None:
        question = event.posed.question
        self.see.tell(None)  # what was said of another packet
        if question is not None:
            hide = question.halt or self.see.behind_the_sender(question.journey)
            self.see.load(question.journey, event.posed.lab.world.net, hide=hide)
        self._go("do", "exercise")

    @on(DoPane.ExerciseClosed)
    def _left_exercise(self) -> None:
        posed = self.desk.posed if self.desk is not None else None
        if posed is not None and posed.question is not None:
            self._first_play()  # the packet of the question goes with it
        self._go("read")
        self._mark()

    @on(ExercisePane.TerminalAsked)
    def _to_terminal(self) -> None:
        self.action_terminal()

    @on(DoPane.Watched)
    def _watched(self) -> None:
        self._mark()

    @on(DoPane.Judged)
    def _judged(self, event: DoPane.Judged) -> None:
        """The counter-example stands at its guilty hop; the marks, and how to go on."""
        verdict, posed = event.verdict, event.posed
        shown = next((f for f in verdict.findings if f.journey is not None), None)
        if shown is not None and shown.journey is not None:
            self.see.load(shown.journey, posed.lab.world.net, halt=shown.halt)
        elif verdict.passed and posed.question is not None:
            self.see.player.reveal()
        self._mark()
        self._head()
        if verdict.passed and not event.diagnosis and self.desk is not None:
            self.do.exercise.onward(onward(self.desk, self.tutor.progress, self.step)[0])
        self.show_keys()

"""The packet of a lesson: which play stands in See, what was predicted of it, what the terminal sent.

Rules. `SeePane` shows and asks; here a play is made in a worker, an answer is kept, and the text behind it unfolds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from course import words_lesson as say
from course.progress import Outcome
from course.rows import command_for, terminal_at
from course.screens.lesson.see import SeePane
from course.screens.lesson.steps import LessonSteps
from course.widgets.blocks import At, PlayBlock
from course.widgets.player import Player
from course.widgets.terminal import Terminal
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.grade.story import Played


class LessonPackets(LessonSteps):
    """A step with its packets."""

    _eager = ""  # asked for before the lab was open: done as soon as it is

    def _first_play(self, *, go: bool = False) -> None:
        play = next(iter(self.query(PlayBlock)), None)
        if play is not None:
            self._play(play.at, go=go)
        else:
            self.see.say(say.NO_PACKET().text(self.tutor.lang))

    def _play(self, at: At, *, go: bool) -> None:
        desk = self.desk
        assert desk is not None

        def work() -> None:
            played = desk.play(at)
            self.tutor.from_thread(self._played(played, at, go))

        self.run_worker(work, name="play", group="play", exclusive=True, thread=True)

    async def _played(self, played: Played | EngineError, at: At, go: bool) -> None:
        """A play is ready: load it; a question that is still open hides what comes after its hop."""
        desk = self.desk
        if isinstance(played, EngineError) or desk is None:
            self.see.tell(played.said if isinstance(played, EngineError) else None, "$error")
            return
        if played.beside is not None:
            await self.see.compare(played, at)
        else:
            text = desk.question_text(played.question) if played.question is not None else None
            self.see.show(played, at, text, ask=at not in self._predicted())
        self.show_keys()
        if go:
            self._go("see")
            self.see.go()

    @on(SeePane.Predicted)
    def _answered(self, event: SeePane.Predicted) -> None:
        assert self.desk is not None
        self.tutor.progress.record(
            lesson=self.entry.id, exercise=self.desk.prediction(event.at), seed=0, answer=event.answer, hints=0,
            seconds=0.0, outcome=Outcome.PASSED if event.right else Outcome.FAILED,
        )  # fmt: skip
        self.read.refold(self._predicted())
        if self.narrow and self.pane != "see":
            self._go("see")  # what was said stands above the packet
        self.show_keys()

    @on(SeePane.Skipped)
    def _skipped(self, event: SeePane.Skipped) -> None:
        self._skip(event.at)

    def _skip(self, at: At) -> None:
        """Read on without an answer."""
        assert self.desk is not None
        self.tutor.progress.watch(self.entry.id, self.desk.prediction(at))
        self.read.refold(self._predicted())
        self.show_keys()

    def action_predict(self) -> None:
        self.see.ask()

    def action_skip(self) -> None:
        self.see.skip()

    def action_play(self) -> None:
        """Space anywhere: to the packet, and let it move."""
        if self.see.empty:
            self._eager = "play" if not self.loaded else ""
            return
        if self.focused is not self.see.in_use:
            self._go("see")
        self.see.play_pause()

    @on(Player.KeysChanged)
    @on(Player.ViewChanged)
    def _keys_changed(self) -> None:
        self.show_keys()

    @on(Player.RowChosen)
    def _row(self, event: Player.RowChosen) -> None:
        """Type the command that prints the row, where it decides."""
        terminal = self.do.terminal
        place = terminal_at(terminal.lab, event.place) if terminal.lab is not None else None
        if place is None:
            self.see.tell(say.NO_TERMINAL_THERE(place=event.place.text(), row=event.row.strip()), "dim")
            return
        terminal.go(place)
        terminal.type(command_for(event.step))
        self._go("do", "terminal")

    @on(Terminal.Ran)
    def _ran(self, event: Terminal.Ran) -> None:
        """A command sent packets: the last one is ready to be seen."""
        if event.journeys and event.terminal.lab is not None:
            self.see.load(event.journeys[-1], event.terminal.lab.world.net, play=not self.narrow)
            self.show_keys()
            if self.narrow:
                event.terminal.say(say.PACKET_SENT().text(self.tutor.lang), "dim")

"""A learner in a test: the app on a folder of its own, keys in, the screen's text out. Waiting is for a state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from course.app import TutorApp
from course.progress import Progress
from course.screens.lesson import LessonScreen
from course.widgets.exercise import ExercisePane
from course.widgets.keybar import KeyBar
from course.widgets.player import Player
from course.widgets.terminal import CommandLine, Terminal
from course.widgets.terminal.log import Log
from tests.course.progress.clock import Clock

TURNS = 3000


class Sitting:
    """The app with its pilot."""

    def __init__(self, app: TutorApp, pilot: Pilot[int]) -> None:
        self.app, self.pilot = app, pilot

    @property
    def lesson(self) -> LessonScreen:
        assert isinstance(self.app.screen, LessonScreen)
        return self.app.screen

    @property
    def pane(self) -> ExercisePane:
        return self.lesson.query_one(ExercisePane)

    @property
    def player(self) -> Player:
        return self.lesson.query_one(Player)

    @property
    def terminal(self) -> Terminal:
        return self.lesson.query_one(Terminal)

    @property
    def log(self) -> str:
        return self.terminal.query_one(Log).plain_text()

    @property
    def line(self) -> CommandLine:
        return self.lesson.query_one(CommandLine)

    @property
    def bar(self) -> str:
        return str(self.app.screen.query_one(KeyBar).render())

    def text(self) -> str:
        """The screen as a person sees it."""
        return "\n".join(strip.text.rstrip() for strip in self.app.screen._compositor.render_strips())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        """Into the line that has the focus, at once."""
        self.line.insert_text_at_cursor(text)
        await self.pilot.pause()

    async def until(self, true: Callable[[], object]) -> None:
        """Let the app work until this is so."""
        for _ in range(TURNS):
            if true():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.01)
        raise AssertionError(f"never so:\n{self.text()}")

    async def loaded(self) -> None:
        await self.until(lambda: isinstance(self.app.screen, LessonScreen) and self.lesson.loaded)
        await self.settled()

    async def settled(self) -> None:
        """No worker is busy."""
        await self.until(lambda: not any(w.is_running for w in self.app.workers))


@asynccontextmanager
async def sitting(
    folder: Path,
    *,
    size: tuple[int, int] = (80, 24),
    lang: str = "en",
    lesson: str | None = None,
    ascii: bool = False,
) -> AsyncIterator[Sitting]:
    with Progress.open(folder, Clock()) as progress:
        app = TutorApp(progress, lang=lang, lesson=lesson, ascii=ascii)
        async with app.run_test(size=size) as pilot:
            one = Sitting(app, pilot)
            if lesson is not None:
                await one.loaded()
            yield one

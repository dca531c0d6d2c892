"""The application: one language, one theme, one progress file, a stack of screens.

Rules. It holds what all screens share and opens them; a screen's logic stays with the screen. Slow work (reading a
lesson, drawing a lab) runs in named exclusive workers that only hand back a value. SIGTERM and SIGHUP give the terminal
back. Importing this module imports Textual; only `course.__main__` may decide to do so.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import threading
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from textual.app import App
from textual.content import Content

from course import catalog, words
from course.commands import Command, bindings
from course.lang import wanted
from course.paths import data_dir
from course.progress import Progress
from course.screens.base import TutorScreen
from course.screens.home import HomeScreen
from course.screens.picker import Picker, Row
from course.themes import ORDER, OWN

if TYPE_CHECKING:
    from rich.console import RenderableType

    from course.catalog import Entry


#: seconds that the end gets to give the terminal back
LAST = 3.0


class TutorApp(App[int]):
    """The course in a terminal. `lang` is "en" or "ko"; `ascii` the drawing set; `motion` lets packets glide."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "k8snet-tutor"
    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="language", keys=("l", "f2"), label=words.LANGUAGE, about=words.LANGUAGE_ABOUT, bar=6),
        Command(
            action="palette", keys=("ctrl+p", "f3"), label=words.PALETTE, about=words.PALETTE_ABOUT, bar=3
        ),
        Command(action="next_theme", keys=("f4",), label=words.THEME, about=words.THEME_ABOUT),
        Command(action="ascii", keys=(), label=words.ASCII, about=words.ASCII_ABOUT),
        Command(action="motion", keys=(), label=words.MOTION, about=words.MOTION_ABOUT),
        Command(action="help", keys=("f1", "question_mark"), label=words.HELP, about=words.HELP_ABOUT, bar=9),
        Command(action="quit", keys=("q", "ctrl+q"), label=words.QUIT, about=words.QUIT_ABOUT, bar=9),
    )
    BINDINGS = bindings(ACTIONS)
    CSS = """
    Toast { background: $background; color: $foreground; border: round $accent; padding: 0 1; }
    .ascii #map, .ascii #about, .ascii #box, .ascii Toast, .ascii TextArea { border: ascii $primary; }
    .ascii Terminal, .ascii #exercise-side { border-top: ascii $panel; }
    .ascii Terminal:focus-within, .ascii #exercise-side:focus-within { border-top: ascii $accent; }
    .ascii #read { border-right: ascii $panel; }
    .ascii DoBlock { border-left: ascii $panel; }
    .ascii DoBlock:focus { border-left: ascii $accent; }
    """

    def __init__(
        self,
        progress: Progress,
        *,
        lang: str | None = None,
        ascii: bool | None = None,
        lesson: str | None = None,
    ) -> None:
        super().__init__()
        #: this process is the course and nothing else
        self.alone = False
        self.progress = progress
        settings = progress.settings()
        self.lang = lang or settings.language or wanted()
        self.ascii = settings.ascii if ascii is None else ascii
        self.set_class(self.ascii, "ascii")
        self.motion = settings.animation != "none"
        self._first_lesson = lesson
        for theme in OWN:
            self.register_theme(theme)
        self.theme = settings.theme if settings.theme in ORDER else "k8snet-dark"

    # -- life -----------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        self._catch_signals()
        entry = catalog.find(self._first_lesson) if self._first_lesson is not None else None
        if entry is None:
            self.push_screen(HomeScreen())
        else:
            self.open_lesson(entry)  # the course map is made when the learner leaves it

    def _catch_signals(self) -> None:
        """End cleanly on SIGTERM and SIGHUP, so that the terminal is given back (exit code 128 + number)."""
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None:
                try:
                    loop.add_signal_handler(number, self._end, number)
                except (NotImplementedError, RuntimeError, ValueError):
                    continue

    def _print_error_renderables(self) -> None:
        """Nothing: `run_app` raises the error, and the program's door says one line and writes a crash file."""

    def action_help_quit(self) -> None:
        """Ctrl+C, which is no key of the course: say which one quits."""
        self.notify(words.HOW_TO_QUIT().text(self.lang), timeout=3)

    def _end(self, number: int) -> None:
        self.exit(return_code=128 + number)

    def exit(
        self, result: int | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """End the course. A dead terminal kills Textual's writing thread and leaves its reading thread spinning, and
        either would keep the end waiting for ever: in a terminal of its own the process ends after LAST seconds."""
        if self.alone:
            last = threading.Timer(LAST, os._exit, (return_code,))
            last.daemon = True
            last.start()
        super().exit(result, return_code, message)

    # -- what screens ask -----------------------------------------------------------------------------------

    def progress_of_lessons(self) -> dict[str, tuple[str, int]]:
        """lesson id -> ("new" | "here" | "done", exercises solved)."""
        positions = self.progress.positions()
        solved: dict[str, int] = {}
        for (lesson, exercise), state in self.progress.exercises().items():
            if state.solved and "/" not in exercise:  # a diagnosis or a prediction counts by itself
                solved[lesson] = solved.get(lesson, 0) + 1
        out = {}
        for entry in catalog.entries():
            count = solved.get(entry.id, 0)
            facts = self.lesson_facts(entry) if entry.ready and count else None
            if facts is not None and facts[1] and count >= facts[1]:
                out[entry.id] = ("done", count)
            elif entry.id in positions:
                out[entry.id] = ("here", count)
            else:
                out[entry.id] = ("new", count)
        return out

    def lesson_facts(self, entry: Entry) -> tuple[int, int] | None:
        """(steps, exercises) of a lesson, counted from its text without the engine."""
        try:
            text = (entry.folder / f"lesson.{self.lang}.md").read_text(encoding="utf-8")
        except OSError:
            return None
        return text.count("\n## "), text.count("\n```exercise ")

    def draw_lab(self, entry: Entry, width: int, height: int, done: Callable[[Entry, Content], None]) -> None:
        """Draw a lesson's lab in a worker; `done` is called on the screen's thread."""

        def work() -> None:
            from course.screens.picture import lab_picture

            picture = lab_picture(entry, width, height, lang=self.lang, ascii=self.ascii)
            if picture is not None:
                self.call_from_thread(done, entry, picture)

        self.run_worker(
            work, name="draw-lab", group="draw-lab", exclusive=True, thread=True, exit_on_error=False
        )

    def open_lesson(self, entry: Entry, step: int | None = None) -> None:
        """Open a lesson; `step` None = where the learner was."""
        from course.screens.lesson import LessonScreen

        position = self.progress.positions().get(entry.id)
        at = step if step is not None else (position.step if position is not None else 0)
        self.push_screen(LessonScreen(entry, at))

    def from_thread(self, work: Coroutine[Any, Any, None]) -> None:
        """For workers: do this on the screen's thread, and wait for it."""

        async def run() -> None:
            await work

        callback: Callable[[], Any] = run
        self.call_from_thread(callback)

    def leave(self, screen: TutorScreen) -> None:
        """Back from a lesson to the course map, which may not have been made yet."""
        if any(isinstance(below, HomeScreen) for below in self.screen_stack):
            screen.dismiss()
        else:
            self.switch_screen(HomeScreen())

    def retext(self) -> None:
        """The language or the drawing set has changed: every screen writes its texts again."""
        for screen in self.screen_stack:
            if isinstance(screen, TutorScreen):
                screen.retext()
                screen.show_keys()

    # -- commands -------------------------------------------------------------------------------------------

    def action_language(self) -> None:
        self.lang = "ko" if self.lang == "en" else "en"
        self.progress.change(language="ko" if self.lang == "ko" else "en")
        self.retext()

    def action_next_theme(self) -> None:
        at = ORDER.index(self.theme) if self.theme in ORDER else -1
        self.set_theme(ORDER[(at + 1) % len(ORDER)])

    def set_theme(self, name: str) -> None:
        self.theme = name
        self.progress.change(theme=name)
        self.clear_notifications()
        self.notify(words.THEME_NAMED(name=name).text(self.lang), timeout=2)

    def action_ascii(self) -> None:
        self.ascii = not self.ascii
        self.set_class(self.ascii, "ascii")
        self.progress.change(ascii=self.ascii)
        self.retext()

    def action_motion(self) -> None:
        self.motion = not self.motion
        self.progress.change(animation="full" if self.motion else "none")
        state = (words.ON if self.motion else words.OFF)()
        self.notify(words.MOTION_IS(state=state).text(self.lang), timeout=2)
        self.retext()

    def action_help(self) -> None:
        """The commands that work now; Enter runs one."""
        screen = self.screen
        if isinstance(screen, TutorScreen):
            title = words.HELP_OF(what=screen.title_of()).text(self.lang)
            self.push_screen(Picker(title, self._rows(screen), self.lang))

    def action_palette(self) -> None:
        """Everything: the commands, every lesson, every theme."""
        screen = self.screen
        if not isinstance(screen, TutorScreen):
            return
        rows = [
            Row(
                key=str(e.number),
                text=words.OPEN_LESSON(title=e.title[self.lang]).text(self.lang),
                run=self._opener(e),
            )
            for e in catalog.entries()
            if e.ready
        ]
        rows += self._rows(screen)
        rows += [
            Row(key="", text=words.THEME_NAMED(name=name).text(self.lang), run=self._themer(name))
            for name in ORDER
        ]
        self.push_screen(Picker(words.COMMANDS_TITLE().text(self.lang), rows, self.lang))

    def _rows(self, screen: TutorScreen) -> list[Row]:
        rows: list[Row] = []
        focused = screen.focused
        for command in screen.commands():

            def run(command: Command = command) -> None:
                self.run_worker(self._run(screen, focused, command), name="command", exit_on_error=True)

            text, key = command.about().text(self.lang), command.key_text(ascii=self.ascii)
            if key and any(row.text == text and key in row.key for row in rows):
                continue  # the second of two keys that were shown together
            rows.append(Row(key=key, text=text, run=run))
        return rows

    async def _run(self, screen: TutorScreen, focused: object, command: Command) -> None:
        from textual.widget import Widget

        namespaces = [n for n in (focused, screen, self) if n is not None]
        for node in namespaces:
            at: object = node
            while isinstance(at, Widget) or at is self:
                name = command.action.partition("(")[0]
                if hasattr(at, f"action_{name}"):
                    await self.run_action(command.action, default_namespace=at)
                    return
                at = getattr(at, "parent", None)

    def _opener(self, entry: Entry) -> Callable[[], None]:
        return lambda: self.open_lesson(entry)

    def _themer(self, name: str) -> Callable[[], None]:
        return lambda: self.set_theme(name)


def run_app(args: argparse.Namespace) -> int:
    """Open the course. Returns the exit code."""
    import sys

    folder = data_dir(args.data_dir)
    lang = args.lang or wanted()
    if args.lesson is not None:
        entry = catalog.find(args.lesson)
        if entry is None or not entry.ready:
            ready = ", ".join(e.id for e in catalog.entries() if e.ready)
            print(words.NO_SUCH_LESSON(found=args.lesson, ready=ready).text(lang), file=sys.stderr)
            return 2
    if args.plain:
        from course.plain import run_plain

        return run_plain(args)
    with Progress.open(folder, lambda: datetime.now().astimezone()) as progress:
        app = TutorApp(progress, lang=args.lang, ascii=True if args.ascii else None, lesson=args.lesson)
        app.alone = True
        app.run()
        if app._exception is not None:
            raise app._exception
        code = app.return_code or 0
    leave(code)


def leave(code: int) -> NoReturn:
    """End the process now, whatever threads are left: where the terminal is gone Textual's reader would wait (and
    spin) on it for ever, and the interpreter would wait for the reader."""
    import sys

    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)

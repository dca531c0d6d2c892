"""The steps of a lesson: opening one, writing its text, filling its outputs, changing its language.

Theory. The first words are painted before the engine is imported, the whole text before its lab is opened: reading can
begin while the rest is made.

Rules. Whatever opens a lab or runs a command is done by `Desk` in a named exclusive worker, which hands back a value.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from course import words_lesson as say
from course.screens.lesson.first import first_words
from course.screens.lesson.onward import farewell, onward
from course.screens.lesson.panes import LessonPanes
from course.widgets.blocks import At, ExerciseBlock, RunBlock
from engine.errors import EngineError

if TYPE_CHECKING:
    from course.catalog import Entry
    from course.screens.desk import Desk, Opened

#: seconds that the lab waits at most for the text to be painted
PAINT = 0.5


class LessonSteps(LessonPanes):
    """One step at a time. `stepped` is called when another one stands there."""

    def __init__(self, entry: Entry, step: int) -> None:
        super().__init__(entry, step)
        self.opened: Opened | None = None

    def stepped(self) -> None:
        """The step is there with its lab."""

    def on_mount(self) -> None:
        super().on_mount()
        self.see.say(say.OPENING().text(self.tutor.lang), narrow=False)
        self.read.focus()
        self.run_worker(self._open, name="open-lesson", group="lesson", exclusive=True, thread=True)

    # -- opening a step -------------------------------------------------------------------------------------

    def _open(self) -> None:
        try:
            painted = threading.Event()
            self.tutor.from_thread(self._show_first(painted))
            painted.wait(PAINT)
            from course.screens.desk import Desk

            desk = Desk(self.entry, self.tutor.lang)
            painted = threading.Event()
            self.tutor.from_thread(self._show_text(desk, painted))
            painted.wait(PAINT)  # the text first: opening the lab would share the processor with its paint
            opened = desk.open(self.step)
        except EngineError as error:
            self.app.call_from_thread(self._failed, error)
            return
        self.tutor.from_thread(self._show(desk, opened))

    async def _show_first(self, painted: threading.Event) -> None:
        """The first words of the step."""
        words = first_words(self.entry.folder, self.step, self.tutor.lang)
        await self.read.write_first(words, ascii=self.tutor.ascii)
        self.call_after_refresh(painted.set)

    async def _show_text(self, desk: Desk, painted: threading.Event) -> None:
        """The text of the first step, before its lab is there."""
        self.desk, self.step = desk, desk.step(self.step)
        await self._write()
        self._head()
        self.call_after_refresh(painted.set)

    def _failed(self, error: EngineError) -> None:
        self.see.say(say.LESSON_FAILED(error=error.text(self.tutor.lang)).text(self.tutor.lang))

    async def _show(self, desk: Desk, opened: Opened) -> None:
        """A step has been opened: write its blocks, attach the terminal, load its first play."""
        self.desk, self.opened, self.step = desk, opened, opened.step
        self.tutor.progress.visit(self.entry.id, opened.step)
        if self.read.written != opened.step:
            await self._write()
        self.do.at_step(desk, opened)
        self.loaded = True
        self.stepped()
        self._head()
        self._run_blocks()

    async def _write(self) -> None:
        assert self.desk is not None
        lang, ascii = self.tutor.lang, self.tutor.ascii
        await self.read.write(self.desk.lesson, self.step, lang, ascii=ascii, done=self._predicted())
        self._mark()

    def _run_blocks(self) -> None:
        """Fill the outputs of the run blocks, in order, off the screen's thread."""
        blocks, desk = list(self.query(RunBlock)), self.desk
        if not blocks or desk is None:
            return

        def work() -> None:
            for block in blocks:
                self.app.call_from_thread(block.show, desk.outputs(block.at))

        self.run_worker(work, name="run-blocks", group="blocks", exclusive=True, thread=True)

    def _step(self, by: int) -> None:
        desk, target = self.desk, self.step + by
        if desk is None or target < 0:
            return
        if target >= len(desk.lesson.steps):
            self.notify(farewell(desk, self.tutor.progress).text(self.tutor.lang), timeout=8)
            return

        def work() -> None:
            try:
                opened = desk.open(target)
            except EngineError as error:
                self.app.call_from_thread(self._failed, error)
                return
            self.tutor.from_thread(self._show(desk, opened))

        self.run_worker(work, name="open-step", group="lesson", exclusive=True, thread=True)

    def _predicted(self) -> set[At]:
        """The predictions of this step that are no longer open: answered or skipped, now or in an earlier sitting."""
        assert self.desk is not None
        from engine.grade.lesson import Play

        states = self.tutor.progress.exercises()
        blocks = enumerate(self.desk.lesson.steps[self.step].en)
        asked = [(self.step, i) for i, b in blocks if isinstance(b, Play) and b.ask is not None]
        return {at for at in asked if (self.entry.id, self.desk.prediction(at)) in states}

    # -- texts and keys -------------------------------------------------------------------------------------

    def title_of(self) -> str:
        return self.entry.title[self.tutor.lang]

    def retext(self) -> None:
        if not self.loaded:
            self._head()
            return
        self.see.retext()
        self.do.terminal.lang = self.tutor.lang
        self._head()
        self.run_worker(self._retext(), name="retext", group="retext", exclusive=True)

    async def _retext(self) -> None:
        place = self.read.place()
        await self._write()
        self.read.back_to(place)
        self._run_blocks()
        await self.do.retext()
        self.show_keys()

    def _mark(self) -> None:
        """Which exercises are solved, and which keys go on."""
        desk, lang = self.desk, self.tutor.lang
        if desk is None:
            return
        for block in self.query(ExerciseBlock):
            exercise = desk.exercise(block.ref.id)
            state = self.tutor.progress.exercise(self.entry.id, block.ref.id)
            word = "solved" if state.solved else "watched" if state.watched else ""
            kind = say.KINDS[exercise.kind]().text(lang)
            block.show(exercise.title.text(lang), kind, word, lang=lang, ascii=self.tutor.ascii)
        self.read.onward(onward(desk, self.tutor.progress, self.step), lang)
        self.show_keys()

"""The three panes of a lesson, and how they share the window.

Theory. From 110 columns on Read and See stand beside each other over Do; below that, or when one pane has the whole
window, one is shown at a time.

Rules. Which pane is in use is `pane`; everything that is shown or hidden follows from it, the width, and `full`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from course.screens.base import TutorScreen
from course.screens.lesson.do import DoPane
from course.screens.lesson.head import head, marks
from course.screens.lesson.onward import solved
from course.screens.lesson.read import ReadPane
from course.screens.lesson.see import SeePane

if TYPE_CHECKING:
    from course.catalog import Entry
    from course.screens.desk import Desk

#: from this width on the panes stand side by side
WIDE = 110


class LessonPanes(TutorScreen):
    """Read, See and Do under one line."""

    DEFAULT_CSS = """
    LessonPanes #head { height: 1; dock: top; background: $panel; }
    LessonPanes #upper { height: 1fr; }
    LessonPanes.doing #do { height: 45%; }
    LessonPanes .hidden { display: none; }
    LessonPanes.narrow #read { border-right: none; }
    LessonPanes.narrow #do, LessonPanes.narrow.doing #do { height: 1fr; }
    LessonPanes.narrow #exercise-side { border-top: none; }
    """

    def __init__(self, entry: Entry, step: int) -> None:
        super().__init__()
        self.entry, self.step = entry, step
        self.pane = "read"
        self.full = False
        self.desk: Desk | None = None
        self.loaded = False

    def panes(self) -> ComposeResult:
        # The classes of the first size are there from the start: `_arrange` then finds nothing to change, and the
        # whole tree is styled once before the first paint.
        self.set_class(self.app.size.width < WIDE, "narrow")
        aside = "hidden" if self.has_class("narrow") else ""
        yield Static(id="head", classes="pane")
        with Vertical(classes="pane"):
            with Horizontal(id="upper"):
                yield ReadPane(id="read")
                yield SeePane(id="see", classes=aside)
            yield DoPane(id="do", classes=aside)

    @property
    def read(self) -> ReadPane:
        return self.query_one(ReadPane)

    @property
    def see(self) -> SeePane:
        return self.query_one(SeePane)

    @property
    def do(self) -> DoPane:
        return self.query_one(DoPane)

    def _head(self) -> None:
        """The line above: lesson, step, panes, exercises of the lesson, language."""
        lang, steps, done = self.tutor.lang, 0, ""
        if self.desk is not None:
            steps, posed = len(self.desk.lesson.steps), self.do.posed
            done = marks(
                self.desk.lesson.exercises, solved(self.desk, self.tutor.progress),
                posed.id if posed is not None else "", ascii=self.tutor.ascii,
            )  # fmt: skip
        title = f"{self.entry.number} {self.entry.title[lang]}"
        pane = self.pane if self.narrow else ""
        line = head(title, (self.step + 1, steps), done, self.size.width, lang, pane=pane)
        self.query_one("#head", Static).update(line)

    @property
    def narrow(self) -> bool:
        """Is one pane shown at a time? A comparison takes the whole window while it is looked at."""
        return self.size.width < WIDE or self.full or (self.pane == "see" and self.see.comparing)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._arrange()
        self._head()

    def _arrange(self) -> None:
        """Show the panes that belong to this size and state."""
        narrow = self.narrow
        self.set_class(narrow, "narrow")
        self.set_class(self.pane == "do", "doing")
        self.read.set_class(narrow and self.pane != "read", "hidden")
        self.see.set_class(narrow and self.pane != "see", "hidden")
        self.query_one("#upper").set_class(narrow and self.pane == "do", "hidden")
        self.do.set_class(narrow and self.pane != "do", "hidden")
        self.do.show_sides(narrow)

    def _go(self, pane: str, side: str = "") -> None:
        """Show a pane and put the focus there; `side` is the exercise or the terminal."""
        self.pane = pane
        self.do.side = side or self.do.side
        self._arrange()
        self._head()
        if pane == "read":
            self.read.focus()
        elif pane == "see":
            self.see.focus_in()
        else:
            self.do.focus_in()
        self.show_keys()

    def action_maximise(self) -> None:
        self.full = not self.full
        self._arrange()
        self._head()

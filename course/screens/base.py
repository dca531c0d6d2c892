"""What all full screens share: the key bar, the help, the language, the notice of a window that is too small.

Rules. A screen declares ACTIONS and BINDINGS = bindings(ACTIONS), composes its panes in `panes()`, and writes all its
texts in `retext()`, which runs at the start and whenever the language or the drawing set changes. Nothing else
writes text that a person reads, except from messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from course import words
from course.commands import Command
from course.widgets.keybar import KeyBar, pane_commands, types

if TYPE_CHECKING:
    from course.app import TutorApp

SMALLEST = (80, 24)
LARGEST = (500, 200)


class TutorScreen(Screen[None]):
    """Base of the screens. `title_of()` names it in the help."""

    ACTIONS: ClassVar[tuple[Command, ...]] = ()
    DEFAULT_CSS = """
    TutorScreen { scrollbar-background: $background; scrollbar-color: $panel; }
    TutorScreen * {
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-background-active: $background; scrollbar-corner-color: $background;
        scrollbar-color: $panel; scrollbar-color-hover: $primary; scrollbar-color-active: $accent;
    }
    TutorScreen #too-small {
        display: none; width: 100%; height: 100%; content-align: center middle; text-align: center;
    }
    TutorScreen.small #too-small { display: block; }
    TutorScreen.small .pane { display: none; }
    TutorScreen.small KeyBar { display: none; }
    """

    _focused_before: Widget | None = None

    def _focus_again(self, widget: Widget) -> None:
        if widget.is_attached and widget.screen is self:
            widget.focus(scroll_visible=False)

    @property
    def tutor(self) -> TutorApp:
        from course.app import TutorApp

        assert isinstance(self.app, TutorApp)
        return self.app

    def panes(self) -> ComposeResult:
        """The screen's own widgets; the outermost ones carry the class `pane`."""
        return iter(())

    def compose(self) -> ComposeResult:
        yield Static(id="too-small")
        yield from self.panes()
        yield KeyBar(id="keys")

    def on_mount(self) -> None:
        self.retext()
        self.show_keys()

    def retext(self) -> None:
        """Write every text again, in the app's language."""

    def title_of(self) -> str:
        return words.APP().text(self.tutor.lang)

    def commands(self) -> Iterable[Command]:
        """All commands that work now: the focused pane's, the screen's, the app's."""
        yield from pane_commands(self.focused)
        yield from self.actions_now()
        yield from self.tutor.ACTIONS

    def actions_now(self) -> tuple[Command, ...]:
        """The screen's own commands as they stand now."""
        return self.ACTIONS

    def show_keys(self) -> None:
        for bar in self.query(KeyBar):
            bar.show(self.commands(), self.tutor.lang, ascii=self.tutor.ascii, typing=types(self.focused))

    def on_descendant_focus(self) -> None:
        self.show_keys()

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        small = width < SMALLEST[0] or height < SMALLEST[1]
        large = width > LARGEST[0] or height > LARGEST[1]
        if small or large:
            # A pane that is not shown loses the focus, and a typed q must not land in its line.
            self._focused_before = self.focused or self._focused_before
            self.set_focus(None)
        self.set_class(small or large, "small")
        if not (small or large) and self._focused_before is not None:
            before, self._focused_before = self._focused_before, None
            self.call_after_refresh(self._focus_again, before)
        if small or large:
            phrase = words.TOO_SMALL if small else words.TOO_LARGE
            text = phrase(width=width, height=height).text(self.tutor.lang)
            self.query_one("#too-small", Static).update(text)

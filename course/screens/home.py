"""The course map: every lesson of the course, progress, and what to do next. The first start asks nothing.

Rules. It must be on the screen quickly, so it reads course.yaml and the progress file once and nothing of the engine.
The drawing of a lesson's lab is made by a worker, after the first paint and when the choice has stood still for a
moment: the engine's import would keep the first paint waiting.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from course import catalog, words
from course.commands import Command, bindings
from course.screens.base import TutorScreen
from course.text import fill

if TYPE_CHECKING:
    from textual.timer import Timer

    from course.catalog import Entry
    from course.progress import Position

#: seconds that a choice stands before its lab is drawn
STANDS = 0.2
#: cells of a line of the map, and from which width of the window on it has more
ROOM, WIDE, WIDE_ROOM = 36, 110, 46
#: cells of the map around its lines
MAP_FRAME = 6
MARKS = {"done": "✔", "here": "▸", "new": " ", "coming": " "}
ASCII_MARKS = {"done": "x", "here": ">", "new": " ", "coming": " "}


class HomeScreen(TutorScreen):
    """Left the map, right the chosen lesson."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="open", keys=("enter",), label=words.OPEN, about=words.OPEN_ABOUT, bar=8),
        Command(action="find", keys=("slash",), label=words.FIND, about=words.FIND_ABOUT, bar=5),
        Command(action="start_over", keys=("b",), label=words.START_OVER, about=words.START_OVER_ABOUT),
    )
    BINDINGS = bindings(c for c in ACTIONS if c.action != "open")
    DEFAULT_CSS = """
    HomeScreen #top { height: 1; dock: top; background: $panel; }
    HomeScreen #map {
        width: 42; height: 1fr; border: round $primary; background: $background; padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    HomeScreen #map.wide { width: 52; }
    HomeScreen #map:focus { border: round $accent; }
    HomeScreen #map > .option-list--option-disabled { color: $foreground-muted; }
    HomeScreen #about { height: 1fr; border: round $primary; padding: 0 1; }
    HomeScreen #picture { height: auto; margin-top: 1; }
    """

    def panes(self) -> ComposeResult:
        yield Static(id="top", classes="pane")
        with Horizontal(classes="pane"):
            yield OptionList(id="map")
            with VerticalScroll(id="about", can_focus=False):
                yield Static(id="text")
                yield Static(id="picture", markup=False)

    def __init__(self) -> None:
        super().__init__()
        self._state: dict[str, tuple[str, int]] = {}
        self._positions: dict[str, Position] = {}
        self._away = False
        self._drawing: Timer | None = None

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#map", OptionList).focus()
        self._point_at_next()

    def on_screen_suspend(self) -> None:
        self._away = True

    def on_screen_resume(self) -> None:
        if self._away:
            self._away = False
            self.retext()

    def title_of(self) -> str:
        return words.HOME().text(self.tutor.lang)

    # -- texts ----------------------------------------------------------------------------------------------

    def retext(self) -> None:
        app, lang = self.tutor, self.tutor.lang
        self._state = app.progress_of_lessons()
        self._positions = app.progress.positions()
        self._top()
        rows = self.query_one("#map", OptionList)
        rows.border_title = words.COURSE().text(lang)
        at, wide = rows.highlighted, self.app.size.width >= WIDE
        rows.set_class(wide, "wide")
        room = WIDE_ROOM if wide else ROOM
        marks = ASCII_MARKS if app.ascii else MARKS
        options = []
        for group in catalog.groups():
            options.append(Option(Content.assemble((group.title[lang], "bold")), disabled=True))
            for e in group.lessons:
                word = self._state.get(e.id, ("new", 0))[0] if e.ready else "coming"
                line = f"{marks[word]} {e.number:>2} {e.title[lang]}"
                tail = words.COMING().text(lang) if not e.ready else ""
                style = "" if e.ready else "dim"
                line = fill(line, room - cell_len(tail) - 1) + " "
                options.append(Option(Content.assemble((line, style), (tail, "dim")), id=e.id))
        rows.clear_options()
        rows.add_options(options)
        if at is not None:
            rows.highlighted = at
        self._describe()

    def _top(self) -> None:
        """The line above: the program, the progress in the middle, the languages."""
        app, lang = self.tutor, self.tutor.lang
        done = sum(1 for e in catalog.entries() if e.ready and self._state.get(e.id, ("new", 0))[0] == "done")
        left = f" {words.APP().text(lang)}"
        solved = sum(n for _, n in self._state.values())
        middle = words.PROGRESS(done=done, all=len(catalog.entries()), solved=solved).text(lang)
        days = app.progress.streak()
        middle += words.STREAK(days=days).text(lang) if days > 1 else ""
        right = "EN | 한국어 " if lang == "en" else "한국어 | EN "
        room = max(1, self.size.width - cell_len(left) - cell_len(right) - cell_len(middle))
        self.query_one("#top", Static).update(
            Content.assemble(
                (left, "bold"), " " * (room // 2), middle, " " * (room - room // 2), (right, "dim")
            )
        )

    def on_resize(self, event) -> None:  # type: ignore[no-untyped-def]
        super().on_resize(event)
        if self.query("#map"):
            if self.query_one("#map").has_class("wide") != (self.app.size.width >= WIDE):
                self.retext()
            self._top()
            self._draw_soon()

    def _describe(self) -> None:
        entry, lang = self.chosen(), self.tutor.lang
        if entry is None:
            return
        text = self.query_one("#text", Static)
        self.query_one("#about").border_title = f"{entry.number} {entry.title[lang]}"
        lines: list[tuple[str, str] | str] = [entry.summary[lang], "\n\n"]
        if not entry.ready:
            lines.append((words.COMING_ABOUT().text(lang), "dim"))
        else:
            word, solved = self._state.get(entry.id, ("new", 0))
            facts = self.tutor.lesson_facts(entry)
            if facts is not None:
                said = words.LESSON_FACTS(steps=facts[0], exercises=facts[1], minutes=entry.minutes)
            else:
                said = words.LESSON_FACTS_SHORT(minutes=entry.minutes)
            lines += [(said.text(lang), "dim"), "\n"]
            position = self._positions.get(entry.id)
            if word == "done":
                lines.append((words.LESSON_DONE().text(lang), "$success"))
            elif position is not None:
                lines.append((words.LESSON_AT(step=position.step + 1, solved=solved).text(lang), "$accent"))
            elif not self._positions:
                lines.append((words.WELCOME().text(lang), "$accent"))
            else:
                lines.append((words.LESSON_NEW().text(lang), "$accent"))
        if self.tutor.progress.notice is not None:
            lines += ["\n\n", (self.tutor.progress.notice.text(lang), "$warning")]
        text.update(Content.assemble(*lines))
        self.query_one("#picture", Static).update("")
        self._draw_soon()

    def _draw_soon(self) -> None:
        if self._drawing is not None:
            self._drawing.stop()
        self._drawing = self.set_timer(STANDS, self._draw)

    def _draw(self) -> None:
        entry = self.chosen()
        if entry is not None and entry.ready and not self._away:
            map_width = (WIDE_ROOM if self.app.size.width >= WIDE else ROOM) + MAP_FRAME
            width, height = max(20, self.size.width - map_width - 6), max(6, self.size.height - 14)
            self.tutor.draw_lab(entry, width, height, self._picture)

    def _picture(self, entry: Entry, picture: Content) -> None:
        if self.is_attached and self.chosen() == entry:
            self.query_one("#picture", Static).update(picture)

    # -- choosing -------------------------------------------------------------------------------------------

    def chosen(self) -> Entry | None:
        rows = self.query_one("#map", OptionList)
        if rows.highlighted is None:
            return None
        option = rows.get_option_at_index(rows.highlighted)
        return next((e for e in catalog.entries() if e.id == option.id), None)

    def point_at(self, lesson: str) -> None:
        rows = self.query_one("#map", OptionList)
        rows.highlighted = rows.get_option_index(lesson)

    def _point_at_next(self) -> None:
        """The lesson that was open last, else the first one that is not done."""
        state = self._state
        last = next(reversed(self._positions.values()), None)
        ready = [e for e in catalog.entries() if e.ready]
        open_ = [e for e in ready if state.get(e.id, ("new", 0))[0] != "done"]
        if last is not None and any(e.id == last.lesson for e in open_):
            self.point_at(last.lesson)
        elif open_ or ready:
            self.point_at((open_ or ready)[0].id)

    @on(OptionList.OptionHighlighted, "#map")
    def _moved(self) -> None:
        self._describe()

    @on(OptionList.OptionSelected, "#map")
    def _picked(self) -> None:
        self.action_open()

    def action_open(self) -> None:
        entry = self.chosen()
        if entry is not None and entry.ready:
            self.tutor.open_lesson(entry)
        elif entry is not None:
            self.notify(words.COMING_ABOUT().text(self.tutor.lang))

    def action_start_over(self) -> None:
        entry = self.chosen()
        if entry is not None and entry.ready:
            self.tutor.open_lesson(entry, step=0)

    def action_find(self) -> None:
        self.tutor.action_palette()

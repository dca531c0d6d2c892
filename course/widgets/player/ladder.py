"""Ladder: the film as a table of text, for 80 columns, for no motion and for screen readers."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.message import Message

from course.render import ladder as draw
from course.render.glyphs import glyphs
from course.render.playback import Playback
from course.widgets.player.paint import Painted


class Ladder(Painted):
    """Rows of a Playback; the current one is kept in view. A click on a row asks for its beat."""

    class Asked(Message):
        """The learner wants this beat."""

        def __init__(self, beat: int) -> None:
            super().__init__()
            self.beat = beat

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._playback: Playback | None = None
        self._table: list[draw.Row] = []
        self._top = 0
        self._seen: object = None

    def set_film(self, playback: Playback) -> None:
        self._playback, self._seen = playback, None
        self.draw_frame()

    def draw_frame(self) -> None:
        """Bring the table to the playback's index."""
        play = self._playback
        if play is None or not self.size.height:
            return
        key = (id(play.film), play.hidden, self.lang, self.ascii, self.size, play.beat)
        if key == self._seen:
            return
        self._seen = key
        self._table = draw.rows(play.film, self.lang, play.hidden)
        self._keep_in_view(play)
        self._draw_lines(play)

    def _draw_lines(self, play: Playback) -> None:
        widths = draw.columns(self._table, self.size.width)
        body = self._table[self._top : self._top + self.size.height - 1]
        lines: list[list[tuple[str, str]]] = [[(draw.head(widths, self.lang), "head")]]
        lines += [draw.line(r, widths, self.size.width, play, glyphs(self.ascii)) for r in body]
        self.set_lines(lines)

    def _keep_in_view(self, play: Playback) -> None:
        room = max(1, self.size.height - 1)
        at = next((i for i, r in enumerate(self._table) if r.beat == play.beat), 0)
        if not self._top + 1 <= at < self._top + room - 2:
            self._top = max(0, min(at - room // 2, len(self._table) - room))

    def on_resize(self) -> None:
        self._seen = None
        self.draw_frame()

    def on_mouse_scroll_down(self) -> None:
        self._scroll(3)

    def on_mouse_scroll_up(self) -> None:
        self._scroll(-3)

    def _scroll(self, by: int) -> None:
        """Look further in the table; the film stays where it is."""
        self._top = max(0, min(self._top + by, len(self._table) - max(1, self.size.height - 1)))
        if self._playback is not None:
            self._draw_lines(self._playback)

    def on_click(self, event: events.Click) -> None:
        index = self._top + event.y - 1
        if event.y and index < len(self._table) and (beat := self._table[index].beat) is not None:
            self.post_message(self.Asked(beat))

    def rows(self) -> Iterable[draw.Row]:
        """The rows of the whole table (tests, the plain mode)."""
        return self._table

"""Zoom: one hop's visit to its kernel as the kernel's own diagram, with the rules that it met."""

from __future__ import annotations

from course.render import zoom as draw
from course.render.caption import Line, clip_line, width_of
from course.render.glyphs import glyphs
from course.render.playback import Playback
from course.render.words import ui
from course.widgets.player.paint import Painted

#: Below this height the diagram is brief, so that the rules have room.
LOW = 20


class Zoom(Painted):
    """The stages of a visit, lit; it follows the step that the playback looks at."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._playback: Playback | None = None

    def set_film(self, playback: Playback) -> None:
        self._playback = playback
        self.draw_frame()

    def draw_frame(self) -> None:
        play = self._playback
        beat = play.now if play is not None else None
        if play is None or beat is None or not self.size.height:
            return
        g, width = glyphs(self.ascii), self.size.width
        steps = [s for s in play.film.visit(play.beat) if play.hidden is None or self._shown(s)]
        step = beat.moments[play.shown()].step
        low = self.size.height < LOW
        lines: list[Line] = [self._title(beat.place.node, beat.place.namespace, draw.kind(steps), width)]
        lines += [] if low else [[]]
        lines += draw.picture(steps, step, self.lang, g, brief=low)
        lines += [] if low else [[]]
        rules = draw.rule_lines(steps, step, width, self.lang, g)
        room = max(2, self.size.height - len(lines))
        if len(rules) > room:
            at = next((i for i, line in enumerate(rules) if any(role == "now" for _, role in line)), 1)
            start = max(1, min(at - room // 2, len(rules) - room + 1))
            rules = [rules[0], *rules[start : start + room - 1]]
        self.set_lines([clip_line(line, width, g) for line in (*lines, *rules)])

    def _shown(self, step: object) -> bool:
        """Under a prediction only the steps of beats that may be seen are in the picture."""
        play = self._playback
        assert play is not None
        return any(m.step is step for b in play.film.beats[: play.last + 1] for m in b.moments)

    def _title(self, node: str, namespace: str, what: str, width: int) -> Line:
        g = glyphs(self.ascii)
        name = node if namespace in ("root", node) else f"{node} {namespace}"
        left: Line = [(f" {name}", "title"), (f" {g.dot} {ui(what, self.lang)}", "word")]
        key: Line = [
            (f"{g.met} ", "met"), (f"{ui('met', self.lang)}  ", "word"), (f"{g.passed} ", "passed"),
            (f"{ui('passed', self.lang)}  ", "word"), (f"{g.stopped} ", "stopped"), (ui("stopped", self.lang), "word"),
        ]  # fmt: skip
        gap = width - width_of(left) - width_of(key) - 1
        return [*left, (" " * gap, ""), *key] if gap > 1 else left

    def on_resize(self) -> None:
        self.draw_frame()

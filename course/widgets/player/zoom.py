"""Zoom: one hop's visit to its kernel as the kernel's own diagram, with the rules that it met; and a chain, opened.

Rules. The diagram follows the step that the playback looks at. An opened chain has a line under the pointer, which keys
move; it closes when the packet goes on to another hop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.render import chains as rows
from course.render import zoom as draw
from course.render.caption import Line, clip_line, width_of
from course.render.glyphs import glyphs
from course.render.playback import Playback
from course.render.words import ui
from course.widgets.player.paint import Painted
from engine.linux.journey import Step

if TYPE_CHECKING:
    from engine.linux.net import Net, Netns

#: Below this height the diagram is brief, so that the rules have room.
LOW = 20
#: Below this one the rules are worth more than the diagram: of it only the present stage's line stays.
LEAST = 11


class Zoom(Painted):
    """The stages of a visit, lit; it follows the step that the playback looks at."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._playback: Playback | None = None
        self._net: Net | None = None
        self._open: rows.ChainKey | None = None
        self._at = 0  # the rule under the pointer
        self._beat = -1
        self._said = ""
        self._came: list[tuple[rows.ChainKey, int]] = []  # from where jumps were followed
        self._scrolled: tuple[object, int] = (
            None,
            0,
        )  # how far the rules met were scrolled, and at which step

    def set_film(self, playback: Playback, net: Net) -> None:
        self._playback, self._net = playback, net
        self.close()
        self.draw_frame()

    # -- the chains -----------------------------------------------------------------------------------------

    @property
    def chain(self) -> rows.ChainKey | None:
        """The chain that is open."""
        return self._open

    def _visit(self) -> tuple[Netns | None, list[Step]]:
        """The namespace, and the packet's steps in it as far as they may be seen."""
        play = self._playback
        beat = play.now if play is not None else None
        if play is None or beat is None or self._net is None:
            return None, []
        steps = [s for s in play.film.visit(play.beat) if play.hidden is None or self._shown(s)]
        return self._net.spaces.get(beat.place.netns), steps

    def chains(self) -> list[rows.ChainKey]:
        """Those of the visit."""
        ns, steps = self._visit()
        return rows.chains(ns, steps, self.lang) if ns is not None else []

    def open(self) -> bool:
        """Open the chain of the rule that is looked at or that ended the packet, else the first that was met, else the
        first; False: none."""
        ns, steps = self._visit()
        found, play = self.chains(), self._playback
        beat = play.now if play is not None else None
        if ns is None or not found or play is None or beat is None:
            return False
        step = beat.moments[play.shown()].step
        ended = draw.guilty(steps) if step.outcome is not None else None
        step = ended if ended is not None else step
        here = [k for k in found if (k.hook, k.table, k.chain) == (step.hook, step.table, step.chain)]
        met = [k for k in found if rows.opened(ns, k, steps).met]
        self._beat, self._came = play.beat, []
        self._show_chain((here or met or found)[0], step.number - 1 if here and step.number else None)
        return True

    def _show_chain(self, key: rows.ChainKey, at: int | None = None) -> None:
        ns, steps = self._visit()
        self._open = key
        if ns is not None:
            self._at = at if at is not None else rows.first_met(rows.opened(ns, key, steps))
        self.draw_frame()

    def close(self) -> None:
        self._open, self._came = None, []
        self.draw_frame()

    def back(self) -> bool:
        """Where a jump was followed from, else close; False when no chain is open."""
        if self._open is None:
            return False
        if self._came:
            self._show_chain(*self._came.pop())
        else:
            self.close()
        return True

    def turn(self, by: int) -> None:
        """The next or the previous chain of the visit."""
        found = self.chains()
        if self._open is not None and found:
            at = found.index(self._open) if self._open in found else -1 if by > 0 else 0
            self._came = []
            self._show_chain(found[(at + by) % len(found)])

    def move(self, by: int) -> None:
        """The pointer to another rule."""
        ns, steps = self._visit()
        if ns is None or self._open is None:
            return
        found = rows.opened(ns, self._open, steps)
        self._at = max(0, min(self._at + by, found.rules - 1 + bool(found.policy)))
        self.draw_frame()

    def say(self, text: str) -> None:
        """A line of ours where the chains would be."""
        self._said = text
        self.draw_frame()

    def page(self) -> int:
        return max(1, self.size.height - 4)

    def scroll(self, by: int) -> None:
        """The rules met, further up or down, while the packet stands where it is."""
        play = self._playback
        if play is not None:
            key = (play.beat, play.moment)
            self._scrolled = (key, by + (self._scrolled[1] if self._scrolled[0] == key else 0))
            self.draw_frame()

    def follow(self) -> None:
        """Into the chain that the rule under the pointer leads to."""
        ns, _ = self._visit()
        to = rows.target(ns, self._open, self._at) if ns is not None and self._open is not None else None
        if to is not None and self._open is not None:
            self._came.append((self._open, self._at))
            self._show_chain(to)

    # -- drawing --------------------------------------------------------------------------------------------

    def draw_frame(self) -> None:
        play = self._playback
        beat = play.now if play is not None else None
        if play is None or beat is None or not self.size.height:
            return
        g, width = glyphs(self.ascii), self.size.width
        if play.beat != self._beat:
            self._open, self._came, self._said, self._beat = None, [], "", play.beat
        ns, steps = self._visit()
        if self._open is not None and ns is not None:
            self._draw_chain(ns, steps, self._open)
            return
        step = beat.moments[play.shown()].step
        low = self.size.height < LOW
        title = self._title(beat.place.node, beat.place.namespace, draw.kind(steps), width)
        rules = draw.rule_lines(steps, step, width, self.lang, g)
        picture = draw.picture(steps, step, self.lang, g, brief=low, width=width)
        space = self.size.height - 1 - bool(self._said)
        if self.size.height < LEAST and len(picture) + len(rules) > space:
            at = next((i for i, x in enumerate(picture) if {role for _, role in x} & {"now", "stopped"}), 0)
            first, end = draw.window(len(picture), max(1, space - len(rules)), at)
            picture = picture[first:end]
        lines = [title, *picture] if low else [title, [], *picture, []]
        if self._said:
            lines.append([(f" {self._said}", "aside")])
        room = max(2, self.size.height - len(lines)) - 1
        if len(rules) - 1 > room:
            rules = self._in_view(rules, room, draw.deciding(steps, step, inside=play.moment is not None))
        self.set_lines([clip_line(line, width, g) for line in (*lines, *rules)])

    def _in_view(self, rules: list[Line], room: int, at: int) -> list[Line]:
        """The title, which says how many rules stand above and below, and `room` lines around rule `at`."""
        play = self._playback
        assert play is not None
        total, key = len(rules) - 1, (play.beat, play.moment)
        start, _ = draw.window(total, room, at)
        if self._scrolled[0] == key:
            by = max(-start, min(self._scrolled[1], total - room - start))
            start, self._scrolled = start + by, (key, by)
        end = start + room
        up, down = ("^", "v") if self.ascii else ("↑", "↓")
        more = "  ".join(f"{mark}{n}" for mark, n in ((up, start), (down, total - end)) if n)
        return [[*rules[0], (f"   {more}", "word")], *rules[1 + start : 1 + end]]

    def _draw_chain(self, ns: Netns, steps: list[Step], key: rows.ChainKey) -> None:
        """The hook's line of the diagram, then the chain."""
        play, g, width = self._playback, glyphs(self.ascii), self.size.width
        assert play is not None and play.now is not None
        step = play.now.moments[play.shown()].step
        picture = draw.picture(steps, step, self.lang, g, width=width)
        hook = [line for line in picture if any(t.strip() == key.hook for t, _ in line)][:1]
        found, all_ = rows.opened(ns, key, steps), self.chains()
        number = all_.index(key) + 1 if key in all_ else len(self._came) + 1
        title = self._title(play.now.place.node, play.now.place.namespace, draw.kind(steps), width)
        lines = [title, *hook, rows.head(found, number, max(number, len(all_)), width, self.lang, g)]
        lines += rows.rows(ns, found, self._at, width, self.size.height - len(lines), self.lang, g)
        self.set_lines([clip_line(line, width, g) for line in lines])

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

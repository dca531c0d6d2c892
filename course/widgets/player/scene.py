"""PlayerScene: the lab as nested boxes with the packet on it.

Theory. The picture is laid out once for a size; its rows are cached strips. A frame is a small map of cells over it;
between two frames only the cells that differ are refreshed, which keeps an animation below a tenth of a core. A
picture larger than the widget is seen through a window that follows the packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from course.render.canvas import SECOND_HALF, Cell, over, runs
from course.render.cast import targets, wanted
from course.render.frames import Film
from course.render.glyphs import glyphs
from course.render.layout import Scene, layout
from course.render.playback import Playback
from course.render.stage import Overlay, Stage
from course.render.topology import topology
from course.render.words import folded
from course.widgets.player.paint import Painted
from engine.record import replace

if TYPE_CHECKING:
    from engine.linux.net import Net


class PlayerScene(Painted):
    """Draws what a Playback says. It has no timer: `draw_frame` is called when the index has moved."""

    class LaidOut(Message):
        """The picture was laid out for a new size; `fits` says whether all of it can be seen, `whole` whether what a
        packet did not reach is in it too."""

        def __init__(self, fits: bool, whole: bool) -> None:
            super().__init__()
            self.fits, self.whole = fits, whole

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._net: Net | None = None
        self._playback: Playback | None = None
        self._stage: Stage | None = None
        self._overlay: Overlay = {}
        self._rows: dict[int, dict[int, tuple[str, str]]] = {}
        self._origin = (0, 0)
        self._base: dict[int, Strip] = {}
        self._key: object = None

    @property
    def scene(self) -> Scene | None:
        return self._stage.scene if self._stage is not None else None

    @property
    def stage(self) -> Stage | None:
        return self._stage

    def set_film(self, net: Net, playback: Playback) -> None:
        """Show this lab and this film from now on."""
        self._net, self._playback, self._key = net, playback, None
        self.lay_out()

    def forget_layout(self) -> None:
        """The lab, the language or the glyphs changed: lay out again at the next chance."""
        self._key = None
        self.lay_out()

    def lay_out(self) -> None:
        """Fit the picture to the widget's size, if it has one, and tell the playback how long its ways are."""
        if self._net is None or self._playback is None or not self.size.width or not self.size.height:
            return
        film: Film = self._playback.film
        key = (self.size, id(film), self.lang, self.ascii)
        if key == self._key:
            return
        self._key = key
        lo, stay = wanted(film.journey)
        aims = targets(film.journey, self._net) - stay.spaces
        for spaces in (stay.spaces | aims, stay.spaces) if aims else (stay.spaces,):
            scene = layout(
                topology(self._net, lo=lo), self.size.width, self.size.height, wanted=replace(stay, spaces=spaces),
                glyphs=glyphs(self.ascii), words=folded(self.lang),
            )  # fmt: skip
            if scene.fits:
                break
        self._stage = Stage(scene, film)
        self._playback.cells = self._stage.lengths()
        self._origin = (
            max(0, (self.size.width - scene.width) // 2),
            max(0, (self.size.height - scene.height) // 2),
        )
        self._overlay, self._rows = {}, {}
        self._base.clear()
        self._strips.clear()
        self.refresh()
        self.draw_frame()
        self.post_message(self.LaidOut(scene.fits, scene.fits and spaces >= aims))

    def on_resize(self) -> None:
        self._base.clear()
        self.lay_out()

    def notify_style_update(self) -> None:
        self._base.clear()
        super().notify_style_update()

    def draw_frame(self) -> bool:
        """Bring the picture to the playback's moment; False when nothing on it has changed."""
        if self._stage is None or self._playback is None:
            return False
        new = self._stage.overlay(self._playback, self.lang)
        moved = self._follow()
        old, self._overlay = self._overlay, new
        if new == old and not moved:
            return False
        self._rows = {}
        for (x, y), cell in new.items():
            self._rows.setdefault(y, {})[x] = cell
        if moved:
            self._strips.clear()
            self.refresh()
            return True
        changed = [p for p in new.keys() | old.keys() if new.get(p) != old.get(p)]
        self._refresh_cells(changed)
        return True

    def _refresh_cells(self, cells: list[tuple[int, int]]) -> None:
        """One region for each stretch of changed cells in a row; no region ends within a wide letter: a terminal wipes
        out the other half of one that is written half."""
        rows: dict[int, list[int]] = {}
        for x, y in cells:
            rows.setdefault(y, []).append(x)
        regions: list[Region] = []
        dx, dy = self._origin
        for y, xs in rows.items():
            self._strips.pop(y + dy, None)
            shown = self._cells(y)
            for first, last in stretches(xs):
                left, right = whole(shown, first - 1, last + 1)
                regions.append(Region(left + dx, y + dy, right - left + 1, 1))
        self.refresh(*regions)

    def _cells(self, row: int) -> Sequence[Cell]:
        """A row of the scene as it is drawn now."""
        scene = self.scene
        if scene is None or not 0 <= row < scene.height:
            return ()
        return over(scene.rows[row], self._rows[row]) if row in self._rows else scene.rows[row]

    def _follow(self) -> bool:
        """Move the window so that the packet stays well inside it; True when it moved."""
        if self._stage is None or self._playback is None or not self.size:
            return False  # hidden: it stands where it stood when it comes back
        scene, here = self._stage.scene, self._stage.position(self._playback)
        x, y = self._origin
        if here is not None:
            x = _window(x, here[0], scene.width, self.size.width, 12)
            y = _window(y, here[1], scene.height, self.size.height, 3)
        moved = (x, y) != self._origin
        self._origin = (x, y)
        return moved

    def render_line(self, y: int) -> Strip:
        found = self._strips.get(y)
        if found is not None and found.cell_length == self.size.width:
            return found
        scene = self.scene
        dx, dy = self._origin
        row = y - dy
        if scene is None or not 0 <= row < scene.height:
            found = Strip.blank(self.size.width, self.style_of(""))
        elif row not in self._rows:
            found = self._base.get(row)
            if found is None:
                found = self._base[row] = self._placed(runs(scene.rows[row]), dx)
        else:
            found = self._placed(runs(self._cells(row)), dx)
        self._strips[y] = found
        return found

    def _placed(self, spans: list[tuple[str, str]], dx: int) -> Strip:
        strip = self.strip(spans, self.scene.width if self.scene is not None else 0)
        if dx >= 0:
            strip = Strip([*Strip.blank(dx, self.style_of("")), *strip], dx + strip.cell_length)
            return strip.adjust_cell_length(self.size.width, self.style_of(""))
        return strip.crop(-dx, -dx + self.size.width).adjust_cell_length(self.size.width, self.style_of(""))


def stretches(xs: list[int], apart: int = 4) -> Iterator[tuple[int, int]]:
    """(first, last) of cells that stand no further than `apart` from each other."""
    first = last = min(xs)
    for x in sorted(xs):
        if x - last > apart:
            yield first, last
            first = x
        last = x
    yield first, last


def whole(row: Sequence[Cell], left: int, right: int) -> tuple[int, int]:
    """A stretch of cells, one longer where it would end within a wide letter."""
    if 0 < left < len(row) and row[left][0] == SECOND_HALF:
        left -= 1
    if right >= 0 and right + 1 < len(row) and row[right + 1][0] == SECOND_HALF:
        right += 1
    return left, right


def _window(origin: int, here: int, size: int, room: int, margin: int) -> int:
    """Where a picture of `size` starts in a window of `room` (negative: scrolled), the packet `margin` inside; in the
    middle where it fits."""
    if size <= room:
        return (room - size) // 2
    margin = min(margin, room // 3)
    start = -origin
    if here - start < margin:
        start = here - margin
    elif here - start > room - 1 - margin:
        start = here - (room - 1 - margin)
    return -max(0, min(start, size - room))

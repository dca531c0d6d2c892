"""A lesson's lab as a still picture, for the course map. Imported only when one is drawn.

Theory. The whole lab where it fits. Where it does not, what a play of the lesson crosses stays and the rest is folded,
as the player folds it: the first play whose picture fits is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from textual.content import Content

from engine.errors import EngineError

if TYPE_CHECKING:
    from course.catalog import Entry
    from engine.grade.course import Folder
    from engine.lab.lab import Lab
    from engine.linux.journey import Journey


def lab_picture(entry: Entry, width: int, height: int, *, lang: str, ascii: bool) -> Content | None:
    """The lab drawn into at most `width` x `height` cells; None when it cannot be opened (the lesson then says why) or
    when nothing of it fits."""
    from course.catalog import LESSONS
    from course.render.canvas import text_of
    from course.render.cast import wanted
    from course.render.glyphs import glyphs
    from course.render.layout import layout
    from course.render.topology import topology
    from course.render.words import folded
    from engine.grade.course import Course

    try:
        folder = Course.load(LESSONS).lesson(entry.id)
        lab = folder.open_lab(lang=lang)
    except (EngineError, OSError):
        return None
    for journey in _views(folder, lab, lang):
        lo, stay = wanted(journey)
        scene = layout(
            topology(lab.world.net, lo=lo), width, height, wanted=stay, glyphs=glyphs(ascii), words=folded(lang)
        )  # fmt: skip
        if scene.fits:
            return Content("\n".join(text_of(row).rstrip() for row in scene.rows))
    return None


def _views(folder: Folder, lab: Lab, lang: str) -> Iterator[Journey | None]:
    """Everything; then what each play on the lesson's own lab crosses."""
    from engine.grade.lesson import Play

    yield None
    for step in folder.lesson.steps:
        for block in step.en:
            if isinstance(block, Play) and not block.lab:
                try:
                    yield block.flow.send(lab.copy()).journey
                except EngineError:
                    continue

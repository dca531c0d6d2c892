"""A lesson's lab as a still picture, for the course map. Imported only when one is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content

if TYPE_CHECKING:
    from course.catalog import Entry


def lab_picture(entry: Entry, width: int, height: int, *, lang: str, ascii: bool) -> Content | None:
    """The lab drawn into at most `width` x `height` cells; None when it cannot be opened (the lesson then says why)."""
    from course.catalog import LESSONS
    from course.render.canvas import text_of
    from course.render.glyphs import glyphs
    from course.render.layout import layout
    from course.render.topology import topology
    from engine.errors import EngineError
    from engine.grade.course import Course

    try:
        lab = Course.load(LESSONS).lesson(entry.id).open_lab(lang=lang)
    except (EngineError, OSError):
        return None
    scene = layout(topology(lab.world.net), width, height, glyphs=glyphs(ascii))
    if not scene.fits:
        return None
    return Content("\n".join(text_of(row).rstrip() for row in scene.rows))

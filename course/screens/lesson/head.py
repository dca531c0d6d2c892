"""The line above a lesson: its title, the step, the panes' keys where one is shown at a time, the exercises as marks.

Rules. Pure: values in, Content out. The title gives way when the line is too narrow, nothing else does.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content

from course import words_lesson as say
from course.text import clip

TABS = (("1", "read", say.READ), ("2", "see", say.SEE), ("3", "do", say.DO))


def marks(exercises: Sequence[str], solved: set[str], here: str, *, ascii: bool) -> str:
    """A mark for each exercise of the lesson: solved, open now, or still to do."""
    yes, now, no = ("x", ">", ".") if ascii else ("✔", "▸", "○")
    return "".join(yes if id in solved else now if id == here else no for id in exercises)


def head(
    title: str, step: tuple[int, int], done: str, width: int, lang: str, *, pane: str = ""
) -> Content:  # fmt: skip
    """The line, `width` cells wide. `step` is (number from 1, how many; 0 = not known yet); `pane` is shown alone."""
    left = f" {title}"
    where = f" · {say.STEP_SHORT(step=step[0], all=step[1]).text(lang)}" if step[1] else ""
    tabs: list[tuple[str, str]] = []
    for key, name, label in TABS if pane else ():
        tabs += [("  ", ""), (f" {key} {label().text(lang)} ", "reverse bold" if name == pane else "dim")]
    right = f"{done}  {lang.upper()} "
    used = sum(cell_len(t) for t, _ in tabs) + cell_len(right) + cell_len(where)
    left = clip(left, max(4, width - used - 1))
    gap = " " * max(1, width - used - cell_len(left))
    return Content.assemble((left, "bold"), (where, "dim"), *tabs, gap, (right, "dim"))

"""What the terminal keeps of each lab: its log, and where was typed in it.

Rules. A line that names the lab stands in its log once for each time that something was typed in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from course.widgets.terminal.log import Entry, Log

if TYPE_CHECKING:
    from engine.lab.lab import Lab

#: the style of a line that names a lab
TITLE = "bold $accent"
#: logs of labs that are kept besides the one that is shown
MOST = 40


class Kept:
    """The labs that were typed in before, by identity."""

    def __init__(self) -> None:
        self._labs: dict[int, tuple[Lab, str, list[Entry]]] = {}

    def swap(self, log: Log, old: Lab | None, old_place: str, new: Lab, place: str, title: str) -> str:
        """Put the log of `old` away and bring that of `new`; the place to type at: `place`, or where it was."""
        if old is not None:
            self._labs[id(old)] = (old, old_place, log.take())
        back = self._labs.pop(id(new), None)
        if back is not None:
            place = back[1]
            log.bring(back[2])
        while len(self._labs) > MOST:
            del self._labs[next(iter(self._labs))]
        last = log.last()
        if title and (last is None or last[1] != TITLE):
            log.put(title, TITLE)
        return place

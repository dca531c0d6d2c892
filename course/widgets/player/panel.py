"""Panel: the lines below the picture (`course.render.caption` makes them)."""

from __future__ import annotations

from collections.abc import Callable

from course.widgets.player.paint import Painted


class Panel(Painted):
    """The lines below the picture; it asks for them again when its size has changed."""

    def __init__(self, ask: Callable[[], None], *, id: str) -> None:
        super().__init__(id=id)
        self._ask = ask

    def on_resize(self) -> None:
        self._ask()

"""The yardstick of `make bench`: the smallest Textual application that has what every screen of ours has."""

from __future__ import annotations

from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Footer, Header, Static

MARK = "hello-world-is-painted"


class Hello(App[None]):
    BINDINGS: ClassVar[list[BindingType]] = [("q", "quit", "Quit")]

    def compose(self) -> ComposeResult:
        yield Header()
        yield Static(MARK)
        yield Footer()


if __name__ == "__main__":
    Hello().run()

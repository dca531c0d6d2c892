"""The line that is typed in the lab's terminal, and what can be said of a line without a lab.

Rules. The shell's keys belong to the shell here: Tab, the arrows, Ctrl+C, Ctrl+D, Ctrl+L. The line knows its terminal
by the names of `Typing`, nothing else.
"""

from __future__ import annotations

import re
from typing import ClassVar, Protocol, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.widgets import Input

from course.widgets.terminal.log import Log

#: a here-document: its end word
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")


class Typing(Protocol):
    """What the line asks of its terminal."""

    def complete(self) -> None: ...
    def clear(self) -> None: ...
    def cancel_line(self) -> None: ...
    def end_of_input(self) -> None: ...
    def recall(self, by: int) -> None: ...
    def pasted(self, text: str) -> None: ...


class CommandLine(Input):
    """The line that is typed. Tab and the arrows belong to the shell here, as Ctrl+C and Ctrl+D do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "terminal('complete')", show=False, priority=True),
        Binding("up", "recall(-1)", show=False),
        Binding("down", "recall(1)", show=False),
        Binding("ctrl+l,ctrl+ㅣ", "terminal('clear')", show=False),
        Binding("ctrl+c,ctrl+ㅊ", "terminal('cancel_line')", show=False),
        Binding("ctrl+d,ctrl+ㅇ", "terminal('end_of_input')", show=False),
        Binding("pageup", "scroll_log(-1)", show=False),
        Binding("pagedown", "scroll_log(1)", show=False),
    ]

    def action_terminal(self, what: str) -> None:
        getattr(self._terminal(), what)()

    def action_recall(self, by: int) -> None:
        self._terminal().recall(by)

    def action_scroll_log(self, by: int) -> None:
        log = self.screen.query_one(Log)
        log.scroll_relative(y=by * max(1, log.size.height - 1), animate=False)

    def _on_paste(self, event: events.Paste) -> None:
        """Several pasted lines are several commands; the last, without its end of line, stays to be edited."""
        if "\n" in event.text or "\r" in event.text:
            event.stop()
            event.prevent_default()
            self._terminal().pasted(event.text)

    def _terminal(self) -> Typing:
        return cast(Typing, next(w for w in self.ancestors if hasattr(w, "end_of_input")))


def unfinished(lines: list[str]) -> bool:
    """Does what was entered so far go on: a here-document without its end word, a line that ends with a backslash?"""
    first, *more = lines
    found = HEREDOC.search(first)
    if found is not None:
        return found[2] not in (m.strip() for m in more)
    return lines[-1].endswith("\\")


def completed(typed: str, cursor: int, found: list[str]) -> tuple[str, int] | None:
    """(line, cursor) after completing the word at the cursor; None when the words found have no more in common."""
    head = typed[:cursor]
    word = head[len(head.rstrip()) :] if head.endswith(" ") else head.split(" ")[-1]
    common = _common(found)
    if len(common) <= len(word) and len(found) > 1:
        return None
    new = head[: len(head) - len(word)] + common
    new += " " if len(found) == 1 and not common.endswith("/") else ""
    return new + typed[cursor:], len(new)


def _common(found: list[str]) -> str:
    """The longest beginning that all share."""
    first, last = min(found), max(found)
    for i, char in enumerate(first):
        if i >= len(last) or last[i] != char:
            return first[:i]
    return first


def first_line(text: str) -> str:
    first, more, _ = text.partition("\n")
    return first + (" ..." if more else "")

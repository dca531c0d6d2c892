"""The lab's terminal: what was typed and printed above, the line that is typed below.

Rules. It knows a `Lab` and a place and nothing of lessons. A command runs on the lab at once (the engine is quick); its
journeys go out as a message, so that a screen can play the packet. Every refusal is text in the log. `vi FILE` and
`kubectl edit` open the editor screen; saving is a typed line like any other, so that undo takes it back.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from course import words_lesson as words
from course.commands import Command
from course.widgets.log import Log
from engine.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from engine.lab.lab import Lab
    from engine.linux.journey import Journey

#: a here-document: its end word
HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
EDITORS = ("vi", "vim", "nano", "emacs", "ed", "edit", "view")


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
        log = self._terminal().query_one(Log)
        log.scroll_relative(y=by * max(1, log.size.height - 1), animate=False)

    def _on_paste(self, event: events.Paste) -> None:
        """Several pasted lines are several commands; the last, without its end of line, stays to be edited."""
        if "\n" in event.text or "\r" in event.text:
            event.stop()
            event.prevent_default()
            self._terminal().pasted(event.text)

    def _terminal(self) -> Terminal:
        return next(w for w in self.ancestors if isinstance(w, Terminal))


class Terminal(Widget):
    """`attach(lab, place)` gives it a lab. `Ran` is posted after every command that did something."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="run_line", keys=("enter",), label=words.RUN, about=words.RUN_ABOUT, bar=7),
        Command(action="completion", keys=("tab",), label=words.COMPLETE, about=words.COMPLETE_ABOUT, bar=4),
        Command(action="places", keys=("ctrl+o", "f5"), label=words.PLACES, about=words.PLACES_ABOUT, bar=6),
        Command(action="undo", keys=("ctrl+z", "f6"), label=words.UNDO, about=words.UNDO_ABOUT, bar=3),
        Command(action="reset", keys=("f8",), label=words.RESET, about=words.RESET_ABOUT, bar=2),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+o,ctrl+ㅐ,f5", "places", show=False),
        Binding("ctrl+z,ctrl+ㅋ,f6", "undo", show=False),
        Binding("f8", "reset", show=False),
    ]
    DEFAULT_CSS = """
    Terminal { layout: vertical; border-top: solid $panel; border-title-color: $success; }
    Terminal:focus-within { border-top: solid $accent; }
    Terminal Log { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
    Terminal #line { height: 1; }
    Terminal #prompt { width: auto; color: $success; text-style: bold; }
    Terminal CommandLine { border: none; height: 1; padding: 0; background: $background; }
    Terminal CommandLine:focus { border: none; background: $background; }
    """

    class Ran(Message):
        """A command ran; `journeys` are the packets that it sent."""

        def __init__(self, terminal: Terminal, line: str, journeys: tuple[Journey, ...]) -> None:
            super().__init__()
            self.terminal, self.line, self.journeys = terminal, line, journeys

    class PlacesAsked(Message):
        """The learner wants to choose where to type."""

        def __init__(self, terminal: Terminal) -> None:
            super().__init__()
            self.terminal = terminal

    def __init__(self, *, id: str | None = None, lang: str = "en") -> None:
        super().__init__(id=id)
        self.lab: Lab | None = None
        self.place = ""
        self.lang = lang
        self._at: int | None = None
        self._draft = ""
        self._paste: list[str] = []

    def compose(self) -> ComposeResult:
        yield Log()
        with Horizontal(id="line"):
            yield Static("", id="prompt", markup=False)
            yield CommandLine(id="typed", select_on_focus=False)

    # -- what a screen asks for -----------------------------------------------------------------------------

    def attach(self, lab: Lab, place: str, title: str = "") -> None:
        """Type in this lab from now on."""
        self.lab, self.place = lab, place
        self._at, self._paste = None, []
        if title:
            self.say(title, "$accent")
        self._prompt()

    def go(self, place: str) -> bool:
        """Another machine or Pod of the same lab; False when it is not there."""
        assert self.lab is not None
        try:
            self.lab.shell(place)
        except EngineError as error:
            self.say(error.text(self.lang), "$error")
            return False
        self.place = place
        self._prompt()
        return True

    def type(self, line: str) -> None:
        """Put a line there without running it."""
        typed = self.query_one(CommandLine)
        typed.value = line
        typed.cursor_position = len(line)

    def run(self, line: str) -> None:
        """Run a line as if it had been typed."""
        if self.lab is None:
            return
        log = self.query_one(Log)
        prompt = self._prompt_text()
        for i, part in enumerate(line.split("\n")):
            log.put((prompt if i == 0 else "> ") + part, "bold")
        self._at = None
        if not line.strip() or self._edit(line):
            return
        self.lab.world.lang = self.lang
        try:
            result = self.lab.run(self.place, line)
        except EngineError as error:
            self.say(error.text(self.lang), "$error")
            self._prompt()
            return
        if result.clear:
            log.forget()
        for stream, text in result.chunks or (("out", result.stdout), ("err", result.stderr)):
            if text:
                log.put(text.rstrip("\n"), "$warning" if stream == "err" else "")
        self._prompt()
        self.post_message(self.Ran(self, line, result.journeys))

    def say(self, text: str, style: str = "") -> None:
        """A line of ours in the log."""
        self.query_one(Log).put(text, style)

    def clear(self) -> None:
        self.query_one(Log).forget()

    # -- the editor -----------------------------------------------------------------------------------------

    def _edit(self, line: str) -> bool:
        """Open the editor when the line asks for one. False: it is a line for the shell."""
        try:
            words_ = shlex.split(line)
        except ValueError:
            return False
        if words_[:1] == ["sudo"]:
            words_ = words_[1:]
        if not words_ or any(w in line for w in "|;&<>`$"):
            return False
        if words_[0] in EDITORS:
            files = [w for w in words_[1:] if not w.startswith(("-", "+"))]
            return len(files) == 1 and self._edit_file(files[0])
        if words_[0] == "kubectl" and "edit" in words_[1:]:
            return self._edit_object([w for w in words_[1:] if w != "edit"])
        return False

    def _edit_file(self, name: str) -> bool:
        from engine.shell.files import FileError, Files

        assert self.lab is not None
        session = self.lab.shell(self.place).session
        path = posixpath.normpath(posixpath.join(session.cwd, name))
        try:
            text = Files(self.lab.world, session.spot).read(path)
        except FileError as error:
            if error.errno != "ENOENT":
                self.say(f"{name}: {error.reason}", "$warning")
                return True
            text = ""
        except EngineError as error:
            self.say(error.text(self.lang), "$warning")
            return True
        self._open_editor(path, text, lambda new: heredoc(f"cat > {shlex.quote(path)}", new))
        return True

    def _edit_object(self, rest: list[str]) -> bool:
        assert self.lab is not None
        result = self.lab.copy().run(
            self.lab.shell(self.place).place, shlex.join(["kubectl", "get", *rest, "-o", "yaml"])
        )
        if result.code:
            self.say(result.stderr.rstrip("\n"), "$warning")
            return True
        name = shlex.join(["kubectl", "edit", *rest])
        self._open_editor(name, result.stdout, lambda new: heredoc("kubectl replace -f -", new))
        return True

    def _open_editor(self, name: str, text: str, save: Callable[[str], str]) -> None:
        from course.screens.editor import Editor

        def done(new: str | None) -> None:
            if new is None or new == text:
                self.say(words.NOT_SAVED().text(self.lang), "dim")
            else:
                self.run(save(new))
            self.query_one(CommandLine).focus()

        self.app.push_screen(Editor(name, text, self.lang), done)

    # -- the line -------------------------------------------------------------------------------------------

    def _prompt_text(self) -> str:
        if self.lab is None:
            return ""
        try:
            return self.lab.shell(self.place).prompt
        except EngineError:
            self.place = self.lab.places()[0]
            return self.lab.shell(self.place).prompt

    def _prompt(self) -> None:
        prompt = self._prompt_text()
        self.query_one("#prompt", Static).update("> " if self._paste else prompt)
        inside = self.lab.shell(self.place).place if self.lab is not None else ""
        self.border_title = " > ".join(dict.fromkeys(p for p in (self.place, inside) if p)).replace(
            "[", r"\["
        )

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value
        self.query_one(CommandLine).value = ""
        self.enter(line)

    def enter(self, line: str) -> None:
        """A line was entered: run it, or keep it until its here-document or its last continued line ends."""
        self._paste.append(line)
        if self._unfinished():
            self._prompt()
            return
        line, self._paste = "\n".join(self._paste), []
        self.run(line)

    def _unfinished(self) -> bool:
        first, *more = self._paste
        found = HEREDOC.search(first)
        if found is not None:
            return found[2] not in (m.strip() for m in more)
        return self._paste[-1].endswith("\\")

    def pasted(self, text: str) -> None:
        typed = self.query_one(CommandLine)
        head, tail = typed.value[: typed.cursor_position], typed.value[typed.cursor_position :]
        *lines, last = (head + text.replace("\r\n", "\n").replace("\r", "\n") + tail).split("\n")
        for line in lines:
            self.enter(line)
        self.type(last)

    def cancel_line(self) -> None:
        """Ctrl+C: the typed line, and a here-document that was begun, are thrown away."""
        typed = self.query_one(CommandLine)
        self.say(("> " if self._paste else self._prompt_text()) + typed.value + "^C", "bold")
        typed.value, self._paste, self._at = "", [], None
        self._prompt()

    def end_of_input(self) -> None:
        """Ctrl+D: on an empty line, leave an inner shell."""
        typed = self.query_one(CommandLine)
        if typed.value:
            typed.action_delete_right()
        elif self.lab is not None and len(self.lab.shell(self.place).stack) > 1:
            self.run("exit")

    def complete(self) -> None:
        if self.lab is None:
            return
        typed = self.query_one(CommandLine)
        found = self.lab.shell(self.place).complete(typed.value, typed.cursor_position)
        if not found:
            return
        head = typed.value[: typed.cursor_position]
        word = head[len(head.rstrip()) :] if head.endswith(" ") else head.split(" ")[-1]
        common = _common(found)
        if len(common) > len(word) or len(found) == 1:
            new = (
                head[: len(head) - len(word)]
                + common
                + (" " if len(found) == 1 and not common.endswith("/") else "")
            )
            typed.value = new + typed.value[typed.cursor_position :]
            typed.cursor_position = len(new)
        if len(found) > 1:
            self.say("  ".join(found), "dim")

    def recall(self, by: int) -> None:
        """The line before or after in the history; the line that was being typed comes back at the end."""
        if self.lab is None:
            return
        history = self.lab.shell(self.place).history
        if self._at is None:
            self._draft = self.query_one(CommandLine).value
        at = len(history) if self._at is None else self._at
        self._at = max(0, min(len(history), at + by))
        self.type(history[self._at] if self._at < len(history) else self._draft)

    # -- commands -------------------------------------------------------------------------------------------

    def action_run_line(self) -> None:
        typed = self.query_one(CommandLine)
        self.post_message(Input.Submitted(typed, typed.value))

    def action_completion(self) -> None:
        self.complete()

    def action_places(self) -> None:
        self.post_message(self.PlacesAsked(self))

    def action_undo(self) -> None:
        if self.lab is None:
            return
        act = self.lab.undo()
        self.say(
            words.UNDONE(act=_first_line(act.text())).text(self.lang)
            if act is not None
            else words.NOTHING_TO_UNDO().text(self.lang),
            "$accent",
        )
        self._prompt()
        self.post_message(self.Ran(self, "", ()))

    def action_reset(self) -> None:
        if self.lab is not None:
            self.lab.reset()
            self.say(words.WAS_RESET().text(self.lang), "$accent")
            self._prompt()
            self.post_message(self.Ran(self, "", ()))


def _common(found: list[str]) -> str:
    """The longest beginning that all share."""
    first, last = min(found), max(found)
    for i, char in enumerate(first):
        if i >= len(last) or last[i] != char:
            return first[:i]
    return first


def _first_line(text: str) -> str:
    first, more, _ = text.partition("\n")
    return first + (" ..." if more else "")


def heredoc(command: str, text: str) -> str:
    """`command` with `text` as its input, as a person would type it."""
    end = "EOF"
    while end in text.split("\n"):
        end += "_"
    body = text if text.endswith("\n") or not text else text + "\n"
    return f"{command} <<'{end}'\n{body}{end}"

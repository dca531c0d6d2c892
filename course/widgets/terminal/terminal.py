"""The lab's terminal: what was typed and printed above, the line that is typed below.

Rules. It knows a `Lab` and a place and nothing of lessons. A command runs on the lab at once (the engine is quick); its
journeys go out as a message, so that a screen can play the packet. Every refusal is text in the log. `vi FILE` opens
the editor screen, `kubectl edit` the learner's own editor where there is one; saving is a typed line like any other, so
that undo takes it back. Each lab has a log and a place of its own, which come back with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult, SuspendNotSupported
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from course import editors
from course import words_lesson as words
from course.commands import Command
from course.widgets.terminal.editing import Edit, edit_of
from course.widgets.terminal.kept import Kept
from course.widgets.terminal.line import CommandLine, completed, first_line, unfinished
from course.widgets.terminal.log import Log
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.lab.lab import Lab
    from engine.linux.journey import Journey
    from engine.shell.tool import Edit as Asked


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
        self._kept = Kept()

    def compose(self) -> ComposeResult:
        yield Log()
        with Horizontal(id="line"):
            yield Static("", id="prompt", markup=False)
            yield CommandLine(id="typed", select_on_focus=False)

    # -- what a screen asks for -----------------------------------------------------------------------------

    def attach(self, lab: Lab, place: str, title: str = "") -> None:
        """Type in this lab from now on: at `place`, or where it was typed last. The log of the lab comes back with it;
        `title` names the lab there, once for each time that something was typed in between."""
        if lab is not self.lab:
            place = self._kept.swap(self.query_one(Log), self.lab, self.place, lab, place, title)
            self._at, self._paste = None, []
        self.lab, self.place = lab, place
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
        if result.edit is not None:
            self._asked(result.edit)
            self._prompt()
            return
        if result.clear:
            log.forget()
        for stream, text in result.chunks or (("out", result.stdout), ("err", result.stderr)):
            if text:
                log.put(text.rstrip("\n"), "$warning" if stream == "err" else "")
        if result.downloads:
            from course.downloads import keep

            for said in keep(result.downloads):
                self.say(said.text(self.lang), "$accent")
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
        assert self.lab is not None
        edit = edit_of(self.lab, self.place, line, self.lang)
        if edit is None:
            return False
        if edit.said:
            self.say(edit.said, "$warning")
        else:
            self._open_editor(edit)
        return True

    def _asked(self, asked: Asked) -> None:
        """A command wants a text edited: by the learner's own editor where the terminal can be handed over, else on
        the screen of ours."""
        if asked.why:
            self.say(asked.why.rstrip("\n"), "$warning")
        edit = Edit(name=asked.name, text=asked.text, command=asked.command)
        program = editors.chosen()
        if not program:
            self._open_editor(edit)
            return
        try:
            with self.app.suspend():
                new = editors.edited(edit.name, edit.text, program)
        except SuspendNotSupported:
            self._open_editor(edit)
            return
        if new is None or new == edit.text:
            self.say(words.NOT_SAVED().text(self.lang), "dim")
        else:
            self.run(edit.line(new))

    def _open_editor(self, edit: Edit) -> None:
        from course.screens.editor import Editor

        def done(new: str | None) -> None:
            if new is None or new == edit.text:
                self.say(words.NOT_SAVED().text(self.lang), "dim")
            else:
                self.run(edit.line(new))
            self.query_one(CommandLine).focus()

        self.app.push_screen(Editor(edit.name, edit.text, self.lang), done)

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
        if unfinished(self._paste):
            self._prompt()
            return
        line, self._paste = "\n".join(self._paste), []
        self.run(line)

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
        new = completed(typed.value, typed.cursor_position, found)
        if new is not None:
            typed.value, typed.cursor_position = new
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
            words.UNDONE(act=first_line(act.text())).text(self.lang)
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

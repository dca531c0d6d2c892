"""The lab's terminal: what was typed and printed above, the line that is typed below.

Rules. It knows a `Lab` and a place and nothing of lessons. A command runs on the lab at once (the engine is quick); its
journeys go out as a message, so that a screen can play the packet. Every refusal is text in the log. Keys: Enter runs,
Tab completes, Up and Down walk the history, Ctrl+L clears, Esc leaves to the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, RichLog, Static

from course import words_lesson as words
from course.commands import Command
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.lab.lab import Lab
    from engine.linux.journey import Journey

CONTINUES = ("<<EOF", "<<'EOF'", '<<"EOF"')


class CommandLine(Input):
    """The line that is typed. Tab and the arrows belong to the shell here."""

    BINDINGS = [
        Binding("tab", "complete", show=False, priority=True),
        Binding("up", "history(-1)", show=False),
        Binding("down", "history(1)", show=False),
        Binding("ctrl+l", "clear_log", show=False),
    ]

    def action_complete(self) -> None:
        self._terminal().complete()

    def action_history(self, by: int) -> None:
        self._terminal().recall(by)

    def action_clear_log(self) -> None:
        self._terminal().clear()

    def _terminal(self) -> Terminal:
        return next(w for w in self.ancestors if isinstance(w, Terminal))


class Terminal(Widget):
    """`attach(lab, place)` gives it a lab. `Ran` is posted after every command that did something."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="run_line", keys=("enter",), label=words.RUN, about=words.RUN_ABOUT, bar=7),
        Command(action="completion", keys=("tab",), label=words.COMPLETE, about=words.COMPLETE_ABOUT, bar=4),
        Command(action="places", keys=("ctrl+o", "f5"), label=words.PLACES, about=words.PLACES_ABOUT, bar=5),
        Command(action="undo", keys=("ctrl+z", "f6"), label=words.UNDO, about=words.UNDO_ABOUT, bar=3),
        Command(action="reset", keys=("f8",), label=words.RESET, about=words.RESET_ABOUT, bar=2),
    )
    BINDINGS = [
        Binding("ctrl+o,ctrl+ㅐ,f5", "places", show=False),
        Binding("ctrl+z,ctrl+ㅋ,f6", "undo", show=False),
        Binding("f8", "reset", show=False),
    ]
    DEFAULT_CSS = """
    Terminal { layout: vertical; }
    Terminal RichLog { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
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
        self._paste: list[str] = []

    def compose(self) -> ComposeResult:
        log = RichLog(wrap=True, highlight=False, markup=False, max_lines=4000, min_width=20)
        log.can_focus = False
        yield log
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

    def go(self, place: str) -> None:
        """Another machine or Pod of the same lab."""
        assert self.lab is not None
        try:
            self.lab.shell(place)
        except EngineError as error:
            self.say(error.text(self.lang), "$error")
            return
        self.place = place
        self._prompt()

    def type(self, line: str) -> None:
        """Put a line there without running it."""
        typed = self.query_one(CommandLine)
        typed.value = line
        typed.cursor_position = len(line)

    def run(self, line: str) -> None:
        """Run a line as if it had been typed."""
        if self.lab is None:
            return
        log = self.query_one(RichLog)
        prompt = self._prompt_text()
        for i, part in enumerate(line.split("\n")):
            self._write((prompt if i == 0 else "> ") + part, "bold")
        if not line.strip():
            return
        self.lab.world.lang = self.lang
        result = self.lab.run(self.place, line)
        if result.clear:
            log.clear()
        for stream, text in result.chunks or (("out", result.stdout), ("err", result.stderr)):
            if text:
                self._write(text.rstrip("\n"), "$warning" if stream == "err" else "")
        self._at = None
        self._prompt()
        self.post_message(self.Ran(self, line, result.journeys))

    def say(self, text: str, style: str = "") -> None:
        """A line of ours in the log."""
        self._write(text, style)

    def clear(self) -> None:
        self.query_one(RichLog).clear()

    # -- the line -------------------------------------------------------------------------------------------

    def _write(self, text: str, style: str) -> None:
        log = self.query_one(RichLog)
        content = Content.assemble((text, style)) if style else Content(text)
        log.write(_rich(content, self))

    def _prompt_text(self) -> str:
        return self.lab.shell(self.place).prompt if self.lab is not None else ""

    def _prompt(self) -> None:
        self.query_one("#prompt", Static).update("> " if self._paste else self._prompt_text())

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        line = event.value
        self.query_one(CommandLine).value = ""
        if self._paste or any(line.rstrip().endswith(w) for w in CONTINUES):
            self._paste.append(line)
            if line.strip() != "EOF":
                self._prompt()
                return
            line, self._paste = "\n".join(self._paste), []
        self.run(line)

    def on_paste(self, event: events.Paste) -> None:
        """Several pasted lines are several commands; the last, without its end of line, stays to be edited."""
        if "\n" not in event.text:
            return
        event.stop()
        event.prevent_default()
        *lines, last = event.text.split("\n")
        for line in lines:
            self.post_message(Input.Submitted(self.query_one(CommandLine), line))
        self.type(last)

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
            self.say("  ".join(found), "$text-muted")

    def recall(self, by: int) -> None:
        if self.lab is None:
            return
        history = self.lab.shell(self.place).history
        at = len(history) if self._at is None else self._at
        at = max(0, min(len(history), at + by))
        self._at = at
        self.type(history[at] if at < len(history) else "")

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
            words.UNDONE(act=act.text()).text(self.lang)
            if act is not None
            else words.NOTHING_TO_UNDO().text(self.lang),
            "$accent",
        )
        self._prompt()

    def action_reset(self) -> None:
        if self.lab is not None:
            self.lab.reset()
            self.say(words.WAS_RESET().text(self.lang), "$accent")
            self._prompt()


def _common(found: list[str]) -> str:
    """The longest beginning that all share."""
    first, last = min(found), max(found)
    for i, char in enumerate(first):
        if i >= len(last) or last[i] != char:
            return first[:i]
    return first


def _rich(content: Content, widget: Widget) -> object:
    """RichLog takes rich renderables: the content with the theme's colours resolved."""
    from rich.text import Text

    text = Text(content.plain, no_wrap=False)
    variables = widget.app.theme_variables
    for span in content.spans:
        style = str(span.style)
        for name in ("success", "warning", "error", "accent", "text-muted", "primary"):
            style = style.replace(f"${name}", "dim" if name == "text-muted" else variables.get(name, ""))
        style = style.replace("ansi_", "").replace("default", "").strip()
        if style:
            text.stylize(style, span.start, span.end)
    return text

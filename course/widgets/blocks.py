"""The blocks of a step in the Read pane: prose, a command with its live output, a play, an exercise.

Rules. A block that can be done is focusable and posts `Chosen` on Enter or a click; prose is not focusable. A block
shows what it is given: outputs are run by the screen's worker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from course import words_lesson as words
from course.widgets.fitted import Fitted, hang
from course.widgets.prose import prose
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.grade.flows import Flow
    from engine.grade.lesson import ExerciseRef, Play, Run
    from engine.grade.story import Shown

#: (step, block) in the lesson's own numbering
At = tuple[int, int]
#: cells that the rest of a long line of a command or of its output stands in
MORE = 4


class ProseBlock(Static):
    """Markdown."""

    def __init__(self, text: str, *, ascii: bool = False) -> None:
        super().__init__(Fitted(lambda width: prose(text, ascii=ascii, width=width)), markup=False)


class DoBlock(Static):
    """Base of what can be chosen."""

    can_focus = True
    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", show=False)]
    DEFAULT_CSS = """
    DoBlock { height: auto; padding: 0 1; border-left: thick $panel; }
    DoBlock:focus { border-left: thick $accent; background: $panel; }
    """

    class Chosen(Message):
        """The learner wants to do this block."""

        def __init__(self, block: DoBlock) -> None:
            super().__init__()
            self.block = block

    def action_choose(self) -> None:
        self.post_message(self.Chosen(self))

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.focus()
        self.post_message(self.Chosen(self))


class RunBlock(DoBlock):
    """Commands and what they print now. Enter types the first one into the terminal."""

    def __init__(self, run: Run, at: At) -> None:
        super().__init__(markup=False)
        self.run_block, self.at = run, at
        self.show(())

    def show(self, shown: tuple[Shown, ...] | EngineError) -> None:
        parts: list[tuple[str, str] | str] = []
        place = self.run_block.place.removeprefix("node/").removeprefix("host/")
        outputs = {} if isinstance(shown, EngineError) else {i: s.result for i, s in enumerate(shown)}
        for i, command in enumerate(self.run_block.commands):
            parts += ["\n"] if i else []
            parts += [(f"{place}$ ", "bold $success"), (command, "bold")]
            result = outputs.get(i)
            if result is not None:
                printed = (result.stdout + result.stderr).rstrip("\n").expandtabs()
                parts += ["\n", printed] if printed else []
        if isinstance(shown, EngineError):
            parts += ["\n", (str(shown), "$error")]
        text = Content.assemble(*parts)
        self.update(Fitted(lambda width: hang(text, width, MORE)))


class PlayBlock(DoBlock):
    """A journey to see. Enter plays it."""

    def __init__(self, play: Play, at: At, *, lang: str, ascii: bool) -> None:
        super().__init__(markup=False)
        self.play, self.at = play, at
        phrase = words.PLAY_PREDICT if play.ask is not None else words.PLAY_BLOCK
        said = phrase(flow=flow_text(play.flow, ascii=ascii))
        if play.beside is not None:
            said = words.PLAY_BESIDE(one=play.beside.this, two=play.beside.that)
        mark = "> " if ascii else "▶ "
        self.update(Content.assemble((mark, "bold $accent"), said.text(lang)))


def flow_text(flow: Flow, *, ascii: bool = False) -> str:
    """`pod/a > pod/b:80 tcp`, as short as it can be said."""
    proto = f" {flow.proto}" if flow.proto != "tcp" else ""
    return f"{flow.source} {'->' if ascii else '→'} {flow.to}{proto}"


class FoldBlock(DoBlock):
    """Stands for the text behind a prediction that is still open. Enter reads on without an answer."""

    DEFAULT_CSS = """
    FoldBlock { color: $text-muted; text-style: italic; }
    """

    def __init__(self, at: At, *, lang: str, ascii: bool) -> None:
        super().__init__(markup=False)
        self.at = at
        mark = "... " if ascii else "… "
        self.update(Content(mark + words.FOLDED().text(lang)))


class ExerciseBlock(DoBlock):
    """An exercise of this step. Enter opens it."""

    def __init__(self, ref: ExerciseRef) -> None:
        super().__init__(markup=False)
        self.ref = ref

    def show(self, title: str, kind: str, state: str, *, lang: str, ascii: bool) -> None:
        """`state` is solved, watched or ""."""
        marks = {"solved": "x " if ascii else "✔ ", "watched": "o " if ascii else "◌ ", "": "? "}
        tail = {"solved": words.SOLVED, "watched": words.WATCHED}.get(state)
        self.update(
            Content.assemble(
                (marks[state], "bold $success" if state == "solved" else "bold $accent"),
                words.EXERCISE_BLOCK(title=title).text(lang),
                (f"  {kind}", "dim"),
                (f"  {tail().text(lang)}" if tail is not None else "", "$success"),
            )
        )

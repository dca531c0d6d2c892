"""What collects the answer of an exercise: a list, marks, a line, an order, a manifest, or nothing (the lab is judged).

Rules. Which widget it is depends on the kind, in `_widgets`. `given()` is the answer in the form that the grader takes.
Nothing here knows what is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual import on
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static, TextArea
from textual.widgets.option_list import Option

from course import words_lesson as words
from course.text import led
from course.widgets.marklist import MarkList

if TYPE_CHECKING:
    from engine.grade.pose import Posed
    from engine.grade.predict import Option as Choice


class Answers(Vertical):
    """The widgets of one exercise. `Given` goes out when an answer is complete by itself (Enter on it)."""

    DEFAULT_CSS = """
    Answers OptionList { height: auto; max-height: 12; border: none; padding: 0; background: $background; }
    Answers OptionList:focus { background: $background; border: none; }
    Answers Input, Answers Input:focus { height: 1; border: none; padding: 0; background: $panel; }
    Answers TextArea { height: auto; min-height: 6; max-height: 12; border: round $primary; padding: 0; }
    """

    class Given(Message):
        """An answer was chosen or typed. `value` None: take `given()`."""

        def __init__(self, value: Any) -> None:
            super().__init__()
            self.value = value

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.posed: Posed | None = None
        self.diagnosing = False
        self.order: list[str] = []

    async def fill(self, posed: Posed, lang: str, *, diagnosing: bool, keep: bool = False) -> None:
        """Build the widgets of this exercise; `keep` what was typed, marked and pointed at."""
        old = self._state() if keep else {}
        if not keep:
            self.order = [i.id for i in posed.items]
        self.posed, self.diagnosing = posed, diagnosing
        await self.remove_children()
        await self.mount(*self._widgets(posed, lang))
        self._restore(old)

    def _state(self) -> dict[str, Any]:
        """What the learner has entered so far."""
        out: dict[str, Any] = {}
        for typed in self.query(Input):
            out["value"] = typed.value
        for area in self.query(TextArea):
            out["text"] = area.text
        for many in self.query(MarkList):
            out["marked"] = sorted(many.marked)
        for rows in self.query(OptionList):
            out["at"] = rows.highlighted
        return out

    def _restore(self, old: dict[str, Any]) -> None:
        for typed in self.query(Input):
            typed.value = old.get("value", "")
        for area in self.query(TextArea):
            area.text = old.get("text", "")
        for many in self.query(MarkList):
            many.mark(old.get("marked", ()))
        for rows in self.query(OptionList):
            rows.highlighted = old.get("at", 0)

    def _widgets(self, posed: Posed, lang: str) -> list[Widget]:
        if self.diagnosing and posed.diagnosis is not None:
            title = posed.diagnosis_task.text(lang) if posed.diagnosis_task is not None else ""
            text = f"{words.DIAGNOSE().text(lang)} {title}"
            return [Static(text, markup=False), self._options(posed.diagnosis.options, lang)]
        if posed.kind == "choice" and posed.many:
            return [MarkList([(o.id, o.text.text(lang)) for o in posed.options], id="many")]
        if posed.kind == "choice":
            return [self._options(posed.options, lang)]
        if posed.kind == "predict":
            assert posed.question is not None
            return [self._options(posed.question.options, lang)]
        if posed.kind == "answer":
            return [Input(placeholder=words.TYPE_ANSWER().text(lang), id="value", select_on_focus=False)]
        if posed.kind == "order":
            return [self._options(self._ordered(posed), lang, numbered=True)]
        if posed.manifest:
            return [TextArea("", id="manifest", soft_wrap=False)]
        return []

    def _options(self, options: tuple[Choice, ...], lang: str, *, numbered: bool = False) -> OptionList:
        rows = []
        for i, option in enumerate(options, 1):
            lead = f"{i}. " if numbered else f"{'abcdefghij'[i - 1]}  "
            rows.append(Option(led(lead, option.text.text(lang)), id=option.id))
        return OptionList(*rows, id="options")

    def _ordered(self, posed: Posed) -> tuple[Choice, ...]:
        by_id = {i.id: i for i in posed.items}
        return tuple(by_id[i] for i in self.order)

    # -- the answer -----------------------------------------------------------------------------------------

    def given(self) -> Any:
        """The answer as it stands, in the form that `check` takes; None for a goal."""
        posed = self.posed
        if posed is None:
            return None
        if self.diagnosing:
            return self._pointed()
        if posed.kind == "order":
            return list(self.order)
        if posed.kind == "answer":
            return self.query_one("#value", Input).value
        if posed.kind == "choice" and posed.many:
            return sorted(self.query_one("#many", MarkList).marked)
        if posed.manifest:
            return self.query_one("#manifest", TextArea).text
        return self._pointed() if posed.kind in ("choice", "predict") else None

    def _pointed(self) -> str | None:
        rows = self.query_one("#options", OptionList)
        return rows.get_option_at_index(rows.highlighted).id if rows.highlighted is not None else None

    @on(OptionList.OptionSelected, "#options")
    def _option(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if self.posed is not None and event.option.id is not None:
            ordering = self.posed.kind == "order" and not self.diagnosing
            self.post_message(self.Given(None if ordering else event.option.id))

    @on(Input.Submitted, "#value")
    def _value(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Given(event.value))

    def focus_answer(self) -> bool:
        """Put the focus where the answer is given; False when there is nothing to give one with."""
        for kind in (TextArea, Input, OptionList):
            for found in self.query(kind):
                found.focus()
                return True
        return False

    def mark(self) -> None:
        for many in self.query(MarkList):
            many.action_mark()

    def move_line(self, by: int, lang: str) -> None:
        """Move the pointed line of an order exercise."""
        posed = self.posed
        if posed is None or posed.kind != "order" or self.diagnosing:
            return
        rows = self.query_one("#options", OptionList)
        at = rows.highlighted
        if at is None or not 0 <= at + by < len(self.order):
            return
        self.order[at], self.order[at + by] = self.order[at + by], self.order[at]
        rows.clear_options()
        for option in self._options(self._ordered(posed), lang, numbered=True).options:
            rows.add_option(Option(option.prompt, id=option.id))
        rows.highlighted = at + by

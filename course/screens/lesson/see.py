"""The See pane: one packet, the question that is asked about it, and what was said of the answer.

Theory. A play with a question hides what comes after its hop; the film ends there and the question is asked. An answer,
right or wrong, lets the film go on: it shows what is right, and no sentence takes that from it.

Rules. It is given journeys and never makes one. `Predicted` and `Skipped` go out, so that the screen can keep them and
unfold the text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from course import words_lesson as say
from course.screens.picker import Asked, Row
from course.widgets.lesson_player import LessonPlayer
from course.widgets.player import Player

if TYPE_CHECKING:
    from textual.widget import Widget

    from course.app import TutorApp
    from course.widgets.beside import Beside
    from course.widgets.blocks import At
    from engine.grade.finding import Halt
    from engine.grade.predict import Question
    from engine.grade.story import Played
    from engine.linux.journey import Journey
    from engine.linux.net import Net
    from engine.say import Said


class SeePane(Vertical):
    """Shows a journey at a time. `question` is open when it is not None; `at` is the play that it belongs to."""

    DEFAULT_CSS = """
    SeePane { width: 3fr; }
    SeePane.without { width: 28; }
    .narrow SeePane.without { width: 1fr; }
    SeePane Player { height: 1fr; }
    SeePane #asked { height: auto; max-height: 6; padding: 0 1; background: $panel; }
    SeePane #nothing { height: 1fr; content-align: center middle; color: $text-muted; padding: 0 3; }
    """

    class Predicted(Message):
        """The question of this play was answered."""

        def __init__(self, at: At, answer: str, right: bool) -> None:
            super().__init__()
            self.at, self.answer, self.right = at, answer, right

    class Skipped(Message):
        """The learner wants to see and read on without an answer."""

        def __init__(self, at: At) -> None:
            super().__init__()
            self.at = at

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.question: Question | None = None
        self.text: Said | None = None  # of the question
        self.at: At | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="asked", classes="hidden", markup=False)
        yield Static(id="nothing", markup=False)
        yield LessonPlayer(id="player", lang=self.tutor.lang, ascii=self.tutor.ascii, classes="hidden")

    @property
    def tutor(self) -> TutorApp:
        return cast("TutorApp", self.app)

    @property
    def player(self) -> Player:
        return self.query_one(Player)

    @property
    def empty(self) -> bool:
        """Is there no packet?"""
        return self.player.has_class("hidden") and not self.comparing

    @property
    def beside(self) -> Beside | None:
        """The two players; made when the first comparison is shown."""
        return next(iter(self.query("#beside").results()), None)  # type: ignore[return-value]

    @property
    def comparing(self) -> bool:
        """Do two packets stand here?"""
        return self.beside is not None and not self.beside.has_class("hidden")

    @property
    def in_use(self) -> Widget:
        """What shows the packet: the player, or two."""
        return self.beside if self.comparing and self.beside is not None else self.player

    def focus_in(self) -> None:
        (self if self.empty else self.in_use).focus()

    # -- what stands here -----------------------------------------------------------------------------------

    def say(self, text: str, *, narrow: bool = True) -> None:
        """A text instead of a packet; `narrow` leaves the room to the lesson's text, beside which it stands."""
        self.question = self.at = None
        self.player.pause()
        self.tell(None)
        self.query_one("#nothing", Static).update(Content(text))
        self._only("nothing")
        self.set_class(narrow, "without")

    def _only(self, id: str) -> None:
        """Of the text, the player and the two players this one."""
        for name in ("nothing", "player", "beside"):
            for part in self.query(f"#{name}"):
                part.set_class(name != id, "hidden")

    def tell(self, said: Said | None, style: str = "") -> None:
        """The line above the packet: a question, a verdict, what went wrong. It stays until the next packet."""
        line = self.query_one("#asked", Static)
        line.set_class(said is None, "hidden")
        line.update(Content.assemble((said.text(self.tutor.lang), style)) if said is not None else "")

    def load(
        self, journey: Journey, net: Net, *, play: bool = False, hide: Halt | None = None, halt: Halt | None = None
    ) -> None:  # fmt: skip
        """Another journey, from its beginning: hidden from `hide` on, or standing at `halt`."""
        self.question = self.at = None
        player = self.player
        self._only("player")
        self.remove_class("without")
        player.motion = None if self.tutor.motion else False
        player.load(journey, net, play=play)
        if hide is not None:
            player.conceal_hop(*hide)
        if halt is not None:
            player.halt_at(*halt)
        self.tell(None)

    def show(self, played: Played, at: At, text: Said | None, *, ask: bool) -> None:
        """A play, not moving yet; with `ask` its question, whose words are `text`, hides what comes after its hop."""
        asking = played.question if ask else None
        hide = (played.halt or self.behind_the_sender(played.journey)) if asking is not None else None
        self.load(played.journey, played.lab.world.net, hide=hide)
        self.at, self.question, self.text = at, asking, text
        self.halt = played.halt if played.question is None else None
        if asking is not None and text is not None:
            self.tell(say.PREDICT_ASK(question=text), "$warning")

    halt: Halt | None = None

    @staticmethod
    def behind_the_sender(journey: Journey) -> Halt | None:
        """Where a question without a hop of its own hides the packet: as soon as it was sent, for the way that it has
        gone would tell how it ends."""
        return (0, "forward", 1) if journey.legs and len(journey.legs[0].forward.hops) > 1 else None

    def go(self) -> None:
        """Let what was shown move."""
        if self.comparing and self.beside is not None:
            self.beside.play()
        elif self.halt is None or not self.player.play_until(*self.halt):
            self.player.play()

    def play_pause(self) -> None:
        if self.comparing and self.beside is not None:
            self.beside.action_play_pause()
        else:
            self.player.action_play_pause()

    async def compare(self, played: Played, at: At) -> None:
        """A play with its other side, not moving yet."""
        from course.widgets.beside import Beside

        self.question, self.at = None, at
        self.player.pause()
        self.tell(None)
        if self.beside is None:
            await self.mount(Beside(lang=self.tutor.lang, ascii=self.tutor.ascii, id="beside"))
        assert self.beside is not None
        self.beside.motion = None if self.tutor.motion else False
        self._only("beside")
        self.remove_class("without")
        self.beside.show(played)

    # -- the question ---------------------------------------------------------------------------------------

    @on(Player.Finished)
    def _finished(self, event: Player.Finished) -> None:
        """A prediction ended the film: ask."""
        if event.hidden and self.question is not None and self.app.screen is self.screen:
            self.ask()

    def ask(self) -> None:
        """The question with its options, and a way on without an answer."""
        question, text = self.question, self.text
        if question is None or text is None:
            return
        lang = self.tutor.lang
        self.tell(say.PREDICT_NOW(question=text), "$warning")

        def answer(id: str) -> Callable[[], None]:
            return lambda: self._answered(question, id)

        rows = [
            Row(key="abcdefgh"[i], text=o.text.text(lang), run=answer(o.id))
            for i, o in enumerate(question.options)
        ]
        rows.append(Row(key="-", text=say.SKIP_ABOUT().text(lang), run=self.skip))
        self.app.push_screen(Asked(text.text(lang), rows, lang))

    def _answered(self, question: Question, id: str) -> None:
        if question is not self.question or self.at is None:
            return
        at, self.question = self.at, None
        finding = question.check(id)
        if finding is None:
            self.tell(say.RIGHT(), "$success")
        else:
            self.tell(finding.said, "$error")
        self.player.reveal(play=True)
        self.post_message(self.Predicted(at, id, finding is None))

    def skip(self) -> None:
        """Without an answer: nothing is hidden any more."""
        if self.question is None or self.at is None:
            return
        at, self.question = self.at, None
        self.tell(None)
        self.player.reveal()
        self.post_message(self.Skipped(at))

    # -- language, drawing set, motion ----------------------------------------------------------------------

    def retext(self) -> None:
        player = self.player
        player.lang, player.ascii = self.tutor.lang, self.tutor.ascii
        player.motion = None if self.tutor.motion else False
        if self.beside is not None:
            self.beside.retext(self.tutor.lang, self.tutor.ascii, player.motion)
        if self.question is not None and self.text is not None:
            self.tell(say.PREDICT_ASK(question=self.text), "$warning")

"""Two packets side by side: the same flow in two labs or in two variants of one, hop by hop, and what differs.

Theory. Each side is a player that shows and does not listen; one `Duet` holds the index of both and one clock moves it.
Beside each other where the width allows two scenes, one above the other below that. If one side has no room for a
scene, both are ladders.

Rules. It has the player's keys, and what they do happens to both sides. Nothing is hidden in a comparison: there is
nothing to predict in it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from course import words_player as words
from course.commands import Command, bindings
from course.render.beside import Duet, compared, lines
from course.render.glyphs import glyphs
from course.widgets.player import Player
from course.widgets.player.controls import SPEEDS
from course.widgets.player.paint import Painted

if TYPE_CHECKING:
    from engine.grade.story import Played

FRAME, STANDING, STILL = 1 / 30, 0.2, 1.4
#: from this width on the two stand beside each other
WIDE = 110
#: lines of the difference in a low window, and at most
LOW_LINES, MOST_LINES, LOW = 3, 8, 30


class Twin(Player):
    """One side: it never has the focus, and its panel is lower."""

    can_focus = False
    led = False  # does the clock of both run?

    @property
    def playing(self) -> bool:
        return self.led

    def _usual_panel(self) -> int:
        height = self.size.height
        return 3 if height < 12 else 5 if height < 20 else super()._usual_panel()


class Beside(Widget):
    """`show(played)` puts a comparison there."""

    ACTIONS: ClassVar[tuple[Command, ...]] = (
        Command(action="play_pause", keys=("space",), label=words.PLAY, about=words.PLAY_BOTH_ABOUT, bar=8),
        Command(
            action="step(1)",
            keys=("right", "down"),
            label=words.HOP,
            about=words.HOP_ABOUT,
            bar=7,
            shown="← →",
        ),
        Command(action="step(-1)", keys=("left", "up"), label=words.HOP_BACK, about=words.HOP_BACK_ABOUT),
        Command(
            action="zoom", keys=("enter", "z"), label=words.ZOOM, about=words.ZOOM_ABOUT, bar=6, shown="z"
        ),
        Command(action="view", keys=("v", "f6"), label=words.LADDER, about=words.LADDER_ABOUT, bar=6),
        Command(
            action="faster(1)",
            keys=("plus", "f10"),
            label=words.FASTER,
            about=words.FASTER_ABOUT,
            shown="+ -",
        ),
        Command(action="faster(-1)", keys=("minus",), label=words.SLOWER, about=words.SLOWER_ABOUT),
        Command(action="replay", keys=("r", "f5"), label=words.REPLAY, about=words.REPLAY_ABOUT, bar=2),
        Command(action="first", keys=("home",), label=words.FIRST, about=words.FIRST_ABOUT),
        Command(action="last", keys=("end",), label=words.LAST, about=words.LAST_ABOUT),
    )
    BINDINGS = bindings(ACTIONS)
    DEFAULT_CSS = """
    Beside { layout: vertical; height: 1fr; }
    Beside #sides { height: 1fr; }
    Beside .side { width: 1fr; height: 1fr; }
    Beside.stacked #sides { layout: vertical; }
    Beside .side-name { height: 1; background: $panel; text-style: bold; padding: 0 1; }
    Beside #one { border-right: solid $panel; }
    Beside.stacked #one { border-right: none; }
    Beside #difference { height: 3; border-top: solid $panel; }
    """
    can_focus = True

    def __init__(
        self, *, lang: str, ascii: bool, id: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        super().__init__(id=id)
        self.lang, self.ascii = lang, ascii
        self.motion: bool | None = None
        self.speed = 1.0
        self.played: Played | None = None
        self.duet: Duet | None = None
        self._clock, self._then = clock, 0.0
        self._ticker: Timer | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="sides"):
            for name in ("one", "two"):
                with Vertical(id=name, classes="side"):
                    yield Static(id=f"{name}-name", classes="side-name", markup=False)
                    twin = Twin(lang=self.lang, ascii=self.ascii, id=f"{name}-player")
                    twin.show_asides(False)
                    yield twin
        yield Painted(id="difference")

    @property
    def twins(self) -> tuple[Twin, Twin]:
        return self.query_one("#one-player", Twin), self.query_one("#two-player", Twin)

    @property
    def playing(self) -> bool:
        return self._ticker is not None

    def show(self, played: Played) -> None:
        """A play with its other side, standing at the beginning."""
        assert played.beside is not None
        self._stop()
        self.played = played
        for twin, side in zip(self.twins, (played, played.beside), strict=True):
            twin.motion = self.motion
            twin.load(side.journey, side.lab.world.net)
        self.duet = Duet(self.twins[0].playback, self.twins[1].playback)
        self._texts()
        self._redraw()

    def retext(self, lang: str, ascii: bool, motion: bool | None) -> None:
        self.lang, self.ascii, self.motion = lang, ascii, motion
        for twin in self.twins:
            twin.lang, twin.ascii, twin.motion = lang, ascii, motion
        self._texts()

    def _texts(self) -> None:
        played = self.played
        if played is None or played.beside is None:
            return
        names = tuple(s.title.text(self.lang) if s.title is not None else "" for s in (played, played.beside))
        for id, name in zip(("one", "two"), names, strict=True):
            self.query_one(f"#{id}-name", Static).update(Content(name))
        part = self.query_one("#difference", Painted)
        height = LOW_LINES if self.size.height < LOW else MOST_LINES
        nets = (played.lab.world.net, played.beside.lab.world.net)
        found = compared(played.journey, played.beside.journey, nets)
        made = lines(
            found, (names[0], names[1]), max(20, self.size.width), height, self.lang, glyphs(self.ascii)
        )  # fmt: skip
        part.styles.height = len(made) + 1
        part.set_lines(made)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width < WIDE, "stacked")
        for twin in self.twins:
            twin.choose_view("auto")
        self._texts()

    @on(Player.ViewChanged)
    def _level(self, event: Player.ViewChanged) -> None:
        """Two scenes or two ladders."""
        event.stop()
        views = {twin.view for twin in self.twins if twin.size.width}
        if len(views) > 1:
            for twin in self.twins:
                twin.choose_view("ladder")

    @on(Player.HopChanged)
    @on(Player.Finished)
    def _mine(self, event: Player.HopChanged | Player.Finished) -> None:
        event.stop()

    # -- the clock ------------------------------------------------------------------------------------------

    def play(self) -> None:
        """Play on; from the end, from the beginning again."""
        if self.duet is None:
            return
        if self.duet.at_end:
            self.duet.go(0, 0.0)
        self._then = self._clock()
        self._wake(FRAME)
        self._redraw()

    def pause(self) -> None:
        self._stop()
        self._redraw()

    def _wake(self, delay: float) -> None:
        self._stop()
        self._ticker = self.set_timer(delay, self._tick, name="beside")

    def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None

    def _tick(self) -> None:
        self._ticker = None
        if not self.is_attached or not self.is_on_screen or self.app.screen is not self.screen:
            return
        now = self._clock()
        passed, self._then = now - self._then, now
        if self.advance(min(passed, 0.25) if self.moves else passed):
            gliding = (
                any(s.now is not None and s.way() < 1.0 for s in self.duet.sides) if self.duet else False
            )
            self._wake((FRAME if gliding else STANDING) if self.moves else STILL / self.speed)
        else:
            self._redraw()

    @property
    def moves(self) -> bool:
        """Do the packets glide? Else they jump from hop to hop."""
        return self.motion if self.motion is not None else self.app.animation_level != "none"

    def advance(self, seconds: float) -> bool:
        """Let so many real seconds pass; False when both stopped. Tests may call this instead of waiting."""
        duet = self.duet
        if duet is None:
            return False
        if self.moves:
            going = duet.advance(seconds * self.speed)
        else:
            duet.step(1)
            going = not duet.at_end
        self._redraw()
        return going

    def _redraw(self) -> None:
        for twin in self.twins:
            twin.led = self.playing
            twin.seek(twin.playback.beat, twin.playback.fraction)

    # -- keys -----------------------------------------------------------------------------------------------

    def _to(self, at: int, fraction: float = 1.0) -> None:
        self._stop()
        if self.duet is not None:
            self.duet.go(at, fraction)
            self._redraw()

    def action_play_pause(self) -> None:
        if self.playing:
            self.pause()
        else:
            self.play()

    def action_step(self, by: int) -> None:
        self._stop()
        if self.duet is not None:
            self.duet.step(by)
            self._redraw()

    def action_zoom(self) -> None:
        self._stop()
        for twin in self.twins:
            twin.action_zoom()

    def action_view(self) -> None:
        wanted = "scene" if self.twins[0].view == "ladder" else "ladder"
        for twin in self.twins:
            twin.choose_view(wanted)

    def action_faster(self, by: int) -> None:
        index = SPEEDS.index(self.speed) if self.speed in SPEEDS else 1
        self.speed = SPEEDS[max(0, min(len(SPEEDS) - 1, index + by))]
        for twin in self.twins:
            twin.speed = self.speed
        self._redraw()

    def action_replay(self) -> None:
        self._to(0, 0.0)
        self.play()

    def action_first(self) -> None:
        self._to(0, 0.0)

    def action_last(self) -> None:
        if self.duet is not None:
            self._to(self.duet.last)

    def on_hide(self) -> None:
        self._stop()

    def on_unmount(self) -> None:
        self._stop()

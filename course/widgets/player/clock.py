"""The player's clock: how real time moves the index.

Theory. It runs only while the film plays and the widget is on the screen: a moving packet asks for 30 frames a second,
one that stands still for none until the moment when something changes.

Rules. It moves the playback's index and calls `_show`; `advance` takes the time as a number, so that no test waits.
"""

from __future__ import annotations

from collections.abc import Callable

from course.widgets.player.controls import PlayerControls

FRAME = 1 / 30
LONGEST_TICK = 0.25  # a late tick moves the film on by no more than this
STILL_BEAT = 1.4  # without motion each hop is shown for at least so long


class PlayerClock(PlayerControls):
    """Base of the Player: its timer. The Player has the film and the parts that draw."""

    _clock: Callable[[], float]
    _then: float = 0.0
    _halt: int | None = None  # the beat where playing stops

    @property
    def motion(self) -> bool:
        raise NotImplementedError

    def _wake(self, delay: float) -> None:
        self._stop()
        self._resume = False
        self._ticker = self.set_timer(delay, self._tick, name="player")

    def _stop(self) -> None:
        if self._ticker is not None:
            self._ticker.stop()
            self._ticker = None

    def _tick(self) -> None:
        self._ticker = None
        if not self.is_attached or self.app.screen is not self.screen:
            self._show()
            return
        if not self.is_on_screen:
            self._resume = True
            return
        now = self._clock()
        passed, self._then = now - self._then, now
        going = self.advance(min(passed, LONGEST_TICK) if self.motion else passed)
        if going:
            self._wake(self._next_tick())

    def advance(self, seconds: float) -> bool:
        """Let so many real seconds pass; False when the film stopped. Tests may call this instead of waiting."""
        play = self.playback
        if self.motion:
            going = play.advance(seconds * self.speed)
        else:
            going = not play.at_end
            if play.fraction < 1.0:
                play.fraction = 1.0
            elif going:
                play.go(play.beat + 1)
            going = not play.at_end
        if self._halt is not None and (
            play.beat > self._halt or (play.beat == self._halt and play.fraction >= 1.0)
        ):
            play.go(self._halt)
            self._halt, going = None, False
        if not going:
            self._stop()
        self._show()
        return going

    def _next_tick(self) -> float:
        """Seconds until the picture can change again."""
        play = self.playback
        beat = play.now
        if beat is None:
            return FRAME
        if not self.motion:
            return max(STILL_BEAT, sum(s for _, s in beat.stops())) / self.speed
        if play.way() < 1.0 or (beat.ghosts and play.ghosts() < 1.0):
            return FRAME
        length = play.length(play.beat)
        total = beat.seconds(length)
        at = play.fraction * total - beat.glide(length)
        for _, seconds in beat.stops():
            if at < seconds:
                return max(FRAME, min(LONGEST_TICK * 0.9, (seconds - at) / self.speed))
            at -= seconds
        return FRAME

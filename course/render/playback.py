"""Where a film stands: the index that keys and the clock move, and every test too.

Theory. A position is (beat, fraction of the beat), plus the step that a person looks at inside a hop. Hiding is an end
put before the film's own: nothing behind it can be reached by any move.
"""

from __future__ import annotations

from collections.abc import Sequence

from course.render.frames import Beat, Film
from engine.record import dataclass


@dataclass(slots=True)
class Playback:
    """Where the film stands. `cells[i]` is the length of beat i's way on the present scene; `hidden` is the first beat
    that may not be seen yet (None: all may); `moment` is set when a person looks at a step inside the hop."""

    film: Film
    cells: Sequence[int] = ()
    beat: int = 0
    fraction: float = 0.0
    moment: int | None = None
    hidden: int | None = None

    @property
    def last(self) -> int:
        """The last beat that may be shown."""
        end = len(self.film.beats) - 1
        return end if self.hidden is None else min(end, self.hidden - 1)

    @property
    def now(self) -> Beat | None:
        return (
            self.film.beats[self.beat] if 0 <= self.beat < len(self.film.beats) and self.last >= 0 else None
        )

    @property
    def at_end(self) -> bool:
        return self.beat >= self.last and self.fraction >= 1.0

    @property
    def concealed(self) -> bool:
        """Is something still hidden behind the last beat that may be shown?"""
        return self.hidden is not None and self.hidden < len(self.film.beats)

    def length(self, beat: int) -> int:
        return self.cells[beat] if beat < len(self.cells) else 1

    def shown(self) -> int:
        """The moment to be described now."""
        beat = self.now
        if beat is None:
            return 0
        if self.moment is not None:
            return min(self.moment, len(beat.moments) - 1)
        return beat.main if self.fraction >= 1.0 else beat.at(self.fraction, self.length(self.beat))[1]

    def way(self) -> float:
        """The part of the way to the present place that is done."""
        beat = self.now
        if beat is None or self.moment is not None:
            return 1.0
        return beat.at(self.fraction, self.length(self.beat))[0]

    def ghosts(self) -> float:
        beat = self.now
        return (
            0.0
            if beat is None
            else 1.0
            if self.moment is not None
            else beat.ghost_part(self.fraction, self.length(self.beat))
        )

    def advance(self, seconds: float) -> bool:
        """Let `seconds` of film pass; False when it has come to its end (or to what is hidden)."""
        self.moment = None
        while seconds > 0 and self.now is not None:
            total = self.film.beats[self.beat].seconds(self.length(self.beat))
            left = total * (1.0 - self.fraction)
            if seconds < left:
                self.fraction += seconds / total
                return True
            seconds -= left
            if self.beat >= self.last:
                self.fraction = 1.0
                return False
            self.beat, self.fraction = self.beat + 1, 0.0
        return self.now is not None

    def go(self, beat: int, fraction: float = 1.0) -> None:
        """Stand at a beat, its place reached."""
        self.beat = max(0, min(beat, self.last))
        self.fraction, self.moment = fraction, None

    def step(self, by: int) -> None:
        """A hop on or back. From the middle of a hop, back means its beginning's hop: the one before."""
        if by > 0 and self.fraction < 1.0 and self.moment is None:
            self.go(self.beat + by - 1)
        else:
            self.go(self.beat + by)

    def step_inside(self, by: int) -> None:
        """A step on or back inside the hop, over its edges into the neighbouring hops."""
        beat = self.now
        if beat is None:
            return
        moment = (
            self.shown()
            if self.moment is not None or self.fraction < 1.0
            else (-1 if by > 0 else len(beat.moments))
        ) + by
        if moment < 0 and self.beat > 0:
            self.go(self.beat - 1)
            moment = len(self.film.beats[self.beat].moments) - 1
        elif moment >= len(beat.moments) and self.beat < self.last:
            self.go(self.beat + 1)
            moment = 0
        self.fraction = 1.0
        self.moment = max(0, min(moment, len(self.film.beats[self.beat].moments) - 1))


def over(playback: Playback) -> bool:
    """Has the packet of this beat come to its end, as far as the film shows it? While it plays, what is decided before
    the end is shown first."""
    beat = playback.now
    if beat is None or beat.ends is None:
        return False
    ends = [i for i, m in enumerate(beat.moments) if m.step.outcome is not None]
    return playback.fraction >= 1.0 or not ends or playback.shown() >= ends[0]

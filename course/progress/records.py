"""What the course remembers of a learner, as values.

Rules. A record is frozen and says nothing about SQL. `at` is aware local time: its date is the learner's day.
A step is its index in the lesson, from 0. Solved, tried and the streak are derived, never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias

from engine.record import dataclass

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
Language: TypeAlias = Literal["en", "ko"]
Animation: TypeAlias = Literal["full", "basic", "none"]


class Outcome(StrEnum):
    """How one attempt ended."""

    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One answer that was graded. `uid` tells attempts apart when two files are merged."""

    uid: str
    lesson: str
    exercise: str
    seed: int
    at: datetime
    outcome: Outcome
    answer: Json
    hints: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ExerciseState:
    """What all attempts at one exercise come to. `hints` is the most that were open at once."""

    attempts: int = 0
    solved: bool = False
    solved_at: datetime | None = None
    watched: bool = False
    hints: int = 0
    best_seconds: float | None = None

    @property
    def tried(self) -> bool:
        return self.attempts > 0

    @property
    def alone(self) -> bool:
        """Solved without a look at the solution."""
        return self.solved and not self.watched


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where the learner was: the lesson's id and the step's index."""

    lesson: str
    step: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A step that was opened `count` times."""

    lesson: str
    step: int
    first: datetime
    last: datetime
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the learner chose. None means: not chosen yet, so the program decides (locale, terminal)."""

    language: Language | None = None
    theme: str | None = None
    ascii: bool = False
    animation: Animation = "full"
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import added; what was here already is not counted."""

    attempts: int
    lessons: int


def streak(days: Sequence[date], today: date) -> int:
    """The number of days in a row that end today, or yesterday while today has not begun."""
    have = set(days)
    day = today if today in have else today - timedelta(days=1)
    length = 0
    while day in have:
        length += 1
        day -= timedelta(days=1)
    return length

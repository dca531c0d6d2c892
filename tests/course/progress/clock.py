"""A clock that tests move by hand."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone


class Clock:
    """Aware local time in Seoul; each reading is one second after the last."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 10, 0, 0, tzinfo=timezone(timedelta(hours=9)))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def pass_days(self, days: int) -> None:
        self.now += timedelta(days=days)

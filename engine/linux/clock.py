"""The calendar of a lab: virtual second 0 is BIRTH, for every machine and program (UTC).

Rules. The engine reads no clock; whoever prints a date makes it from the Net's clock and this.
"""

from __future__ import annotations

from datetime import datetime, timedelta

BIRTH = datetime(2026, 11, 21, 9, 0, 0)


def moment(clock: float) -> datetime:
    """The date and time of a virtual second."""
    return BIRTH + timedelta(seconds=clock)


def rfc3339(clock: float) -> str:
    """`2026-11-21T09:00:07.25Z`: trailing zeros of the fraction cut, as Go's RFC3339Nano prints it."""
    when = moment(clock)
    text = when.strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{when.microsecond:06d}".rstrip("0")
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def human_duration(seconds: float) -> str:
    """How docker and crictl print an age (github.com/docker/go-units HumanDuration): `5 minutes`, `About an hour`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < 60:
        return f"{whole} seconds"
    minutes = whole // 60
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{hours // 24 // 365} years"

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

"""Times as the API shows them, on the lab's virtual clock.

Rules. The engine reads no clock: virtual second 0 is `EPOCH`, and every timestamp and age is made from the
seconds that have passed since. Ages are printed as kubectl does (k8s.io/apimachinery duration.HumanDuration).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from engine.linux.clock import BIRTH, human_duration

EPOCH = BIRTH.replace(tzinfo=UTC)


@lru_cache(256)
def stamp(clock: float) -> str:
    """Virtual seconds -> `2026-11-21T09:00:07Z`, whole seconds as metav1.Time keeps them."""
    return (EPOCH + timedelta(seconds=int(clock))).strftime("%Y-%m-%dT%H:%M:%SZ")


def nano_stamp(clock: float) -> str:
    """Virtual seconds -> `2026-11-21T09:00:07.250000000Z`, as containerd and the CRI print."""
    moment = EPOCH + timedelta(seconds=clock)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def klog_stamp(clock: float) -> str:
    """Virtual seconds -> `1121 09:00:07.250000`, the head of a klog line."""
    return (EPOCH + timedelta(seconds=clock)).strftime("%m%d %H:%M:%S.%f")


def rfc1123z(clock: float) -> str:
    """Virtual seconds -> `Sat, 21 Nov 2026 09:00:07 +0000`, as kubectl describe prints times."""
    return (EPOCH + timedelta(seconds=int(clock))).strftime("%a, %d %b %Y %H:%M:%S +0000")


@lru_cache(256)
def clock_of(text: str) -> float:
    """The inverse of `stamp`. ValueError for another form."""
    return (datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) - EPOCH).total_seconds()


def age(seconds: float) -> str:
    """How kubectl prints a span: 45s, 2m5s, 3h4m, 2d3h (duration.HumanDuration)."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 0:
        return "0s"
    if total < 60 * 2:
        return f"{total}s"
    minutes = total // 60
    if minutes < 10:
        rest = total % 60
        return f"{minutes}m{rest}s" if rest else f"{minutes}m"
    if minutes < 60 * 3:
        return f"{minutes}m"
    hours = minutes // 60
    if hours < 8:
        rest = minutes % 60
        return f"{hours}h{rest}m" if rest else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if hours < 24 * 8:
        rest = hours % 24
        return f"{days}d{rest}h" if rest else f"{days}d"
    if hours < 24 * 365 * 2:
        return f"{days}d"
    years = days // 365
    if hours < 24 * 365 * 8:
        rest = days % 365
        return f"{years}y{rest}d" if rest else f"{years}y"
    return f"{years}y"


def ago(seconds: float) -> str:
    """How crictl prints a creation time: `2 minutes ago`."""
    return f"{human_duration(seconds)} ago"

"""What the tables of columns.py, columns_net.py and columns_more.py are made of."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import age, clock_of
from engine.kube.objects import Json, meta
from engine.record import dataclass

NONE = "<none>"
UNKNOWN = "<unknown>"
UNSET = "<unset>"


@dataclass(frozen=True, slots=True)
class Columns:
    """`headers`, of which the last `wide` belong to -o wide; `cells(object, clock)`."""

    headers: tuple[str, ...]
    wide: int
    cells: Callable[[Json, float], list[str]]


def since(stamp: object, clock: float) -> str:
    """Age of a timestamp."""
    return age(clock - clock_of(stamp)) if isinstance(stamp, str) else UNKNOWN


def born(body: Json, clock: float) -> str:
    return since(meta(body).get("creationTimestamp"), clock)


def made(body: Json, clock: float) -> str:
    """The CREATED AT column: the timestamp itself."""
    return str(meta(body).get("creationTimestamp", UNKNOWN))

"""The frames of a journey as taps on every device would have seen them, in the order of virtual time.

Theory. A tap sees what leaves after POSTROUTING and what enters before PREROUTING, so a frame is the packet of a
`transmit` or `receive` step. A leg begins at its own virtual time, and each device adds a little (no more than what
keeps the order visible: the model has no line speed). ARP exchanges that a step had to wait for come before it; copies
that a bridge flooded leave at the same moment.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.journey import Hop, Journey, Leg, Place, StepKind, Walk
from engine.linux.packet import Packet
from engine.record import dataclass

#: What one device costs, in seconds.
TAP_SECONDS = 0.000015

WAYS = ("forward", "back", "rest", "aside", "copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """`time` is virtual, in seconds; `sent` is when the packet's walk began. `leg` counts from 1; `way` is one of WAYS;
    `hop` of `hops` is where in its walk; `number` says which packet of the leg it is, from 1 (an aside has the number
    of the packet that waited for it). `at` is the hop with its steps."""

    time: float
    sent: float
    place: Place
    direction: str
    packet: Packet
    leg: int
    way: str
    number: int
    hop: int
    hops: int
    at: Hop


def frames(journey: Journey) -> list[Frame]:
    """Every frame, oldest first; frames of one moment keep the order of the journey."""
    found = [frame for n, leg in enumerate(journey.legs, 1) for frame in _leg(leg, n)]
    return sorted(found, key=lambda frame: frame.time)


def _leg(leg: Leg, number: int) -> Iterator[Frame]:
    clock = _Clock(leg.started)
    ways = ["forward"] + (["back"] if leg.back is not None else [])
    for n, walk in enumerate(leg.walks(), 1):
        yield from clock.walk(walk, number, ways[n - 1] if n <= len(ways) else "rest", n)


class _Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def walk(self, walk: Walk, leg: int, way: str, number: int) -> Iterator[Frame]:
        sent = self.now
        for at, hop in enumerate(walk.hops, 1):
            for step in hop.steps:
                for aside in step.aside:
                    yield from self.walk(aside, leg, "aside", number)
                packet = step.after or step.before
                if (
                    step.kind in (StepKind.TRANSMIT, StepKind.RECEIVE)
                    and step.place.device
                    and packet is not None
                ):
                    self.now += TAP_SECONDS
                    yield Frame(
                        time=self.now, sent=sent, place=step.place, packet=packet, leg=leg, way=way, number=number,
                        direction="out" if step.kind is StepKind.TRANSMIT else "in",
                        hop=at, hops=len(walk.hops), at=hop,
                    )  # fmt: skip
                for copy in step.copies:
                    beside = _Clock(self.now)
                    yield from beside.walk(copy, leg, "copy", number)

"""Naming a step of a journey by a mapping: {at: w1/cni0, kind: bridge}, and the places that a walk crosses.

Rules. A selector is data; the first step that agrees in every key is meant, the `nth` when told so. Used by plays,
predictions and orders alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.grade.finding import Halt, Way
from engine.lab.places import place_agrees, place_name
from engine.lab.reader import Node
from engine.linux.journey import Journey, Step, StepKind, Walk
from engine.record import dataclass

STEP_KINDS: Final = tuple(str(k) for k in StepKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """`way` forward or back, `leg` and `nth` from 1; "" = any."""

    at: str = ""
    kind: str = ""
    table: str = ""
    chain: str = ""
    way: Way = "forward"
    leg: int = 1
    nth: int = 1

    def agrees(self, step: Step) -> bool:
        return (
            (not self.at or place_agrees(self.at, step.place))
            and (not self.kind or self.kind == step.kind)
            and (not self.table or self.table == step.table)
            and (not self.chain or self.chain == step.chain)
        )

    def text(self) -> str:
        words = [f"{k}: {v}" for k in ("at", "kind", "table", "chain") if (v := getattr(self, k))]
        return "{" + ", ".join(words) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A step and where it stands: the halt of its hop, its index in the hop, and its index in the walk."""

    step: Step
    halt: Halt
    inner: int
    flat: int
    walk: Walk


def read_selector(node: Node) -> Selector:
    """A selector from a file; a wrong key is a problem."""
    f = node.fields("at", "kind", "table", "chain", "way", "leg", "nth")
    way = f.get("way", lambda n: n.word("forward", "back"), "forward")
    return Selector(
        at=f.text("at"),
        kind=f.get("kind", lambda n: n.word(*STEP_KINDS), ""),
        table=f.text("table"),
        chain=f.text("chain"),
        way="back" if way == "back" else "forward",
        leg=f.get("leg", lambda n: n.number(1, 99), 1),
        nth=f.get("nth", lambda n: n.number(1, 999), 1),
    )


def walk_of(journey: Journey, leg: int, way: Way) -> Walk | None:
    if not 0 <= leg < len(journey.legs):
        return None
    return journey.legs[leg].forward if way == "forward" else journey.legs[leg].back


def find(journey: Journey, selector: Selector) -> Found | None:
    """The step that is meant; None when the journey never meets it."""
    walk = walk_of(journey, selector.leg - 1, selector.way)
    if walk is None:
        return None
    left, flat = selector.nth, 0
    for hop, one in enumerate(walk.hops):
        for inner, step in enumerate(one.steps):
            if selector.agrees(step):
                left -= 1
                if not left:
                    return Found(
                        step=step,
                        halt=(selector.leg - 1, selector.way, hop),
                        inner=inner,
                        flat=flat,
                        walk=walk,
                    )
            flat += 1
    return None


def crossed(walk: Walk) -> list[str]:
    """The places of a walk in order, programs and devices, each named once in a row."""
    out: list[str] = []
    for hop in walk.hops:
        name = place_name(hop.place)
        if not out or out[-1] != name:
            out.append(name)
    return out


def walks(journey: Journey) -> Iterator[tuple[int, Way, Walk]]:
    for index, leg in enumerate(journey.legs):
        yield index, "forward", leg.forward
        if leg.back is not None:
            yield index, "back", leg.back

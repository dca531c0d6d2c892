"""What a check found, and the hop where its counter-example halts.

Rules. A check never says only no: each Finding has a kind (a word of KINDS, which hints are chosen by), a sentence
in both languages and, where a packet shows it, the journey and the guilty hop. Kinds are public (docs/authoring.md).
"""

from __future__ import annotations

from typing import Any, Final, Literal

from engine.linux.journey import Journey, Outcome, Place, Walk
from engine.record import dataclass
from engine.say import Said

KINDS: Final = (
    "outcome", "at", "seen-as", "rewritten-to", "masqueraded", "via", "encap", "mtu", "answers", "rcode", "queries",
    "harm", "state", "wrong-choice",
    "missing-choice", "wrong-value", "unreadable", "wrong-prediction", "wrong-order", "manifest", "not-modelled",
)  # fmt: skip

Way = Literal["forward", "back"]
#: (index of the leg, forward or back, index of the hop in that walk)
Halt = tuple[int, Way, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mismatch. `flow` is the name of the flow that shows it; `journey` halted at `halt` is its evidence."""

    kind: str
    said: Said
    flow: str = ""
    journey: Journey | None = None
    halt: Halt | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"finding kind {self.kind!r}")

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": self.kind, "text": self.said.text("en")}
        if self.flow:
            out["flow"] = self.flow
        if self.halt is not None:
            out["halt"] = {"leg": self.halt[0], "way": self.halt[1], "hop": self.halt[2]}
        if self.journey is not None:
            out["journey"] = self.journey.to_json()
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a check. Passed exactly when nothing was found."""

    passed: bool
    findings: tuple[Finding, ...] = ()

    @classmethod
    def of(cls, findings: list[Finding]) -> Verdict:
        return cls(passed=not findings, findings=tuple(findings))


def guilty(journey: Journey, healthy: Journey | None = None) -> Halt | None:
    """The hop to halt at: the first hop that differs from the healthy journey's, else the last before the end."""
    if healthy is not None and (halt := first_difference(journey, healthy)) is not None:
        return halt
    for index, leg in enumerate(journey.legs):
        if leg.outcome is Outcome.DELIVERED and index < len(journey.legs) - 1:
            continue
        if leg.back is not None and leg.outcome is Outcome.NO_ANSWER and leg.back.hops:
            return index, "back", len(leg.back.hops) - 1
        if leg.forward.hops:
            return index, "forward", len(leg.forward.hops) - 1
    return None


def first_difference(journey: Journey, healthy: Journey) -> Halt | None:
    """The last hop that both have in common before they part, when it still decides, else the one after; None when
    their places are the same all the way."""
    for index, (leg, well) in enumerate(zip(journey.legs, healthy.legs, strict=False)):
        pairs: list[tuple[Way, Walk | None, Walk | None]] = [
            ("forward", leg.forward, well.forward),
            ("back", leg.back, well.back),
        ]
        for way, one, other in pairs:
            if one is None or other is None or not one.hops:
                continue
            for hop, (mine, theirs) in enumerate(zip(one.hops, other.hops, strict=False)):
                if _same(mine.place, theirs.place):
                    continue
                return index, way, max(hop - 1, 0)
            if len(one.hops) < len(other.hops):
                return index, way, len(one.hops) - 1
    return None


def _same(one: Place, other: Place) -> bool:
    return (one.node, one.namespace, one.device, one.program) == (
        other.node,
        other.namespace,
        other.device,
        other.program,
    )

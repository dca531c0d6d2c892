"""A goal: flows that must be as expected, what must keep working, states that must hold.

Theory. `keep` is measured in the healthy lab, before the faults: each flow's outcome and receiver there must be the
same afterwards. `keep: all` is every pair of endpoints that reach each other by ping. Do no harm comes first in
the findings.

Rules. A goal judges a lab as it is; it changes nothing and knows no exercise.
"""

from __future__ import annotations

from dataclasses import field

from engine.errors import InputError, NotModelled
from engine.grade import flows, state
from engine.grade.facts import facts_of
from engine.grade.finding import Finding, guilty
from engine.grade.table import Flow, read_flow
from engine.grade.wanting import wanting
from engine.lab.lab import Lab
from engine.lab.places import endpoint_names, find
from engine.lab.reader import Node
from engine.linux.choose import branches
from engine.linux.journey import Journey, Outcome
from engine.record import dataclass, replace
from engine.say import Phrase, Said, plain

NEED_GOAL = Phrase(
    en="a goal needs at least one of flows, keep, state",
    ko="goal에는 flows, keep, state 가운데 하나는 있어야 합니다",
)
HARM = Phrase(
    en="{flow} worked before and must go on working: it was {was}, and is {now}",
    ko="{flow}: 전에 되던 흐름이므로 계속 되어야 합니다(전: {was}, 지금: {now})",
)
BROKEN = Phrase(
    en="{flow} must work again: it was {was} before the fault, and is {now}",
    ko="{flow}: 다시 되어야 합니다(고장 전: {was}, 지금: {now})",
)
GONE = Phrase(en="impossible ({why})", ko="불가능({why})")
A_KEEP = Phrase(en="`all` or a list of flows", ko="`all` 또는 흐름의 목록")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """`keep_all` measures every pair; `keep` are flows without expectations."""

    flows: tuple[Flow, ...] = ()
    keep: tuple[Flow, ...] = ()
    keep_all: bool = False
    states: tuple[state.State, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A flow that worked in the healthy lab: its journey there, and who received it."""

    flow: Flow
    journey: Journey
    receivers: frozenset[tuple[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """What the healthy lab says: what to keep, and the goal's own flows there (by their index). `broken` remembers
    which kept flows the faults broke, as far as somebody has asked."""

    kept: tuple[Kept, ...] = ()
    journeys: tuple[Journey | None, ...] = ()
    broken: dict[Flow, bool] = field(default_factory=dict)

    def broken_at(self, start: Lab | None, kept: Kept) -> bool:
        """Did this flow fail at the start already?"""
        if start is None:
            return False
        if kept.flow not in self.broken:
            self.broken[kept.flow] = _harm(start, kept) is not None
        return self.broken[kept.flow]


def read_goal(node: Node) -> Goal:
    """The `goal:` (or `when:`) of an exercise."""
    f = node.fields("flows", "keep", "state")
    if isinstance(node.value, dict) and not any(node.value.get(k) for k in ("flows", "keep", "state")):
        node.wrong(NEED_GOAL())
    keep = f.node("keep")
    rows = [] if keep is None or keep.value == "all" else _rows(keep)
    kept = [flow for n in rows if (flow := read_flow(n, judged=False)) is not None]
    return Goal(
        flows=tuple(x for n in f.items("flows") if (x := read_flow(n)) is not None),
        keep=tuple(kept),
        keep_all=keep is not None and keep.value == "all",
        states=tuple(s for n in f.items("state") if (s := state.read_state(n)) is not None),
    )


def _rows(node: Node) -> list[Node]:
    if not isinstance(node.value, list):
        node.expected(A_KEEP())
        return []
    return node.items()


def every_pair(lab: Lab) -> list[Flow]:
    """A ping from every namespace to every other; one name for each (a Pod on the host network is its node)."""
    names: dict[str, str] = {}
    for name in endpoint_names(lab.world):
        try:
            end = find(lab.world, name)
        except (InputError, NotModelled):
            continue
        if end.address:
            names.setdefault(end.netns, name)
    return [Flow(source=a, to=b, proto="icmp") for a in names.values() for b in names.values() if a != b]


def measure(lab: Lab, goal: Goal) -> Healthy:
    """Ask the healthy lab, before the faults."""
    kept = []
    for flow in (*goal.keep, *(every_pair(lab) if goal.keep_all else ())):
        found = _kept(lab, flow)
        # A flow that the author names is kept as it is; of all pairs only those that work.
        if found is not None and (flow in goal.keep or found.journey.outcome is Outcome.DELIVERED):
            kept.append(found)
    return Healthy(kept=tuple(kept), journeys=tuple(_journey(lab, f) for f in goal.flows))


def _journey(lab: Lab, flow: Flow) -> Journey | None:
    try:
        return flow.send(lab).journey
    except (InputError, NotModelled):
        return None


def _kept(lab: Lab, flow: Flow) -> Kept | None:
    try:
        seen = list(branches(lambda choose: flow.send(lab, choose)))
    except (InputError, NotModelled, RuntimeError):
        return None
    receivers = set()
    for traced in seen:
        facts = facts_of(traced.journey, lab.world.net)
        if facts.at is not None:
            receivers.add((_label(lab, facts.at[0]), facts.at[2]))
    return Kept(flow=flow, journey=seen[0].journey, receivers=frozenset(receivers))


def _label(lab: Lab, netns: str) -> str:
    """Who a namespace is to people: a Pod that was made again is the same Pod."""
    ns = lab.world.net.spaces[netns]
    return ns.box if ns.label == "root" else f"{ns.box}/{ns.label}" if "/" not in ns.label else ns.label


def judge(lab: Lab, goal: Goal, healthy: Healthy | None = None, start: Lab | None = None) -> list[Finding]:
    """What keeps the goal from being reached: harm first (what worked at the start, in `start`, and does not now), then
    flows, then what the faults broke and nobody has repaired, then states."""
    healthy = healthy if healthy is not None else Healthy()
    harm: list[Finding] = []
    unrepaired: list[Finding] = []
    for kept in healthy.kept:
        finding = _harm(lab, kept)
        if finding is None:
            continue
        if healthy.broken_at(start, kept):
            unrepaired.append(replace(finding, kind="outcome", said=_broken(kept, finding)))
        else:
            harm.append(finding)
    out: list[Finding] = []
    for index, flow in enumerate(goal.flows):
        well = healthy.journeys[index] if index < len(healthy.journeys) else None
        if well is not None and flow.expect.outcome not in (None, str(well.outcome)):
            well = None
        out += flows.judge(lab, flow, well).findings
    lacks = [wanting(lab, one) for one in goal.states if not state.holds(lab, one)]
    states = [Finding(kind="state", said=said) for said in {s.text("en"): s for s in lacks}.values()]
    return [*harm, *out, *unrepaired, *states]


def _broken(kept: Kept, finding: Finding) -> Said:
    now = str(finding.journey.outcome) if finding.journey is not None else "-"
    return BROKEN(flow=plain(kept.flow.title), was=str(kept.journey.outcome), now=now)


def _harm(lab: Lab, kept: Kept) -> Finding | None:
    flow, was = kept.flow, kept.journey
    name = plain(flow.title)
    try:
        now = _kept(lab, flow)
        why = None
        if now is None:
            flow.send(lab)
    except (InputError, NotModelled) as error:
        why = error.said
        now = None
    if now is None:
        said = HARM(flow=name, was=str(was.outcome), now=GONE(why=why) if why is not None else plain("-"))
        return Finding(kind="harm", said=said, flow=flow.title)
    if now.journey.outcome is not was.outcome or now.receivers != kept.receivers:
        said = HARM(flow=name, was=str(was.outcome), now=str(now.journey.outcome))
        return Finding(
            kind="harm", said=said, flow=flow.title, journey=now.journey, halt=guilty(now.journey, was)
        )
    return None

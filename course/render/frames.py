"""A journey as a film: beats, the moments inside each, and how long each lasts at normal speed.

Theory. A beat is one hop of one walk: the packet glides to the hop's place, then stands while its moments (the steps
that decide something) are shown. ARP exchanges that had to happen first are played inline, before the rest of the hop
that waited for them; later packets of a flow only when asked for. Everything is a function of (beat, fraction), so a
test drives the index and the widget's clock drives the same index.

Rules. Nothing is decided or invented here: texts come from the steps. `Film.find` speaks the language of findings:
(leg, way, hop), hops counted as in the walk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from course.render.words import clause
from engine.linux.journey import Hop, Journey, Outcome, Place, Step, StepKind, Walk
from engine.linux.packet import IPv4, Packet
from engine.record import dataclass
from engine.say import Said

#: Seconds that a step stands still for at normal speed; 0 = it is passed over while playing.
DWELL: dict[StepKind, float] = {
    StepKind.SEND: 0.9, StepKind.ROUTE: 1.1, StepKind.LOCAL: 0.0, StepKind.RPFILTER: 0.0, StepKind.CONNTRACK: 0.0,
    StepKind.RULE: 0.0, StepKind.POLICY: 0.0, StepKind.NAT: 1.8, StepKind.IPVS: 1.4, StepKind.FORWARD: 0.0,
    StepKind.MTU: 0.0,
    StepKind.NEIGHBOUR: 0.0, StepKind.TRANSMIT: 0.0, StepKind.RECEIVE: 0.0, StepKind.BRIDGE: 1.1, StepKind.LEARN: 0.0,
    StepKind.ARP: 1.1, StepKind.ENCAP: 1.6, StepKind.DECAP: 1.6, StepKind.SOCKET: 0.9, StepKind.PROGRAM: 1.4,
    StepKind.BPF: 1.4,
    StepKind.DROP: 2.4,
}  # fmt: skip
#: Which step tells a hop best, when only one can be shown: the higher the better.
WEIGHT: dict[StepKind, int] = {
    StepKind.DROP: 100, StepKind.NAT: 90, StepKind.IPVS: 84, StepKind.ENCAP: 85, StepKind.DECAP: 85,
    StepKind.PROGRAM: 80,
    StepKind.BPF: 82,
    StepKind.BRIDGE: 70, StepKind.SEND: 65, StepKind.ROUTE: 60, StepKind.SOCKET: 58, StepKind.ARP: 55,
    StepKind.LOCAL: 45, StepKind.NEIGHBOUR: 40, StepKind.RULE: 3, StepKind.FORWARD: 30, StepKind.POLICY: 2,
    StepKind.LEARN: 15, StepKind.RPFILTER: 12, StepKind.MTU: 12, StepKind.CONNTRACK: 4, StepKind.TRANSMIT: 6,
    StepKind.RECEIVE: 5,
}  # fmt: skip
REFUSALS = ("drop", "reject")
CELLS_PER_SECOND = 18.0
SHORTEST_GLIDE, LONGEST_GLIDE = 0.2, 1.6
PASSING = 0.2  # a hop where nothing is decided stands still for this long
FLOOD = 1.8

WAYS = {
    "forward": "there",
    "there": "there",
    "back": "back",
    "later": "later",
    "rest": "later",
    "aside": "aside",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One step as shown: its clause, how long it stands, and the row that decided. A rewrite is decided by the rule
    that was met right before it; without one (an old connection) by the conntrack entry."""

    step: Step
    clause: Said
    dwell: float
    row: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """One hop (or the part of it before or after an ARP exchange). `walk` numbers the walk in the film; `hop` counts
    in the walk from 0, `hops` is how many it has; `way` is there, back, later or aside; `ends` marks the last beat."""

    leg: int
    way: str
    walk: int
    number: int
    hop: int
    hops: int
    place: Place
    moments: tuple[Moment, ...]
    main: int
    purpose: str
    later: int = 0
    answer: bool = False
    ends: Outcome | None = None
    ghosts: tuple[tuple[Place, ...], ...] = ()
    waits: bool = False

    @property
    def before(self) -> Packet | None:
        return next((m.step.before for m in self.moments if m.step.before is not None), None)

    @property
    def after(self) -> Packet | None:
        found = (m.step.after or m.step.before for m in reversed(self.moments))
        return next((p for p in found if p is not None), None)

    @property
    def depth(self) -> int:
        """How many shells the packet has around it (IPv4 in something in IPv4)."""
        packet = self.after
        return 0 if packet is None else max(0, sum(isinstance(x, IPv4) for x in packet.layers) - 1)

    def stops(self) -> tuple[tuple[int, float], ...]:
        """(moment, seconds) while playing, in order; never empty."""
        found = tuple((i, m.dwell) for i, m in enumerate(self.moments) if m.dwell)
        return found or ((self.main, PASSING),)

    def glide(self, cells: int) -> float:
        """Seconds to move over so many cells."""
        return 0.0 if cells <= 1 else min(LONGEST_GLIDE, max(SHORTEST_GLIDE, cells / CELLS_PER_SECOND))

    def seconds(self, cells: int) -> float:
        return self.glide(cells) + sum(s for _, s in self.stops())

    def at(self, fraction: float, cells: int) -> tuple[float, int]:
        """(part of the way that is done, moment to be shown) at a fraction of the beat."""
        glide = self.glide(cells)
        time = fraction * self.seconds(cells)
        if time < glide:
            return time / glide, 0
        left = time - glide
        for moment, seconds in self.stops():
            if left < seconds:
                return 1.0, moment
            left -= seconds
        return 1.0, self.stops()[-1][0]

    def ghost_part(self, fraction: float, cells: int) -> float:
        """How far flooded copies have come: they leave when the packet has arrived at the bridge."""
        glide, total = self.glide(cells), self.seconds(cells)
        return (
            0.0 if total <= glide else min(1.0, max(0.0, (fraction * total - glide) / (total - glide) * 1.25))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """All beats of a journey, in the order in which they happened."""

    journey: Journey
    beats: tuple[Beat, ...]
    legs: int = 0
    arp: bool = True
    later: bool = False
    walks: tuple[Walk, ...] = field(default=())

    def find(self, leg: int, way: str, hop: int) -> int | None:
        """The last beat of that hop; None when the film does not show it. `way` as in findings: forward, back, rest."""
        wanted = WAYS.get(way, way)
        found = [i for i, b in enumerate(self.beats) if (b.leg, b.way, b.hop) == (leg, wanted, hop)]
        return found[-1] if found else None

    def first(self, leg: int, way: str, hop: int) -> int | None:
        """The first beat that belongs to that hop, the ARP exchange that it waited for included."""
        wanted = WAYS.get(way, way)
        index = next(
            (i for i, b in enumerate(self.beats) if (b.leg, b.way, b.hop) == (leg, wanted, hop)), None
        )
        while index and self.beats[index - 1].way == "aside" and wanted != "aside":
            index -= 1
        return index

    def same(self, other: Beat) -> int:
        """The beat here that shows what `other` of another cut of the film showed (ARP switched on or off)."""
        best = 0
        for i, beat in enumerate(self.beats):
            if (beat.leg, beat.number, beat.hop) <= (other.leg, other.number, other.hop):
                best = i
        return best

    def visit(self, index: int) -> tuple[Step, ...]:
        """The steps of the packet's whole stay in one network namespace, of which this beat is a part."""
        beat = self.beats[index]
        hops = self.walks[beat.walk].hops
        first = last = beat.hop
        while first > 0 and hops[first - 1].place.netns == beat.place.netns:
            first -= 1
        while last + 1 < len(hops) and hops[last + 1].place.netns == beat.place.netns:
            last += 1
        return tuple(step for hop in hops[first : last + 1] for step in hop.steps)

    def places(self) -> Iterator[Place]:
        """Every place that the film shows, ghosts not counted."""
        for beat in self.beats:
            yield beat.place


def film(
    journey: Journey,
    *,
    arp: bool = True,
    later: bool = False,
    ports: frozenset[tuple[str, str]] = frozenset(),
) -> Film:
    """Cut a journey into beats. `arp` plays ARP exchanges inline; `later` the packets after the first answer too;
    `ports` are the (netns, device) that are ports of bridges, for the clauses."""
    cut = _Cut(arp, ports)
    number = 0
    for index, leg in enumerate(journey.legs):
        ways: list[tuple[str, Walk, int]] = [("there", leg.forward, 0)]
        if leg.back is not None:
            ways.append(("back", leg.back, 0))
        if later:
            ways += [("later", walk, i) for i, walk in enumerate(leg.rest, 1)]
        for way, walk, nth in ways:
            cut.walk(
                index, way, number, walk, leg.purpose, nth, way == "back" or _is_reply(walk, leg.forward)
            )
            number += 1
    return Film(
        journey=journey,
        beats=tuple(cut.beats),
        legs=len(journey.legs),
        arp=arp,
        later=later,
        walks=tuple(cut.walks),
    )


def _is_reply(walk: Walk, first: Walk) -> bool:
    """Does a later packet go the way back? It starts where the first one ended."""
    if walk is first or not walk.hops or not first.hops:
        return False
    return walk.hops[0].place.netns == first.hops[-1].place.netns != first.hops[0].place.netns


class _Cut:
    def __init__(self, arp: bool, ports: frozenset[tuple[str, str]]) -> None:
        self.arp, self.ports = arp, ports
        self.beats: list[Beat] = []
        self.walks: list[Walk] = []

    def walk(
        self,
        leg: int,
        way: str,
        number: int,
        walk: Walk,
        purpose: str,
        nth: int,
        answer: bool,
        depth: int = 0,
    ) -> None:
        slot = len(self.walks)
        self.walks.append(walk)
        for index, hop in enumerate(walk.hops):
            for part, ends in self._parts(hop):
                if isinstance(part, Walk):
                    if depth < 3:
                        self.walk(leg, "aside", number, part, "arp", nth, _answers(part), depth + 1)
                    continue
                last = ends and index == len(walk.hops) - 1
                moments = tuple(
                    self._moment(step, before) for step, before in zip(part, (None, *part), strict=False)
                )
                self.beats.append(
                    Beat(
                        leg=leg, way=way, walk=slot, number=number, hop=index, hops=len(walk.hops), place=hop.place,
                        moments=moments, main=_main(moments), purpose=purpose, later=nth, answer=answer,
                        ends=walk.outcome if last else None, ghosts=_ghosts(part), waits=not ends,
                    )
                )  # fmt: skip

    def _parts(self, hop: Hop) -> Iterator[tuple[tuple[Step, ...] | Walk, bool]]:
        """The hop's steps, cut before each step that had to ask first; the questions stand between the cuts."""
        run: list[Step] = []
        for step in hop.steps:
            if step.aside and self.arp:
                if run:
                    yield tuple(run), False
                    run = []
                for walk in step.aside:
                    yield walk, False
            run.append(step)
        yield tuple(run), True

    def _moment(self, step: Step, before: Step | None) -> Moment:
        dwell = DWELL[step.kind]
        if step.kind is StepKind.BRIDGE and step.copies:
            dwell = FLOOD
        elif step.kind in (StepKind.RULE, StepKind.POLICY) and step.verdict in REFUSALS:
            dwell = 1.2
        elif step.kind is StepKind.NEIGHBOUR and step.aside:
            dwell = 0.8
        port = (step.place.netns, step.place.device) in self.ports
        ruled = step.kind is StepKind.NAT and before is not None and before.kind is StepKind.RULE
        row = before.row if ruled and before is not None else step.row
        return Moment(step=step, clause=clause(step, port), dwell=dwell, row=row)


def _answers(walk: Walk) -> bool:

    message = walk.packet.arp if walk.packet is not None else None
    return message is not None and message.op == 2


def _main(moments: Sequence[Moment]) -> int:
    best = 0
    for i, moment in enumerate(moments):
        if _weight(moment.step) > _weight(moments[best].step):
            best = i
    return best


def _weight(step: Step) -> int:
    if step.kind is StepKind.NEIGHBOUR and step.aside:
        return 66
    if step.kind is StepKind.RULE:
        return 88 if step.verdict in REFUSALS else 24 if step.verdict == "accept" else WEIGHT[step.kind]
    return WEIGHT[step.kind]


def _ghosts(steps: Sequence[Step]) -> tuple[tuple[Place, ...], ...]:
    return tuple(tuple(hop.place for hop in copy.hops) for step in steps for copy in step.copies)

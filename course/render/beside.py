"""Two films in step, and what differs between their journeys.

Theory. A tick shows a pair of beats. Beats are paired within the same way of the same flow (there with there, back with
back), hop by hop; the shorter side waits at its end, so that both turn round together. One index moves both.

Rules. Pure, like Playback: keys, the clock and every test move `Duet.at`. The difference is read off the two journeys
and never written by an author.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from course.render.caption import Line, clip_line
from course.render.frames import Film
from course.render.glyphs import Glyphs
from course.render.headers import NAMES
from course.render.playback import Playback
from course.render.words import OUTCOME_WORDS
from engine.kube.proxy.cost import grown, tried
from engine.linux.addr import text4
from engine.linux.journey import Journey, Walk
from engine.linux.net import Net
from engine.linux.packet import IPv4
from engine.record import dataclass
from engine.say import Phrase, Said, plain

NO_BEAT = -1
#: numbers of Services for which the rules that a packet meets are counted (named in AMONG)
SERVICES = (10, 1_000, 10_000)

OUTCOME = Phrase("how it ends", "결과")
HOPS = Phrase("hops, there and back", "홉 수(가는 길, 오는 길)")
RULES = Phrase("rules tried", "살펴본 규칙 수")
AMONG = Phrase("rules, 10/1k/10k Services", "규칙 수(서비스 10/1천/1만)")
ENCAP = Phrase("encapsulation", "캡슐화")
SOURCE = Phrase("source at the end", "마지막 출발지")
TARGET = Phrase("destination at the end", "마지막 목적지")
TTL = Phrase("TTL at the end", "마지막 TTL")
NONE = Phrase("none", "없음")
SAME = Phrase("the same on both: {names}", "양쪽이 같음: {names}")
NO_WAY_BACK = Phrase("{there}, no way back", "{there}, 돌아오지 않음")
BOTH_WAYS = Phrase("{there} + {back}", "{there} + {back}")


def pairs(one: Film, two: Film) -> list[tuple[int, int]]:
    """The beats that are shown together; NO_BEAT before a side has begun."""
    out: list[tuple[int, int]] = []
    a, b = _ways(one), _ways(two)
    at = [NO_BEAT, NO_BEAT]
    for key in sorted(a.keys() | b.keys(), key=lambda k: k[:2]):
        left, right = a.get(key, []), b.get(key, [])
        for i in range(max(len(left), len(right))):
            at[0] = left[i] if i < len(left) else at[0]
            at[1] = right[i] if i < len(right) else at[1]
            out.append((at[0], at[1]))
    return out


def _ways(film: Film) -> dict[tuple[int, int, str], list[int]]:
    """(leg, order, way) -> the indexes of its beats; what is not on the way itself belongs to what waits for it."""
    out: dict[tuple[int, int, str], list[int]] = {}
    order = {"there": 0, "back": 1, "later": 2}
    way = "there"
    for i, beat in enumerate(film.beats):
        way = beat.way if beat.way in order else way
        out.setdefault((beat.leg, order[way], way), []).append(i)
    return out


class Duet:
    """Two playbacks and the tick at which both stand."""

    def __init__(self, one: Playback, two: Playback) -> None:
        self.sides = (one, two)
        self.ticks = pairs(one.film, two.film)
        self.at = 0
        self.go(0, 0.0)

    @property
    def last(self) -> int:
        return len(self.ticks) - 1

    @property
    def at_end(self) -> bool:
        return self.at >= self.last and not self.moving

    @property
    def moving(self) -> bool:
        """Is a beat of this tick still to be played?"""
        return any(side.fraction < 1.0 for side in self.sides if side.now is not None)

    def go(self, at: int, fraction: float = 1.0) -> None:
        """Stand at a tick; a side whose beat is the one of the tick before has come to its end already."""
        if not self.ticks:
            return
        self.at = max(0, min(at, self.last))
        before = self.ticks[self.at - 1] if self.at else (NO_BEAT, NO_BEAT)
        for side, beat, old in zip(self.sides, self.ticks[self.at], before, strict=True):
            side.go(max(0, beat), 1.0 if beat == old or fraction >= 1.0 else fraction)

    def step(self, by: int) -> None:
        """A tick on or back; from its middle, on means to its end."""
        if by > 0 and self.moving:
            self.go(self.at)
        else:
            self.go(self.at + by)

    def advance(self, seconds: float) -> bool:
        """Let so much of both films pass; False when they have come to their end."""
        if not self.moving:
            if self.at >= self.last:
                return False
            self.go(self.at + 1, 0.0)
        for side in self.sides:
            if side.now is not None and side.fraction < 1.0:
                total = side.film.beats[side.beat].seconds(side.length(side.beat))
                side.fraction = min(1.0, side.fraction + seconds / total)
        return not self.at_end


# ---- the difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that can differ, as both sides have it."""

    name: Said
    one: Said
    two: Said

    def same(self, lang: str) -> bool:
        return self.one.text(lang) == self.two.text(lang)


def compared(one: Journey, two: Journey, nets: tuple[Net, Net] | None = None) -> list[Difference]:
    """Everything that is compared: outcome, hops, rules, encapsulation, the headers at the receiver. With the `nets`
    that they crossed also the rules that they would meet among more Services, where that differs."""
    sides = [_facts(one), _facts(two)]
    names = (OUTCOME, HOPS, RULES, ENCAP, SOURCE, TARGET, TTL)
    out = [Difference(name=n(), one=a, two=b) for n, a, b in zip(names, *sides, strict=True)]
    if nets is not None:
        counts = [_among(journey, net) for journey, net in zip((one, two), nets, strict=True)]
        if any(len(set(c)) > 1 for c in counts):
            said = [plain(" / ".join(f"{n:,}" for n in c)) for c in counts]
            out.insert(3, Difference(name=AMONG(), one=said[0], two=said[1]))
    return out


def _among(journey: Journey, net: Net) -> list[int]:
    """The rules that the packets of a journey would be held against, for each number of SERVICES."""
    walks = [w for leg in journey.legs for w in (leg.forward, leg.back) if w is not None]
    return [sum(grown(walk, net, n) for walk in walks) for n in SERVICES]


def _facts(journey: Journey) -> list[Said]:
    legs = journey.legs
    walks: list[Walk] = [w for leg in legs for w in (leg.forward, leg.back) if w is not None]
    there = sum(len(leg.forward.hops) for leg in legs)
    back = sum(len(leg.back.hops) for leg in legs if leg.back is not None)
    hops = BOTH_WAYS(there=there, back=back) if back else NO_WAY_BACK(there=there)
    held = sum(tried(walk.steps()) for walk in walks)
    shells: dict[str, None] = {}
    for walk in walks:
        for step in walk.steps():
            packet = step.after or step.before
            layers = [] if packet is None else [type(layer) for layer in packet.layers]
            if layers.count(IPv4) > 1:
                inner = len(layers) - 1 - layers[::-1].index(IPv4)
                names = [NAMES.get(kind, kind.__name__) for kind in layers[:inner]]
                shells[" > ".join(n for n in names if n != NAMES.get(layers[0]) or n == "IPv4")] = None
    last = (
        next((s.before or s.after for s in reversed(list(legs[-1].forward.steps()))), None) if legs else None
    )
    ends = [NONE(), NONE(), NONE()]
    if last is not None and last.has_ip:
        ports = last.ports
        ends = [
            plain(_end(last.ip.src, ports[0])),
            plain(_end(last.ip.dst, ports[1])),
            plain(str(last.ip.ttl)),
        ]
    encap = plain(", ".join(shells)) if shells else NONE()
    return [OUTCOME_WORDS[journey.outcome](), hops, plain(f"{held:,}"), encap, *ends]


def _end(address: int, port: int) -> str:
    return f"{text4(address)}:{port}" if port else text4(address)


def lines(
    found: Sequence[Difference], names: tuple[str, str], width: int, height: int, lang: str, glyphs: Glyphs
) -> list[Line]:
    """The difference in at most `height` lines: a table with the sides' names where it fits, else run together. What is
    the same on both is named in one line, where there is room."""
    other = [d for d in found if not d.same(lang)]
    same = [d.name.text(lang) for d in found if d.same(lang)]
    table = _table(other, names, width, lang, glyphs)
    out = table if len(table) <= height else _run_together(other, width, height, lang, glyphs)
    if same and len(out) < height:
        out.append([(" ", ""), (glyphs.clip(SAME(names=", ".join(same)).text(lang), width - 2), "word")])
    return out[:height]


def _table(
    other: Sequence[Difference], names: tuple[str, str], width: int, lang: str, glyphs: Glyphs
) -> list[Line]:  # fmt: skip
    cells = [(d.name.text(lang), d.one.text(lang), d.two.text(lang)) for d in other]
    cells.insert(0, ("", *names))
    first = max(cell_len(c[0]) for c in cells)
    second = max(cell_len(c[1]) for c in cells)
    out: list[Line] = []
    for i, (name, one, two) in enumerate(cells):
        role = "title" if not i else "changed"
        pad = [" " * (w - cell_len(c)) for c, w in ((name, first), (one, second))]
        line: Line = [(f" {name}{pad[0]}  ", "word"), (one + pad[1], role), ("  ", ""), (two, role)]
        out.append(clip_line(line, width, glyphs))
    return out


def _run_together(
    other: Sequence[Difference], width: int, height: int, lang: str, glyphs: Glyphs
) -> list[Line]:  # fmt: skip
    """`name one | two` after each other, as many to a line as fit; what has no room is left out whole."""
    out: list[Line] = [[(" ", "")]]
    room = width - 1
    for d in other:
        name, one, two = d.name.text(lang), d.one.text(lang), d.two.text(lang)
        size = cell_len(name) + cell_len(one) + cell_len(two) + 4
        if size + 3 > room and len(out[-1]) > 1:
            if len(out) == height:
                break
            out.append([(" ", "")])
            room = width - 1
        lead = f" {glyphs.dot} " if len(out[-1]) > 1 else ""
        out[-1] += [(lead, "bar"), (f"{name} ", "word"), (one, "changed"), (" | ", "bar"), (two, "changed")]
        room -= size + len(lead)
    return [clip_line(line, width, glyphs) for line in out]

"""A picture of a journey: the places side by side, time downward, every hop a dot on the line of its namespace.

Theory. A column is a network namespace, in the order in which the packet first meets it; its head says machine and
namespace. A row is a hop: a dot with its number, the device's name beside it, and on the right what happened there, the
header's change and the row that decided. Lines between dots are the path; the way back is drawn in its own colour and
dashed, so that neither needs colours. Where the packet ended against its will there is a cross.

Rules. Pure: a Journey and a Net give text. Plain SVG 1.1 with no script, no font file and no style sheet, so that every
viewer and every converter shows the same; words are measured by cells (a Hangul syllable has two).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from engine.export.telling import (
    FLOW,
    NO_BACK,
    bad,
    chain,
    change,
    decided,
    sentence,
    space_name,
    told,
    way_said,
)
from engine.linux.journey import OUTCOMES, Hop, Journey, Leg, Outcome, Place, Walk
from engine.linux.net import Net
from engine.linux.packet import Packet, describe
from engine.record import dataclass

PAPER, INK, QUIET, FAINT = "#ffffff", "#1f2933", "#5f6c7b", "#d5dbe1"
PATH, RETURN, CHANGED, DANGER = "#0b69c7", "#7a4fb5", "#a15c00", "#c42b1c"
SANS = "Inter, 'Noto Sans', 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif"
MONO = "'JetBrains Mono', 'DejaVu Sans Mono', Menlo, Consolas, 'Noto Sans Mono CJK KR', monospace"

MARGIN, COLUMN, TEXT_WIDTH = 32, 180, 640
LINE, ROW_GAP, DOT = 19, 16, 11
#: How high a wire between two namespaces climbs at most.
SLOPE = 36
#: Width of a cell at 1 px of font size: a proportional face, and a fixed one.
SANS_CELL, MONO_CELL = 0.56, 0.602


def write(path: Path, journey: Journey, net: Net, lang: str = "en") -> None:
    """Write the picture. Raises OSError."""
    path.write_text(svg(journey, net, lang), encoding="utf-8")


def svg(journey: Journey, net: Net, lang: str = "en") -> str:
    """The picture as text, as wide as its columns need and as high as its hops."""
    sheet = _Sheet(journey=journey, lang=lang, columns=_columns(journey, net))
    sheet.draw()
    return sheet.text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A namespace: what stands above its line (the machine, "" where it is the name itself), and its name."""

    netns: str
    machine: str
    name: str


def _columns(journey: Journey, net: Net) -> list[Column]:
    """Namespaces in the order in which packets first meet them."""
    found: dict[str, Column] = {}
    for leg in journey.legs:
        for walk in (leg.forward, leg.back):
            for hop in walk.hops if walk is not None else ():
                place = hop.place
                if place.netns not in found:
                    name = space_name(place)
                    root = place.namespace in ("root", place.node)
                    inner = name if root else name.removeprefix(f"{place.node}/")
                    found[place.netns] = Column(
                        netns=place.netns, machine="" if root else place.node, name=inner
                    )
    return list(found.values())


def cells(text: str) -> int:
    """How many cells a text is wide: two for wide and full-width characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def wrap(text: str, width: int) -> list[str]:
    """Words in lines of at most `width` cells; a longer word is cut where the line ends."""
    lines, now = [], ""
    for word in text.split():
        while cells(word) > width:
            if now:
                lines.append(now)
                now = ""
            at = len(word)
            while cells(word[:at]) > width:
                at -= 1
            lines.append(word[:at])
            word = word[at:]
        longer = f"{now} {word}" if now else word
        if cells(longer) <= width:
            now = longer
        else:
            lines.append(now)
            now = word
    return [*lines, now] if now else lines or [""]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the caption. `size` in px."""

    text: str
    colour: str = INK
    mono: bool = False
    bold: bool = False
    size: int = 14


@dataclass(slots=True, kw_only=True)
class _Sheet:
    """The picture while it is drawn: `y` is where the next thing goes."""

    journey: Journey
    lang: str
    columns: list[Column]
    parts: list[str] = field(default_factory=list)
    under: list[str] = field(default_factory=list)
    y: float = MARGIN

    # ---- geometry

    @property
    def text_x(self) -> float:
        return MARGIN + COLUMN * max(1, len(self.columns)) + 8

    @property
    def width(self) -> float:
        return self.text_x + TEXT_WIDTH + MARGIN

    def column_x(self, netns: str) -> float:
        at = next(i for i, c in enumerate(self.columns) if c.netns == netns)
        return MARGIN + COLUMN * at + 30

    # ---- parts

    def say(self, x: float, y: float, line: Line, anchor: str = "start") -> None:
        weight = ' font-weight="600"' if line.bold else ""
        turned = f' text-anchor="{anchor}"' if anchor != "start" else ""
        family = MONO if line.mono else SANS
        self.parts.append(
            f'<text x="{x:g}" y="{y:g}" font-family={quoteattr(family)} font-size="{line.size}" fill="{line.colour}"'
            f'{weight}{turned} xml:space="preserve">{escape(line.text)}</text>'
        )

    def wire(self, start: tuple[float, float], end: tuple[float, float], colour: str, dash: str) -> None:
        """From dot to dot: down the namespace's own line, then across just above the next dot."""
        turn = max(start[1], end[1] - SLOPE) if start[0] != end[0] else start[1]
        points = f"{start[0]:g},{start[1]:g} {start[0]:g},{turn:g} {end[0]:g},{end[1]:g}"
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.under.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2.5"{dashed}/>'
        )

    # ---- the picture

    def draw(self) -> None:
        self.title()
        for number, leg in enumerate(self.journey.legs, 1):
            if len(self.journey.legs) > 1:
                self.y += 14
                said = FLOW(number=number, purpose=leg.purpose).text(self.lang)
                self.say(MARGIN, self.y + 12, Line(text=said, bold=True, size=15))
                self.y += 26
            self.leg(leg)
        self.y += MARGIN

    def title(self) -> None:
        good = self.journey.outcome is Outcome.DELIVERED
        whole = int((self.width - 2 * MARGIN) / (18 * MONO_CELL))
        for line in wrap(self.journey.act, whole):
            self.say(MARGIN, self.y + 16, Line(text=line, mono=True, bold=True, size=18))
            self.y += 25
        self.y += 4
        said = f"{self.journey.outcome}: {OUTCOMES[self.journey.outcome]().text(self.lang)}"
        self.lines(
            [said, *([self.journey.why.text(self.lang)] if self.journey.why else [])],
            PATH if good else DANGER,
        )

    def lines(self, texts: list[str], colour: str) -> None:
        whole = int((self.width - 2 * MARGIN) / (15 * SANS_CELL))
        for line in (piece for text in texts for piece in wrap(text, whole)):
            self.say(MARGIN, self.y + 12, Line(text=line, colour=colour, size=15))
            self.y += 21

    def leg(self, leg: Leg) -> None:
        self.heads(leg)
        top = self.y
        self.walk(leg.forward, "forward")
        if leg.back is not None:
            self.divider(way_said("back").text(self.lang))
            self.walk(leg.back, "back")
        else:
            self.divider(NO_BACK().text(self.lang))
        met = {h.place.netns for w in (leg.forward, leg.back) if w is not None for h in w.hops}
        for column in self.columns:
            if column.netns in met:
                x = self.column_x(column.netns)
                self.under.insert(
                    0, f'<line x1="{x:g}" y1="{top:g}" x2="{x:g}" y2="{self.y:g}" stroke="{FAINT}" stroke-width="2"/>'
                )  # fmt: skip

    def heads(self, leg: Leg) -> None:
        """The names of the namespaces that this flow meets; a machine's name stands above that of a namespace in it."""
        self.y += 18
        met = {h.place.netns for w in (leg.forward, leg.back) if w is not None for h in w.hops}
        for column in self.columns:
            if column.netns not in met:
                continue
            x = self.column_x(column.netns) - 14
            if column.machine:
                self.say(x, self.y + 8, Line(text=column.machine, colour=QUIET, size=12))
            room = int((COLUMN - 16) / (14 * SANS_CELL))
            name = column.name if cells(column.name) <= room else column.name[: room - 2] + "…"
            self.parts.append(f"<g><title>{escape(column.name)}</title>")
            self.say(x, self.y + 26, Line(text=name, bold=True, size=14))
            self.parts.append("</g>")
        self.y += 38

    def divider(self, said: str) -> None:
        self.y += 8
        right = self.width - MARGIN
        self.under.append(
            f'<line x1="{MARGIN}" y1="{self.y:g}" x2="{right:g}" y2="{self.y:g}" stroke="{FAINT}"/>'
        )
        self.say(self.text_x, self.y + 20, Line(text=said, colour=QUIET, bold=True, size=13))
        self.y += 34

    def walk(self, walk: Walk, way: str) -> None:
        colour, dash = (RETURN, "6 4") if way == "back" else (PATH, "")
        before: tuple[float, float] | None = None
        last: Packet | None = None
        for number, hop in enumerate(walk.hops, 1):
            x, y = self.column_x(hop.place.netns), self.y + 12
            if before is not None:
                self.wire(before, (x, y), colour, dash)
            self.dot(x, y, number, hop, colour)
            caption = list(self.caption(hop, last))
            last = hop.packet
            for at, line in enumerate(caption):
                self.say(self.text_x, self.y + 16 + at * LINE, line)
            self.y += max(LINE * len(caption), 2 * DOT) + ROW_GAP
            before = (x, y)

    def dot(self, x: float, y: float, number: int, hop: Hop, colour: str) -> None:
        ended = any(bad(s) for s in hop.steps)
        fill = DANGER if ended else colour
        self.parts.append(f'<circle cx="{x:g}" cy="{y:g}" r="{DOT}" fill="{fill}"/>')
        self.say(
            x, y + 4, Line(text="✕" if ended else str(number), colour=PAPER, bold=True, size=12), "middle"
        )
        name = device(hop.place)
        room = cells(name) * 13 * MONO_CELL + 6
        self.parts.append(
            f'<rect x="{x + DOT + 4:g}" y="{y - 9:g}" width="{room:g}" height="18" fill="{PAPER}"/>'
        )
        self.say(x + DOT + 7, y + 5, Line(text=name, mono=True, size=13))

    def caption(self, hop: Hop, last: Packet | None) -> Iterator[Line]:
        """The packet where it differs from the hop before, then what happened, its rows in small."""
        packet = hop.packet
        if packet is not None and (last is None or describe(packet) != describe(last)):
            colour = CHANGED if last is not None else QUIET
            for text in wrap(describe(packet), int(TEXT_WIDTH / (13 * MONO_CELL))):
                yield Line(text=text, colour=colour, mono=True, size=13)
        for step in told(hop):
            colour = DANGER if bad(step) else INK
            for text in wrap(sentence(step, self.lang), int(TEXT_WIDTH / (14 * SANS_CELL))):
                yield Line(text=text, colour=colour)
            by = decided(step, hop)
            if by.row and (by.table or change(step) is not None or bad(step)):
                head = f"{chain(by)}  " if by.chain else ""
                for text in wrap(head + by.row, int(TEXT_WIDTH / (12 * MONO_CELL))):
                    yield Line(text=text, colour=QUIET, mono=True, size=12)

    # ---- the file

    def text(self) -> str:
        width, height = f"{self.width:g}", f"{self.y:g}"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
            f'role="img" xml:lang="{self.lang}">\n<title>{escape(self.journey.act)}</title>\n'
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>\n'
            + "\n".join([*self.under, *self.parts])
            + "\n</svg>\n"
        )


def device(place: Place) -> str:
    """`eth0 in`, `nginx`: what stands beside a dot."""
    way = {"in": " in", "out": " out"}.get(place.direction, "")
    return f"{place.device or place.program or '-'}{way}"

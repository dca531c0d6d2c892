"""A film as a table of text: one row a hop, dividers between ways and flows. For 80 columns, no motion, screen readers.

Rules. The same beats as the scene, the same clauses; what is hidden by a prediction has no row. Row marks: the current
one has the `here` glyph, a walk that ended badly the stop glyph.
"""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from course.render.frames import Beat, Film
from course.render.glyphs import Glyphs
from course.render.playback import Playback
from course.render.words import OUTCOME_WORDS, leg, short, ui
from engine.linux.journey import Outcome, Place, StepKind
from engine.record import dataclass

Span = tuple[str, str]
#: cells of a Pod's name that stay before its device
LEAST_NAME = 6
#: what these steps say ends with what counts
ENDS = frozenset({StepKind.RULE, StepKind.POLICY, StepKind.NAT, StepKind.ROUTE, StepKind.BRIDGE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """`beat` is None for a divider. `cells` are number, where, direction, what, packet. `ends`: what happened ends with
    what counts (a rule's target, a route's device), so that it is cut in the middle."""

    beat: int | None
    cells: tuple[str, str, str, str, str] = ("", "", "", "", "")
    divider: str = ""
    bad: bool = False
    aside: bool = False
    ends: bool = False


def where(place: Place) -> str:
    """`pod-a eth0`, `w1 cni0`: the namespace by its own name (a pod's as kubectl prints it), the root one by its
    machine's."""
    name = place.node if place.namespace in ("root", place.node, "") else place.namespace.rpartition("/")[2]
    return f"{name} {place.device or place.program}".rstrip()


def rows(film: Film, lang: str, hidden: int | None = None) -> list[Row]:
    """All rows that may be seen, dividers included."""
    out: list[Row] = []
    last: tuple[int, str, int, int] | None = None
    numbers: dict[int, int] = {}
    for index, beat in enumerate(film.beats if hidden is None else film.beats[:hidden]):
        group = (beat.leg, beat.way, beat.number, beat.walk if beat.way == "aside" else -1)
        if group != last and (divider := _divider(film, beat, last, lang)):
            out.append(Row(beat=None, divider=divider))
        last = group
        numbers[beat.walk] = beat.hop + 1
        clause = beat.moments[beat.main].clause.text(lang)
        bad = beat.ends is not None and beat.ends is not Outcome.DELIVERED
        if beat.ends is not None and bad:
            clause = f"{OUTCOME_WORDS[beat.ends]().text(lang)}: {beat.moments[beat.main].clause.text(lang)}"
            why = beat.moments[beat.main].step.why
            clause = (
                f"{OUTCOME_WORDS[beat.ends]().text(lang)}: {why.text(lang)}" if why is not None else clause
            )
        direction = ui(beat.place.direction, lang) if beat.place.direction else ""
        number = "" if beat.way == "aside" else str(beat.hop + 1)
        packet = short(beat.after).text(lang)
        out.append(
            Row(
                beat=index,
                cells=(number, where(beat.place), direction, clause, packet),
                bad=bad,
                aside=beat.way == "aside",
                ends=not bad and beat.moments[beat.main].step.kind in ENDS,
            )
        )
    if hidden is not None and hidden < len(film.beats):
        out.append(Row(beat=None, divider=ui("hidden-short", lang)))
    return out


def _divider(film: Film, beat: Beat, last: tuple[int, str, int, int] | None, lang: str) -> str:
    if last is None or beat.leg != last[0]:
        if film.legs < 2:
            return "" if beat.way == "there" else ui(beat.way, lang)
        return leg(beat.leg + 1, film.legs, beat.purpose, lang)
    if beat.way == "aside":
        return "" if last[1] == "aside" else ui("aside", lang)
    if last[1] == "aside" and last[2] == beat.number:
        return ui("resumes", lang)
    return ui("later", lang, n=beat.later) if beat.way == "later" else ui(beat.way, lang)


def columns(table: list[Row], width: int) -> tuple[int, int, int, int, int]:
    """Widths of the five columns; the middle one takes what is left, the others give way first when it is little."""
    number = max([cell_len(r.cells[0]) for r in table] + [2])
    place = min(max([cell_len(r.cells[1]) for r in table] + [6]), max(12, width // 4))
    direction = max([cell_len(r.cells[2]) for r in table] + [0])
    packet = min(max([cell_len(r.cells[4]) for r in table] + [6]), max(9, width // 5))
    if width < 60:
        packet = min(packet, 8)
    return number, place, direction, max(8, width - 1 - number - place - direction - packet - 8), packet


def place_cell(text: str, width: int, glyphs: Glyphs) -> str:
    """A place in `width` cells: a long name of a Pod gives way to its device."""
    name, _, device = text.rpartition(" ")
    room = width - cell_len(device) - 1
    if cell_len(text) <= width or not name or room < LEAST_NAME:
        return glyphs.clip(text, width)
    return f"{glyphs.clip(name, room)} {device}"


def line(
    row: Row, widths: tuple[int, int, int, int, int], width: int, playback: Playback, glyphs: Glyphs
) -> list[Span]:
    """One row as spans. Roles: here, row, divider, stopped, aside."""
    if row.beat is None:
        bar = "-" if glyphs.ascii else "─"
        return [(glyphs.clip(f" {bar}{bar} {row.divider} {bar}{bar}", width), "divider")]
    current = row.beat == playback.beat and playback.now is not None
    mark = glyphs.stopped if row.bad else glyphs.here if current else " "
    role = "here" if current else "stopped" if row.bad else "aside" if row.aside else "row"
    cells = [
        glyphs.clip_middle(c, w) if row.ends and i == 3 else glyphs.clip(c, w)
        for i, (c, w) in enumerate(zip(row.cells, widths, strict=True))
    ]
    cells[1] = place_cell(row.cells[1], widths[1], glyphs)
    texts = [set_cell_size(c, w) for c, w in zip(cells, widths, strict=True)]
    number = row.cells[0].rjust(widths[0])
    text = f"{mark}{number}  {texts[1]}  {texts[2]}  {texts[3]}  {texts[4]}"
    return [(glyphs.clip(text, width), role)]


def head(widths: tuple[int, int, int, int, int], lang: str) -> str:
    """The table's head."""
    names = ["#", ui("where", lang), "", ui("what", lang), ui("packet", lang)]
    cells = [set_cell_size(n, w) for n, w in zip(names, widths, strict=True)]
    return " " + "#".rjust(widths[0]) + "  " + "  ".join(cells[1:])

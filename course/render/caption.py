"""The panel under the picture: where the film stands, the hop in a clause, the headers, why, and the row that decided.

Rules. Pure: a Playback and a width give lines of (text, role) spans. The first line is the film as a bar; the second
says hop, flow, place and clause on the left, speed and state on the right (a narrow panel has the clause on a line of
its own; what a flow is for gives way to the place and the clause); then one line a header layer; then why and row.
"""

from __future__ import annotations

import re

from rich.cells import cell_len

from course.render.frames import Beat
from course.render.glyphs import Glyphs
from course.render.headers import header_lines
from course.render.ladder import place_cell, where
from course.render.playback import Playback, over
from course.render.words import FIDELITY_WORDS, OUTCOME_WORDS, leg, ui
from engine.linux.journey import OUTCOMES, Outcome, Step, StepKind

#: Lines that are kept for headers where there is room, so that the why does not jump about.
HEADERS = 4
#: lines of a why, where headers leave so many
MOST_WHY = 3
#: Below this width the clause has a line of its own, if the panel has so many.
NARROW, NARROW_LINES = 84, 6
#: what a flow is for is said where so many cells are left for it, else only which flow it is
LEAST_FLOW = 18
#: cells of a cut rule that its tests keep before what it does
LEAST_TESTS = 8
#: what these steps were decided by is a rule, which the zoom lists
LISTED = frozenset({StepKind.RULE, StepKind.POLICY, StepKind.NAT, StepKind.DROP})
#: a comment of iptables: it decides nothing
COMMENT = re.compile(r'-m comment --comment ("(?:[^"\\]|\\.)*"|\S+)')
Span = tuple[str, str]
Line = list[Span]


def width_of(line: Line) -> int:
    return sum(cell_len(text) for text, _ in line)


def clip_line(line: Line, width: int, glyphs: Glyphs) -> Line:
    """A line in at most `width` cells."""
    out: Line = []
    left = width
    for text, role in line:
        size = cell_len(text)
        if size > left:
            if left > 0:
                out.append((glyphs.clip(text, left), role))
            return out
        out.append((text, role))
        left -= size
    return out


def clip_rule(row: str, width: int, glyphs: Glyphs) -> str:
    """A rule in at most `width` cells: its comments give way first, what it does (`-j ...`) is kept, its tests are cut
    in the middle. An end that is too long itself keeps the word behind `-j`, the target."""
    row = " ".join(row.split())
    while cell_len(row) > width and (found := COMMENT.search(row)) is not None:
        if found.start() <= 2 and found.end() == len(row):
            # a rule that is nothing but a comment
            return glyphs.clip(f"{glyphs.cut} {found.group(1)}", width)
        left, right = row[: found.start()].rstrip(), row[found.end() :].strip()
        row = " ".join(filter(None, (left.removesuffix(glyphs.cut).rstrip(), glyphs.cut, right)))
    at = max(row.rfind(" -j "), row.rfind(" -g "))
    if cell_len(row) <= width or at < 0:
        return glyphs.clip(row, width)
    tail = row[at:]
    if cell_len(tail) > width - LEAST_TESTS:
        tail = glyphs.clip(tail, max(width - LEAST_TESTS, cell_len(" ".join(tail.split(" ")[:3])) + 1))
    return glyphs.clip((glyphs.clip(row[:at], width - cell_len(tail)) + tail).lstrip(), width)


def wrap(text: str, width: int, most: int, glyphs: Glyphs) -> list[str]:
    """Words on at most `most` lines of `width` cells; Hangul breaks at spaces as Korean does."""
    lines: list[str] = []
    now = ""
    for word in text.split():
        longer = f"{now} {word}" if now else word
        if cell_len(longer) <= width or not now:
            now = longer
            continue
        lines.append(now)
        now = word
    if now:
        lines.append(now)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [glyphs.clip(line, width) for line in lines]


def bar(playback: Playback, width: int, glyphs: Glyphs) -> Line:
    """The film as a line: what has been shown, where it stands, where the packet turns round, what is hidden."""
    total = len(playback.film.beats)
    done, todo, turn = ("=", "-", "|") if glyphs.ascii else ("━", "─", "┊")
    if not total or width < 4:
        return [(todo * max(0, width), "bar")]
    end = width - 1
    here = round(playback.beat / max(1, total - 1) * end)
    spots = {
        round(i / max(1, total - 1) * end)
        for i in range(1, total)
        if playback.film.beats[i].number != playback.film.beats[i - 1].number
    }
    hidden = (
        round(playback.hidden / max(1, total - 1) * end)
        if playback.hidden is not None and playback.concealed
        else width
    )
    out: Line = []
    for x in range(width):
        if x == here:
            cell = (glyphs.packet, "packet")
        elif x >= hidden:
            cell = ("?", "bar")
        else:
            cell = (turn if x in spots else done if x < here else todo, "done" if x < here else "bar")
        if out and out[-1][1] == cell[1]:
            out[-1] = (out[-1][0] + cell[0], cell[1])
        else:
            out.append(cell)
    return out


def controls(speed: float, playing: bool, glyphs: Glyphs, typed: str | None = None) -> Line:
    """`◀ 1x ▶ ▮▮`: the speed between its keys, and the state."""
    if typed is not None:
        return [(f"# {typed}_", "packet")]
    text = f"{speed:g}x"
    state = glyphs.play if playing else glyphs.pause
    return [(f"- {text} + ", "word"), (state, "packet" if playing else "value")]


def head(playback: Playback, lang: str, glyphs: Glyphs, width: int) -> Line:
    """Where the film stands, in `width` cells if it can be: `Hop 3/8 · way back · flow 2 of 5: DNS A web · w1 cni0`."""
    beat = playback.now
    if beat is None:
        return [(ui("nothing", lang), "word")]
    dot = f" {glyphs.dot} "
    if playback.concealed:  # not even how many hops there are
        out: Line = [(ui("hop-hidden", lang, n=beat.hop + 1), "title")]
    else:
        out = [(ui("hop", lang, n=beat.hop + 1, total=beat.hops), "title")]
    if playback.moment is not None:
        out.append((f" ({ui('step', lang, n=playback.shown() + 1, total=len(beat.moments))})", "word"))
    if beat.way == "later":
        out += [(dot, "word"), (ui("later", lang, n=beat.later), "way")]
    elif beat.way != "there":
        out += [(dot, "word"), (ui(beat.way, lang), "way")]
    many = playback.film.legs > 1
    short = ui("leg-short", lang, n=beat.leg + 1, total=playback.film.legs)
    room = width - width_of(out) - cell_len(dot) - (cell_len(dot + short) if many else 0)
    place: Line = [(dot, "word"), (place_cell(where(beat.place), room, glyphs), "title")]
    if many:
        left = width - width_of(out) - width_of(place) - cell_len(dot)
        flow = glyphs.clip(leg(beat.leg + 1, playback.film.legs, beat.purpose, lang), left)
        if left < LEAST_FLOW:
            flow = short
        out += [(dot, "word"), (flow, "word")]
    return [*out, *place]


def story(playback: Playback, lang: str, glyphs: Glyphs) -> Line:
    """What happens now, in a clause; at the end of a walk or of the film, how it ended."""
    beat = playback.now
    if beat is None:
        return []
    ended: Outcome | None = None
    if playback.moment is None and playback.way() >= 1.0:
        if playback.at_end and not playback.concealed:
            ended = playback.film.journey.outcome
        elif beat.ends is not Outcome.DELIVERED and over(playback):
            ended = beat.ends
    if ended is None:
        return [(beat.moments[playback.shown()].clause.text(lang), "value")]
    good = ended is Outcome.DELIVERED
    word = OUTCOME_WORDS[ended]().text(lang)
    # what became of the packet, then of what the user did
    if beat.ends not in (None, Outcome.DELIVERED, ended):
        word = f"{OUTCOME_WORDS[beat.ends]().text(lang)} {glyphs.dot} {word}"
    return [(f"{glyphs.ok if good else glyphs.stopped} {word}", "way" if good else "stopped")]


def panel(
    playback: Playback, width: int, height: int, lang: str, glyphs: Glyphs, *,
    speed: float = 1.0, playing: bool = False, typed: str | None = None, zoomed: bool = False,
) -> list[Line]:  # fmt: skip
    """The whole panel, at most `height` lines. `zoomed`: the rules are listed above, so the why is worth more lines
    than the one that decided."""
    out: list[Line] = [bar(playback, width, glyphs)]
    right = controls(speed, playing, glyphs, typed)
    beat, told = playback.now, story(playback, lang, glyphs)
    narrow = width < NARROW and height >= NARROW_LINES - (playback.film.legs > 1)
    space = width - width_of(right) - 4
    left: Line = [
        (" ", ""), *head(playback, lang, glyphs, space - (0 if narrow or not told else width_of(told) + 3)),
    ]  # fmt: skip
    if told and not narrow:
        left += [(f" {glyphs.dot} ", "word"), *told]
    left = clip_line(left, width - width_of(right) - 3, glyphs)
    gap = " " * max(1, width - 1 - width_of(left) - width_of(right))
    out.append([*left, (gap, ""), *right])
    if beat is None:
        return out[:height]
    if narrow:
        out.append(clip_line([(" ", ""), *told], width - 1, glyphs))
    moment = beat.moments[playback.shown()]
    step = moment.step
    inside = playback.moment is not None
    before, after = (step.before, step.after or step.before) if inside else (beat.before, beat.after)
    why = _why(playback, beat, step, lang)
    headers = header_lines(before, after, glyphs)
    listed = zoomed and step.kind in LISTED
    row = "" if listed else moment.row
    least = 0 if step.outcome is not None else 1  # where the packet ends, nothing is worth more than why
    kept = least if not least or listed else min(HEADERS, len(headers))
    spare = height - len(out) - kept - bool(row)
    tail = _tail(why, step, row, width, lang, glyphs, room=max(1, spare))
    room = max(least if height > len(out) + 1 else 0, height - len(out) - len(tail))  # one line: the why
    if (
        len(headers) > room
    ):  # the layers that changed, then the inner ones, are worth more than the outer ones
        best = sorted(range(len(headers)), key=lambda i: (headers[i][0][0] == " ", -i))[:room]
        headers = [headers[i] for i in sorted(best)]
    out += [clip_line([(" ", ""), *line], width - 1, glyphs) for line in headers]
    out += [[] for _ in range(min(room, HEADERS) - len(headers))]
    return (out + tail)[:height]


def _why(playback: Playback, beat: Beat, step: Step, lang: str) -> str:
    if playback.concealed and playback.beat >= playback.last and playback.way() >= 1.0:
        return ui("hidden", lang)
    if step.why is not None:
        return step.why.text(lang)
    if step.outcome is not None:
        return OUTCOMES[step.outcome]().text(lang)
    return ""


def _tail(why: str, step: Step, row: str, width: int, lang: str, glyphs: Glyphs, room: int) -> list[Line]:
    names = [ui("because", lang), ui("row", lang)]
    wide = 12
    out: list[Line] = []
    for i, text in enumerate(wrap(why, width - wide - 4, min(MOST_WHY, room), glyphs)):
        name = names[0] if not i else ""
        out.append([("   ", ""), (name + " " * (wide - cell_len(name)), "word"), (text, "why")])
    row = " ".join(row.split())
    if row:
        trust = FIDELITY_WORDS[step.trust]().text(lang)
        left: Line = [("   ", ""), (names[1] + " " * (wide - cell_len(names[1])), "word")]
        space = width - width_of(left) - cell_len(trust) - 4
        if space >= 24:
            text = clip_rule(row, space, glyphs)
            left += [(text, "rule"), (" " * (space - cell_len(text) + 2), ""), (trust, "trust")]
        else:
            left.append((clip_rule(row, width - width_of(left) - 1, glyphs), "rule"))
        out.append(left)
    return out

"""A transcript of a journey in Markdown: what a person pastes into a ticket, a chat or a study group's notes.

Rules. The same hops, sentences and rows as the trace prints; a hop's heading is its place, rows stand in code blocks.
Names and rows that could mean something in Markdown stand in code.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.export.telling import (
    FLOW,
    MODELLED,
    NO_BACK,
    chain,
    change,
    decided,
    packet_line,
    sentence,
    told,
    way_said,
)
from engine.lab.places import place_name
from engine.linux.journey import OUTCOMES, Hop, Journey, Leg, Walk
from engine.linux.net import Net


def write(path: Path, journey: Journey, net: Net, lang: str = "en") -> None:
    """Write the transcript. Raises OSError."""
    path.write_text(markdown(journey, lang), encoding="utf-8")


def markdown(journey: Journey, lang: str = "en") -> str:
    """The whole transcript, with a line end."""
    return "\n".join(_lines(journey, lang)) + "\n"


def _lines(journey: Journey, lang: str) -> Iterator[str]:
    yield f"# {code(journey.act)}"
    yield ""
    yield f"**{journey.outcome}**: {OUTCOMES[journey.outcome]().text(lang)}"
    if journey.why is not None:
        yield ""
        yield journey.why.text(lang)
    for number, leg in enumerate(journey.legs, 1):
        if len(journey.legs) > 1:
            yield ""
            yield f"## {FLOW(number=number, purpose=leg.purpose).text(lang)}"
        yield from _leg(leg, lang, "###" if len(journey.legs) > 1 else "##")


def _leg(leg: Leg, lang: str, mark: str) -> Iterator[str]:
    for way, walk in (("forward", leg.forward), ("back", leg.back)):
        yield ""
        if walk is None:
            yield f"{mark} {NO_BACK().text(lang)}"
            continue
        yield f"{mark} {way_said(way).text(lang)}"
        yield from _walk(walk, lang)


def _walk(walk: Walk, lang: str) -> Iterator[str]:
    for number, hop in enumerate(walk.hops, 1):
        yield ""
        yield from _hop(number, hop, lang)


def _hop(number: int, hop: Hop, lang: str) -> Iterator[str]:
    packet = packet_line(hop.packet)
    yield f"{number}. **{code(place_name(hop.place))}**" + (f" {packet}" if packet else "")
    for step in told(hop):
        by = decided(step, hop)
        notes = [code(chain(by))] if chain(by) else []
        if step.trust in MODELLED:
            notes.append(MODELLED[step.trust]().text(lang))
        yield f"   - {sentence(step, lang)}" + (f" ({', '.join(notes)})" if notes else "")
        changed = change(step)
        if changed is not None:
            yield f"     {code(changed[0])} → {code(changed[1])}"
        if by.row:
            yield ""
            yield "     ```"
            yield from (f"     {line.rstrip()}" for line in by.row.splitlines())
            yield "     ```"


def code(text: str) -> str:
    """Inline code, whatever backquotes the text holds (CommonMark, section 6.1)."""
    fence = "`"
    while fence in text:
        fence += "`"
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"

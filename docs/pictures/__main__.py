"""`make pictures`: the pictures of the README and the docs, made by driving the course without a terminal.

Theory. Each scene is a list of keys in the real application; what they lead to is photographed as SVG at two sizes
and in both languages. The packet is stopped at a beat, so that a picture does not depend on a clock. Textual's SVG
stretches Hangul (it counts characters where it should count cells) and asks a web server for its font; both are put
right here, so that every browser and every converter shows the same.

Rules. Nothing is drawn or retouched by hand. `make pictures ARGS="zoom"` makes the scenes whose names begin so.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from html import escape, unescape
from itertools import groupby, product
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input

from course import catalog
from course.app import TutorApp
from course.cli.common import open_lab
from course.progress import Progress
from course.screens.home import STANDS
from course.widgets.blocks import RunBlock
from course.widgets.exercise import ExercisePane
from course.widgets.player import Player
from engine.export.svg import svg
from engine.linux.journey import StepKind

FOLDER = Path(__file__).resolve().parent
SIZES, LANGS = ((120, 40), (80, 24)), ("en", "ko")
LESSON = "01-containers"
FONTS = (
    '"DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK KR", "Noto Sans KR", "D2Coding", '
    '"Malgun Gothic", "Apple SD Gothic Neo", monospace'
)

Scene = Callable[["Pilot[int]"], Awaitable[None]]


# ---- waiting: for what a learner would wait for


async def until(pilot: Pilot[int], done: Callable[[], bool], what: str) -> None:
    """Let the application run until something holds; it is a defect if that takes a minute."""
    for _ in range(2400):
        await pilot.pause()
        if done():
            await pilot.pause()
            return
        await asyncio.sleep(0.025)
    raise RuntimeError(f"never happened: {what}")


async def settled(pilot: Pilot[int]) -> None:
    """No worker is at work."""
    await until(pilot, lambda: not any(w.is_running for w in pilot.app.workers), "all workers have ended")


async def typed(pilot: Pilot[int], line: str) -> None:
    """A line in the terminal, as a person types it."""
    await pilot.press(*[KEYS.get(c, c) for c in line], "enter")
    await settled(pilot)


def player(pilot: Pilot[int]) -> Player:
    return pilot.app.screen.query_one(Player)


async def lesson(pilot: Pilot[int], step: int) -> None:
    app = pilot.app
    assert isinstance(app, TutorApp)
    entry = catalog.find(LESSON)
    assert entry is not None
    app.open_lesson(entry, step)
    await until(pilot, lambda: bool(getattr(app.screen, "loaded", False)), "the lesson has opened")
    await settled(pilot)

    def written() -> bool:
        return all(block.size.height > 0 for block in app.screen.query(RunBlock) if block.display)

    await until(pilot, written, "the outputs are written")


async def watching(pilot: Pilot[int], step: int, kind: StepKind, fraction: float = 0.5) -> None:
    """A lesson whose packet stands near its first beat of a kind."""
    await lesson(pilot, step)
    await until(pilot, lambda: not player(pilot).has_class("hidden"), "a packet is loaded")
    await pilot.press("2")
    seek(player(pilot), kind, fraction)
    await pilot.pause()


def seek(shown: Player, kind: StepKind, fraction: float) -> None:
    shown.reveal()
    shown.pause()
    beats = shown.film.beats
    at = next((i for i, b in enumerate(beats) if b.moments[b.main].step.kind is kind), len(beats) // 2)
    shown.seek(at, fraction)


# ---- the scenes


async def home(pilot: Pilot[int]) -> None:
    await asyncio.sleep(STANDS + 0.1)  # the map draws a lab when its lesson has been chosen for so long
    await settled(pilot)


async def reading(pilot: Pilot[int]) -> None:
    """Read, See and Do together: the first packet of the first lesson, where its source is rewritten."""
    await lesson(pilot, 0)
    await pilot.press("t")
    await typed(pilot, "iptables -t nat -S POSTROUTING")
    await pilot.press("escape", "2")
    seek(player(pilot), StepKind.NAT, 0.5)
    if pilot.app.size.width >= WIDE:
        await pilot.press("1")
    await settled(pilot)


async def packet(pilot: Pilot[int]) -> None:
    await watching(pilot, 2, StepKind.BRIDGE, 1.0)


async def zoom(pilot: Pilot[int]) -> None:
    await watching(pilot, 4, StepKind.NAT, 1.0)
    await pilot.press("z")
    await settled(pilot)


async def ladder(pilot: Pilot[int]) -> None:
    await watching(pilot, 4, StepKind.NAT, 1.0)
    if player(pilot).view == "scene":
        await pilot.press("v")
    await settled(pilot)


async def terminal(pilot: Pilot[int]) -> None:
    await lesson(pilot, 4)
    await pilot.press("t")
    await pilot.pause()
    for line in ("ip -br addr", "iptables -t nat -S DOCKER", "curl -sI localhost:8080"):
        await typed(pilot, line)
    seek(player(pilot), StepKind.SOCKET, 1.0)
    await pilot.pause()


async def exercise(pilot: Pilot[int]) -> None:
    """A repair, checked before anything was repaired: the counter-example stands at its hop."""
    await lesson(pilot, 6)
    screen = pilot.app.screen
    screen.do.pose("only-from-the-server", 1)  # type: ignore[attr-defined]
    await settled(pilot)
    await until(pilot, lambda: screen.query_one(ExercisePane).posed is not None, "the exercise is posed")
    await settled(pilot)
    await pilot.press("f9")
    await settled(pilot)


#: From this width on the course map and the lesson show their panes side by side.
WIDE = 110
KEYS = {" ": "space", "-": "minus", "/": "slash", ":": "colon", ".": "full_stop"}
SCENES: dict[str, Scene] = {
    "home": home,
    "lesson": reading,
    "packet": packet,
    "zoom": zoom,
    "ladder": ladder,
    "terminal": terminal,
    "exercise": exercise,
}


# ---- SVG


TEXT = re.compile(
    r'<text (class="[^"]*-r\d+") x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+" (clip-path="[^"]*")>([^<]*)</text>'
)


def wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def mended(text: str) -> str:
    """Textual's SVG with every run of text at the cells where the terminal has it, and no font from the network."""
    text = re.sub(r"@font-face \{[^}]*\}", "", text)
    text = text.replace("font-family: Fira Code, monospace;", f"font-family: {FONTS};")
    text = text.replace("font-variant-east-asian: full-width;", "")
    return TEXT.sub(_runs, text)


def _runs(found: re.Match[str]) -> str:
    style, x, y, clip, body = found.groups()
    return "".join(
        f'<text {style} x="{start:g}" y="{y}" textLength="{width:g}" lengthAdjust="spacingAndGlyphs" {clip}>'
        f"{escape(run, quote=False).replace(' ', '&#160;')}</text>"
        for run, start, width in _pieces(unescape(body), float(x))
    )


CELL = 12.2


def _pieces(text: str, x: float) -> Iterator[tuple[str, float, float]]:
    """(run, x, width) of neighbouring characters of one width."""
    for is_wide, group in groupby(text, wide):
        run = "".join(group)
        width = len(run) * CELL * (2 if is_wide else 1)
        if run.strip("\xa0 "):
            yield run, round(x, 1), round(width, 1)
        x += width


async def photograph(name: str, lang: str, size: tuple[int, int]) -> str:
    """One scene in one language at one size."""
    with tempfile.TemporaryDirectory() as folder:
        started = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
        with Progress.open(Path(folder), lambda: started) as progress:
            app = TutorApp(progress, lang=lang, ascii=False)
            app.animation_level = "none"
            async with app.run_test(size=size) as pilot:
                await SCENES[name](pilot)
                app.clear_notifications()
                for line in app.screen.query(Input):
                    line.cursor_blink = False
                await pilot.pause()
                return mended(app.export_screenshot(title="k8snet-tutor"))


def main(names: list[str]) -> int:
    wanted = [scene for scene in SCENES if not names or any(scene.startswith(n) for n in names)]
    for scene, lang, size in product(wanted, LANGS, SIZES):
        target = FOLDER / f"{scene}-{lang}-{size[0]}x{size[1]}.svg"
        target.write_text(asyncio.run(photograph(scene, lang, size)), encoding="utf-8")
        print(target.relative_to(FOLDER.parents[1]))
    if not names or any("trace".startswith(n) for n in names):
        lab = open_lab("docker-host")
        journey = lab.trace("host/laptop", "http://192.168.10.30:8080/", "http")
        for lang in LANGS:
            target = FOLDER / f"trace-{lang}.svg"
            target.write_text(svg(journey, lab.world.net, lang), encoding="utf-8")
            print(target.relative_to(FOLDER.parents[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

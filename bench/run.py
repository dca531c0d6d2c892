"""`make bench`: what the program costs, each number beside its gate.

Machines are noisy, so only ratios from one interleaved run are gates: every round starts hello-world and each
of our cases once, a ratio is taken inside its round, and the median over the rounds counts. Exit code 0 even
where a gate is missed (a person reads the table), 1 where something could not be measured.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from bench import big, engine, grading, hello, linux
from bench.table import Line, show, spread
from bench.terminal import NotSeen, Terminal

ROOT = Path(__file__).resolve().parents[1]
COURSE = [sys.executable, "-m", "course"]
LESSON = "3"
#: on every screen of the course once it can be used: the key bar, which is never cut off
HOME_MARK = "F1"


def lesson_mark() -> str:
    """The first words of the lesson's own text, which come after the frame around it."""
    for folder in sorted((ROOT / "lessons").glob(f"{int(LESSON):02}-*")):
        text = (folder / "lesson.en.md").read_text(encoding="utf-8")
        opening = next(line for line in text.splitlines() if line and not line.startswith("#"))
        return " ".join(opening.split()[:2])
    return "no lesson"


LESSON_MARK = lesson_mark()

Case = Callable[[Mapping[str, str]], float]


def paint(argv: list[str], mark: str) -> Case:
    """Seconds from the spawn to the first paint that shows the mark."""

    def run(environment: Mapping[str, str]) -> float:
        with Terminal(argv, environment) as terminal:
            return terminal.wait_for(mark)

    return run


def whole(argv: list[str]) -> Case:
    """Seconds that a process takes from start to end."""

    def run(environment: Mapping[str, str]) -> float:
        start = time.perf_counter()
        subprocess.run(argv, env=dict(environment), check=True, capture_output=True)
        return time.perf_counter() - start

    return run


#: name -> (how it is run, its gate as a ratio to the first case)
START: dict[str, tuple[Case, float | None]] = {
    "hello-world, first paint": (paint([sys.executable, "-m", "bench.hello"], hello.MARK), None),
    "course, first screen": (paint([*COURSE, "--lang", "en"], HOME_MARK), 1.3),
    f"lesson {LESSON}, first paint": (paint([*COURSE, "--lang", "en", "--lesson", LESSON], LESSON_MARK), 2.5),
    "--help, whole process": (whole([*COURSE, "--help"]), 0.25),
    "--version, whole process": (whole([*COURSE, "--version"]), 0.25),
}


def start_up(rounds: int, environment: Mapping[str, str]) -> list[Line]:
    """All cases of START, interleaved."""
    times: dict[str, list[float]] = {name: [] for name in START}
    broken: dict[str, str] = {}
    for turn in range(rounds + 1):  # the first turn compiles and warms, and does not count
        for name, (case, _) in START.items():
            if name in broken:
                continue
            try:
                seconds = case(environment)
            except (NotSeen, subprocess.CalledProcessError) as error:
                broken[name] = str(error)
                continue
            if turn:
                times[name].append(seconds)
        print(f"\rround {turn} of {rounds}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    yard, *others = START
    lines = []
    if yard in broken:
        return [Line(name=yard, value=None, unit="s", note=broken[yard])]
    lines.append(Line(name=yard, value=median(times[yard]), unit="s", note=spread(times[yard], "s")))
    for name in others:
        gate = START[name][1]
        if name in broken:
            lines.append(Line(name=name, value=None, unit="x", gate=gate, note=broken[name]))
            continue
        ratio = median(own / base for own, base in zip(times[name], times[yard], strict=True))
        lines.append(Line(name=name, value=ratio, unit="x", gate=gate, note=spread(times[name], "s")))
    return lines


def running(seconds: float, environment: Mapping[str, str]) -> list[Line]:
    """Memory of a lesson; CPU share of its player while it plays and of the screen while nothing moves."""
    names = (f"lesson {LESSON}, peak memory", "lesson, standing still", "player, playing")
    gates = ((60.0, "MiB"), (1.0, "% of a core"), (10.0, "% of a core"))
    values: list[float] = []
    note = ""
    try:
        with Terminal(
            [*COURSE, "--lang", "en", "--lesson", LESSON], environment, columns=120, rows=40
        ) as terminal:
            terminal.wait_for(LESSON_MARK)
            terminal.watch(1.5)
            idle = terminal.cpu_share(seconds)
            terminal.press(" ")
            terminal.watch(0.5)
            playing = terminal.cpu_share(seconds)
            values = [terminal.peak_mib(), 100 * idle, 100 * playing]
    except (NotSeen, OSError) as error:
        note = str(error)
    return [
        Line(name=name, value=values[n] if values else None, unit=unit, gate=gate, note=note)
        for n, (name, (gate, unit)) in enumerate(zip(names, gates, strict=True))
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11, help="interleaved rounds (default 11)")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="how long a CPU share is taken (default 4)"
    )
    args = parser.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as data:
        environment = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
            "XDG_DATA_HOME": data,
            "XDG_CACHE_HOME": data,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its byte code beside it
        lines = start_up(args.rounds, environment) + running(args.seconds, environment)
        lines += grading.lines(environment, Path(data) / "grading") + engine.lines() + linux.lines()
        lines += big.lines()
    print(show(lines))
    return 1 if any(line.value is None for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The bench measures what it says: a real program on a real pseudo-terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bench import hello
from bench.run import start_up
from bench.table import Line, show
from bench.terminal import NotSeen, Terminal

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "PYTHONPATH": str(ROOT)}


def test_hello_world_is_painted_and_answers_keys() -> None:
    with Terminal([sys.executable, "-m", "bench.hello"], ENVIRONMENT) as terminal:
        assert terminal.wait_for(hello.MARK) > 0
        assert terminal.peak_mib() > 5
        assert terminal.cpu_seconds() > 0
        terminal.press("q")
        with pytest.raises(NotSeen, match="the program ended before 'more' was seen"):
            terminal.wait_for("more")


def test_a_case_that_fails_says_what_came_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(environment: object) -> float:
        raise NotSeen("a crash")

    monkeypatch.setattr(
        "bench.run.START", {"yard": (lambda _: 2.0, None), "own": (broken, 1.3), "b": (lambda _: 3.0, 1.3)}
    )
    yard, own, other = start_up(2, ENVIRONMENT)
    assert (own.value, own.verdict, own.note) == (None, "NOT MEASURED", "a crash")
    assert (yard.value, other.value, other.verdict) == (2.0, 1.5, "MISS")


def test_the_table_has_the_gate_beside_the_number() -> None:
    lines = [
        Line(name="start", value=1.25, unit="x", gate=1.3, note="n=11"),
        Line(name="speed", value=20_000.0, unit="/s", gate=50_000, at_least=True),
        Line(name="memory", value=None, unit="MiB", gate=60, note="it crashed"),
    ]
    assert show(lines).splitlines() == [
        "what    measured   gate",
        "start   1.25 x     <= 1.3 x      pass          n=11",
        "speed   20,000 /s  >= 50,000 /s  MISS",
        "memory  -          <= 60 MiB     NOT MEASURED",
        "",
        "not measured, because:",
        "  it crashed",
    ]

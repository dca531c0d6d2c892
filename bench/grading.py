"""From a key press to the painted verdict: what a learner waits for when an answer is checked.

Theory. The course runs on a terminal of its own. Each time a new task is drawn (its pane holds no verdict then), the
answer is given by one key, and the time runs until the first words of a verdict have been painted. A prediction is
judged by its option; a repair sends its goal's packets through the lab.

Rules. For information: a wait is no ratio to anything, so it has no gate. The median of 20 counts.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from bench.table import Line, spread
from bench.terminal import NotSeen, Terminal
from course import words_lesson as say

TIMES = 20
LESSON = "1"
#: the first of these words that is painted ends a wait
VERDICTS = tuple(phrase().text("en") for phrase in (say.RIGHT, say.NOT_RIGHT, say.REACHED, say.NOT_YET))
#: name -> (steps to go on from the first, the key that has the answer checked)
CASES: dict[str, tuple[int, str]] = {
    "Enter on a prediction, to its verdict": (0, "\r"),
    "c on a repair, to its verdict": (6, "c"),
}


def lines(environment: Mapping[str, str], folder: Path, times: int = TIMES) -> list[Line]:
    """A row a case. `folder` is for the progress of these learners."""
    out = []
    for number, (name, (steps, key)) in enumerate(CASES.items()):
        try:
            waits = _waits(environment, folder / str(number), steps, key, times)
            note = spread([1000 * w for w in waits], "ms")
            out.append(Line(name=name, value=1000 * median(waits), unit="ms", note=note))
        except (NotSeen, OSError) as error:
            out.append(Line(name=name, value=None, unit="ms", note=str(error)))
    return out


def _waits(environment: Mapping[str, str], folder: Path, steps: int, key: str, times: int) -> list[float]:
    """Seconds from the key to the first verdict's paint, `times` of them."""
    argv = [sys.executable, "-m", "course", "--lang", "en", "--data-dir", str(folder), "--lesson", LESSON]
    waits = []
    with Terminal(argv, environment, columns=120, rows=40) as terminal:
        terminal.wait_for("F1")
        terminal.settle(1.5)
        for _ in range(steps):
            terminal.press("n")
            terminal.settle()
        terminal.press("e")
        terminal.wait_for(say.HINT.en)
        for _ in range(times):
            terminal.press("r")
            terminal.settle()
            start = time.perf_counter()
            terminal.press(key)
            terminal.wait_for(*VERDICTS)
            waits.append(time.perf_counter() - start)
            terminal.settle()
    return waits

"""However the course ends, the terminal is a terminal again and what was graded is kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from course import words_lesson as say
from engine.grade.lesson import ExerciseRef
from tests.terminal.learner import Learner, folder
from tests.terminal.tmux import Tmux

pytestmark = pytest.mark.needs("tmux")
SIZE = (80, 24)
FIRST = "01-containers"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_gives_the_terminal_back(number: int, code: int, tmp_path: Path) -> None:
    with Tmux(tmp_path, SIZE) as terminal:
        terminal.start("--data-dir", str(tmp_path / "kept"), "--lang", "en", "--lesson", "1")
        terminal.wait(r"1/\d")
        assert terminal.alternate()
        os.kill(terminal.child(), number)
        terminal.wait(f"code={code}")
        assert not terminal.alternate()
        assert not terminal.mouse()
        terminal.type("echo us''able")
        terminal.keys("Enter")
        terminal.wait("^usable|\nusable")


def test_without_a_terminal_it_says_one_line(tmp_path: Path) -> None:
    with Tmux(tmp_path, SIZE) as terminal:
        terminal.type(
            f"{terminal.program('--data-dir', str(tmp_path))} < /dev/null 2> {tmp_path}/err; echo code=$?"
        )
        terminal.keys("Enter")
        terminal.wait("code=2")
        assert not terminal.alternate()
    said = (tmp_path / "err").read_text()
    assert said.count("\n") == 1 and "--plain" in said


def test_kill_9_loses_nothing_that_was_graded(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path / "kept"), "--lang", "en")
    first = next(b.id for b in folder(FIRST).lesson.steps[0].en if isinstance(b, ExerciseRef))
    with Tmux(tmp_path, SIZE) as terminal:
        learner = Learner(terminal, "en", FIRST)
        terminal.start(*options, "--lesson", "1")
        terminal.wait(r"1/\d")
        learner.solve(first)
        os.kill(terminal.child(), signal.SIGKILL)
        terminal.wait("code=137")
    with Tmux(tmp_path, SIZE) as terminal:
        terminal.start(*options)
        terminal.wait(r"▸ +1 ")
        terminal.keys("Enter")
        terminal.wait("✔")
        terminal.wait(Learner(terminal, "en", FIRST).text(say.SOLVED))


def test_ctrl_c_says_how_to_quit_and_keeps_running(tmp_path: Path) -> None:
    with Tmux(tmp_path, SIZE) as terminal:
        terminal.start("--data-dir", str(tmp_path / "kept"), "--lang", "ko")
        terminal.keys("C-c")
        terminal.wait(r"Ctrl\+Q로")
        terminal.keys("C-q")
        terminal.wait("code=0")


def test_a_small_window_says_so_and_comes_back_as_it_was(tmp_path: Path) -> None:
    with Tmux(tmp_path, SIZE) as terminal:
        terminal.start("--data-dir", str(tmp_path / "kept"), "--lang", "en", "--lesson", "1")
        terminal.wait(r"1/\d")
        terminal.keys("t")
        terminal.wait_bar(r"\^o ")
        terminal.type("ip a")
        terminal.wait("ip a")
        terminal.resize(60, 15)
        terminal.wait("60x15")
        terminal.resize(*SIZE)
        terminal.wait_bar(r"\^o ")
        terminal.type("ddr")
        terminal.wait("# ip addr")
        terminal.resize(60, 15)
        terminal.wait("60x15")
        terminal.keys("q")
        terminal.wait("code=0")

"""A real terminal for tests: the program in tmux, keys in, screens out. All waiting is for a text, never for a time."""

from __future__ import annotations

import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0
POLL = 0.02
#: seconds that a program may take to end after its terminal
PATIENCE = 10.0
SOCKETS = itertools.count()


class Tmux:
    """One tmux server with one window. `command` runs in a shell that stays, so that what it leaves can be seen."""

    def __init__(self, folder: Path, size: tuple[int, int], **environment: str) -> None:
        self.socket = folder / f"tmux{next(SOCKETS)}"  # the server before it may still be ending
        columns, rows = size
        keep = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME")}
        self.environment = {
            **keep, "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT), "TERM": "screen",
            "XDG_DATA_HOME": str(folder / "data-home"), **environment,
        }  # fmt: skip
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "-s", "t", "sh")
        self.wait("[$#]")
        self.type("PS1='ready> '; clear")
        self.keys("Enter")
        self.wait("^ready>")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        programs = self.children()
        self._tmux("kill-server", check=False)
        self.see_gone(programs)

    @staticmethod
    def see_gone(programs: list[int]) -> None:
        """Whatever ran in the terminal ends with it; what does not is ended here, and is a failure."""
        deadline = time.monotonic() + PATIENCE
        while programs := [pid for pid in programs if Path(f"/proc/{pid}").exists()]:
            if time.monotonic() > deadline:
                for pid in programs:
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"processes outlive their terminal: {programs}")
            time.sleep(POLL)

    def _tmux(self, *words: str, check: bool = True) -> str:
        argv = ["tmux", "-S", str(self.socket), "-f", "/dev/null", "-u", *words]
        done = subprocess.run(
            argv, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=check
        )
        return done.stdout

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p", "-t", "t")

    def bar(self) -> str:
        """The last line that is not empty: the keys."""
        lines = [line for line in self.screen().splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def keys(self, *names: str) -> None:
        """Keys by tmux's names: Enter, Down, C-o, F9, a."""
        if names:
            self._tmux("send-keys", "-t", "t", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-t", "t", "-l", "--", text)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-t", "t", "-x", str(columns), "-y", str(rows))

    @staticmethod
    def program(*options: str) -> str:
        """The course as a shell's command."""
        return shlex.join([sys.executable, "-m", "course", *options])

    def start(self, *options: str) -> None:
        """Open the course; it is waited for until its keys are shown."""
        self.type(self.program(*options) + '; echo "code=$?"')
        self.keys("Enter")
        self.wait(r"\bF1 ")

    def wait(self, pattern: str, *, gone: bool = False) -> str:
        """The screen as soon as the pattern is on it (or off it)."""
        deadline = time.monotonic() + DEADLINE
        wanted = re.compile(pattern)
        while True:
            screen = self.screen()
            if (wanted.search(screen) is None) is gone:
                return screen
            if time.monotonic() > deadline:
                raise AssertionError(f"{pattern!r} {'stays' if gone else 'never comes'}:\n{screen}")
            time.sleep(POLL)

    def wait_bar(self, pattern: str) -> None:
        """Until the key bar has the pattern."""
        deadline = time.monotonic() + DEADLINE
        while re.search(pattern, self.bar()) is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"the key bar never has {pattern!r}:\n{self.screen()}")
            time.sleep(POLL)

    def alternate(self) -> bool:
        """Is the alternate screen on?"""
        return self._tmux("display-message", "-p", "-t", "t", "#{alternate_on}").strip() == "1"

    def mouse(self) -> bool:
        """Does the program in the window still ask for the mouse?"""
        return self._tmux("display-message", "-p", "-t", "t", "#{mouse_any_flag}").strip() == "1"

    def children(self) -> list[int]:
        """The process ids of what the shell runs now."""
        shell = self._tmux("display-message", "-p", "-t", "t", "#{pane_pid}", check=False).strip()
        if not shell:
            return []
        found = subprocess.run(["pgrep", "-P", shell], capture_output=True, text=True, check=False)
        return [int(word) for word in found.stdout.split()]

    def child(self) -> int:
        """The process id of the program that the shell runs."""
        return self.children()[0]

"""A terminal window that is closed while the course runs: the program ends, and does not spin on a dead terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


@pytest.mark.skipif(sys.platform == "win32", reason="a pty is Unix")
def test_a_closed_terminal_ends_the_course(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "course", "--data-dir", str(tmp_path), "--lang", "en"]
    pid, fd = pty.fork()
    if pid == 0:  # pragma: no branch
        os.chdir(ROOT)
        os.environ.update(TERM="xterm-256color", COLUMNS="100", LINES="30")
        os.execv(command[0], command)
    try:
        seen = b""
        end = time.monotonic() + PATIENCE
        while b"quit" not in seen and time.monotonic() < end:
            if select.select([fd], [], [], 0.2)[0]:
                seen += os.read(fd, 65536)
        assert b"quit" in seen
        os.close(fd)
        end = time.monotonic() + PATIENCE
        done, status = 0, 0
        while not done and time.monotonic() < end:
            done, status = os.waitpid(pid, os.WNOHANG)
            time.sleep(0.05)
        assert done and os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
        pid = 0
    finally:
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

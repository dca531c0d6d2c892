"""A program on a pseudo-terminal, watched from outside: when a text appears, what it costs in CPU and memory.

Textual asks the terminal a few questions at its start and waits for some of the answers; they are given here
as a common terminal gives them. CPU time and memory are read from /proc, so those are measured on Linux only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

#: colours and the like: they may stand between two letters of a text
STYLE = re.compile(rb"\x1b\[[0-9;:]*m")
#: the terminal's answers: synchronised output is known, in-band resize is not; cursor position; device
ANSWERS = ((b"\x1b[?2026$p", b"\x1b[?2026;2$y"), (b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[c", b"\x1b[?62;c"))


class NotSeen(Exception):
    """The text did not come; the message has the end of what came instead."""


class Terminal:
    """One run of a program on a terminal of its own. Times are seconds since the spawn."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], *, columns: int = 100, rows: int = 30
    ) -> None:
        self.started = time.perf_counter()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], list(argv), dict(environment))
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._seen = b""
        self._gone = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, seconds: float) -> int:
        """Take what comes first within this time; the number of bytes, 0 when nothing did."""
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return 0
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        self._gone = not data
        for question, answer in ANSWERS:
            if question in data:
                os.write(self._fd, answer)
        self._seen = (self._seen + data)[-400_000:]
        return len(data)

    def wait_for(self, *texts: str, timeout: float = 30.0) -> float:
        """Seconds from the spawn until one of the texts is on the screen."""
        end = time.perf_counter() + timeout
        while time.perf_counter() < end and not self._gone:
            if not self._read(end - time.perf_counter()):
                continue
            seen = STYLE.sub(b"", self._seen)
            if any(text.encode() in seen for text in texts):
                return time.perf_counter() - self.started
        shown = re.sub(rb"\x1b\[[0-9;?]*[ -/]*[@-~]", b" ", self._seen)[-600:].decode(errors="replace")
        end_of_wait = "the program ended" if self._gone else f"{timeout:.0f} s passed"
        wanted = " or ".join(map(repr, texts))
        raise NotSeen(
            f"{end_of_wait} before {wanted} was seen; the last that came: {' '.join(shown.split())}"
        )

    def press(self, keys: str) -> None:
        self._seen = b""
        os.write(self._fd, keys.encode())

    def watch(self, seconds: float) -> int:
        """Let the program run and draw for this long; the number of bytes that it drew."""
        end, drawn = time.perf_counter() + seconds, 0
        while (left := end - time.perf_counter()) > 0 and not self._gone:
            drawn += self._read(left)
        return drawn

    def settle(self, silence: float = 0.5, timeout: float = 20.0) -> None:
        """Until nothing has been drawn for `silence` seconds."""
        end = time.perf_counter() + timeout
        while time.perf_counter() < end and not self._gone and self._read(silence):
            pass

    def cpu_seconds(self) -> float:
        """CPU time that the process has used, all threads."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_share(self, seconds: float) -> float:
        """Part of one core, 0 to 1, that the program takes over this time."""
        before, start = self.cpu_seconds(), time.perf_counter()
        self.watch(seconds)
        return (self.cpu_seconds() - before) / (time.perf_counter() - start)

    def peak_mib(self) -> float:
        """The most memory that the process has held (peak resident set), in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        if found is None:
            raise NotSeen("/proc has no VmHWM for the process; is it gone?")
        return int(found[1]) / 1024

    def close(self) -> None:
        """End the program: nothing is waited for, its data folder is thrown away."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.close(self._fd)
        os.waitpid(self.pid, 0)

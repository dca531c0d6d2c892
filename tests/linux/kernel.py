"""A real kernel beside the model: an empty namespace in which command lines are run one by one.

    with Kernel() as kernel:
        stdout, stderr, code = kernel.run("ip link add br0 type bridge")

Needs user namespaces. IPv6 is off, /run is empty, lo is down, as in the transcripts of tests/golden/iproute.
"""

from __future__ import annotations

import json
import subprocess
from types import TracebackType

WORKER = r"""
import json, subprocess, sys
def sh(line):
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, errors="replace")
    return [done.stdout, done.stderr, done.returncode]
sh("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1")
sh("mount -t tmpfs tmpfs /run")
for line in sys.stdin:
    print(json.dumps(sh(json.loads(line))), flush=True)
"""


class Kernel:
    """A process in a namespace of its own; it ends with the `with` block."""

    def __enter__(self) -> Kernel:
        self.worker = subprocess.Popen(
            ["unshare", "-Urnm", "--fork", "python3", "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.worker.stdin is not None:
            self.worker.stdin.close()
        self.worker.wait()

    def run(self, line: str) -> tuple[str, str, int]:
        """(stdout, stderr, exit code) of a shell line."""
        if self.worker.stdin is None or self.worker.stdout is None:
            raise ValueError("the worker has no pipes")
        self.worker.stdin.write(json.dumps(line) + "\n")
        self.worker.stdin.flush()
        stdout, stderr, code = json.loads(self.worker.stdout.readline())
        return stdout, stderr, code

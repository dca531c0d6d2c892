"""What the kernel says of every packet it throws away: the tracepoint skb:kfree_skb, read by a process of its own.

Theory. Only root of the whole machine may trace, so the reader is no part of the namespaces that are watched: it mounts
tracefs in a mount namespace of its own, makes an instance there and takes it away again when its stdin ends. The
tracepoint is the machine's: a line counts when the process that was running then is the one that sent the packet (a
packet runs through all namespaces of a machine in its sender's system call), or when a timer does it and the scene
waits for that.

Rules. Standard library only in the reader. `unusable()` is the reason why nothing can be traced here, or "".
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import cache
from types import TracebackType

READER = r"""
import ctypes, json, os, sys
at, name = sys.argv[1], "k8snet%d" % os.getpid()
if ctypes.CDLL(None, use_errno=True).mount(b"none", at.encode(), b"tracefs", 0, None):
    sys.exit("mount tracefs: " + os.strerror(ctypes.get_errno()))
home = at + "/instances/" + name
os.mkdir(home)
def put(file, value):
    with open(home + "/" + file, "w") as out:
        out.write(value)
try:
    put("trace_marker", "here")
    with open(home + "/trace") as file:
        if not any("-%d " % os.getpid() in line and line.rstrip().endswith("here") for line in file):
            raise SystemExit("process numbers are those of a container: a sender cannot be told from others")
    put("trace", "")
    put("events/skb/kfree_skb/enable", "1")
    pipe = os.open(home + "/trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
    print(json.dumps(""), flush=True)
    for _ in sys.stdin:
        read = b""
        while True:
            try:
                more = os.read(pipe, 1 << 16)
            except BlockingIOError:
                break
            if not more:
                break
            read += more
        print(json.dumps(read.decode(errors="replace")), flush=True)
    os.close(pipe)
    put("events/enable", "0")
finally:
    os.rmdir(home)
"""
LINE = re.compile(
    r"-(?P<pid>\d+) +\[.*kfree_skb: .*protocol=(?P<protocol>\d+) location=(?P<where>[^\s+]+)\S* reason: (?P<reason>\S+)"
)
IPV4, ARP = "2048", "2054"


class Drops:
    """The reader. Use as a context manager. Raises OSError with its reason when it cannot start."""

    def __init__(self) -> None:
        words = ["unshare", "-m", sys.executable, "-I", "-c", READER, "/mnt"]
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None and self.process.stderr is not None
        if not self.process.stdout.readline():
            said = self.process.stderr.read().strip().splitlines()
            self.process.wait()
            raise OSError(said[-1] if said else "the reader ended")

    def read(self, pid: int | None) -> list[tuple[str, str]]:
        """(function, reason) of every IPv4 packet dropped since the last time while `pid` was running; None = any."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        found = map(LINE.search, json.loads(self.process.stdout.readline()).splitlines())
        return [
            (one["where"], one["reason"])
            for one in found
            if one is not None and one["protocol"] == IPV4 and pid in (None, int(one["pid"]))
        ]

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=20)

    def __enter__(self) -> Drops:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@cache
def unusable() -> str:
    """Why drops cannot be traced here; "" when they can."""
    if not sys.platform.startswith("linux"):
        return "this is not Linux"
    if os.geteuid():
        return "only root may trace the kernel"
    try:
        with Drops():
            return ""
    except OSError as error:
        return str(error)

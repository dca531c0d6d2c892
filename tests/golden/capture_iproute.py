"""Makes tests/golden/iproute/*.txt from the real tools: each NAME.cmds is run line by line in a fresh namespace.

    python tests/golden/capture_iproute.py [NAME ...]

Needs Linux with user namespaces, iproute2 6.1 and net-tools. Nothing of this repository's engine is used here.
A .cmds file holds one command a line; `#` begins a comment; a line that begins with `@` is carried out and not
recorded (sysctl), and `@listen PROTO ADDRESS PORT BACKLOG` opens a socket. The transcript is `$ command`, its
stdout and stderr, and `[code]` where the code is not 0.
IPv6 is off, /run is empty, lo is down, and the kernel's link watch is given time before anything is listed.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent / "iproute"
QUIET = ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
#: seconds: net/core/link_watch.c defers events by up to one second
LINK_WATCH = 1.1
CHANGES = (" link add", " link set", " link del", " netns del", "brctl add", "brctl del", "ifconfig")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, errors="replace")


def listen(words: list[str], kept: list[socket.socket]) -> None:
    """`@listen tcp 0.0.0.0 80 511`: a socket of this very process."""
    proto, address, port, backlog = words
    one = socket.socket(socket.AF_INET, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
    one.bind((address, int(port)))
    if proto == "tcp":
        one.listen(int(backlog))
    kept.append(one)


def transcript(commands: list[str]) -> str:
    for setup in (f"sysctl -qw {' '.join(QUIET)}", "mount -t tmpfs tmpfs /run"):
        done = shell(setup)
        if done.returncode:
            raise SystemExit(f"{setup}: {done.stderr}")
    out = ""
    changed = False
    kept: list[socket.socket] = []
    for line in commands:
        hidden = line.startswith("@")
        command = line[1:].strip() if hidden else line
        if command.startswith("listen "):
            listen(command.split()[1:], kept)
            continue
        changes = any(word in f" {command}" for word in CHANGES)
        if changed and not changes:
            time.sleep(LINK_WATCH)
            changed = False
        done = shell(command)
        changed = changed or changes
        words = command.split()
        if words[:3] == ["ip", "netns", "add"] and not done.returncode:
            shell(f"ip netns exec {words[3]} sysctl -qw {' '.join(QUIET)}")
        if hidden:
            if done.returncode:
                raise SystemExit(f"{command}: {done.stderr}")
            continue
        out += f"$ {command}\n{done.stdout}{done.stderr}"
        if done.returncode:
            out += f"[{done.returncode}]\n"
    return out


def read(path: Path) -> list[str]:
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        path = HERE / f"{sys.argv[2]}.cmds"
        path.with_suffix(".txt").write_text(transcript(read(path)))
        return
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.cmds"))
    for name in names:
        print(name)
        subprocess.run(["unshare", "-Urnm", "--fork", "python3", __file__, "--inside", name], check=True)


if __name__ == "__main__":
    main()

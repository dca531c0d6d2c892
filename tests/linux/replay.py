"""Replays a transcript of the real tools (tests/golden/iproute) on a fresh machine of the model.

The model's machine stands for the empty namespace in which the transcript was made: lo is down, IPv6 is off.
MAC addresses that the kernel drew at random are renamed by their order, on both sides.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.net import Net
from engine.shell.tool import Out
from engine.shell.tools import bridge as bridge_tool
from engine.shell.tools import ip as ip_tool

GOLDEN = Path(__file__).parent.parent / "golden" / "iproute"
MAC = re.compile(r"\b(?!ff:ff|00:00:00:00:00:00|02:00:00|33:33|01:00:5e)[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b")


class Replay:
    """One machine named `h`; `run(line)` answers as the transcripts are written."""

    def __init__(self) -> None:
        self.net = Net()
        self.changes = ops.Changes(self.net)
        self.changes.do(ops.AddBox(name="h"))
        self.changes.do(ops.SetLink(netns="h", name="lo", up=False))
        self.changes.do(ops.FlushAddresses(netns="h", device="lo"))
        here = self.net.spaces["h"]
        here.links[1] = replace(here.links[1], qdisc="noop")

    def run(self, line: str) -> tuple[str, str, int]:
        words = shlex.split(line)
        if words[:2] == ["sysctl", "-qw"]:
            for pair in words[2:]:
                key, _, value = pair.partition("=")
                self.net.spaces["h"].sysctls[key] = value
            return "", "", 0
        return self.argv("h", words)

    def argv(self, netns: str, words: Sequence[str]) -> tuple[str, str, int]:
        if words[0] == "ip":
            return ip_tool.run(self.net, netns, words[1:], self.changes.do, self.run_in)
        if words[0] == "bridge":
            return bridge_tool.run(self.net, netns, words[1:], self.changes.do)
        return "", f"bash: {words[0]}: command not found\n", 127

    def run_in(self, netns: str, words: Sequence[str]) -> Out:
        stdout, stderr, code = self.argv(netns, words)
        return Out(stdout=stdout, stderr=stderr, code=code)


def commands(name: str) -> list[str]:
    lines = (line.strip() for line in (GOLDEN / f"{name}.cmds").read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def blocks(text: str) -> list[str]:
    """A transcript cut before every `$ `."""
    return [block for block in re.split(r"^(?=\$ )", text, flags=re.M) if block]


def neutral(text: str) -> str:
    """With random MAC addresses renamed by their order of appearance."""
    seen: dict[str, str] = {}
    return MAC.sub(lambda m: seen.setdefault(m.group(), f"<mac {len(seen) + 1}>"), text)


def replayed(name: str) -> str:
    """The transcript that the model gives for the same commands."""
    machine = Replay()
    out = ""
    for line in commands(name):
        hidden = line.startswith("@")
        command = line[1:].strip() if hidden else line
        try:
            stdout, stderr, code = machine.run(command)
        except NotModelled as error:
            stdout, stderr, code = "", f"{error}\n", 1
        if not hidden:
            out += f"$ {command}\n{stdout}{stderr}" + (f"[{code}]\n" if code else "")
    return out

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
from engine.linux.addr import ip4
from engine.linux.net import Net
from engine.linux.rows import Socket
from engine.shell.tool import Fail, Out
from engine.shell.tools import arp as arp_tool
from engine.shell.tools import brctl as brctl_tool
from engine.shell.tools import bridge as bridge_tool
from engine.shell.tools import ifconfig as ifconfig_tool
from engine.shell.tools import ip as ip_tool
from engine.shell.tools import netstat as netstat_tool
from engine.shell.tools import route as route_tool
from engine.shell.tools import ss as ss_tool

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
        if words[0] == "listen":
            self.listen(*words[1:])
            return "", "", 0
        if words[:2] == ["sysctl", "-qw"]:
            for pair in words[2:]:
                key, _, value = pair.partition("=")
                self.net.spaces["h"].sysctls[key] = value
            return "", "", 0
        return self.argv("h", words)

    def listen(self, proto: str, address: str, port: str, backlog: str) -> None:
        if 7 not in self.net.boxes["h"].procs:
            self.changes.do(ops.StartProc(box="h", args=("/usr/bin/python3",), netns="h", pid=7))
        row = Socket(
            proto=proto, addr=ip4(address), port=int(port), pid=7, backlog=int(backlog),
            state="LISTEN" if proto == "tcp" else "UNCONN",
        )  # fmt: skip
        self.changes.do(ops.Listen(netns="h", socket=row))

    def argv(self, netns: str, words: Sequence[str]) -> tuple[str, str, int]:
        if words[0] == "ip":
            return ip_tool.run(self.net, netns, words[1:], self.changes.do, self.run_in)
        if words[0] == "bridge":
            return bridge_tool.run(self.net, netns, words[1:], self.changes.do)
        if words[0] in ("arp", "brctl", "route"):
            tool = {"arp": arp_tool, "brctl": brctl_tool, "route": route_tool}[words[0]]
            return tool.run(self.net, netns, list(words[1:]), self.changes.do)
        if words[0] in ("ss", "netstat", "ifconfig"):
            show = {"ss": ss_tool.table, "netstat": netstat_tool.table, "ifconfig": ifconfig_tool.perform}[
                words[0]
            ]
            try:
                return show(self.net, netns, list(words[1:])), "", 0
            except Fail as fail:
                return fail.out.stdout, fail.out.stderr, fail.out.code
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


def in_order(block: str) -> str:
    """The lines of a block sorted where the kernel lists by its hash; widths that a pid's length makes are even."""
    if not block.startswith(("$ arp", "$ ss", "$ netstat")):
        return block
    return "".join(sorted(line.rstrip() + "\n" for line in block.splitlines()))


def neutral(text: str) -> str:
    """With random MAC addresses renamed by their order of appearance."""
    seen: dict[str, str] = {}
    text = re.sub(r"pid=\d+,fd=\d+", "pid=N,fd=N", text)
    text = re.sub(r"\b\d+/python3 *", "N/python3", text)
    text = re.sub(r"X packets .*", "X packets N", text)
    # systemd makes fq_codel the default on Debian; the namespace that was recorded had the kernel's own.
    text = text.replace("pfifo_fast", "fq_codel")
    text = re.sub(r"(_timer) +[0-9.]+", r"\1 N", text)
    text = "".join(in_order(block) for block in blocks(text))
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

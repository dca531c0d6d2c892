"""IPVS, IPIP, Geneve, ipvlan and dummy against what the second kernel was recorded doing, step by step.

The recordings are made by capture_second.py. A scene is built in the model from the same lines, and its steps are done
in the same order: each packet's way, the answer that its sender got, the connections, IPVS's own tables are equal.
Not compared: when an entry expires, a tunnel's own source port, the order of a hash table's rows, what a raw socket
hears of an ICMP error.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.linux.net import Net
from engine.linux.ops import Changes
from engine.linux.ops.box import Advance
from engine.linux.text import conntrack as conntrack_text
from engine.real import second
from engine.shell.shell import Shell
from engine.shell.world import World
from tests.real import claims, model
from tests.real.saying import named_ports
from tests.real.scene import Scene, Send
from tests.real.second_scenes import SCENES
from tests.real.test_recorded import grid

HERE = Path(__file__).parent / "recorded" / "second"
#: a rule in nftables' words -> its number alone; the packet's end -> `policy` or nothing
VERDICT = re.compile(r"(#\d+)=\S+")
EXPIRES = re.compile(r"^(\w+ ) *\d+:\d+ +")
#: a tunnel's own source port: a hash with a secret of each kernel's
TUNNEL = re.compile(r"^(\w+ \S+ udp [0-9.]+):\d+ (> [0-9.]+:\d+ ttl \d+ \| vni )")
#: ports that somebody chose by hand; the senders' are from 40001 on
KNOWN = (0, 7, 9, 22, 53, 54, 80, 81, 5353, 6081, 6082, 8080, 8472, 30080, 65535)
CHOSEN = re.compile(r"(sport|dport)=(\d+)")
SECONDS, USE = re.compile(r"^(\S+ +\d+) \d+ "), re.compile(r" use=\d+$")


def plain(line: str) -> str:
    """A line of the model in the words of TRACE, which knows no verdicts."""
    head, arrow, end = line.rpartition(" => ")
    if not arrow:
        return line
    return VERDICT.sub(r"\1", head) + (" policy" if end.startswith("policy") else "")


def table(text: str) -> list[str]:
    """Lines of a tool as they can be compared: without times; a list of connections in any order."""
    lines = [EXPIRES.sub(r"\1", line) for line in text.splitlines()]
    return sorted(lines) if text.startswith("IPVS connection") else lines


def connections(rows: list[str]) -> list[str]:
    """Lines of `conntrack -L` in any order, without times; a port that the kernel chose is `*`."""

    def port(found: re.Match[str]) -> str:
        known = int(found[2]) in KNOWN or 40001 <= int(found[2]) < 40100
        return found[0] if known else f"{found[1]}=*"

    return sorted(CHOSEN.sub(port, USE.sub("", SECONDS.sub(r"\1 ", row))) for row in rows)


class Replay:
    """A scene in the model."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.net: Net = model.build(scene.lines, scene.listening)
        self.shell = Shell(World(net=self.net), f"node/{model.HOST}")

    def step(self, step: Send | str, truth: dict[str, Any]) -> dict[str, list[str]]:
        """What the model says of one step, in the recording's words. It begins when it began in the kernel: entries end
        by their timers."""
        wait = step.wait if isinstance(step, Send) and truth["error"] == "SILENCE" else 0.0
        late = truth.get("at", 0.0) - wait - self.net.clock
        if late > 0:
            Changes(self.net).do(Advance(seconds=late))
        out: dict[str, list[str]] = {}
        error = ""
        if isinstance(step, str):
            got = self.shell.run(step)
            assert not got.code and not got.stderr.strip(), f"{step}\n{got.stderr}"
        else:
            choose = model.Recorded(truth["lines"], model.names(self.net), truth["sport"])
            call = model.call(
                self.net, step.netns, step.proto, step.dst, step.dport, truth["sport"], choose,
                size=step.size, df=step.df, echo=True, wait=step.wait,
            )  # fmt: skip
            claims.hear(call.leg.walks())
            error = "SILENCE" if call.error == "ETIMEDOUT" else call.error
            out = {
                name: [TUNNEL.sub(r"\1 \2", plain(r)) for r in rows]
                for name, rows in model.lines(self.net, call.leg.walks()).items()
            }
            if step.proto != "icmp":
                out["answer"] = [error]
        for id, name in model.names(self.net).items():
            entries = self.net.spaces[id].conntrack.shown(self.net.clock)
            rows = [conntrack_text.to_text(entry, self.net.clock) for entry in entries]
            if rows:
                out[f"{name} conntrack"] = connections(rows)
        for name, line in self.scene.shown:
            out[f"{name}: {line}"] = table(self.shell.run(f"ip netns exec {name} {line}").stdout)
        return out


def truth_of(step: Send | str, truth: dict[str, Any]) -> dict[str, list[str]]:
    out = {name: [TUNNEL.sub(r"\1 \2", row) for row in rows] for name, rows in truth["lines"].items()}
    if isinstance(step, Send) and step.proto != "icmp":
        out["answer"] = [truth["error"]]
    out |= {f"{name} conntrack": connections(rows) for name, rows in truth["conntrack"].items()}
    return out | {key: table(text) for key, text in truth.get("shown", {}).items()}


def without_slow_path(rows: dict[str, list[str]]) -> dict[str, list[str]]:
    """A frame that a bridge gives to another of its own ports may pass the bridge device once more."""
    return {
        name: [line for line in lines if not line.startswith("out cni0 ")] for name, lines in rows.items()
    }


def replay(name: str, folder: Path = HERE) -> tuple[str, int, int]:
    """(where the two part first, packets, lines compared); `folder` holds the recording."""
    scene = SCENES[name]
    recorded = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["steps"]
    side = Replay(scene)
    packets = lines = 0
    fixed = {*range(40001, 40001 + len(recorded)), *KNOWN}
    for number, (step, truth) in enumerate(zip(scene.steps, recorded, strict=True)):
        theirs = named_ports(without_slow_path(truth_of(step, truth)), fixed)
        ours = named_ports(without_slow_path(side.step(step, truth)), fixed)
        found = grid(ours, theirs)
        if found:
            return f"{name}, step {number}: {step}\n{found}", packets, lines
        packets += isinstance(step, Send)
        lines += sum(len(rows) for rows in theirs.values())
    return "", packets, lines


@pytest.mark.parametrize("name", SCENES)
def test_the_model_equals_the_second_kernel(name: str, record_property: pytest.RecordProperty) -> None:
    differences, packets, lines = replay(name)
    assert differences == ""
    record_property("kernel comparison", (1, packets, lines))


@pytest.fixture(scope="module")
def recorded_now(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every scene in one run of the second kernel here."""
    problem = second.available()
    if problem is not None:
        pytest.skip(str(problem))
    folder = tmp_path_factory.mktemp("second")
    script = Path(__file__).with_name("capture_second.py")
    subprocess.run([sys.executable, str(script), "--to", str(folder)], check=True, timeout=3000)
    return folder


@pytest.mark.skipif(
    "K8SNET_REAL_ROUNDS" not in os.environ, reason="`make real` records anew; the suite reads"
)
@pytest.mark.parametrize("name", SCENES)
def test_the_second_kernel_itself(
    name: str, recorded_now: Path, record_property: pytest.RecordProperty
) -> None:
    differences, packets, lines = replay(name, recorded_now)
    assert differences == ""
    record_property("kernel comparison", (1, packets, lines))

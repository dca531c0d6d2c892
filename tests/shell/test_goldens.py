"""The transcripts of the real tools (tests/golden/shell), replayed in the model: same text, same exit codes.

What is nobody's choice is masked on both sides: round-trip times, clocks, process ids, ports, sequence numbers.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.l7.catalogue import BUSYBOX
from engine.shell.world import World
from tests.shell.labs import at, serve, three

GOLDEN = Path(__file__).parents[1] / "golden" / "shell"

MASKS: list[tuple[str, str]] = [
    (r"time=[\d.]+ ms", "time=T ms"),
    (r"time \d+ms", "time Tms"),
    (r"= [\d.]+/[\d.]+/[\d.]+/[\d.]+ ms", "= R ms"),
    (r"= [\d.]+/[\d.]+/[\d.]+ ms", "= R ms"),
    (r"after \d+ (ms|milliseconds)", r"after N \1"),
    (r"(?<![\d.])\d+\.\d{3} ms", "N ms"),
    (r"^\d\d:\d\d:\d\d\.\d{6} ", "CLOCK "),
    (r"id \d+, (offset|seq)", r"id N, \1"),
    (r"(10\.0\.1\.2)\.\d{5}", r"\1.PORT"),
    (r"seq \d{5,}", "seq N"),
    (r", options \[[^\]]*\]", ", options [O]"),
    (r"win \d+", "win W"),
    # the capture was made where the hardware would have summed; the devices of a lab sum themselves
    (r"cksum 0x[0-9a-f]{4} \((correct|incorrect -> 0x[0-9a-f]{4})\)", "cksum C"),
    (r"ifindex \d+", "ifindex I"),
    (r"ttl (\d+), id \d+", r"ttl \1, id N"),
    (r"ack \d{5,}", "ack N"),
    (r"(10\.0\.1\.1 +|10\.0\.2\.2 +)\d+\.\d+ ms", r"\1N ms"),
    (r"BusyBox v\S+ \([^)]*\)", "BusyBox"),
    (r" +", " "),
]


def masked(text: str) -> str:
    for pattern, to in MASKS:
        text = re.sub(pattern, to, text, flags=re.M)
    return text.rstrip("\n")


def transcript(name: str) -> list[tuple[str, str, str, int]]:
    """(place, command, output, code) of each command of a golden."""
    out: list[tuple[str, str, str, int]] = []
    place = command = ""
    lines: list[str] = []
    for line in (GOLDEN / f"{name}.txt").read_text().splitlines():
        start = re.match(r"([abr]?)\$ (.*)", line)
        end = re.fullmatch(r"\[code (\d+)\]", line)
        if start:
            place, command, lines = start.group(1), start.group(2), []
            if command.startswith("WATCH "):
                out.append((place, command, "", 0))
        elif end:
            out.append((place, command, "\n".join(lines), int(end.group(1))))
        else:
            lines.append(line)
    return out


def lab(name: str) -> World:
    world = three()
    if name in ("curl", "tcpdump"):
        serve(
            world,
            "lab/b",
            80,
            page="text",
            text="hello\n",
            server="test/1",
            date="Sat, 21 Nov 2026 09:00:00 GMT",
            missing="/nope",
        )
    elif name == "nc":
        serve(world, "lab/b", 80, page="text", text="hello\n", server="SimpleHTTP/0.6 Python/3.11.2")
    elif name == "busybox":
        serve(world, "lab/b", 80, page="text", text="hello\n", missing="/nope")
    if name == "nc":
        serve(world, "lab/b", 5000, "sink")
        serve(world, "lab/b", 5001, "sink", "udp")
    return world


#: lines of ours, which no real tool prints
OURS = re.compile(r"^\((a real|tcpdump|the lab|진짜)|is not modelled here", re.M)


def replay(name: str) -> list[str]:
    """What differs, as text."""
    world = lab(name)
    shells = {p: at(world, p) for p in ("", "a", "b", "r")}
    wrong = []
    watching = ""
    for place, command, want, code in transcript(name):
        if command.startswith("WATCH "):
            watching = command.removeprefix("WATCH ")
            world.watched[f"lab/lab/{place}"] = (world.position, world.position, 0.0)
            continue
        command = watching if command == "SHOW" else command
        shell = shells[place]
        if "busybox " in command:
            # in an image built on busybox its applets are the tools
            shell = at(world, place)
            shell.session.spot = replace(shell.session.spot, tools=BUSYBOX)
            command = command.replace("busybox ", "")
        result = shell.run(command)
        got = "".join(text for _, text in result.chunks)
        got = "\n".join(line for line in got.splitlines() if not OURS.search(line))
        if masked(got) != masked(want) or result.code != code:
            wrong.append(f"{place}$ {command}\n--- want [{code}]\n{want}\n--- got [{result.code}]\n{got}\n")
    return wrong


@pytest.mark.parametrize("name", ["ping", "ping-fails", "curl", "nc", "traceroute", "tcpdump", "busybox"])
def test_same_as_the_real_tool(name: str) -> None:
    wrong = replay(name)
    assert not wrong, "\n".join(wrong)

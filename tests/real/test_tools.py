"""What the lab's tools print, against what the real ones printed in the same wirings (recorded by capture_tools.py).

Every character is compared, spaces included, but for what time or chance wrote (MASKS) and what only the kernel sends
by itself: IGMP, in conntrack's table and in the counters of rules.
"""

from __future__ import annotations

import json
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from engine.linux.ops import SetSysctl
from engine.shell.shell import Shell
from engine.shell.world import World
from tests.real import capture_tools as capture
from tests.real import model, wirings

HERE = Path(__file__).parent / "recorded" / "tools"
MASKS = (
    (r"\bid=\d+", "id=I"),
    (r"^(udp +17|icmp +1|ipv4 +2 (udp +17|icmp +1)|ipv4 +2 icmp +1) \d+ ", r"\1 T "),
    (r"sport=(45\d{3}|[3-6]\d{4}) dport=8472", "sport=P dport=8472"),
    (r"sport=8472 dport=\d+", "sport=8472 dport=P"),
    (r"time=[\d.]+ ms", "time=T ms"),
    (r"(gc|forward_delay|hold|hello)_timer +\d+\.\d\d", r"\1_timer T"),
    (r"rtt min/avg/max/mdev = [\d./]+ ms", "rtt R"),
    (r"(?<=  )\d+\.\d\d$", "AGE"),
    (r"\d+\.\d+ ms", "T ms"),
    (r"conntrack v1.4.7 \(conntrack-tools\): \d+ flow", "conntrack: N flow"),
    (r"on \w{3} \w{3} [\d ]{2} [\d:]{8} \d{4}$", "on DATE"),
    (r"\[\d+:\d+\]", "[P:B]"),
    (r"^( *)\d+[KM]? +\d+[KM]? (?=\S)", "P B "),
    (r"\(policy (\w+) \d+ packets, \d+[KM]? bytes\)", r"(policy \1)"),
    (r"\b(REACHABLE|STALE|DELAY|PROBE)\b", "KNOWN"),
    (r'"state": \["(REACHABLE|STALE|DELAY|PROBE)"\]', '"state": ["KNOWN"]'),
)
#: lines that the real kernel wrote about its own multicast
OWN = re.compile(r"224\.0\.0\.22|^unknown +2 |^ipv4 +2 (igmp|unknown) |^33:33:")
#: commands whose rows come in the order of a hash with a random seed
HASHED = re.compile(r"^(ip (-j )?neigh|arp|conntrack|brctl show|ls)")


@cache
def world(name: str) -> World:
    wiring = wirings.wiring(name)
    found = model.world(wiring.lines)
    shell = Shell(found, f"node/{model.HOST}")
    for ns in found.net.spaces.values():  # as the stage of the capture does
        for device in ns.names:
            found.do(SetSysctl(netns=ns.id, key=f"net.ipv4.neigh.{device}.proxy_delay", value="0"))
    for where, line in capture.TRAFFIC:
        assert not shell.run(f"ip netns exec {where} {line.format(**wiring.addresses.pods)}").code
    return found


def masked(text: str) -> list[str]:
    """The lines with MASKS; a line of JSON as its rows."""
    out: list[str] = []
    lines = text.splitlines()
    if len(lines) == 1 and lines[0].startswith("[{"):
        lines = [json.dumps(row) for row in json.loads(lines[0])]
        lines = [line for line in lines if '"33:33:' not in line]
    for line in lines:
        if OWN.search(line):
            continue
        for pattern, word in MASKS:
            line = re.sub(pattern, word, line)
        out.append(line)
    return out


def typed(name: str, where: str, line: str) -> list[object]:
    """[stdout, stderr, code] of a command in a namespace of the model."""
    found = world(name).copy()
    shell = Shell(found, f"node/{model.HOST}")
    out = shell.run_argv(
        shlex.split(line), shell.session.spot.moved(model.space(found.net, where).id), "", False
    )
    return [out.stdout, out.stderr, out.code]


CASES = [(name, where) for name in capture.NAMES for where in capture.WHERE]


@pytest.mark.parametrize(("name", "where"), CASES)
def test_the_tools_print_what_the_real_ones_printed(
    name: str, where: str, record_property: pytest.RecordProperty
) -> None:
    recorded = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))[where]
    assert list(recorded) == list(dict.fromkeys(capture.lines_of(name))), "record anew: capture_tools.py"
    different = []
    for line, (stdout, stderr, code) in recorded.items():
        ours = typed(name, where, line)
        if line == "conntrack -C":
            continue  # it counts what only the kernel sends by itself
        order = sorted if HASHED.search(line) else list
        a = [*order(masked(str(ours[0]))), "-- " + str(ours[2]), *masked(str(ours[1]))]
        b = [*order(masked(stdout)), f"-- {code}", *masked(stderr)]
        if a != b:
            different.append("\n".join([f"{where}$ {line}", "--- real", *b, "--- ours", *a]))
    assert not different, f"{len(different)} of {len(recorded)} differ\n" + "\n\n".join(different)
    record_property("commands compared", len(recorded))

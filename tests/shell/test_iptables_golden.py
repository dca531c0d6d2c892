"""Sessions of the real iptables, iptables-save, iptables-restore, sysctl and conntrack, replayed in the lab's shell.

The goldens are made by tests/golden/capture_iptables.py from the real tools; nothing here writes them.
"""

from __future__ import annotations

import difflib
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.linux.addr import ip4
from engine.linux.conntrack import CtEntry, Tuple
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from engine.shell.shell import Shell
from engine.shell.world import World

FOLDER = Path(__file__).parent.parent / "golden" / "iptables"
WHEN = re.compile(r"( on )\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}$", re.MULTILINE)
#: What a kernel lists in the order of its hash table.
UNORDERED = ("conntrack -L", "conntrack -D", "conntrack -p tcp -L")


@dataclass
class Case:
    line: str
    prepare: bool
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)
    code: int = 0


def cases(path: Path) -> list[Case]:
    found: list[Case] = []
    for row in path.read_text(encoding="utf-8").splitlines():
        if row[:2] in ("$ ", "% "):
            found.append(Case(row[2:], row[0] == "%"))
        elif row.startswith("|"):
            found[-1].out.append(row[2:])
        elif row.startswith("!"):
            found[-1].err.append(row[2:])
        elif row.startswith("["):
            found[-1].code = int(row[1:-1])
    return found


@pytest.fixture
def shell() -> Shell:
    net = Net()
    Changes(net).do(AddBox(name="h"))
    return Shell(World(net=net), "node/h")


def insert(net: Net, line: str) -> None:
    """`conntrack -I ...`: the entry that the real tool made by hand."""
    words = shlex.split(line)[2:]
    got = dict(zip(words[::2], words[1::2], strict=True))
    number = {"tcp": 6, "udp": 17, "icmp": 1}.get(got["-p"]) or int(got["-p"])
    sport, dport = int(got.get("--sport", 0)), int(got.get("--dport", 0))
    if number == 1:
        sport, dport = int(got["--icmp-id"]), int(got["--icmp-type"]) << 8
    orig = Tuple(number, ip4(got["-s"]), sport, ip4(got["-d"]), dport)
    reply = orig.mirrored()
    if "-r" in got:
        ports = int(got["--reply-port-src"]), int(got["--reply-port-dst"])
        reply = Tuple(number, ip4(got["-r"]), ports[0], ip4(got["-q"]), ports[1])
    status = got.get("-u", "")
    entry = CtEntry(
        id=0, orig=orig, reply=reply, state=got.get("--state", ""), deadline=net.clock + int(got["-t"]) - 0.5,
        seen_reply="SEEN_REPLY" in status, assured="ASSURED" in status, mark=int(got.get("-m", 0)),
    )  # fmt: skip
    net.spaces["h"].conntrack.confirm(entry)


@pytest.mark.parametrize("name", sorted(p.stem for p in FOLDER.glob("*.txt")))
def test_session(name: str, shell: Shell) -> None:
    wrong = []
    for case in cases(FOLDER / f"{name}.txt"):
        if case.prepare:
            insert(shell.world.net, case.line)
            continue
        got = shell.run(case.line)
        out, err = WHEN.sub(r"\1DATE", got.stdout).splitlines(), got.stderr.splitlines()
        if case.line.startswith(UNORDERED):
            out, case.out = sorted(out), sorted(case.out)
        if (out, err, got.code) != (case.out, case.err, case.code):
            want = [*case.out, *(f"! {e}" for e in case.err), f"[{case.code}]"]
            have = [*out, *(f"! {e}" for e in err), f"[{got.code}]"]
            rows = difflib.unified_diff(want, have, "the real tool", "ours", lineterm="", n=0)
            wrong.append("\n".join([f"$ {case.line}", *rows]))
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong)


def test_goldens_are_there() -> None:
    assert {p.stem for p in FOLDER.glob("*.txt")} >= {
        "chains",
        "rules",
        "refusals",
        "restore",
        "counters",
        "sysctl",
    }

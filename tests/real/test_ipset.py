"""ipset against the real tool and the real kernel: the same lines on both sides, every answer to the letter.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many. A failing test names its seed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from engine.linux.ipset.command import run
from engine.linux.net import Net
from engine.linux.ops import AddBox, Changes
from tests.linux.ipset.making import Maker
from tests.linux.xt.kernel import inside
from tests.tools import need

need("userns", "ipset", "iptables")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
SEEDS, LINES = 40, 60

PROGRAM = """
def ran(argv, text=""):
    done = subprocess.run(["ipset", *argv], input=text, capture_output=True, text=True)
    return [done.stdout, done.stderr, done.returncode]
out = []
for case in data:
    out.append([ran(argv) for argv in case])
    subprocess.run(["ipset", "flush"])
    for turn in (1, 2):  # the members of list:sets go when the lists are gone
        for name in subprocess.run(["ipset", "list", "-n"], capture_output=True, text=True).stdout.split():
            subprocess.run(["ipset", "destroy", name], capture_output=True)
json.dump(out, sys.stdout)
"""


def lab() -> tuple[Net, Changes]:
    net = Net()
    changes = Changes(net)
    changes.do(AddBox(name="h"))
    return net, changes


def settled(text: str) -> str:
    """Seconds that are left may have passed by one on the real side."""
    text = re.sub(r"\b(timeout) (4999|3999)\b", lambda m: f"{m[1]} {int(m[2]) + 1}", text)
    return re.sub(r"<timeout>(4999|3999)<", lambda m: f"<timeout>{int(m[1]) + 1}<", text)


def cut(argv: list[str], text: str) -> bool:
    """ipset 7.17 itself loses the end of some words when it sorts a listing longer than its buffer."""
    return "-s" in argv and len(text) > 4000


def check(seeds: range) -> int:
    cases = [Maker(seed).lines(LINES) for seed in seeds]
    answers = inside(PROGRAM, cases)
    count = 0
    for seed, case, answer in zip(seeds, cases, answers, strict=True):
        net, changes = lab()
        for number, (argv, real) in enumerate(zip(case, answer, strict=True)):
            ours = run(net, "h", argv, changes.do)
            theirs = (settled(real[0]), settled(real[1]), real[2])
            if cut(argv, real[0]):
                continue
            said = "\n".join(" ".join(line) for line in case[: number + 1])
            assert ours == theirs, f"seed {seed}, line {number}\n{said}"
            count += 1
        again = Net()
        replay = Changes(again)
        for op in changes.log:
            replay.do(op)
        for argv in (["save"], ["list"]):
            assert run(again, "h", argv, replay.do) == run(net, "h", argv, changes.do)
    return count


@pytest.mark.parametrize("group", range(4 * ROUNDS))
def test_random_lines(group: int, record_property: Callable[[str, object], None]) -> None:
    size = SEEDS // 4
    count = check(range(group * size, (group + 1) * size))
    record_property("ipset lines compared", count)


RESTORE = """
def ran(argv, text=""):
    done = subprocess.run(["ipset", *argv], input=text, capture_output=True, text=True)
    return [done.stdout, done.stderr, done.returncode]
out = []
for text, flags in data:
    out.append([ran(["restore", *flags], text), ran(["save"])])
    for turn in (1, 2):
        for name in subprocess.run(["ipset", "list", "-n"], capture_output=True, text=True).stdout.split():
            subprocess.run(["ipset", "destroy", name], capture_output=True)
json.dump(out, sys.stdout)
"""


def restore_text(seed: int) -> str:
    """Lines that change something; ranges of many thousands only take time."""
    out = []
    for argv in Maker(seed).lines(LINES):
        if argv[0] in ("list", "save", "test", "frob") or "0.0.0.0" in argv or "-10.0.1." in " ".join(argv):
            continue
        out.append(" ".join(f'"{word}"' if " " in word or not word else word for word in argv))
    return "\n".join(out) + "\n"


@pytest.mark.parametrize("group", range(2 * ROUNDS))
def test_random_texts(group: int, record_property: Callable[[str, object], None]) -> None:
    """`ipset restore`: what it says and what it leaves, also when it stops in the middle."""
    seeds = range(group * 60, (group + 1) * 60)
    cases = [(restore_text(seed), ["-exist"] if seed % 3 else []) for seed in seeds]
    for seed, (text, flags), (said, left) in zip(seeds, cases, inside(RESTORE, cases), strict=True):
        net, changes = lab()
        ours = run(net, "h", ["restore", *flags], changes.do, text)
        assert ours == (settled(said[0]), settled(said[1]), said[2]), f"seed {seed}\n{text}"
        assert run(net, "h", ["save"], changes.do)[0] == settled(left[0]), f"seed {seed}\n{text}"
    record_property("ipset texts restored", len(cases))

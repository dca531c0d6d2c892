"""What the engine costs: building a lab, one journey, one typed command, one graded answer.

For information, in seconds of this machine, but for small labs (one of our own, and those of the lessons), which open
in under a tenth of a second; what a learner waits for after a key (a command, a grade) should stay under that too.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.table import Line, spread
from engine.grade.goal import Goal, judge, measure
from engine.lab.lab import Lab
from engine.unswept import calm

PORTS = [{"containerPort": 80}]
SMALL = "lab of 2 nodes and 6 Pods, built"
#: what a small lab may take to open, in milliseconds
GATE = 100.0
LESSONS = Path(__file__).resolve().parents[1] / "lessons"


def lab_of(nodes: int, pods: int) -> dict[str, Any]:
    """A lab as a mapping: nodes on one LAN, the bridge plugin, Pods spread over the nodes in turn."""
    return {
        "kubernetes": "1.35",
        "nodes": [{"name": f"w{n}"} for n in range(1, nodes + 1)],
        "fabric": {"kind": "lan"},
        "cni": {"name": "bridge"},
        "manifests": [
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"p{n}"},
                "spec": {
                    "nodeName": f"w{n % nodes + 1}",
                    "containers": [{"name": "c", "image": "nginx", "ports": PORTS}],
                },
            }
            for n in range(pods)
        ],
    }


def taken(action: Callable[[], object], times: int) -> list[float]:
    """Milliseconds of each of several calls, after one that does not count."""
    action()
    gc.collect()
    found = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        found.append(1000 * (time.perf_counter() - start))
    return found


def opener(file: Path) -> Callable[[], object]:
    return lambda: Lab.load(file)


def lessons() -> dict[str, Callable[[], object]]:
    """Opening the lab of each lesson that has one of its own."""
    return {f"lab of lesson {f.parent.name}, opened": opener(f) for f in sorted(LESSONS.glob("*/lab.yaml"))}


def lines(times: int = 11) -> list[Line]:
    """All rows of the engine's table, with the collector as the course sets it."""
    calm()
    small = Lab.load(lab_of(2, 6))
    goal = Goal(keep_all=True)
    healthy = measure(small, goal)
    own = lessons()
    cases: list[tuple[str, Callable[[], object], int]] = [
        (SMALL, lambda: Lab.load(lab_of(2, 6)), times),
        *((name, action, times) for name, action in own.items()),
        ("lab of 20 nodes and 200 Pods, built", lambda: Lab.load(lab_of(20, 200)), 3),
        ("lab, copied", small.copy, times),
        ("TCP journey on one node, there and back", lambda: small.send("pod/p0", "pod/p2:80"), times),
        ("TCP journey between nodes, there and back", lambda: small.send("pod/p0", "pod/p1:80"), times),
        ("typed command: ip route", lambda: small.copy().run("node/w1", "ip route"), times),
        ("typed command: iptables-save", lambda: small.copy().run("node/w1", "iptables-save"), times),
        (
            f"graded: {len(healthy.kept)} flows that must still work",
            lambda: judge(small, goal, healthy),
            times,
        ),
    ]
    result = []
    for name, action, count in cases:
        found = sorted(taken(action, count))
        gate = GATE if name == SMALL or name in own else None
        result.append(
            Line(name=name, value=found[len(found) // 2], unit="ms", gate=gate, note=spread(found, "ms"))
        )
    return result

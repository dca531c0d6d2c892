"""Makes tests/real/recorded/drops.json: the kernel's reason for the drop of every scene in drop_scenes.py.

    sudo python tests/real/capture_drops.py

Needs root of the whole machine (the tracepoint is the machine's). The namespaces are those of engine/real, built
from the model's rows; the reasons are the kernel's alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from engine.real.kernel import Kernel
from tests.real import kfree
from tests.real.drop_scenes import SCENES, Scene

FILE = Path(__file__).parent / "recorded" / "drops.json"


def worker_of(kernel: Kernel) -> int:
    """The process that sends: the only child of `unshare`."""
    above = kernel.process.pid
    kids = Path(f"/proc/{above}/task/{above}/children").read_text().split()
    assert len(kids) == 1, kids
    return int(kids[0])


def dropped(drops: kfree.Drops, scene: Scene) -> list[tuple[str, str]]:
    """(function, reason) of what the kernel dropped while the scene's packet was on its way, in order."""
    wires = scene.wires()
    with Kernel() as kernel:
        kernel.build(wires.net, watch=False)
        pid = None if scene.timer else worker_of(kernel)
        drops.read(pid)
        kernel.send(
            netns=wires.id("a"),
            proto=scene.proto,
            dst=scene.dst,
            dport=scene.dport,
            sport=40001,
            size=scene.size,
        )
        time.sleep(scene.seconds)
        found = drops.read(pid)
        return sorted({one for one in found if one[0] == scene.timer}) if scene.timer else found


def main() -> None:
    problem = kfree.unusable()
    if problem:
        sys.exit(problem)
    out: dict[str, list[tuple[str, str]]] = {}
    with kfree.Drops() as drops:
        for name, scene in SCENES.items():
            out[name] = dropped(drops, scene)
            print(name, *map(":".join, out[name]))
    found = {"kernel": os.uname().release.split("-")[0], "drops": out}
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

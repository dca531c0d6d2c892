"""Containers whose command is a tool of the lab's shell: `curl web`, `sh -c "nslookup x; sleep 1"`.

Theory. A runtime knows servers and waits; any other command line is one that the shell can run. The cluster asks
here when such a container starts: the command runs in the container's own place, what it prints is the container's
log, and its exit code ends it.
"""

from __future__ import annotations

import shlex

from engine.kube.containerd import Containerd
from engine.kube.runtime import Container
from engine.kube.sync import RunTool
from engine.l7.behave import SHELLS, Behaviour
from engine.shell.place import inside
from engine.shell.world import World


def runner(world: World) -> RunTool:
    """What the cluster of this world calls: (containerd, container, behaviour) -> (lines, exit code)."""

    def run(cri: Containerd, row: Container, what: Behaviour) -> tuple[tuple[str, ...], int]:
        from engine.shell.shell import Shell, first_session

        box = world.net.boxes[cri.machine]
        spot = inside(box, box.procs[row.pid], "pod")
        shell = Shell(world, cri.machine)
        shell.stack = [first_session(spot)]
        words = list(what.args)
        script = words[0].rsplit("/", 1)[-1] in SHELLS and words[1:2] == ["-c"] and len(words) > 2
        result = shell.run(words[2] if script else shlex.join(words))
        return tuple((result.stdout + result.stderr).splitlines()), result.code

    return run

"""The agent that looks after the CoreDNS programs of a node. It is light: what it does for one is feed.py's.

Rules. A lab without CoreDNS imports nothing more than this.
"""

from __future__ import annotations

from engine.kube.node import NodeState
from engine.kube.passes import Pass

PROGRAM = "coredns"
MEMORY = "kube.dns.watch"


def sync(at: Pass, node: NodeState) -> None:
    box = at.net.boxes[node.name]
    found = [p for p in box.procs.values() if p.program == PROGRAM]
    if not found:
        return
    from engine.kube.dns import feed

    for proc in found:
        if proc.netns in at.net.spaces and not proc.stopped:
            feed.one(at, node, proc)
    node.memory[MEMORY] = feed.due_at(at, node, found)


def due(at: Pass) -> float:
    """The next time at which some CoreDNS does something by itself."""
    times = [n.memory.get(MEMORY, 0.0) for n in at.cluster.awake()]
    return min((t for t in times if isinstance(t, float) and t > at.cluster.seen), default=float("inf"))

"""The agent of NodeLocal DNSCache on a node. It is light: what it does for a node-cache is nodelocal.py's.

Rules. A lab without node-cache imports nothing more than this.
"""

from __future__ import annotations

from engine.kube.node import NodeState
from engine.kube.options import addon
from engine.kube.passes import Pass

MEMORY = "kube.dns.nodelocal"


def sync(at: Pass, node: NodeState) -> None:
    here = any(
        p.program == "coredns" and p.comm == "node-cache" for p in at.net.boxes[node.name].procs.values()
    )
    if here or MEMORY in node.memory:
        from engine.kube.dns import nodelocal

        nodelocal.sync(at, node)


def due(at: Pass) -> float:
    """When some node's cache looks after its rules again."""
    if addon(at.options, "nodelocaldns") is None:
        return float("inf")
    from engine.kube.dns import nodelocal

    return nodelocal.due(at)

"""calico-node on a node, as an agent of the cluster: thin, so that labs without Calico load nothing of it."""

from __future__ import annotations

from engine.kube.node import NodeState
from engine.kube.passes import Pass


def sync(at: Pass, node: NodeState) -> None:
    """One pass of calico-node; nothing in a cluster with another network."""
    if at.options.cni.name == "calico":
        from engine.kube.cni import calico_agent

        calico_agent.sync(at, node)


def due(at: Pass) -> float:
    """When felix or bird next looks by itself."""
    if at.options.cni.name != "calico":
        return float("inf")
    from engine.kube.cni import calico_agent

    return calico_agent.due(at)

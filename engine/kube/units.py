"""What somebody said to systemd about a node's units: which are stopped, which do not start by themselves."""

from __future__ import annotations

from engine.kube.node import NodeState

#: the units that the model runs on a node
NAMES = ("containerd", "kubelet", "ip-masq-agent")
#: under these keys NodeState.memory has the units that somebody stopped, and those that do not start by themselves
STOPPED, DISABLED = "systemd/stopped", "systemd/disabled"


def of(node: NodeState, key: str) -> frozenset[str]:
    """The units that STOPPED or DISABLED names."""
    found = node.memory.get(key)
    return found if isinstance(found, frozenset) else frozenset()


def mark(node: NodeState, key: str, unit: str, on: bool) -> None:
    """Put a unit among them, or take it out."""
    node.memory[key] = of(node, key) | {unit} if on else of(node, key) - {unit}

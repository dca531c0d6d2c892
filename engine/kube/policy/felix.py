"""Felix's rules on a node."""

from __future__ import annotations

from engine.kube.node import NodeState
from engine.kube.passes import Pass


def sync(at: Pass, node: NodeState, *, again: bool) -> None:
    """Program what changed."""

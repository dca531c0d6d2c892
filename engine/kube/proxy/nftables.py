"""nftables mode on a node."""

from __future__ import annotations

from typing import Any

from engine.linux.ops.base import Changes


def cleanup(changes: Changes, netns: str) -> None:
    """Take away the table."""


def next_look(plan: Any, now: float) -> float:
    return float("inf")


def by_nftables(at: Any, node: Any, state: Any, picture: Any) -> Any:
    return state

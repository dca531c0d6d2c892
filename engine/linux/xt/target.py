"""iptables targets: one frozen record each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Base of all targets."""

    @property
    def needs_conntrack(self) -> bool:
        return False

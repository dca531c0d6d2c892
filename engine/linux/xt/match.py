"""iptables matches: one frozen record each, that tests a packet, prints itself and says what it needs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Base of all matches."""

    @property
    def needs_conntrack(self) -> bool:
        return False

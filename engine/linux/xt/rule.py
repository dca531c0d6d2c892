"""One iptables rule as a frozen row."""

from __future__ import annotations

from dataclasses import dataclass

from engine.linux.xt.match import Match
from engine.linux.xt.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class XtRule:
    """Matches in the order they were written and one target (None: the rule only counts)."""

    matches: tuple[Match, ...] = ()
    target: Target | None = None

    @property
    def needs_conntrack(self) -> bool:
        return any(m.needs_conntrack for m in self.matches) or (self.target is not None and self.target.needs_conntrack)

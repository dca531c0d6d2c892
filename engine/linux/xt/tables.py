"""The containers of iptables: tables, chains, rules with counters.

Theory. `LAYOUT` is the one place that says which table has which built-in chain at which hook priority; the
walker runs it and the screen draws it (facts 10 section 1.1). A chain keeps its rules as a tuple of frozen
rows and its counters in lists beside them, so that copies share rows and count apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.linux.xt.rule import XtRule

#: hook -> (table, priority) in the order in which the kernel runs them; conntrack (-200) and NAT sit between.
LAYOUT: dict[str, tuple[tuple[str, int], ...]] = {
    "PREROUTING": (("raw", -300), ("mangle", -150), ("nat", -100)),
    "INPUT": (("mangle", -150), ("filter", 0), ("security", 50), ("nat", 100)),
    "FORWARD": (("mangle", -150), ("filter", 0), ("security", 50)),
    "OUTPUT": (("raw", -300), ("mangle", -150), ("nat", -100), ("filter", 0), ("security", 50)),
    "POSTROUTING": (("mangle", -150), ("nat", 100)),
}
TABLES = ("raw", "mangle", "nat", "filter", "security")
HOOKS = tuple(LAYOUT)


def builtin(table: str) -> tuple[str, ...]:
    """The built-in chains of a table, in iptables-save order."""
    return tuple(h for h in HOOKS if any(t == table for t, _ in LAYOUT[h]))


@dataclass(slots=True)
class Chain:
    """`policy` is ACCEPT or DROP for a built-in chain and "" for a user chain. `packets[i]`, `bytes[i]` count rule i;
    `policy_packets`, `policy_bytes` count what reached the end."""

    name: str
    policy: str = ""
    rules: tuple[XtRule, ...] = ()
    packets: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    policy_packets: int = 0
    policy_bytes: int = 0

    def copy(self) -> Chain:
        return Chain(
            self.name, self.policy, self.rules, list(self.packets), list(self.bytes), self.policy_packets, self.policy_bytes
        )


@dataclass(slots=True)
class Xtables:
    """table -> chain name -> Chain. A table exists from its first use on, as with the real tool."""

    tables: dict[str, dict[str, Chain]] = field(default_factory=dict)

    def copy(self) -> Xtables:
        return Xtables({t: {n: c.copy() for n, c in chains.items()} for t, chains in self.tables.items()})

    def chain(self, table: str, name: str) -> Chain | None:
        return self.tables.get(table, {}).get(name)

    def open(self, table: str) -> dict[str, Chain]:
        """The chains of a table, made with empty built-in chains when the table is not there yet."""
        if table not in self.tables:
            self.tables[table] = {h: Chain(h, "ACCEPT") for h in builtin(table)}
        return self.tables[table]

    def rules(self) -> Iterator[XtRule]:
        for chains in self.tables.values():
            for chain in chains.values():
                yield from chain.rules

    @property
    def tracks(self) -> bool:
        """Is conntrack attached? Only when some rule needs it (facts 10 section 1.2)."""
        return any(rule.needs_conntrack for rule in self.rules())

"""The containers of nft in one namespace: tables, chains, rules with their cells, objects; and the base chains by hook.

Theory. A chain keeps frozen rules and, beside them, what they remember in `cells` (counters, limits). Copies share
tables, chains and sets until one of them writes (`own_table`, `own_chain`, `own_set`), as those of xt do. Base chains
stand at their hook by priority; among equals the one that was registered last comes first (nf_hook_entries_grow).

Rules. Who changes anything takes it by an `own_...` of `Nft` and says `changed()` when chains or rules came or went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any

from engine.linux.layered import shared
from engine.record import dataclass, replace

if TYPE_CHECKING:
    from engine.linux.nft.rule import Rule
    from engine.linux.nft.sets import NftSet

TableKey = tuple[str, str]
Cell = tuple[Any, ...]

#: nft's name of a hook -> the walker's
HOOKS = {
    "prerouting": "PREROUTING", "input": "INPUT", "forward": "FORWARD", "output": "OUTPUT",
    "postrouting": "POSTROUTING",
}  # fmt: skip
#: families whose base chains meet IPv4 packets at those hooks
FAMILIES = ("ip", "inet")
#: named priorities; dstnat and srcnat only where the kernel does such NAT
PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}
PRIORITY_HOOKS = {"dstnat": ("prerouting",), "srcnat": ("postrouting",)}
#: chain type -> hooks that it may stand at
TYPE_HOOKS = {
    "filter": ("prerouting", "input", "forward", "output", "postrouting"),
    "nat": ("prerouting", "input", "output", "postrouting"),
    "route": ("output",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """Where a base chain stands. `serial` grows with each registration; `xt_there` are the tables of iptables that
    stood at the hook when it was registered."""

    type: str
    hook: str
    priority: int
    policy: str = "accept"
    serial: int = 0
    xt_there: frozenset[str] = frozenset()


@dataclass(slots=True, kw_only=True)
class Chain:
    """`base` None for a plain chain. `cells[handle, index of the statement]` is what a rule remembers."""

    name: str
    handle: int = 0
    base: Base | None = None
    comment: str = ""
    rules: list[Rule] = field(default_factory=list)
    cells: dict[tuple[int, object], Cell] = field(default_factory=dict)
    owner: object = field(default=None, compare=False, repr=False)
    _plan: list[Any] | None = field(default=None, compare=False, repr=False)

    def copy(self) -> Chain:
        return replace(self, rules=list(self.rules), cells=dict(self.cells), owner=None)

    def changed(self) -> None:
        self._plan = None

    @property
    def plan(self) -> list[tuple[int, tuple[tuple[int, Callable[..., Any]], ...]]]:
        """For each rule its handle and its steps, made when first needed."""
        if self._plan is None:
            self._plan = [(rule.handle, rule.compiled()) for rule in self.rules]
        return self._plan

    def at(self, handle: int) -> int:
        """Index of a rule, -1 for none."""
        return next((i for i, rule in enumerate(self.rules) if rule.handle == handle), -1)

    def forget(self, handle: int) -> None:
        for key in [k for k in self.cells if k[0] == handle]:
            del self.cells[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A named object. `kind` counter, quota or limit; `spec` what it was declared with (a frozen statement, None for a
    counter)."""

    kind: str
    name: str
    handle: int = 0
    spec: Any = None
    comment: str = ""


@dataclass(slots=True, kw_only=True)
class Table:
    """`next_handle` counts chains, rules, sets and objects together, as the kernel does."""

    family: str
    name: str
    handle: int = 0
    comment: str = ""
    dormant: bool = False
    chains: dict[str, Chain] = field(default_factory=dict)
    sets: dict[str, NftSet] = field(default_factory=dict)
    objects: dict[tuple[str, str], Object] = field(default_factory=dict)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    next_handle: int = 1
    owner: object = field(default=None, compare=False, repr=False)

    def copy(self) -> Table:
        self.chains, chains = shared(self.chains)
        self.cells, cells = shared(self.cells)
        return replace(
            self, chains=chains, sets=dict(self.sets), objects=dict(self.objects), cells=cells, owner=None
        )

    @property
    def key(self) -> TableKey:
        return self.family, self.name

    def new_handle(self) -> int:
        handle = self.next_handle
        self.next_handle += 1
        return handle

    def references(self, chain: str) -> bool:
        """Does a rule or an element of a map go to this chain?"""
        return any(chain in rule.targets() for c in self.chains.values() for rule in c.rules) or any(
            getattr(e.data, "chain", "") == chain
            for s in self.sets.values() if s.kind == "verdict" for e in s.elements.values()
        )  # fmt: skip


@dataclass(slots=True)
class Nft:
    """All tables of a namespace, in order of creation."""

    tables: dict[TableKey, Table] = field(default_factory=dict)
    next_table: int = 1
    next_serial: int = 1
    generation: int = 1
    _hooks: dict[str, tuple[tuple[TableKey, str, Base], ...]] | None = field(
        default=None, compare=False, repr=False
    )
    _tracks: bool | None = field(default=None, compare=False, repr=False)
    token: object = field(default_factory=object, compare=False, repr=False)

    def copy(self) -> Nft:
        self.token = object()
        return Nft(
            dict(self.tables), self.next_table, self.next_serial, self.generation, self._hooks, self._tracks
        )

    def own_table(self, key: TableKey) -> Table:
        table = self.tables[key]
        if table.owner is not self.token:
            table = table.copy()
            table.owner = self.token
            self.tables[key] = table
        return table

    def own_chain(self, key: TableKey, name: str) -> Chain:
        table = self.own_table(key)
        chain = table.chains[name]
        if chain.owner is not self.token:
            chain = chain.copy()
            chain.owner = self.token
            table.chains[name] = chain
        return chain

    def own_set(self, key: TableKey, name: str) -> NftSet:
        table = self.own_table(key)
        there = table.sets[name]
        if there.owner is not self.token:
            there = there.copy()
            there.owner = self.token
            table.sets[name] = there
        return there

    def changed(self, *, hooks: bool = True) -> None:
        """A chain or a rule came or went; `hooks`: also one that stands at a hook, or a whole table."""
        if hooks:
            self._hooks = None
        self._tracks = None

    def rules(self) -> Iterator[Rule]:
        for table in self.tables.values():
            for chain in table.chains.values():
                yield from chain.rules

    @property
    def tracks(self) -> bool:
        """Does some rule need conntrack?"""
        if self._tracks is None:
            self._tracks = any(rule.needs_conntrack for rule in self.rules())
        return self._tracks

    @property
    def has_nat(self) -> bool:
        """Is a nat chain registered at any hook? Then the NAT core stands at all of them."""
        if not self.tables:
            return False
        return any(base.type == "nat" for hook in HOOKS.values() for _, _, base in self.standing(hook))

    def standing(self, hook: str) -> tuple[tuple[TableKey, str, Base], ...]:
        """(table, chain, base) at a hook of the walker, by priority, the last registered first among equals."""
        if not self.tables:
            return ()
        if self._hooks is None:
            found: dict[str, list[tuple[TableKey, str, Base]]] = {}
            for key, table in self.tables.items():
                if key[0] not in FAMILIES or table.dormant:
                    continue
                for chain in table.chains.values():
                    if chain.base is not None and chain.base.hook in HOOKS:
                        found.setdefault(HOOKS[chain.base.hook], []).append((key, chain.name, chain.base))
            self._hooks = {
                hook: tuple(sorted(rows, key=lambda row: (row[2].priority, -row[2].serial)))
                for hook, rows in found.items()
            }
        return self._hooks.get(hook, ())


def priority_text(hook: str, priority: int, family: str = "ip") -> str:
    """`dstnat - 10`: by the name of the nearest one that is at most 10 away."""
    for name, value in PRIORITIES.items():
        if abs(priority - value) <= 10:
            if hook not in PRIORITY_HOOKS.get(name, (hook,)) or (family == "netdev" and name != "filter"):
                break
            away = priority - value
            return name + (f" + {away}" if away > 0 else f" - {-away}" if away else "")
    return str(priority)

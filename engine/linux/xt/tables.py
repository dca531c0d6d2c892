"""The containers of iptables: tables, chains, rules with counters.

Theory. `LAYOUT` is the one place that says which table has which built-in chain at which hook priority; the
walker runs it and the screen draws it (facts 10 section 1.1). A chain keeps its rules as a tuple of frozen
rows and its counters in lists beside them. Copies share chains until one of them writes (`own`). As with iptables 1.8
(nf_tables), a built-in chain exists in the kernel from its first use on: until then the tools print it as empty
with policy ACCEPT, and no packet meets it.

Rules. Who changes a chain, or counts in it, takes it by `Xtables.own`. Its rules change only through its methods,
which keep counters, states and caches in step; after a change of rules the caller says `Xtables.changed()`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Any

from engine.linux.layered import shared
from engine.linux.xt.match import Destination
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import Target
from engine.record import dataclass
from engine.say import Said

if TYPE_CHECKING:
    from engine.linux.xt.seen import Seen

#: hook -> (table, priority) in the order in which the kernel runs them; conntrack (-200) and NAT sit between.
LAYOUT: dict[str, tuple[tuple[str, int], ...]] = {
    "PREROUTING": (("raw", -300), ("mangle", -150), ("nat", -100)),
    "INPUT": (("mangle", -150), ("filter", 0), ("security", 50), ("nat", 100)),
    "FORWARD": (("mangle", -150), ("filter", 0), ("security", 50)),
    "OUTPUT": (("raw", -300), ("mangle", -150), ("nat", -100), ("filter", 0), ("security", 50)),
    "POSTROUTING": (("mangle", -150), ("nat", 100)),
}
TABLES = ("raw", "mangle", "nat", "filter", "security")
#: The order in which iptables-save prints tables.
SAVE_ORDER = ("mangle", "security", "raw", "filter", "nat")
HOOKS = tuple(LAYOUT)
#: Chains longer than this are searched through an index of their /32 destinations.
INDEXED = 48
NOWHERE: frozenset[str] = frozenset()


@cache
def builtin(table: str) -> tuple[str, ...]:
    """The built-in chains of a table, in iptables-save order."""
    return tuple(h for h in HOOKS if any(t == table for t, _ in LAYOUT[h]))


class Plan:
    """A chain's rules made ready to run: for each its tests, its target, and whether it counts in a state cell."""

    __slots__ = ("_cache", "_keyed", "_open", "rows")

    def __init__(self, rules: tuple[XtRule, ...]) -> None:
        self.rows: list[tuple[tuple[Callable[[Seen], bool], ...], Target | None, bool]] = [
            (tuple(m.test for m in rule.matches), rule.target, rule.stateful) for rule in rules
        ]
        self._keyed: dict[int, list[int]] | None = None
        self._open: list[int] = []
        self._cache: dict[int, list[int]] = {}
        if len(rules) > INDEXED:
            self._keyed = {}
            for i, rule in enumerate(rules):
                exact = next((m for m in rule.matches if type(m) is Destination), None)
                if exact is not None and exact.length == 32 and not exact.invert:
                    self._keyed.setdefault(exact.addr, []).append(i)
                else:
                    self._open.append(i)

    def candidates(self, dst: int) -> Iterable[int]:
        """The rules that a packet to `dst` can match at all, in order."""
        if self._keyed is None:
            return range(len(self.rows))
        keyed = self._keyed.get(dst)
        if keyed is None:
            return self._open
        if dst not in self._cache:
            self._cache[dst] = sorted(keyed + self._open)
        return self._cache[dst]


@dataclass(slots=True)
class Chain:
    """`policy` is ACCEPT or DROP for a built-in chain and "" for a user chain. `packets[i]`, `bytes[i]` count rule
    i, `states[i]` is what its matches remember (statistic, limit), a dict that is never changed; `policy_packets`,
    `policy_bytes` count what reached the end. `_plan`, `_texts`, `_jumps` and `_whys` are made from the rules
    when they are first needed. `owner` is whose it is."""

    name: str
    policy: str = ""
    rules: tuple[XtRule, ...] = ()
    packets: list[int] = field(default_factory=list)
    bytes: list[int] = field(default_factory=list)
    policy_packets: int = 0
    policy_bytes: int = 0
    states: list[dict[Any, Any] | None] = field(default_factory=list)
    _plan: Plan | None = field(default=None, compare=False, repr=False)
    _texts: list[str] | None = field(default=None, compare=False, repr=False)
    _jumps: frozenset[str] | None = field(default=None, compare=False, repr=False)
    #: rules, and whether one of them is picky
    _picky: tuple[tuple[XtRule, ...], bool] = field(default=((), False), compare=False, repr=False)
    #: rules, and whether one of them needs conntrack
    _tracks: tuple[tuple[XtRule, ...], bool] = field(default=((), False), compare=False, repr=False)
    _whys: list[Said | None] | None = field(default=None, compare=False, repr=False)
    owner: object = field(default=None, compare=False, repr=False)

    def copy(self) -> Chain:
        return Chain(
            self.name, self.policy, self.rules, list(self.packets), list(self.bytes), self.policy_packets,
            self.policy_bytes, list(self.states), self._plan, self._texts, self._jumps, self._picky, self._tracks,
            self._whys,
        )  # fmt: skip

    def insert(self, at: int, rules: Iterable[XtRule], packets: int = 0, bytes: int = 0) -> None:
        """Put rules in before index `at`, in their order."""
        new = tuple(rules)
        self.rules = (*self.rules[:at], *new, *self.rules[at:])
        for counts, value in ((self.packets, packets), (self.bytes, bytes)):
            counts[at:at] = [value] * len(new)
        self.states[at:at] = [None] * len(new)
        self._plan = self._texts = self._jumps = self._whys = None

    def extend(self, rules: Iterable[tuple[XtRule, int, int]]) -> None:
        """Append many rules with their counters at once."""
        new = list(rules)
        self.rules = (*self.rules, *(r for r, _, _ in new))
        self.packets += [p for _, p, _ in new]
        self.bytes += [b for _, _, b in new]
        self.states += [None] * len(new)
        self._plan = self._texts = self._jumps = self._whys = None

    def remove(self, at: int) -> None:
        self.rules = (*self.rules[:at], *self.rules[at + 1 :])
        del self.packets[at], self.bytes[at], self.states[at]
        self._plan = self._texts = self._jumps = self._whys = None

    def replace(self, at: int, rule: XtRule, packets: int = 0, bytes: int = 0) -> None:
        self.remove(at)
        self.insert(at, (rule,), packets, bytes)

    def clear(self) -> None:
        self.rules = ()
        self.packets, self.bytes, self.states = [], [], []
        self._plan = self._texts = self._jumps = self._whys = None

    def zero(self) -> None:
        self.packets, self.bytes = [0] * len(self.rules), [0] * len(self.rules)
        self.policy_packets = self.policy_bytes = 0

    def rename(self, name: str) -> None:
        self.name, self._texts = name, None

    def retarget(self, old: str, new: str) -> None:
        """Rules that jump to `old` jump to `new` from now on."""
        if any(r.jumps_to == old for r in self.rules):
            self.rules = tuple(r.jumping_to(new) if r.jumps_to == old else r for r in self.rules)
            self._plan = self._texts = self._jumps = self._whys = None

    @property
    def plan(self) -> Plan:
        if self._plan is None:
            self._plan = Plan(self.rules)
        return self._plan

    @property
    def jumps(self) -> frozenset[str]:
        """The user chains that its rules go to."""
        if self._jumps is None:
            found = [to for r in self.rules if (to := r.jumps_to)]
            self._jumps = frozenset(found) if found else NOWHERE
        return self._jumps

    @property
    def picky(self) -> bool:
        """Has it a rule that not every hook may reach?"""
        if self._picky[0] is not self.rules:
            self._picky = (self.rules, any(r.picky for r in self.rules))
        return self._picky[1]

    @property
    def tracks(self) -> bool:
        """Has it a rule that needs conntrack?"""
        if self._tracks[0] is not self.rules:
            self._tracks = (self.rules, any(r.needs_conntrack for r in self.rules))
        return self._tracks[1]

    def row(self, at: int) -> str:
        """Rule `at` as `-A CHAIN ...`."""
        if self._texts is None:
            self._texts = [""] * len(self.rules)
        if not self._texts[at]:
            self._texts[at] = self.rules[at].text(self.name)
        return self._texts[at]

    def why(self, at: int) -> Said:
        """What rule `at` asks and does."""
        if self._whys is None:
            self._whys = [None] * len(self.rules)
        said = self._whys[at]
        if said is None:
            said = self._whys[at] = self.rules[at].why()
        return said


@dataclass(slots=True)
class Xtables:
    """table -> chain name -> Chain, of what exists in the kernel."""

    tables: dict[str, dict[str, Chain]] = field(default_factory=dict)
    _tracks: bool | None = field(default=None, compare=False, repr=False)
    #: Chains with this owner are nobody else's; making a copy gives both sides a new one.
    token: object = field(default_factory=object, compare=False, repr=False)
    #: what matches keep for the whole namespace: (kind, name) -> its rows (the lists of -m recent)
    memory: dict[tuple[str, str], dict[Any, Any]] = field(default_factory=dict)
    _known: bool = field(default=False, compare=False, repr=False)
    #: table -> how many chains go to a chain; only of tables that were asked for since something changed
    _goals: dict[str, dict[str, int]] = field(default_factory=dict, compare=False, repr=False)

    def copy(self) -> Xtables:
        self.token = object()
        memory = {key: dict(rows) for key, rows in self.memory.items()}
        tables = {}
        for name, chains in self.tables.items():
            self.tables[name], tables[name] = shared(chains)
        other = Xtables(tables, self._tracks, memory=memory)
        for name, goals in self._goals.items():
            self._goals[name], other._goals[name] = shared(goals)
        return other

    def own(self, table: str, name: str) -> Chain:
        """The chain, to be written to: a copy of its own when it is shared."""
        chain = self.tables[table][name]
        if chain.owner is not self.token:
            if chain.owner is None and len(chain.rules) > INDEXED:
                assert chain.plan  # a long chain that machines share: its index is made once, for all of them
            chain = chain.copy()
            chain.owner = self.token
            self.tables[table][name] = chain
        return chain

    def chain(self, table: str, name: str) -> Chain | None:
        """A chain that exists, or None."""
        return self.tables.get(table, {}).get(name)

    def open(self, table: str, chain: str = "") -> dict[str, Chain]:
        """The chains of a table, which exists from now on, and in it the built-in `chain` ("" = none of them)."""
        chains = self.tables.setdefault(table, {})
        if chain in builtin(table) and chain not in chains:
            chains[chain] = Chain(chain, "ACCEPT", owner=self.token)
        return chains

    def shown(self, table: str) -> list[Chain]:
        """Every chain that the tools print: built-in ones in hook order (made up while they are unused), then
        the others by name."""
        chains = self.tables.get(table, {})
        own = builtin(table)
        return [chains.get(n) or Chain(n, "ACCEPT") for n in own] + [
            chains[n] for n in sorted(chains) if n not in own
        ]

    def references(self, table: str) -> Counter[str]:
        """How many rules jump to each user chain."""
        chains = self.tables.get(table, {}).values()
        return Counter(r.jumps_to for c in chains for r in c.rules if r.jumps_to)

    def rules(self) -> Iterator[XtRule]:
        for chains in self.tables.values():
            for chain in chains.values():
                yield from chain.rules

    def changed(self) -> None:
        """Some rule came or went."""
        self._tracks = None
        self._known = False
        self._goals = {}

    def replaced(
        self, table: str, chains: dict[str, Chain], new: Sequence[Chain], gone: Sequence[str]
    ) -> str:
        """Put `chains` in place of a table's: as they were, with `new` ones (whole) and without the `gone`. The name of
        a gone chain that another still goes to, and then nothing is changed; "" when all is well. Costs what changed,
        and not what there is."""
        before = self.tables.get(table, {})
        goals = self._goals.get(table)
        if goals is None:
            goals = {}
            for chain in before.values():
                for name in chain.jumps:
                    goals[name] = goals.get(name, 0) + 1
        change: dict[str, int] = {}
        for chain in new:
            old = before.get(chain.name)
            if old is not None and old.rules is chain.rules:
                continue
            for name in chain.jumps:
                change[name] = change.get(name, 0) + 1
            for name in old.jumps if old is not None else ():
                change[name] = change.get(name, 0) - 1
        made = {chain.name: chain for chain in new}
        for name in gone:
            there = made.get(name) or before.get(name)
            for goal in there.jumps if there is not None else ():
                change[goal] = change.get(goal, 0) - 1
        for name in gone:
            if goals.get(name, 0) + change.get(name, 0) > 0:
                return name
        for name, number in change.items():
            if number:
                goals[name] = goals.get(name, 0) + number
        kept = self._goals
        self.tables[table] = chains
        self.changed()
        self._goals = {**kept, table: goals}
        return ""

    def laid(self, table: str, chains: dict[str, Chain], goals: dict[str, int], gone: Sequence[str]) -> str:
        """As `replaced`, for chains of which most are a program's own, all of them new: `goals` counts how many of
        these go to a chain, and `chains` holds what else stays."""
        before = self.tables.get(table, {})
        for name, chain in before.items():
            if chains.get(name) is chain:
                for goal in chain.jumps:
                    goals[goal] = goals.get(goal, 0) + 1
        for name in gone:
            if goals.get(name, 0) > 0:
                return name
        kept = self._goals
        self.tables[table] = chains
        self.changed()
        self._goals = {**kept, table: goals}
        return ""

    def remembered(self) -> dict[tuple[str, str], dict[Any, Any]]:
        """`memory`, without what no rule asks for any more, and with what the rules begin with."""
        if not self._known:
            kept: dict[tuple[str, str], dict[Any, Any]] = {}
            for rule in self.rules():
                for key, begins in rule.remembers:
                    kept.setdefault(key, self.memory.get(key, dict(begins)))
            self.memory, self._known = kept, True
        return self.memory

    @property
    def tracks(self) -> bool:
        """Is conntrack attached? Only when some rule needs it (facts 10 section 1.2)."""
        if self._tracks is None:
            self._tracks = any(c.tracks for chains in self.tables.values() for c in chains.values())
        return self._tracks

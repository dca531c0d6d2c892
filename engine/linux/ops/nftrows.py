"""The op of a program that keeps a table of nft of its own: one transaction of `nft -f`, from rows instead of text.

Theory. As knftables does for kube-proxy: chains are added and emptied, filled again, sets get and lose elements; all
or nothing. Rows that are the same on many machines are built once and shared; only their numbers are the machine's.

Rules. Commands stand in the order of the transaction and give out handles in that order, as the same text would. A
rule or an element may only go to a chain that is there; a chain that something still goes to cannot be deleted. Loops
are not looked for: the author's chains go one way. Errors are nft's own (NftRefused).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from engine.linux.net import Net, Netns
from engine.linux.nft.exprs import AnonSet
from engine.linux.nft.lexer import NftError, Span
from engine.linux.nft.refused import NftRefused
from engine.linux.nft.rule import Rule
from engine.linux.nft.sets import Element, NftSet, Verdict, element_text
from engine.linux.nft.tables import HOOKS, Base, Chain, Nft, Table, TableKey
from engine.linux.nft.types import time_text
from engine.linux.ops.base import Op, handles
from engine.linux.ops.command import Place, Words, to_command
from engine.linux.ops.nft import xt_there
from engine.record import dataclass, replace

#: what nft gives a set that packets fill, when nobody says how large it may become
DYNAMIC_SIZE = 65535


class Gone(Exception):
    """The kernel has no such thing (ENOENT), or something still uses it (EBUSY)."""

    def __init__(self, errno: str, line: str) -> None:
        super().__init__(errno)
        self.errno, self.line = errno, line


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """Base of the commands of a transaction."""

    def do(self, work: Work) -> None:
        raise NotImplementedError

    def lines(self, table: str) -> Iterator[str]:
        """As nft reads them; `table` is `ip kube-proxy`."""
        raise NotImplementedError

    def line(self, key: TableKey) -> str:
        """The first of them, for an error."""
        return next(self.lines(" ".join(key)), "")


class Work:
    """The copy that a transaction works on."""

    __slots__ = ("hooks", "key", "nft", "now", "ns")

    def __init__(self, nft: Nft, key: TableKey, ns: Netns, now: float) -> None:
        self.nft, self.key, self.ns, self.now = nft, key, ns, now
        #: did a chain that stands at a hook come or go?
        self.hooks = False

    def table(self, command: Command) -> Table:
        if self.key not in self.nft.tables:
            raise Gone("ENOENT", command.line(self.key))
        return self.nft.own_table(self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTable(Command):
    comment: str = ""

    def do(self, work: Work) -> None:
        if work.key not in work.nft.tables:
            family, name = work.key
            work.nft.tables[work.key] = Table(
                family=family,
                name=name,
                handle=work.nft.next_table,
                comment=self.comment,
                owner=work.nft.token,
            )
            work.nft.next_table += 1

    def lines(self, table: str) -> Iterator[str]:
        yield f'add table {table} {{ comment "{self.comment}" ; }}' if self.comment else f"add table {table}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChain(Command):
    """A chain that is to be there; `base` places it at a hook."""

    name: str
    base: Base | None = None
    comment: str = ""

    def do(self, work: Work) -> None:
        table = work.table(self)
        if self.name in table.chains:
            return
        base = self.base
        if base is not None:
            there: frozenset[str] = xt_there(work.ns, HOOKS[base.hook])
            base = replace(base, serial=work.nft.next_serial, xt_there=there)
            work.nft.next_serial += 1
            work.hooks = True
        table.chains[self.name] = Chain(
            name=self.name, handle=table.new_handle(), base=base, comment=self.comment, owner=work.nft.token
        )

    def lines(self, table: str) -> Iterator[str]:
        more = ""
        if self.base is not None:
            b = self.base
            more = f" type {b.type} hook {b.hook} priority {b.priority} ;"
        more += f' comment "{self.comment}" ;' if self.comment else ""
        yield f"add chain {table} {self.name}" + (f" {{{more} }}" if more else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty(Command):
    """Chains that are to be there without any rule: `add chain`, `flush chain`. With `make` False only the latter."""

    names: tuple[str, ...]
    make: bool = True

    def do(self, work: Work) -> None:
        table = work.table(self)
        token = work.nft.token
        for name in self.names:
            there = table.chains.get(name)
            if there is None:
                if not self.make:
                    raise Gone("ENOENT", f"flush chain {' '.join(work.key)} {name}")
                table.chains[name] = Chain(name=name, handle=table.new_handle(), owner=token)
            elif there.rules:
                table.chains[name] = Chain(
                    name=name, handle=there.handle, base=there.base, comment=there.comment, owner=token
                )

    def lines(self, table: str) -> Iterator[str]:
        for name in self.names:
            if self.make:
                yield f"add chain {table} {name}"
            yield f"flush chain {table} {name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Command):
    """Rules at the end of a chain."""

    chain: str
    rules: tuple[Rule, ...]
    #: for each rule the chains that it goes to, and how many sets without a name it holds; made from `rules`
    needs: tuple[tuple[tuple[str, ...], int], ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        needs = tuple((rule.targets(), _nameless(rule)) for rule in self.rules)
        object.__setattr__(self, "needs", needs)

    def do(self, work: Work) -> None:
        table = work.table(self)
        chains = table.chains
        if self.chain not in chains:
            raise Gone("ENOENT", self.line(work.key))
        chain = work.nft.own_chain(work.key, self.chain)
        for rule, (targets, nameless) in zip(self.rules, self.needs, strict=True):
            for target in targets:
                if target not in chains:
                    raise Gone("ENOENT", self.line(work.key))
            # a set without a name has a number too
            handle = table.next_handle + nameless
            table.next_handle = handle + 1
            chain.rules.append(Rule(statements=rule.statements, comment=rule.comment, handle=handle))
        chain.changed()

    def lines(self, table: str) -> Iterator[str]:
        for rule in self.rules:
            yield f"add rule {table} {self.chain} {rule.text({})}"


def _nameless(rule: Rule) -> int:
    return sum(isinstance(source, AnonSet) for s in rule.statements for source in s.sources())


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteChains(Command):
    names: tuple[str, ...]

    def do(self, work: Work) -> None:
        head = f"delete chain {' '.join(work.key)}"
        table = work.table(self)
        for name in self.names:
            if name not in table.chains:
                raise Gone("ENOENT", f"{head} {name}")
            work.hooks = work.hooks or table.chains[name].base is not None
            del table.chains[name]
        for name in used(table, frozenset(self.names)):
            raise Gone("EBUSY", f"{head} {name}")

    def lines(self, table: str) -> Iterator[str]:
        return (f"delete chain {table} {name}" for name in self.names)


def used(table: Table, names: frozenset[str]) -> Iterator[str]:
    """Those of the chains that a rule or an element goes to."""
    for chain in table.chains.values():
        for rule in chain.rules:
            yield from (t for t in rule.targets() if t in names)
    for there in table.sets.values():
        if there.kind == "verdict":
            for element in there.elements.values():
                if isinstance(element.data, Verdict) and element.data.chain in names:
                    yield element.data.chain


@dataclass(frozen=True, slots=True, kw_only=True)
class AddSet(Command):
    """A set or map that is to be there; nobody changes `set`, it is copied."""

    set: NftSet
    flush: bool = False

    def do(self, work: Work) -> None:
        table = work.table(self)
        name = self.set.name
        if name not in table.sets:
            new = self.set.copy()
            if "dynamic" in new.flags and not new.size:
                new.size = DYNAMIC_SIZE
            new.handle, new.owner = table.new_handle(), work.nft.token
            table.sets[name] = new
        elif self.flush:
            work.nft.own_set(work.key, name).clear()

    def lines(self, table: str) -> Iterator[str]:
        s = self.set
        word = "map" if s.is_map else "set"
        shown = " . ".join(t.name for t in s.keys) + (" : verdict" if s.is_map else "")
        more = f" flags {','.join(sorted(s.flags))} ;" if s.flags else ""
        more += f" timeout {time_text(s.timeout)} ;" if s.timeout else ""
        more += f' comment "{s.comment}" ;' if s.comment else ""
        yield f"add {word} {table} {s.name} {{ type {shown} ;{more} }}"
        if self.flush:
            yield f"flush {word} {table} {s.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteSets(Command):
    names: tuple[str, ...]

    def do(self, work: Work) -> None:
        head = f"delete set {' '.join(work.key)}"
        table = work.table(self)
        gone = frozenset(self.names)
        for name in self.names:
            if name not in table.sets:
                raise Gone("ENOENT", f"{head} {name}")
        for chain in table.chains.values():
            for rule in chain.rules:
                for statement in rule.statements:
                    for source in statement.sources():
                        if getattr(source, "name", "") in gone:
                            raise Gone("EBUSY", f"{head} {source.name}")  # type: ignore[union-attr]
        for name in self.names:
            del table.sets[name]

    def lines(self, table: str) -> Iterator[str]:
        return (f"delete set {table} {name}" for name in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddElements(Command):
    """Elements of a set or map. `of` tells how they print."""

    of: NftSet
    elements: tuple[Element, ...]

    def do(self, work: Work) -> None:
        table = work.table(self)
        if self.of.name not in table.sets:
            raise Gone("ENOENT", self.line(work.key))
        there = work.nft.own_set(work.key, self.of.name)
        for element in self.elements:
            data = element.data
            if isinstance(data, Verdict) and data.chain and data.chain not in table.chains:
                raise Gone("ENOENT", self.line(work.key))
            old = there.elements.get(element.key)
            if old is not None and there.is_map and old.data != data:
                raise Gone("EEXIST", self.line(work.key))
            if old is None:
                there.put(element)

    def lines(self, table: str) -> Iterator[str]:
        for element in self.elements:
            text = element_text(self.of, element, 0.0, stateless=True)
            yield f"add element {table} {self.of.name} {{ {text} }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteElements(Command):
    of: NftSet
    elements: tuple[Element, ...]

    def do(self, work: Work) -> None:
        table = work.table(self)
        there = work.nft.own_set(work.key, self.of.name) if self.of.name in table.sets else None
        for element in self.elements:
            if there is None or element.key not in there.elements:
                one = DeleteElements(of=self.of, elements=(element,))
                raise Gone("ENOENT", one.line(work.key))
            there.remove(element.key)

    def lines(self, table: str) -> Iterator[str]:
        for element in self.elements:
            bare = replace(element, data=None, comment="")
            text = element_text(self.of, bare, 0.0, stateless=True)
            yield f"delete element {table} {self.of.name} {{ {text} }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NftRows(Op):
    """One transaction on one table of `family`."""

    netns: str
    family: str
    table: str
    commands: tuple[Command, ...]


WORDS: Mapping[str, str] = {
    "ENOENT": "No such file or directory", "EBUSY": "Device or resource busy", "EEXIST": "File exists"
}  # fmt: skip


@handles(NftRows)
def _rows(net: Net, op: NftRows) -> None:
    ns = net.spaces[op.netns]
    work = Work(ns.nft.copy(), (op.family, op.table), ns, net.clock)
    try:
        for command in op.commands:
            command.do(work)
    except Gone as gone:
        span = Span(1, 0, len(gone.line))
        error = NftError(
            f"Could not process rule: {WORDS[gone.errno]}", span, phase="kernel", errno=gone.errno
        )
        raise NftRefused([error], [gone.line], "/dev/stdin") from None
    work.nft.changed(hooks=work.hooks)
    work.nft.generation += 1
    ns.nft = work.nft


def text(op: NftRows) -> str:
    """The transaction as nft -f reads it."""
    table = f"{op.family} {op.table}"
    return "".join(f"{line}\n" for command in op.commands for line in command.lines(table))


@to_command.register
def _(op: NftRows, place: Place) -> tuple[Words, ...]:
    inside = place(op.netns)
    head = ("ip", "netns", "exec", inside) if inside else ()
    return ((*head, "nft", text(op).rstrip("\n")),)

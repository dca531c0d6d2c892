"""Carrying out a batch of commands on one namespace's tables: all of them, or none with nft's own words.

Theory. nft reads everything, evaluates everything, then sends all of it to the kernel, which takes all or nothing;
errors of one stage are reported together and keep the next stage from being reached. Here evaluating and doing go
hand in hand on a copy, and the errors are sorted by stage at the end. Sources: libnftables.c, evaluate.c, cmd.c of
nftables 1.0.6; net/netfilter/nf_tables_api.c.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.nft import suggest
from engine.linux.nft.batch_sets import SetCommands
from engine.linux.nft.check import sound, wrong
from engine.linux.nft.cmd import Cmd
from engine.linux.nft.exprs import AnonSet
from engine.linux.nft.lexer import NftError, Span
from engine.linux.nft.read_rule import Read, RuleReader
from engine.linux.nft.refused import kernel
from engine.linux.nft.sets import Element, Verdict
from engine.linux.nft.tables import TYPE_HOOKS, Base, Chain, Nft, Table
from engine.record import replace

MAX_ERRORS = 10


class Batch(SetCommands):
    """Commands on a working copy. `devices` by name; `xt_there(hook)` the tables of iptables at a hook of the
    walker."""

    def __init__(
        self,
        nft: Nft,
        *,
        devices: dict[str, int],
        now: float,
        xt_there: Callable[[str], frozenset[str]],
        strict: bool = False,
    ) -> None:
        self.nft, self.devices, self.now, self.xt_there = nft, devices, now, xt_there
        self.flushed_all = False
        #: look at every rule by itself, to find the one that the kernel refuses
        self.strict = strict

    def run(self, cmds: list[Cmd]) -> list[NftError]:
        """Do all of them; the errors that nft would print."""
        errors: list[NftError] = []
        for cmd in cmds:
            try:
                self.one(cmd)
            except NftError as error:
                errors.append(error)
        for phase in ("syntax", "evaluate", "kernel"):
            found = [e for e in errors if e.phase == phase]
            if found:
                return found[:MAX_ERRORS]
        self.nft.changed()
        self.nft.generation += 1
        return []

    @property
    def sound(self) -> bool:
        """Would the kernel take all tables as they are now?"""
        return not any(sound(table) for table in self.nft.tables.values())

    def one(self, cmd: Cmd) -> None:
        handler = getattr(self, f"{cmd.verb}_{cmd.object}", None)
        if handler is None:
            kind = (
                "object"
                if cmd.object in ("counter", "quota", "limit")
                else "set"
                if cmd.object == "map"
                else cmd.object
            )
            handler = getattr(self, f"{cmd.verb}_{kind}", None)
        if handler is None and cmd.verb == "create":
            handler = getattr(self, f"add_{'set' if cmd.object == 'map' else cmd.object}", None)
            if handler is None:
                handler = self.add_object
        assert handler is not None, (cmd.verb, cmd.object)
        handler(cmd)

    # -- finding -----------------------------------------------------------------------------------------

    def chain(self, cmd: Cmd) -> Chain:
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            hint = suggest.chain_hint(self.tables(), cmd.chain)
            place = cmd.places["chain"]
            if hint != suggest.GONE:
                raise NftError(hint, place, phase="kernel", errno="ENOENT")
            raise kernel("ENOENT", place)
        return self.nft.own_chain(table.key, cmd.chain)

    # -- tables ------------------------------------------------------------------------------------------

    def add_table(self, cmd: Cmd) -> None:
        key = (cmd.family, cmd.table)
        if key in self.nft.tables:
            if cmd.verb == "create":
                raise kernel("EEXIST", cmd.places["table"])
            if cmd.dormant:
                self.nft.own_table(key).dormant = True
            return
        table = Table(
            family=cmd.family, name=cmd.table, handle=self.nft.next_table, comment=cmd.comment,
            dormant=bool(cmd.dormant), owner=self.nft.token,
        )  # fmt: skip
        self.nft.next_table += 1
        self.nft.tables[key] = table

    def delete_table(self, cmd: Cmd) -> None:
        if cmd.handle:
            found = next(
                (t for t in self.tables() if t.handle == cmd.handle and t.family == cmd.family), None
            )
            if found is None:
                raise kernel("ENOENT", cmd.places["table"])
            del self.nft.tables[found.key]
            return
        table = self.table(cmd)
        del self.nft.tables[table.key]

    def flush_table(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        for name in table.chains:
            self.empty(table, name)

    def flush_ruleset(self, cmd: Cmd) -> None:
        if not cmd.family:
            self.nft.tables.clear()
            self.flushed_all = True
            return
        for key in [k for k in self.nft.tables if k[0] == cmd.family]:
            del self.nft.tables[key]
        self.flushed_all = self.flushed_all or cmd.family == "ip"

    # -- chains ------------------------------------------------------------------------------------------

    def add_chain(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        there = table.chains.get(cmd.chain)
        if there is not None:
            if cmd.verb == "create":
                raise kernel("EEXIST", cmd.places["chain"])
            self.again(table, there, cmd)
            return
        base = None
        if cmd.base is not None:
            if cmd.base.hook not in TYPE_HOOKS[cmd.base.type]:
                raise kernel("EOPNOTSUPP", cmd.place)
            if cmd.base.type == "nat" and cmd.base.priority <= -200:
                raise kernel("EOPNOTSUPP", cmd.place)
            base = self.registered(cmd.base, cmd.policy or "accept")
        elif cmd.policy:
            raise kernel("EOPNOTSUPP", cmd.place)
        table.chains[cmd.chain] = Chain(
            name=cmd.chain, handle=table.new_handle(), base=base, comment=cmd.comment, owner=self.nft.token
        )

    def registered(self, base: Base, policy: str) -> Base:
        from engine.linux.nft.tables import HOOKS

        serial = self.nft.next_serial
        self.nft.next_serial += 1
        return replace(base, policy=policy, serial=serial, xt_there=self.xt_there(HOOKS[base.hook]))

    def again(self, table: Table, there: Chain, cmd: Cmd) -> None:
        """A chain that is there is named once more: its policy may change, its place may not."""
        if cmd.base is None and not cmd.policy:
            return
        if there.base is None or (
            cmd.base is not None
            and (cmd.base.type, cmd.base.hook, cmd.base.priority)
            != (there.base.type, there.base.hook, there.base.priority)
        ):
            raise kernel("EOPNOTSUPP", cmd.place)
        if cmd.policy:
            chain = self.nft.own_chain(table.key, there.name)
            chain.base = replace(there.base, policy=cmd.policy)

    def delete_chain(self, cmd: Cmd) -> None:
        if cmd.handle:
            table = self.table(cmd)
            found = next((c for c in table.chains.values() if c.handle == cmd.handle), None)
            if found is None:
                raise kernel("ENOENT", cmd.places["chain"])
            cmd.chain = found.name
        chain = self.chain(cmd)
        table = self.table(cmd)
        if table.references(chain.name):
            raise kernel("EBUSY", cmd.places["chain"])
        del table.chains[chain.name]

    def flush_chain(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            raise kernel("ENOENT", cmd.places["chain"])
        self.empty(table, cmd.chain)

    def empty(self, table: Table, name: str) -> None:
        chain = self.nft.own_chain(table.key, name)
        chain.rules, chain.cells = [], {}
        chain.changed()

    def rename_chain(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        chain = self.chain(cmd)
        if cmd.new_name in table.chains:
            raise kernel("EEXIST", cmd.place)
        old, chain.name = chain.name, cmd.new_name
        table.chains = {(cmd.new_name if n == old else n): c for n, c in table.chains.items()}
        for name in table.chains:
            self.retarget(table, name, old, cmd.new_name)
        for name, there in list(table.sets.items()):
            if there.kind == "verdict" and any(
                getattr(e.data, "chain", "") == old for e in there.elements.values()
            ):
                mine = self.nft.own_set(table.key, name)
                for e in list(mine.elements.values()):
                    mine.put(_renamed(e, old, cmd.new_name))

    def retarget(self, table: Table, name: str, old: str, new: str) -> None:
        from engine.linux.nft.statements import VerdictIs, Vmap

        chain = table.chains[name]
        if not any(old in rule.targets() for rule in chain.rules):
            return
        chain = self.nft.own_chain(table.key, name)
        for i, rule in enumerate(chain.rules):
            out = []
            for s in rule.statements:
                if isinstance(s, VerdictIs) and s.verdict.chain == old:
                    s = VerdictIs(verdict=Verdict(word=s.verdict.word, chain=new))
                elif isinstance(s, Vmap) and isinstance(s.source, AnonSet) and old in s.targets():
                    content = s.source.content.copy()
                    for e in list(content.elements.values()):
                        content.put(_renamed(e, old, new))
                    s = replace(s, source=AnonSet(content=content))
                out.append(s)
            chain.rules[i] = replace(rule, statements=tuple(out))
        chain.changed()

    # -- rules -------------------------------------------------------------------------------------------

    def read(self, cmd: Cmd) -> Read:
        key = (cmd.family, cmd.table)
        table = self.nft.tables.get(key)
        reader = RuleReader(
            cmd.tokens, family=cmd.family, sets=table.sets if table is not None else {},
            objects=table.objects if table is not None else {}, devices=self.devices,
            hint=lambda name: suggest.set_hint(self.tables(), name),
        )  # fmt: skip
        return reader.rule()

    def place_of(self, cmd: Cmd, chain: Chain) -> int:
        """The index of the rule that handle, position or index name; -1 for none given."""
        if cmd.index >= 0:
            if cmd.index >= len(chain.rules):
                raise kernel("ENOENT", cmd.places["position"])
            return cmd.index
        number = cmd.handle or cmd.after
        if not number:
            return -1
        at = chain.at(number)
        if at < 0:
            raise kernel("ENOENT", cmd.places["position"])
        return at

    def add_rule(self, cmd: Cmd) -> None:
        read = self.read(cmd)
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            raise kernel("ENOENT", cmd.places["chain"])
        chain = self.nft.own_chain(table.key, cmd.chain)
        at = self.place_of(cmd, chain)
        for statement in read.rule.statements:
            for source in statement.sources():
                if isinstance(source, AnonSet):
                    table.new_handle()  # a set without a name has a number too
        handle = table.new_handle()
        self.allowed(cmd, table, chain, read)
        rule = replace(read.rule, handle=handle)
        where = at + 1 if at >= 0 else len(chain.rules)
        if cmd.verb == "insert":
            where = at if at >= 0 else 0
        chain.rules.insert(where, rule)
        for i, cell in read.cells.items():
            chain.cells[handle, i] = cell
        chain.changed()

    insert_rule = add_rule

    def replace_rule(self, cmd: Cmd) -> None:
        read = self.read(cmd)
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            raise kernel("ENOENT", cmd.places["chain"])
        chain = self.nft.own_chain(table.key, cmd.chain)
        at = self.place_of(cmd, chain)
        self.allowed(cmd, table, chain, read)
        handle = chain.rules[at].handle
        chain.forget(handle)
        table.new_handle()
        chain.rules[at] = replace(read.rule, handle=handle)
        for i, cell in read.cells.items():
            chain.cells[handle, i] = cell
        chain.changed()

    def allowed(self, cmd: Cmd, table: Table, chain: Chain, read: Read) -> None:
        """Chains that it goes to must be there, and what it does must be possible where it stands."""
        for target in read.rule.targets():
            if target not in table.chains:
                token = next((t for t in cmd.tokens if t.text == target), cmd.tokens[0])
                raise kernel("ENOENT", Span(token.line, token.first, token.last))
            if table.chains[target].base is not None:
                token = next((t for t in cmd.tokens if t.text == target), cmd.tokens[0])
                raise kernel("EOPNOTSUPP", Span(token.line, token.first, token.last))
        errno = wrong(table, chain.name, read.rule) if self.strict else ""
        if errno:
            raise kernel(errno, cmd.place)

    def delete_rule(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            raise kernel("ENOENT", cmd.places["chain"])
        chain = self.nft.own_chain(table.key, cmd.chain)
        at = self.place_of(cmd, chain)
        chain.forget(chain.rules[at].handle)
        del chain.rules[at]
        chain.changed()

    def reset_counters(self, cmd: Cmd) -> None:
        kind = cmd.object.rstrip("s")
        for key in list(self.nft.tables):
            if (cmd.family and key[0] != cmd.family) or (cmd.table and key[1] != cmd.table):
                continue
            table = self.nft.own_table(key)
            for at, cell in list(table.cells.items()):
                if at[0] == kind and (not cmd.name or at[1] == cmd.name):
                    table.cells[at] = (0,) * len(cell)


def _renamed(e: Element, old: str, new: str) -> Element:
    if isinstance(e.data, Verdict) and e.data.chain == old:
        return replace(e, data=Verdict(word=e.data.word, chain=new))
    return e

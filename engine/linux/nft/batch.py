"""Carrying out a batch of commands on one namespace's tables: all of them, or none with nft's own words.

Theory. nft reads everything, evaluates everything, then sends all of it to the kernel, which takes all or nothing;
errors of one stage are reported together and keep the next stage from being reached. Here evaluating and doing go
hand in hand on a copy, and the errors are sorted by stage at the end. Sources: libnftables.c, evaluate.c, cmd.c of
nftables 1.0.6; net/netfilter/nf_tables_api.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.errors import OpError
from engine.linux.nft import suggest
from engine.linux.nft.check import sound, wrong
from engine.linux.nft.exprs import AnonSet
from engine.linux.nft.lexer import NftError, Span
from engine.linux.nft.parse import Cmd
from engine.linux.nft.read_rule import Read, RuleReader
from engine.linux.nft.read_value import ValueReader, clash, merged
from engine.linux.nft.sets import Element, NftSet, Verdict
from engine.linux.nft.tables import TYPE_HOOKS, Base, Chain, Nft, Table

ERRORS = {
    "ENOENT": "No such file or directory", "EEXIST": "File exists", "EBUSY": "Device or resource busy",
    "EOPNOTSUPP": "Operation not supported", "EINVAL": "Invalid argument", "EMLINK": "Too many links",
    "ERANGE": "Numerical result out of range", "ENFILE": "Too many open files in system",
}  # fmt: skip
MAX_ERRORS = 10
#: what nft gives a set that packets fill, when nobody says how large it may become
DYNAMIC_SIZE = 65535


class NftRefused(OpError):
    """A batch that was not taken. `errors` in order; `text` as nft prints them."""

    def __init__(self, errors: list[NftError], lines: list[str], source: str) -> None:
        self.errors = errors
        self.printed = "".join(e.render(lines, source) for e in errors)
        super().__init__(errors[0].errno, self.printed.rstrip("\n"))


def kernel(errno: str, *places: Span) -> NftError:
    """The kernel's answer to one command."""
    return NftError(f"Could not process rule: {ERRORS[errno]}", *places, phase="kernel", errno=errno)


class Batch:
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

    def tables(self) -> list[Table]:
        return list(self.nft.tables.values())

    def table(self, cmd: Cmd) -> Table:
        """The command's table, to be written to; the kernel's ENOENT without one."""
        key = (cmd.family, cmd.table)
        if key not in self.nft.tables:
            raise self.no_table(cmd)
        return self.nft.own_table(key)

    def no_table(self, cmd: Cmd) -> NftError:
        hint = suggest.table_hint(self.tables(), cmd.table)
        place = cmd.places["table"]
        if cmd.object == "table" and hint != suggest.GONE:
            return NftError(hint, place, phase="kernel", errno="ENOENT")
        return kernel("ENOENT", place)

    def chain(self, cmd: Cmd) -> Chain:
        table = self.table(cmd)
        if cmd.chain not in table.chains:
            hint = suggest.chain_hint(self.tables(), cmd.chain)
            place = cmd.places["chain"]
            if hint != suggest.GONE:
                raise NftError(hint, place, phase="kernel", errno="ENOENT")
            raise kernel("ENOENT", place)
        return self.nft.own_chain(table.key, cmd.chain)

    def set_of(self, cmd: Cmd) -> NftSet:
        """Sets are looked up while evaluating, so that their errors have no `Could not process rule`."""
        key = (cmd.family, cmd.table)
        if key not in self.nft.tables:
            raise NftError(suggest.table_hint(self.tables(), cmd.table), cmd.places["table"], errno="ENOENT")
        if cmd.name not in self.nft.tables[key].sets:
            raise NftError(suggest.set_hint(self.tables(), cmd.name), cmd.places["name"], errno="ENOENT")
        return self.nft.own_set(key, cmd.name)

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

    # -- sets --------------------------------------------------------------------------------------------

    def add_set(self, cmd: Cmd) -> None:
        assert cmd.set is not None
        table = self.table(cmd)
        there = table.sets.get(cmd.name)
        if there is not None:
            if cmd.verb == "create":
                raise kernel("EEXIST", cmd.places["name"])
            if [t.name for t in there.keys] != [t.name for t in cmd.set.keys] or there.flags != cmd.set.flags:
                raise kernel("EEXIST", cmd.places["name"])
        else:
            new = cmd.set.copy()
            if "dynamic" in new.flags and not new.size:
                new.size = DYNAMIC_SIZE
            new.handle, new.owner = table.new_handle(), self.nft.token
            table.sets[cmd.name] = new
        if cmd.tokens:
            self.put(cmd, self.nft.own_set(table.key, cmd.name))

    def put(self, cmd: Cmd, there: NftSet, *, create: bool = False) -> None:
        table = self.table(cmd)
        reader = ValueReader(cmd.tokens)
        reader.devices = self.devices
        rows = reader.elements(there)
        added: set[object] = set()
        for element, place in rows:
            self.fitting(table, there, element, place)
            if any(isinstance(p, tuple) for p in element.key) and not there.interval:
                text = (
                    "You must add 'flags interval' to your set declaration if you want to add prefix elements"
                )
                raise NftError(text, place)
            old = there.elements.get(element.key)
            if old is not None and (not old.expires or old.expires > self.now):
                if create or (there.is_map and old.data != element.data):
                    raise kernel("EEXIST", place)
                continue
            bad = clash(there, element)
            if bad is not None and not there.auto_merge:
                if len(there.keys) > 1:
                    raise kernel("EEXIST", place)
                new = bad.key in added
                raise NftError(
                    "conflicting intervals specified" if new else "interval overlaps with an existing one",
                    place,
                )
            if "constant" in there.flags and cmd.object == "element":
                raise kernel("ENFILE", place)
            alive = sum(1 for e in there.elements.values() if not e.expires or e.expires > self.now)
            if there.size and alive >= there.size:
                raise kernel("ENFILE", place)
            there.put(self.timed(there, element))
            added.add(element.key)
        if there.auto_merge and there.interval and len(there.keys) == 1 and not there.is_map:
            rest = merged(list(there.elements.values()))
            there.clear()
            for e in rest:
                there.put(e)

    def timed(self, there: NftSet, e: Element) -> Element:
        counter = (e.counter or (0, 0)) if there.counter else e.counter
        if "timeout" not in there.flags:
            return replace(e, timeout=0.0, expires=0.0, counter=counter)
        span = e.expires or e.timeout or there.timeout
        own = e.timeout if e.timeout and e.timeout != there.timeout else 0.0
        return replace(e, timeout=own, expires=self.now + span if span else 0.0, counter=counter)

    def fitting(self, table: Table, there: NftSet, e: Element, place: Span) -> None:
        if isinstance(e.data, Verdict) and e.data.chain:
            target = table.chains.get(e.data.chain)
            if target is None:
                raise kernel("ENOENT", place)
            if target.base is not None:
                raise kernel("EOPNOTSUPP", place)
        if there.is_map and e.data is None:
            raise kernel("EINVAL", place)
        if there.kind == "object" and (there.object_kind, e.data) not in table.objects:
            raise kernel("ENOENT", place)
        if e.timeout and "timeout" not in there.flags:
            raise kernel("EINVAL", place)

    def add_element(self, cmd: Cmd) -> None:
        there = self.set_of(cmd)
        self.put(cmd, there, create=cmd.verb == "create")

    def delete_element(self, cmd: Cmd) -> None:
        there = self.set_of(cmd)
        if "constant" in there.flags:
            raise kernel("EBUSY", cmd.place)
        reader = ValueReader(cmd.tokens)
        reader.devices = self.devices
        plain = replace(there, kind="set") if there.is_map else there
        if there.is_map and any(t.kind == ":" for t in cmd.tokens):
            plain = there
        for element, place in reader.elements(plain):
            old = there.elements.get(element.key)
            if old is None or (old.expires and old.expires <= self.now):
                if there.interval and len(there.keys) == 1:
                    raise NftError("element does not exist", place, errno="ENOENT")
                raise kernel("ENOENT", place)
            there.remove(element.key)

    def delete_set(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        if cmd.handle:
            found = next((s.name for s in table.sets.values() if s.handle == cmd.handle), "")
            cmd.name = found
        if cmd.name not in table.sets:
            hint = suggest.set_hint(self.tables(), cmd.name)
            if hint != suggest.GONE:
                raise NftError(hint, cmd.places["name"], phase="kernel", errno="ENOENT")
            raise kernel("ENOENT", cmd.places["name"])
        for chain in table.chains.values():
            for rule in chain.rules:
                for s in rule.statements:
                    if any(getattr(source, "name", "") == cmd.name for source in s.sources()):
                        raise kernel("EBUSY", cmd.places["name"])
        del table.sets[cmd.name]

    def flush_set(self, cmd: Cmd) -> None:
        self.set_of(cmd).clear()

    # -- objects -----------------------------------------------------------------------------------------

    def add_object(self, cmd: Cmd) -> None:
        assert cmd.named is not None
        table = self.table(cmd)
        key = (cmd.object, cmd.name)
        if key in table.objects:
            if cmd.verb == "create":
                raise kernel("EEXIST", cmd.places["name"])
            table.objects[key] = replace(cmd.named, handle=table.objects[key].handle)
            return
        table.objects[key] = replace(cmd.named, handle=table.new_handle())
        if cmd.cell is not None:
            table.cells[key] = cmd.cell

    def delete_object(self, cmd: Cmd) -> None:
        table = self.table(cmd)
        key = (cmd.object, cmd.name)
        if key not in table.objects:
            hint = suggest.object_hint(self.tables(), cmd.name)
            if hint != suggest.GONE:
                raise NftError(hint, cmd.places["name"], phase="kernel", errno="ENOENT")
            raise kernel("ENOENT", cmd.places["name"])
        from engine.linux.nft.changes import UseObject

        used = any(
            isinstance(s, UseObject) and s.kind == cmd.object and s.name == cmd.name
            for c in table.chains.values() for r in c.rules for s in r.statements
        ) or any(
            s.kind == "object" and s.object_kind == cmd.object and any(e.data == cmd.name for e in s.elements.values())
            for s in table.sets.values()
        )  # fmt: skip
        if used:
            raise kernel("EBUSY", cmd.places["name"])
        del table.objects[key]
        table.cells.pop(key, None)

    # -- what only prints --------------------------------------------------------------------------------

    def reset_counters(self, cmd: Cmd) -> None:
        kind = cmd.object.rstrip("s")
        for key in list(self.nft.tables):
            if (cmd.family and key[0] != cmd.family) or (cmd.table and key[1] != cmd.table):
                continue
            table = self.nft.own_table(key)
            for at, cell in list(table.cells.items()):
                if at[0] == kind and (not cmd.name or at[1] == cmd.name):
                    table.cells[at] = (0,) * len(cell)

    reset_counter = reset_quotas = reset_quota = reset_counters


def _renamed(e: Element, old: str, new: str) -> Element:
    if isinstance(e.data, Verdict) and e.data.chain == old:
        return replace(e, data=Verdict(word=e.data.word, chain=new))
    return e

"""Commands on sets, maps and named objects, and how a batch finds the table of a command.

Rules. As in batch.py. Sources: evaluate.c, intervals.c of nftables 1.0.6; net/netfilter/nf_tables_api.c.
"""

from __future__ import annotations

from engine.linux.nft import suggest
from engine.linux.nft.changes import UseObject
from engine.linux.nft.cmd import Cmd
from engine.linux.nft.lexer import NftError, Span
from engine.linux.nft.read_value import ValueReader, clash, merged
from engine.linux.nft.refused import kernel
from engine.linux.nft.sets import Element, NftSet, Verdict
from engine.linux.nft.tables import Nft, Table
from engine.record import replace

#: what nft gives a set that packets fill, when nobody says how large it may become
DYNAMIC_SIZE = 65535


class SetCommands:
    """What a batch does to sets and objects of its working copy."""

    nft: Nft
    now: float
    devices: dict[str, int]

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

    def set_of(self, cmd: Cmd) -> NftSet:
        """Sets are looked up while evaluating, so that their errors have no `Could not process rule`."""
        key = (cmd.family, cmd.table)
        if key not in self.nft.tables:
            raise NftError(suggest.table_hint(self.tables(), cmd.table), cmd.places["table"], errno="ENOENT")
        if cmd.name not in self.nft.tables[key].sets:
            raise NftError(suggest.set_hint(self.tables(), cmd.name), cmd.places["name"], errno="ENOENT")
        return self.nft.own_set(key, cmd.name)

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

    reset_counter = reset_quotas = reset_quota = reset_counters

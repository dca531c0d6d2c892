"""One set: add, delete, find.

Theory. Elements are found by a dict; a type with nets is asked once for each prefix length that it holds, longest
first, as the kernel does. hash:net,iface stops at the first prefix that holds the packet's net with any device (its
`multi`). The order of a listing is the kernel's (buckets.py for hashes, by number for bitmaps, as added for
list:set).

Rules. Who changes a set, or counts in it, takes it by `IpSets.own`. Errors are IpsetRefused, and then nothing has
changed. Elements whose time is over are gone for every question; `now` is the virtual clock.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator

from engine.linux.addr import mask
from engine.linux.ipset.buckets import Buckets
from engine.linux.ipset.kinds import Kind, element_size
from engine.linux.ipset.refused import IpsetRefused
from engine.linux.ipset.rows import Asked, Beside, Element, Entry, Options
from engine.record import replace

COMMENT_HEAD = 16  # sizeof(struct ip_set_comment_rcu)
NEVER = 0.0


class IpSet:
    """One set. `entries` by element; `prefixes` how many elements have each length, for each net part."""

    __slots__ = ("buckets", "comments", "entries", "kind", "name", "options", "owner", "prefixes", "soonest")

    def __init__(self, name: str, kind: Kind, options: Options) -> None:
        self.name, self.kind, self.options = name, kind, options
        self.entries: dict[Element, Entry] = {}
        self.prefixes: tuple[Counter[int], ...] = tuple(Counter() for _ in kind.nets)
        self.comments = 0
        self.soonest = float("inf")
        self.owner: object = None
        self.buckets = self._fresh()

    def _fresh(self) -> Buckets | None:
        if self.kind.hashed is None:
            return None
        o = self.options
        size = element_size(self.kind, o.extensions)
        return Buckets(self.kind.hashed, o.initval, o.hashsize, o.bucketsize, size)

    def copy(self) -> IpSet:
        new = IpSet.__new__(IpSet)
        new.name, new.kind, new.options, new.owner = self.name, self.kind, self.options, None
        new.entries = dict(self.entries)
        new.prefixes = tuple(Counter(c) for c in self.prefixes)
        new.comments, new.soonest = self.comments, self.soonest
        new.buckets = self.buckets.copy() if self.buckets is not None else None
        return new

    def __repr__(self) -> str:
        return f"IpSet({self.name!r}, {self.kind.name!r}, {self.options!r}, {self.entries!r})"

    def __eq__(self, other: object) -> bool:
        """The same set, whoever owns it and however its buckets lie."""
        mine = (self.name, self.kind, self.options, self.entries)
        return isinstance(other, IpSet) and mine == (other.name, other.kind, other.options, other.entries)

    __hash__ = None  # type: ignore[assignment]

    # -- questions ------------------------------------------------------------------------------------------

    def listed(self, now: float) -> list[Entry]:
        """The entries in the order of `ipset list`."""
        if self.buckets is not None:
            found = [self.entries[e] for e in self.buckets.elements()]
        elif self.kind.is_list:
            found = list(self.entries.values())
        else:
            found = [self.entries[e] for e in sorted(self.entries, key=lambda e: (e.ip, e.port))]
        return [entry for entry in found if not over(entry, now)]

    def memory(self) -> int:
        """`Size in memory`."""
        kind, o = self.kind, self.options
        size = element_size(kind, o.extensions)
        if self.buckets is not None:
            return kind.base + self.buckets.total + self.comments
        if kind.is_list:
            return kind.base + len(self.entries) * size + self.comments
        span = places(kind, o)
        return kind.base + (span + 63) // 64 * 8 + span * size + self.comments

    def hashsize(self) -> int:
        return 1 << self.buckets.bits if self.buckets is not None else 0

    def bucketsize(self) -> int:
        return self.buckets.bucketsize if self.buckets is not None else 0

    def find(self, element: Element) -> tuple[Entry | None, int]:
        """The entry that the kernel takes for equal, and for hash:net,iface how many have its net."""
        if "iface" not in self.kind.parts:
            return self.entries.get(element), 0
        assert self.buckets is not None
        met = 0
        for one in self.buckets.bucket(self.buckets.key(element)):
            if (one.ip, one.bits) != (element.ip, element.bits):
                continue
            met += 1
            same = element.iface.startswith(one.iface) if one.wildcard else one.iface == element.iface
            if one.physdev == element.physdev and same:
                return self.entries[one], met
        return None, met

    def candidates(self, element: Element, now: float) -> Iterator[Entry]:
        """The entries that cover an element, the first one first. An element with a shorter prefix is looked for as
        it stands."""
        lengths = [{"net": element.bits, "net2": element.bits2}[part] for part in self.kind.nets]
        if not lengths or any(bits != 32 for bits in lengths):
            found, _ = self.find(element)
            if found is not None and not over(found, now):
                yield found
            return
        for key in self._cut(element):
            found, met = self.find(key)
            if found is not None and not over(found, now):
                yield found
            elif met:
                return

    def _cut(self, element: Element) -> Iterator[Element]:
        """The element cut to every prefix length that the set holds, longest first."""
        first = sorted(self.prefixes[0], reverse=True)
        if len(self.prefixes) == 2:
            for bits in first:
                for bits2 in sorted(self.prefixes[1], reverse=True):
                    yield replace(
                        element,
                        ip=element.ip & mask(bits),
                        bits=bits,
                        ip2=element.ip2 & mask(bits2),
                        bits2=bits2,
                    )
            return
        second = self.kind.nets == ("net2",)
        for bits in first:
            if second:
                yield replace(element, ip2=element.ip2 & mask(bits), bits2=bits)
            else:
                yield replace(element, ip=element.ip & mask(bits), bits=bits)

    # -- changes: the set is the caller's own -----------------------------------------------------------------

    def expire(self, now: float) -> None:
        """Forget elements whose time is over."""
        if self.soonest > now:
            return
        for entry in [e for e in self.entries.values() if over(e, now)]:
            self._drop(entry)
        self.soonest = min((e.deadline for e in self.entries.values() if e.deadline), default=float("inf"))

    def entry(self, element: Element, beside: Beside, now: float) -> Entry:
        o = self.options
        seconds = beside.timeout if beside.timeout is not None else o.timeout
        deadline = now + seconds if seconds else NEVER
        return Entry(element=element, beside=beside.settled(), deadline=deadline)

    def add(self, element: Element, beside: Beside, now: float, *, exist: bool = False) -> None:
        """One element (for list:set: `add_member`)."""
        self.expire(now)
        found, met = self.find(element)
        if found is not None:
            if not exist:
                raise IpsetRefused("ADDED")
            self._keep(self.entry(found.element, beside, now))
            return
        if self.buckets is not None:
            self._place(element, met)
        for counter, bits in zip(self.prefixes, self._lengths(element), strict=True):
            counter[bits] += 1
        self._keep(self.entry(element, beside, now))

    def _place(self, element: Element, met: int) -> None:
        assert self.buckets is not None
        key = self.buckets.key(element)
        row = self.buckets.rows.get(key)
        full = self.buckets.full(key, self.options.maxelem)
        if full and not (row is not None and (None in row.slots or self.options.forceadd)):
            raise IpsetRefused("FULL")
        if full and row is not None and None not in row.slots:
            gone = self.buckets.replace(key, 0, element)
            if gone is not None:
                self._forget(self.entries[gone])
        else:
            self.buckets.put(key, element, met)

    def _lengths(self, element: Element) -> list[int]:
        return [{"net": element.bits, "net2": element.bits2}[part] for part in self.kind.nets]

    def _keep(self, entry: Entry) -> None:
        old = self.entries.get(entry.element)
        self.comments += comment_size(entry) - (comment_size(old) if old is not None else 0)
        self.entries[entry.element] = entry
        if entry.deadline:
            self.soonest = min(self.soonest, entry.deadline)

    def update(self, entry: Entry) -> None:
        """The same element with other counters."""
        self.entries[entry.element] = entry

    def delete(self, element: Element, now: float, *, exist: bool = False) -> None:
        self.expire(now)
        found, _ = self.find(element)
        if found is None:
            if exist:
                return
            raise IpsetRefused("NOT_ADDED")
        self._drop(found)

    def _drop(self, entry: Entry) -> None:
        if self.buckets is not None:
            self.buckets.take(self.buckets.key(entry.element), entry.element)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        del self.entries[entry.element]
        self.comments -= comment_size(entry)
        for counter, bits in zip(self.prefixes, self._lengths(entry.element), strict=True):
            counter[bits] -= 1
            if not counter[bits]:
                del counter[bits]

    def flush(self) -> None:
        grown = self.buckets.bits if self.buckets is not None else 0
        self.entries, self.comments, self.soonest = {}, 0, float("inf")
        self.prefixes = tuple(Counter() for _ in self.kind.nets)
        self.buckets = self._fresh()
        if self.buckets is not None:
            self.buckets.bits = grown
            self.buckets.counts = [0] * self.buckets.regions

    def add_member(self, asked: Asked, beside: Beside, now: float, *, exist: bool = False) -> None:
        """A member of a list:set, at the end or before or after another."""
        self.expire(now)
        names = [e.name for e in self.entries]
        near = asked.before or asked.after
        if near and (near not in names or near == asked.name):
            raise IpsetRefused("REF_EXIST")
        element = Element(name=asked.name)
        entry = self.entry(element, beside, now)
        if element in self.entries:
            if not exist:
                raise IpsetRefused("ADDED")
            self._keep(entry)
            return
        self._keep(entry)
        if near:
            at = names.index(near) + (1 if asked.after else 0)
            order = [*names[:at], asked.name, *names[at:]]
            self.entries = {Element(name=n): self.entries[Element(name=n)] for n in order}

    def beside_member(self, asked: Asked) -> bool:
        """Is the member there, and next to the one that was named?"""
        names = [e.name for e in self.entries]
        if asked.name not in names:
            return False
        at = names.index(asked.name)
        if asked.before:
            return at + 1 < len(names) and names[at + 1] == asked.before
        return not asked.after or (at > 0 and names[at - 1] == asked.after)


def over(entry: Entry, now: float) -> bool:
    return 0.0 < entry.deadline <= now


def comment_size(entry: Entry) -> int:
    text = entry.beside.comment
    return COMMENT_HEAD + len(text.encode()) + 1 if text else 0


def range_bits(low: int, high: int) -> tuple[int, int]:
    """(length, mask) of the shortest prefix that the kernel takes a bitmap's range for."""
    bits, cut = 31, 0xFFFFFFFE
    while bits > 0 and cut and high & cut != low:
        bits, cut = bits - 1, cut << 1 & 0xFFFFFFFF
    return bits, cut


def places(kind: Kind, o: Options) -> int:
    """How many elements a bitmap has room for."""
    if kind.parts == ("port",) or o.netmask == 32:
        return o.high - o.low + 1
    return 2 << (o.netmask - range_bits(o.low, o.high)[0] - 1)


def chosen_initval(netns: str, name: str) -> int:
    """The seed of a hash whose `create` names none: by chance in the kernel, the same for the same lab here."""
    return int.from_bytes(hashlib.sha256(f"{netns}/{name}".encode()).digest()[:4], "big")

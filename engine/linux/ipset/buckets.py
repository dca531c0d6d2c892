"""The kernel's hash table of a set, as far as a person can see it: the order of a listing and "Size in memory".

Theory. Elements lie in 2^n buckets by jhash2 of their bytes with the set's `initval`; a bucket grows by two places
up to `bucketsize`, then the table is doubled. A deleted element leaves a hole that the next one of its bucket fills.
Memory is counted with the kernel's own books, which take a bucket's head along each time that it grows. Sources:
ip_set_hash_gen.h, linux/jhash.h.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from engine.linux.hashing import jhash2
from engine.linux.ipset.rows import Element

STEP = 2  # AHASH_INIT_SIZE
HEAD = 32  # sizeof(struct hbucket)
REGION_BITS, REGION = 10, 24
MINIMUM = 64
TUNED_MAX = 64


class Bucket:
    """`slots` are the used positions and the holes (None) between them; `size` how many fit."""

    __slots__ = ("size", "slots")

    def __init__(self, size: int, slots: list[Element | None]) -> None:
        self.size, self.slots = size, slots


class Buckets:
    """The table. `bytes` is the kernel's sum over its buckets; `hashed` gives an element's words."""

    def __init__(
        self,
        hashed: Callable[[Element], tuple[int, ...]],
        initval: int,
        hashsize: int,
        bucketsize: int,
        size: int,
    ) -> None:
        self.hashed, self.initval, self.bucketsize, self.size = hashed, initval, bucketsize, size
        self.bits = (max(hashsize, MINIMUM) - 1).bit_length()
        self.rows: dict[int, Bucket] = {}
        self.bytes = 0
        self.counts = [0] * self.regions

    def copy(self) -> Buckets:
        new = Buckets(self.hashed, self.initval, 1 << self.bits, self.bucketsize, self.size)
        new.rows = {key: Bucket(b.size, list(b.slots)) for key, b in self.rows.items()}
        new.bytes, new.counts = self.bytes, list(self.counts)
        return new

    @property
    def regions(self) -> int:
        return 1 if self.bits < REGION_BITS else 1 << (self.bits - REGION_BITS)

    @property
    def total(self) -> int:
        """Bytes of the table behind the set's own: buckets, and the regions that come with size."""
        return self.bytes + REGION * (self.regions - 1)

    def key(self, element: Element) -> int:
        return jhash2(self.hashed(element), self.initval) & ((1 << self.bits) - 1)

    def full(self, key: int, maxelem: int) -> bool:
        """As the kernel counts: a region's share first, then all."""
        if self.counts[key >> REGION_BITS] < maxelem // self.regions:
            return False
        return sum(self.counts) >= maxelem

    def bucket(self, key: int) -> list[Element]:
        """The elements of one bucket in their order."""
        found = self.rows.get(key)
        return [e for e in found.slots if e is not None] if found is not None else []

    def elements(self) -> Iterator[Element]:
        """All, in the order of a listing."""
        for key in sorted(self.rows):
            for element in self.rows[key].slots:
                if element is not None:
                    yield element

    def put(self, key: int, element: Element, multi: int = 0) -> None:
        """A new element; `multi` of its bucket have its net (hash:net,iface makes room for those)."""
        found = self.rows.get(key)
        if found is None:
            self.rows[key] = Bucket(STEP, [element])
            self.bytes += HEAD + STEP * self.size
        elif None in found.slots:
            found.slots[found.slots.index(None)] = element
        else:
            if len(found.slots) >= found.size:
                if multi and self.bucketsize <= multi < TUNED_MAX:
                    self.bucketsize += STEP
                if found.size >= self.bucketsize:
                    self.grow()
                    self.put(self.key(element), element, multi)
                    return
                found.size += STEP
                self.bytes += HEAD + STEP * self.size
            found.slots.append(element)
        self.counts[key >> REGION_BITS] += 1

    def replace(self, key: int, at: int, element: Element) -> Element | None:
        """Put an element over the one at a place (forceadd); the one that goes."""
        slots = self.rows[key].slots
        gone, slots[at] = slots[at], element
        if gone is None:
            self.counts[key >> REGION_BITS] += 1
        return gone

    def take(self, key: int, element: Element) -> None:
        found = self.rows[key]
        at = found.slots.index(element)
        found.slots[at] = None
        if at + 1 == len(found.slots):
            found.slots.pop()
        self.counts[key >> REGION_BITS] -= 1
        holes = found.slots.count(None)
        if not found.slots:
            self.bytes -= HEAD + found.size * self.size
            del self.rows[key]
        elif holes >= STEP:
            self.rows[key] = Bucket(found.size - STEP, [e for e in found.slots if e is not None])
            self.bytes -= HEAD + STEP * self.size

    def grow(self) -> None:
        """Double the table until every bucket fits (mtype_resize)."""
        elements = list(self.elements())
        while not self._fill(self.bits + 1, elements):
            self.bits += 1

    def _fill(self, bits: int, elements: Iterable[Element]) -> bool:
        fresh = Buckets(self.hashed, self.initval, 1 << bits, self.bucketsize, self.size)
        for element in elements:
            key = fresh.key(element)
            found = fresh.rows.get(key)
            if found is None:
                fresh.rows[key] = found = Bucket(STEP, [])
                fresh.bytes += HEAD + STEP * self.size
            elif len(found.slots) >= found.size:
                if found.size >= self.bucketsize:
                    return False
                found.size += STEP
                fresh.bytes += HEAD + STEP * self.size
            found.slots.append(element)
            fresh.counts[key >> REGION_BITS] += 1
        self.bits, self.rows, self.bytes, self.counts = fresh.bits, fresh.rows, fresh.bytes, fresh.counts
        return True

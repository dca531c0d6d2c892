"""Sets and maps of nft: their elements, how one is found, how they print.

Theory. A key is a tuple with one part a field; a part is a value, or a (low, high) pair in a set of intervals. Exact
keys are found by one dict probe, intervals of one field by bisect, concatenated intervals among those elements that
are exact in the same fields. A timed-out element is as good as gone. Sources: nft_set_{hash,rbtree,pipapo}.c;
expression.c, rule.c, mergesort.c of nftables 1.0.6 for order and form.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import field

from engine.linux.layered import shared
from engine.linux.nft.types import Type, time_text
from engine.record import dataclass, replace

Part = "Value | tuple[Value, Value]"
Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """accept, drop, continue, return, jump or goto; `chain` for the last two."""

    word: str
    chain: str = ""

    def text(self) -> str:
        return f"{self.word} {self.chain}" if self.chain else self.word


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element. `key` () = the catch-all `*`; `data` what a map gives: a Verdict, a tuple of values, the name of an
    object; `timeout` its own one in seconds; `expires` on the virtual clock, 0 = never; `stateful` its statements
    (counter) as texts without counts."""

    key: Key
    data: Verdict | tuple[object, ...] | str | None = None
    timeout: float = 0.0
    expires: float = 0.0
    comment: str = ""
    counter: tuple[int, int] | None = None


def part_text(type: Type, part: object, names: Mapping[int, str] | None = None) -> str:
    """One field of a key: a value, a prefix or a range."""
    if not isinstance(part, tuple):
        return type.text(part, names)  # type: ignore[arg-type]
    low, high = part
    if low == high:
        return type.text(low, names)
    if isinstance(low, str):
        return f'"{low}"'
    if type.name in ("ipv4_addr", "ether_addr", "mark", "integer"):
        span = high - low
        if span & (span + 1) == 0 and low & span == 0 and type.name in ("ipv4_addr", "ether_addr"):
            return f"{type.text(low)}/{type.bits - span.bit_length()}"
    return f"{type.text(low, names)}-{type.text(high, names)}"


def key_text(types: tuple[Type, ...], key: Key, names: Mapping[int, str] | None = None) -> str:
    if not key:
        return "*"
    return " . ".join(part_text(t, p, names) for t, p in zip(types, key, strict=True))


def sort_value(types: tuple[Type, ...], key: Key, *, interval: bool = False) -> int:
    """The number by which nft sorts elements: one field by its value, a concatenation by its bytes, last one first. A
    name is a number whose first letter weighs least, but most in a set of intervals."""
    if not key:
        return 1 << 4096
    lows: list[int | str] = [p[0] if isinstance(p, tuple) else p for p in key]  # type: ignore[misc]
    if len(types) == 1:
        low = lows[0]
        if not isinstance(low, str):
            return low
        if interval:
            return int.from_bytes(low.rstrip("*").encode().ljust(16, b"\0"), "big")
        return int.from_bytes(low.encode(), "little")
    data = b""
    for type, low in zip(types, lows, strict=True):
        size = -(-type.bits // 8)
        if isinstance(low, str):
            data += low.encode().ljust(size, b"\0")
        else:
            data += low.to_bytes(size, "big" if type.big else "little")
    return int.from_bytes(data, "little")


@dataclass(slots=True, kw_only=True)
class NftSet:
    """A named set or map, or the content of an anonymous one (name ""). `keys` the types of a key's fields; `data`
    those that a map gives, () for a set; `kind` set, verdict, value or object (of `object_kind`); `typeof` the text
    behind `typeof`, "" where the set was declared by `type`."""

    name: str = ""
    handle: int = 0
    keys: tuple[Type, ...]
    data: tuple[Type, ...] = ()
    kind: str = "set"
    object_kind: str = ""
    typeof: str = ""
    flags: frozenset[str] = frozenset()
    timeout: float = 0.0
    gc_interval: float = 0.0
    size: int = 0
    policy: str = ""
    auto_merge: bool = False
    counter: bool = False
    comment: str = ""
    elements: dict[Key, Element] = field(default_factory=dict)
    owner: object = field(default=None, compare=False, repr=False)
    _index: Index | None = field(default=None, compare=False, repr=False)

    def copy(self) -> NftSet:
        self.elements, elements = shared(self.elements)
        return replace(self, elements=elements, owner=None)

    @property
    def is_map(self) -> bool:
        return self.kind != "set"

    @property
    def interval(self) -> bool:
        return "interval" in self.flags

    def put(self, element: Element) -> None:
        self.elements[element.key] = element
        self._index = None if self.interval or not element.key else self._index

    def remove(self, key: Key) -> None:
        del self.elements[key]
        if self.interval or not key:
            self._index = None

    def clear(self) -> None:
        self.elements = {}
        self._index = None

    def find(self, key: Key, now: float = 0.0) -> Element | None:
        """The element that a packet's key meets, a catch-all at last."""
        found = self.elements.get(key)
        if found is None or (found.expires and found.expires <= now):
            found = None
            if self.interval:
                if self._index is None:
                    self._index = Index(self.elements.values())
                found = self._index.find(key, now)
            if found is None:
                found = self.elements.get(())
        return None if found is None or (found.expires and found.expires <= now) else found

    def alive(self, now: float) -> list[Element]:
        """Elements in the order in which nft lists them."""
        there = [e for e in self.elements.values() if not e.expires or e.expires > now]
        if self.interval and len(self.keys) > 1:
            return there
        return sorted(there, key=lambda e: sort_value(self.keys, e.key, interval=self.interval))


class Index:
    """Intervals made ready: of one field sorted by their beginning, of several by the fields that are exact."""

    __slots__ = ("ends", "groups", "lows", "rows")

    def __init__(self, elements: Iterable[Element]) -> None:
        single: list[tuple[object, Element]] = []
        self.groups: dict[tuple[int, ...], dict[Key, list[Element]]] = {}
        for e in elements:
            if not any(isinstance(p, tuple) for p in e.key):
                continue
            if len(e.key) == 1:
                single.append((e.key[0][0], e))  # type: ignore[index]
            else:
                exact = tuple(i for i, p in enumerate(e.key) if not isinstance(p, tuple))
                rows = self.groups.setdefault(exact, {})
                rows.setdefault(tuple(e.key[i] for i in exact), []).append(e)
        single.sort(key=lambda row: row[0])  # type: ignore[arg-type, return-value]
        self.lows = [row[0] for row in single]
        self.rows = [row[1] for row in single]

    def find(self, key: Key, now: float) -> Element | None:
        if self.lows and len(key) == 1:
            at = bisect_right(self.lows, key[0]) - 1  # type: ignore[call-overload]
            if at >= 0 and within(self.rows[at].key[0], key[0]):
                found: Element = self.rows[at]
                return found
        for exact, rows in self.groups.items():
            for e in rows.get(tuple(key[i] for i in exact), ()):
                if all(within(p, k) for p, k in zip(e.key, key, strict=True)) and not (
                    e.expires and e.expires <= now
                ):
                    return e
        return None


def within(part: object, value: object) -> bool:
    if not isinstance(part, tuple):
        return part == value
    low, high = part
    if isinstance(low, str):
        assert isinstance(value, str)
        return value.startswith(low[:-1]) if low.endswith("*") else value == low
    return bool(low <= value <= high)


def overlap(one: Key, other: Key) -> bool:
    """Do two keys share a value?"""
    if len(one) != len(other) or not one:
        return one == other
    for a, b in zip(one, other, strict=True):
        low_a, high_a = a if isinstance(a, tuple) else (a, a)
        low_b, high_b = b if isinstance(b, tuple) else (b, b)
        if isinstance(low_a, str) or isinstance(low_b, str):
            if low_a != low_b:
                return False
        elif low_a > high_b or low_b > high_a:
            return False
    return True


def element_text(
    s: NftSet, e: Element, now: float, *, stateless: bool, names: Mapping[int, str] | None = None
) -> str:
    """`KEY [counter ...] [timeout T expires T] [comment "..."] [: DATA]`."""
    out = key_text(s.keys, e.key, names)
    if s.keys[0].bitmask:
        out = out.replace(",", " | ")
    if e.counter is not None:
        out += " counter" if stateless else f" counter packets {e.counter[0]} bytes {e.counter[1]}"
    if e.timeout:
        out += f" timeout {time_text(e.timeout, names)}"
    if e.expires and not stateless:
        out += f" expires {time_text(e.expires - now, names)}"
    if e.comment:
        out += f' comment "{e.comment}"'
    if e.data is None:
        return out
    return f"{out} : {data_text(s, e, names)}"


def data_text(s: NftSet, e: Element, names: Mapping[int, str] | None = None) -> str:
    if isinstance(e.data, Verdict):
        return e.data.text()
    if isinstance(e.data, str):
        return f'"{e.data}"'
    assert isinstance(e.data, tuple)
    return key_text(s.data, e.data, names)


def elements_text(s: NftSet, now: float, *, stateless: bool, names: Mapping[int, str] | None = None) -> str:
    """`{ A, B }`, wrapped as nft wraps the elements of a named set."""
    rows = [element_text(s, e, now, stateless=stateless, names=names) for e in s.alive(now)]
    if not s.name:
        return "{ " + ", ".join(rows) + " }"
    # Maps whose elements carry data are wrapped by the type of the key's expression, which a mapping does not have.
    width = s.keys[0].line if len(s.keys) == 1 else 1
    out, count = "{ ", 0
    for i, row in enumerate(rows):
        if i:
            out += ", " if count < width else ",\n\t\t\t     "
            count = count if count < width else 0
        out += row
        count += 1
    return out + " }"

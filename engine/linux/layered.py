"""A large dict that is copied for nothing: what is shared below, what was written since above.

Theory. A node of a large cluster has 170,000 chains, and a copy of the lab writes to five of them. `shared(rows)` makes
two dicts of one: both read the same base, which nobody writes any more, and each keeps its own writes. When these have
become many, the next copy lays them down in a base of their own.

Rules. Order is that of a dict. `values` and `items` are read once, from the front. A `Layered` is a dict to everybody
who only uses its methods; C code that reads a dict's own table sees nothing, so it is for tables of rows, not for
keyword arguments. None is not a row: who sets it sets nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

#: smaller dicts are copied whole
LARGE = 512
_GONE: Any = object()


def shared(rows: dict[K, V]) -> tuple[dict[K, V], dict[K, V]]:
    """Two dicts with the same rows: one to go on with in place of `rows`, and its copy."""
    if isinstance(rows, Layered):
        return rows, rows.copy()
    if len(rows) < LARGE:
        return rows, dict(rows)
    return Layered(rows), Layered(rows)


class Layered(dict[K, V]):
    """`_base` is shared and never written; `_over` are own rows, `_GONE` for those of the base that are gone."""

    __slots__ = ("_base", "_beyond", "_count", "_over")

    def __init__(self, base: dict[K, V]) -> None:
        super().__init__()
        self._base = base
        self._over: dict[K, V] = {}
        self._count = len(base)
        #: what of this base is not among these names, as it was asked last of any copy
        self._beyond: list[tuple[dict[K, V], Set[K], frozenset[K]]] = []

    def copy(self) -> Layered[K, V]:
        if len(self._over) > LARGE and len(self._over) * 8 > len(self._base):
            self._flatten()
        other = Layered(self._base)
        other._over, other._count, other._beyond = dict(self._over), self._count, self._beyond
        return other

    def _flatten(self) -> None:
        rows = self._base.copy()
        for key, value in self._over.items():
            if value is _GONE:
                del rows[key]
            else:
                rows[key] = value
        self._base, self._over, self._count, self._beyond = rows, {}, len(rows), []

    def __getitem__(self, key: K) -> V:
        found = self._over.get(key)
        if found is None:
            return self._base[key]
        if found is _GONE:
            raise KeyError(key)
        return found

    def get(self, key: K, default: Any = None) -> Any:
        found = self._over.get(key)
        if found is None:
            return self._base.get(key, default)
        return default if found is _GONE else found

    def __contains__(self, key: object) -> bool:
        found = self._over.get(key)  # type: ignore[arg-type]
        return found is not _GONE if found is not None else key in self._base

    def __setitem__(self, key: K, value: V) -> None:
        if self._over.get(key) is _GONE:
            self._flatten()
        if key not in self:
            self._count += 1
        self._over[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._count -= 1
        if key in self._base:
            self._over[key] = _GONE
        else:
            del self._over[key]

    def pop(self, key: K, *default: Any) -> Any:
        if key in self:
            value = self[key]
            del self[key]
            return value
        if default:
            return default[0]
        raise KeyError(key)

    def setdefault(self, key: K, default: Any = None) -> Any:
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, rows: Any = (), /, **more: Any) -> None:
        for key, value in dict(rows, **more).items():
            self[key] = value

    def clear(self) -> None:
        self._base, self._over, self._count = {}, {}, 0

    def beyond(self, known: Set[K]) -> set[K]:
        """The keys that are not among the known ones. Asked again of the same large set, it looks at few."""
        if not self._beyond or self._beyond[0][0] is not self._base or self._beyond[0][1] is not known:
            self._beyond[:] = [(self._base, known, frozenset(self._base.keys() - known))]
        found = set(self._beyond[0][2])
        for key, value in self._over.items():
            if value is _GONE:
                found.discard(key)
            elif key not in known:
                found.add(key)
        return found

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return self._count > 0

    def __iter__(self) -> Iterator[K]:
        over, base = self._over, self._base
        if not over:
            yield from base
            return
        for key in base:
            if over.get(key) is not _GONE:
                yield key
        for key in over:
            if key not in base:
                yield key

    def __reversed__(self) -> Iterator[K]:
        return reversed(list(self))

    def keys(self) -> Any:
        return list(self)

    def values(self) -> Any:
        return (self[key] for key in self) if self._over else self._base.values()

    def items(self) -> Any:
        return ((key, self[key]) for key in self) if self._over else self._base.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, dict) and dict(self.items()) == dict(other.items())

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None

    def __repr__(self) -> str:
        return repr(dict(self.items()))

    def __or__(self, other: Any) -> Any:
        return {**dict(self.items()), **other}

    def __ior__(self, other: Any) -> Any:
        self.update(other)
        return self

    @classmethod
    def fromkeys(cls, keys: Iterable[Any], value: Any = None) -> Any:
        return dict.fromkeys(keys, value)

    def __reduce__(self) -> Any:
        return dict, (dict(self.items()),)

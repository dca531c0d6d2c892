"""Sets of keys by a word, copy on write: what the store uses to find objects without looking at all of them.

Rules. An `Index` maps a word (a node's name, an owner's uid, a namespace, a label) to the keys that have it, in the
order in which they came. `copy` shares everything; who writes copies the one group that it changes.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Generic, TypeVar

from engine.linux.layered import shared

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Index(Generic[K, V]):
    """word -> keys. `_own` are the words whose groups are ours to change."""

    __slots__ = ("_groups", "_own")

    def __init__(self, groups: dict[K, dict[V, None]] | None = None) -> None:
        self._groups: dict[K, dict[V, None]] = groups if groups is not None else {}
        self._own: set[K] = set()

    def copy(self) -> Index[K, V]:
        self._own = set()
        self._groups, groups = shared(self._groups)
        return Index(groups)

    def get(self, word: K) -> Collection[V]:
        """The keys of a word. Do not keep it over a write."""
        found = self._groups.get(word)
        return found.keys() if found is not None else ()

    def words(self) -> Collection[K]:
        return self._groups.keys()

    def _group(self, word: K) -> dict[V, None]:
        if word not in self._own:
            self._own.add(word)
            self._groups[word] = dict(self._groups.get(word, ()))
        return self._groups[word]

    def add(self, word: K, key: V) -> None:
        self._group(word)[key] = None

    def remove(self, word: K, key: V) -> None:
        group = self._group(word)
        group.pop(key, None)
        if not group:
            del self._groups[word]
            self._own.discard(word)

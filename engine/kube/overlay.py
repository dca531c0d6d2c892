"""A dict whose copy costs only what was changed lately: what controllers remember of 150,000 objects.

Theory. Copies share `base` and own their `late`, the entries that were set or removed since; when `late` has grown to a
part of the whole it is folded into a new base. A change and a copy cost a few entries, folding is paid by many changes.
What has no copy yet writes into its base.

Rules. A `base` that copies share is never changed. A removed key is `GONE` in `late`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class _Gone:
    __slots__ = ()


GONE = _Gone()


class Overlay(Generic[K, V]):
    """A mapping for look-up, change and copy; it is not iterated."""

    __slots__ = ("_alone", "_base", "_late")

    def __init__(self, base: dict[K, V] | None = None) -> None:
        self._base: dict[K, V] = base if base is not None else {}
        self._late: dict[K, V | _Gone] = {}
        self._alone = base is None

    def copy(self) -> Overlay[K, V]:
        self._alone = False
        new: Overlay[K, V] = Overlay(self._base)
        new._late = dict(self._late)
        return new

    def get(self, key: K) -> V | None:
        if key in self._late:
            found = self._late[key]
            return None if isinstance(found, _Gone) else found
        return self._base.get(key)

    def __contains__(self, key: object) -> bool:
        return self.get(key) is not None  # type: ignore[arg-type]

    def put(self, key: K, value: V | None) -> None:
        """Set an entry; None removes it."""
        if self._alone:
            if value is None:
                self._base.pop(key, None)
            else:
                self._base[key] = value
            return
        self._late[key] = GONE if value is None else value
        if len(self._late) > 256 + len(self._base) // 32:
            self._fold()

    def put_all(self, rows: Mapping[K, V | None]) -> None:
        """Set many entries at once."""
        if self._alone:
            for key, value in rows.items():
                self.put(key, value)
            return
        for key, value in rows.items():
            self._late[key] = GONE if value is None else value
        if len(self._late) > 256 + len(self._base) // 32:
            self._fold()

    def _fold(self) -> None:
        base = dict(self._base)
        for key, value in self._late.items():
            if isinstance(value, _Gone):
                base.pop(key, None)
            else:
                base[key] = value
        self._base, self._late, self._alone = base, {}, True

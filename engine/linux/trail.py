"""A list that only grows, and that is copied for nothing: the log of a world.

Theory. A large lab is built by fifteen thousand ops, and each packet that is tried on a copy of it would copy their
list. Copies share one list instead; each knows how much of it is its own past, and who finds that another has gone on
with it takes a list of its own.

Rules. Nothing is removed. It reads as a list does: `len`, an index, a slice, a loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Self, TypeVar, overload

T = TypeVar("T")


class Trail(Sequence[T]):
    """What was appended, the oldest first."""

    __slots__ = ("_count", "_rows")

    def __init__(self, rows: Iterable[T] = ()) -> None:
        self._rows = list(rows)
        self._count = len(self._rows)

    def copy(self) -> Self:
        other = self.__class__()
        other._rows, other._count = self._rows, self._count
        return other

    def append(self, row: T) -> None:
        if len(self._rows) != self._count:
            self._rows = self._rows[: self._count]
        self._rows.append(row)
        self._count += 1

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, at: int, /) -> T: ...
    @overload
    def __getitem__(self, at: slice, /) -> list[T]: ...
    def __getitem__(self, at: int | slice, /) -> T | list[T]:
        if isinstance(at, slice):
            start, stop, step = at.indices(self._count)
            return self._rows[start:stop] if step == 1 else self._rows[: self._count][at]
        return self._rows[range(self._count)[at]]

    def __iter__(self) -> Iterator[T]:
        return islice(iter(self._rows), self._count)

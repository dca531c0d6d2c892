"""Rows of a Net that is only tried on: each is copied when it is first asked for.

Theory. A packet that somebody sends to see what would happen crosses a few namespaces of a lab that may have hundreds.
`Net.borrowed()` lends them all: whoever asks for one by its name gets a copy of its own, and the rest are never copied.

Rules. As long as a borrowed Net is used, nobody changes the Net that lends. Who lists rows (`values`, `items`) gets
copies of all, in the lender's order, as he may change them; `peek` shows rows as they are, to be read only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, Self, TypeVar, overload


class Copied(Protocol):
    """What can be lent: it makes an independent copy of itself."""

    def copy(self) -> Self: ...


V = TypeVar("V", bound=Copied)
D = TypeVar("D")


class Lent(dict[str, V]):
    """A dict whose rows may still be another's: `_rest` are those that nobody has asked for, `_order` all that there
    were."""

    __slots__ = ("_order", "_rest")

    def __init__(self, own: Mapping[str, V] | None = None, rest: Mapping[str, V] | None = None) -> None:
        super().__init__(own or {})
        self._rest: dict[str, V] = dict(rest) if rest is not None else {}
        self._order = tuple(self._rest)

    def peek(self) -> Iterable[tuple[str, V]]:
        """All rows, to be read only, in no order."""
        yield from self._rest.items()
        yield from super().items()

    def lent(self, key: str) -> V | None:
        """A row that nobody has asked for yet, to be read only; None for one that has its copy."""
        return self._rest.get(key)

    def has(self, key: object) -> bool:
        """Is there a row of this name? Nothing is copied for the answer."""
        return super().__contains__(key) or key in self._rest

    def __missing__(self, key: str) -> V:
        row = self._rest.pop(key).copy()
        super().__setitem__(key, row)
        return row

    def take_all(self) -> None:
        """Copy what is left."""
        if self._rest:
            for key in tuple(self._rest):
                self.__missing__(key)
            own = dict(super().items())
            super().clear()
            super().update({key: own.pop(key) for key in self._order if key in own} | own)

    def __contains__(self, key: object) -> bool:
        return self.has(key)

    @overload
    def get(self, key: str, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: str, default: V, /) -> V: ...
    @overload
    def get(self, key: str, default: D, /) -> V | D: ...
    def get(self, key: str, default: Any = None, /) -> Any:
        if key in self:
            return self[key]
        return default

    def __setitem__(self, key: str, row: V) -> None:
        self._rest.pop(key, None)
        super().__setitem__(key, row)

    def __delitem__(self, key: str) -> None:
        self.take_all()
        super().__delitem__(key)

    def __len__(self) -> int:
        return super().__len__() + len(self._rest)

    def __iter__(self) -> Iterator[str]:
        self.take_all()
        return super().__iter__()

    def keys(self) -> Any:
        self.take_all()
        return super().keys()

    def values(self) -> Any:
        self.take_all()
        return super().values()

    def items(self) -> Any:
        self.take_all()
        return super().items()

    def __reduce__(self) -> Any:
        return dict, (dict(self.items()),)


def peek(rows: Mapping[str, V]) -> Iterable[tuple[str, V]]:
    """The rows of a dict that may be a `Lent`, to be read only, in no order."""
    return rows.peek() if isinstance(rows, Lent) else rows.items()

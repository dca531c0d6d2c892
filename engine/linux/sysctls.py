"""The sysctls that somebody has set in a namespace, with what was worked out from them.

Theory. Each packet asks a namespace's sysctls some fifty times, and hardly anybody ever sets one: what a question came
to is kept until one is set. Copies share what is kept, until one of them sets something.

Rules. Who sets a value puts another `known` in place of the old one. Only what depends on nothing but the values here
may be kept in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Sysctls(dict[str, str]):
    """Full name -> value, as it was written."""

    __slots__ = ("known",)

    def __init__(self, rows: Mapping[str, str] | None = None) -> None:
        super().__init__(rows or ())
        #: question -> its answer
        self.known: dict[object, Any] = {}

    def copy(self) -> Sysctls:
        other = Sysctls(self)
        other.known = self.known
        return other

    def __setitem__(self, key: str, value: str) -> None:
        self.known = {}
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.known = {}
        super().__delitem__(key)

    def _refuse(self, *_: object, **__: object) -> Any:
        raise TypeError("sysctls are set and deleted one by one")

    # what would change values past `known`
    update = setdefault = pop = popitem = clear = _refuse

"""What was written when: the log that copies of a store share.

Rules. A version is a resourceVersion; the log only grows, but for being made short when it repeats itself.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

#: (namespace, name)
Key = tuple[str, str]

_FIRST, _SECOND = itemgetter(0), itemgetter(1)


class Written:
    """What of one kind was written or removed, in order, by version. Copies share the list: each knows how much of it
    is its own past, and who finds that another has gone on with it takes a list of its own."""

    __slots__ = ("_count", "_log")

    def __init__(self, log: list[tuple[int, Key]] | None = None) -> None:
        self._log: list[tuple[int, Key]] = log if log is not None else []
        self._count = len(self._log)

    def copy(self) -> Written:
        other = Written(self._log)
        other._count = self._count
        return other

    @property
    def latest(self) -> int:
        return self._log[self._count - 1][0] if self._count else 0

    def add(self, version: int, key: Key, there: int) -> None:
        """`there` is how many objects there are: a list that has grown far beyond is made short again."""
        if len(self._log) != self._count or self._count > 4 * there + 4096:
            rows = self._log[: self._count]
            if self._count > 4 * there + 4096:
                last = {k: v for v, k in rows}
                rows = sorted((v, k) for k, v in last.items())
            self._log = rows
        self._log.append((version, key))
        self._count = len(self._log)

    def since(self, version: int) -> tuple[Key, ...]:
        """What was written after a version, each key once, the latest first."""
        if not self._count or self._log[self._count - 1][0] <= version:
            return ()
        rows = self._log[bisect_right(self._log, version, 0, self._count, key=_FIRST) : self._count]
        rows.reverse()
        return tuple(dict.fromkeys(map(_SECOND, rows)))

"""What was written when: the log that copies of a store share.

Rules. A version is a resourceVersion; the log only grows (engine.linux.trail), but for being made short when it repeats
itself.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import itemgetter

from engine.linux.trail import Trail

#: (namespace, name)
Key = tuple[str, str]

_FIRST, _SECOND = itemgetter(0), itemgetter(1)


class Written(Trail[tuple[int, Key]]):
    """What of one kind was written or removed, in order, by version."""

    __slots__ = ()

    @property
    def latest(self) -> int:
        return self._rows[self._count - 1][0] if self._count else 0

    def add(self, version: int, key: Key, there: int) -> None:
        """`there` is how many objects there are: a list that has grown far beyond is made short again."""
        if self._count > 4 * there + 4096:
            last = {k: v for v, k in self}
            self._rows = sorted((v, k) for k, v in last.items())
            self._count = len(self._rows)
        self.append((version, key))

    def since(self, version: int) -> tuple[Key, ...]:
        """What was written after a version, each key once, the latest first."""
        if not self._count or self._rows[self._count - 1][0] <= version:
            return ()
        rows = self._rows[bisect_right(self._rows, version, 0, self._count, key=_FIRST) : self._count]
        rows.reverse()
        return tuple(dict.fromkeys(map(_SECOND, rows)))

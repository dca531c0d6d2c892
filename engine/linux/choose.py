"""Random choices (a NAT port, an ephemeral port, `statistic`, ECMP) come from a Choose.

Rules. A packet that is shown uses `Seeded`; judging takes every branch (`branches`); a comparison with the
real kernel plays back what the kernel chose (engine/real/tape.py). Nobody in the engine calls `random` directly.
`what` is a stable name ("statistic", "nat port", "isn", ...); `about` says what the choice is about, so that a tape
finds it in the kernel's record: `Seen` for a rule, `OfConnection` for NAT, `OfRoute` for a way out.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol, TypeVar

T = TypeVar("T")


class OfConnection(NamedTuple):
    """A connection in a namespace: `orig` is its conntrack tuple (proto, src, sport, dst, dport). `low` is what a pick
    of 0 stands for (an address, a port)."""

    netns: str
    orig: tuple[int, int, int, int, int]
    low: int = 0


class OfRoute(NamedTuple):
    """A packet that leaves a namespace by one of several `ways`: (device, gateway), in the order of the choice."""

    netns: str
    packet: object
    ways: tuple[tuple[str, int], ...]


class Choose(Protocol):
    def pick(self, what: str, count: int, about: object = None) -> int:
        """A number from 0 to count - 1. `what` names the decision, for tapes and for the screen."""
        ...

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        """Yes with this probability (0 < p < 1). Both answers are branches."""
        ...

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        """A number that no judgement depends on (an ephemeral port, an id), both ends included."""
        ...


class Seeded:
    """The same seed gives the same journey."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)

    def __deepcopy__(self, memo: dict[int, object]) -> Seeded:
        other = Seeded()
        other.random.setstate(self.random.getstate())
        return other

    def pick(self, what: str, count: int, about: object = None) -> int:
        return self.random.randrange(count)

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        return self.random.random() < probability

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        return self.random.randint(low, high)


class Branch:
    """Takes a fixed path through the picks, then the first of each; remembers how wide each was. `judges`: who takes
    turns by what came before (round robin) asks for every turn, too."""

    judges = True

    def __init__(self, path: tuple[int, ...] = (), seed: int = 0) -> None:
        self.path = path
        self.taken: list[tuple[int, int]] = []
        self.random = random.Random(seed)

    def pick(self, what: str, count: int, about: object = None) -> int:
        at = len(self.taken)
        choice = self.path[at] if at < len(self.path) else 0
        self.taken.append((choice, count))
        return choice

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        return self.pick(what, 2) == 0

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        return self.random.randint(low, high)


def judges(choose: Choose) -> bool:
    """Is every branch taken, so that a turn that only the past decides is one more choice?"""
    return bool(getattr(choose, "judges", False))


def branches(run: Callable[[Choose], T], limit: int = 4096) -> Iterator[T]:
    """`run` once for every combination of picks, depth first. RuntimeError past `limit`: never judged in part."""
    todo: list[tuple[int, ...]] = [()]
    done = 0
    while todo:
        path = todo.pop()
        done += 1
        if done > limit:
            raise RuntimeError(f"more than {limit} random branches")
        choose = Branch(path)
        yield run(choose)
        taken = tuple(c for c, _ in choose.taken)
        for at in range(len(choose.taken) - 1, len(path) - 1, -1):
            width = choose.taken[at][1]
            todo += [(*taken[:at], other) for other in range(width - 1, 0, -1)]

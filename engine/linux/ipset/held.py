"""The ipsets of one namespace. Light: what one set is (sets.py) is loaded with the first of them.

Rules. Copies share sets until one of them writes: who changes a set, or counts in it, takes it by `IpSets.own`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING

from engine.record import dataclass

if TYPE_CHECKING:
    from engine.linux.ipset.sets import IpSet


@dataclass(slots=True)
class IpSets:
    """`slots` in the order in which `ipset list` shows them: a new set takes the first free place."""

    sets: dict[str, IpSet] = field(default_factory=dict)
    slots: list[str] = field(default_factory=list)
    #: sets with this owner are nobody else's; making a copy gives both sides a new one
    token: object = field(default_factory=object, compare=False, repr=False)

    def copy(self) -> IpSets:
        self.token = object()
        return IpSets(dict(self.sets), list(self.slots))

    def names(self) -> list[str]:
        """In the order of a listing: lists of sets come last."""
        return sorted((name for name in self.slots if name), key=lambda name: self.sets[name].kind.is_list)

    def own(self, name: str) -> IpSet:
        """The set, to be written to: a copy of its own when it is shared."""
        found = self.sets[name]
        if found.owner is not self.token:
            found = found.copy()
            found.owner = self.token
            self.sets[name] = found
        return found

    def create(self, one: IpSet) -> None:
        one.owner = self.token
        self.sets[one.name] = one
        if "" in self.slots:
            self.slots[self.slots.index("")] = one.name
        else:
            self.slots.append(one.name)

    def destroy(self, name: str) -> None:
        del self.sets[name]
        self.slots[self.slots.index(name)] = ""

    def rename(self, old: str, new: str) -> None:
        one = self.own(old)
        del self.sets[old]
        one.name = new
        self.sets[new] = one
        self.slots[self.slots.index(old)] = new

    def swap(self, first: str, second: str) -> None:
        """The two names change their contents."""
        a, b = self.own(first), self.own(second)
        self.sets[first], self.sets[second] = b, a
        a.name, b.name = second, first

    def members(self) -> Counter[str]:
        """How many list:sets hold each set."""
        lists = (one for one in self.sets.values() if one.kind.is_list)
        return Counter(element.name for one in lists for element in one.entries)

"""The rows of ipset: an element, what stands beside it, what a set was made with, what a person asks to add.

Rules. Frozen. Addresses are ints; times are seconds on the virtual clock.
"""

from __future__ import annotations

from engine.record import dataclass

#: what the kernel takes when `create` does not say
DEFAULT_HASHSIZE, DEFAULT_MAXELEM, DEFAULT_BUCKETSIZE, DEFAULT_LIST_SIZE = 1024, 65536, 12, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element; the parts that its set's type does not have keep their defaults. `bits`, `bits2` are prefix
    lengths; for ICMP `port` is type << 8 | code; `iface` may be a beginning (`wildcard`); `name` a member of
    list:set."""

    ip: int = 0
    bits: int = 32
    proto: int = 0
    port: int = 0
    ip2: int = 0
    bits2: int = 32
    iface: str = ""
    physdev: bool = False
    wildcard: bool = False
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What stands beside an element. None = nothing was said: `timeout` (seconds, 0 = for ever) is then the set's
    own. `skbmark` is (mark, mask); `skbprio` major << 16 | minor."""

    timeout: int | None = None
    nomatch: bool = False
    packets: int | None = None
    bytes: int | None = None
    comment: str | None = None
    skbmark: tuple[int, int] | None = None
    skbprio: int | None = None
    skbqueue: int | None = None

    def settled(self) -> Beside:
        """As an entry keeps it: nothing said is 0 or empty, and the time stands in the entry."""
        return Beside(
            nomatch=self.nomatch, packets=self.packets or 0, bytes=self.bytes or 0, comment=self.comment or "",
            skbmark=self.skbmark or (0, 0), skbprio=self.skbprio or 0, skbqueue=self.skbqueue or 0,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An element in a set. `deadline` is when it goes, 0.0 = never."""

    element: Element
    beside: Beside
    deadline: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a set was made with, as the kernel rounded it. `low`..`high` is the range of a bitmap; `mask` what
    addresses are cut with (netmask or bitmask); `timeout` None = no timeouts; `initval` the seed of the hash."""

    hashsize: int = DEFAULT_HASHSIZE
    maxelem: int = DEFAULT_MAXELEM
    bucketsize: int = DEFAULT_BUCKETSIZE
    initval: int = 0
    netmask: int = 32
    bitmask: int = 0xFFFFFFFF
    low: int = 0
    high: int = 0
    size: int = DEFAULT_LIST_SIZE
    timeout: int | None = None
    counters: bool = False
    comment: bool = False
    skbinfo: bool = False
    forceadd: bool = False

    @property
    def extensions(self) -> frozenset[str]:
        flags = {"counters": self.counters, "comment": self.comment, "skbinfo": self.skbinfo}
        named = {name for name, on in flags.items() if on}
        return frozenset(named | ({"timeout"} if self.timeout is not None else set()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An element as a person types it, for a set of type `kind`: with ranges. `bits` None = no /LENGTH was typed;
    the `_to` parts None = no range. `before` and `after` name a neighbour in a list:set."""

    kind: str
    ip: int = 0
    ip_to: int | None = None
    bits: int | None = None
    proto: int = 0
    port: int = 0
    port_to: int | None = None
    ip2: int = 0
    ip2_to: int | None = None
    bits2: int | None = None
    iface: str = ""
    physdev: bool = False
    wildcard: bool = False
    name: str = ""
    before: str = ""
    after: str = ""

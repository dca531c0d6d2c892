"""The set types: the parts of their elements, their options in the order in which the tool prints them, their sizes.

Rules. One row a type, at the revision that ipset 7.17 and Linux 6.18 share. A type that the tool knows and the model
does not stands in OTHERS and is refused by name. `hashed` gives the 32-bit words that the kernel hashes an element by
(struct hash_*4_elem in memory order), which decides the order of a listing.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.linux.ipset.rows import Element
from engine.record import dataclass

#: options of `create`, by what they are
_HASH = ("family", "hashsize", "maxelem")
_EXTENSIONS = ("timeout", "counters", "comment", "forceadd", "skbinfo")
_TUNED = ("bucketsize", "initval")
_ADD = ("packets", "bytes", "comment", "skbmark", "skbprio", "skbqueue")


def swapped(word: int) -> int:
    """A 32-bit number as a little-endian machine reads it from network order."""
    return int.from_bytes(word.to_bytes(4, "big"), "little")


def _bytes(*values: int) -> int:
    return int.from_bytes(bytes(values), "little")


def _port(e: Element, last: int = 0) -> int:
    return _bytes(e.port >> 8, e.port & 255, e.proto, last)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """`parts` are ip, net, port, iface, ip2, net2, name, in the order of an element's text; `create` and `add` the
    options in printing order; `ranges` what may be a range in add and del (ip, port, ip2); `base`, `size` the bytes
    of an empty set and of an element (a hash's bucket has 32 more); `nets` the parts that are looked up by
    prefix."""

    name: str
    alias: str
    revision: int
    parts: tuple[str, ...]
    create: tuple[str, ...]
    add: tuple[str, ...] = ("timeout", *_ADD)
    ranges: tuple[str, ...] = ()
    test_ranges: tuple[str, ...] = ()
    base: int
    size: int = 0
    nets: tuple[str, ...] = ()
    nomatch: bool = False
    hashed: Callable[[Element], tuple[int, ...]] | None = None

    @property
    def dimension(self) -> int:
        return len(self.parts)

    @property
    def is_hash(self) -> bool:
        return self.name.startswith("hash:")

    @property
    def is_list(self) -> bool:
        return self.name == "list:set"


_NOMATCH = ("timeout", "nomatch", *_ADD)
KINDS: dict[str, Kind] = {
    k.name: k
    for k in (
        Kind(
            name="hash:ip", alias="iphash", revision=6, parts=("ip",), ranges=("ip",), test_ranges=("ip",),
            create=(*_HASH, "netmask", "bitmask", *_EXTENSIONS, *_TUNED), base=216, size=4,
            hashed=lambda e: (swapped(e.ip),),
        ),
        Kind(
            name="hash:ip,port", alias="ipporthash", revision=7, parts=("ip", "port"), ranges=("ip", "port"),
            create=(*_HASH, *_EXTENSIONS, *_TUNED, "netmask", "bitmask"), base=216, size=8,
            hashed=lambda e: (swapped(e.ip), _port(e)),
        ),
        Kind(
            name="hash:ip,port,ip", alias="ipportiphash", revision=6, parts=("ip", "port", "ip2"),
            ranges=("ip", "port"), create=(*_HASH, *_EXTENSIONS, *_TUNED), base=208, size=12,
            hashed=lambda e: (swapped(e.ip), swapped(e.ip2), _port(e)),
        ),
        Kind(
            name="hash:ip,port,net", alias="ipportnethash", revision=8, parts=("ip", "port", "net2"),
            ranges=("ip", "port", "ip2"), create=(*_HASH, *_EXTENSIONS, *_TUNED), add=_NOMATCH, base=464, size=12,
            nets=("net2",), nomatch=True,
            hashed=lambda e: (
                swapped(e.ip), swapped(e.ip2), _bytes(e.port >> 8, e.port & 255, (e.bits2 - 1) & 127, e.proto),
            ),
        ),
        Kind(
            name="hash:net", alias="nethash", revision=7, parts=("net",), ranges=("ip",),
            create=(*_HASH, *_EXTENSIONS, *_TUNED), add=_NOMATCH, base=456, size=8, nets=("net",), nomatch=True,
            hashed=lambda e: (swapped(e.ip), _bytes(0, 0, 0, e.bits)),
        ),
        Kind(
            name="hash:net,port", alias="netporthash", revision=8, parts=("net", "port"), ranges=("ip", "port"),
            create=(*_HASH, *_EXTENSIONS, *_TUNED), add=_NOMATCH, base=456, size=8, nets=("net",), nomatch=True,
            hashed=lambda e: (swapped(e.ip), _port(e, (e.bits - 1) & 127)),
        ),
        Kind(
            name="hash:net,iface", alias="netifacehash", revision=8, parts=("net", "iface"), ranges=("ip",),
            create=(*_HASH, *_EXTENSIONS, *_TUNED), add=("timeout", "nomatch", "wildcard", *_ADD), base=488, size=28,
            nets=("net",), nomatch=True,
            hashed=lambda e: (swapped(e.ip), _bytes(int(e.physdev), e.bits, 0, 1)),
        ),
        Kind(
            name="hash:net,net", alias="netnethash", revision=4, parts=("net", "net2"), ranges=("ip", "ip2"),
            create=(*_HASH, *_EXTENSIONS, *_TUNED, "bitmask", "netmask"), add=_NOMATCH, base=728, size=12,
            nets=("net", "net2"), nomatch=True,
            hashed=lambda e: (swapped(e.ip), swapped(e.ip2), _bytes(0, 0, e.bits, e.bits2)),
        ),
        Kind(
            name="bitmap:ip", alias="ipmap", revision=3, parts=("ip",), ranges=("ip",), base=88,
            create=("range", "netmask", "timeout", "counters", "comment", "skbinfo"),
        ),
        Kind(
            name="bitmap:port", alias="portmap", revision=3, parts=("port",), ranges=("port",), base=72,
            create=("range", "timeout", "counters", "comment", "skbinfo"),
        ),
        Kind(
            name="list:set", alias="setlist", revision=3, parts=("name",), base=80, size=48,
            create=("size", "timeout", "counters", "comment", "skbinfo"),
        ),
    )
}  # fmt: skip
#: types that ipset 7.17 has and the model does not, with their old names
OTHERS = {
    "hash:net,port,net": "netportnethash", "hash:ip,mark": "ipmarkhash", "hash:mac": "machash",
    "hash:ip,mac": "ipmachash", "bitmap:ip,mac": "macipmap",
}  # fmt: skip


def find(name: str) -> str:
    """The real name of a type by its name or its old name, or ""."""
    for real, alias in (*((k.name, k.alias) for k in KINDS.values()), *OTHERS.items()):
        if name in (real, alias):
            return real
    return ""


#: (extension, bytes, alignment) in the order in which they stand behind an element
EXTENSION_SIZES = (("counters", 16, 8), ("timeout", 8, 8), ("skbinfo", 16, 4), ("comment", 8, 8))


def element_size(kind: Kind, extensions: frozenset[str]) -> int:
    """Bytes of an element with its extensions (ip_set_elem_len)."""
    size, aligned = kind.size, 8 if kind.is_list else 4 if kind.is_hash else 1
    for name, bytes_, alignment in EXTENSION_SIZES:
        if name in extensions:
            size = (size + alignment - 1) // alignment * alignment + bytes_
            aligned = max(aligned, alignment)
    return (size + aligned - 1) // aligned * aligned

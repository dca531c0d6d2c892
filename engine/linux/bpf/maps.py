"""What the bpf(2) map commands do, with the kernel's errnos.

Theory. A full hash refuses a new key (E2BIG); an lru_hash throws the least recently used away instead; an array has
all its entries from the start and loses none (EINVAL). A look-up in an lpm_trie takes the longest prefix that covers
the address; its key is a prefix length and an address. Sources: kernel/bpf/{hashtab,arraymap,lpm_trie}.c.
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.addr import mask
from engine.linux.bpf.rows import KINDS, Bpf, BpfMap, Key

WORDS = {
    "ENOENT": "No such file or directory", "EEXIST": "File exists", "E2BIG": "Argument list too long",
    "EINVAL": "Invalid argument",
}  # fmt: skip
ANY, NOEXIST, EXIST = 0, 1, 2


def fail(errno: str) -> OpError:
    return OpError(errno, WORDS[errno])


def create(bpf: Bpf, spec: BpfMap) -> BpfMap:
    """Enter a map and give it its id."""
    from engine.record import replace

    made = replace(spec, id=bpf.next_id)
    bpf.next_id += 1
    bpf.maps[made.id] = made
    zero = (0,) * len(made.value)
    bpf.entries[made.id] = {(i,): zero for i in range(made.max_entries)} if made.type == "array" else {}
    bpf._own.add(made.id)
    return made


def normal(spec: BpfMap, key: Key) -> Key:
    """The key as the kernel keeps it. ValueError for one of the wrong shape."""
    if len(key) != len(spec.key):
        raise ValueError(f"map {spec.name}: a key has {len(spec.key)} fields, not {len(key)}")
    for part, one in zip(key, spec.key, strict=True):
        if not 0 <= part < 1 << 8 * KINDS[one.kind][0]:
            raise ValueError(f"map {spec.name}: {part} is no {one.kind}")
    if spec.type == "lpm_trie":
        if key[0] > 32:
            raise fail("EINVAL")
        return (key[0], key[1] & mask(key[0]), *key[2:])
    return key


def lookup(bpf: Bpf, spec: BpfMap, key: Key) -> tuple[Key, Key] | None:
    """(the entry's own key, its value), or None."""
    entries = bpf.entries[spec.id]
    if spec.type == "lpm_trie":
        for length in range(min(key[0], 32), -1, -1):
            own = (length, key[1] & mask(length), *key[2:])
            if own in entries:
                return own, entries[own]
        return None
    value = entries.get(key)
    if value is None:
        return None
    if spec.type == "lru_hash":
        entries = bpf.own(spec.id)
        entries[key] = entries.pop(key)
    return key, value


def update(bpf: Bpf, spec: BpfMap, key: Key, value: Key, flags: int = ANY) -> None:
    """BPF_MAP_UPDATE_ELEM. Raises OpError with the kernel's errno."""
    key = normal(spec, key)
    if len(value) != len(spec.value):
        raise ValueError(f"map {spec.name}: a value has {len(spec.value)} fields, not {len(value)}")
    entries = bpf.own(spec.id)
    there = key in entries
    if spec.type == "array":
        if not there:
            raise fail("E2BIG")
        if flags == NOEXIST:
            raise fail("EEXIST")
    elif flags == NOEXIST and there:
        raise fail("EEXIST")
    elif flags == EXIST and not there:
        raise fail("ENOENT")
    elif not there and len(entries) >= spec.max_entries:
        if spec.type != "lru_hash":
            raise fail("E2BIG")
        del entries[next(iter(entries))]
    entries[key] = value


def delete(bpf: Bpf, spec: BpfMap, key: Key) -> None:
    """BPF_MAP_DELETE_ELEM."""
    key = normal(spec, key)
    if spec.type == "array":
        raise fail("EINVAL")
    if key not in bpf.entries[spec.id]:
        raise fail("ENOENT")
    del bpf.own(spec.id)[key]

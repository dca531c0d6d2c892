"""The schedulers that choose by address: source hashing, destination hashing, Maglev hashing.

Theory. sh and dh fill 256 buckets with the servers in turn (sh as often in a row as a server's weight says) and hash an
address into one with hash_32; mh fills 4093 entries by each server's own permutation and hashes with hsiphash under
fixed keys. All of it is a function of the service alone, so every machine chooses alike. With the fallback flag an
unavailable server's clients go round the table to another. Sources: ip_vs_{sh,dh,mh}.c, lib/siphash.c (64 bit).
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd

from engine.linux.hashing import hsiphash
from engine.linux.ipvs.rows import Dest

BUCKETS = 256
MAGLEV = 4093
MAGLEV_BITS = 6
GOLDEN = 0x61C88647
KEY_1, KEY_2 = 2654435761, 2654446892
Table = tuple[Dest, ...]


def hash_32(value: int, bits: int = 8) -> int:
    """include/linux/hash.h."""
    return (value * GOLDEN & 0xFFFFFFFF) >> 32 - bits


@lru_cache(maxsize=64)
def weighted(dests: tuple[Dest, ...]) -> Table:
    """sh's buckets."""
    if not dests:
        return ()
    out: list[Dest] = []
    at = count = 0
    for _ in range(BUCKETS):
        dest = dests[at]
        out.append(dest)
        count += 1
        if count >= dest.weight:
            at, count = (at + 1) % len(dests), 0
    return tuple(out)


def in_turn(dests: tuple[Dest, ...]) -> Table:
    """dh's buckets."""
    return tuple(dests[i % len(dests)] for i in range(BUCKETS)) if dests else ()


@lru_cache(maxsize=64)
def maglev(dests: tuple[Dest, ...]) -> Table:
    """mh's lookup table; a server whose weight became 0 keeps its entries (last_weight)."""
    weights = [d.last_weight for d in dests]
    common = gcd(*(w for w in weights if w > 0)) if any(w > 0 for w in weights) else 0
    if not common:
        return ()
    shift = max((max(weights) // common).bit_length() - MAGLEV_BITS, 0)
    turns = [(w // common >> shift) or int(w != 0) for w in weights]
    at = [hsiphash(d.port + d.addr, KEY_1) % MAGLEV for d in dests]
    skip = [hsiphash(d.port + d.addr, KEY_2) % (MAGLEV - 1) + 1 for d in dests]
    table: list[Dest | None] = [None] * MAGLEV
    filled = count = 0
    while True:
        i = 0
        while i < len(dests):
            if turns[i] < 1:
                i += 1
                continue
            while table[at[i]] is not None:
                at[i] = (at[i] + skip[i]) % MAGLEV
            table[at[i]] = dests[i]
            filled += 1
            if filled == MAGLEV:
                return tuple(d for d in table if d is not None)
            count += 1
            if count >= turns[i]:
                count = 0
                i += 1


def bucket_of(scheduler: str, addr: int, port: int, offset: int = 0) -> int:
    """The entry of sh's or mh's table that a client falls into."""
    if scheduler == "mh":
        return hsiphash(offset + port + addr, KEY_1) % MAGLEV
    return offset + hash_32(port + addr & 0xFFFFFFFF) & BUCKETS - 1

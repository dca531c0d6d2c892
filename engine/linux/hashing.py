"""The kernel's hashes: jhash over bytes and over words, SipHash and its short form.

Theory. They choose where chance would do too: a nexthop (SipHash), a bucket of a set, an address of a NAT range, an nft
map's index (jhash), a Maglev place (hsiphash). Computed as on a little-endian 64-bit machine, they choose as the kernel
does. Sources: include/linux/jhash.h, lib/siphash.c.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

M32, M64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
INIT = 0xDEADBEEF


def rol32(word: int, by: int) -> int:
    return (word << by | word >> 32 - by) & M32


def rol64(word: int, by: int) -> int:
    return (word << by | word >> 64 - by) & M64


def _jhash(words: Sequence[int], start: int) -> int:
    a = b = c = start & M32
    at, left = 0, len(words)
    while left > 3:
        a, b, c = a + words[at] & M32, b + words[at + 1] & M32, c + words[at + 2] & M32
        a = (a - c & M32) ^ rol32(c, 4)
        c = c + b & M32
        b = (b - a & M32) ^ rol32(a, 6)
        a = a + c & M32
        c = (c - b & M32) ^ rol32(b, 8)
        b = b + a & M32
        a = (a - c & M32) ^ rol32(c, 16)
        c = c + b & M32
        b = (b - a & M32) ^ rol32(a, 19)
        a = a + c & M32
        c = (c - b & M32) ^ rol32(b, 4)
        b = b + a & M32
        left, at = left - 3, at + 3
    if not left:
        return c
    if left == 3:
        c = c + words[at + 2] & M32
    if left >= 2:
        b = b + words[at + 1] & M32
    a = a + words[at] & M32
    c = (c ^ b) - rol32(b, 14) & M32
    a = (a ^ c) - rol32(c, 11) & M32
    b = (b ^ a) - rol32(a, 25) & M32
    c = (c ^ b) - rol32(b, 16) & M32
    a = (a ^ c) - rol32(c, 4) & M32
    b = (b ^ a) - rol32(a, 14) & M32
    return (c ^ b) - rol32(b, 24) & M32


def jhash(key: bytes, initval: int) -> int:
    """32 bits over the bytes of `key`."""
    whole = key + b"\0" * (-len(key) % 4)
    return _jhash(struct.unpack(f"<{len(whole) // 4}I", whole), INIT + len(key) + initval)


def jhash2(words: Sequence[int], initval: int) -> int:
    """32 bits over 32-bit words; `jhash_2words` and the like are the same."""
    return _jhash(words, INIT + (len(words) << 2) + initval)


def scaled(value: int, width: int) -> int:
    """reciprocal_scale: a 32-bit hash as a number below `width`."""
    return value * width >> 32


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = v0 + v1 & M64
    v1 = rol64(v1, 13) ^ v0
    v0 = rol64(v0, 32)
    v2 = v2 + v3 & M64
    v3 = rol64(v3, 16) ^ v2
    v0 = v0 + v3 & M64
    v3 = rol64(v3, 21) ^ v0
    v2 = v2 + v1 & M64
    v1 = rol64(v1, 17) ^ v2
    return v0, v1, rol64(v2, 32), v3


def siphash(data: bytes, k0: int, k1: int, *, rounds: int = 2, final: int = 4) -> int:
    """SipHash-2-4 of `data` (or another number of rounds), 64 bits."""
    v0, v1 = k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D
    v2, v3 = k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573
    whole = len(data) & ~7
    last = (len(data) & 0xFF) << 56 | int.from_bytes(data[whole:], "little")
    for word in (*struct.unpack_from(f"<{whole // 8}Q", data), last):
        v3 ^= word
        for _ in range(rounds):
            v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    v2 ^= 0xFF
    for _ in range(final):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


def hsiphash(value: int, key: int) -> int:
    """hsiphash of a 32-bit number on a 64-bit machine: SipHash-1-3, both halves of the key equal, cut to 32 bits."""
    return siphash((value & M32).to_bytes(4, "little"), key, key, rounds=1, final=3) & M32

"""jhash, as the kernel computes it over bytes (include/linux/jhash.h), for the jhash expression of nft."""

from __future__ import annotations

_M = 0xFFFFFFFF
_INIT = 0xDEADBEEF


def _rol(word: int, shift: int) -> int:
    return (word << shift | word >> (32 - shift)) & _M


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c) & _M ^ _rol(c, 4)
    c = (c + b) & _M
    b = (b - a) & _M ^ _rol(a, 6)
    a = (a + c) & _M
    c = (c - b) & _M ^ _rol(b, 8)
    b = (b + a) & _M
    a = (a - c) & _M ^ _rol(c, 16)
    c = (c + b) & _M
    b = (b - a) & _M ^ _rol(a, 19)
    a = (a + c) & _M
    c = (c - b) & _M ^ _rol(b, 4)
    b = (b + a) & _M
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = ((c ^ b) - _rol(b, 14)) & _M
    a = ((a ^ c) - _rol(c, 11)) & _M
    b = ((b ^ a) - _rol(a, 25)) & _M
    c = ((c ^ b) - _rol(b, 16)) & _M
    a = ((a ^ c) - _rol(c, 4)) & _M
    b = ((b ^ a) - _rol(a, 14)) & _M
    return ((c ^ b) - _rol(b, 24)) & _M


def jhash(key: bytes, seed: int) -> int:
    """32 bits over `key`, on a little-endian machine."""
    length = len(key)
    a = b = c = (_INIT + length + seed) & _M
    at = 0
    while length > 12:
        a = (a + int.from_bytes(key[at : at + 4], "little")) & _M
        b = (b + int.from_bytes(key[at + 4 : at + 8], "little")) & _M
        c = (c + int.from_bytes(key[at + 8 : at + 12], "little")) & _M
        a, b, c = _mix(a, b, c)
        at += 12
        length -= 12
    if not length:
        return c
    rest = key[at:].ljust(12, b"\0")
    a = (a + int.from_bytes(rest[:4], "little")) & _M
    b = (b + int.from_bytes(rest[4:8], "little")) & _M
    c = (c + int.from_bytes(rest[8:12], "little")) & _M
    return _final(a, b, c)


def scaled(hash: int, modulus: int) -> int:
    """reciprocal_scale: a hash as a number below `modulus`."""
    return hash * modulus >> 32

"""Curve25519: the public key that belongs to a private key, as `wg pubkey` says it (RFC 7748 section 5).

Rules. Keys are 32 bytes, told as base64 with 44 characters. Nothing else of WireGuard's cryptography is needed here:
who may read what follows from the keys alone.
"""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache

P = 2**255 - 19
A24 = 121665


def decode(key: str) -> bytes | None:
    """The 32 bytes of a key as text; None when it is none."""
    if len(key) != 44 or not key.endswith("="):
        return None
    try:
        raw = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if len(raw) == 32 else None


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def clamp(raw: bytes) -> bytes:
    """A private key as `wg genkey` leaves it."""
    out = bytearray(raw)
    out[0] &= 248
    out[31] = out[31] & 127 | 64
    return bytes(out)


def multiply(scalar: bytes, point: int) -> bytes:
    """The Montgomery ladder: `scalar` times the point with this u-coordinate."""
    k = int.from_bytes(clamp(scalar), "little")
    x2, z2, x3, z3, swap = 1, 0, point, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        da, cb, aa, bb = d * a, c * b, a * a, b * b
        e = aa - bb
        x3, z3 = (da + cb) ** 2 % P, point * (da - cb) ** 2 % P
        x2, z2 = aa * bb % P, e * (aa + A24 * e) % P
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, P - 2, P) % P).to_bytes(32, "little")


@lru_cache(maxsize=512)
def public(private: str) -> str:
    """The public key of a private one, "" for a text that is no key."""
    raw = decode(private)
    return encode(multiply(raw, 9)) if raw is not None else ""

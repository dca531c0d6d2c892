"""Identifiers that look random and are not: the same lab and seed give the same names.

Rules. Everything that Kubernetes, containerd or a CNI plugin draws at random (uids, sandbox ids, pod suffixes,
veth names) is drawn here, from the lab's seed, what it is for, and how many of that were drawn before. What is drawn
once in an object's life is drawn by its name, and counted when that life ends: few objects live twice.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import field
from typing import Any

from engine.linux.layered import shared
from engine.record import dataclass

#: Letters of generated names; vowels and look-alikes are left out (k8s.io/apimachinery/pkg/util/rand).
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SPELT = bytes(ord(LETTERS[b % len(LETTERS)]) for b in range(256))


@dataclass(slots=True)
class Ids:
    """One stream per purpose, so that a name drawn for one thing never shifts the names of another."""

    seed: int = 0
    drawn: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Ids:
        self.drawn, drawn = shared(self.drawn)
        return Ids(self.seed, drawn)

    def draw(self, what: str) -> bytes:
        """32 bytes for the next thing of this kind."""
        count = self.drawn.get(what, 0)
        self.drawn[what] = count + 1
        return self._nth(what, count)

    def _nth(self, what: str, count: int) -> bytes:
        return hashlib.sha256(f"{self.seed}/{what}/{count}".encode()).digest()

    def hex(self, what: str, digits: int) -> str:
        return self.draw(what).hex()[:digits]

    def uuid(self, what: str) -> str:
        return _uuid(self.draw(what))

    def uid(self, life: str) -> str:
        """The uid of an object in this life (`life_of`)."""
        return _uuid(self._nth(f"uid/{life}", self.drawn.get(life, 0)))

    def token(self, life: str) -> str:
        """The end of the name of a Pod's volume with its token, in this life."""
        return _spelt(self._nth(f"token/{life.partition('/')[2]}", self.drawn.get(life, 0)), 5)

    def ended(self, life: str) -> None:
        """An object is gone: one that comes with its name is another."""
        self.drawn[life] = self.drawn.get(life, 0) + 1

    def cni_name(self, what: str) -> str:
        """`cni-` and 8-4-4-4-12 hex digits, the name of a sandbox's mounted namespace."""
        h = self.draw(what).hex()
        return f"cni-{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:32]}"

    def suffix(self, what: str, letters: int = 5) -> str:
        return _spelt(self.draw(what), letters)

    def suffixes(self, what: str, times: int) -> list[str]:
        """As many of five letters."""
        first = self.drawn.get(what, 0)
        self.drawn[what] = first + times
        return [_spelt(self._nth(what, n), 5) for n in range(first, first + times)]

    def fraction(self, what: str) -> float:
        """From 0 up to 1, for jitter."""
        return int.from_bytes(self.draw(what)[:4], "big") / 2**32


def life_of(kind: str, namespace: str, name: str) -> str:
    """What an object's life is counted by."""
    return f"{kind}/{namespace}/{name}"


def _uuid(drawn: bytes) -> str:
    h = drawn.hex()
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-{'89ab'[drawn[8] >> 4 & 3]}{h[17:20]}-{h[20:32]}"


def _spelt(drawn: bytes, letters: int) -> str:
    return drawn[:letters].translate(_SPELT).decode()


def template_hash(template: Any) -> str:
    """The `pod-template-hash` of a ReplicaSet: FNV-1a over the template, spelt with LETTERS
    (controller.ComputeHash; the real one hashes Go's own dump of the struct, so only the shape is equal)."""
    value = 0x811C9DC5
    for byte in json.dumps(template, sort_keys=True, separators=(",", ":")).encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return str(value).encode().translate(_SPELT).decode()

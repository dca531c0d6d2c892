"""Addresses as numbers: IPv4 as 32-bit ints, MACs as 48-bit ints, prefixes as (int, length).

Rules. Inside the engine an address is an int; text is made and read only here. Parsing is strict, as the
kernel's tools are: four decimal parts, no leading plus, no spaces. IPv6 is refused by name, not mangled.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from engine.errors import InputError, NotModelled, Problem
from engine.say import Phrase

BAD_ADDRESS = Phrase(
    en="{found!r} is not an IPv4 address; write four numbers from 0 to 255, as in 10.244.1.5",
    ko="{found!r}은(는) IPv4 주소가 아닙니다. 10.244.1.5처럼 0부터 255까지의 수 네 개로 적습니다",
)
BAD_PREFIX = Phrase(
    en="{found!r} is not an IPv4 prefix; write an address, a slash and a length from 0 to 32, as in 10.244.1.0/24",
    ko="{found!r}은(는) IPv4 대역이 아닙니다. 10.244.1.0/24처럼 주소, 빗금, 0부터 32까지의 길이로 적습니다",
)
BAD_MAC = Phrase(
    en="{found!r} is not a MAC address; write six pairs of hex digits, as in 0a:58:0a:f4:01:05",
    ko="{found!r}은(는) MAC 주소가 아닙니다. 0a:58:0a:f4:01:05처럼 16진수 두 자리 여섯 쌍으로 적습니다",
)
NO_IPV6 = Phrase(en="The course uses IPv4 so far.", ko="이 과정은 아직 IPv4만 다룹니다.")

_OCTET = r"(0|[1-9][0-9]{0,2})"
_OCTETS = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}").fullmatch

BROADCAST_MAC = 0xFFFFFFFFFFFF
LOOPBACK_NET = 127 << 24


def ip4(text: str, where: str = "") -> int:
    """`"10.244.1.5"` -> int. Raises InputError; NotModelled for an IPv6 address."""
    found = _OCTETS(text)
    if found is not None:
        a, b, c, d = map(int, found.groups())
        if a <= 255 and b <= 255 and c <= 255 and d <= 255:
            return a << 24 | b << 16 | c << 8 | d
    if ":" in text and all(c in "0123456789abcdefABCDEF:.%" for c in text.split("/")[0]):
        raise NotModelled(f"IPv6 ({text})", NO_IPV6())
    raise InputError([Problem(where=where, said=BAD_ADDRESS(found=text))])


@lru_cache(maxsize=8192)
def text4(value: int) -> str:
    """int -> `"10.244.1.5"`."""
    return f"{value >> 24 & 255}.{value >> 16 & 255}.{value >> 8 & 255}.{value & 255}"


def mac(text: str, where: str = "") -> int:
    """`"0a:58:0a:f4:01:05"` -> int. Raises InputError."""
    parts = text.split(":")
    if len(parts) == 6 and all(
        1 <= len(p) <= 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in parts
    ):
        value = 0
        for part in parts:
            value = value << 8 | int(part, 16)
        return value
    raise InputError([Problem(where=where, said=BAD_MAC(found=text))])


@lru_cache(maxsize=4096)
def mac_text(value: int) -> str:
    """int -> `"0a:58:0a:f4:01:05"`."""
    h = f"{value:012x}"
    return ":".join(h[i : i + 2] for i in range(0, 12, 2))


def mask(length: int) -> int:
    """The netmask of a prefix length, as an int."""
    return (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF


class Prefix(NamedTuple):
    """A range of addresses. `addr` keeps its host bits only where a row needs them (an interface address)."""

    addr: int
    length: int

    @classmethod
    def parse(cls, text: str, where: str = "", *, host_bits: bool = False) -> Prefix:
        """`10.244.1.0/24`, a bare address (/32) or `default`. Host bits are cleared unless `host_bits`."""
        if text in ("default", "any", "all"):
            return cls(0, 0)
        head, slash, tail = text.partition("/")
        if slash and "." in tail:
            m = ip4(tail, where)
            length = bin(m).count("1")
            if mask(length) != m:
                raise InputError([Problem(where=where, said=BAD_PREFIX(found=text))])
        elif slash:
            if not (tail.isascii() and tail.isdigit()) or int(tail) > 32:
                raise InputError([Problem(where=where, said=BAD_PREFIX(found=text))])
            length = int(tail)
        else:
            length = 32
        addr = ip4(head, where)
        return cls(addr if host_bits else addr & mask(length), length)

    @property
    def network(self) -> Prefix:
        return Prefix(self.addr & mask(self.length), self.length)

    @property
    def broadcast(self) -> int:
        return self.addr | (~mask(self.length) & 0xFFFFFFFF)

    def __contains__(self, address: object) -> bool:
        return isinstance(address, int) and (address ^ self.addr) & mask(self.length) == 0

    def covers(self, other: Prefix) -> bool:
        return self.length <= other.length and other.addr in self

    def __str__(self) -> str:
        return f"{text4(self.addr)}/{self.length}"


def is_loopback(address: int) -> bool:
    return address >> 24 == 127


def is_multicast(address: int) -> bool:
    return 224 <= address >> 24 <= 239

"""Reading values of a type: addresses, ports, flags, ranges, prefixes, verdicts, the elements of sets.

Rules. A part of a key is a value, or a (low, high) pair for a range or a prefix. Sources: parser_bison.y, evaluate.c,
intervals.c of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import NotModelled
from engine.linux.addr import mask
from engine.linux.nft.lexer import NftError, Span, Token, span
from engine.linux.nft.reader import Reader
from engine.linux.nft.sets import Element, Key, NftSet, Verdict, overlap
from engine.linux.nft.types import Type, Value

TIME_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: words that begin a statement and are no values
STATEMENT_WORDS = frozenset(
    ("accept", "drop", "continue", "return", "jump", "goto", "counter", "log", "limit", "quota", "reject", "snat",
     "dnat", "masquerade", "redirect", "notrack", "vmap")
)  # fmt: skip
PLAIN_VERDICTS = ("accept", "drop", "continue", "return")


def seconds(word: str) -> float:
    """`1h30m` or a bare number of seconds."""
    if word.isdigit():
        return float(word)
    total, number = 0.0, ""
    at = 0
    while at < len(word):
        if word[at].isdigit():
            number += word[at]
            at += 1
            continue
        unit = "ms" if word.startswith("ms", at) else word[at]
        total += int(number) * TIME_UNITS[unit]
        number, at = "", at + len(unit)
    return total


class ValueReader(Reader):
    """`devices` are the namespace's devices by name."""

    devices: Mapping[str, int]
    #: the last token of the key that was read last
    key_end = 0

    # -- one value ---------------------------------------------------------------------------------------

    def symbol(self, type: Type) -> Value:
        """One word or number as a value."""
        token = self.token
        if token.kind not in ("string", "quoted string", "number", "string with a trailing asterisk"):
            raise self.unexpected()
        if token.kind == "string" and token.text in STATEMENT_WORDS and token.text not in type.symbols:
            raise self.unexpected()
        self.at += 1
        return self.read(type, token)

    def read(self, type: Type, token: Token) -> Value:
        try:
            return type.read(token.text, self.devices)
        except ValueError as error:
            raise NftError(str(error), span(token)) from None

    def constant(self, type: Type) -> int:
        """Numbers and symbols joined by |, ^ and &."""
        value = self._xor(type)
        while self.sign("|"):
            value |= self._xor(type)
        return value

    def _xor(self, type: Type) -> int:
        value = self._and(type)
        while self.sign("^"):
            value ^= self._and(type)
        return value

    def _and(self, type: Type) -> int:
        value = self.atom(type)
        while self.sign("&"):
            value &= self.atom(type)
        return value

    def atom(self, type: Type) -> int:
        if self.sign("("):
            value = self.constant(type)
            self.need_sign(")")
        else:
            found = self.symbol(type)
            if not isinstance(found, int):
                raise NftError(f"Can't parse symbolic {type.desc} expressions", span(self.last))
            value = found
        while self.sign("<<", ">>"):
            left = self.last.kind == "<<"
            value = value << self.number() if left else value >> self.number()
        return value

    def flags(self, type: Type) -> int:
        """`new,established`."""
        value = self.constant(type)
        while self.sign(","):
            value |= self.constant(type)
        return value

    def part(self, type: Type, *, ranges: bool = True) -> object:
        """A value, a range or a prefix."""
        start = self.at
        if type.bitmask:
            return self.constant(type)
        if type.name == "ifname":
            return self.symbol(type)
        value = self.constant(type)
        if ranges and self.sign("/"):
            length = self.number()
            if length > type.bits:
                text = f"Prefix length {length} is invalid for type of {type.bits} bits width"
                raise NftError(text, self.since(start))
            if type.name == "ipv4_addr":
                low = value & mask(length)
                return low if length == 32 else (low, low | mask(length) ^ 0xFFFFFFFF)
            low = value >> (type.bits - length) << (type.bits - length)
            return low if length == type.bits else (low, low | (1 << (type.bits - length)) - 1)
        if ranges and self.sign("-"):
            high = self.atom(type)
            if high < value:
                raise NftError("Range has zero or negative size", self.since(start))
            return value if high == value else (value, high)
        return value

    def key(self, types: tuple[Type, ...], *, ranges: bool = True) -> Key:
        """The parts of a key, joined by dots."""
        if self.sign("*"):
            return ()
        parts = [self.part(types[0], ranges=ranges)]
        for type in types[1:]:
            if not self.is_sign("."):
                raise NftError(
                    "invalid data type, expected concatenation of (" + ", ".join(t.desc for t in types) + ")",
                    span(self.last),
                )  # fmt: skip
            self.at += 1
            parts.append(self.part(type, ranges=ranges))
        if self.is_sign("."):
            raise NotModelled("nft: a key with more fields than its set")
        return tuple(parts)

    def verdict(self) -> Verdict:
        token = self.token
        if self.word(*PLAIN_VERDICTS):
            return Verdict(word=token.text)
        if self.word("jump", "goto"):
            return Verdict(word=token.text, chain=self.string().text)
        raise self.unexpected()

    def span_text(self) -> Token:
        """A word of time: `3h`, `90s`, or a number of seconds."""
        if self.token.kind not in ("string", "number"):
            raise self.unexpected("string")
        return self.take()

    # -- sets --------------------------------------------------------------------------------------------

    def elements(self, there: NftSet) -> list[tuple[Element, Span]]:
        """`{ A, B : DATA, }` with the place of each."""
        self.need_sign("{")
        out: list[tuple[Element, Span]] = []
        self.skip_lines()
        while not self.is_sign("}"):
            start = self.at
            element = self.element(there)
            out.append((element, span(self.tokens[start]).to(span(self.tokens[self.key_end]))))
            self.skip_lines()
            if not self.sign(","):
                break
            self.skip_lines()
        if not self.is_sign("}"):
            raise self.unexpected("comma or '}'")
        self.at += 1
        return out

    def skip_lines(self) -> None:
        while self.is_sign("newline"):
            self.at += 1

    def element(self, there: NftSet) -> Element:
        key = self.key(there.keys)
        self.key_end = self.at - 1
        if there.interval and there.keys[0].name == "ifname" and len(key) == 1 and str(key[0]).endswith("*"):
            key = ((key[0], key[0]),)
        counter, timeout, left, comment = self.options(there)
        data: Verdict | tuple[object, ...] | str | None = None
        if there.is_map:
            self.skip_lines()
            if not self.sign(":"):
                return Element(key=key, timeout=timeout, expires=left, comment=comment, counter=counter)
            self.skip_lines()
            if there.kind == "verdict":
                data = self.verdict()
            elif there.kind == "object":
                data = self.string(quoted=True).text
            else:
                data = self.key(there.data, ranges=False)
        elif self.is_sign(":"):
            raise NftError("netlink: Error: set is not a map", span(self.token), phase="kernel")
        return Element(key=key, data=data, timeout=timeout, expires=left, comment=comment, counter=counter)

    def options(self, there: NftSet) -> tuple[tuple[int, int] | None, float, float, str]:
        """What follows a key: counter, timeout, expires, comment. `expires` is seconds from now."""
        counter: tuple[int, int] | None = None
        timeout, left, comment = 0.0, 0.0, ""
        while True:
            start = self.at
            if self.word("counter"):
                if not there.counter:
                    raise NftError("missing statement in set declaration", self.since(start))
                packets = size = 0
                if self.word("packets"):
                    packets = self.number()
                    self.need_word("bytes")
                    size = self.number()
                counter = (packets, size)
            elif self.word("timeout"):
                timeout = seconds(self.span_text().text)
            elif self.word("expires"):
                left = seconds(self.span_text().text)
            elif self.word("comment"):
                comment = self.string(quoted=True).text
            elif self.is_word("limit", "quota", "last"):
                raise NotModelled(f"nft {self.token.text} at an element")
            else:
                return counter, timeout, left, comment


def merged(elements: list[Element]) -> list[Element]:
    """Overlapping and neighbouring intervals of one field as one, as nft merges those of a set without a name."""
    rows: list[list[int]] = []
    for e in sorted(elements, key=lambda e: _low(e)):
        part: Any = e.key[0]
        low, high = part if isinstance(part, tuple) else (part, part)
        if rows and low <= rows[-1][1] + 1:
            rows[-1][1] = max(rows[-1][1], high)
        else:
            rows.append([low, high])
    return [Element(key=(low if low == high else (low, high),)) for low, high in rows]


def _low(e: Element) -> int:
    part = e.key[0]
    low = part[0] if isinstance(part, tuple) else part
    assert isinstance(low, int)
    return low


def clash(there: NftSet, element: Element) -> Element | None:
    """An element whose values overlap those of a new one, without being the same."""
    if not there.interval:
        return None
    return next(
        (e for e in there.elements.values() if e.key != element.key and overlap(e.key, element.key)), None
    )

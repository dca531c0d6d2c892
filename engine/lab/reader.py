"""Asking a document for what it should hold: typed values, or a problem with its place. All problems at once.

Rules. A reader never stops at the first problem: a wrong value becomes None or the default, and the problem is
kept. A mapping is asked with `fields(...)`, which refuses every key that is not asked for, with the nearest
accepted one. Who asks calls `problems.raise_any()` once, at the end.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, Final, TypeVar

from engine.errors import EngineError, InputError, NotModelled, Problem
from engine.lab.doc import Doc, Path
from engine.linux.addr import Prefix, ip4, mac
from engine.record import dataclass
from engine.say import Phrase, Said, plain

T = TypeVar("T")

UNKNOWN_KEY = Phrase(
    en="there is no key {key!r} here{guess}; accepted: {accepted}",
    ko="여기에는 {key!r} 키가 없습니다{guess}. 쓸 수 있는 키: {accepted}",
)
GUESS = Phrase(en=" (did you mean {word!r}?)", ko=" ({word!r}을(를) 뜻했습니까?)")
NO_GUESS = Phrase(en="", ko="")
MISSING = Phrase(
    en="the key {key!r} is missing; write {accepted}", ko="{key!r} 키가 없습니다. {accepted}을(를) 적으십시오"
)
WRONG = Phrase(
    en="found {found}, accepted: {accepted}", ko="{found}이(가) 있습니다. 쓸 수 있는 것: {accepted}"
)
WRONG_WORD = Phrase(
    en="found {found}{guess}, accepted: {accepted}",
    ko="{found}이(가) 있습니다{guess}. 쓸 수 있는 것: {accepted}",
)

A_TEXT = Phrase(en="a text", ko="글자")
A_QUOTED = Phrase(en="a text (put it in quotes)", ko="글자(따옴표로 묶으십시오)")
A_NAME = Phrase(
    en="a name of at most 63 small letters, digits and dashes",
    ko="영문 소문자, 숫자, 줄표로 된 63자 이하의 이름",
)
A_NUMBER = Phrase(en="a whole number", ko="정수")
A_NUMBER_IN = Phrase(en="a whole number from {low} to {high}", ko="{low}부터 {high}까지의 정수")
TRUE_FALSE = Phrase(en="true or false", ko="true 또는 false")
A_LIST = Phrase(en="a list", ko="목록")
AN_EMPTY_LIST = Phrase(en="an empty list", ko="빈 목록")
A_LIST_OF = Phrase(en="a list of at least {count}", ko="항목이 {count}개 이상인 목록")
A_MAPPING = Phrase(en="a mapping", ko="매핑(key: value)")
AN_ADDRESS = Phrase(en="an IPv4 address, as in 10.244.1.5", ko="10.244.1.5 같은 IPv4 주소")
A_PREFIX = Phrase(en="an IPv4 prefix, as in 10.244.1.0/24", ko="10.244.1.0/24 같은 IPv4 대역")
A_MAC = Phrase(en="a MAC address, as in 0a:58:0a:f4:01:05", ko="0a:58:0a:f4:01:05 같은 MAC 주소")
A_REGEX = Phrase(en="a regular expression ({detail})", ko="정규 표현식({detail})")

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")


@dataclass(slots=True)
class Problems:
    """What was found wrong so far, in the order of finding."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: str, said: Said) -> None:
        problem = Problem(where=where, said=said)
        if problem not in self.found:
            self.found.append(problem)

    def take(self, error: EngineError, where: str) -> None:
        """Keep an error of another part, each of its problems at `where` unless it has a place of its own."""
        if isinstance(error, InputError):
            for one in error.problems:
                own = one.where if one.where != where else ""
                inside = bool(where) and own.startswith(f"{where}:")
                self.add(own if inside else ": ".join(p for p in (where, own) if p), one.said)
        else:
            self.add(where, error.said)

    def raise_any(self) -> None:
        """Raises InputError when something was found."""
        if self.found:
            raise InputError(self.found)


def guess(word: str, words: Sequence[str]) -> Said:
    """` (did you mean ...?)`, or nothing. Case and dashes do not count."""
    folded = {w.lower().replace("-", "").replace("_", ""): w for w in words}
    close = difflib.get_close_matches(word.lower().replace("-", "").replace("_", ""), folded, n=1, cutoff=0.6)
    return GUESS(word=folded[close[0]]) if close else NO_GUESS()


def found(value: Any) -> Said:
    """How a value that was found is shown: short, in YAML's words."""
    if value is None:
        return plain("null")
    if isinstance(value, bool):
        return plain("true" if value else "false")
    if isinstance(value, dict):
        return A_MAPPING()
    if isinstance(value, list):
        return A_LIST() if value else AN_EMPTY_LIST()
    text = repr(value) if isinstance(value, str) else str(value)
    return plain(text if len(text) <= 60 else text[:57] + "...")


@dataclass(frozen=True, slots=True)
class Node:
    """A value at a path of a document. Each question records a problem when the value does not fit."""

    doc: Doc
    path: Path
    value: Any
    problems: Problems

    @property
    def where(self) -> str:
        return self.doc.where(self.path)

    def wrong(self, said: Said) -> None:
        self.problems.add(self.where, said)

    def expected(self, accepted: Said) -> None:
        self.wrong(WRONG(found=found(self.value), accepted=accepted))

    def child(self, key: str | int, value: Any) -> Node:
        return Node(self.doc, (*self.path, key), value, self.problems)

    # ---- scalars; each returns None when the value does not fit

    def text(self, *, empty: bool = False) -> str | None:
        if isinstance(self.value, str) and (self.value or empty):
            return self.value
        self.expected(A_QUOTED() if isinstance(self.value, int | float | bool) else A_TEXT())
        return None

    def name(self) -> str | None:
        if isinstance(self.value, str) and NAME.match(self.value):
            return self.value
        self.expected(A_NAME())
        return None

    def number(self, low: int | None = None, high: int | None = None) -> int | None:
        value = self.value
        fits = isinstance(value, int) and not isinstance(value, bool)
        if fits and (low is None or value >= low) and (high is None or value <= high):
            return int(value)
        self.expected(A_NUMBER() if low is None or high is None else A_NUMBER_IN(low=low, high=high))
        return None

    def truth(self) -> bool | None:
        if isinstance(self.value, bool):
            return self.value
        self.expected(TRUE_FALSE())
        return None

    def word(self, *words: str) -> str | None:
        """One of the words."""
        if isinstance(self.value, str) and self.value in words:
            return self.value
        said = guess(self.value, words) if isinstance(self.value, str) else NO_GUESS()
        self.wrong(WRONG_WORD(found=found(self.value), guess=said, accepted=", ".join(words)))
        return None

    def parsed(self, parse: Callable[[str], T], accepted: Said) -> T | None:
        """A text that `parse` can read; its own EngineError says more."""
        if not isinstance(self.value, str):
            self.expected(accepted)
            return None
        try:
            return parse(self.value)
        except NotModelled as error:
            self.wrong(error.said)
        except EngineError:
            self.expected(accepted)
        return None

    def address(self) -> int | None:
        return self.parsed(ip4, AN_ADDRESS())

    def mac(self) -> int | None:
        return self.parsed(mac, A_MAC())

    def prefix(self, *, host_bits: bool = False, bare: bool = True) -> Prefix | None:
        """`bare`: an address without a length is accepted, as /32 (callers give it the length they mean)."""
        if isinstance(self.value, str) and ("/" in self.value or bare) and self.value[:1].isdigit():
            return self.parsed(lambda text: Prefix.parse(text, host_bits=host_bits), A_PREFIX())
        self.expected(A_PREFIX())
        return None

    def pattern(self) -> re.Pattern[str] | None:
        text = self.text()
        if text is None:
            return None
        try:
            return re.compile(text, re.MULTILINE)
        except (re.error, OverflowError, RecursionError) as error:
            self.expected(A_REGEX(detail=str(error)))
            return None

    # ---- containers

    def items(self, least: int = 0) -> list[Node]:
        """The items of a list; empty when it is none."""
        if not isinstance(self.value, list) or len(self.value) < least:
            self.expected(A_LIST_OF(count=least) if least else A_LIST())
            return [] if not isinstance(self.value, list) else self._items()
        return self._items()

    def _items(self) -> list[Node]:
        return [self.child(i, v) for i, v in enumerate(self.value)]

    def pairs(self) -> list[tuple[str, Node]]:
        """A mapping with free keys."""
        if not isinstance(self.value, dict):
            self.expected(A_MAPPING())
            return []
        return [(k, self.child(k, v)) for k, v in self.value.items()]

    def texts(self) -> tuple[str, ...]:
        return tuple(t for t in (n.text() for n in self.items()) if t is not None)

    def fields(self, *accepted: str) -> Fields:
        """A mapping with these keys and no others."""
        value = self.value
        if not isinstance(value, dict):
            self.expected(A_MAPPING_OF(keys=", ".join(accepted)))
            return Fields(self, {})
        for key in value:
            if key not in accepted:
                said = UNKNOWN_KEY(key=key, guess=guess(key, accepted), accepted=", ".join(accepted))
                self.problems.add(self.doc.where((*self.path, key)), said)
        return Fields(self, value)


A_MAPPING_OF = Phrase(en="a mapping with the keys {keys}", ko="{keys} 키를 쓰는 매핑")


@dataclass(frozen=True, slots=True)
class Fields:
    """The keys of one mapping. `node("x")` is None when x is absent; `need("x", ...)` records that it is missing."""

    at: Node
    value: dict[str, Any]

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def node(self, key: str) -> Node | None:
        return self.at.child(key, self.value[key]) if key in self.value else None

    def need(self, key: str, accepted: Said | None = None) -> Node | None:
        if key not in self.value:
            if isinstance(self.at.value, dict):
                self.at.wrong(MISSING(key=key, accepted=accepted if accepted is not None else A_TEXT()))
            return None
        return self.node(key)

    def get(self, key: str, ask: Callable[[Node], T | None], default: T) -> T:
        """`ask(node)` when the key is there and fits, else the default."""
        node = self.node(key)
        if node is None:
            return default
        value = ask(node)
        return default if value is None else value

    def text(self, key: str, default: str = "") -> str:
        return self.get(key, Node.text, default)

    def truth(self, key: str, default: bool = False) -> bool:
        return self.get(key, Node.truth, default)

    def items(self, key: str, least: int = 0) -> Iterator[Node]:
        node = self.node(key)
        return iter(() if node is None else node.items(least))


def root(doc: Doc, problems: Problems) -> Node:
    """The document's own value as a Node."""
    return Node(doc, (), doc.value, problems)


def texts(f: Fields, key: str) -> tuple[str, ...]:
    node = f.node(key)
    return () if node is None else node.texts()


def pairs(f: Fields, key: str) -> list[tuple[str, Node]]:
    node = f.node(key)
    return [] if node is None else node.pairs()

"""YAML text -> plain values that remember their lines.

Rules. Values are built from libyaml's events in one pass, with limits on depth and on size after anchors are
expanded, so that no file, however strange, costs more than its own length or gives a traceback. Scalars follow
what kubectl reads (YAML 1.1 words for booleans, octal with a leading 0, no dates, no base 60); a key is always
text, so `on:` stays a word. A key that comes twice is refused: one of the two would be ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from typing import Any, Final

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from engine.errors import InputError, Problem
from engine.record import dataclass
from engine.say import Phrase, Said

MAX_DEPTH: Final = 64
MAX_NODES: Final = 1_000_000

BROKEN = Phrase(en="this is not YAML: {detail}", ko="YAML 문법에 맞지 않습니다: {detail}")
TAB = Phrase(
    en="a tab stands where YAML wants spaces; indent with spaces",
    ko="YAML이 공백을 기대하는 곳에 탭이 있습니다. 공백으로 들여 쓰십시오",
)
CONTROL = Phrase(
    en="the character {char} may not stand in YAML; is this a text file?",
    ko="{char} 문자는 YAML에 쓸 수 없습니다. 텍스트 파일이 맞는지 확인하십시오",
)
TWICE = Phrase(
    en="the key {key!r} is here twice (first in line {first}); keep one",
    ko="{key!r} 키가 두 번 나옵니다(처음은 {first}행). 하나만 남기십시오",
)
TOO_DEEP = Phrase(
    en="nested deeper than {limit} levels; no lab needs that", ko="{limit}단계보다 깊이 중첩되어 있습니다"
)
TOO_BIG = Phrase(
    en="more than {limit} values once its anchors are expanded; is this a YAML bomb?",
    ko="앵커를 펼치면 값이 {limit}개를 넘습니다. YAML 폭탄이 아닌지 확인하십시오",
)
ANOTHER = Phrase(
    en="a second document begins here (the first in line {first}); one is read here: remove `---`, or make two files",
    ko="여기서 두 번째 문서가 시작됩니다(첫 문서는 {first}행). 이 파일에는 문서가 하나여야 합니다. `---`를 지우거나 "
    "파일을 나누십시오",
)
NO_ANCHOR = Phrase(
    en="*{name} refers to an anchor that is not defined above it; write &{name} first",
    ko="*{name}이(가) 가리키는 앵커가 위에 없습니다. 먼저 &{name}을(를) 적으십시오",
)
NO_TAG = Phrase(
    en="the tag {tag} is not accepted; write the value without a tag",
    ko="{tag} 태그는 쓸 수 없습니다. 태그 없이 값을 적으십시오",
)
BAD_KEY = Phrase(en="a key must be a word, found {found}", ko="키는 낱말이어야 하는데 {found}이(가) 있습니다")
BAD_MERGE = Phrase(
    en="`<<` merges a mapping or a list of mappings, found {found}",
    ko="`<<`에는 매핑이나 매핑 목록만 쓸 수 있는데 {found}이(가) 있습니다",
)
LIST = Phrase(en="a list", ko="목록")
MAPPING = Phrase(en="a mapping", ko="매핑")

STR: Final = "tag:yaml.org,2002:str"
#: The tags that mean what the value means anyway.
_TAGS: Final[dict[type[Event], tuple[str, ...]]] = {
    ScalarEvent: (STR, "!"),
    MappingStartEvent: ("tag:yaml.org,2002:map", "!"),
    SequenceStartEvent: ("tag:yaml.org,2002:seq", "!"),
}
#: libyaml says "" for a plain scalar, PyYAML's own parser None.
_PLAIN: Final = (None, "")

Path = tuple["str | int", ...]
Plain = Any


class _Stop(Exception):
    """Reading this text ends here."""

    def __init__(self, line: int, path: Path, said: Said) -> None:
        super().__init__()
        self.line, self.path, self.said = line, path, said


@dataclass(slots=True)
class Doc:
    """One YAML document. `lines[path]` is the line (from 1) where the key or the item at `path` begins."""

    name: str
    value: Plain
    lines: dict[Path, int] = field(default_factory=dict)
    first_line: int = 1

    def line(self, path: Path) -> int:
        """The line of a path, or of the nearest thing around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, self.first_line)

    def where(self, path: Path) -> str:
        """`lab.yaml:7: nodes[2].addresses[0]`; without the line when the value never was a file."""
        place = f"{self.name}:{self.line(path)}" if self.lines or path == () else self.name
        return ": ".join(part for part in (place, path_text(path)) if part)


def path_text(path: Path) -> str:
    """`("nodes", 2, "ip")` -> `nodes[2].ip`."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def read(text: str, name: str) -> Doc:
    """The only document of `text`; an empty text is None. Raises InputError."""
    return alone(read_all(text, name), name)


def alone(docs: list[Doc], name: str) -> Doc:
    """The only document that holds something: a further one would be ignored. Raises InputError."""
    full = [doc for doc in docs if doc.value is not None]
    if len(full) > 1:
        where = f"{name}:{full[1].first_line}"
        raise InputError([Problem(where=where, said=ANOTHER(first=full[0].first_line))])
    return full[0] if full else docs[0] if docs else Doc(name, None)


def read_all(text: str, name: str) -> list[Doc]:
    """All documents of a stream (`---` between them). Raises InputError with every duplicate key, or where it broke."""
    builder = _Builder(name)
    try:
        return builder.stream(text)
    except _Stop as stop:
        said, line, path = stop.said, stop.line, stop.path
    except yaml.MarkedYAMLError as error:
        marks = [m for m in (error.problem_mark, error.context_mark) if m is not None]
        line, path = (marks[0].line + 1 if marks else 1), ()
        detail = " ".join(p for p in (error.context, error.problem) if p)
        said = TAB() if "'\\t'" in detail or "\t" in _line(text, line)[:1] else BROKEN(detail=detail)
    except yaml.reader.ReaderError as error:
        line, path = text.count("\n", 0, max(error.position, 0)) + 1, ()
        said = (
            CONTROL(char=repr(error.character))
            if isinstance(error.character, str)
            else BROKEN(detail=error.reason)
        )
    except (yaml.YAMLError, UnicodeError) as error:
        line, path, said = (
            1,
            (),
            BROKEN(detail=str(error).splitlines()[0] if str(error) else type(error).__name__),
        )
    where = ": ".join(part for part in (f"{name}:{line}", path_text(path)) if part)
    raise InputError([*builder.problems, Problem(where=where, said=said)])


def _at(event: Event) -> int:
    """The line where an event begins, from 1."""
    return event.start_mark.line + 1 if event.start_mark is not None else 1


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else ""


class _Builder:
    """Turns events into values. One for each text."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.nodes = 0

    def stream(self, text: str) -> list[Doc]:
        # A surrogate can stand in a str but in no file: libyaml would raise deep inside.
        text.encode("utf-8")
        events = iter(yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        docs: list[Doc] = []
        for event in events:
            if isinstance(event, DocumentStartEvent):
                doc = Doc(self.name, None, {}, _at(event))
                self.anchors: dict[str, tuple[Plain, int]] = {}
                self.doc = doc
                first = next(events)
                doc.first_line = _at(first)
                doc.value = self.value(first, events, (), 0)
                docs.append(doc)
                while not isinstance(next(events), DocumentEndEvent):
                    pass
        if self.problems:
            raise InputError(self.problems)
        return docs

    def count(self, event: Event, path: Path, size: int = 1) -> None:
        self.nodes += size
        if self.nodes > MAX_NODES:
            raise _Stop(_at(event), path, TOO_BIG(limit=MAX_NODES))

    def value(self, event: Event, events: Iterator[Event], path: Path, depth: int) -> Plain:
        if depth > MAX_DEPTH:
            raise _Stop(_at(event), path[:4], TOO_DEEP(limit=MAX_DEPTH))
        line = _at(event)
        self.doc.lines.setdefault(path, line)
        if isinstance(event, AliasEvent):
            if event.anchor is None or event.anchor not in self.anchors:
                raise _Stop(line, path, NO_ANCHOR(name=str(event.anchor)))
            value, size = self.anchors[event.anchor]
            self.count(event, path, size)
            return value
        before = self.nodes
        self.count(event, path)
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _TAGS.get(type(event), ()):
            raise _Stop(line, path, NO_TAG(tag=tag))
        if isinstance(event, ScalarEvent):
            value = event.value if tag in (STR, "!") else _scalar(event)
        elif isinstance(event, SequenceStartEvent):
            value = []
            while not isinstance(item := next(events), SequenceEndEvent):
                value.append(self.value(item, events, (*path, len(value)), depth + 1))
        elif isinstance(event, MappingStartEvent):
            value = self.mapping(events, path, depth)
        if anchor := getattr(event, "anchor", None):
            self.anchors[anchor] = (value, self.nodes - before)
        return value

    def mapping(self, events: Iterator[Event], path: Path, depth: int) -> dict[str, Plain]:
        out: dict[str, Plain] = {}
        merged: list[Plain] = []
        first: dict[str, int] = {}
        while not isinstance(event := next(events), MappingEndEvent):
            line = _at(event)
            key = self.key(event, path)
            at = (*path, key)
            if key in first:
                where = f"{self.name}:{line}: {path_text(at)}"
                self.problems.append(Problem(where=where, said=TWICE(key=key, first=first[key])))
            first.setdefault(key, line)
            self.doc.lines[at] = line
            value = self.value(next(events), events, at, depth + 1)
            if key == "<<" and isinstance(event, ScalarEvent) and event.style in _PLAIN:
                merged += self.merge(value, line, at)
            else:
                out.setdefault(key, value)
        for other in merged:
            for key, value in other.items():
                out.setdefault(key, value)
        return out

    def key(self, event: Event, path: Path) -> str:
        if isinstance(event, ScalarEvent):
            return str(event.value)
        if isinstance(event, AliasEvent):
            value, _ = self.anchors.get(event.anchor or "", (None, 0))
            if isinstance(value, str):
                return value
        kind = LIST() if isinstance(event, SequenceStartEvent) else MAPPING()
        raise _Stop(_at(event), path, BAD_KEY(found=kind))

    def merge(self, value: Plain, line: int, path: Path) -> list[Plain]:
        parts = value if isinstance(value, list) else [value]
        if any(not isinstance(part, dict) for part in parts):
            raise _Stop(line, path, BAD_MERGE(found=repr(value)[:40]))
        return parts


_BOOLS: Final = {
    word: truth
    for truth, words in ((True, "y yes on true"), (False, "n no off false"))
    for lower in words.split()
    for word in (lower, lower.capitalize(), lower.upper())
    if len(lower) > 1
}
_INT: Final = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)$")
_FLOAT: Final = re.compile(
    r"[-+]?(\d[\d_]*)?\.\d[\d_]*([eE][-+]?\d+)?$|[-+]?\d[\d_]*(\.\d*)?[eE][-+]?\d+$|[-+]?\d[\d_]*\.$"
)


def _scalar(event: ScalarEvent) -> Plain:
    text: str = event.value
    if event.style not in _PLAIN or not event.implicit[0]:
        return text
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if len(text) <= 64:
        if _INT.match(text):
            return _integer(text)
        if _FLOAT.match(text):
            return float(text.replace("_", ""))
    return text


def _integer(text: str) -> int | str:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-").replace("_", "").lower()
    base = {"0b": 2, "0x": 16, "0o": 8}.get(digits[:2], 8 if len(digits) > 1 and digits[0] == "0" else 10)
    try:
        return sign * int(digits[2:] if digits[:2] in ("0b", "0x", "0o") else digits, base)
    except ValueError:
        return text

"""Kubernetes manifests as people have them: YAML or JSON files with one object, many, or lists of them.

Rules. A file is read as YAML 1.1 (as the API's own decoder does), documents apart, `kind: List` taken apart, and
each object keeps where it stood (`file:line`). Everything wrong in a file comes at once. What an object means is
not decided here: checking stands in validate.py, acting in the controllers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from engine.errors import InputError, Problem
from engine.kube.objects import Json
from engine.record import dataclass
from engine.say import Phrase, plain

try:
    from yaml import CSafeLoader as _Loader
except ImportError:
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

NOT_YAML = Phrase(en="this is not YAML: {problem}", ko="YAML이 아닙니다: {problem}")
NOT_OBJECT = Phrase(
    en="a Kubernetes object is a mapping with apiVersion, kind and metadata; found {found}",
    ko="쿠버네티스 오브젝트는 apiVersion, kind, metadata가 있는 매핑이어야 하는데 {found}이(가) 있습니다",
)
TOO_DEEP = Phrase(
    en="the document is nested too deeply, or refers to itself",
    ko="문서가 너무 깊게 중첩되었거나 자기 자신을 참조합니다",
)
#: Deeper than any object of Kubernetes, and shallow enough for everything that walks one.
DEEPEST = 60
#: Nodes of one document with its aliases written out; more is a "billion laughs" file.
LARGEST = 2_000_000


class Loader(_Loader):
    """A safe loader that leaves timestamps as text, as JSON has none."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in _Loader.yaml_implicit_resolvers.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object and where it stood."""

    file: str
    line: int
    body: Json

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


def load(text: str, file: str = "") -> list[Manifest]:
    """All objects of a file. InputError with every problem; an empty file has no objects."""
    problems: list[Problem] = []
    out: list[Manifest] = []
    for line, value in documents(text, file):
        if value is None:
            continue
        _collect(value, file, line, out, problems)
    if problems:
        raise InputError(problems)
    return out


def documents(text: str, file: str = "") -> Iterator[tuple[int, Any]]:
    """(line, JSON value) of each YAML document. InputError where it is not YAML or not JSON."""
    try:
        loader = Loader(text)
        try:
            while loader.check_node():
                node = loader.get_node()
                if node is None:
                    continue
                line = node.start_mark.line + 1
                _shallow(node)
                yield line, json_value(loader.construct_document(node), file, line)
        finally:
            loader.dispose()
    except RecursionError:
        raise InputError([Problem(where=file, said=TOO_DEEP())]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark is not None else file
        said = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise InputError([Problem(where=where, said=NOT_YAML(problem=said))]) from None
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        # PyYAML's scalar constructors raise these for values such as `!!int x`.
        raise InputError([Problem(where=file, said=NOT_YAML(problem=str(error)))]) from None


def _shallow(node: yaml.Node) -> None:
    """Refuse what is deeper than DEEPEST, refers to itself or grows past LARGEST through its aliases."""
    sizes: dict[int, int] = {}

    def visit(at: yaml.Node, depth: int) -> int:
        if depth > DEEPEST:
            raise RecursionError
        if id(at) in sizes:
            if sizes[id(at)] == 0:
                raise RecursionError
            return sizes[id(at)]
        sizes[id(at)] = 0
        size = 1
        if isinstance(at, yaml.MappingNode):
            for key, value in at.value:
                size += visit(key, depth + 1) + visit(value, depth + 1)
        elif isinstance(at, yaml.SequenceNode):
            for value in at.value:
                size += visit(value, depth + 1)
        if size > LARGEST:
            raise RecursionError
        sizes[id(at)] = size
        return size

    visit(node, 0)


def json_value(value: Any, file: str, line: int) -> Any:
    """As JSON has it: keys are strings, no sets, bytes or NaN."""
    if isinstance(value, dict):
        return {_key(k): json_value(v, file, line) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(v, file, line) for v in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise InputError([Problem(where=f"{file}:{line}", said=NOT_YAML(problem=f"{value!r} is not JSON"))])


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)


def _collect(value: Any, file: str, line: int, out: list[Manifest], problems: list[Problem]) -> None:
    if not isinstance(value, dict):
        found = plain(
            "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else "a number"
        )
        problems.append(Problem(where=f"{file}:{line}", said=NOT_OBJECT(found=found)))
        return
    if str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for item in value["items"]:
            _collect(item, file, line, out, problems)
        return
    out.append(Manifest(file=file, line=line, body=value))


def from_texts(texts: Mapping[str, str]) -> list[Manifest]:
    """Manifests of several files, name -> text. InputError with the problems of all of them."""
    problems: list[Problem] = []
    out: list[Manifest] = []
    for name, text in texts.items():
        try:
            out += load(text, name)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return out

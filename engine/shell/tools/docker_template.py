"""Go templates as people give them to `docker inspect -f` and `docker ps --format`: a small interpreter.

Rules. Fields, variables, index, range, if, with, pipes and docker's functions (docker/cli templates) work as
text/template does, on the API's objects (dicts in their order; range over a map goes by key). What would print a Go
pointer or a whole struct is NotModelled, with `json` named as the way out. Errors have text/template's words and
positions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any

from engine.errors import EngineError, NotModelled
from engine.record import dataclass
from engine.say import Phrase, plain

USE_JSON = Phrase(en="Use {{{{json ...}}}} to print it.", ko="{{{{json ...}}}}으로 출력하십시오.")


class TemplateError(EngineError):
    """`text` is what docker prints after `template parsing error: `."""

    def __init__(self, text: str) -> None:
        super().__init__(plain(text))
        self.message = text


@dataclass(slots=True)
class Node:
    """`kind` text, value, range, if, with; `body` and `other` (after else) are nodes; `expr` the words with their
    positions; `names` the variables of a range or an assignment."""

    kind: str
    text: str = ""
    expr: list[tuple[int, str]] = field(default_factory=list)
    names: tuple[str, ...] = ()
    body: list[Node] = field(default_factory=list)
    other: list[Node] = field(default_factory=list)


_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|:=|[|(),]|\$?[\w]*(?:\.\w+)+|\.|\$\w*|-?\d+|[\w]+)')


def render(template: str, data: Any) -> str:
    """The text of a template over one object. Raises TemplateError, NotModelled."""
    nodes = _parse(template)
    return "".join(_run(nodes, data, {"$": data}))


def _parse(template: str) -> list[Node]:
    out: list[Node] = []
    stack: list[tuple[Node, bool]] = []
    into = out
    at = 0
    for match in re.finditer(r"\{\{(-\s)?(.*?)(\s-)?\}\}", template, re.S):
        before = template[at : match.start()]
        into.append(Node("text", before.rstrip() if match[1] else before))
        at = match.end()
        if match[3]:
            at += len(template[at:]) - len(template[at:].lstrip())
        words = _words(match[2], match.start(2))
        head = words[0][1] if words else ""
        if head == "end":
            if not stack:
                raise TemplateError("template: :1: unexpected {{end}}")
            stack.pop()
            into = _inside(stack, out)
        elif head == "else":
            if not stack or len(words) > 1:
                raise TemplateError("template: :1: unexpected {{else}}")
            node, _ = stack.pop()
            stack.append((node, True))
            into = node.other
        elif head in ("range", "if", "with"):
            rest, names = _assign(words[1:])
            node = Node(head, expr=rest, names=names)
            into.append(node)
            stack.append((node, False))
            into = node.body
        elif head in ("template", "define", "block", "break", "continue"):
            raise NotModelled(f"{{{{{head}}}}}")
        elif head.startswith("/*"):
            continue
        else:
            rest, names = _assign(words)
            into.append(Node("value", expr=rest, names=names))
    into.append(Node("text", template[at:]))
    if stack:
        raise TemplateError("template: :1: unexpected EOF")
    if "{{" in template[at:]:
        raise TemplateError("template: :1: unclosed action")
    return out


def _inside(stack: list[tuple[Node, bool]], top: list[Node]) -> list[Node]:
    if not stack:
        return top
    node, other = stack[-1]
    return node.other if other else node.body


def _words(text: str, offset: int) -> list[tuple[int, str]]:
    out: list[tuple[int, str]] = []
    at = 0
    while text[at:].strip():
        match = _WORD.match(text, at)
        if match is None:
            rest = text[at:].strip()
            raise TemplateError(f"template: :1: unexpected {json.dumps(rest[:1])} in command")
        out.append((offset + match.start(1), match[1]))
        at = match.end()
    return out


def _assign(words: list[tuple[int, str]]) -> tuple[list[tuple[int, str]], tuple[str, ...]]:
    texts = [w for _, w in words]
    if ":=" not in texts:
        return words, ()
    at = texts.index(":=")
    return words[at + 1 :], tuple(w for w in texts[:at] if w != ",")


def _run(nodes: list[Node], dot: Any, names: dict[str, Any]) -> Iterator[str]:
    for node in nodes:
        if node.kind == "text":
            yield node.text
            continue
        value = _pipe(node.expr, dot, names)
        if node.kind == "value":
            if node.names:
                names[node.names[0]] = value
            else:
                yield _show(value)
        elif node.kind == "range":
            yield from _range(node, value, dot, names)
        else:
            inner = {**names, **({node.names[0]: value} if node.names else {})}
            chosen = node.body if _true(value) else node.other
            yield from _run(chosen, value if node.kind == "with" and _true(value) else dot, inner)


def _range(node: Node, value: Any, dot: Any, names: dict[str, Any]) -> Iterator[str]:
    pairs: list[tuple[Any, Any]]
    if isinstance(value, dict):
        pairs = sorted(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    elif value is None:
        pairs = []
    else:
        raise TemplateError(f"range can't iterate over {_show(value)}")
    if not pairs:
        yield from _run(node.other, dot, names)
    for key, item in pairs:
        inner = dict(names)
        if len(node.names) == 2:
            inner[node.names[0]], inner[node.names[1]] = key, item
        elif node.names:
            inner[node.names[0]] = item
        yield from _run(node.body, item, inner)


def _true(value: Any) -> bool:
    return bool(value)


def _show(value: Any) -> str:
    if value is None:
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(v, str | int | bool) for v in value):
        return "[" + " ".join(_show(v) for v in value) + "]"
    if isinstance(value, dict) and all(isinstance(v, str | int | bool) for v in value.values()):
        return "map[" + " ".join(f"{k}:{_show(v)}" for k, v in sorted(value.items())) + "]"
    if value in ({}, []):
        return "map[]" if value == {} else "[]"
    raise NotModelled("printing a whole object from a template", USE_JSON())


def _pipe(words: list[tuple[int, str]], dot: Any, names: dict[str, Any]) -> Any:
    """Commands joined by |; each gets the value before it as its last argument."""
    parts: list[list[tuple[int, str]]] = [[]]
    depth = 0
    for at, word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "|" and not depth:
            parts.append([])
        else:
            parts[-1].append((at, word))
    value: Any = None
    for number, part in enumerate(parts):
        if not part:
            raise TemplateError("template: :1: missing value for command")
        value = _command(part, dot, names, [value] if number else [])
    return value


def _command(words: list[tuple[int, str]], dot: Any, names: dict[str, Any], last: list[Any]) -> Any:
    at, head = words[0]
    if head in FUNCTIONS:
        arguments = [*_arguments(words[1:], dot, names), *last]
        try:
            return FUNCTIONS[head](*arguments)
        except (TypeError, KeyError, IndexError, ValueError):
            raise TemplateError(
                f'template: :1:{at}: executing "" at <{head}>: error calling {head}'
            ) from None
    values = _arguments(words, dot, names)
    if len(values) != 1 or last:
        raise TemplateError(
            f'template: :1:{at}: executing "" at <{head}>: can\'t give argument to non-function {head}'
        )
    return values[0]


def _arguments(words: list[tuple[int, str]], dot: Any, names: dict[str, Any]) -> list[Any]:
    out: list[Any] = []
    rest = list(words)
    while rest:
        at, word = rest.pop(0)
        if word == "(":
            depth, inner = 1, []
            while rest:
                one = rest.pop(0)
                depth += {"(": 1, ")": -1}.get(one[1], 0)
                if not depth:
                    break
                inner.append(one)
            else:
                raise TemplateError("template: :1: unclosed left paren")
            value = _pipe(inner, dot, names)
            if rest and rest[0][1].startswith(".") and rest[0][0] == (inner[-1][0] + len(inner[-1][1]) + 1):
                follow, path = rest.pop(0)
                value = _walk(value, path, follow)
            out.append(value)
        else:
            out.append(_value(at, word, dot, names))
    return out


def _value(at: int, word: str, dot: Any, names: dict[str, Any]) -> Any:
    if word[0] == '"':
        return json.loads(word)
    if word[0] == "`":
        return word[1:-1]
    if re.fullmatch(r"-?\d+", word):
        return int(word)
    if word in ("true", "false", "nil"):
        return {"true": True, "false": False, "nil": None}[word]
    if word == ".":
        return dot
    if word.startswith("."):
        return _walk(dot, word, at)
    if word.startswith("$"):
        name, point, path = word.partition(".")
        if name not in names:
            raise TemplateError(f'template: :1: undefined variable "{name}"')
        return _walk(names[name], point + path, at) if point else names[name]
    raise TemplateError(f'template: :1: function "{word}" not defined')


def _walk(value: Any, path: str, at: int) -> Any:
    """`.A.B` from a value; a missing key is docker's error with missingkey=error."""
    keys = path[1:].split(".")
    where = at + (len(keys[0]) + 1 if len(keys) > 1 else 0)
    for key in keys:
        if value is None:
            raise TemplateError(
                f'template: :1:{where}: executing "" at <{path}>: nil pointer evaluating interface {{}}.{key}'
            )
        if not isinstance(value, dict):
            kind = {str: "string", bool: "bool", int: "json.Number", list: "[]interface {}"}.get(
                type(value), "value"
            )
            raise TemplateError(
                f'template: :1:{where}: executing "" at <{path}>: can\'t evaluate field {key} in type {kind}'
            )
        if key not in value:
            raise TemplateError(
                f'template: :1:{where}: executing "" at <{path}>: map has no entry for key "{key}"'
            )
        value = value[key]
    return value


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list):
            value = value[key]
        else:
            raise TypeError
    return value


def _join(values: list[str], sep: str) -> str:
    return sep.join(values)


def _printf(form: str, *values: Any) -> str:
    parts = iter(values)

    def one(match: re.Match[str]) -> str:
        value = next(parts)
        return f'"{value}"' if match[0].endswith("q") else _show(value)

    return re.sub(r"%%|%[-+ 0-9.]*[sdvq]", lambda m: "%" if m[0] == "%%" else one(m), form)


def go_json(value: Any) -> str:
    """encoding/json's compact form, HTML characters escaped."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "index": _index,
    "json": go_json,
    "len": len,
    "join": _join,
    "split": lambda text, sep: text.split(sep),
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "println": lambda *v: " ".join(_show(x) for x in v) + "\n",
    "print": lambda *v: "".join(_show(x) for x in v),
    "printf": _printf,
    "eq": lambda a, *b: any(a == x for x in b),
    "ne": lambda a, b: a != b,
    "not": lambda a: not a,
    "and": lambda *v: next((x for x in v if not x), v[-1]),
    "or": lambda *v: next((x for x in v if x), v[-1]),
}

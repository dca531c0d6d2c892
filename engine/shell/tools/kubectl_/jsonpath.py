"""kubectl's JSONPath: templates of text and `{...}` actions (k8s.io/client-go/util/jsonpath).

Theory. An action is a list of nodes; each takes the values of the one before it. So a space in an action parts nothing
(`{.a .b}` is `.a.b`), a quoted text in one replaces what came before, and `range` and `end` are actions of the list at
the top. A name in brackets is a path, too: its dots part, `\\.` does not.

Rules. The same nodes, the same errors, in the same order as there. A map's values come by key; Go's order is random.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from engine.record import dataclass


class JsonPathError(Exception):
    """A template that cannot be read or a path that is not there; the text behind kubectl's `error: `."""


class ExecuteError(JsonPathError):
    """The template can be read, and this object has no such element."""


@dataclass(frozen=True, slots=True)
class Node:
    """`kind` text field number word array filter wildcard recursive union list; what it says in `value`."""

    kind: str
    value: Any = None


Nodes = list[Node]
END: Final = ""
ENDS_A_NAME: Final = frozenset(" \t\r\n.,[]$@{}")
DICT_KEY: Final = re.compile(r"'([^']*)'")
SLICE: Final = re.compile(r"(-?\d*)(:-?\d*)?(:-?\d*)?")
COMPARISON: Final = re.compile(r"([^!<>=]+)([!<>=]+)(.+?)", re.DOTALL)
ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\"}
RELAXED: Final = re.compile(r"\{\.?([^{}]+)\}|\.?([^{}]+)")


# ---- reading


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.start = text, 0, 0
        self.root: Nodes = []
        self.read_text()

    def next(self) -> str:
        char = self.text[self.at : self.at + 1]
        self.at += 1
        return char

    def taken(self) -> str:
        value = self.text[self.start : self.at]
        self.start = self.at
        return value

    def read_text(self) -> None:
        while self.at < len(self.text):
            brace = self.text.find("{", self.at)
            self.at = len(self.text) if brace < 0 else brace
            if self.at > self.start:
                self.root.append(Node("text", self.taken()))
            if brace >= 0:
                self.at += 1
                self.start = self.at
                nodes: Nodes = []
                self.inside(nodes)
                self.root.append(Node("list", nodes))

    def inside(self, nodes: Nodes) -> None:
        """One action, to its closing brace."""
        while True:
            rest = self.text[self.at : self.at + 3]
            if rest.startswith("}"):
                self.at += 1
                self.start = self.at
                return
            if rest == "[?(":
                self.filter(nodes)
            elif rest.startswith(".."):
                self.recursive(nodes)
            else:
                self.one(nodes)

    def one(self, nodes: Nodes) -> None:
        char = self.next()
        if char in (END, "\n", "\r"):
            raise JsonPathError("unclosed action")
        if char in " @$":
            self.start = self.at
        elif char == "[":
            self.array(nodes)
        elif char in "\"'":
            self.quote(nodes, char)
        elif char == ".":
            self.field(nodes)
        elif char in "+-" or char.isdigit():
            self.number(nodes)
        elif char == "_" or char.isalpha():
            while (c := self.next()) != END and c not in ENDS_A_NAME:
                pass
            self.at -= 1
            word = self.taken()
            nodes.append(Node("value", word == "true") if word in ("true", "false") else Node("word", word))
        else:
            raise JsonPathError(f"unrecognized character in action: U+{ord(char):04X} '{char}'")

    def field(self, nodes: Nodes) -> None:
        self.start = self.at
        while (c := self.next()) != END and c not in ENDS_A_NAME:
            if c == "\\":
                self.at += 1
        self.at -= 1
        name = self.taken()
        nodes.append(Node("wildcard") if name == "*" else Node("field", name.replace("\\", "")))

    def number(self, nodes: Nodes) -> None:
        while (c := self.next()) == "." or c.isdigit():
            pass
        self.at -= 1
        text = self.taken()
        try:
            nodes.append(Node("value", int(text) if "." not in text else float(text)))
        except ValueError:
            raise JsonPathError(f"cannot parse number {text}") from None

    def quote(self, nodes: Nodes, end: str) -> None:
        while not ((c := self.next()) == end and self.text[self.at - 2] != "\\"):
            if c in (END, "\n"):
                raise JsonPathError("unterminated quoted string")
        nodes.append(Node("text", unquote(self.taken())))

    def recursive(self, nodes: Nodes) -> None:
        if nodes and nodes[-1].kind == "recursive":
            raise JsonPathError("invalid multiple recursive descent")
        self.at += 2
        self.start = self.at
        nodes.append(Node("recursive"))
        after = self.text[self.at : self.at + 1]
        if after == "_" or after.isalnum():
            self.field(nodes)

    def array(self, nodes: Nodes) -> None:
        while (c := self.next()) != "]":
            if c in (END, "\n"):
                raise JsonPathError("unterminated array")
        text = self.taken()[1:-1]
        text = ":" if text == "*" else text
        parts = text.split(",")
        if len(parts) > 1:
            nodes.append(Node("union", [action(f"[{p.strip(' ')}]") for p in parts]))
            return
        if key := DICT_KEY.fullmatch(text):
            nodes.extend(action(f".{key[1]}"))
            return
        found = SLICE.fullmatch(text)
        if found is None:
            raise JsonPathError(f"invalid array index {text}")
        low, high, step = found[1], found[2], found[3]
        first = int(low) if low not in ("", "-") else None
        last, derived = _bound(high), high is None
        nodes.append(Node("array", (first, (first or 0) + 1 if derived else last, derived, _bound(step))))

    def filter(self, nodes: Nodes) -> None:
        self.at += 3
        self.start = self.at
        quote, closed = "", False
        while True:
            char = self.next()
            if char in (END, "\n"):
                raise JsonPathError("unterminated filter")
            if char in "\"'":
                if not quote:
                    quote = char
                elif self.text[self.at - 2] != "\\" and char == quote:
                    closed = True
            elif char == ")" and bool(quote) == closed:
                break
        if self.next() != "]":
            raise JsonPathError("unclosed array expect ]")
        text = self.taken()[:-2]
        found = COMPARISON.fullmatch(text)
        if found is None:
            nodes.append(Node("filter", (action(text), "exists", [])))
        else:
            nodes.append(Node("filter", (action(found[1]), found[2], action(found[3]))))


def _bound(text: str | None) -> int | None:
    digits = (text or "").removeprefix(":")
    return int(digits) if digits not in ("", "-") else None


def action(text: str) -> Nodes:
    """The nodes of one action's inside."""
    nodes = _Parser("{" + text + "}").root
    first: Nodes = nodes[0].value
    return first


def unquote(text: str) -> str:
    """Go's strconv.Unquote, for either quote."""
    inner = text[1:-1]

    def escape(match: re.Match[str]) -> str:
        char = match[1]
        if char in ESCAPES or char == text[0]:
            return ESCAPES.get(char, char)
        raise JsonPathError(f"unquote string {text} error invalid syntax")

    return re.sub(r"\\(.)", escape, inner)


def parse(template: str) -> Nodes:
    """Raises JsonPathError."""
    return _Parser(template).root


def relaxed(path: str) -> str:
    """`name`, `.name`, `{name}` or `{.name}` -> `{.name}` (RelaxedJSONPathExpression)."""
    found = RELAXED.fullmatch(path)
    if found is None:
        raise JsonPathError(
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or "
            "'{.name1.name2}'"
        )
    return "{." + (found[1] or found[2]) + "}"


# ---- running


def results(template: str, data: Any, *, allow_missing: bool = True) -> list[list[Any]]:
    """What each action (and text) of a template yields, in order."""
    return _Run(missing=allow_missing).results(parse(template), data)


def find(path: str, data: Any, missing: bool) -> list[Any]:
    """Every value that a path without braces names."""
    return _Run(missing=missing).nodes([data], action(path if path[:1] in "$@.[" else "." + path))


def render(template: str, data: Any, *, allow_missing: bool = True) -> str:
    """The text that a template makes of an object or a list."""
    return "".join(
        " ".join(show(v) for v in row) for row in results(template, data, allow_missing=allow_missing)
    )


class _Run:
    def __init__(self, *, missing: bool) -> None:
        self.missing = missing
        self.depth = self.begin = self.end = 0
        self.last = -1

    def results(self, nodes: Nodes, data: Any, offset: int = 0) -> list[list[Any]]:
        """`offset` of the first node in the whole template: the place of the last `end` is remembered by it."""
        out: list[list[Any]] = []
        at = 0
        while at < len(nodes):
            found = self.node([data], nodes[at])
            if 0 < self.end <= self.depth:
                self.end -= 1
                self.last = offset + at
                break
            if self.begin:
                self.begin -= 1
                self.depth += 1
                rest = nodes[at + 1 :]
                for value in found:
                    out += self.results(rest, value, offset + at + 1)
                if not found:
                    self.results(rest, None, offset + at + 1)
                self.depth -= 1
                if offset + at < self.last < offset + len(nodes):
                    at = self.last - offset
            else:
                out.append(found)
            at += 1
        return out

    def nodes(self, values: list[Any], nodes: Nodes) -> list[Any]:
        for node in nodes:
            values = self.node(values, node)
        return values

    def node(self, values: list[Any], node: Node) -> list[Any]:
        match node.kind:
            case "list":
                return self.nodes(values, node.value)
            case "text":
                return [node.value]
            case "value":
                return [node.value for _ in values]
            case "field":
                return self.field(values, node.value)
            case "array":
                return [x for v in values if v is not None for x in _slice(v, *node.value)]
            case "filter":
                return self.filtered(values, *node.value)
            case "wildcard":
                return [x for v in values for x in _children(v)]
            case "recursive":
                return [x for v in values for x in _descend(v)]
            case "union":
                return [x for nodes in node.value for x in self.nodes(values, nodes)]
        return self.word(values, node.value)

    def word(self, values: list[Any], name: str) -> list[Any]:
        if name == "range":
            self.begin += 1
        elif name != "end":
            raise ExecuteError(f"unrecognized identifier {name}")
        elif not self.depth:
            raise ExecuteError("not in range, nothing to end")
        else:
            self.end += 1
        return values

    def field(self, values: list[Any], name: str) -> list[Any]:
        if not name:
            return values
        out = [v[name] for v in values if isinstance(v, dict) and name in v]
        if not out and values and not self.missing:
            raise ExecuteError(f"{name} is not found")
        return out

    def filtered(self, values: list[Any], left: Nodes, operator: str, right: Nodes) -> list[Any]:
        out = []
        for value in values:
            if not isinstance(value, list):
                raise ExecuteError(f"{go_value(value)} is not array or slice and cannot be filtered")
            for item in value:
                lefts = self.nodes([item], left)
                if operator == "exists":
                    out += [item] if lefts else []
                    continue
                rights = self.nodes([item], right) if lefts else []
                if len(lefts) > 1 or len(rights) > 1:
                    raise ExecuteError("can only compare one element at a time")
                if lefts and rights and _passes(lefts[0], operator, rights[0]):
                    out.append(item)
        return out


def _slice(value: Any, first: int | None, last: int | None, derived: bool, step: int | None) -> list[Any]:
    if not isinstance(value, list):
        kind = "map[string]interface {}" if isinstance(value, dict) else _kind(value)
        raise ExecuteError(f"{kind} is not array or slice")
    size = len(value)
    low = 0 if first is None else first + size if first < 0 else first
    high = size if last is None else last
    high += size if high < 0 or (high == 0 and derived) else 0
    if low == high:
        return []
    for bad, at in ((not 0 <= low < size, low), (not 0 <= high <= size, high - 1)):
        if bad:
            raise ExecuteError(f"array index out of bounds: index {at}, length {size}")
    if low > high:
        raise ExecuteError(f"starting index {low} is greater than ending index {high}")
    if step is not None and step <= 0:
        raise ExecuteError("step must be > 0")
    return value[low : high : step or 1]


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[k] for k in sorted(value)]
    return list(value) if isinstance(value, list) else []


def _descend(value: Any) -> list[Any]:
    inner = _children(value)
    return [value, *(x for child in inner for x in _descend(child))] if inner else []


def _kind(value: Any) -> str:
    names = {bool: "bool", int: "int64", float: "float64", str: "string"}
    return names.get(type(value), "")


def _passes(left: Any, operator: str, right: Any) -> bool:
    if operator not in ("==", "!=", "<", "<=", ">", ">="):
        raise ExecuteError(f"unrecognized filter operator {operator}")
    one, other = _kind(left), _kind(right)
    if not one or not other:
        raise ExecuteError("invalid type for comparison")
    if one != other:
        raise ExecuteError("incompatible types for comparison")
    if one == "bool" and operator not in ("==", "!="):
        raise ExecuteError("invalid type for comparison")
    if operator in ("==", "!="):
        return bool(left == right) == (operator == "==")
    return bool({"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[operator])


# ---- showing


def show(value: Any) -> str:
    """One value as kubectl prints it: JSON for maps and lists, the plain text else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
        return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return str(value)


def go_value(value: Any) -> str:
    """Go's fmt.Sprint of decoded JSON: `map[a:b c:d]`, `[a b]`, `<nil>`."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{go_value(value[k])}" for k in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(go_value(v) for v in value) + "]"
    return "<nil>" if value is None else show(value)

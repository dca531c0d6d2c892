"""kubectl's JSONPath: templates of text and `{...}` paths (k8s.io/client-go/util/jsonpath).

Rules. Fields, `['key']`, indexes and slices, `*`, `..`, filters with one comparison, unions, `range`/`end`, quoted
texts. Anything else is an error with kubectl's head, never a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any


class JsonPathError(Exception):
    """A template that cannot be read or a path that is not there; the text behind kubectl's `error: `."""


class ExecuteError(JsonPathError):
    """The template can be read, and this object has no such element."""


def render(template: str, data: Any, *, allow_missing: bool = True) -> str:
    """The text that a template makes of an object or a list."""
    parts = parse(template)
    out, end = run(parts, 0, data, allow_missing)
    if end != len(parts):
        raise JsonPathError("not in range, nothing to end")
    return out


def parse(template: str) -> list[tuple[str, str]]:
    """("text" or "path" or "range" or "end", content)."""
    out: list[tuple[str, str]] = []
    at = 0
    while at < len(template):
        brace = template.find("{", at)
        if brace < 0:
            out.append(("text", template[at:]))
            break
        if brace > at:
            out.append(("text", template[at:brace]))
        close = closing(template, brace)
        inner = template[brace + 1 : close].strip()
        if inner == "end":
            out.append(("end", ""))
        elif inner.startswith("range"):
            out.append(("range", inner[5:].strip()))
        else:
            for word in split_words(inner):
                if word[:1] in "\"'":
                    out.append(("text", unquote(word)))
                else:
                    out.append(("path", word))
        at = close + 1
    return out


def closing(template: str, start: int) -> int:
    quote = ""
    for i in range(start + 1, len(template)):
        c = template[i]
        if quote:
            if c == quote and template[i - 1] != "\\":
                quote = ""
        elif c in "\"'":
            quote = c
        elif c == "}":
            return i
    raise JsonPathError("unclosed action")


def split_words(text: str) -> list[str]:
    """Words of one action: paths and quoted texts, parted by spaces outside brackets and quotes."""
    out, word, quote, depth = [], "", "", 0
    for c in text:
        if quote:
            word += c
            if c == quote:
                quote = ""
            continue
        if c in "\"'":
            if depth == 0 and word and word[0] not in ".$@[":
                out.append(word)
                word = ""
            quote = c
        elif c in "[(":
            depth += 1
        elif c in "])":
            depth -= 1
        if c.isspace() and depth == 0:
            if word:
                out.append(word)
            word = ""
        else:
            word += c
    if quote:
        raise JsonPathError("unterminated quoted string")
    if word:
        out.append(word)
    return out


def unquote(word: str) -> str:
    body = word[1:-1]
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), body)


def run(parts: list[tuple[str, str]], at: int, data: Any, missing: bool) -> tuple[str, int]:
    out: list[str] = []
    while at < len(parts):
        kind, text = parts[at]
        if kind == "end":
            return "".join(out), at
        if kind == "text":
            out.append(text)
        elif kind == "path":
            out.append(" ".join(show(v) for v in find(text, data, missing)))
        else:
            end = at + 1
            for item in find(text, data, missing):
                piece, end = run(parts, at + 1, item, missing)
                out.append(piece)
            else:
                if end == at + 1:
                    end = skip(parts, at + 1)
            if end >= len(parts):
                raise JsonPathError("unterminated range")
            at = end
        at += 1
    return "".join(out), at


def skip(parts: list[tuple[str, str]], at: int) -> int:
    depth = 0
    while at < len(parts):
        if parts[at][0] == "range":
            depth += 1
        elif parts[at][0] == "end":
            if depth == 0:
                return at
            depth -= 1
        at += 1
    return at


def show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, dict | list):
        return json.dumps(value, separators=(",", ":"), sort_keys=True)
    return str(value)


TOKEN = re.compile(
    r"""\.\.|\.?\*|\.((?:[\w-]|\\.)+(?:/(?:[\w-]|\\.)+)?)|\[([^\[\]]*(?:\[[^\[\]]*\][^\[\]]*)*)\]|\$|@|\."""
)


def find(path: str, data: Any, missing: bool) -> list[Any]:
    """Every value that a path names."""
    text = path if path[:1] in "$@.[" else "." + path
    at, found = 0, [data]
    deep = False
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise JsonPathError(f"unrecognized character in action: U+{ord(text[at]):04X} {text[at]!r}")
        token = match[0]
        at = match.end()
        if token == "..":
            deep = True
            at -= 1 if at < len(text) and text[at] not in "[*" else 0
            found = [x for f in found for x in descend(f)]
            continue
        if token in ("$", "@", "."):
            continue
        if token in (".*", "*"):
            found = [x for f in found for x in children(f)]
        elif match[1] is not None:
            found = field(found, re.sub(r"\\(.)", r"\1", match[1]), missing or deep)
        else:
            found = bracket(found, match[2].strip(), missing or deep)
        deep = False
    return found


def descend(value: Any) -> Iterator[Any]:
    yield value
    for child in children(value):
        yield from descend(child)


def children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [value[k] for k in sorted(value)]
    return list(value) if isinstance(value, list) else []


def field(found: list[Any], name: str, missing: bool) -> list[Any]:
    out = [f[name] for f in found if isinstance(f, dict) and name in f]
    if not out and not missing:
        raise JsonPathError(f"{name} is not found")
    return out


def bracket(found: list[Any], text: str, missing: bool) -> list[Any]:
    if text == "*":
        return [x for f in found for x in children(f)]
    if text.startswith("?"):
        return [x for f in found if isinstance(f, list) for x in f if keeps(text[1:].strip(), x)]
    if text[:1] in "\"'":
        names = re.findall(r"'([^']*)'|\"([^\"]*)\"", text)
        return [x for single, double in names for x in field(found, single or double, missing)]
    if re.fullmatch(r"-?\d+(\s*,\s*-?\d+)+", text):
        return [x for part in text.split(",") for x in index(found, int(part))]
    if re.fullmatch(r"-?\d+", text):
        return index(found, int(text))
    if match := re.fullmatch(r"(-?\d*):(-?\d*)(?::(\d+))?", text):
        low, high, step = (int(g) if g else None for g in match.groups())
        return [x for f in found if isinstance(f, list) for x in f[low:high:step]]
    raise JsonPathError(f"invalid array index {text}")


def index(found: list[Any], at: int) -> list[Any]:
    out = []
    for f in found:
        if isinstance(f, list):
            if not -len(f) <= at < len(f):
                raise ExecuteError(f"array index out of bounds: index {at}, length {len(f)}")
            out.append(f[at])
    return out


def keeps(text: str, item: Any) -> bool:
    """A filter: `(@.type=="Ready")`, or one path alone (it exists)."""
    inner = text.removeprefix("(").removesuffix(")").strip()
    match = re.match(r"(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+)$", inner)
    if match is None:
        return bool(find(inner, item, True))
    left = operand(match[1], item)
    right = operand(match[3], item)
    if match[2] in ("==", "!="):
        same = bool(left == right)
        return same and left is not None if match[2] == "==" else not same
    if left is None or right is None or type(left) is not type(right):
        return False
    return {
        "<": bool(left < right),
        ">": bool(left > right),
        "<=": bool(left <= right),
        ">=": bool(left >= right),
    }[match[2]]


def operand(text: str, item: Any) -> Any:
    text = text.strip()
    if text[:1] in "\"'":
        return unquote(text)
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch(r"-?\d+", text):
        return int(text)
    if re.fullmatch(r"-?\d+\.\d+", text):
        return float(text)
    values = find(text, item, True)
    return values[0] if values else None

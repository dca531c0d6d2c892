"""How the API server says no, and how one field error is spelt.

Rules. `Refused` is the only exception. The functions make one error each as k8s.io/apimachinery's validation/field
prints it: values that are no plain text, number or bool are printed as JSON from 1.34 on, as Go source before.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from engine.kube.objects import Json, name_of
from engine.say import Said, plain


class Refused(Exception):
    """The API server says no. `reason` is BadRequest, Invalid, Forbidden, Conflict, AlreadyExists, NotFound, Decode
    (the decoder's own error) or "" (an error of no kind, which kubectl prints as `Error from server: TEXT`). `message`
    is the text; `causes` are the field errors of Invalid."""

    def __init__(self, reason: str, message: str, causes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.causes = causes

    def reasons(self) -> list[Said]:
        """One sentence a cause, for a file's list of problems."""
        if self.reason != "Invalid" or not self.causes:
            return [plain(self.message)]
        head = self.message.split(" is invalid")[0]
        return [plain(f"{head} is invalid: {c}") for c in self.causes]


#: The first release that prints values as JSON.
JSON_SINCE = 34


def bad_request(body: Json, text: str) -> Refused:
    kind, version = str(body.get("kind", "")), str(body.get("apiVersion", "")).rpartition("/")[2]
    return Refused("BadRequest", f'{kind} in version "{version}" cannot be handled as a {kind}: {text}')


def invalid(body: Json, errors: list[str], minor: int = JSON_SINCE) -> Refused:
    """The Status of a list of field errors, as kubectl prints it. `minor` is the API server's release."""
    name = name_of(body)
    if minor < JSON_SINCE:
        errors = [e.in_go() if isinstance(e, Wrong) else e for e in errors]
    text = errors[0] if len(errors) == 1 else "".join(f"\n* {e}" for e in errors)
    kind = str(body["kind"])
    return Refused("Invalid", f'The {kind} "{name}" is invalid: {text}', tuple(errors))


def forbidden_request(resource: str, name: str, why: str) -> Refused:
    """What an admission plugin answers: `pods "x" is forbidden: WHY`."""
    return Refused("Forbidden", f'{resource} "{name}" is forbidden: {why}')


# ---- one field error


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(ordered(value), separators=(",", ":"), ensure_ascii=False)


def ordered(value: Any) -> Any:
    """Maps by key, as Go's encoder has them; a selector's struct has its labels first, and structs of the server's own
    (whose fields have capitals) keep their order."""
    if isinstance(value, list):
        return [ordered(v) for v in value]
    if not isinstance(value, dict):
        return value
    keys = list(value) if any(k[:1].isupper() for k in value) else sorted(value)
    return {k: ordered(value[k]) for k in sorted(keys, key=lambda k: k == "matchExpressions")}


class Wrong(str):
    """A field error that shows a value: the text of today, and what it takes to print it as before 1.34."""

    head: str
    value: Any
    tail: str

    def __new__(cls, head: str, value: Any, tail: str = "") -> Wrong:
        made = super().__new__(cls, head + shown(value) + tail)
        made.head, made.value, made.tail = head, value, tail
        return made

    def in_go(self) -> str:
        return self.head + go_source(self.value) + self.tail


class Struct(dict[str, Any]):
    """A value of one of the server's own structs: its fields in their order, and the same as Go source."""

    def __init__(self, fields: Json, go: str) -> None:
        super().__init__(fields)
        self.go = go


def go_source(value: Any) -> str:
    """A value as Go's %#v: `[]string{"10.96.0.9"}`, `map[string]string{"app":"web"}`."""
    if isinstance(value, Struct):
        return value.go
    if isinstance(value, list):
        return "[]string{" + ", ".join(shown(v) for v in value) + "}"
    if value is None:
        return "map[string]string(nil)"
    if isinstance(value, dict) and set(value) <= {"matchLabels", "matchExpressions"}:
        rows = ", ".join(
            f"v1.LabelSelectorRequirement{{Key:{shown(r.get('key', ''))}, Operator:{shown(r.get('operator', ''))}, "
            f"Values:{go_source(r['values']) if r.get('values') else '[]string(nil)'}}}"
            for r in value.get("matchExpressions") or ()
        )
        rules = f"{{{rows}}}" if rows else "(nil)"
        labels = go_source(value.get("matchLabels"))
        return (
            f"v1.LabelSelector{{MatchLabels:{labels}, MatchExpressions:[]v1.LabelSelectorRequirement{rules}}}"
        )
    if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return (
            "map[string]string{" + ", ".join(f"{shown(k)}:{shown(v)}" for k, v in sorted(value.items())) + "}"
        )
    return shown(value)


def bad(path: str, value: Any, why: str) -> str:
    return Wrong(f"{path}: Invalid value: ", value, f": {why}")


def required(path: str, why: str = "") -> str:
    return f"{path}: Required value" + (f": {why}" if why else "")


def forbidden(path: str, why: str) -> str:
    return f"{path}: Forbidden: {why}"


def duplicate(path: str, value: Any) -> str:
    return Wrong(f"{path}: Duplicate value: ", value)


def unsupported(path: str, value: Any, words: Iterable[str], *, sort: bool = True) -> str:
    listed = ", ".join(f'"{w}"' for w in (sorted(words) if sort else words))
    return f"{path}: Unsupported value: {shown(value)}: supported values: {listed}"


def not_found(path: str, value: Any) -> str:
    return f"{path}: Not found: {shown(value)}"


def too_many(path: str, found: int, most: int) -> str:
    return f"{path}: Too many: {found}: must have at most {most} item{'s' if most != 1 else ''}"


def too_long(path: str, most: int) -> str:
    return f"{path}: Too long: may not be more than {most} bytes"


IMMUTABLE = "field is immutable"

"""How the API server says no, and how one field error is spelt.

Rules. `Refused` is the only exception. The functions make one error each as k8s.io/apimachinery's validation/field
prints it from 1.34 on: values that are no plain text, number or bool are printed as JSON.
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


def bad_request(body: Json, text: str) -> Refused:
    kind, version = str(body.get("kind", "")), str(body.get("apiVersion", "")).rpartition("/")[2]
    return Refused("BadRequest", f'{kind} in version "{version}" cannot be handled as a {kind}: {text}')


def invalid(body: Json, errors: list[str]) -> Refused:
    """The Status of a list of field errors, as kubectl prints it."""
    name = name_of(body)
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


def bad(path: str, value: Any, why: str) -> str:
    return f"{path}: Invalid value: {shown(value)}: {why}"


def required(path: str, why: str = "") -> str:
    return f"{path}: Required value" + (f": {why}" if why else "")


def forbidden(path: str, why: str) -> str:
    return f"{path}: Forbidden: {why}"


def duplicate(path: str, value: Any) -> str:
    return f"{path}: Duplicate value: {shown(value)}"


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

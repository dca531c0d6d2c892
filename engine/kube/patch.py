"""Patches of API objects: JSON merge patch, JSON patch, strategic merge patch, and what kubectl apply computes.

    applied(body, patch, how) -> Json            body with a patch of kind "merge", "json" or "strategic"; body is kept
    merge_patch(target, patch) -> value          RFC 7386
    json_patch(body, operations) -> Json         RFC 6902
    strategic_patch(body, patch) -> Json         by the patchStrategy and patchMergeKey of body["kind"]
    two_way(old, new) -> Json                    the strategic patch that makes new of old (kubectl edit, set, label)
    three_way(last_applied, live, wanted) -> Json   the strategic patch of kubectl apply: deletes what last_applied had
                                                 and wanted lacks, sets what wanted says, leaves the rest of live alone;
                                                 `{}` = nothing to do. last_applied may be {}

All are pure: they change none of their arguments. `PatchError` carries the library's text (`text`) and what the API
server answers with it (`reason`, `message`): BadRequest with the text; Invalid with a sentence of its own; or no
reason at all, which kubectl prints as `Error from server: TEXT`.

Rules. RFC 6902 as evanphx/json-patch has it (its texts), strategic merge in strategic.py. What the server answers:
apiserver/pkg/endpoints/handlers/patch.go.
"""

from __future__ import annotations

from typing import Any

from engine.kube.objects import Json, edited
from engine.kube.strategic import PatchError, go_text, strategic_patch, three_way, two_way

HOWS = ("strategic", "merge", "json")
#: What the server says instead of the text of a JSON patch that does not apply (errors.NewGenericServerResponse, 422).
REJECTED = "the server rejected our request due to an error in our request"
GO_OBJECT = "Go value of type map[string]interface {}"


def applied(body: Json, patch: Any, how: str = "strategic") -> Json:
    """The body with the patch. PatchError."""
    if how == "json":
        if not isinstance(patch, list):
            text = f"json: cannot unmarshal {word(patch)} into Go value of type jsonpatch.Patch"
            raise PatchError(text, reason="BadRequest")
        return json_patch(body, patch)
    if how not in HOWS:
        raise ValueError(how)
    if not isinstance(patch, dict):
        text = f"json: cannot unmarshal {word(patch)} into {GO_OBJECT}"
        raise PatchError(text if how == "strategic" else f"error decoding patch: {text}", reason="BadRequest")
    if how == "strategic":
        return strategic_patch(body, patch)
    merged = merge_patch(body, patch)
    assert isinstance(merged, dict)
    return merged


def word(value: object) -> str:
    """How encoding/json names what it found."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386: maps are merged, null takes away, everything else replaces."""
    if not isinstance(patch, dict):
        return copied(patch)
    out = {k: copied(v) for k, v in target.items()} if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge_patch(out.get(key), value)
    return out


def copied(value: Any) -> Any:
    if isinstance(value, list):
        return [copied(v) for v in value]
    return edited(value) if isinstance(value, dict) else value


# ---- RFC 6902


def json_patch(body: Json, operations: list[Any]) -> Json:
    """Apply add, remove, replace, move, copy and test in order. PatchError when one does not apply."""
    document: dict[str, Any] = {"": edited(body)}
    for operation in operations:
        if not isinstance(operation, dict):
            text = f"json: cannot unmarshal {word(operation)} into Go value of type jsonpatch.Operation"
            raise PatchError(text, reason="BadRequest")
        one_operation(document, operation)
    whole = document[""]
    if not isinstance(whole, dict):
        raise failed("the whole document is replaced by what is no object")
    return whole


def one_operation(document: dict[str, Any], operation: Json) -> None:
    name, path = operation.get("op"), operation.get("path")
    if name not in ("add", "remove", "replace", "move", "copy", "test"):
        raise failed(f"Unexpected kind: {name if isinstance(name, str) else 'unknown'}")
    if not isinstance(path, str):
        raise failed(f"{name} operation failed to decode path: missing value")
    if name in ("move", "copy"):
        source = operation.get("from")
        if not isinstance(source, str):
            raise failed(f"{name} operation failed to decode from: missing value")
        value = copied(found(document, source, name))
        if name == "move":
            remove(document, source, name)
        add(document, path, value, name)
    elif name == "remove":
        remove(document, path, name)
    elif name == "test":
        test(document, path, operation.get("value"))
    elif "value" not in operation:
        raise failed(f"{name} operation failed to decode value: missing value")
    elif name == "add":
        add(document, path, copied(operation["value"]), name)
    else:
        found(document, path, name)
        parent, key = place(document, path, name)
        parent[key if isinstance(parent, dict) else int(key)] = copied(operation["value"])


def failed(text: str) -> PatchError:
    """An operation that does not apply: the server does not pass the text on."""
    return PatchError(text, reason="Invalid", message=f"The request is invalid: {REJECTED}")


def place(document: dict[str, Any], path: str, name: str) -> tuple[Any, str]:
    """The container that a JSON pointer's last part names a place in, and that part."""
    if path and not path.startswith("/"):
        raise failed(f'{name} operation does not apply: doc is missing path: "{path}": missing value')
    parts = ["", *(p.replace("~1", "/").replace("~0", "~") for p in path.split("/")[1:])]
    at: Any = document
    for part in parts[:-1]:
        try:
            at = at[part] if isinstance(at, dict) else at[index(part, len(at))]
        except (KeyError, IndexError, ValueError, TypeError):
            raise missing(name, path) from None
    if not isinstance(at, dict | list):
        raise missing(name, path)
    return at, parts[-1]


def missing(name: str, path: str) -> PatchError:
    return failed(f'{name} operation does not apply: doc is missing path: "{path}": missing value')


def index(part: str, length: int) -> int:
    """A list's index; negative ones count from the end, as the library allows. ValueError, IndexError."""
    number = int(part)
    if not -length <= number < length:
        raise IndexError(part)
    return number % length


def found(document: dict[str, Any], path: str, name: str) -> Any:
    parent, key = place(document, path, name)
    try:
        return parent[key] if isinstance(parent, dict) else parent[index(key, len(parent))]
    except (KeyError, IndexError, ValueError):
        raise failed(f"{name} operation does not apply: doc is missing key: {path}: missing value") from None


def remove(document: dict[str, Any], path: str, name: str) -> None:
    found(document, path, name)
    parent, key = place(document, path, name)
    del parent[key if isinstance(parent, dict) else index(key, len(parent))]


def add(document: dict[str, Any], path: str, value: Any, name: str) -> None:
    parent, key = place(document, path, name)
    if isinstance(parent, dict):
        parent[key] = value
        return
    try:
        at = len(parent) if key == "-" else int(key)
    except ValueError:
        raise missing(name, path) from None
    if not -len(parent) <= at <= len(parent):
        raise failed(
            f"{name} operation does not apply: doc is missing path: {path}: Unable to access invalid index: {at}"
        )
    parent.insert(at if at >= 0 else len(parent) + at + 1, value)


def test(document: dict[str, Any], path: str, value: Any) -> None:
    try:
        there = found(document, path, "test")
    except PatchError:
        if value is None:
            return
        raise
    if there != value or isinstance(there, bool) is not isinstance(value, bool):
        raise failed(f"testing value {path} failed: test failed")


__all__ = [
    "HOWS",
    "REJECTED",
    "PatchError",
    "applied",
    "go_text",
    "json_patch",
    "merge_patch",
    "strategic_patch",
    "three_way",
    "two_way",
]

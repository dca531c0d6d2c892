"""--overrides: a patch (JSON merge, strategic or JSON) over an object that kubectl made.

Rules. kubectl decodes what comes out into its own types, so a field that they do not have is gone.
"""

from __future__ import annotations

import json
from typing import Any

from engine.kube import schema
from engine.kube.objects import Json
from engine.kube.patch import PatchError, applied
from engine.shell.tool import Fail

TYPES = ("merge", "strategic", "json")


def merge(body: Json, text: str, how: str = "merge") -> Json:
    """Fail in kubectl's words for a text that is no patch of this type."""
    if how not in TYPES:
        raise Fail(f"error: invalid override type: {how}")
    try:
        patch = json.loads(text)
    except ValueError:
        raise Fail("error: Invalid JSON Patch") from None
    try:
        made = applied(body, patch, how)
    except PatchError as error:
        raise Fail(f"error: {error.message}") from None
    kept: Json = known(made, str(body["kind"]))
    return kept


def known(value: Any, struct: str) -> Any:
    """What of a value the API's types have."""
    if isinstance(value, list):
        return [known(x, struct.removeprefix("[]")) for x in value]
    fields = schema.types().get(struct)
    if not isinstance(value, dict) or (fields is None and not struct.startswith("{}")):
        return value
    if fields is None:
        return {k: known(v, struct.removeprefix("{}")) for k, v in value.items()}
    return {
        k: known(v, fields.get(k, "")) for k, v in value.items() if k in fields or k in ("apiVersion", "kind")
    }

"""--overrides: a JSON merge patch over an object that kubectl made."""

from __future__ import annotations

import json

from engine.kube.objects import Json
from engine.kube.patch import merge_patch
from engine.shell.tool import Fail


def merge(body: Json, text: str) -> Json:
    """Fail in kubectl's words for a text that is not JSON."""
    try:
        patch = json.loads(text)
    except ValueError:
        raise Fail("error: unable to parse overrides: invalid JSON") from None
    merged = merge_patch(body, patch)
    return merged if isinstance(merged, dict) else body

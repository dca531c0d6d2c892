"""kubectl describe of the small kinds, and the general describer for all that have none of their own."""

from __future__ import annotations

from engine.kube.objects import (
    Json,
    meta,
)
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.describe_parts import (
    NONE,
    head,
    many,
)
from engine.shell.tools.kubectl_.table import Blocks


def config_map(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, "\nData\n====")
    for key, value in sorted((body.get("data") or {}).items()):
        out.put(0, f"{key}:\n----\n{value}\n")
    out.put(0, "\nBinaryData\n====")
    for key, value in sorted((body.get("binaryData") or {}).items()):
        out.put(0, f"{key}: {len(value) * 3 // 4} bytes")
    out.put(0, "")


def secret(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, f"\nType:\t{body.get('type', 'Opaque')}\n\nData\n====")
    import base64

    for key, value in sorted((body.get("data") or {}).items()):
        out.put(0, f"{key}:\t{len(base64.b64decode(value + '=='))} bytes")


def service_account(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    for title, key in (("Image pull secrets", "imagePullSecrets"), ("Mountable secrets", "secrets")):
        many(out, title, [str(r.get("name")) for r in body.get(key) or ()])
    out.put(0, f"Tokens:\t{NONE}")


#: Parts of the metadata that the general describer leaves out, because they stand above or say nothing.
LEFT_OUT = ("name", "namespace", "labels", "annotations", "managedFields", "selfLink")


def general(client: Client, body: Json, out: Blocks) -> None:
    """The general describer: metadata, then every field by its words."""
    head(body, out)
    for key in sorted({"apiVersion", "kind", *body}):
        if key == "metadata":
            out.put(0, "Metadata:")
            tree(out, {k: v for k, v in meta(body).items() if k not in LEFT_OUT}, 1)
        else:
            field(out, key, body.get(key), 0)


def words(key: str) -> str:
    """`nodeName` -> `Node Name`, `uid` -> `UID`"""
    import re

    if key in ("uid", "apiVersion"):
        return {"uid": "UID", "apiVersion": "API Version"}[key]
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key)
    return spaced[:1].upper() + spaced[1:]


def tree(out: Blocks, value: Json, level: int) -> None:
    for key in sorted(value):
        field(out, key, value[key], level)


def field(out: Blocks, key: str, value: object, level: int) -> None:
    if isinstance(value, dict):
        out.put(level, f"{words(key)}:")
        tree(out, value, level + 1)
    elif isinstance(value, list):
        out.put(level, f"{words(key)}:")
        for item in value:
            if isinstance(item, dict):
                tree(out, item, level + 1)
            else:
                out.put(level + 1, str(item))
    else:
        shown = str(value).lower() if isinstance(value, bool) else "<nil>" if value is None else str(value)
        out.put(level, f"{words(key)}:\t{shown}")

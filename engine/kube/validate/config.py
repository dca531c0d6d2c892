"""ConfigMaps, Secrets, LimitRanges, ResourceQuotas, Nodes, and what none of their updates may change."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from engine.kube import quantity
from engine.kube.objects import Json, spec_of
from engine.kube.validate.errors import IMMUTABLE, bad, duplicate, forbidden, required, too_long, unsupported
from engine.kube.validate.names import (
    CONFIG_KEY,
    CONFIG_KEY_TEXT,
    cidr_errors,
    label_value_errors,
    qualified_errors,
)

#: Bytes that the values of a ConfigMap or a Secret may be together (etcd's objects are 1 MiB).
MOST = 1024 * 1024
FROZEN = "field is immutable when `immutable` is set"
#: Secret type -> keys that it must have.
SECRET_KEYS = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
EFFECTS = ("NoExecute", "NoSchedule", "PreferNoSchedule")
LIMIT_TYPES = ("Container", "PersistentVolumeClaim", "Pod")


def config_map_errors(body: Json) -> Iterator[str]:
    """ValidateConfigMap."""
    data, binary = body.get("data") or {}, body.get("binaryData") or {}
    total = 0
    for key, value in data.items():
        yield from key_errors(key, f"data[{key}]")
        if key in binary:
            yield bad(f"data[{key}]", key, "duplicate of key present in binaryData")
        total += len(str(value).encode())
    for key, value in binary.items():
        yield from key_errors(key, f"binaryData[{key}]")
        total += len(decoded(str(value)) or b"")
    if total > MOST:
        yield too_long("", MOST)


def key_errors(key: str, path: str) -> Iterator[str]:
    """IsConfigMapKey."""
    if len(key) > 253:
        yield bad(path, key, "must be no more than 253 characters")
    if not CONFIG_KEY.fullmatch(key):
        yield bad(path, key, CONFIG_KEY_TEXT)
    elif key == ".":
        yield bad(path, key, "must not be '.'")
    elif key == "..":
        yield bad(path, key, "must not be '..'")
    elif key.startswith(".."):
        yield bad(path, key, "must not start with '..'")


def decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def not_base64(body: Json) -> str:
    """The decoder's word for a value of `data` that is no base64; "" when all are."""
    for value in (body.get("data") or {}).values():
        text = str(value).replace("\n", "")
        if decoded(text) is None:
            at = next((i for i, c in enumerate(text) if not (c.isascii() and (c.isalnum() or c in "+/="))), 0)
            at = at or len(text) // 4 * 4
            return f"illegal base64 data at input byte {at}"
    return ""


def secret_errors(body: Json) -> Iterator[str]:
    """ValidateSecret."""
    data = body.get("data") or {}
    for key in data:
        yield from key_errors(key, f"data[{key}]")
    if sum(len(decoded(str(v)) or b"") for v in data.values()) > MOST:
        yield too_long("data", MOST)
    for key in SECRET_KEYS.get(str(body.get("type")), ()):
        if key not in data:
            yield required(f"data[{key}]")
    if body.get("type") == "kubernetes.io/basic-auth" and not {"username", "password"} & set(data):
        yield required("data[username]")
        yield required("data[password]")


def immutable_errors(old: Json, new: Json) -> Iterator[str]:
    """An immutable ConfigMap or Secret keeps what it holds."""
    if new["kind"] == "Secret" and old.get("type") != new.get("type"):
        yield bad("type", new.get("type"), IMMUTABLE)
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        yield forbidden("immutable", FROZEN)
    for key in ("data", "binaryData"):
        if (old.get(key) or {}) != (new.get(key) or {}):
            yield forbidden(key, FROZEN)


# ---- limits


def limit_range_errors(body: Json) -> Iterator[str]:
    """ValidateLimitRange."""
    seen: set[str] = set()
    for i, row in enumerate(spec_of(body).get("limits") or ()):
        path, kind = f"spec.limits[{i}]", row.get("type", "")
        if "/" not in kind and kind not in LIMIT_TYPES:
            yield bad(f"{path}.type", kind, "must be a standard limit type or fully qualified")
        if kind in seen:
            yield duplicate(f"{path}.type", kind)
        seen.add(kind)
        if kind == "Pod":
            for key in ("default", "defaultRequest"):
                if row.get(key):
                    yield forbidden(f"{path}.{key}", "may not be specified when `type` is 'Pod'")
        if kind == "PersistentVolumeClaim" and not (row.get("min") or {}) and not (row.get("max") or {}):
            yield required(
                path, "either minimum or maximum storage value is required, but neither was provided"
            )
        yield from order_errors(row, path)


#: (what must not be more, than what, whose path, whose value, the words)
ORDER = (
    ("min", "max", "min", "min", "min value {a} is greater than max value {b}"),
    ("min", "defaultRequest", "defaultRequest", "defaultRequest",
     "min value {a} is greater than default request value {b}"),
    ("defaultRequest", "max", "defaultRequest", "defaultRequest",
     "default request value {a} is greater than max value {b}"),
    ("defaultRequest", "default", "defaultRequest", "defaultRequest",
     "default request value {a} is greater than default limit value {b}"),
    ("min", "default", "default", "min", "min value {a} is greater than default value {b}"),
    ("default", "max", "default", "max", "default value {a} is greater than max value {b}"),
)  # fmt: skip


def order_errors(row: Json, path: str) -> Iterator[str]:
    """min <= defaultRequest <= default <= max, and a ratio of at least 1."""
    keys = {k for part in ("min", "max", "default", "defaultRequest") for k in row.get(part) or {}}
    for key in sorted(keys):
        text = {part: str((row.get(part) or {})[key]) for part in ("min", "max", "default", "defaultRequest")
                if key in (row.get(part) or {})}  # fmt: skip
        for small, large, part, said, why in ORDER:
            if small in text and large in text and more(text[small], text[large]):
                yield bad(f"{path}.{part}[{key}]", text[said], why.format(a=text[small], b=text[large]))
    for key, value in (row.get("maxLimitRequestRatio") or {}).items():
        if more("1", str(value)):
            yield bad(f"{path}.maxLimitRequestRatio[{key}]", str(value), f"ratio {value} is less than 1")


def more(a: Any, b: Any) -> bool:
    try:
        return quantity.value(str(a)) > quantity.value(str(b))
    except ValueError:
        return False


# ---- Node


def node_errors(body: Json) -> Iterator[str]:
    spec = spec_of(body)
    pairs: set[tuple[str, str]] = set()
    for i, taint in enumerate(spec.get("taints") or ()):
        path = f"metadata.taints[{i}]"
        yield from qualified_errors(taint.get("key", ""), f"{path}.key")
        yield from label_value_errors(taint.get("value", ""), f"{path}.value")
        effect = taint.get("effect", "")
        if not effect:
            yield required(f"{path}.effect")
        elif effect not in EFFECTS:
            yield unsupported(f"{path}.effect", effect, EFFECTS)
        pair = (taint.get("key", ""), effect)
        if pair in pairs:
            shown = {"Key": pair[0], "Value": taint.get("value", ""), "Effect": effect, "TimeAdded": None}
            yield duplicate(path, shown) + ": taints must be unique by key and effect pair"
        pairs.add(pair)
    for i, text in enumerate(spec.get("podCIDRs") or ()):
        yield from cidr_errors(text, f"spec.podCIDRs[{i}]")


def node_update_errors(old: Json, new: Json) -> Iterator[str]:
    a, b = spec_of(old), spec_of(new)
    for key, word in (("podCIDRs", "podCIDR"), ("providerID", "providerID")):
        if a.get(key) and a.get(key) != b.get(key):
            yield forbidden(f"spec.{key}", f'node updates may not change {word} except from "" to valid')

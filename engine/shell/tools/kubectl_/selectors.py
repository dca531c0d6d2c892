"""-l and --field-selector: the API server's words for what it cannot read (apimachinery/pkg/labels, pkg/fields)."""

from __future__ import annotations

import re

from engine.kube.objects import Json, Kind
from engine.kube.select import parse
from engine.shell.tool import Fail

TOKEN = re.compile(r"\s*(!=|==|[=!(),<>]|[^\s=!(),<>]+)")
OPERATORS = ("in", "notin", "=", "==", "!=", "gt", "lt")
#: kind -> fields that its API can select by, beside metadata.name and metadata.namespace.
FIELDS = {
    "Pod": ("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
            "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName"),
    "Event": ("involvedObject.apiVersion", "involvedObject.kind", "involvedObject.namespace", "involvedObject.name",
              "involvedObject.uid", "involvedObject.fieldPath", "reason", "reportingComponent", "source", "type"),
    "Node": ("spec.unschedulable",),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
}  # fmt: skip


def refused(kind: Kind, labels: str, fields: str, why: str) -> Fail:
    """A list that the server refuses, as kubectl tells it (resource.EnhanceListError)."""
    group, _, version = kind.api.rpartition("/")
    return Fail(
        f'Error from server (BadRequest): Unable to find "{group}/{version}, Resource={kind.plural}" that match label '
        f'selector "{labels}", field selector "{fields}": {why}'
    )


def label_selector(kind: Kind, text: str, fields: str = "") -> Json:
    """A selector that the API server reads. Fail in its words."""
    try:
        return local_selector(text)
    except ValueError as error:
        raise refused(kind, text, fields, str(error)) from None


def local_selector(text: str) -> Json:
    """A selector that kubectl reads by itself. ValueError with the text of labels.Parse."""
    if why := wrong(text):
        raise ValueError(why)
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(
            f"unable to parse requirement: found '{error}', expected: {', '.join(OPERATORS)}"
        ) from None


def wrong(text: str) -> str:
    """labels.Parse's error; "" for a selector that it reads."""
    tokens = [m[1] for m in TOKEN.finditer(text)]
    at = 0

    def peek() -> str:
        return tokens[at] if at < len(tokens) else ""

    def word(token: str) -> bool:
        return bool(token) and token not in ("=", "==", "!=", "!", "(", ")", ",", "<", ">")

    while True:
        bang = peek() == "!"
        at += bang
        if not word(peek()):
            return f"unable to parse requirement: found '{peek()}', expected: identifier"
        at += 1
        if not bang and peek() not in ("", ","):
            operator = peek()
            if operator not in (*OPERATORS, "<", ">"):
                return f"unable to parse requirement: found '{operator}', expected: {', '.join(OPERATORS)}"
            at += 1
            if operator in ("in", "notin"):
                if peek() != "(":
                    return f"unable to parse requirement: found '{peek()}' expected: '('"
                at += 1
                while peek() != ")":
                    if word(peek()):
                        at += 1
                        if peek() not in (",", ")"):
                            return f"unable to parse requirement: found '{peek()}', expected: ',' or ')'"
                    elif peek() == ",":
                        at += 1
                    else:
                        return f"unable to parse requirement: found '{peek()}', expected: ',', or identifier"
                at += 1
            elif word(peek()):
                at += 1
        if peek() == "":
            return ""
        if peek() != ",":
            return f"found '{peek()}', expected: ',' or 'end of string'"
        at += 1
        if peek() != "!" and not word(peek()):
            return f"found '{peek()}', expected: identifier after ','"


def field_fits(kind: Kind, body: Json, text: str, labels: str = "") -> bool:
    for part in text.split(","):
        for operator in ("!=", "==", "="):
            if operator in part:
                path, _, wanted = part.partition(operator)
                break
        else:
            raise refused(kind, labels, text, f"invalid selector: '{text}'; can't understand '{part}'")
        own = FIELDS.get(kind.kind)
        if path not in ("metadata.name", "metadata.namespace", *(own or ())):
            unknown = f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
            raise refused(kind, labels, text, f"field label not supported: {path}" if own else unknown)
        if (field_value(body, path) == wanted) != (operator != "!="):
            return False
    return True


def field_value(body: Json, path: str) -> str:
    if path == "source":
        return str((body.get("source") or {}).get("component", ""))
    at: object = body
    for key in path.split("."):
        at = at.get(key) if isinstance(at, dict) else None
    if path == "spec.unschedulable":
        return "true" if at else "false"
    if isinstance(at, bool):
        return str(at).lower()
    return "" if at is None else str(at)

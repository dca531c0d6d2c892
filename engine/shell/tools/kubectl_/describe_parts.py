"""Pieces of kubectl describe that many kinds share: labels, times, lists, the table of events."""

from __future__ import annotations

from engine.kube.clock import age, clock_of, rfc1123z
from engine.kube.events import Event
from engine.kube.objects import (
    Json,
    labels_of,
    meta,
    name_of,
    namespace_of,
    status_of,
)
from engine.kube.podspec import on_node
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.table import Blocks

NONE = "<none>"
#: An annotation that is longer stands on lines of its own, each cut there (maxAnnotationLen).
LONGEST = 140
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def head(body: Json, out: Blocks, *, annotations: bool = True) -> None:
    out.put(0, f"Name:\t{name_of(body)}")
    if namespace_of(body):
        out.put(0, f"Namespace:\t{namespace_of(body)}")
    if annotations:
        put_map(out, "Labels", labels_of(body))
        put_map(out, "Annotations", meta(body).get("annotations"))


def put_map(out: Blocks, title: str, values: Json | None, *, level: int = 0) -> None:
    """Labels, annotations: one `k=v` or `k: v` a line, aligned under the first."""
    rows = sorted((values or {}).items())
    rows = [(k, v) for k, v in rows if k != LAST_APPLIED]
    if not rows:
        out.put(level, f"{title}:\t{NONE}")
        return
    notes = title.endswith("Annotations")
    for i, (key, value) in enumerate(rows):
        start = title + ":" if i == 0 else ""
        if not notes:
            out.put(level, f"{start}\t{key}={value}")
            continue
        shown = str(value).removesuffix("\n")
        if len(shown) + len(key) + 2 > LONGEST or "\n" in shown:
            out.put(level, f"{start}\t{key}:")
            for part in shown.split("\n"):
                cut = LONGEST - 2
                out.put(level, f"\t  {part[:cut] + '...' if len(part) > cut else part}")
        else:
            out.put(level, f"{start}\t{key}: {shown}")


def event_table(client: Client, body: Json, out: Blocks) -> None:
    store = client.cluster.store
    rows = list(store.events_about(str(meta(body).get("uid", name_of(body)))))
    if body["kind"] == "Node":
        # kubelet's own events about its node carry the node's name in place of a uid.
        rows = sorted([*rows, *store.events_about(name_of(body))], key=lambda e: e.last)
    if not rows:
        out.put(0, f"Events:\t{NONE}")
        return
    out.put(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage\n  ----\t------\t----\t----\t-------")
    for e in rows:
        message = e.message.strip()
        if e.field_path and client.minor >= 35:
            message = f"{e.field_path}: {message}"
        out.put(1, f"{e.type}\t{e.reason}\t{span_of(e, client.clock)}\t{e.source}\t{message}")


def span_of(event: Event, clock: float) -> str:
    if event.count > 1:
        return f"{age(clock - event.last)} (x{event.count} over {age(clock - event.first)})"
    return age(clock - event.first)


def when(stamp: object) -> str:
    return rfc1123z(clock_of(stamp)) if isinstance(stamp, str) else "<unset>"


def utc(stamp: object) -> str:
    """Go's own form of a time: `2026-11-21 09:00:07 +0000 UTC`."""
    return str(stamp).replace("T", " ").replace("Z", " +0000 UTC")


def node_text(client: Client, body: Json) -> str:
    """`w1/192.168.10.11`"""
    name = on_node(body)
    host = status_of(body).get("hostIP")
    return f"{name}/{host}" if name and host else f"{name}/" if name else NONE


def many(out: Blocks, title: str, rows: list[str]) -> None:
    """A list under one title, aligned with its first entry."""
    if not rows:
        out.put(0, f"{title}:\t{NONE}")
    for i, row in enumerate(sorted(rows)):
        out.put(0, f"{title + ':' if i == 0 else ''}\t{row}")


def toleration(t: Json) -> str:
    shown = str(t.get("key") or "")
    if t.get("value"):
        shown += f"={t['value']}"
    if t.get("effect"):
        shown += f":{t['effect']}"
    if t.get("operator") == "Exists" and not t.get("value"):
        shown += " op=Exists" if shown else "op=Exists"
    if t.get("tolerationSeconds") is not None:
        shown += f" for {t['tolerationSeconds']}s"
    return shown

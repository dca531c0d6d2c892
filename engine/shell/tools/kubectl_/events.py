"""kubectl events: what happened, oldest last occurrence first (k8s.io/kubectl/pkg/cmd/events)."""

from __future__ import annotations

from engine.kube.clock import clock_of
from engine.kube.objects import Json, kind_named
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.cells import since
from engine.shell.tools.kubectl_.client import connect, events
from engine.shell.tools.kubectl_.flags import flag, parse, refused, switch
from engine.shell.tools.kubectl_.made import listed
from engine.shell.tools.kubectl_.table import table

FLAGS = (
    refused("watch", "w"), switch("all-namespaces", "A"), flag("for"), flag("types"), switch("no-headers"),
    flag("chunk-size"), flag("output", "o"), refused("template", value=True), switch("show-managed-fields"),
)  # fmt: skip


def events_verb(ctx: Context, argv: list[str]) -> Out:
    line = parse("events", argv, FLAGS)
    if line.words:
        raise Fail(f'error: unknown command "{line.words[0]}" for "kubectl events"')
    types = listed(line, "types")
    bad = [t for t in types if t.lower() not in ("normal", "warning")]
    if bad:
        raise Fail("error: valid --types are Normal or Warning")
    client = connect(ctx, line)
    rows = events(client, None if line.on("all-namespaces") else client.namespace)
    if line.get("for"):
        rows = [r for r in rows if about(r, line.get("for"))]
    if types:
        rows = [r for r in rows if r["type"].lower() in {t.lower() for t in types}]
    rows.sort(key=lambda r: clock_of(r["lastTimestamp"]))
    if line.get("output"):
        return Out(stdout=output.printed(ctx, line.get("output"), rows, single=False))
    if not rows:
        if line.on("all-namespaces"):
            return Out(stderr="No events found.\n")
        return Out(stderr=f"No events found in {client.namespace} namespace.\n")
    head = ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    lines = [] if line.on("no-headers") else [["NAMESPACE", *head] if line.on("all-namespaces") else head]
    for r in rows:
        cells = [interval(r, client.clock), r["type"], r["reason"],
                 f"{r['involvedObject']['kind']}/{r['involvedObject']['name']}", r["message"].strip()]  # fmt: skip
        lines.append([r["metadata"]["namespace"], *cells] if line.on("all-namespaces") else cells)
    return Out(stdout=table(lines))


def about(row: Json, text: str) -> bool:
    word, slash, name = text.partition("/")
    kind = kind_named(word)
    if not slash or not name:
        raise Fail("error: --for must be in resource/name form")
    if kind is None:
        raise Fail(f'error: the server doesn\'t have a resource type "{word}"')
    return bool(row["involvedObject"]["kind"] == kind.kind and row["involvedObject"]["name"] == name)


def interval(row: Json, clock: float) -> str:
    if int(row["count"]) > 1:
        return f"{since(row['lastTimestamp'], clock)} (x{row['count']} over {since(row['firstTimestamp'], clock)})"
    return since(row["firstTimestamp"], clock)

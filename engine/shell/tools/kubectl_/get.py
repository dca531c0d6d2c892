"""kubectl get."""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.objects import BY_KIND, Json, Kind, labels_of, meta, name_of, namespace_of
from engine.kube.select import text as labels_text
from engine.kube.validate import ENDPOINTS_WARNING
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import columns, output, sorting
from engine.shell.tools.kubectl_.client import Client, connect, fetch, listing, not_found, ref, targets
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.jsonpath import JsonPathError, relaxed, results
from engine.shell.tools.kubectl_.table import table

FLAGS = (
    switch("all-namespaces", "A"), flag("output", "o"), flag("selector", "l"), flag("field-selector"),
    flag("sort-by"), switch("show-labels"), flag("label-columns", "L"), switch("no-headers"),
    switch("show-kind"), switch("ignore-not-found"), switch("watch", "w"), switch("watch-only"),
    refused("raw", value=True), refused("template", value=True), flag("filename", "f"), switch("show-managed-fields"),
    flag("chunk-size"), refused("subresource", value=True), refused("output-watch-events"),
    refused("kustomize", "k", value=True), refused("recursive", "R"), switch("server-print"),
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    line = parse("get", argv, FLAGS)
    if line.on("show-labels") and line.get("output") not in ("", "wide"):
        raise Fail(f"error: --show-labels option cannot be used with {line.get('output')} printer")
    client = connect(ctx, line)
    if "filename" in line:
        from engine.shell.tools.kubectl_.manifests import named_in_files

        wanted = [(k, n) for k, n, ns in named_in_files(client, line)]
    else:
        wanted = targets(client, line, line.words)
    if line.on("watch") or line.on("watch-only"):
        return watched(client, line, wanted)
    groups, errors = gather(client, line, wanted)
    out = show(client, line, groups, single=len(wanted) == 1 and bool(wanted[0][1]))
    found = any(rows for _, rows in groups)
    if not found and not errors and not line.on("ignore-not-found") and line.get("output") in ("", "wide"):
        where = "." if line.on("all-namespaces") or not any(k.namespaced for k, _ in wanted) else ""
        text = "No resources found" if where else f"No resources found in {client.namespace} namespace."
        return Out(stderr=deprecated(client, wanted) + text + "\n")
    missing = "".join(e + "\n" for e in errors)
    return Out.mixed(
        (("err", deprecated(client, wanted)), ("out", out), ("err", missing)), 1 if errors else 0
    )


def deprecated(client: Client, wanted: list[tuple[Kind, str]]) -> str:
    """What the API server warns of when a deprecated kind is read."""
    if client.minor >= 33 and any(k.kind == "Endpoints" for k, _ in wanted):
        return f"Warning: {ENDPOINTS_WARNING}\n"
    return ""


def gather(
    client: Client, line: Line, wanted: list[tuple[Kind, str]]
) -> tuple[list[tuple[Kind, list[Json]]], list[str]]:
    """Objects by kind, and the errors of names that are not there."""
    groups: dict[str, list[Json]] = {}
    errors: list[str] = []
    everywhere = line.on("all-namespaces")
    for kind, name in wanted:
        rows = groups.setdefault(kind.kind, [])
        if not name:
            rows += listing(client, kind, everywhere=everywhere, line=line)
            continue
        if everywhere:
            raise Fail("error: a resource cannot be retrieved by name across all namespaces")
        if line.get("selector") or line.get("field-selector"):
            raise Fail("error: name cannot be provided when a selector is specified")
        body = fetch(client, kind, name)
        if body is None:
            if not line.on("ignore-not-found"):
                errors.append(not_found(kind, name))
        else:
            rows.append(body)
    return [(BY_KIND[k], rows) for k, rows in groups.items()], errors


def show(client: Client, line: Line, groups: list[tuple[Kind, list[Json]]], *, single: bool) -> str:
    """The groups in the format that was asked for."""
    for i, (kind, rows) in enumerate(groups):
        groups[i] = (kind, ordered(rows, line.get("sort-by")))
    format = line.get("output")
    if format not in ("", "wide"):
        rows = [clean(r) for _, rows in groups for r in rows]
        if not rows and (single or line.on("ignore-not-found")):
            return ""
        return output.printed(client.ctx, format, rows, single=single, headers=not line.on("no-headers"))
    shown = [(k, rows) for k, rows in groups if rows]
    prefix = len(groups) > 1 or line.on("show-kind")
    texts = [as_table(client, line, kind, rows, prefix=prefix) for kind, rows in shown]
    return "\n".join(texts)


def watched(client: Client, line: Line, wanted: list[tuple[Kind, str]]) -> Out:
    from engine.shell.tools.kubectl_.flags import later
    from engine.shell.tools.kubectl_.watching import watch

    if len({k.kind for k, _ in wanted}) > 1 or len(wanted) > 1:
        raise Fail("error: you may only specify a single resource type")
    if line.get("output") not in ("", "wide"):
        raise later(f"kubectl get --watch -o {line.get('output')}")
    kind, name = wanted[0]
    if name and fetch(client, kind, name) is None:
        raise Fail(not_found(kind, name))
    return watch(client, line, kind, name)


def as_table(client: Client, line: Line, kind: Kind, rows: list[Json], *, prefix: bool) -> str:
    headers, lines = rows_of(client, line, kind, rows, prefix=prefix)
    return table(lines if line.on("no-headers") else [headers, *lines])


def rows_of(
    client: Client, line: Line, kind: Kind, rows: list[Json], *, prefix: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Headers and rows, with the columns that flags add."""
    headers, lines = columns.rows_of(
        kind.kind, rows, client.clock, wide=line.get("output") == "wide", minor=client.minor
    )
    name_at = headers.index("NAME") if "NAME" in headers else -1
    for body, cells in zip(rows, lines, strict=True):
        if prefix and name_at >= 0:
            cells[name_at] = ref(kind, cells[name_at])
        for label in labels(line):
            cells.append(labels_of(body).get(label, ""))
        if line.on("show-labels"):
            cells.append(labels_text(labels_of(body)))
        if line.on("all-namespaces") and kind.namespaced:
            cells.insert(0, namespace_of(body))
    headers += [x.rsplit("/", 1)[-1].upper() for x in labels(line)]
    if line.on("show-labels"):
        headers.append("LABELS")
    if line.on("all-namespaces") and kind.namespaced:
        headers.insert(0, "NAMESPACE")
    return headers, lines


def labels(line: Line) -> Iterable[str]:
    return [x for value in line.all("label-columns") for x in value.split(",")]


def clean(body: Json) -> Json:
    """An object as it is printed: apiVersion and kind in front is YAML's own order; nothing is hidden but nothing
    of ours is added either."""
    out = dict(body)
    out.setdefault("apiVersion", BY_KIND[str(body["kind"])].api)
    m = dict(meta(body))
    m.pop("managedFields", None)
    out["metadata"] = m
    return out


def ordered(rows: list[Json], path: str) -> list[Json]:
    """--sort-by."""
    if not path:
        return rows
    try:
        template = relaxed(path)
        found = [results(template, r) for r in rows]
    except JsonPathError as error:
        raise Fail(f"error: {error}") from None
    keys = [f[0][0] if f and f[0] else None for f in found]
    if rows and all(k is None for k in keys):
        raise Fail(f'error: couldn\'t find any field with path "{template}" in the list of objects')
    return [rows[i] for i in sorting.order(keys)]


__all__ = ["name_of", "run"]

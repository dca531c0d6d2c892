"""kubectl patch: strategic, merge and JSON (k8s.io/kubectl/pkg/cmd/patch)."""

from __future__ import annotations

from typing import Any

import yaml

from engine.kube.manifests import Loader
from engine.kube.objects import Json, Kind, meta, name_of, namespace_of
from engine.kube.validate import Refused
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import NO_RESOURCES, Client, connect, not_found, ref, targets
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.manifests import named_in_files
from engine.shell.tools.kubectl_.write import DRY, Written, dry_run, warnings

PATCH = (
    flag("patch", "p"), flag("patch-file"), flag("type"), DRY, flag("output", "o"), flag("filename", "f"),
    switch("recursive", "R"), refused("local"), refused("subresource", value=True), flag("field-manager"),
    refused("kustomize", "k", value=True), refused("template", value=True), refused("record"),
)  # fmt: skip
TYPES = ("json", "merge", "strategic")


def patch(ctx: Context, argv: list[str]) -> Out:
    line = parse("patch", argv, PATCH)
    how = line.get("type", "strategic").lower() or "strategic"
    if line.get("patch") and line.get("patch-file"):
        raise Fail("error: cannot specify --patch and --patch-file together")
    if not line.get("patch") and not line.get("patch-file"):
        raise Fail("error: must specify --patch or --patch-file containing the contents of the patch")
    if how not in TYPES:
        raise Fail(f'error: --type must be one of [{" ".join(TYPES)}], not "{line.get("type")}"')
    change = change_of(ctx, line)
    client = connect(ctx, line)
    notes, done = len(client.cluster.skipped), Written()
    for kind, name, namespace in wanted(client, line):
        body = client.cluster.store.get(kind.kind, namespace, name)
        if body is None:
            done.errors.append(not_found(kind, name))
            continue
        try:
            one(client, line, kind, body, change, how, done)
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
    return done.out(client, line, notes)


def change_of(ctx: Context, line: Line) -> Any:
    text = line.get("patch")
    if line.get("patch-file"):
        path = line.get("patch-file")
        try:
            text = ctx.files.read(ctx.path(path))
        except FileError as error:
            why = error.reason[:1].lower() + error.reason[1:]
            raise Fail(f"error: unable to read patch file: open {path}: {why}") from None
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        from engine.shell.tools.kubectl_.manifests import go_yaml

        raise Fail(f'error: unable to parse "{line.get("patch")}": yaml: {go_yaml(error)}') from None


def wanted(client: Client, line: Line) -> list[tuple[Kind, str, str]]:
    if "filename" in line:
        return named_in_files(client, line)
    if not line.words:
        raise Fail(NO_RESOURCES)
    rows = targets(client, line, line.words)
    if any(not name for _, name in rows):
        raise Fail("error: resource(s) were provided, but no name was specified")
    return [(k, n, client.namespace if k.namespaced else "") for k, n in rows]


def one(client: Client, line: Line, kind: Kind, body: Json, change: Any, how: str, done: Written) -> None:
    dry = dry_run(line)
    cluster = client.cluster.copy() if dry else client.cluster
    try:
        stored = cluster.patch(kind.kind, namespace_of(body), name_of(body), change, client.clock, how=how)
    except Refused as error:
        if error.reason == "Invalid":
            raise Fail(error.message) from None
        raise Fail(
            f"Error from server{f' ({error.reason})' if error.reason else ''}: {error.message}"
        ) from None
    done.warnings += warnings(cluster)
    same = meta(stored).get("resourceVersion") == meta(body).get("resourceVersion")
    done.lines.append(f"{ref(kind, name_of(body))} patched{' (no change)' if same else ''}{dry}")
    done.bodies.append(stored)


__all__ = ["patch"]

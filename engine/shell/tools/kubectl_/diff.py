"""kubectl diff: the live objects against what apply would make of them (k8s.io/kubectl/pkg/cmd/diff).

Rules. The output is that of `diff -u -N` over two folders, LIVE-N and MERGED-N, as kubectl runs it; exit code 1 means
that there are differences.
"""

from __future__ import annotations

import difflib

from engine.kube.clock import EPOCH
from engine.kube.manifests import Manifest
from engine.kube.objects import Json, edited, name_of, namespace_of
from engine.kube.patch import three_way
from engine.kube.validate import Refused
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect
from engine.shell.tools.kubectl_.flags import flag, parse, refused, switch
from engine.shell.tools.kubectl_.manifests import prepared, read
from engine.shell.tools.kubectl_.output import to_yaml
from engine.shell.tools.kubectl_.update import refusal
from engine.shell.tools.kubectl_.write import LAST_APPLIED, with_last_applied

FLAGS = (
    flag("filename", "f"), switch("recursive", "R"), refused("kustomize", "k", value=True), refused("server-side"),
    refused("prune"), flag("selector", "l"), flag("field-manager"), switch("show-managed-fields"), flag("concurrency"),
    refused("force-conflicts"), refused("prune-allowlist", value=True),
)  # fmt: skip


def diff(ctx: Context, argv: list[str]) -> Out:
    """Exit code 1 stands for a difference, so errors end with 2."""
    try:
        return differences(ctx, argv)
    except Fail as fail:
        raise Fail(fail.out.stderr.rstrip("\n"), max(2, fail.out.code)) from None


def differences(ctx: Context, argv: list[str]) -> Out:
    line = parse("diff", argv, FLAGS)
    if line.words:
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl diff -h' for help and examples"
        )
    if "filename" not in line:
        raise Fail("error: must specify one of -f and -k")
    client = connect(ctx, line)
    rows, errors = read(ctx, line)
    out = ""
    number = client.cluster.store.version
    for row in rows:
        kind, row = prepared(client, row, "diff")
        body = row.body
        live = client.cluster.store.get(kind.kind, namespace_of(body), name_of(body))
        merged = would_be(client, row, live)
        group, _, version = kind.api.rpartition("/")
        file = ".".join(x for x in (group, version, kind.kind, namespace_of(body), name_of(body)) if x)
        out += compared(
            live, merged, f"/tmp/LIVE-{number}/{file}", f"/tmp/MERGED-{number}/{file}", client.clock
        )
    if errors:
        raise Fail("\n".join(errors))
    return Out(stdout=out, code=1 if out else 0)


def would_be(client: Client, row: Manifest, live: Json | None) -> Json:
    """The object after an apply, as a server-side dry run answers."""
    cluster = client.cluster.copy()
    wanted = with_last_applied(row.body)
    try:
        if live is None:
            made = cluster.put(
                Manifest(file=row.file, line=row.line, body=wanted), client.clock, make_namespace=False
            )
            return made if made is not None else row.body
        import json

        text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED, "{}")
        change = three_way(json.loads(text), live, wanted)
        if not change:
            return live
        return cluster.patch(str(live["kind"]), namespace_of(live), name_of(live), change, client.clock)
    except Refused as error:
        raise refusal(error) from None


def compared(live: Json | None, merged: Json, old: str, new: str, clock: float) -> str:
    """A unified diff of two objects; what only the bookkeeping changes is left out."""
    a = to_yaml(bare(live)).splitlines(keepends=True) if live is not None else []
    b = to_yaml(bare(merged)).splitlines(keepends=True)
    if a == b:
        return ""
    from datetime import timedelta

    moment = (EPOCH + timedelta(seconds=clock)).strftime("%Y-%m-%d %H:%M:%S.%f000 +0000")
    rows = difflib.unified_diff(a, b, old, new, moment, moment)
    return f"diff -u -N {old} {new}\n" + "".join(rows)


def bare(body: Json) -> Json:
    out = edited(body)
    notes = out["metadata"].get("annotations") or {}
    notes.pop(LAST_APPLIED, None)
    if not notes:
        out["metadata"].pop("annotations", None)
    for key in ("resourceVersion", "managedFields"):
        out["metadata"].pop(key, None)
    return out

"""kubectl apply, create -f and replace.

Theory. A manifest is decoded, checked and stored by the API server as in engine/kube/validate.py; kubectl adds who
failed and where. What the model keeps but does not act on is said on stderr, in the learner's language.
"""

from __future__ import annotations

import json

from engine.kube.cluster import Cluster
from engine.kube.manifests import Manifest
from engine.kube.objects import BY_KIND, Json, Kind, edited, meta, name_of, namespace_of
from engine.kube.patch import three_way
from engine.kube.validate import Refused
from engine.record import replace as replace_row
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import (
    Client,
    connect,
    fetch,
    later,
    not_found,
    ref,
    targets,
)
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.manifests import prepared, read

DRY = Flag(name="dry-run", bare="unchanged")
COMMON = (
    flag("filename", "f"), switch("recursive", "R"), refused("kustomize", "k", value=True), DRY, flag("output", "o"),
    flag("validate"), flag("field-manager"), flag("selector", "l"), switch("save-config"),
    switch("show-managed-fields"), switch("windows-line-endings"), refused("edit"), refused("raw", value=True),
    refused("template", value=True),
)  # fmt: skip
APPLY = (
    *COMMON, refused("server-side"), switch("force"), refused("prune"), switch("overwrite"), refused("all"),
    switch("wait"), flag("timeout"), flag("grace-period"), flag("cascade"), switch("openapi-patch"),
    refused("force-conflicts"), refused("subresource", value=True),
)  # fmt: skip
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NOTE = "k8snet-tutor: "


def server_error(error: Refused, verb: str, row: Manifest, name: str) -> str:
    if error.reason == "Invalid":
        return error.message
    if error.reason == "Decode":
        return f'error: unable to decode "{row.file}": {error.message}'
    doing = {"create": "creating", "replace": "replacing"}[verb]
    return f'Error from server ({error.reason}): error when {doing} "{row.file}": {error.message}'


def no_namespace(name: str, verb: str, row: Manifest) -> str:
    return f'Error from server (NotFound): error when creating "{row.file}": namespaces "{name}" not found'


class Written:
    """What one command wrote: lines for stdout, errors, objects for -o."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []
        self.deprecated: list[str] = []
        self.errors: list[str] = []
        self.bodies: list[Json] = []

    def out(self, client: Client, line: Line, notes: int) -> Out:
        client.settle()
        format = line.get("output")
        text = "".join(x + "\n" for x in self.lines)
        if format and format != "name":
            text = (
                output.printed(client.ctx, format, self.bodies, single=True, tables=False)
                if self.bodies
                else ""
            )
        elif format == "name":
            text = "".join(x.split(" ")[0] + "\n" for x in self.lines)
        fresh = client.cluster.skipped[notes:]
        said = [f"{NOTE}{stands(s.where)}{s.kind} {s.name}: {s.why.text(client.ctx.lang)}" for s in fresh]
        warned = [f"Warning: {w}" for w in self.warnings]
        stderr = "".join(x + "\n" for x in (*self.deprecated, *warned, *self.errors, *said))
        return Out(stdout=text, stderr=stderr, code=1 if self.errors else 0)


def stands(where: str) -> str:
    """The file in front of a remark; an object that was made from flags has none."""
    return f"{where}: " if where and where != "line 0" else ""


def warnings(cluster: Cluster) -> list[str]:
    """What the API server warned of in its last answer."""
    return list(cluster.warnings)


def dry_run(line: Line) -> str:
    """ "", " (dry run)" or " (server dry run)"; Fail for another word."""
    value = line.get("dry-run", "none")
    if value in ("client", "unchanged", "true"):
        return " (dry run)"
    if value == "server":
        return " (server dry run)"
    if value in ("none", "false"):
        return ""
    raise Fail(f'error: Invalid dry-run value ({value}). Must be "none", "server", or "client".')


def apply(ctx: Context, argv: list[str]) -> Out:
    line = parse("apply", argv, APPLY)
    if line.words:
        if line.words[0] in ("edit-last-applied", "set-last-applied", "view-last-applied"):
            if line.words[0] == "view-last-applied":
                return view_last_applied(ctx, line)
            raise later(f"kubectl apply {line.words[0]}")
        raise Fail(
            f"error: Unexpected args: [{' '.join(line.words)}]\nSee 'kubectl apply -h' for help and examples"
        )
    client, notes, done = begin(ctx, line)
    rows, errors = read(ctx, line)
    done.errors += errors
    for row in rows:
        try:
            apply_one(client, line, row, done)
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
    return done.out(client, line, notes)


def view_last_applied(ctx: Context, line: Line) -> Out:
    client = connect(ctx, line)
    out = ""
    for kind, name in targets(client, line, line.words[1:]):
        body = fetch(client, kind, name)
        if body is None:
            raise Fail(not_found(kind, name))
        text = (meta(body).get("annotations") or {}).get(LAST_APPLIED)
        if text is None:
            continue
        out += output.printed(ctx, line.get("output") or "yaml", [json.loads(text)], single=True)
    return Out(stdout=out)


def begin(ctx: Context, line: Line) -> tuple[Client, int, Written]:
    client = connect(ctx, line)
    return client, len(client.cluster.skipped), Written()


def apply_one(client: Client, line: Line, row: Manifest, done: Written) -> None:
    kind, row = prepared(client, row, "apply")
    body = row.body
    if name_of(body) == "" and (body.get("metadata") or {}).get("generateName"):
        raise Fail(f"error: from {body['metadata']['generateName']}: cannot use generate name with apply")
    dry = dry_run(line)
    wanted = with_last_applied(body)
    old = client.cluster.store.get(kind.kind, namespace_of(body), name_of(body))
    if old is None:
        made = Manifest(file=row.file, line=row.line, body=wanted)
        stored = write(client, made, dry, "create", done)
        word = "created"
    elif dry == " (dry run)":
        stored, word = old, "configured"
    else:
        stored, word = patched(client, row, wanted, old, dry, done)
    done.lines.append(f"{ref(kind, name_of(body))} {word}{dry}")
    done.bodies.append(stored if stored is not None else body)


NOT_APPLIED = (
    "resource {name} is missing the kubectl.kubernetes.io/last-applied-configuration annotation which is required by "
    "kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create "
    "--save-config or kubectl apply. The missing annotation will be patched automatically."
)


def patched(
    client: Client, row: Manifest, wanted: Json, old: Json, dry: str, done: Written
) -> tuple[Json, str]:
    """The three-way merge: what the last applied manifest had and the new one lacks goes, what the new one says is
    set, and everything else of the live object stays (apply/patcher.go)."""
    kind = BY_KIND[str(old["kind"])]
    text = (meta(old).get("annotations") or {}).get(LAST_APPLIED)
    if text is None:
        done.warnings.append(NOT_APPLIED.format(name=f"{kind.plural}/{name_of(old)}"))
    try:
        last = json.loads(text or "{}")
    except ValueError:
        last = {}
    change = three_way(last if isinstance(last, dict) else {}, old, wanted)
    if not change:
        return old, "unchanged"
    cluster = client.cluster.copy() if dry else client.cluster
    try:
        stored = cluster.patch(kind.kind, namespace_of(old), name_of(old), change, client.clock)
    except Refused as error:
        if error.reason == "Invalid":
            raise Fail(error.message) from None
        group, _, version = kind.api.rpartition("/")
        raise Fail(
            f"Error from server{f' ({error.reason})' if error.reason else ''}: error when applying patch:\n"
            f"{json.dumps(change, separators=(',', ':'), sort_keys=True)}\nto:\n"
            f'Resource: "{group}/{version}, Resource={kind.plural}", GroupVersionKind: "{group}/{version}, '
            f'Kind={kind.kind}"\nName: "{name_of(old)}", Namespace: "{namespace_of(old)}"\n'
            f'for: "{row.file}": error when patching "{row.file}": {error.message}'
        ) from None
    done.warnings += warnings(cluster)
    same = meta(stored).get("resourceVersion") == meta(old).get("resourceVersion")
    return stored, "unchanged" if same else "configured"


def with_last_applied(body: Json) -> Json:
    """The annotation that kubectl apply keeps."""
    kept = edited(body)
    m = kept["metadata"]
    m.setdefault("annotations", {})
    if not isinstance(m["annotations"], dict):
        return body
    m["annotations"].pop(LAST_APPLIED, None)
    text = json.dumps(kept, separators=(",", ":"), sort_keys=True) + "\n"
    out = edited(kept)
    out["metadata"]["annotations"][LAST_APPLIED] = text
    return out


def write(client: Client, row: Manifest, dry: str, verb: str, done: Written) -> Json | None:
    """Put one object through the API server. Fail in its words."""
    cluster = client.cluster.copy() if dry else client.cluster
    body = row.body
    kind = BY_KIND[str(body["kind"])]
    if kind.namespaced and cluster.store.get("Namespace", "", namespace_of(body)) is None:
        raise Fail(no_namespace(namespace_of(body), verb, row))
    try:
        stored = cluster.put(row, client.clock, make_namespace=False)
    except Refused as error:
        raise Fail(server_error(error, verb, row, name_of(body))) from None
    done.warnings += warnings(cluster)
    return stored


def create_files(ctx: Context, line: Line) -> Out:
    """kubectl create -f."""
    client, notes, done = begin(ctx, line)
    rows, errors = read(ctx, line)
    done.errors += errors
    for row in rows:
        try:
            kind, row = prepared(client, row, "create")
            create_one(client, row, kind, dry_run(line), done)
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
    return done.out(client, line, notes)


def create_one(client: Client, row: Manifest, kind: Kind, dry: str, done: Written) -> None:
    body = row.body
    if name_of(body) and client.cluster.store.get(kind.kind, namespace_of(body), name_of(body)) is not None:
        where = f' error when creating "{row.file}":' if row.file else ""
        raise Fail(
            f'Error from server (AlreadyExists):{where} {kind.resource} "{name_of(body)}" already exists'
        )
    stored = write(client, row, dry, "create", done)
    shown = stored if stored is not None else body
    done.lines.append(f"{ref(kind, name_of(shown))} created{dry}")
    done.bodies.append(shown)


def replace(ctx: Context, argv: list[str]) -> Out:
    line = parse("replace", argv, APPLY)
    client, notes, done = begin(ctx, line)
    rows, errors = read(ctx, line)
    done.errors += errors
    for row in rows:
        try:
            kind, row = prepared(client, row, "replace")
            old = client.cluster.store.get(kind.kind, namespace_of(row.body), name_of(row.body))
            if old is None and not line.on("force"):
                raise Fail(
                    f'Error from server (NotFound): error when replacing "{row.file}": {kind.resource} '
                    f'"{name_of(row.body)}" not found'
                )
            if line.on("force") and old is not None:
                # It waits until the old object is gone, and makes a new one: without the version and the uid of the old
                # (forceReplace in kubectl's replace.go, Helper.Create in cli-runtime).
                from engine.shell.tools.kubectl_.delete import wait

                client.cluster.delete(old, client.clock)
                client.settle()
                where = f" from {namespace_of(old)} namespace" if kind.namespaced else ""
                done.lines.append(f'{ref(kind, "x").split("/")[0]} "{name_of(old)}" deleted{where}')
                if late := wait(client, [(kind, old)], FORCED):
                    raise Fail("\n".join(late))
                row = replace_row(row, body=without(row.body, "resourceVersion", "uid"))
            stored = write(client, row, dry_run(line), "replace", done)
            done.lines.append(f"{ref(kind, name_of(row.body))} replaced{dry_run(line)}")
            done.bodies.append(stored if stored is not None else row.body)
        except Fail as fail:
            done.errors.append(fail.out.stderr.rstrip("\n"))
    return done.out(client, line, notes)


#: seconds that `replace --force` waits for the old object to be gone
FORCED = 300.0


def without(body: Json, *keys: str) -> Json:
    """The object without fields of its metadata."""
    return {**body, "metadata": {k: v for k, v in meta(body).items() if k not in keys}}


__all__ = ["apply", "create_files", "create_one", "ref", "replace", "warnings"]

"""kubectl rollout status, history, undo, restart, pause, resume (k8s.io/kubectl/pkg/cmd/rollout)."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import stamp
from engine.kube.objects import Json, Kind, controller_of, edited, meta, name_of, namespace_of, spec_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_ import output
from engine.shell.tools.kubectl_.client import (
    Client,
    connect,
    fetch,
    listing,
    not_found,
    ref,
    targets,
)
from engine.shell.tools.kubectl_.describe_workload import template as describe_template
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused
from engine.shell.tools.kubectl_.made import sub_word
from engine.shell.tools.kubectl_.rollout_status import status
from engine.shell.tools.kubectl_.table import Blocks
from engine.shell.tools.kubectl_.update import send
from engine.shell.tools.kubectl_.usage import group_help
from engine.shell.tools.kubectl_.write import DRY, LAST_APPLIED, Written, dry_run

FLAGS = (
    flag("selector", "l"), refused("filename", "f", value=True), flag("field-manager"), flag("output", "o"), DRY,
    flag("revision"), flag("to-revision"), refused("recursive", "R"), refused("template", value=True),
)  # fmt: skip
REVISION = "deployment.kubernetes.io/revision"
CAUSE = "kubernetes.io/change-cause"
HASH = "pod-template-hash"
#: Annotations of a Deployment that undo leaves as they are.
KEPT = (
    LAST_APPLIED, REVISION, "deployment.kubernetes.io/revision-history", "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas", "deprecated.deployment.rollback.to",
)  # fmt: skip
PAUSED = "can't restart paused deployment (run rollout resume first)"
TOO_SOON = (
    "if restart has already been triggered within the past second, please wait before attempting to "
    "trigger another"
)
ROLLED = ("Deployment", "DaemonSet", "StatefulSet")


def rollout(ctx: Context, argv: list[str]) -> Out:
    word, rest = sub_word(argv)
    verbs: dict[str, Callable[[Context, list[str]], Out]] = {
        "status": status, "history": history, "undo": undo, "restart": restart,
        "pause": lambda c, a: pause(c, a, on=True), "resume": lambda c, a: pause(c, a, on=False),
    }  # fmt: skip
    if word in verbs:
        return verbs[word](ctx, rest)
    if word:
        raise Fail(f"error: unknown command \"{word}\"\nSee 'kubectl rollout -h' for help and examples")
    return Out(stderr=group_help("rollout"), code=1)


def long_name(kind: Kind) -> str:
    return f"{kind.kind}.{kind.group}" if kind.group else kind.kind


def objects(client: Client, line: Line) -> list[tuple[Kind, Json]]:
    if not line.words:
        raise Fail("error: required resource not specified")
    out: list[tuple[Kind, Json]] = []
    for kind, name in targets(client, line, line.words):
        if not name:
            out += [(kind, b) for b in listing(client, kind, everywhere=False, line=line)]
            continue
        body = fetch(client, kind, name)
        if body is None:
            raise Fail(not_found(kind, name))
        out.append((kind, body))
    return out


def restart(ctx: Context, argv: list[str]) -> Out:
    line = parse("rollout restart", argv, FLAGS)
    client = connect(ctx, line)
    notes, done = len(client.cluster.skipped), Written()
    rows = objects(client, line)
    if not rows:
        return Out(stderr=f"No resources found in {client.namespace} namespace.\n")
    for kind, body in rows:
        if kind.kind not in ROLLED:
            done.errors.append(f'error: {kind.resource} "{name_of(body)}" restarting is not supported')
            continue
        if spec_of(body).get("paused"):
            done.errors.append(f'error: {kind.resource} "{name_of(body)}" {PAUSED}')
            continue
        new = edited(body)
        inner = new["spec"]["template"].setdefault("metadata", {})
        notes_of = inner.get("annotations") or {}
        inner["annotations"] = {**notes_of, "kubectl.kubernetes.io/restartedAt": stamp(client.clock)}
        if send(client, body, new, told=done.warnings) is None:
            done.errors.append(f"error: failed to create patch for {name_of(body)}: {TOO_SOON}")
            continue
        done.lines.append(f"{ref(kind, name_of(body))} restarted")
    return done.out(client, line, notes)


def pause(ctx: Context, argv: list[str], *, on: bool) -> Out:
    line = parse("rollout pause" if on else "rollout resume", argv, FLAGS)
    client = connect(ctx, line)
    notes, done = len(client.cluster.skipped), Written()
    for kind, body in objects(client, line):
        head = f'error: {kind.resource} "{name_of(body)}"'
        if kind.kind != "Deployment":
            done.errors.append(f"{head} {'pausing' if on else 'resuming'} is not supported")
        elif bool(spec_of(body).get("paused")) == on:
            done.errors.append(f"{head} {'is already paused' if on else 'is not paused'}")
        else:
            new = edited(body)
            new["spec"].pop("paused", None)
            if on:
                new["spec"]["paused"] = True
            send(client, body, new, told=done.warnings)
            done.lines.append(f"{ref(kind, name_of(body))} {'paused' if on else 'resumed'}")
    return done.out(client, line, notes)


def revisions(client: Client, body: Json) -> dict[int, Json]:
    """Revision -> the ReplicaSet (or ControllerRevision) that holds it."""
    kind = "ReplicaSet" if body["kind"] == "Deployment" else "ControllerRevision"
    out: dict[int, Json] = {}
    for row in client.cluster.store.list(kind, namespace_of(body)):
        owner = controller_of(row)
        if owner is None or owner.get("uid") != meta(body).get("uid"):
            continue
        number = (
            (meta(row).get("annotations") or {}).get(REVISION)
            if kind == "ReplicaSet"
            else row.get("revision")
        )
        if number is not None:
            out[int(number)] = row
    return out


def template_of(body: Json, row: Json) -> Json:
    """The pod template of a revision."""
    if row["kind"] == "ReplicaSet":
        return dict(spec_of(row).get("template") or {})
    return dict(spec_of(row.get("data") or {}).get("template") or spec_of(body).get("template") or {})


def history(ctx: Context, argv: list[str]) -> Out:
    line = parse("rollout history", argv, FLAGS)
    client = connect(ctx, line)
    wanted = number(line, "revision")
    out = ""
    for kind, body in objects(client, line):
        if kind.kind not in ROLLED:
            raise Fail(f'error: no history viewer has been implemented for "{long_name(kind)}"')
        found = revisions(client, body)
        if line.get("output"):
            rows = [found[wanted]] if wanted in found else [found[r] for r in sorted(found)]
            if wanted and wanted not in found:
                raise Fail("error: unable to find the specified revision")
            out += "".join(output.printed(ctx, line.get("output"), [r], single=True) for r in rows)
            continue
        head = f"{ref(kind, name_of(body))} "
        if wanted:
            if wanted not in found:
                raise Fail("error: unable to find the specified revision")
            out += f"{head}with revision #{wanted}\n{shown(client, body, found[wanted])}\n"
            continue
        table_rows = [("REVISION", "CHANGE-CAUSE")]
        for r in sorted(found):
            table_rows.append((str(r), (meta(found[r]).get("annotations") or {}).get(CAUSE) or "<none>"))
        text = "".join(f"{a:<10}{b}\n" for a, b in table_rows) if found else "No rollout history found."
        out += f"{head}\n{text}\n"
    return Out(stdout=out)


def shown(client: Client, body: Json, row: Json) -> str:
    """A revision's pod template as describe shows it, its change-cause among the annotations; nothing is aligned."""
    inner = edited(template_of(body, row))
    cause = (meta(row).get("annotations") or {}).get(CAUSE)
    if cause:
        inner.setdefault("metadata", {}).setdefault("annotations", {})[CAUSE] = cause
    blocks = Blocks()
    describe_template(client, {"spec": {"template": inner}}, blocks)
    return "".join(x + "\n" for x in blocks.lines)


def number(line: Line, name: str) -> int:
    text = line.get(name, "0")
    try:
        found = int(text)
    except ValueError:
        raise Fail(f'error: invalid argument "{text}" for "--{name}" flag: strconv.ParseInt: parsing "{text}": invalid '
                   f"syntax\nSee 'kubectl {line.verb} --help' for usage.") from None  # fmt: skip
    if found < 0 and name == "revision":
        raise Fail("error: revision must be a positive integer: " + text)
    return found


ROLLBACK_WARNING = (
    "resource {name} is managed by 'kubectl apply' and was rolled back using 'kubectl rollout undo'. The "
    "kubectl.kubernetes.io/last-applied-configuration annotation was not updated, which may cause unexpected behavior "
    "on the next 'kubectl apply'. Consider updating your source manifest and running 'kubectl apply' instead."
)


def undo(ctx: Context, argv: list[str]) -> Out:
    line = parse("rollout undo", argv, FLAGS)
    client = connect(ctx, line)
    wanted = number(line, "to-revision")
    notes, done, dry = len(client.cluster.skipped), Written(), dry_run(line)
    for kind, body in objects(client, line):
        if kind.kind not in ROLLED:
            raise Fail(f'error: no rollbacker has been implemented for "{long_name(kind)}"')
        found = revisions(client, body)
        row = revision_to(kind, body, found, wanted)
        inner = edited(template_of(body, row))
        (inner.get("metadata") or {}).get("labels", {}).pop(HASH, None)
        if dry == " (dry run)":
            done.lines.append(f"{ref(kind, name_of(body))} {shown(client, body, row)} (dry run)")
            continue
        if spec_of(body).get("paused"):
            raise Fail("error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' "
                       "and try again")  # fmt: skip
        if same_template(inner, spec_of(body).get("template") or {}):
            said = f"skipped rollback (current template already matches revision {wanted})"
            done.lines.append(f"{ref(kind, name_of(body))} {said}")
            continue
        new = edited(body)
        new["spec"]["template"] = inner
        if kind.kind == "Deployment":
            kept = {k: v for k, v in (meta(body).get("annotations") or {}).items() if k in KEPT}
            more = {k: v for k, v in (meta(row).get("annotations") or {}).items() if k not in KEPT}
            new["metadata"]["annotations"] = {**kept, **more}
        send(client, body, new, dry, f"failed restoring revision {wanted}: ", done.warnings)
        done.lines.append(f"{ref(kind, name_of(body))} rolled back{dry}")
    return done.out(client, line, notes)


def revision_to(kind: Kind, body: Json, found: dict[int, Json], wanted: int) -> Json:
    if wanted and wanted in found:
        return found[wanted]
    if wanted:
        raise Fail(f"error: unable to find specified revision {wanted} in history")
    order = sorted(found)
    if len(order) < 2:
        raise Fail(
            f'error: no rollout history found for deployment "{name_of(body)}"'
            if kind.kind == "Deployment"
            else "error: no last revision to roll back to"
        )
    return found[order[-2]]


def same_template(a: Json, b: Json) -> bool:
    def bare(t: Json) -> Json:
        out = edited(t)
        (out.get("metadata") or {}).get("labels", {}).pop(HASH, None)
        return out

    return bare(a) == bare(b)


__all__ = ["rollout"]

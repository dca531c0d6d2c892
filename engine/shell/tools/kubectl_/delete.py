"""kubectl delete: what is named by words, by labels or by files."""

from __future__ import annotations

import re

from engine.kube.objects import Json, Kind, deleting, meta, name_of, namespace_of
from engine.kube.validate import Refused
from engine.linux.ops import Advance
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import (
    NO_RESOURCES,
    Client,
    connect,
    listing,
    not_found,
    ref,
    targets,
)
from engine.shell.tools.kubectl_.flags import Flag, Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.manifests import named_in_files
from engine.shell.tools.kubectl_.write import DRY, dry_run

#: Seconds that a person waits for a kubectl that does not come back, and what is seen then.
PATIENCE, INTERRUPTED = 120.0, "^C"

DELETE = (
    flag("filename", "f"), switch("recursive", "R"), refused("kustomize", "k", value=True), DRY, flag("output", "o"),
    flag("selector", "l"), flag("field-selector"), switch("all"), switch("all-namespaces", "A"), switch("force"),
    switch("now"), flag("grace-period"), switch("ignore-not-found"), switch("wait"), flag("timeout"),
    Flag(name="cascade", bare="background"), refused("interactive", "i"), refused("raw", value=True),
)  # fmt: skip


def run(ctx: Context, argv: list[str]) -> Out:
    line = parse("delete", argv, DELETE)
    agrees(line)
    client = connect(ctx, line)
    dry = dry_run(line)
    found: list[tuple[Kind, Json]] = []
    errors: list[str] = []
    for kind, name, namespace in wanted(client, line):
        if name:
            space = namespace if kind.namespaced else ""
            body = client.cluster.store.get(kind.kind, space, name)
            if body is None:
                if not line.on("ignore-not-found"):
                    errors.append(not_found(kind, name))
            else:
                found.append((kind, body))
        else:
            rows = listing(client, kind, everywhere=line.on("all-namespaces"), line=line)
            found += [(kind, r) for r in rows]
    lines: list[str] = []
    forced = line.on("force")
    for kind, body in found:
        if kind.kind == "Namespace" and name_of(body) in (
            "default",
            "kube-system",
            "kube-public",
            "kube-node-lease",
        ):
            errors.append(
                f'Error from server (Forbidden): namespaces "{name_of(body)}" is forbidden: this namespace may not be '
                "deleted"
            )
            continue
        try:
            if not dry:
                remove(client, kind, body, grace=grace_of(line), cascade=line.get("cascade") or "background")
        except Refused as refused:
            errors.append(f"Error from server ({refused.reason}): {refused.message}")
            continue
        word = "force deleted" if forced else "deleted"
        where = from_namespace(client, namespace_of(body)) if kind.namespaced else ""
        name = ref(kind, name_of(body))
        lines.append(
            name
            if line.get("output") == "name"
            else f'{kind.singular}{"." + kind.group if kind.group else ""} "{name_of(body)}" {word}{where}{dry}'
        )
    if not found and not errors and not line.on("ignore-not-found"):
        lines.append("No resources found")
    client.settle()
    late: list[str] = []
    if not dry and line.get("wait") != "false":
        late = wait(client, found, seconds(line.get("timeout")))
    warning = ""
    if forced and found:
        warning = (
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
            "The resource may continue to run on the cluster indefinitely.\n"
        )
    return Out(
        stdout="".join(x + "\n" for x in lines), stderr=warning + "".join(e + "\n" for e in (*errors, *late)),
        code=130 if late == [INTERRUPTED] else 1 if errors or late else 0,
    )  # fmt: skip


def from_namespace(client: Client, namespace: str) -> str:
    """What kubectl says behind `deleted` since 1.34 (kubernetes/kubernetes#126619)."""
    return f" from {namespace} namespace" if client.minor >= 34 else ""


CASCADES = ("background", "foreground", "orphan", "true", "false")


def agrees(line: Line) -> None:
    """What kubectl refuses of the flags alone."""
    cascade, grace, format = line.get("cascade"), line.get("grace-period", "-1"), line.get("output")
    if cascade and cascade not in CASCADES:
        raise Fail(
            f'error: invalid cascade value ({cascade}). Must be "background", "foreground", or "orphan"'
        )
    if line.on("now") and int(grace) != -1:
        raise Fail("error: --now and --grace-period cannot be specified together")
    if format not in ("", "name"):
        raise Fail(f"error: unexpected -o output mode: {format}. We only support '-o name'")
    for other in ("selector", "field-selector"):
        if line.on("all") and line.get(other):
            raise Fail(f"error: cannot set --all and --{other} at the same time")
    if line.on("force") and int(grace) > 0:
        raise Fail("error: --force and --grace-period greater than 0 cannot be specified together")


def seconds(text: str) -> float:
    """--timeout as Go's duration; 0 and nothing wait for ever."""
    rows = re.findall(r"([0-9.]+)(h|ms|m|s)", text or "")
    return sum(float(n) * {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}[u] for n, u in rows) or float("inf")


def wait(client: Client, found: list[tuple[Kind, Json]], limit: float) -> list[str]:
    """Let time pass until the objects are gone, as kubectl waits for kubelets and finalizers. What is said when the
    time is over, or when somebody has to interrupt a wait that has no end."""
    world, cluster = client.ctx.world, client.cluster

    def left() -> list[str]:
        return [
            f"error: timed out waiting for the condition on {k.plural}/{name_of(b)}"
            for k, b in found
            if k.kind != "Event"
            and (now := cluster.store.get(k.kind, namespace_of(b), name_of(b))) is not None
            and meta(now).get("uid") == meta(b).get("uid")
            and deleting(now)  # a static pod's mirror is made again at once
        ]

    end = world.net.clock + min(limit, PATIENCE)
    while left():
        due = min(cluster.next_due(world.changes()), end)
        if due > world.net.clock:
            client.ctx.do(Advance(seconds=due - world.net.clock))
        client.settle()
        if world.net.clock >= end:
            return left() if limit <= PATIENCE else [INTERRUPTED]
    return []


def grace_of(line: Line) -> int | None:
    """--force and --now and --grace-period as seconds; None leaves it to the Pod."""
    if line.on("force"):
        return 0
    if line.on("now"):
        return 1
    seconds_ = int(line.get("grace-period", "-1"))
    return max(seconds_, 1) if seconds_ >= 0 else None  # 0 needs --force: an accident costs no data


def remove(
    client: Client, kind: Kind, body: Json, *, grace: int | None = None, cascade: str = "background"
) -> None:
    if kind.kind == "Event":
        store = client.cluster.store
        for key in [k for k, e in store.events.items() if e.id == name_of(body)]:
            del store.events[key]
        return
    client.cluster.delete(body, client.clock, grace=grace, cascade=cascade)
    client.settle()


def wanted(client: Client, line: Line) -> list[tuple[Kind, str, str]]:
    """(kind, name, namespace) of what is to be deleted."""
    if "filename" in line:
        return named_in_files(client, line)
    if not line.words:
        raise Fail(NO_RESOURCES)
    rows = targets(client, line, line.words)
    for _, name in rows:
        if not name and not line.on("all") and not line.get("selector") and not line.get("field-selector"):
            raise Fail("error: resource(s) were provided, but no name was specified")
        if name and (line.on("all") or line.get("selector") or line.get("field-selector")):
            raise Fail("error: name cannot be provided when a selector is specified")
    return [(k, n, client.namespace) for k, n in rows]

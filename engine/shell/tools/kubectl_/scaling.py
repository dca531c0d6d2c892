"""kubectl scale (k8s.io/kubectl/pkg/cmd/scale)."""

from __future__ import annotations

from engine.kube.objects import edited, name_of, spec_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import connect, ref
from engine.shell.tools.kubectl_.flags import flag, parse, refused, switch
from engine.shell.tools.kubectl_.pick import bodies
from engine.shell.tools.kubectl_.update import send
from engine.shell.tools.kubectl_.write import DRY, Written, dry_run

FLAGS = (
    flag("replicas"), flag("current-replicas"), flag("resource-version"), flag("timeout"), switch("all"),
    flag("selector", "l"), flag("filename", "f"), DRY, flag("output", "o"), refused("recursive", "R"),
    refused("kustomize", "k", value=True), refused("template", value=True), refused("record"),
)  # fmt: skip
SCALED = ("Deployment", "ReplicaSet", "StatefulSet", "ReplicationController")
#: The longest wait of --timeout, in virtual seconds.
DAY = 86400.0


def scale(ctx: Context, argv: list[str]) -> Out:
    from engine.shell.tools.kubectl_.wait import pass_time, seconds

    line = parse("scale", argv, FLAGS)
    if not line.get("replicas"):
        raise Fail('error: required flag(s) "replicas" not set')
    if not line.get("replicas").isdigit():
        raise Fail(
            "error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"
        )
    client = connect(ctx, line)
    wanted, dry = int(line.get("replicas")), dry_run(line)
    notes, done = len(client.cluster.skipped), Written()
    for kind, body in bodies(client, line, line.words):
        if kind.kind not in SCALED:
            raise Fail("Error from server (NotFound): the server could not find the requested resource")
        now = int(spec_of(body).get("replicas", 1))
        if (text := line.get("current-replicas", "-1")) not in ("-1", str(now)):
            raise Fail(f"error: Expected replicas to be {text}, was {now}")
        new = edited(body)
        new["spec"]["replicas"] = wanted
        stored = send(client, body, new, dry, told=done.warnings)
        done.lines.append(f"{ref(kind, name_of(body))} scaled{dry}")
        done.bodies.append(stored or body)
        if line.get("timeout") and not dry:

            def ready(kind: str = kind.kind, body: dict[str, object] = body) -> bool:
                found = client.cluster.store.get(kind, client.namespace, name_of(body))
                return found is None or (found.get("status") or {}).get("replicas", 0) == wanted

            if not pass_time(client, min(seconds(line.get("timeout")), DAY), ready):
                done.errors.append("error: timed out waiting for the condition")
    return done.out(client, line, notes)

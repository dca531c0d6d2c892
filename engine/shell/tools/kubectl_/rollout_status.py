"""kubectl rollout status: what it says while the virtual clock runs (polymorphichelpers/rollout_status.go)."""

from __future__ import annotations

from engine.kube.objects import BY_KIND, Json, Kind, meta, name_of, spec_of, status_of
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, fetch, listing, not_found, targets
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.wait import pass_time, seconds

FLAGS = (flag("timeout"), switch("watch", "w"), flag("revision"), flag("selector", "l"),
         refused("filename", "f", value=True), refused("recursive", "R"))  # fmt: skip
REVISION = "deployment.kubernetes.io/revision"
WAITING = "Waiting for {what} rollout to finish: "


def deployment(body: Json) -> tuple[str, bool]:
    """(what is said, is it done)."""
    spec, s = spec_of(body), status_of(body)
    name, wanted = name_of(body), int(spec.get("replicas", 1))
    if meta(body).get("generation", 1) > s.get("observedGeneration", 0):
        return "Waiting for deployment spec update to be observed...\n", False
    for c in s.get("conditions") or ():
        if c["type"] == "Progressing" and c.get("reason") == "ProgressDeadlineExceeded":
            raise Fail(f'error: deployment "{name}" exceeded its progress deadline')
    updated, total, available = (
        int(s.get(k, 0)) for k in ("updatedReplicas", "replicas", "availableReplicas")
    )
    head = WAITING.format(what=f'deployment "{name}"')
    if updated < wanted:
        return f"{head}{updated} out of {wanted} new replicas have been updated...\n", False
    if total > updated:
        return f"{head}{total - updated} old replicas are pending termination...\n", False
    if available < updated:
        return f"{head}{available} of {updated} updated replicas are available...\n", False
    return f'deployment "{name}" successfully rolled out\n', True


def daemon_set(body: Json) -> tuple[str, bool]:
    s, name = status_of(body), name_of(body)
    if (spec_of(body).get("updateStrategy") or {}).get("type", "RollingUpdate") != "RollingUpdate":
        raise Fail("error: rollout status is only available for RollingUpdate strategy type")
    if meta(body).get("generation", 1) > s.get("observedGeneration", 0):
        return "Waiting for daemon set spec update to be observed...\n", False
    wanted, updated = int(s.get("desiredNumberScheduled", 0)), int(s.get("updatedNumberScheduled", 0))
    available, head = int(s.get("numberAvailable", 0)), WAITING.format(what=f'daemon set "{name}"')
    if updated < wanted:
        return f"{head}{updated} out of {wanted} new pods have been updated...\n", False
    if available < wanted:
        return f"{head}{available} of {wanted} updated pods are available...\n", False
    return f'daemon set "{name}" successfully rolled out\n', True


def stateful_set(body: Json) -> tuple[str, bool]:
    spec, s = spec_of(body), status_of(body)
    strategy = spec.get("updateStrategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        raise Fail("error: rollout status is only available for RollingUpdate strategy type")
    if meta(body).get("generation", 1) > s.get("observedGeneration", 0):
        return "Waiting for statefulset spec update to be observed...\n", False
    wanted, ready = int(spec.get("replicas", 1)), int(s.get("readyReplicas", 0))
    if ready < wanted:
        return f"Waiting for {wanted - ready} pods to be ready...\n", False
    updated = int(s.get("updatedReplicas", 0))
    if (strategy.get("rollingUpdate") or {}).get("partition") is not None:
        least = wanted - int(strategy["rollingUpdate"]["partition"])
        if updated < least:
            said = f"{updated} out of {least} new pods have been updated...\n"
            return f"Waiting for partitioned roll out to finish: {said}", False
        return f"partitioned roll out complete: {updated} new pods have been updated...\n", True
    new, current = s.get("updateRevision", ""), s.get("currentRevision", "")
    if new != current:
        return (
            f"waiting for statefulset rolling update to complete {updated} pods at revision {new}...\n",
            False,
        )
    count = s.get("currentReplicas", s.get("replicas", 0))
    return f"statefulset rolling update complete {count} pods at revision {current}...\n", True


VIEWS = {"Deployment": deployment, "DaemonSet": daemon_set, "StatefulSet": stateful_set}


def status(ctx: Context, argv: list[str]) -> Out:
    line = parse("rollout status", argv, FLAGS)
    client = connect(ctx, line)
    if not line.words:
        raise Fail("error: required resource not specified")
    out: list[str] = []
    found = named(client, line)
    if not found:
        return Out(stderr=f"No resources found in {client.namespace} namespace.\n")
    for kind, body in found:
        name = name_of(body)
        view = VIEWS.get(kind.kind)
        if view is None:
            shown = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
            raise Fail(f"error: no status viewer has been implemented for {shown}")
        revision_fits(line.get("revision"), kind, body)
        gone = False

        def settled(kind: Kind = kind, name: str = name) -> bool:
            nonlocal gone
            now = fetch(client, kind, name)
            if now is None:
                gone = True
                return True
            said, done = VIEWS[kind.kind](now)
            if not out or out[-1] != said:
                out.append(said)
            return done

        if not line.on("watch", True):
            settled()
            continue
        if not pass_time(client, seconds(line.get("timeout", "0")) or 7 * 86400, settled):
            return Out(stdout="".join(out), stderr="error: timed out waiting for the condition\n", code=1)
        if gone:
            return Out(stdout="".join(out), stderr="error: object has been deleted\n", code=1)
    return Out(stdout="".join(out))


def named(client: Client, line: Line) -> list[tuple[Kind, Json]]:
    """Objects by name, or all of a kind."""
    out: list[tuple[Kind, Json]] = []
    for kind, name in targets(client, line, line.words):
        if not name:
            out += [(kind, b) for b in listing(client, kind, everywhere=False, line=line)]
        elif (body := fetch(client, kind, name)) is None:
            raise Fail(not_found(kind, name))
        else:
            out.append((kind, body))
    return out


def revision_fits(text: str, kind: Kind, body: Json) -> None:
    if not text or kind is not BY_KIND["Deployment"]:
        return
    running = (meta(body).get("annotations") or {}).get(REVISION, "0")
    if text not in ("0", running):
        raise Fail(f"error: desired revision ({text}) is different from the running revision ({running})")

"""kubectl logs and kubectl exec: what goes through the kubelet of a pod's node."""

from __future__ import annotations

from engine.errors import EngineError
from engine.kube.clock import nano_stamp
from engine.kube.objects import (
    BY_KIND,
    Json,
    Kind,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.podspec import on_node
from engine.kube.runtime import Container
from engine.kube.select import matches
from engine.record import replace
from engine.say import Phrase
from engine.shell.place import inside
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import Client, connect, kinds_of, later, not_found
from engine.shell.tools.kubectl_.flags import Line, flag, parse, refused, switch
from engine.shell.tools.kubectl_.selectors import label_selector

LOGS = (
    flag("container", "c"), switch("follow", "f"), switch("previous", "p"), flag("tail"), switch("timestamps"),
    flag("selector", "l"), switch("all-containers"), switch("prefix"), refused("since", value=True),
    refused("since-time", value=True), flag("limit-bytes"), switch("all-pods"), switch("ignore-errors"),
    flag("max-log-requests"), flag("pod-running-timeout"),
)  # fmt: skip
EXEC = (
    flag("container", "c"), switch("stdin", "i"), switch("tty", "t"), switch("quiet", "q"),
    refused("filename", "f", value=True), flag("pod-running-timeout"),
)  # fmt: skip


FOLLOWED = Phrase(
    en="kubectl logs -f would wait for more; this is what there is (Ctrl-C)",
    ko="kubectl logs -f는 더 기다립니다. 지금까지의 내용입니다 (Ctrl-C)",
)


def pod_named(client: Client, word: str, *, logs: bool = False) -> Json:
    """`web`, `pod/web`, `deploy/web` (its first pod). Fail when there is none."""
    return pods_named(client, word, logs=logs)[0]


def pods_named(client: Client, word: str, *, logs: bool = False) -> list[Json]:
    """The pod, or all pods behind a workload or a Service, those first that kubectl takes first."""
    kind_word, slash, name = word.partition("/")
    if not slash:
        kind_word, name = "pod", word
    kind = kinds_of(kind_word, client.minor)[0]
    body = client.cluster.store.get(kind.kind, client.namespace, name)
    if body is None and logs:
        where = f' in namespace "{client.namespace}"'
        raise Fail(f'error: error from server (NotFound): {kind.resource} "{name}" not found{where}')
    if body is None:
        raise Fail(not_found(kind, name))
    if kind.kind == "Pod":
        return [body]
    pods = owned(client, kind, body)
    if not pods:
        raise Fail(f"error: timed out waiting for the condition: no pods found for {kind.singular}/{name}")
    return sorted(pods, key=lambda p: (status_of(p).get("phase") != "Running", name_of(p)))


def owned(client: Client, kind: Kind, body: Json) -> list[Json]:
    """The pods behind a workload, by its selector."""
    selector = spec_of(body).get("selector")
    if kind.kind == "Job":
        selector = {"matchLabels": {"job-name": name_of(body)}}
    elif kind.kind == "Service":
        selector = {"matchLabels": selector or {}}
    rows = client.cluster.store.list("Pod", namespace_of(body))
    return [p for p in rows if matches(selector, labels_of(p))]


def container_names(pod: Json) -> list[str]:
    return [c["name"] for c in spec_of(pod).get("containers") or ()]


def chosen(pod: Json, name: str) -> tuple[str, str]:
    """(container, kubectl's remark about the choice)."""
    names = container_names(pod)
    inits = [c["name"] for c in spec_of(pod).get("initContainers") or ()]
    if name:
        if name not in names and name not in inits:
            raise Fail(f"error: container {name} is not valid for pod {name_of(pod)}")
        return name, ""
    default = (meta(pod).get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    if default in names:
        return str(default), ""
    if len(names) + len(inits) > 1:
        listed = ", ".join([*names, *(f"{i} (init)" for i in inits)])
        return names[0], f'Defaulted container "{names[0]}" out of: {listed}\n'
    return names[0], ""


# ---- logs


def logs(ctx: Context, argv: list[str]) -> Out:
    line = parse("logs", argv, LOGS)
    client = connect(ctx, line)
    found = ""
    if line.get("selector"):
        selector = label_selector(BY_KIND["Pod"], line.get("selector"))
        pods = [
            p for p in client.cluster.store.list("Pod", client.namespace) if matches(selector, labels_of(p))
        ]
        if not pods:
            return Out(stderr=f"No resources found in {client.namespace} namespace.\n")
    elif not line.words or len(line.words) > 2:
        raise Fail(
            "error: expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required "
            "argument for the logs command\nSee 'kubectl logs -h' for help and examples"
        )
    else:
        pods = pods_named(client, line.words[0], logs=True)
        if len(pods) > 1 and not line.on("all-pods"):
            found = f"Found {len(pods)} pods, using pod/{name_of(pods[0])}\n"
            pods = pods[:1]
        if len(line.words) == 2:
            line.flags["container"] = [line.words[1]]
    out, remark = "", ""
    if line.on("all-pods"):
        line.flags["prefix"] = ["true"]
    for pod in pods:
        if line.on("all-containers"):
            names = [
                c["name"] for c in (*(spec_of(pod).get("initContainers") or ()), *spec_of(pod)["containers"])
            ]
        else:
            name, remark = chosen(pod, line.get("container"))
            names = [name]
        for name in names:
            out += log_of(client, line, pod, name)
    ended = FOLLOWED().text(ctx.lang) + "\n" if line.on("follow") else ""
    return Out.mixed((("err", found + remark), ("out", out), ("err", ended)))


def log_of(client: Client, line: Line, pod: Json, name: str) -> str:
    row = run_of(client, pod, name, previous=line.on("previous"))
    lines = [*row.log, *written(client, pod, row)]
    tail = line.get("tail", "10" if line.get("selector") else "-1")
    if not tail.lstrip("-").isdigit():
        raise Fail(
            f'error: invalid argument "{tail}" for "--tail" flag: strconv.ParseInt: parsing "{tail}": invalid syntax'
        )
    if int(tail) >= 0:
        lines = lines[len(lines) - int(tail) :] if int(tail) < len(lines) else lines
        lines = [] if int(tail) == 0 else lines
    head = f"[pod/{name_of(pod)}/{name}] " if line.on("prefix") else ""
    if line.on("timestamps"):
        head += f"{nano_stamp(row.started)} "
    return "".join(f"{head}{x}\n" for x in lines)


def written(client: Client, pod: Json, row: Container) -> tuple[str, ...]:
    """What the running program has written since its start."""
    box = client.cluster.nodes and client.ctx.net.boxes.get(on_node(pod))
    log = box.memory.get(row.pid, {}).get("log") if box and row.state == "running" else None
    return log if isinstance(log, tuple) else ()


def run_of(client: Client, pod: Json, name: str, *, previous: bool) -> Container:
    """The run of a container whose log is asked for. Fail in the kubelet's words."""
    node = client.ctx.world.node(on_node(pod))
    if node is None:
        raise Fail(f"Error from server (BadRequest): pod {name_of(pod)} does not have a host assigned")
    uid = str(meta(pod)["uid"])
    row = node.runtime.last(uid, name)
    if previous:
        ids = {s.id for s in node.runtime.sandboxes.values() if s.uid == uid}
        ended = [
            c
            for c in node.runtime.containers.values()
            if c.sandbox in ids and c.name == name and c.state == "exited" and c is not row
        ]
        if row is not None and row.state == "exited":
            ended.append(row)
        if not ended:
            raise Fail(
                f'Error from server (BadRequest): previous terminated container "{name}" in pod "{name_of(pod)}" not '
                "found"
            )
        return max(ended, key=lambda c: c.attempt)
    if row is None:
        rows = status_of(pod).get("containerStatuses") or []
        reason = next(
            (
                s["state"]["waiting"].get("reason")
                for s in rows
                if s["name"] == name and "waiting" in s["state"]
            ),
            None,
        )
        why = {
            "ErrImagePull": "trying and failing to pull image", "ImagePullBackOff": "trying and failing to pull image",
            "ErrImageNeverPull": "image is not present with pull policy of Never",
        }.get(str(reason), str(reason))  # fmt: skip
        raise Fail(
            f'Error from server (BadRequest): container "{name}" in pod "{name_of(pod)}" is waiting to start: {why}'
        )
    return row


# ---- exec


def run_exec(ctx: Context, argv: list[str]) -> Out:
    line = parse("exec", argv, EXEC)
    if not line.words:
        raise Fail("error: pod, type/name or --filename must be specified")
    if line.after is None and len(line.words) > 1:
        raise Fail(
            "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead\n"
            "See 'kubectl exec -h' for help and examples"
        )
    command = line.after or []
    if not command:
        raise Fail("error: you must specify at least one command for the container")
    client = connect(ctx, line)
    pod = pod_named(client, line.words[0])
    phase = status_of(pod).get("phase")
    if phase in ("Succeeded", "Failed"):
        raise Fail(f"error: cannot exec into a container in a completed pod; current phase is {phase}")
    name, remark = chosen(pod, line.get("container"))
    node = client.ctx.world.node(on_node(pod))
    if node is None:
        raise Fail(f"Error from server (BadRequest): pod {name_of(pod)} does not have a host assigned")
    row = node.runtime.last(str(meta(pod)["uid"]), name)
    if row is None:
        raise Fail(
            f'error: Internal error occurred: unable to upgrade connection: container not found ("{name}")'
        )
    box = ctx.net.boxes[node.name]
    if row.state != "running" or row.pid not in box.procs:
        raise Fail(
            f'error: Internal error occurred: unable to upgrade connection: container not found ("{name}")'
        )
    spot = inside(box, box.procs[row.pid], f"pod/{namespace_of(pod)}/{name_of(pod)}")
    if line.on("tty") and not line.on("stdin"):
        remark += (
            "Unable to use a TTY - input is not a terminal or the right kind of file\n" if not ctx.tty else ""
        )
    out = ctx.run_in(spot, command, interactive=line.on("stdin") and line.on("tty"), screen=line.on("tty"))
    ended = f"command terminated with exit code {out.code}\n" if out.code else ""
    mixed = Out.mixed((("err", remark), *out.texts(), ("err", ended)), out.code, out.journeys)
    return replace(mixed, enter=out.enter, leave=out.leave)


def attach(ctx: Context, argv: list[str]) -> Out:
    raise later("kubectl attach")


__all__ = ["EngineError", "logs", "run_exec"]

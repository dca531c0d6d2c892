"""crictl pods and crictl ps."""

from __future__ import annotations

from engine.kube.clock import ago
from engine.kube.objects import Json
from engine.kube.runtime import Container, Sandbox
from engine.shell.tool import Out
from engine.shell.tools.crictl_.base import LIST, Crictl, columns, formatted, short
from engine.shell.tools.kubectl_.flags import Line
from engine.shell.tools.kubectl_.flags import parse as parse_flags


def pods(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("pods", argv, LIST)
    rows = sorted(c.sandboxes.values(), key=lambda s: (-s.created, s.namespace, s.pod))
    rows = [s for s in rows if wanted_pod(s, line)]
    if line.on("quiet"):
        return Out(stdout="".join(s.id + "\n" for s in rows))
    body = {"items": [sandbox_row(s) for s in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    head = ["POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"]
    cells = [
        [short(s.id, line), ago(c.ctx.net.clock - s.created), "Ready" if s.ready else "NotReady", s.pod, s.namespace,
         str(s.attempt), "(default)"] for s in rows
    ]  # fmt: skip
    return Out(stdout=columns([head, *cells]))


def wanted_pod(s: Sandbox, line: Line) -> bool:
    state = line.get("state").lower()
    return (
        (not line.get("name") or line.get("name") in s.pod)
        and (not line.get("namespace") or line.get("namespace") == s.namespace)
        and (not line.get("id") or s.id.startswith(line.get("id")))
        and (not state or (state == "ready") == s.ready)
    )


def sandbox_row(s: Sandbox) -> Json:
    return {
        "annotations": {}, "createdAt": str(int(s.created * 1e9)), "id": s.id,
        "labels": {"io.kubernetes.pod.name": s.pod, "io.kubernetes.pod.namespace": s.namespace,
                   "io.kubernetes.pod.uid": s.uid},
        "metadata": {"attempt": s.attempt, "name": s.pod, "namespace": s.namespace, "uid": s.uid},
        "runtimeHandler": "", "state": state_word(s),
    }  # fmt: skip


def state_word(s: Sandbox) -> str:
    return "SANDBOX_READY" if s.ready else "SANDBOX_NOTREADY"


def ps(c: Crictl, argv: list[str]) -> Out:
    line = parse_flags("ps", argv, LIST)
    rows = sorted(c.containers.values(), key=lambda x: (-x.created, x.name))
    everything = line.on("all") or bool(line.get("state"))
    rows = [x for x in rows if everything or x.state == "running"]
    rows = [x for x in rows if wanted_container(c, x, line)]
    if line.on("quiet"):
        return Out(stdout="".join(x.id + "\n" for x in rows))
    body = {"containers": [container_row(c, x) for x in rows]}
    if (text := formatted(line, body)) is not None:
        return Out(stdout=text)
    head = ["CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"]
    cells = []
    for x in rows:
        s = c.sandboxes.get(x.sandbox)
        cells.append(
            [short(x.id, line), short(x.image_id), ago(c.ctx.net.clock - x.created), x.state.capitalize(), x.name,
             str(x.attempt), short(x.sandbox), s.pod if s else "unknown", s.namespace if s else "unknown"]
        )  # fmt: skip
    return Out(stdout=columns([head, *cells]))


def wanted_container(c: Crictl, x: Container, line: Line) -> bool:
    state = line.get("state").lower()
    return (
        (not line.get("name") or line.get("name") in x.name)
        and (not line.get("pod") or x.sandbox.startswith(line.get("pod")))
        and (not line.get("id") or x.id.startswith(line.get("id")))
        and (not line.get("namespace") or c.sandboxes[x.sandbox].namespace == line.get("namespace"))
        and (not state or state == x.state)
        and (not line.get("image") or line.get("image") in x.image)
    )


def container_row(c: Crictl, x: Container) -> Json:
    return {
        "createdAt": str(int(x.created * 1e9)), "id": x.id,
        "image": {"image": x.image_id, "userSpecifiedImage": x.image},
        "imageRef": x.image_id, "labels": {"io.kubernetes.container.name": x.name},
        "metadata": {"attempt": x.attempt, "name": x.name}, "podSandboxId": x.sandbox,
        "state": f"CONTAINER_{x.state.upper()}",
    }  # fmt: skip

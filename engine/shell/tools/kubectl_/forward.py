"""kubectl port-forward: a listening socket on this machine whose connections end inside a pod (l7/port_forward.py)."""

from __future__ import annotations

import json

from engine.errors import EngineError, OpError
from engine.kube.boot import node_address
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
from engine.kube.select import matches
from engine.linux.addr import ip4
from engine.shell.servers import start
from engine.shell.tool import Context, Fail, Out
from engine.shell.tools.kubectl_.client import (
    Client,
    config,
    connect,
    fetch,
    kinds_of,
    later,
    not_found,
    server_of,
)
from engine.shell.tools.kubectl_.flags import flag, parse

FLAGS = (flag("address"), flag("pod-running-timeout"))
KUBELET = 10250
USAGE = (
    "error: TYPE/NAME and list of ports are required for port-forward\nSee 'kubectl port-forward -h' for help and "
    "examples"
)


def port_forward(ctx: Context, argv: list[str]) -> Out:
    line = parse("port-forward", argv, FLAGS)
    if len(line.words) < 2:
        raise Fail(USAGE)
    client = connect(ctx, line)
    kind, body = target(client, line.words[0])
    pod = body if kind.kind == "Pod" else behind(client, kind, body)
    if status_of(pod).get("phase") != "Running":
        raise Fail(
            "error: unable to forward port because pod is not running. Current status="
            f"{status_of(pod).get('phase', 'Pending')}"
        )
    address = line.get("address", "localhost")
    if "," in address:
        raise later("kubectl port-forward --address with several addresses")
    shown = "127.0.0.1" if address == "localhost" else address
    try:
        local = ip4(shown)
    except EngineError:
        raise Fail(
            f"error: unable to listen on any of the requested ports: invalid address {address}"
        ) from None
    out = Out()
    for text in line.words[1:]:
        near, far = pair(text, kind, body, pod)
        out = joined(out, listen(ctx, client, config(ctx, line), pod, local, shown, near, far, argv))
    return out


def joined(a: Out, b: Out) -> Out:
    return Out(stdout=a.stdout + b.stdout, stderr=a.stderr + b.stderr)


def target(client: Client, word: str) -> tuple[Kind, Json]:
    """`web`, `pod/web`, `svc/web`, `deploy/web`."""
    head, slash, name = word.partition("/")
    kind = kinds_of(head, client.minor)[0] if slash else BY_KIND["Pod"]
    name = name if slash else head
    body = fetch(client, kind, name)
    if body is None:
        raise Fail(not_found(kind, name))
    return kind, body


def behind(client: Client, kind: Kind, body: Json) -> Json:
    """The first pod behind a workload or a Service: ready ones before others (AttachablePodForObject)."""
    selector = spec_of(body).get("selector")
    if kind.kind == "Service":
        if not selector:
            raise Fail(
                f"error: cannot attach to *v1.Service: invalid service '{name_of(body)}': Service is defined without a "
                "selector"
            )
        selector = {"matchLabels": selector}
    elif kind.kind not in (
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "ReplicationController",
    ):
        raise Fail(f"error: cannot attach to *v1.{kind.kind}: selector for *v1.{kind.kind} not implemented")
    rows = client.cluster.store.list("Pod", namespace_of(body))
    found = [p for p in rows if matches(selector, labels_of(p))]
    if not found:
        raise Fail("error: timed out waiting for the condition")
    return min(found, key=lambda p: (status_of(p).get("phase") != "Running", not ready(p), name_of(p)))


def ready(pod: Json) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status_of(pod).get("conditions") or ())


def pair(text: str, kind: Kind, body: Json, pod: Json) -> tuple[int, int]:
    """`8080:80`, `80`, `:80`, `8080:http` -> (local port, 0 = a free one; port in the pod)."""
    near, colon, far = text.partition(":")
    far = far if colon else near
    if not far:
        raise Fail("error: remote port cannot be empty")
    if kind.kind == "Service":
        number, local_default = service_port(body, pod, far)
    else:
        number = int(far) if far.isdigit() else container_port(pod, far)
        local_default = number
    local = "0" if colon and not near else near
    if not local.isdigit():
        if colon:
            raise Fail(f'error: error parsing local port {json.dumps(near)}: strconv.ParseUint: parsing '
                       f"{json.dumps(near)}: invalid syntax")  # fmt: skip
        return local_default, number
    return int(local), number


def service_port(body: Json, pod: Json, word: str) -> tuple[int, int]:
    """(port in the pod, port of the Service)."""
    ports = spec_of(body).get("ports") or []
    if not word.isdigit():
        row = next((p for p in ports if p.get("name") == word), None)
        if row is None:
            raise Fail(f"error: Service '{name_of(body)}' does not have a named port '{word}'")
    else:
        row = next((p for p in ports if p["port"] == int(word)), None)
        if row is None:
            raise Fail(f"error: Service {name_of(body)} does not have a service port {word}")
    if row.get("protocol") == "UDP":
        raise Fail(f"error: UDP protocol is not supported for {word}")
    if spec_of(body).get("clusterIP") == "None":
        return int(row["port"]), int(row["port"])
    wanted = row.get("targetPort") or row["port"]
    return (wanted if isinstance(wanted, int) else container_port(pod, str(wanted))), int(row["port"])


def container_port(pod: Json, name: str) -> int:
    for container in spec_of(pod).get("containers") or ():
        for p in container.get("ports") or ():
            if p.get("name") == name:
                return int(p["containerPort"])
    raise Fail(f"error: Pod '{name_of(pod)}' does not have a named port '{name}'")


def listen(
    ctx: Context,
    client: Client,
    body: Json,
    pod: Json,
    local: int,
    shown: str,
    near: int,
    far: int,
    argv: list[str],
) -> Out:
    hops = path_to(ctx, client, body, pod, far)
    if near == 0:
        taken = {s.port for s in ctx.ns.sockets}
        near = next(p for p in range(40000, 60000) if p not in taken)
    words = ("kubectl", "port-forward", *argv)
    try:
        started = start(
            ctx, words, "tcp", near, address=local, program="kubectl-forward", hops=json.dumps(hops)
        )
    except OpError as error:
        if error.errno != "EADDRINUSE":
            raise
        raise Fail(
            f"Unable to listen on port {near}: Listeners failed to create with the following errors: [unable to create "
            f"listener: Error listen tcp4 {shown}:{near}: bind: address already in use]\n"
            f"error: unable to listen on any of the requested ports: [{{{near} {far}}}]"
        ) from None
    return Out(stdout=f"{started.stdout}Forwarding from {shown}:{near} -> {far}\n", stderr=started.stderr)


def path_to(ctx: Context, client: Client, body: Json, pod: Json, port: int) -> list[list[object]]:
    """The three connections: to the API server, to the kubelet, inside the pod."""
    cluster = client.cluster
    node = cluster.nodes.get(on_node(pod))
    if node is None:
        raise Fail(f"error: unable to forward port: pod {name_of(pod)} does not have a host assigned")
    sandbox = next(iter(node.runtime.sandboxes_of(str(meta(pod)["uid"]))), None)
    inside = node.name if spec_of(pod).get("hostNetwork") or sandbox is None else sandbox.netns
    hops: list[list[object]] = []
    host, _, number = server_of(body).rpartition(":")
    plane = next((n for n in cluster.nodes.values() if n.options.control_plane), None)
    kubelet = node_address(ctx.net, node.name)
    if plane is not None:
        try:
            hops.append([ctx.spot.netns, ip4(host), int(number)])
        except EngineError:
            hops = []
        if kubelet:
            hops.append([plane.name, kubelet, KUBELET])
    hops.append([inside, ip4("127.0.0.1"), port])
    return hops


__all__ = ["port_forward"]

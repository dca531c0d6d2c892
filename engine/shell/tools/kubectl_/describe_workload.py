"""kubectl describe of the kinds that make pods."""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.clock import age, clock_of
from engine.kube.objects import (
    Json,
    controller_of,
    labels_of,
    meta,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from engine.kube.select import selector_text, text
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.describe_parts import (
    NONE,
    many,
    put_map,
    toleration,
    when,
)
from engine.shell.tools.kubectl_.describe_pod import containers, volumes
from engine.shell.tools.kubectl_.table import Blocks


def template(client: Client, body: Json, out: Blocks) -> None:
    """DescribePodTemplate: a Pod's own parts, two columns further in, and names of containers and volumes three."""
    inner = spec_of(body).get("template") or {}
    spec = spec_of(inner)
    out.put(0, "Pod Template:")
    values = sorted((labels_of(inner) or {}).items())
    if not values:
        out.put(1, f"Labels:\t{NONE}")
    for i, (k, v) in enumerate(values):
        out.put(0, f"{'  Labels:' if i == 0 else ''}\t{k}={v}")
    if meta(inner).get("annotations"):
        put_map(out, "  Annotations", meta(inner)["annotations"])
    if spec.get("serviceAccountName"):
        out.put(1, f"Service Account:\t{spec['serviceAccountName']}")
    blocks = Blocks()
    if spec.get("initContainers"):
        containers(client, blocks, "Init Containers", spec["initContainers"], [], inner)
    containers(client, blocks, "Containers", spec.get("containers") or [], [], inner)
    volumes(client, blocks, spec.get("volumes") or [])
    for row in blocks.lines:
        depth = len(row) - len(row.lstrip(" "))
        out.put(0, {0: "  ", 2: " "}.get(depth, "") + row)
    if spec.get("priorityClassName"):
        out.put(1, f"Priority Class Name:\t{spec['priorityClassName']}")
    many(out, "  Node-Selectors", [f"{k}={v}" for k, v in sorted((spec.get("nodeSelector") or {}).items())])
    many(out, "  Tolerations", [toleration(t) for t in spec.get("tolerations") or ()])


def deployment(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    counts = [
        status.get(k, 0) for k in ("updatedReplicas", "replicas", "availableReplicas", "unavailableReplicas")
    ]
    out.put(
        0,
        f"Replicas:\t{spec.get('replicas', 1)} desired | {counts[0]} updated | {counts[1]} total | "
        f"{counts[2]} available | {counts[3]} unavailable",
    )
    strategy = spec.get("strategy") or {}
    out.put(0, f"StrategyType:\t{strategy.get('type', 'RollingUpdate')}")
    out.put(0, f"MinReadySeconds:\t{spec.get('minReadySeconds', 0)}")
    if rolling := strategy.get("rollingUpdate"):
        unavailable, surge = rolling.get("maxUnavailable", "25%"), rolling.get("maxSurge", "25%")
        out.put(0, f"RollingUpdateStrategy:\t{unavailable} max unavailable, {surge} max surge")
    template(client, body, out)
    out.put(0, "Conditions:\n  Type\tStatus\tReason\n  ----\t------\t------")
    for c in status.get("conditions") or ():
        out.put(1, f"{c['type']} \t{c['status']}\t{c.get('reason', '')}")
    mine = [
        r
        for r in client.cluster.store.list("ReplicaSet", namespace_of(body))
        if (o := controller_of(r)) is not None and o["uid"] == meta(body)["uid"]
    ]
    new = [r for r in mine if spec_of(r).get("replicas")]
    old = [r for r in mine if not spec_of(r).get("replicas")]
    out.put(0, f"OldReplicaSets:\t{replica_text(old)}")
    out.put(0, f"NewReplicaSet:\t{replica_text(new)}")


def replica_text(rows: Iterable[Json]) -> str:
    parts = [
        f"{name_of(r)} ({status_of(r).get('replicas', 0)}/{spec_of(r).get('replicas', 0)} replicas created)"
        for r in rows
    ]
    return ", ".join(parts) or NONE


def replica_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    owner = controller_of(body)
    if owner is not None:
        out.put(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    out.put(0, f"Replicas:\t{status.get('replicas', 0)} current / {spec.get('replicas', 1)} desired")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)


def phases(client: Client, body: Json) -> str:
    """Pods of a workload by phase."""
    mine = [p for p in client.cluster.store.list("Pod", namespace_of(body))
            if (o := controller_of(p)) is not None and o["uid"] == meta(body)["uid"]]  # fmt: skip
    words_of = {"Running": "Running", "Pending": "Waiting", "Succeeded": "Succeeded", "Failed": "Failed"}
    counts = {w: sum(status_of(p).get("phase") == k for p in mine) for k, w in words_of.items()}
    return " / ".join(f"{n} {w}" for w, n in counts.items())


def daemon_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    out.put(0, f"Node-Selector:\t{text(spec_of(spec.get('template') or {}).get('nodeSelector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    for key, head in (
        ("desiredNumberScheduled", "Desired Number of Nodes Scheduled"),
        ("currentNumberScheduled", "Current Number of Nodes Scheduled"),
        ("updatedNumberScheduled", "Number of Nodes Scheduled with Up-to-date Pods"),
        ("numberAvailable", "Number of Nodes Scheduled with Available Pods"),
        ("numberMisscheduled", "Number of Nodes Misscheduled"),
    ):
        out.put(0, f"{head}: {status.get(key, 0)}")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)


def stateful_set(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"CreationTimestamp:\t{when(meta(body).get('creationTimestamp'))}")
    out.put(0, f"Selector:\t{selector_text(spec.get('selector'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, f"Replicas:\t{spec.get('replicas', 1)} desired | {status.get('replicas', 0)} total")
    strategy = spec.get("updateStrategy") or {}
    out.put(0, f"Update Strategy:\t{strategy.get('type', 'RollingUpdate')}")
    if rolling := strategy.get("rollingUpdate"):
        out.put(1, f"Partition:\t{rolling.get('partition', 0)}")
    out.put(0, f"Pods Status:\t{phases(client, body)}")
    template(client, body, out)
    out.put(0, f"Volume Claims:\t{NONE}")


def job(client: Client, body: Json, out: Blocks) -> None:
    spec, status = spec_of(body), status_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"Selector:\t{selector_text(spec['selector']) if spec.get('selector') else ''}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    owner = controller_of(body)
    if owner is not None:
        out.put(0, f"Controlled By:\t{owner['kind']}/{owner['name']}")
    out.put(0, f"Parallelism:\t{spec.get('parallelism', 1)}")
    out.put(0, f"Completions:\t{spec.get('completions', '<unset>')}")
    out.put(0, f"Completion Mode:\t{spec.get('completionMode', 'NonIndexed')}")
    out.put(0, f"Suspend:\t{str(bool(spec.get('suspend'))).lower()}")
    out.put(0, f"Backoff Limit:\t{spec.get('backoffLimit', 6)}")
    if status.get("startTime"):
        out.put(0, f"Start Time:\t{when(status['startTime'])}")
    if status.get("completionTime"):
        out.put(0, f"Completed At:\t{when(status['completionTime'])}")
        took = clock_of(status["completionTime"]) - clock_of(status["startTime"])
        out.put(0, f"Duration:\t{age(took)}")
    active, ready = status.get("active", 0), status.get("ready", 0)
    done = f"{status.get('succeeded', 0)} Succeeded / {status.get('failed', 0)} Failed"
    out.put(0, f"Pods Statuses:\t{active} Active ({ready} Ready) / {done}")
    template(client, body, out)

"""ReplicaSet: as many pods of one template as it says (pkg/controller/replicaset)."""

from __future__ import annotations

from engine.kube.objects import Json, controller_of, deleting, meta, namespace_of, spec_of
from engine.kube.ownership import LIMIT, is_ready, replicas
from engine.kube.passes import Pass
from engine.kube.podspec import on_node
from engine.kube.select import matches
from engine.kube.workloads import queue
from engine.kube.workloads.common import (
    active,
    available,
    available_at,
    drop,
    make_pod,
    owned,
    rank,
    write_status,
)


def sync(at: Pass, body: Json) -> None:
    """Make or remove the difference, then count."""
    spec = spec_of(body)
    if not deleting(body):
        live = active(owned(at, body))
        wanted = replicas(body)
        made: Json | None = None
        for _ in range(min(LIMIT, wanted) - len(live)):
            made = make_pod(at, body, spec["template"], like=made)
            if made is None:
                break
        if len(live) > wanted:
            for pod in rank(live, related(at, body), at.now)[: len(live) - wanted]:
                drop(at, body, pod)
    pods = active(owned(at, body))
    minimum = int(spec.get("minReadySeconds") or 0)
    queue.again(at, body, available_at(pods, minimum, at.now))
    counts = {
        "readyReplicas": sum(is_ready(p) for p in pods),
        "availableReplicas": sum(available(p, minimum, at.now) for p in pods),
    }
    labelled = sum(labels_match(p, body) for p in pods)
    status: Json = {"observedGeneration": meta(body).get("generation", 1), "replicas": len(pods)}
    if labelled:
        status["fullyLabeledReplicas"] = labelled
    write_status(at, body, status | {k: v for k, v in counts.items() if v})


def labels_match(pod: Json, body: Json) -> bool:
    labels = ((spec_of(body)["template"].get("metadata") or {}).get("labels")) or {}
    return matches({"matchLabels": labels}, meta(pod).get("labels") or {})


def related(at: Pass, body: Json) -> dict[str, int]:
    """How many active pods of this set and of its siblings (the sets of the same Deployment) each node runs."""
    owner = controller_of(body)
    family = [body]
    if owner is not None:
        found = at.store.get(str(owner["kind"]), namespace_of(body), str(owner["name"]))
        if found is not None:
            family = owned(at, found, "ReplicaSet") or family
    out: dict[str, int] = {}
    for one in family:
        for pod in active(owned(at, one)):
            out[on_node(pod)] = out.get(on_node(pod), 0) + 1
    return out

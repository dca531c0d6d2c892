"""ReplicaSet: as many pods of one template as it says (pkg/controller/replicaset)."""

from __future__ import annotations

from engine.kube.objects import Json, controller_of, deleting, meta, namespace_of, spec_of
from engine.kube.ownership import LIMIT, is_ready, replicas
from engine.kube.passes import Pass
from engine.kube.podspec import on_node
from engine.kube.workloads import queue
from engine.kube.workloads.common import (
    active,
    available,
    available_at,
    drop,
    make_pods,
    owned,
    rank,
    write_status,
)


def sync(at: Pass, body: Json) -> None:
    """Make or remove the difference, then count."""
    spec = spec_of(body)
    pods = active(owned(at, body))
    wanted = replicas(body)
    if not deleting(body) and len(pods) != wanted:
        if len(pods) > wanted:
            for pod in rank(pods, related(at, body), at.now)[: len(pods) - wanted]:
                drop(at, body, pod)
            pods = active(owned(at, body))
        else:
            pods += make_pods(at, body, spec["template"], min(LIMIT, wanted) - len(pods))
    minimum = int(spec.get("minReadySeconds") or 0)
    if minimum:
        queue.again(at, body, available_at(pods, minimum, at.now))
    good = [p for p in pods if is_ready(p)]
    fit = [p for p in good if available(p, minimum, at.now)] if minimum else good
    labels = (((spec["template"].get("metadata") or {}).get("labels")) or {}).items()
    status: Json = {"observedGeneration": meta(body).get("generation", 1), "replicas": len(pods)}
    counts = {
        "fullyLabeledReplicas": sum(labels <= (meta(p).get("labels") or {}).items() for p in pods),
        "readyReplicas": len(good), "availableReplicas": len(fit),
    }  # fmt: skip
    queue.done(at, write_status(at, body, status | {k: v for k, v in counts.items() if v}))


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

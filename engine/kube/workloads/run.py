"""All workload controllers, one after the other: what the cluster calls."""

from __future__ import annotations

from engine.kube.passes import Pass
from engine.kube.workloads import adopt, daemonset, deployment, job, queue, replicaset, statefulset

#: In this order, so that what one writes the next sees in the same pass: what became of the pods of a ReplicaSet its
#: Deployment, what a Deployment wants of a ReplicaSet that one.
ACTS = (
    ("ReplicaSet", replicaset.sync), ("Deployment", deployment.sync), ("ReplicaSet", replicaset.sync),
    ("DaemonSet", daemonset.sync), ("StatefulSet", statefulset.sync), ("Job", job.sync),
)  # fmt: skip


def sync(at: Pass) -> None:
    """Every workload that something changed for."""
    todo = queue.look(at)
    if not todo.waiting and not todo.free:
        return
    adopt.sync(at, todo)
    for kind, act in ACTS:
        for key in queue.take(at, kind):
            body = at.store.get(kind, *key)
            if body is not None:
                act(at, body)


def due(at: Pass) -> float:
    """When a workload has to be looked at by itself: a deadline, a back-off, a pod that becomes available."""
    return queue.due(at)

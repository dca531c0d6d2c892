"""The taint eviction controller: a NoExecute taint takes away the pods that do not tolerate it.

Theory. A pod without a toleration goes at once; one whose toleration has tolerationSeconds goes that long after the
taint was put on (300 s for a node that is not ready or not reachable, by the admission's default tolerations). Source:
pkg/controller/tainteviction.

Rules. Only the pods of tainted nodes are looked at; which nodes are tainted is remembered (frozen).
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.clock import clock_of
from engine.kube.objects import Json, deleting, name_of, namespace_of, spec_of
from engine.kube.passes import Pass
from engine.kube.select import tolerated

SOURCE = "taint-eviction-controller"
MEMORY = "tainted"
Tainted = dict[str, list[Json]]


def tainted(at: Pass) -> Tainted:
    """The NoExecute taints of the nodes that have any."""
    found = at.cluster.memory.get(MEMORY)
    version, known = found if isinstance(found, tuple) else (0, {})
    keys = at.store.since("Node", version)
    if keys:
        known = dict(known)
        for key in keys:
            body = at.store.get("Node", *key)
            rows = [t for t in spec_of(body or {}).get("taints") or () if t.get("effect") == "NoExecute"]
            known.pop(key[1], None)
            if rows and body is not None:
                known[name_of(body)] = rows
    at.cluster.memory[MEMORY] = (at.store.version, known)
    return dict(known)


def deadlines(at: Pass) -> Iterator[tuple[float, Json]]:
    """(virtual time, pod) of every pod that a NoExecute taint of its node will take away."""
    for node, taints in tainted(at).items():
        for pod in at.store.pods_on(node):
            if not deleting(pod):
                first = min(leaves(t, spec_of(pod).get("tolerations") or []) for t in taints)
                if first < float("inf"):
                    yield first, pod


def leaves(taint: Json, tolerations: list[Json]) -> float:
    """When a pod with these tolerations has to leave a taint; infinity for never."""
    for toleration in tolerations:
        if tolerated(taint, [toleration]):
            seconds = toleration.get("tolerationSeconds")
            if seconds is None:
                return float("inf")
            return (clock_of(taint["timeAdded"]) if "timeAdded" in taint else 0.0) + max(0, int(seconds))
    return 0.0


def sync(at: Pass) -> None:
    """Delete the pods whose time is over."""
    for when, pod in list(deadlines(at)):
        if when <= at.now:
            message = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
            at.store.record(pod, "Normal", "TaintManagerEviction", message, SOURCE, at.now)
            at.delete(pod)


def due(at: Pass) -> float:
    return min((when for when, _ in deadlines(at) if when > at.now), default=float("inf"))

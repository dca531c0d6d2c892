"""The taint eviction controller: a NoExecute taint takes away the pods that do not tolerate it.

Theory. A pod without a toleration goes at once; one whose toleration has tolerationSeconds goes that long after the
taint was put on (300 s for a node that is not ready, by the admission's default tolerations). Source:
pkg/controller/tainteviction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.kube.clock import clock_of
from engine.kube.objects import Json, deleting, name_of, namespace_of, spec_of
from engine.kube.podspec import on_node
from engine.kube.select import tolerated
from engine.kube.store import Store

SOURCE = "taint-eviction-controller"


def deadlines(store: Store) -> Iterator[tuple[float, Json]]:
    """(virtual time, pod) of every pod that a NoExecute taint of its node will take away."""
    tainted = {
        name_of(n): rows
        for n in store.list("Node")
        if (rows := [t for t in spec_of(n).get("taints") or () if t["effect"] == "NoExecute"])
    }
    if not tainted:
        return
    for pod in store.list("Pod"):
        if on_node(pod) not in tainted or deleting(pod):
            continue
        times = [leaves(t, spec_of(pod).get("tolerations") or []) for t in tainted[on_node(pod)]]
        if (first := min(times)) < float("inf"):
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


def evict(store: Store, clock: float, remove: Callable[[Json], None]) -> None:
    """Delete the pods whose time is over."""
    for when, pod in list(deadlines(store)):
        if when <= clock:
            message = f"Marking for deletion Pod {namespace_of(pod)}/{name_of(pod)}"
            store.record(pod, "Normal", "TaintManagerEviction", message, SOURCE, clock)
            remove(pod)

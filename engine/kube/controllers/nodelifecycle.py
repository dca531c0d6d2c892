"""The node lifecycle controller: a node whose kubelet is not heard of becomes Unknown, its pods not ready.

Theory. The controller looks every five seconds. When the last heartbeat is older than --node-monitor-grace-period
(50 s since 1.32, 40 s before) all conditions of the Node become Unknown, the Node gets the taints
node.kubernetes.io/unreachable (NoSchedule, NoExecute), and the pods on it are marked not ready at once, so that they
leave the EndpointSlices. What evicts them five minutes later is the taint (engine/kube/eviction.py). Source:
pkg/controller/nodelifecycle/node_lifecycle_controller.go.

Rules. What a kubelet says of itself it writes itself (engine/kube/nodes.py); it also takes these taints away again when
it is heard.
"""

from __future__ import annotations

from math import ceil

from engine.kube.clock import stamp
from engine.kube.node import NodeState
from engine.kube.objects import Json, edited, spec_of, status_of
from engine.kube.passes import Pass
from engine.kube.podspec import NOT_READY, UNREACHABLE

SOURCE = "node-controller"
MONITOR = 5.0
MESSAGE = "Kubelet stopped posting node status."
NEVER = "Kubelet never posted node status."
FOREVER = float("inf")


def deadline(at: Pass, node: NodeState) -> float:
    """When the controller gives a node up; infinity while it is heard."""
    if node.silent == FOREVER:
        return FOREVER
    grace = 50.0 if at.options.minor >= 32 else 40.0
    return ceil((node.silent + grace) / MONITOR) * MONITOR


def sync(at: Pass) -> None:
    """Give up the nodes whose time is over."""
    for node in at.cluster.awake():
        if node.silent != FOREVER and deadline(at, node) <= at.now:
            body = at.store.get("Node", "", node.name)
            if body is not None and ready(body) != "Unknown":
                give_up(at, body)
            if body is not None:
                unready(at, node.name)


def due(at: Pass) -> float:
    times = [deadline(at, n) for n in at.cluster.awake() if n.silent != FOREVER]
    return min((t for t in times if t > at.now), default=FOREVER)


def ready(body: Json) -> str:
    rows = status_of(body).get("conditions") or ()
    return next((str(c["status"]) for c in rows if c["type"] == "Ready"), "")


def give_up(at: Pass, body: Json) -> None:
    """Unknown in every condition, the taints, and the event."""
    new, now = edited(body), stamp(at.now)
    was = ready(body)
    for row in new["status"].get("conditions") or ():
        row |= {
            "status": "Unknown", "reason": "NodeStatusUnknown", "message": MESSAGE, "lastTransitionTime": now,
        }  # fmt: skip
    taints = [t for t in spec_of(new).get("taints") or () if t["key"] not in (NOT_READY, UNREACHABLE)]
    new["spec"]["taints"] = [
        *taints,
        {"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": now},
        {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": now},
    ]
    at.store.update(new)
    if was == "True":
        text = f"Node {new['metadata']['name']} status is now: NodeNotReady"
        at.store.record(new, "Normal", "NodeNotReady", text, SOURCE, at.now)


def unready(at: Pass, node: str) -> None:
    """MarkPodsNotReady: every pod of a node that says it is ready is not."""
    for pod in at.store.pods_on(node):
        rows = status_of(pod).get("conditions") or ()
        if not any(c["type"] == "Ready" and c["status"] == "True" for c in rows):
            continue
        conditions = [
            {**c, "status": "False", "lastTransitionTime": stamp(at.now)} if c["type"] == "Ready" else c
            for c in rows
        ]
        status = {**status_of(pod), "conditions": conditions}
        new = at.store.update({**pod, "metadata": dict(pod["metadata"]), "status": status})
        at.store.record(new, "Warning", "NodeNotReady", "Node is not ready", SOURCE, at.now)

"""Nodes that come and go as objects: the node controller's events, and the pod garbage collector.

Theory. Somebody who deletes a Node takes it out of the cluster: its kubelet runs on and does not come back into the API
until it is started again. Forty seconds later the pods that were bound to it are deleted without asking anybody, and
its kubelet, if it still runs, stops them. Sources: pkg/controller/podgc/gc_controller.go (quarantineTime),
pkg/controller/nodelifecycle (RegisteredNode, RemovingNode).

Rules. Only Nodes that were there are missed: a pod may name a node that a lab does not have. What is remembered is
copied before it is changed.
"""

from __future__ import annotations

from engine.kube.objects import Json
from engine.kube.passes import Pass

SOURCE = "node-controller"
MEMORY = "nodes-seen"
QUARANTINE = 40.0


def sync(at: Pass) -> None:
    """Take up new Nodes, miss those that are gone, and delete what was bound to them when the time is over."""
    version, seen, missed = known(at)
    keys = at.store.since("Node", version)
    if keys:
        seen, missed = set(seen), dict(missed)
        for _, name in keys:
            body = at.store.get("Node", "", name)
            if body is not None:
                missed.pop(name, None)
                if name not in seen:
                    seen.add(name)
                    say(
                        at, body, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller"
                    )
            elif name in seen:
                seen.discard(name)
                missed[name] = at.now + QUARANTINE
                gone: Json = {"kind": "Node", "metadata": {"name": name}}
                say(at, gone, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
        at.cluster.memory[MEMORY] = (at.store.version, frozenset(seen), missed)
    late = [name for name, when in missed.items() if when <= at.now]
    if late:
        for name in late:
            for pod in at.store.pods_on(name):
                at.delete(pod)
        left = {name: when for name, when in missed.items() if name not in late}
        at.cluster.memory[MEMORY] = (at.store.version, frozenset(seen), left)


def known(at: Pass) -> tuple[int, frozenset[str] | set[str], dict[str, float]]:
    found = at.cluster.memory.get(MEMORY)
    return found if isinstance(found, tuple) else (0, frozenset(), {})


def say(at: Pass, body: Json, reason: str, text: str) -> None:
    at.store.record(body, "Normal", reason, text, SOURCE, at.now)


def due(at: Pass) -> float:
    return min((t for t in known(at)[2].values() if t > at.now), default=float("inf"))

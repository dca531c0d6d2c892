"""The annotation endpoints.kubernetes.io/last-change-trigger-time: which change an endpoint object answers.

Theory. For a Service that is seen for the first time it is the Service's creation; later the earliest of the pods'
Ready transitions that are newer than what was seen before; without any the annotation goes. Source: TriggerTimeTracker
in staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go.

Rules. Timestamps are compared as text: they all have one form. What is remembered is frozen.
"""

from __future__ import annotations

from engine.kube.controllers.members import Key
from engine.kube.objects import Json, meta, name_of, status_of
from engine.kube.passes import Pass

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"
MEMORY = "trigger-times"


class Triggers:
    """A controller's tracker for one turn. `of` keeps the controllers' trackers apart."""

    def __init__(self, at: Pass, of: str) -> None:
        self.at = at
        self.name = f"{MEMORY}/{of}"
        found = at.cluster.memory.get(self.name)
        #: Service -> pod -> its last Ready transition
        self.state: dict[Key, dict[str, str]] = dict(found) if isinstance(found, dict) else {}

    def last_change(self, key: Key, service: Json, pods: list[Json]) -> str:
        """The annotation's value; "" for none."""
        known = self.state.get(key)
        now = {name_of(p): when for p in pods if (when := ready_since(p))}
        self.state[key] = now
        if known is None:
            return str(meta(service).get("creationTimestamp", ""))
        return min((when for name, when in now.items() if when > known.get(name, "")), default="")

    def forget(self, key: Key) -> None:
        """A Service is gone."""
        self.state.pop(key, None)

    def close(self) -> None:
        self.at.cluster.memory[self.name] = self.state


def ready_since(pod: Json) -> str:
    """When the pod's Ready condition last changed; "" for a pod without one."""
    for row in status_of(pod).get("conditions") or ():
        if row["type"] == "Ready":
            return str(row.get("lastTransitionTime") or "")
    return ""

"""The annotation endpoints.kubernetes.io/last-change-trigger-time: which change an endpoint object answers.

Theory. For a Service that is seen for the first time it is the Service's creation; later the earliest of the pods'
Ready transitions that are newer than what was seen before; without any the annotation goes. Source: TriggerTimeTracker
in staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go.

Rules. Timestamps are compared as text: they all have one form. What is remembered is frozen.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.controllers.members import Key, Member, Turn
from engine.kube.objects import Json, meta, spec_of
from engine.kube.overlay import Overlay
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
        self.state: Overlay[Key, dict[str, str]] = found.copy() if isinstance(found, Overlay) else Overlay()

    def last_change(self, key: Key, service: Json, pods: list[Member]) -> str:
        """The annotation's value; "" for none."""
        known = self.state.get(key)
        now = {name: seen.since for name, _, seen in pods if seen.since}
        self.state.put(key, now)
        if known is None:
            return str(meta(service).get("creationTimestamp", ""))
        return min((when for name, when in now.items() if when > known.get(name, "")), default="")

    def forget(self, key: Key) -> None:
        """A Service is gone."""
        self.state.put(key, None)

    def close(self) -> None:
        self.at.cluster.memory[self.name] = self.state


def services(at: Pass, of: str) -> Iterator[tuple[Turn, Triggers, Key, Json | None]]:
    """The Services that one controller has to look at in this pass: those with Pods behind them, and None for each that
    is gone. What the turn has learnt is kept when the last one was done."""
    turn = Turn(at, of)
    if not turn.keys:
        return
    tracker = Triggers(at, of)
    for key in turn.keys:
        service = at.store.get("Service", *key)
        if service is None:
            tracker.forget(key)
            yield turn, tracker, key, None
        elif spec_of(service).get("type") != "ExternalName" and spec_of(service).get("selector"):
            yield turn, tracker, key, service
    tracker.close()
    turn.close()

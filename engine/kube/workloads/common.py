"""What the workload controllers share: making and removing pods, writing status, who is active, ready, available."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import clock_of
from engine.kube.objects import (
    Json,
    deleting,
    edited,
    meta,
    name_of,
    namespace_of,
    status_of,
)
from engine.kube.ownership import controller, is_ready, owner_reference
from engine.kube.passes import Pass
from engine.kube.podspec import finished, on_node, twin
from engine.kube.validate import Refused


def owned(at: Pass, owner: Json, kind: str = "Pod") -> list[Json]:
    """What an owner controls, oldest first."""
    uid = meta(owner)["uid"]
    out: list[Json] = []
    last: object = None  # the references that were looked at last: pods made together share theirs
    mine = False
    for body in at.store.owned_by(str(uid), kind):
        references = body["metadata"]["ownerReferences"]
        if references is not last:
            last, mine = references, any(o["uid"] == uid and o.get("controller") for o in references)
        if mine:
            out.append(body)
    return out


def active(pods: list[Json]) -> list[Json]:
    """Pods that count: not ended, not going (controller.FilterActivePods)."""
    return [p for p in pods if not deleting(p) and not finished(p)]


def make_pod(
    at: Pass,
    owner: Json,
    template: Json,
    *,
    name: str = "",
    extra: Callable[[Json], None] | None = None,
) -> Json | None:
    """Create a pod of an owner through the API server; with a random name unless one is given. None, with its event,
    when the server refuses it."""
    m = template.get("metadata") or {}
    pod: Json = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            **edited({k: m[k] for k in ("labels", "annotations", "finalizers") if m.get(k)}),
            "namespace": namespace_of(owner), "ownerReferences": [owner_reference(owner)],
        },
        "spec": edited(template.get("spec") or {}),
    }  # fmt: skip
    if not name:
        head = f"{name_of(owner)}-"
        pod["metadata"]["generateName"] = head
        name = head + at.ids.suffix(f"pod/{owner['kind']}/{namespace_of(owner)}/{name_of(owner)}")
    pod["metadata"]["name"] = name
    if extra is not None:
        extra(pod)
    try:
        made = at.create(pod)
    except Refused as refused:
        record(at, owner, "Warning", "FailedCreate", f"Error creating: {refused.message}")
        return None
    said = f"Created pod: {name}"
    if owner["kind"] == "StatefulSet":
        said = f"create Pod {name} in StatefulSet {name_of(owner)} successful"
    record(at, owner, "Normal", "SuccessfulCreate", said)
    return made


def make_pods(at: Pass, owner: Json, template: Json, count: int) -> list[Json]:
    """Create several pods of one template with random names, up to the first that the server refuses. What it did with
    the first it would do again with each, where no quota counts: they share it."""
    out: list[Json] = []
    quota = bool(at.store.list("ResourceQuota", namespace_of(owner)))
    what = f"pod/{owner['kind']}/{namespace_of(owner)}/{name_of(owner)}"
    while len(out) < (count if quota else min(count, 1)):
        made = make_pod(at, owner, template)
        if made is None:
            return out
        out.append(made)
    for suffix in at.ids.suffixes(what, count - len(out)) if out else ():
        name = str(out[0]["metadata"]["generateName"]) + suffix
        out.append(at.store.create(twin(out[0], name, at.ids), at.now))
        record(at, owner, "Normal", "SuccessfulCreate", f"Created pod: {name}")
    return out


def drop(at: Pass, owner: Json, pod: Json) -> None:
    """Delete a pod of an owner."""
    at.delete(pod)
    said = f"Deleted pod: {name_of(pod)}"
    if owner["kind"] == "StatefulSet":
        said = f"delete Pod {name_of(pod)} in StatefulSet {name_of(owner)} successful"
    record(at, owner, "Normal", "SuccessfulDelete", said)


def record(at: Pass, owner: Json, type: str, reason: str, message: str) -> None:
    at.store.record(owner, type, reason, message, controller(owner), at.now)


def write_status(at: Pass, body: Json, status: Json) -> Json:
    """Put a status where it differs."""
    fresh = at.store.get(str(body["kind"]), namespace_of(body), name_of(body))
    if fresh is None or status_of(fresh) == status:
        return fresh if fresh is not None else body
    return at.store.update({**fresh, "metadata": dict(meta(fresh)), "status": status})


def ready_for(pod: Json, now: float) -> float:
    """Seconds since a pod is ready; -1 while it is not."""
    for row in status_of(pod).get("conditions") or ():
        if row["type"] == "Ready" and row["status"] == "True":
            return now - clock_of(str(row["lastTransitionTime"]))
    return -1.0


def available(pod: Json, minimum: int, now: float) -> bool:
    """podutil.IsPodAvailable: ready, and for minReadySeconds."""
    return is_ready(pod) and (not minimum or ready_for(pod, now) >= minimum)


def available_at(pods: list[Json], minimum: int, now: float) -> float:
    """When the next ready pod becomes available by itself; infinity for never."""
    waits = [minimum - age for p in pods if minimum and (age := ready_for(p, now)) >= 0 and age < minimum]
    return now + min(waits) if waits else float("inf")


def rank(pods: list[Json], related: dict[str, int], now: float) -> list[Json]:
    """Pods in the order in which they are given up (controller.ActivePodsWithRanks): without a node, pending, not
    ready, cheap by their deletion cost, doubled on a node, ready for a shorter time, restarted more, newer."""

    def key(pod: Json) -> tuple[object, ...]:
        status = status_of(pod)
        phase = {"Pending": 0, "Unknown": 1}.get(str(status.get("phase")), 2)
        cost = int((meta(pod).get("annotations") or {}).get("controller.kubernetes.io/pod-deletion-cost", 0))
        restarts = max(
            (int(c.get("restartCount", 0)) for c in status.get("containerStatuses") or ()), default=0
        )
        return (
            bool(on_node(pod)), phase, is_ready(pod), cost, -related.get(on_node(pod), 0),
            max(0.0, ready_for(pod, now)), -restarts, -int(meta(pod)["resourceVersion"]),
        )  # fmt: skip

    return sorted(pods, key=key)


def share(value: object, total: int, *, up: bool) -> int:
    """A count or a percentage of `total` (intstr.GetScaledValueFromIntOrPercent)."""
    text = str(value)
    if not text.endswith("%"):
        return int(text)
    part = int(text[:-1]) * total
    return -(-part // 100) if up else part // 100

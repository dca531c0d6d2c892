"""Pieces of the workload controllers: owners, counts, conditions, and what each kind adds to its pods."""

from __future__ import annotations

from collections.abc import Callable

from engine.kube.clock import stamp
from engine.kube.objects import (
    Json,
    meta,
    name_of,
    spec_of,
)
from engine.kube.podspec import NOT_READY, UNREACHABLE, on_node

#: Taints that DaemonSet pods tolerate by themselves.
DAEMON_TOLERATIONS: tuple[tuple[str, str], ...] = (
    (NOT_READY, "NoExecute"), (UNREACHABLE, "NoExecute"), ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"), ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)  # fmt: skip


#: Pods that one workload of a lab makes at most.
LIMIT = 2000


def replicas(body: Json) -> int:
    """How many Pods a workload asks for at once."""
    return int(spec_of(body).get("parallelism" if body["kind"] == "Job" else "replicas", 1))


REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def minimum(replicas: int) -> int:
    """Pods that must be available for the condition Available: all but maxUnavailable (25 %, rounded down)."""
    return replicas - replicas // 4


#: kind of an owner -> who writes its events
CONTROLLERS = {
    "ReplicaSet": "replicaset-controller", "DaemonSet": "daemonset-controller",
    "StatefulSet": "statefulset-controller", "Job": "job-controller",
}  # fmt: skip


def controller(owner: Json) -> str:
    return CONTROLLERS[owner["kind"]]


def owner_reference(owner: Json) -> Json:
    return {
        "apiVersion": owner["apiVersion"], "blockOwnerDeletion": True, "controller": True, "kind": owner["kind"],
        "name": name_of(owner), "uid": meta(owner)["uid"],
    }  # fmt: skip


def is_ready(pod: Json) -> bool:
    for row in (pod.get("status") or {}).get("conditions") or ():
        if row["type"] == "Ready":
            return bool(row["status"] == "True")
    return False


def timed(old: Json, kind: str, good: bool, reason: str, message: str, clock: float) -> Json:
    """A condition of a workload, keeping its transition time while its status stays."""
    new: Json = {
        "lastTransitionTime": stamp(clock), "lastUpdateTime": stamp(clock), "message": message, "reason": reason,
        "status": str(good), "type": kind,
    }  # fmt: skip
    for before in old.get("conditions") or ():
        if before["type"] == kind and before["status"] == new["status"]:
            new["lastTransitionTime"] = before["lastTransitionTime"]
            if before.get("reason") == reason and before.get("message") == message:
                new["lastUpdateTime"] = before.get("lastUpdateTime", new["lastUpdateTime"])
    return new


def daemon_tolerations(spec: Json) -> list[Json]:
    rows: list[Json] = [{"key": k, "operator": "Exists", "effect": e} for k, e in DAEMON_TOLERATIONS]
    if spec.get("hostNetwork"):
        rows.append(
            {"key": "node.kubernetes.io/network-unavailable", "operator": "Exists", "effect": "NoSchedule"}
        )
    # A DaemonSet's pod on a node that is not ready yet: the CNI agents themselves start this way.
    rows.append({"key": NOT_READY, "operator": "Exists", "effect": "NoSchedule"})
    return rows


def pinned(node: str, hash: str) -> Callable[[Json], None]:
    """What the DaemonSet controller adds: the node by affinity, its tolerations, the revision label."""

    def put(pod: Json) -> None:
        spec = pod["spec"]
        spec.setdefault("affinity", {})["nodeAffinity"] = {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
                ]
            }
        }
        spec["tolerations"] = [*(spec.get("tolerations") or []), *daemon_tolerations(spec)]
        pod["metadata"].setdefault("labels", {})["controller-revision-hash"] = hash

    return put


def target_node(pod: Json) -> str:
    """The node that a DaemonSet's pod is for, whether it is bound yet or not."""
    if on_node(pod):
        return on_node(pod)
    affinity = ((spec_of(pod).get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    for term in affinity.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            return str(field["values"][0])
    return ""


def numbered(owner: Json, at: int, revision: str) -> Callable[[Json], None]:
    """What the StatefulSet controller adds: number, revision and name as labels, host name and subdomain."""

    def put(pod: Json) -> None:
        pod["metadata"].setdefault("labels", {}).update(
            {
                "apps.kubernetes.io/pod-index": str(at),
                "controller-revision-hash": revision,
                "statefulset.kubernetes.io/pod-name": pod["metadata"]["name"],
            }
        )
        pod["spec"]["hostname"] = pod["metadata"]["name"]
        if spec_of(owner).get("serviceName"):
            pod["spec"]["subdomain"] = spec_of(owner)["serviceName"]

    return put


def for_job(owner: Json) -> Callable[[Json], None]:
    def put(pod: Json) -> None:
        uid, name = meta(owner)["uid"], name_of(owner)
        pod["metadata"].setdefault("labels", {}).update(
            {
                "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": name,
                "controller-uid": uid, "job-name": name,
            }
        )  # fmt: skip

    return put

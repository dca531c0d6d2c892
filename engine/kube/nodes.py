"""The Node objects: what kubelet registers and reports, and the taints of the node lifecycle controller."""

from __future__ import annotations

from engine.kube.clock import stamp
from engine.kube.kubelet import not_ready
from engine.kube.node import NodeState
from engine.kube.objects import Json, edited, meta
from engine.kube.options import Options
from engine.kube.podspec import NOT_READY, UNREACHABLE
from engine.kube.store import Store
from engine.linux.addr import text4

CONTROL_PLANE = "node-role.kubernetes.io/control-plane"
#: type, reason while it is well, message while it is well.
HEALTHY = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)


def register(store: Store, node: NodeState, options: Options, address: int, clock: float) -> None:
    """Create the Node object of a new kubelet."""
    name = node.name
    labels = {
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **dict(node.options.labels),
    }  # fmt: skip
    taints: list[Json] = [
        {"key": k, **({"value": v} if v else {}), "effect": e} for k, v, e in node.options.taints
    ]
    if node.options.control_plane:
        labels |= {CONTROL_PLANE: "", "node.kubernetes.io/exclude-from-external-load-balancers": ""}
        # On a cluster of one node kubeadm's users take this taint away, or nothing would run.
        if len(options.nodes) > 1:
            taints.append({"key": CONTROL_PLANE, "effect": "NoSchedule"})
    spec: Json = {"podCIDR": str(node.pod_cidr), "podCIDRs": [str(node.pod_cidr)]}
    if taints:
        spec["taints"] = taints
    body: Json = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": dict(ANNOTATIONS),
        },
        "spec": spec,
        "status": {
            "addresses": [
                *([{"address": text4(address), "type": "InternalIP"}] if address else []),
                {"address": name, "type": "Hostname"},
            ],
            "capacity": CAPACITY,
            "allocatable": CAPACITY,
            "conditions": [],
            "nodeInfo": {
                "architecture": "amd64", "containerRuntimeVersion": f"containerd://{options.containerd_version}",
                "bootID": store.ids.uuid(f"boot/{name}"), "machineID": store.ids.hex(f"machine/{name}", 32),
                "systemUUID": store.ids.uuid(f"system/{name}"), "kernelVersion": "6.12.57+deb13-amd64",
                "kubeletVersion": options.version,
                "operatingSystem": "linux", "osImage": "Debian GNU/Linux 13 (trixie)",
            },
        },
    }  # fmt: skip
    old = store.get("Node", "", name)
    if old is None:
        store.create(body, clock)
        return
    # Somebody wrote the Node before its kubelet came: what is said there stays, kubelet adds the rest.
    new = edited(old)
    new["metadata"]["labels"] = {**labels, **(new["metadata"].get("labels") or {})}
    new["spec"] = {**spec, **(new.get("spec") or {})}
    new["status"] = body["status"]
    store.update(new)


ANNOTATIONS = {
    "node.alpha.kubernetes.io/ttl": "0",
    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
}
CAPACITY: Json = {
    "cpu": "4", "ephemeral-storage": "41152736Ki", "hugepages-2Mi": "0", "memory": "8137992Ki", "pods": "110"
}  # fmt: skip


def report(store: Store, node: NodeState, problem: str, clock: float, *, runtime_down: str = "") -> bool:
    """Conditions and taints for the moment. `problem` is the CNI's, "" when the network is ready."""
    body = store.get("Node", "", node.name)
    if body is None:
        return False
    new = {**body, **{part: dict(body[part]) for part in ("metadata", "spec", "status")}}
    message = "kubelet is posting ready status"
    ready = not problem and not runtime_down
    if not ready:
        message = runtime_down or not_ready(problem)
    rows = [(kind, False, reason, text) for kind, reason, text in HEALTHY]
    rows.append(("Ready", ready, "KubeletReady" if ready else "KubeletNotReady", message))
    old = {c["type"]: c for c in new["status"].get("conditions") or ()}
    mine = {r[0] for r in rows}
    others = [c for kind, c in old.items() if kind not in mine]
    new["status"]["conditions"] = [*others, *(condition(old.get(r[0]), *r, clock) for r in rows)]
    taints = [t for t in new["spec"].get("taints") or () if t["key"] not in (NOT_READY, UNREACHABLE)]
    if not ready:
        since = next(c for c in new["status"]["conditions"] if c["type"] == "Ready")["lastTransitionTime"]
        taints.append({"key": NOT_READY, "effect": "NoSchedule"})
        taints.append({"key": NOT_READY, "effect": "NoExecute", "timeAdded": since})
    if taints:
        new["spec"]["taints"] = taints
    else:
        new["spec"].pop("taints", None)
    if new == body:
        return False
    was = old.get("Ready", {}).get("status")
    store.update(new)
    now = "True" if ready else "False"
    if was != now and (was is not None or ready):
        reason = "NodeReady" if ready else "NodeNotReady"
        store.record(
            new,
            "Normal",
            reason,
            f"Node {node.name} status is now: {reason}",
            "kubelet",
            clock,
            host=node.name,
        )
    return True


def condition(old: Json | None, kind: str, true: bool, reason: str, message: str, clock: float) -> Json:
    status = "True" if true else "False"
    kept = old is not None and old["status"] == status and old.get("message") == message
    if kept and old is not None:
        return old
    changed = old is None or old["status"] != status
    return {
        "lastHeartbeatTime": stamp(clock),
        "lastTransitionTime": stamp(clock) if changed or old is None else old["lastTransitionTime"],
        "message": message, "reason": reason, "status": status, "type": kind,
    }  # fmt: skip


def uid_of(body: Json) -> str:
    return str(meta(body)["uid"])

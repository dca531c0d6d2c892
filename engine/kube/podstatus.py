"""A pod's status as kubelet computes it from the runtime (kubelet_pods.go, status/generate.go)."""

from __future__ import annotations

from engine.kube import probes
from engine.kube.clock import stamp
from engine.kube.node import NodeState
from engine.kube.objects import Json, meta, spec_of
from engine.kube.runtime import Container, Sandbox

CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def status(pod: Json, node: NodeState, sandbox: Sandbox | None, node_ip: str, now: str) -> Json:
    """The whole status. `now` stamps conditions that change."""
    spec, old = spec_of(pod), pod.get("status") or {}
    uid = str(meta(pod)["uid"])
    inits = [
        container_status(uid, c, node, sandbox, init=True, pod=pod) for c in spec.get("initContainers") or ()
    ]
    mains = [container_status(uid, c, node, sandbox, init=False, pod=pod) for c in spec["containers"]]
    initialized = all(s["state"].get("terminated", {}).get("exitCode") == 0 for s in inits)
    for s in mains:
        if (
            not initialized
            and "waiting" in s["state"]
            and s["state"]["waiting"]["reason"] == "ContainerCreating"
        ):
            s["state"]["waiting"] = {"reason": "PodInitializing"}
    phase = phase_of(spec, mains, inits)
    ready = bool(mains) and all(s["ready"] for s in mains)
    done = phase == "Succeeded"
    gates = missing_gates(spec, old) if ready else ""
    flags = {
        "PodReadyToStartContainers": (sandbox is not None, "", ""),
        "Initialized": (
            initialized,
            "ContainersNotInitialized",
            unready(inits, "containers with incomplete status"),
        ),
        "Ready": (False, "ReadinessGatesNotReady", gates) if gates else (ready, *not_ready(mains, done)),
        "ContainersReady": (ready, *not_ready(mains, done)),
        "PodScheduled": (True, "", ""),
    }
    out: Json = {
        "conditions": [
            *(c for c in old.get("conditions") or () if c["type"] not in CONDITIONS),
            *(condition(old, kind, *flags[kind], now) for kind in CONDITIONS),
        ],
        "containerStatuses": mains,
        "hostIP": node_ip,
        "hostIPs": [{"ip": node_ip}],
        "phase": phase,
        "qosClass": old.get("qosClass", "BestEffort"),
        "startTime": old.get("startTime", now),
    }
    if inits:
        out["initContainerStatuses"] = inits
    ip = (node_ip if sandbox.host_network else sandbox.ip) if sandbox is not None else ""
    if not ip and spec.get("hostNetwork"):
        ip = node_ip
    if not ip and phase in ("Succeeded", "Failed"):
        ip = old.get("podIP", "")
    if ip:
        out["podIP"] = ip
        out["podIPs"] = [{"ip": ip}]
    return out


def missing_gates(spec: Json, old: Json) -> str:
    """What the pod's readiness gates still wait for; "" when all are true (GeneratePodReadyCondition)."""
    have = {str(c["type"]): str(c["status"]) for c in old.get("conditions") or ()}
    out = []
    for gate in spec.get("readinessGates") or ():
        name = str(gate["conditionType"])
        if name not in have:
            out.append(f'corresponding condition of pod readiness gate "{name}" does not exist.')
        elif have[name] != "True":
            out.append(f'the status of pod readiness gate "{name}" is not "True", but {have[name]}')
    return ", ".join(out)


def condition(old: Json, kind: str, true: bool, reason: str, message: str, now: str) -> Json:
    new: Json = {"lastProbeTime": None, "lastTransitionTime": now, "status": str(true), "type": kind}
    if not true and reason:
        new |= {"reason": reason, "message": message}
    if true and kind in ("Initialized", "Ready", "ContainersReady") and reason == "PodCompleted":
        new["reason"] = reason
    for before in old.get("conditions") or ():
        if before["type"] == kind and before["status"] == new["status"]:
            new["lastTransitionTime"] = before["lastTransitionTime"]
    return new


def not_ready(rows: list[Json], done: bool) -> tuple[str, str]:
    return (
        ("PodCompleted", "")
        if done
        else ("ContainersNotReady", unready(rows, "containers with unready status"))
    )


def unready(rows: list[Json], words: str) -> str:
    return f"{words}: [{' '.join(s['name'] for s in rows if not s['ready'])}]"


def phase_of(spec: Json, mains: list[Json], inits: list[Json]) -> str:
    """getPhase."""
    policy = spec.get("restartPolicy", "Always")
    for s in inits:
        ended = s["state"].get("terminated")
        if ended is None:
            return "Pending"
        if ended["exitCode"] != 0:
            return "Failed" if policy == "Never" else "Pending"
    ended_rows = [s["state"].get("terminated") for s in mains]
    if any("waiting" in s["state"] and not s["lastState"] for s in mains):
        return "Pending"
    if policy != "Always" and all(e is not None for e in ended_rows):
        codes = [e["exitCode"] for e in ended_rows if e is not None]
        if all(c == 0 for c in codes):
            return "Succeeded"
        return "Failed" if policy == "Never" else "Running"
    return "Running"


def container_status(
    uid: str, spec: Json, node: NodeState, sandbox: Sandbox | None, *, init: bool, pod: Json
) -> Json:
    """One entry of containerStatuses."""
    name = str(spec["name"])
    row = node.runtime.last(uid, name)
    if row is not None and (sandbox is None or row.sandbox != sandbox.id) and row.state == "running":
        row = None
    wait = node.waits.get(f"{uid}/{name}")
    out: Json = {"image": spec.get("image", ""), "imageID": "", "lastState": {}, "name": name, "ready": False,
                 "restartCount": 0, "started": False, "state": {}}  # fmt: skip
    if row is None:
        waiting: Json = {
            "reason": "PodInitializing" if spec_of(pod).get("initContainers") else "ContainerCreating"
        }
        if wait is not None and "reason" in wait:
            waiting = {k: v for k, v in wait.items() if k != "until"}
        out["state"] = {"waiting": waiting}
        return out
    image = node.runtime.image(row.image)
    digest = image.digest if image is not None else row.image_id
    repository = row.image.split("@")[0].rpartition(":")[0]
    out |= {
        "containerID": f"containerd://{row.id}", "image": row.image, "imageID": f"{repository}@{digest}",
        "restartCount": row.attempt,
    }  # fmt: skip
    gone = sandbox is not None and row.sandbox != sandbox.id and not init
    if row.state == "running":
        out["state"] = {"running": {"startedAt": stamp(row.started)}}
        out["ready"] = not init and probes.ready(node.probes, uid, spec, row.id)
        out["started"] = probes.started(node.probes, uid, spec, row.id)
        if previous := before(node, uid, row):
            out["lastState"] = {"terminated": ended(previous)}
    elif wait is not None and "reason" in wait:
        out["state"] = {"waiting": {k: v for k, v in wait.items() if k != "until"}}
        out["lastState"] = {"terminated": ended(row)}
    elif gone:
        out["state"] = {"waiting": {"reason": "ContainerCreating"}}
        out["lastState"] = {"terminated": ended(row)}
    else:
        out["state"] = {"terminated": ended(row)}
        out["ready"] = init and row.code == 0
        if previous := before(node, uid, row):
            out["lastState"] = {"terminated": ended(previous)}
    return out


def before(node: NodeState, uid: str, row: Container) -> Container | None:
    """The run before this one, if the runtime still has it."""
    ids = {s.id for s in node.runtime.sandboxes.values() if s.uid == uid}
    found = [
        c
        for c in node.runtime.containers.values()
        if c.sandbox in ids and c.name == row.name and c.attempt < row.attempt
    ]
    return max(found, key=lambda c: c.attempt, default=None)


def ended(row: Container) -> Json:
    out: Json = {
        "containerID": f"containerd://{row.id}", "exitCode": row.code, "finishedAt": stamp(row.finished),
        "reason": row.reason, "startedAt": stamp(row.started),
    }  # fmt: skip
    if row.message:
        out["message"] = row.message
    return out

"""DaemonSet: one pod on every node that its template fits, updated a few nodes at a time (pkg/controller/daemon)."""

from __future__ import annotations

from engine.kube.objects import Json, deleting, edited, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.ownership import daemon_tolerations, is_ready, pinned, target_node
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.scheduler import refusal
from engine.kube.workloads import history, queue
from engine.kube.workloads.common import available, available_at, drop, make_pod, owned, share, write_status

MEMORY = "daemon-nodes"


def sync(at: Pass, body: Json) -> None:
    """Pods where they are missing, none where they do not belong, then the update and the counts."""
    if deleting(body):
        return
    now = history.current(at, body)
    if now is None:
        return
    hash = history.hash_of(now)
    wanted = where(at, body)
    manage(at, body, wanted, hash)
    if (spec_of(body).get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate":
        roll(at, body, wanted, hash)
    pods = owned(at, body)
    history.clean_up(at, body, {hash, *(str(labels_of(p).get(history.LABEL, "")) for p in pods)})
    count(at, body, wanted, pods, hash)


def where(at: Pass, body: Json) -> dict[str, bool]:
    """Node -> does it want a pod of this set? Asked again when the template or a node changes."""
    key = f"{MEMORY}/{meta(body)['uid']}"
    stamp = (meta(body).get("generation", 1), queue.known(at).nodes_version)
    found = at.cluster.memory.get(key)
    if isinstance(found, tuple) and found[0] == stamp:
        known: dict[str, bool] = found[1]
        return known
    fresh = {name_of(node): fits(at, body, node) for node in at.store.list("Node")}
    at.cluster.memory[key] = (stamp, fresh)
    return fresh


def fits(at: Pass, body: Json, node: Json) -> bool:
    """NodeShouldRunDaemonPod: affinity, selector and taints, with the tolerations that its pods are given."""
    probe: Json = {
        "metadata": {"namespace": namespace_of(body)},
        "spec": edited(spec_of(body)["template"]["spec"]),
    }
    spec = probe["spec"]
    spec["tolerations"] = [*(spec.get("tolerations") or []), *daemon_tolerations(spec)]
    for container in spec["containers"]:
        container.pop("ports", None)
    if spec.get("nodeName") and spec["nodeName"] != name_of(node):
        return False
    return not refusal(at.store, probe, node)


def by_node(pods: list[Json]) -> dict[str, list[Json]]:
    out: dict[str, list[Json]] = {}
    for pod in pods:
        out.setdefault(target_node(pod), []).append(pod)
    return out


def manage(at: Pass, body: Json, wanted: dict[str, bool], hash: str) -> None:
    """podsShouldBeOnNode for every node: a pod that goes keeps its place until it is gone."""
    here = by_node(owned(at, body))
    for node, want in wanted.items():
        rows = here.get(node, [])
        if want and not rows:
            make_pod(at, body, spec_of(body)["template"], extra=pinned(node, hash))
        live = [p for p in rows if not deleting(p)]
        for pod in [p for p in live if finished(p)]:
            text = f"Found failed daemon pod {namespace_of(pod)}/{name_of(pod)} on node {node}, will try to kill it"
            if pod["status"].get("phase") == "Failed":
                at.store.record(body, "Warning", "FailedDaemonPod", text, "daemonset-controller", at.now)
            drop(at, body, pod)
        running = [p for p in live if not finished(p)]
        for pod in (
            running if not want else sorted(running, key=lambda p: str(meta(p)["creationTimestamp"]))[2:]
        ):
            drop(at, body, pod)
    for node, rows in here.items():
        for pod in rows if node not in wanted else ():
            if not deleting(pod):
                drop(at, body, pod)


def limits(body: Json, nodes: int) -> tuple[int, int]:
    """(maxUnavailable, maxSurge) in nodes."""
    rolling = (spec_of(body).get("updateStrategy") or {}).get("rollingUpdate") or {}
    surge = share(rolling.get("maxSurge", 0), nodes, up=True)
    gone = share(rolling.get("maxUnavailable", 1), nodes, up=True)
    return (gone if gone or surge else 1), surge


def roll(at: Pass, body: Json, wanted: dict[str, bool], hash: str) -> None:
    """rollingUpdate: old pods that are not available go at once, of the others as many as may be missing."""
    nodes = [n for n, want in wanted.items() if want]
    gone, surge = limits(body, len(nodes))
    minimum = int(spec_of(body).get("minReadySeconds") or 0)
    here = by_node(owned(at, body))
    missing = 0
    free: list[Json] = []
    spare: list[Json] = []
    surging = 0
    for node in nodes:
        live = [p for p in here.get(node, ()) if not deleting(p) and not finished(p)]
        new = [p for p in live if labels_of(p).get(history.LABEL) == hash]
        old = [p for p in live if labels_of(p).get(history.LABEL) != hash]
        good = [p for p in live if available(p, minimum, at.now)]
        if surge:
            surging += roll_surge(at, body, node, hash, new, old, surge - surging, minimum)
            continue
        if not old:
            missing += not new or new[0] not in good
        elif old[0] in good:
            spare.append(old[0])
        else:
            missing += 1
            free.append(old[0])
    for pod in (*free, *spare[: max(0, gone - missing)]):
        drop(at, body, pod)


def roll_surge(
    at: Pass, body: Json, node: str, hash: str, new: list[Json], old: list[Json], room: int, minimum: int
) -> int:
    """With maxSurge the new pod comes first, and the old one goes when the new is available."""
    if not old:
        return 0
    if new:
        if available(new[0], minimum, at.now):
            drop(at, body, old[0])
        return 1
    if not available(old[0], minimum, at.now) or room > 0:
        make_pod(at, body, spec_of(body)["template"], extra=pinned(node, hash))
        return 1
    return 0


def count(at: Pass, body: Json, wanted: dict[str, bool], pods: list[Json], hash: str) -> None:
    minimum = int(spec_of(body).get("minReadySeconds") or 0)
    live = [p for p in pods if not deleting(p)]
    queue.again(at, body, available_at(live, minimum, at.now))
    here = by_node([p for p in live if not finished(p)])
    desired = [n for n, want in wanted.items() if want]
    first = {n: min(here[n], key=lambda p: str(meta(p)["creationTimestamp"])) for n in desired if n in here}
    fit = sum(any(available(p, minimum, at.now) for p in here.get(n, ())) for n in desired)
    status: Json = {
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(bool(here.get(n)) for n, want in wanted.items() if not want),
        "desiredNumberScheduled": len(desired),
        "numberReady": sum(any(is_ready(p) for p in here.get(n, ())) for n in desired),
        "observedGeneration": meta(body).get("generation", 1),
    }
    more = {
        "updatedNumberScheduled": sum(
            any(labels_of(p).get(history.LABEL) == hash for p in here.get(n, ())) for n in desired
        ),
        "numberAvailable": fit, "numberUnavailable": len(desired) - fit,
    }  # fmt: skip
    write_status(at, body, status | {k: v for k, v in more.items() if v})

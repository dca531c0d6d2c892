"""The scheduler: puts each Pod without a node on one, or says why none will do.

Theory. Filters run per node in the real plugins' order and the first that refuses gives the node's reason; the
message counts equal reasons, sorted by their text (framework FitError.Error). Among the nodes that are left the one
with the fewest pods wins, the first by name on a tie: the effect of NodeResourcesBalanced and the spread scores on
equal nodes. Preferences (preferred affinity, PreferNoSchedule) come before the count.
"""

from __future__ import annotations

from collections import Counter

from engine.kube.objects import Json, deleting, edited, labels_of, name_of, spec_of
from engine.kube.podspec import finished, host_ports, on_node, ports_clash
from engine.kube.select import node_fits, tolerated
from engine.kube.store import Store

NAME = "default-scheduler"


def schedule(store: Store, clock: float, *, stamp: str) -> bool:
    """One pass over all pending pods, oldest first. True when something changed."""
    waiting = [p for p in store.list("Pod") if not on_node(p) and not deleting(p) and not finished(p)]
    if not waiting:
        return False
    changed = False
    nodes = store.list("Node")
    load: Counter[str] = Counter(on_node(p) for p in store.list("Pod") if not finished(p))
    waiting.sort(key=lambda p: int(p["metadata"]["resourceVersion"]))
    for pod in waiting:
        reasons = {name_of(n): refusal(store, pod, n) for n in nodes}
        full = [n for n in nodes if load[name_of(n)] >= capacity(n)]
        reasons |= {name_of(n): reasons[name_of(n)] or "Too many pods" for n in full}
        fits = [n for n in nodes if not reasons[name_of(n)]]
        if fits:
            node = min(fits, key=lambda n: (-preference(pod, n), load[name_of(n)], name_of(n)))
            bind(store, pod, name_of(node), clock, stamp)
            load[name_of(node)] += 1
            changed = True
        else:
            changed |= unschedulable(store, pod, reasons, clock, stamp)
    return changed


def bind(store: Store, pod: Json, node: str, clock: float, stamp: str) -> None:
    body = edited(pod)
    body["spec"]["nodeName"] = node
    conditions = [c for c in body["status"].get("conditions") or () if c["type"] != "PodScheduled"]
    body["status"]["conditions"] = [*conditions, condition("True", stamp)]
    store.update(body)
    name, namespace = name_of(pod), pod["metadata"]["namespace"]
    store.record(
        body, "Normal", "Scheduled", f"Successfully assigned {namespace}/{name} to {node}", NAME, clock
    )


def condition(status: str, stamp: str, *, reason: str = "", message: str = "") -> Json:
    out: Json = {"type": "PodScheduled", "status": status, "lastProbeTime": None, "lastTransitionTime": stamp}
    if reason:
        out |= {"reason": reason, "message": message}
    return out


def unschedulable(store: Store, pod: Json, reasons: dict[str, str], clock: float, stamp: str) -> bool:
    """Say it in the condition and in an event, once per message."""
    message = fit_error(pod, reasons)
    old = [c for c in pod["status"].get("conditions") or () if c["type"] == "PodScheduled"]
    if old and old[0].get("message") == message:
        return False
    body = edited(pod)
    rest = [c for c in body["status"].get("conditions") or () if c["type"] != "PodScheduled"]
    body["status"]["conditions"] = [*rest, condition("False", stamp, reason="Unschedulable", message=message)]
    store.update(body)
    store.record(body, "Warning", "FailedScheduling", message, NAME, clock)
    return True


def fit_error(pod: Json, reasons: dict[str, str]) -> str:
    """`0/3 nodes are available: 1 node(s) ..., 2 node(s) .... no new claims to deallocate, preemption: ...`"""
    if not reasons:
        return "no nodes available to schedule pods"
    counts = Counter(reasons.values())
    total = len(reasons)
    parts = sorted(f"{n} {reason}" for reason, n in counts.items())
    text = f"0/{total} nodes are available: {', '.join(parts)}."
    return f"{text} preemption: 0/{total} nodes are available: {preemption(reasons)}."


#: Reasons that no eviction would cure (UnschedulableAndUnresolvable).
UNRESOLVABLE = ("taint", "affinity/selector", "unschedulable", "requested node name")


def preemption(reasons: dict[str, str]) -> str:
    helpless = sum(any(word in r for word in UNRESOLVABLE) for r in reasons.values())
    victims = len(reasons) - helpless
    parts = []
    if helpless:
        parts.append(f"{helpless} Preemption is not helpful for scheduling")
    if victims:
        parts.append(f"{victims} No preemption victims found for incoming pod")
    return ", ".join(sorted(parts))


def capacity(node: Json) -> int:
    """How many pods a node takes (status.allocatable.pods)."""
    return int(((node.get("status") or {}).get("allocatable") or {}).get("pods", 110))


def refusal(store: Store, pod: Json, node: Json) -> str:
    """Why this node will not do; "" when it will."""
    spec, name, labels = spec_of(pod), name_of(node), labels_of(node)
    tolerations = spec.get("tolerations") or []
    if spec_of(node).get("unschedulable") and not tolerated(
        {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}, tolerations
    ):
        return "node(s) were unschedulable"
    for taint in spec_of(node).get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerated(taint, tolerations):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return "node(s) didn't match Pod's node affinity/selector"
    required = node_affinity(spec).get("requiredDuringSchedulingIgnoredDuringExecution")
    if required and not node_fits(required.get("nodeSelectorTerms") or (), name, labels):
        return "node(s) didn't match Pod's node affinity/selector"
    wanted = host_ports(spec)
    if wanted:
        for other in store.list("Pod"):
            if (
                on_node(other) == name
                and not finished(other)
                and ports_clash(wanted, host_ports(spec_of(other)))
            ):
                return "node(s) didn't have free ports for the requested pod ports"
    return ""


def node_affinity(spec: Json) -> Json:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def preference(pod: Json, node: Json) -> int:
    """Weights of the preferred terms that fit, less 1000 per PreferNoSchedule taint that is not tolerated."""
    spec = spec_of(pod)
    score = 0
    for term in node_affinity(spec).get("preferredDuringSchedulingIgnoredDuringExecution") or ():
        if node_fits([term.get("preference") or {}], name_of(node), labels_of(node)):
            score += int(term.get("weight", 1))
    for taint in spec_of(node).get("taints") or ():
        if taint["effect"] == "PreferNoSchedule" and not tolerated(taint, spec.get("tolerations") or []):
            score -= 1000
    return score

"""The scheduler: puts each Pod without a node on one, or says why none will do.

Theory. Pods wait in order of priority and age. Filters (scheduling/filters.py) tell which nodes will do, scores
(scheduling/scores.py) which of them it is. A Pod that fits nowhere is tried again when a Node changed or a Pod went.
Pods of the same form share a heap of nodes; a Pod with rules about other Pods is held against every node. Source:
pkg/scheduler/schedule_one.go, framework/types.go (FitError).

Rules. Level-triggered: `schedule` looks at what was written since the last time and at the Pods that wait, no more.
What it remembers is the cluster's `Cache`.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING

from engine.kube.clock import stamp
from engine.kube.objects import Json, deleting, meta, name_of, namespace_of, spec_of, status_of
from engine.kube.podspec import finished, on_node
from engine.kube.scheduling.filters import (
    OK,
    REQUIRED,
    Around,
    Reasons,
    fit,
    looks_around,
    node_affinity,
    standing,
)
from engine.kube.scheduling.nodes import Cache, Share, room_of, share_of
from engine.kube.scheduling.scores import Ranks, has_wishes, preference, rank, wishes
from engine.kube.scheduling.spread import Spread, weighed
from engine.kube.store import Store
from engine.kube.written import Key
from engine.record import dataclass, replace

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

NAME = "default-scheduler"
#: since this release the plugin of dynamic resources speaks before preemption does
CLAIMS = 34
#: since this release it is not told which taint a Pod does not tolerate (kubernetes/kubernetes#134740)
SECRET = 35
TAINT, TAINTS = "node(s) had untolerated taint {", "node(s) had untolerated taint(s)"


def schedule(cluster: Cluster, now: float) -> bool:
    """One pass over the Pods that wait, by priority, the oldest first. True when something changed."""
    store, cache = cluster.store, cluster.rooms
    if not cache.follow(store):
        return False
    if cache.ranks is None:
        cache.ranks = Ranks()
    before, ranks, found = store.version, cache.ranks, _Found()
    ranks.follow(cache)
    keys = [key for key, seen in cache.waiting.items() if seen != cache.change]
    for key in sorted(keys, key=lambda k: _turn(store.objects["Pod"][k])):
        pod = store.objects["Pod"][key]
        if _mine(pod):
            _one(cluster, cache, ranks, found, key, pod, now)
    return store.version != before


def _turn(pod: Json) -> tuple[int, int]:
    return (-int(spec_of(pod).get("priority") or 0), int(pod["metadata"]["resourceVersion"]))


def _mine(pod: Json) -> bool:
    spec = spec_of(pod)
    return not (
        on_node(pod)
        or deleting(pod)
        or finished(pod)
        or spec.get("schedulerName", NAME) != NAME
        or spec.get("schedulingGates")
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What of a Pod decides; `looks`: it is held against every node. `pod` keeps alive what was looked at."""

    form: str
    share: Share
    pinned: set[str] | None
    looks: bool
    pod: Json


class _Found:
    """What was found out in this pass: about Pods that share their parts (podspec.twin), and what was said about a
    form of Pod that fits nowhere (nothing is freed while a pass goes on)."""

    def __init__(self) -> None:
        self.said: dict[str, dict[str, Reasons]] = {}
        self.known: dict[tuple[object, ...], _About] = {}
        self.spread = Spread()
        self.bound: dict[int, tuple[Json, Json]] = {}

    def status(self, pod: Json, clock: float) -> Json:
        """The status of a pod that gets its node now; pods that shared theirs go on sharing it."""
        old = status_of(pod)
        found = self.bound.get(id(old))
        if found is None:
            rest = [c for c in old.get("conditions") or () if c["type"] != "PodScheduled"]
            found = self.bound[id(old)] = (old, {**old, "conditions": [*rest, scheduled(stamp(clock))]})
        return found[1]

    def about(self, pod: Json) -> _About:
        spec = spec_of(pod)
        key = (
            id(spec.get("tolerations")), id(spec.get("affinity")), id(spec.get("nodeSelector")), len(spec),
            id(spec.get("topologySpreadConstraints")), id(spec.get("initContainers")), id(spec.get("overhead")),
            *((id(c.get("resources")), id(c.get("ports"))) for c in spec.get("containers") or ()),
        )  # fmt: skip
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = _About(
                form=form_of(spec), share=share_of(pod), pinned=pinned_to(spec), pod=pod,
                looks=looks_around(spec) or has_wishes(spec),
            )  # fmt: skip
        return found


def _one(
    cluster: Cluster, cache: Cache, ranks: Ranks, found: _Found, key: Key, pod: Json, now: float
) -> None:
    store, spec = cluster.store, spec_of(pod)
    about = found.about(pod)
    form, share = about.form, about.share
    reasons: dict[str, Reasons] | None = None
    if about.pinned is not None:
        node, reasons = _pinned(store, cache, pod, share, about.pinned)
    elif about.looks or cache.around:
        node, reasons = _every(store, cache, pod, share, found.spread)
    else:
        node = found.spread.best(store, cache, pod, share) if form not in found.said else ""
        node = node or ranks.best(cache, form, pod, share) if form not in found.said else ""
        if not node:
            if form not in found.said:
                found.said[form] = {r.name: refusals(pod, r.body, cache, share) for r in cache.rooms.values()}
            reasons = found.said[form]
    if node:
        bind(store, pod, node, found.status(pod, now), now)
        cache.waiting.pop(key, None)
        cache.hold(key, node, share)
        found.spread.bound(pod, node)
        return
    # One with rules about other Pods may fit as soon as any of them comes.
    cache.waiting[key] = -1 if looks_around(spec) else cache.change
    unschedulable(store, pod, reasons or {}, now, cluster.options.minor)


def form_of(spec: Json) -> str:
    """All of a Pod that decides about its node when it has no rules about other Pods."""
    rows = [
        (c.get("resources"), [p for p in c.get("ports") or () if p.get("hostPort")])
        for c in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    ]
    return repr(
        (rows, spec.get("tolerations"), spec.get("nodeSelector"), spec.get("affinity"), spec.get("overhead"))
    )


def pinned_to(spec: Json) -> set[str] | None:
    """The nodes that required affinity names by metadata.name (a DaemonSet's Pods); None when it names none."""
    terms = (node_affinity(spec).get(REQUIRED) or {}).get("nodeSelectorTerms") or ()
    out: set[str] = set()
    for term in terms:
        named = [
            f
            for f in term.get("matchFields") or ()
            if f.get("key") == "metadata.name" and f.get("operator") == "In"
        ]
        if not named:
            return None
        out |= {str(v) for f in named for v in f.get("values") or ()}
    return out if terms else None


def refusals(pod: Json, node: Json, cache: Cache, share: Share) -> Reasons:
    """Why this node will not do, by the filters that look at it alone."""
    room = cache.rooms[name_of(node)]
    return standing(pod, node) or fit(share, room)


def _pinned(
    store: Store, cache: Cache, pod: Json, share: Share, names: set[str]
) -> tuple[str, dict[str, Reasons]]:
    """A Pod that may go to named nodes only (NodeAffinity's PreFilterResult)."""
    around = Around(store, cache, pod) if looks_around(spec_of(pod)) or cache.around else None
    found: dict[str, Reasons] = {}
    for name in sorted(names & cache.rooms.keys()):
        body = cache.rooms[name].body
        found[name] = refusals(pod, body, cache, share) or (around.reasons(body) if around else OK)
    fits = [n for n, why in found.items() if not why]
    if fits:
        return min(fits, key=lambda n: rank(preference(pod, cache.rooms[n].body), share, cache.rooms[n])), {}
    absent: Reasons = (("node(s) didn't satisfy plugin(s) [NodeAffinity]", False),)
    return "", {n: found.get(n, absent) for n in cache.rooms}


def _every(
    store: Store, cache: Cache, pod: Json, share: Share, spread: Spread
) -> tuple[str, dict[str, Reasons]]:
    """A Pod that is held against every node."""
    around, liked = Around(store, cache, pod), wishes(store, cache, pod)
    reasons = {
        r.name: refusals(pod, r.body, cache, share) or around.reasons(r.body) for r in cache.rooms.values()
    }
    fits = [cache.rooms[n] for n, why in reasons.items() if not why]
    if not fits:
        return "", reasons
    counts = spread.counts(store, cache, pod)
    if counts is not None:
        return weighed(
            fits, {r.name: preference(pod, r.body) + liked(r.body) for r in fits}, counts, share
        ), {}
    return min(rank(preference(pod, r.body) + liked(r.body), share, r) for r in fits)[3], {}


def bind(store: Store, pod: Json, node: str, status: Json, clock: float) -> None:
    spec = {**pod["spec"], "nodeName": node}
    body = {**pod, "metadata": dict(pod["metadata"]), "spec": spec, "status": status}
    store.update(body)
    text = f"Successfully assigned {namespace_of(pod)}/{name_of(pod)} to {node}"
    store.record(body, "Normal", "Scheduled", text, NAME, clock)


@lru_cache(64)
def scheduled(stamp: str) -> Json:
    """The condition of a Pod that has a node; Pods share it."""
    return condition("True", stamp)


def condition(status: str, stamp: str, *, reason: str = "", message: str = "") -> Json:
    out: Json = {"type": "PodScheduled", "status": status, "lastProbeTime": None, "lastTransitionTime": stamp}
    if reason:
        out |= {"reason": reason, "message": message}
    return out


def unschedulable(
    store: Store, pod: Json, reasons: dict[str, Reasons], clock: float, minor: int = SECRET
) -> bool:
    """Say it in the condition and in an event, once per message."""
    message = fit_error(reasons, minor)
    old = [c for c in status_of(pod).get("conditions") or () if c["type"] == "PodScheduled"]
    if old and old[0].get("message") == message:
        return False
    rest = [c for c in status_of(pod).get("conditions") or () if c["type"] != "PodScheduled"]
    since = old[0]["lastTransitionTime"] if old and old[0]["status"] == "False" else stamp(clock)
    new = condition("False", since, reason="Unschedulable", message=message)
    body = {**pod, "metadata": dict(meta(pod)), "status": {**status_of(pod), "conditions": [*rest, new]}}
    store.update(body)
    store.record(body, "Warning", "FailedScheduling", message, NAME, clock)
    return True


def fit_error(reasons: dict[str, Reasons], minor: int = SECRET) -> str:
    """`0/3 nodes are available: 1 node(s) ..., 2 node(s) .... no new claims to deallocate, preemption: ...`"""
    if not reasons:
        return "no nodes available to schedule pods"
    texts = (text for why in reasons.values() for text, _ in why)
    counts = Counter(TAINTS if minor >= SECRET and t.startswith(TAINT) else t for t in texts)
    total = len(reasons)
    parts = sorted(f"{n} {reason}" for reason, n in counts.items())
    claims = "no new claims to deallocate, " if minor >= CLAIMS else ""
    text = f"0/{total} nodes are available: {', '.join(parts)}. {claims}"
    return f"{text}preemption: 0/{total} nodes are available: {preemption(reasons)}."


def preemption(reasons: dict[str, Reasons]) -> str:
    """What the attempt to make room by evicting others came to."""
    helpless = sum(any(not curable for _, curable in why) for why in reasons.values())
    victims = len(reasons) - helpless
    parts = []
    if helpless:
        parts.append(f"{helpless} Preemption is not helpful for scheduling")
    if victims:
        parts.append(f"{victims} No preemption victims found for incoming pod")
    return ", ".join(sorted(parts))


def refusal(store: Store, pod: Json, node: Json) -> str:
    """Why this node will not do for a Pod, by what stands in both and by host ports; "" when it will. (How full the
    node is does not count: DaemonSets ask so.)"""
    why = standing(pod, node)
    if not why:
        share = share_of({"spec": {"containers": spec_of(pod).get("containers") or []}})
        if share.ports:
            taken = frozenset(
                port for p in store.pods_on(name_of(node)) if not finished(p) for port in share_of(p).ports
            )
            room = room_of(node)
            why = fit(Share(ports=share.ports), replace(room, ports=taken))
    return why[0][0] if why else ""


__all__ = ["refusal", "schedule"]

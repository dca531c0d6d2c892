"""Which workloads have to be looked at: those that were written, and those whose pods, sets or nodes changed.

Rules. What is remembered is copied before it is changed, because copies of a cluster share it. A pod's change costs
one look at its owner; a removed pod is known by `owners`, which remembers who owned it.
"""

from __future__ import annotations

from dataclasses import field

from engine.kube.objects import Json, deleting, labels_of, meta, name_of, spec_of
from engine.kube.overlay import Overlay
from engine.kube.passes import Pass
from engine.record import dataclass

MEMORY = "workloads"
KINDS = ("Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job")
Key = tuple[str, str]
#: kind, namespace, name
Ref = tuple[str, str, str]


@dataclass(slots=True)
class Queue:
    """`owners` of what is owned, both as kind, namespace and name; `free` the pods without an owner that changed;
    `nodes` what of each Node decides where DaemonSets run; `later` when a workload looks again by itself."""

    version: int = 0
    owners: Overlay[Ref, Ref] = field(default_factory=Overlay)
    waiting: frozenset[Ref] = frozenset()
    free: frozenset[Key] = frozenset()
    nodes: dict[str, str] = field(default_factory=dict)
    nodes_version: int = 0
    later: dict[Ref, float] = field(default_factory=dict)
    #: not after the first of `later`
    soonest: float = float("inf")
    #: what a controller made of its own object since the last look, by resourceVersion: it would find nothing to do
    own: dict[Ref, str] = field(default_factory=dict)

    def copy(self) -> Queue:
        return Queue(
            self.version, self.owners.copy(), self.waiting, self.free, self.nodes, self.nodes_version,
            dict(self.later), self.soonest, dict(self.own),
        )  # fmt: skip


def known(at: Pass) -> Queue:
    found = at.cluster.memory.get(MEMORY)
    return found if isinstance(found, Queue) else Queue()


def changing(at: Pass) -> Queue:
    """What is known, to be changed."""
    return at.mine(MEMORY, known(at))


def look(at: Pass) -> Queue:
    """What is to be done, after everything that was written since the last look and whatever has become due."""
    old, store = known(at), at.store
    late = {ref for ref, when in old.later.items() if when <= at.now} if old.soonest <= at.now else set()
    if old.version == store.version and not late:
        return old
    new = changing(at)
    version, new.version = old.version, store.version
    dirty: set[Ref] = set(late)
    for ref in late:
        del new.later[ref]
    if late:
        new.soonest = min(new.later.values(), default=float("inf"))
    own, new.own = new.own, {}
    for kind in KINDS:
        found = store.objects.get(kind, {})
        for key in store.since(kind, version):
            ref = (kind, *key)
            mine = own.get(ref)
            if mine is None or key not in found or found[key]["metadata"]["resourceVersion"] != mine:
                dirty.add(ref)
    free: set[Key] = set()
    for kind in ("Pod", "ReplicaSet", "ControllerRevision"):
        _owned(at, new, kind, version, dirty, free)
    if store.since("Node", version):
        _nodes(at, new, dirty)
    new.waiting |= dirty
    new.free |= free
    return new


def _owned(at: Pass, new: Queue, kind: str, version: int, dirty: set[Ref], free: set[Key]) -> None:
    found = at.store.objects.get(kind, {})
    last: object = None  # the references that were looked at last: pods made together share theirs
    ref: Ref | None = None
    for key in at.store.since(kind, version):
        namespace, name = key
        body = found.get(key)
        references = meta(body).get("ownerReferences") if body is not None else None
        if references is None:
            ref = last = None
        elif references is not last:
            ref, last = None, references
            for owner in references:
                if owner.get("controller"):
                    ref = (str(owner["kind"]), namespace, str(owner["name"]))
        before = new.owners.get((kind, namespace, name))
        if ref is not None and ref[0] in KINDS:
            dirty.add(ref)
        if before is not None and before != ref and before[0] in KINDS:
            dirty.add(before)
        if body is None and before is not None and before[0] == "ReplicaSet":
            # A Deployment that recreates waits for its last old pod to go.
            above = new.owners.get(("ReplicaSet", namespace, before[2]))
            dirty |= {above} if above is not None else set()
        if kind == "Pod" and body is not None and ref is None and not deleting(body):
            free.add(key)
        if ref != before:
            new.owners.put((kind, namespace, name), ref)


def _nodes(at: Pass, new: Queue, dirty: set[Ref]) -> None:
    now = {name_of(n): signature(n) for n in at.store.list("Node")}
    if now != new.nodes:
        new.nodes, new.nodes_version = now, new.nodes_version + 1
        dirty |= {("DaemonSet", *key) for key in at.store.keys("DaemonSet")}


def signature(node: Json) -> str:
    """What of a Node decides whether a DaemonSet's pod runs there."""
    spec = spec_of(node)
    return repr((sorted(labels_of(node).items()), spec.get("taints"), spec.get("unschedulable")))


def take(at: Pass, kind: str) -> list[Key]:
    """The objects of one kind that are to be looked at, sorted; they are not waiting any more."""
    now = look(at)
    mine = frozenset(r for r in now.waiting if r[0] == kind)
    if not mine:
        return []
    changing(at).waiting -= mine
    return sorted((namespace, name) for _, namespace, name in mine)


def taken(at: Pass) -> list[Key]:
    """The pods without owner that changed; they are not asked about again."""
    now = changing(at)
    free, now.free = now.free, frozenset()
    return sorted(free)


def done(at: Pass, body: Json) -> None:
    """A controller has written what it found of its own object, and has nothing to do before something else changes."""
    m = body["metadata"]
    changing(at).own[str(body["kind"]), m["namespace"], m["name"]] = m["resourceVersion"]


def again(at: Pass, body: Json, when: float) -> None:
    """Look at a workload again at this time."""
    now = known(at)
    ref = (str(body["kind"]), str(body["metadata"]["namespace"]), name_of(body))
    if now.later.get(ref, float("inf")) != when:
        new = changing(at)
        if when == float("inf"):
            del new.later[ref]
        else:
            new.later[ref] = when
            new.soonest = min(new.soonest, when)


def due(at: Pass) -> float:
    now = known(at)
    if now.soonest > at.now:
        return now.soonest
    return min((t for t in now.later.values() if t > at.now), default=float("inf"))

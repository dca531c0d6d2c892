"""Which pods a Service selects, and which Services have to be looked at again.

Theory. Three controllers (EndpointSlices, Endpoints, mirroring) ask the same: what of a Service's pods has changed? A
pod matters by a few fields only (`Seen`): its labels, addresses, readiness, deletion, host name. When they change, the
Services that select it by its old and by its new labels are put into each controller's queue (podEndpointsChanged and
getServicesForPod in staging/src/k8s.io/endpointslice/util/controller_utils.go). A slice or an Endpoints object that
somebody writes or removes puts its Service there too.

Rules. What `Members` holds is copied before it is changed, because copies of a cluster share it. A change of one pod
costs the length of its labels, never a scan of pods; a new selector scans its namespace once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field

from engine.kube.objects import Json, labels_of, meta, name_of, spec_of, status_of
from engine.kube.overlay import Overlay
from engine.kube.passes import Pass
from engine.record import dataclass

Key = tuple[str, str]
Labels = tuple[tuple[str, str], ...]
MEMORY = "service-members"
SERVICE_NAME = "kubernetes.io/service-name"
ZONE = "topology.kubernetes.io/zone"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
#: The controllers that are told.
SLICES, ENDPOINTS, MIRRORING = "endpointslice", "endpoints", "mirroring"


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a pod can change an endpoint. `uid` tells a pod from its successor of the same name."""

    uid: str
    labels: Labels
    ips: tuple[str, ...]
    node: str
    host: Key
    ready: bool
    #: when its Ready condition changed last, as text
    since: str
    going: bool
    done: bool

    def included(self, *, going: bool) -> bool:
        """ShouldPodBeInEndpoints: it has an address and has not ended; `going` = also while it terminates."""
        return not self.done and bool(self.ips) and (going or not self.going)


#: A pod of a Service: its name, its body, what counts of it.
Member = tuple[str, Json, Seen]


@dataclass(slots=True)
class Members:
    """`pods` as they were seen last; `selectors` of Services; `by_label[namespace, label, value]` are the Services
    whose selector begins with that pair; `members` the names of the pods of a Service; `of_slice` the Service that a
    slice says it is for, `slices` the other way round; `homeless` Services that left out a pod because its node is not
    known; `queue` what each controller still has to look at."""

    version: int = 0
    pods: Overlay[Key, Seen] = field(default_factory=Overlay)
    selectors: Overlay[Key, Labels] = field(default_factory=Overlay)
    by_label: Overlay[tuple[str, str, str], tuple[str, ...]] = field(default_factory=Overlay)
    members: Overlay[Key, frozenset[str]] = field(default_factory=Overlay)
    of_slice: Overlay[Key, str] = field(default_factory=Overlay)
    slices: Overlay[Key, frozenset[str]] = field(default_factory=Overlay)
    homeless: frozenset[Key] = frozenset()
    queue: dict[str, frozenset[Key]] = field(default_factory=dict)

    def copy(self) -> Members:
        return Members(
            self.version, self.pods.copy(), self.selectors.copy(), self.by_label.copy(), self.members.copy(),
            self.of_slice.copy(), self.slices.copy(), self.homeless, dict(self.queue),
        )  # fmt: skip

    def selected_by(self, namespace: str, labels: Labels, only: set[Key] | None = None) -> set[Key]:
        """The Services of a namespace whose selector these labels meet, of `only` these if given."""
        found: set[Key] = set()
        have = set(labels)
        for key, value in labels:
            for name in self.by_label.get((namespace, key, value)) or ():
                at = (namespace, name)
                if (only is None or at in only) and have.issuperset(self.selectors.get(at) or ()):
                    found.add(at)
        return found

    def told_apart(
        self, keys: Iterable[Key], pods: Mapping[Key, Json]
    ) -> Iterator[tuple[Key, Seen | None, Seen | None]]:
        """The pods that are not as they were: key, how they were, how they are. A pod that nobody has started yet (it
        has neither an address nor a word on whether it is ready) cannot be an endpoint, and counts as not there."""
        labels: dict[int, Labels] = {}  # those of pods that were made together are one object
        for key in keys:
            body = pods.get(key)
            now = seen(body, labels) if body is not None and started(status_of(body)) else None
            before = self.pods.get(key)
            if now != before:
                yield key, before, now

    def tell(self, queues: Iterable[str], keys: Iterable[Key]) -> None:
        more = frozenset(keys)
        if more:
            for name in queues:
                self.queue[name] = self.queue.get(name, frozenset()) | more


def started(status: Json) -> bool:
    return "podIP" in status or any(c["type"] == "Ready" for c in status.get("conditions") or ())


def seen(pod: Json, known: dict[int, Labels] | None = None) -> Seen:
    """What counts of a pod; `known` are the labels that were sorted already, by their dict."""
    known = {} if known is None else known
    m, spec, status = meta(pod), spec_of(pod), status_of(pod)
    rows = status.get("podIPs")
    ips = tuple(str(row["ip"]) for row in rows) if rows else ()
    if not ips and status.get("podIP"):
        ips = (str(status["podIP"]),)
    ready, since = False, ""
    for row in status.get("conditions") or ():
        if row["type"] == "Ready":
            ready, since = row["status"] == "True", str(row.get("lastTransitionTime") or "")
    rows = m.get("labels") or {}
    labels = known.get(id(rows))
    if labels is None:
        labels = known[id(rows)] = tuple(sorted(rows.items()))
    return Seen(
        str(m.get("uid", "")), labels, ips, str(spec.get("nodeName") or ""),
        (str(spec.get("hostname") or ""), str(spec.get("subdomain") or "")), ready, since, "deletionTimestamp" in m,
        status.get("phase") in ("Succeeded", "Failed"),
    )  # fmt: skip


def selector_of(service: Json) -> Labels:
    """The pairs that a pod must have; () for a Service that selects nothing."""
    spec = spec_of(service)
    if spec.get("type") == "ExternalName":
        return ()
    return tuple(sorted((str(k), str(v)) for k, v in (spec.get("selector") or {}).items()))


def look(at: Pass) -> Members:
    """What is known now, after everything that was written since the last look."""
    known = at.cluster.memory.get(MEMORY)
    old = known if isinstance(known, Members) else Members()
    store = at.store
    if old.version == store.version:
        return old
    new = old.copy()
    new.version = store.version
    services, legacy = store.since("Service", old.version), store.since("Endpoints", old.version)
    dirty: set[Key] = set(services)
    fresh = _services(at, new, services)
    told = _pods(at, new, store.since("Pod", old.version), dirty)
    if fresh:
        _scan(at, new, fresh, told)
    if store.since("Node", old.version):
        dirty |= new.homeless
        new.homeless = frozenset()
    touched = _slices(at, new, store.since("EndpointSlice", old.version))
    new.tell((SLICES,), dirty | touched)
    new.tell((ENDPOINTS,), dirty | set(legacy))
    new.tell((MIRRORING,), {*services, *legacy, *touched})
    at.cluster.memory[MEMORY] = new
    return new


def _services(at: Pass, new: Members, keys: Iterable[Key]) -> set[Key]:
    """Take up Services as they are now; those whose selector is new are given back."""
    fresh: set[Key] = set()
    for key in keys:
        body = at.store.get("Service", *key)
        selector = () if body is None else selector_of(body)
        old = new.selectors.get(key) or ()
        if selector == old:
            continue
        if old:
            head = (key[0], *old[0])
            new.by_label.put(head, tuple(n for n in new.by_label.get(head) or () if n != key[1]) or None)
            new.selectors.put(key, None)
        new.members.put(key, None)
        if selector:
            head = (key[0], *selector[0])
            new.by_label.put(head, (*(new.by_label.get(head) or ()), key[1]))
            new.selectors.put(key, selector)
            fresh.add(key)
    return fresh


NOBODY: set[Key] = set()


def _pods(at: Pass, new: Members, keys: Iterable[Key], dirty: set[Key]) -> Mapping[Key, Seen | None]:
    """Take up pods as they are now; those that changed are given back."""
    joined: dict[Key, set[str]] = {}
    left: dict[Key, set[str]] = {}
    changed: dict[Key, Seen | None] = {}
    known: dict[tuple[str, Labels], set[Key]] = {}

    def selecting(namespace: str, pod: Seen | None) -> set[Key]:
        if pod is None:
            return NOBODY
        found = known.get((namespace, pod.labels))
        if found is None:
            found = known[namespace, pod.labels] = new.selected_by(namespace, pod.labels)
        return found

    for key, before, now in new.told_apart(keys, at.store.objects.get("Pod", {})):
        namespace, name = key
        changed[key] = now
        was, here = selecting(namespace, before), selecting(namespace, now)
        dirty |= was
        dirty |= here
        for service in here:
            joined.setdefault(service, set()).add(name)
        for service in was - here if was is not here else ():
            left.setdefault(service, set()).add(name)
    new.pods.put_all(changed)
    for service in joined.keys() | left.keys():
        old = new.members.get(service) or frozenset()
        add, drop = joined.get(service, set()), left.get(service, set())
        if not add <= old or drop & old:
            new.members.put(service, (old | add) - drop)
    return changed


def _scan(at: Pass, new: Members, fresh: set[Key], told: Mapping[Key, Seen | None]) -> None:
    """The members of Services with a new selector: one look at every pod of their namespaces that did not change just
    now (`told`: those have found their Services already)."""
    found: dict[Key, set[str]] = {key: set(new.members.get(key) or ()) for key in fresh}
    for namespace in {namespace for namespace, _ in fresh}:
        for pod in at.store.in_namespace("Pod", namespace):
            name = name_of(pod)
            if (namespace, name) not in told and (namespace, name) in new.pods:
                for key in new.selected_by(namespace, tuple(labels_of(pod).items()), fresh):
                    found[key].add(name)
    for key, names in found.items():
        new.members.put(key, frozenset(names))


def _slices(at: Pass, new: Members, keys: Iterable[Key]) -> set[Key]:
    """Which slice is for which Service; the Services of slices that were written or removed are given back."""
    touched: set[Key] = set()
    for key in keys:
        body = at.store.get("EndpointSlice", *key)
        name = labels_of(body).get(SERVICE_NAME, "") if body is not None else ""
        old = new.of_slice.get(key) or ""
        for service in {old, name} - {""}:
            touched.add((key[0], service))
        if name == old:
            continue
        if old:
            new.slices.put((key[0], old), (new.slices.get((key[0], old)) or frozenset()) - {key[1]})
            new.of_slice.put(key, None)
        if name:
            new.slices.put((key[0], name), (new.slices.get((key[0], name)) or frozenset()) | {key[1]})
            new.of_slice.put(key, name)
    return touched


class Turn:
    """One controller's turn: the Services that it has to look at, and what it finds about them. Copies are made once a
    turn, so that ten thousand Services at once cost no more than that."""

    def __init__(self, at: Pass, queue: str) -> None:
        self.at = at
        self.queue = queue
        self.known = look(at)
        self.keys: list[Key] = sorted(self.known.queue.get(queue) or ())
        self.homeless: set[Key] = set()
        self._zones: dict[str, str | None] = {}

    def pods(self, key: Key) -> list[Member]:
        """The pods that a Service selects, by name."""
        found, known, namespace = self.at.store.objects.get("Pod", {}), self.known.pods, key[0]
        out: list[Member] = []
        for name in sorted(self.known.members.get(key) or ()):
            seen = known.get((namespace, name))
            if seen is not None:
                out.append((name, found[namespace, name], seen))
        return out

    def zone(self, node: str) -> str | None:
        """The zone of a node, "" without one; None for a node that is not known."""
        if node not in self._zones:
            body = self.at.store.get("Node", "", node)
            self._zones[node] = None if body is None else str(labels_of(body).get(ZONE, ""))
        return self._zones[node]

    def slices(self, key: Key, manager: str) -> list[Json]:
        """The EndpointSlices that say they are for a Service and that a controller manages, by name."""
        found = self.at.store.objects.get("EndpointSlice", {})
        rows = [found[key[0], name] for name in sorted(self.known.slices.get(key) or ())]
        return [row for row in rows if labels_of(row).get(MANAGED_BY) == manager]

    def close(self) -> None:
        """All is done: the queue is empty, what the controller wrote itself does not fill it again, and Services that
        left out a pod are kept in mind."""
        new = look(self.at).copy()
        new.queue[self.queue] = frozenset()
        new.homeless |= self.homeless
        self.at.cluster.memory[MEMORY] = new

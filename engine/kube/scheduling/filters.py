"""The filters of the default profile: may a Pod go to a node, and if not, why, in the plugins' own words.

Theory. Per node the plugins run in their order and the first that refuses gives the node's reasons (several, from
NodeResourcesFit). `standing` are those that look at Node and Pod alone; `fit` counts what is left; `Around` are those
that look at the Pods of all nodes (PodTopologySpread, InterPodAffinity), prepared once a Pod. Source:
pkg/scheduler/framework/plugins/{nodeunschedulable,nodename,tainttoleration,nodeaffinity,nodeports,noderesources,
podtopologyspread,interpodaffinity}.

Rules. A reason is (text, curable): is it one that removing Pods could cure (Unschedulable, else
UnschedulableAndUnresolvable)?
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import field

from engine.kube.objects import Json, deleting, labels_of, name_of, namespace_of, spec_of
from engine.kube.podspec import on_node, ports_clash
from engine.kube.scheduling.nodes import Cache, Room, Share
from engine.kube.select import matches, node_fits, tolerated
from engine.kube.store import Store
from engine.record import dataclass

Reason = tuple[str, bool]
Reasons = tuple[Reason, ...]
OK: Reasons = ()
UNSCHEDULABLE: Reasons = (("node(s) were unschedulable", False),)
SELECTOR: Reasons = (("node(s) didn't match Pod's node affinity/selector", False),)
PORTS: Reasons = (("node(s) didn't have free ports for the requested pod ports", True),)
SPREAD: Reasons = (("node(s) didn't match pod topology spread constraints", True),)
SPREAD_LABEL: Reasons = (
    ("node(s) didn't match pod topology spread constraints (missing required label)", False),
)
AFFINITY: Reasons = (("node(s) didn't match pod affinity rules", False),)
ANTI: Reasons = (("node(s) didn't match pod anti-affinity rules", True),)
EXISTING: Reasons = (("node(s) didn't satisfy existing pods anti-affinity rules", True),)
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def standing(pod: Json, node: Json) -> Reasons:
    """NodeUnschedulable, TaintToleration and NodeAffinity."""
    spec, taints = spec_of(pod), spec_of(node)
    tolerations = spec.get("tolerations") or []
    if taints.get("unschedulable") and not tolerated(CORDONED, tolerations):
        return UNSCHEDULABLE
    for taint in taints.get("taints") or ():
        if taint["effect"] in ("NoSchedule", "NoExecute") and not tolerated(taint, tolerations):
            return ((f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}", False),)
    labels = labels_of(node)
    if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
        return SELECTOR
    required = node_affinity(spec).get(REQUIRED)
    if required and not node_fits(required.get("nodeSelectorTerms") or (), name_of(node), labels):
        return SELECTOR
    return OK


CORDONED: Json = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def node_affinity(spec: Json) -> Json:
    return (spec.get("affinity") or {}).get("nodeAffinity") or {}


def fit(share: Share, room: Room) -> Reasons:
    """NodePorts, then NodeResourcesFit with all that is not enough."""
    if not share.ports and not share.amounts and room.pods < room.most:
        return OK
    if share.ports and ports_clash(set(share.ports), set(room.ports)):
        return PORTS
    out: list[Reason] = []
    if room.pods >= room.most:
        out.append(("Too many pods", True))
    if share.amounts:
        there, asked = room.allocatable, room.asked
        for name, number in share.amounts:
            if number > there.get(name, 0) - asked.get(name, 0):
                out.append((f"Insufficient {name}", number <= there.get(name, 0)))
    return tuple(out)


def looks_around(spec: Json) -> bool:
    """Does a Pod have hard rules about the Pods of other nodes?"""
    affinity = spec.get("affinity") or {}
    return any((affinity.get(k) or {}).get(REQUIRED) for k in ("podAffinity", "podAntiAffinity")) or any(
        c.get("whenUnsatisfiable") == "DoNotSchedule" for c in spec.get("topologySpreadConstraints") or ()
    )


@dataclass(slots=True, kw_only=True)
class Term:
    """One required term: its topology key, how many Pods it matches per value of the key."""

    key: str
    found: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, kw_only=True)
class Spread:
    """One DoNotSchedule constraint: how many matching Pods each domain has, and which domains there are."""

    key: str
    skew: int
    mine: int
    domains: dict[str, int]
    minimum: int


class Around:
    """PodTopologySpread and InterPodAffinity for one Pod."""

    def __init__(self, store: Store, cache: Cache, pod: Json) -> None:
        self.store = store
        self.cache = cache
        spec = spec_of(pod)
        affinity = spec.get("affinity") or {}
        self.spreads = [
            self._spread(pod, c)
            for c in spec.get("topologySpreadConstraints") or ()
            if c.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        ]
        near = (affinity.get("podAffinity") or {}).get(REQUIRED) or ()
        self.near = [self._term(pod, t) for t in near]
        self.apart = [self._term(pod, t) for t in (affinity.get("podAntiAffinity") or {}).get(REQUIRED) or ()]
        # The first of a group that wants to be together may go anywhere when it matches its own terms.
        self.first = (
            bool(near)
            and not any(t.found for t in self.near)
            and all(term_matches(t, namespace_of(pod), pod, store) for t in near)
        )
        self.forbidden = self._forbidden(pod)

    def reasons(self, node: Json) -> Reasons:
        labels = labels_of(node)
        for one in self.spreads:
            if one.key not in labels:
                return SPREAD_LABEL
            if one.domains.get(labels[one.key], 0) + one.mine - one.minimum > one.skew:
                return SPREAD
        for term in self.near:
            if term.key not in labels or (not term.found[labels[term.key]] and not self.first):
                return AFFINITY
        if any(term.found[labels[term.key]] for term in self.apart if term.key in labels):
            return ANTI
        if any(labels.get(key) == value for key, value in self.forbidden):
            return EXISTING
        return OK

    def _label(self, pod: Json, key: str) -> str | None:
        room = self.cache.rooms.get(on_node(pod))
        return labels_of(room.body).get(key) if room is not None else None

    def _term(self, pod: Json, term: Json) -> Term:
        out = Term(key=str(term.get("topologyKey", "")))
        for other in self._pods(term_namespaces(term, namespace_of(pod), self.store)):
            if on_node(other) and selects(term, pod, other):
                value = self._label(other, out.key)
                if value is not None:
                    out.found[value] += 1
        return out

    def _pods(self, namespaces: Iterable[str] | None) -> Iterable[Json]:
        if namespaces is None:
            return self.store.objects.get("Pod", {}).values()
        return (p for n in namespaces for p in self.store.list("Pod", n))

    def _spread(self, pod: Json, rule: Json) -> Spread:
        key, selector = str(rule.get("topologyKey", "")), with_keys(rule, rule.get("labelSelector"), pod)
        domains: dict[str, int] = {}
        for room in self.cache.rooms.values():
            value = labels_of(room.body).get(key)
            if value is not None and counted(rule, pod, room.body):
                domains.setdefault(value, 0)
        for other in self.store.list("Pod", namespace_of(pod)):
            if on_node(other) and not deleting(other) and matches(selector, labels_of(other)):
                value = self._label(other, key)
                if value in domains:
                    domains[value] += 1
        minimum = min(domains.values(), default=0)
        if len(domains) < int(rule.get("minDomains") or 1):
            minimum = 0
        mine = int(matches(selector, labels_of(pod)))
        return Spread(key=key, skew=int(rule.get("maxSkew", 1)), mine=mine, domains=domains, minimum=minimum)

    def _forbidden(self, pod: Json) -> set[tuple[str, str]]:
        """(key, value) of the places that Pods which are there keep this one away from."""
        out: set[tuple[str, str]] = set()
        for at in self.cache.around:
            other = self.store.get("Pod", *at)
            for term in anti_terms(other) if other is not None else ():
                key = str(term.get("topologyKey", ""))
                if other is not None and term_matches(term, at[0], pod, self.store, of=other):
                    value = self._label(other, key)
                    if value is not None:
                        out.add((key, value))
        return out


def counted(rule: Json, pod: Json, node: Json) -> bool:
    """Does a node make a domain? nodeAffinityPolicy (Honor) and nodeTaintsPolicy (Ignore)."""
    spec, labels = spec_of(pod), labels_of(node)
    if rule.get("nodeAffinityPolicy", "Honor") == "Honor":
        if any(labels.get(k) != v for k, v in (spec.get("nodeSelector") or {}).items()):
            return False
        required = node_affinity(spec).get(REQUIRED)
        if required and not node_fits(required.get("nodeSelectorTerms") or (), name_of(node), labels):
            return False
    if rule.get("nodeTaintsPolicy", "Ignore") == "Honor":
        tolerations = spec.get("tolerations") or []
        taints = spec_of(node).get("taints") or ()
        return all(t["effect"] == "PreferNoSchedule" or tolerated(t, tolerations) for t in taints)
    return True


def with_keys(rule: Json, selector: Json | None, pod: Json) -> Json | None:
    """A selector with the Pod's own values of matchLabelKeys and mismatchLabelKeys."""
    keys, others = rule.get("matchLabelKeys") or (), rule.get("mismatchLabelKeys") or ()
    if selector is None or not (keys or others):
        return selector
    labels = labels_of(pod)
    more = [{"key": k, "operator": "In", "values": [labels[k]]} for k in keys if k in labels]
    more += [{"key": k, "operator": "NotIn", "values": [labels[k]]} for k in others if k in labels]
    return {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *more]}


def anti_terms(pod: Json) -> Iterable[Json]:
    return ((spec_of(pod).get("affinity") or {}).get("podAntiAffinity") or {}).get(REQUIRED) or ()


def term_namespaces(term: Json, own: str, store: Store) -> list[str] | None:
    """The namespaces that a term looks into; None for all of them."""
    named, selector = [str(n) for n in term.get("namespaces") or ()], term.get("namespaceSelector")
    if selector is None:
        return named or [own]
    if not selector:
        return None
    return [
        *named,
        *(
            name_of(n)
            for n in store.list("Namespace")
            if name_of(n) not in named and matches(selector, labels_of(n))
        ),
    ]


def selects(term: Json, pod: Json, other: Json) -> bool:
    return matches(with_keys(term, term.get("labelSelector"), pod), labels_of(other))


def term_matches(term: Json, own: str, pod: Json, store: Store, of: Json | None = None) -> bool:
    """Does a term of a Pod in namespace `own` (of `of`, itself by default) match this Pod?"""
    names = term_namespaces(term, own, store)
    return (names is None or namespace_of(pod) in names) and selects(term, of if of is not None else pod, pod)

"""The default topology spread: Pods of one owner do not all go to one node.

Theory. A Pod without constraints of its own whose owner is a ReplicaSet, a StatefulSet or a ReplicationController is
scored by two soft ones: maxSkew 3 over host names, 5 over zones. A node's score is the sum of ln(domains + 2) times
the owner's Pods in its domain, plus maxSkew - 1; the least becomes 100. It weighs twice as much as how full the node
is. Source: pkg/scheduler/framework/plugins/podtopologyspread/{plugin,scoring}.go (systemDefaultConstraints),
framework/plugins/helper/spread.go (DefaultSelector), apis/config/v1/default_plugins.go (weight 2).

Rules. All nodes are scored in clusters of up to `FEW` nodes; beyond, the heaps (scores.Ranks) choose, whose fewest Pods
spread an owner's Pods as well: no Pod costs a look at every node. The owner's Pods are counted once a pass by the
store's index of owners; those that go do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log

from engine.kube.objects import Json, controller_of, deleting, labels_of, spec_of
from engine.kube.podspec import on_node
from engine.kube.scheduling.filters import fit, standing
from engine.kube.scheduling.nodes import Cache, Room, Share
from engine.kube.scheduling.scores import least, preference
from engine.kube.store import Store

FEW = 20
OWNERS = ("ReplicaSet", "StatefulSet", "ReplicationController")
#: (topology key, maxSkew)
DEFAULTS = (("kubernetes.io/hostname", 3), ("topology.kubernetes.io/zone", 5))
WEIGHT = 2


class Spread:
    """How many Pods each owner has on each node, in one pass: `found[uid][node]`."""

    def __init__(self) -> None:
        self.found: dict[str, Counter[str]] = {}

    def counts(self, store: Store, cache: Cache, pod: Json) -> Counter[str] | None:
        """The Pods of this one's owner by node; None when the default constraints do not concern it."""
        uid = _owner(pod) if len(cache.rooms) <= FEW else ""
        if not uid:
            return None
        found = self.found.get(uid)
        if found is None:
            mates = (p for p in store.owned_by(uid, "Pod") if on_node(p) and not deleting(p))
            found = self.found[uid] = Counter(on_node(p) for p in mates)
        return found

    def best(self, store: Store, cache: Cache, pod: Json, share: Share) -> str:
        """The node for a Pod that nothing but its owner's other Pods sets apart; "" when the spread has no say."""
        counts = self.counts(store, cache, pod)
        if not counts:
            return ""
        rooms = [r for r in cache.rooms.values() if not standing(pod, r.body) and not fit(share, r)]
        return weighed(rooms, {r.name: preference(pod, r.body) for r in rooms}, counts, share)

    def bound(self, pod: Json, node: str) -> None:
        """A Pod of an owner that was counted has got its node."""
        if self.found and (found := self.found.get(_owner(pod))) is not None:
            found[node] += 1


def _owner(pod: Json) -> str:
    owner = controller_of(pod)
    if owner is None or owner.get("kind") not in OWNERS or spec_of(pod).get("topologySpreadConstraints"):
        return ""
    return str(owner.get("uid", ""))


def weighed(rooms: Sequence[Room], liked: Mapping[str, int], counts: Mapping[str, int], share: Share) -> str:
    """Of nodes that will do, the one with the highest preference, then with the best of spread and room, then with the
    fewest Pods, the first by name. "" of none."""
    spread = scores(rooms, counts)
    found = min(
        ((-liked[r.name], least(share, r) - WEIGHT * spread[r.name], r.pods, r.name) for r in rooms),
        default=None,
    )
    return found[3] if found is not None else ""


def scores(rooms: Sequence[Room], counts: Mapping[str, int]) -> dict[str, int]:
    """Score and NormalizeScore: 100 for the nodes where the fewest mates are, less for others."""
    raw = dict.fromkeys((r.name for r in rooms), 0.0)
    for key, skew in DEFAULTS:
        place = {r.name: v for r in rooms if (v := labels_of(r.body).get(key)) is not None}
        domains: Counter[str] = Counter()
        for name, value in place.items():
            domains[value] += counts.get(name, 0)
        weight = log(len(domains) + 2)
        for name, value in place.items():
            raw[name] += domains[value] * weight + skew - 1
    found = {name: int(number + 0.5) for name, number in raw.items()}
    high, low = max(found.values(), default=0), min(found.values(), default=0)
    return {name: 100 * (high + low - number) // high if high else 100 for name, number in found.items()}

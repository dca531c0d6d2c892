"""Which of the nodes that will do a Pod goes to.

Theory. Preferences come first: preferred node affinity, taints with PreferNoSchedule, preferred Pod (anti-)affinity,
spread constraints with ScheduleAnyway. Then what is asked of the node (NodeResourcesFit, LeastAllocated, for cpu and
memory), then the fewest Pods, which is what the default spreading and the balanced allocation come to on equal nodes;
the first by name on a tie, where the real scheduler draws. Nodes that only requests and counts tell apart stand in a
heap per form of Pod (`Ranks`), so that a Pod costs the heap's logarithm and not a look at every node.

Rules. A key is a tuple, the smallest wins. A node's key only grows while Pods are bound; when one leaves, the node
comes into every heap again; when a Node changes (`Cache.nodes`), the heaps are made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush, heapreplace

from engine.kube.objects import Json, labels_of, name_of, namespace_of, spec_of
from engine.kube.podspec import on_node
from engine.kube.scheduling.filters import fit, node_affinity, selects, standing, term_matches, with_keys
from engine.kube.scheduling.nodes import Cache, Room, Share
from engine.kube.select import matches, node_fits, tolerated
from engine.kube.store import Store

PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
Rank = tuple[int, int, int, str]


def preference(pod: Json, node: Json) -> int:
    """Weights of the preferred terms that fit, less 1000 per PreferNoSchedule taint that is not tolerated."""
    spec = spec_of(pod)
    score = 0
    for term in node_affinity(spec).get(PREFERRED) or ():
        if node_fits([term.get("preference") or {}], name_of(node), labels_of(node)):
            score += int(term.get("weight", 1))
    for taint in spec_of(node).get("taints") or ():
        if taint["effect"] == "PreferNoSchedule" and not tolerated(taint, spec.get("tolerations") or []):
            score -= 1000
    return score


def least(share: Share, room: Room) -> int:
    """LeastAllocated with this Pod: 0 for an empty node, 100 for a full one. Every Pod counts for something beside what
    it asks for (GetNonzeroRequests), or one Pod with a request would turn all others away from its node."""
    there, asked, pods = room.allocatable, room.asked, room.pods + 1
    total = 0
    for name, more, mine in share.counted:
        if name in there:
            whole = there[name]
            left = whole - mine - more * pods - asked.get(name, 0)
            if left > 0:
                total += left * 100 // whole
    return 100 - total // 2


def rank(liked: int, share: Share, room: Room) -> Rank:
    return (-liked, least(share, room), room.pods, room.name)


def has_wishes(spec: Json) -> bool:
    """Does a Pod prefer places by the Pods that are there?"""
    affinity = spec.get("affinity") or {}
    return any((affinity.get(k) or {}).get(PREFERRED) for k in ("podAffinity", "podAntiAffinity")) or any(
        c.get("whenUnsatisfiable") == "ScheduleAnyway" for c in spec.get("topologySpreadConstraints") or ()
    )


def wishes(store: Store, cache: Cache, pod: Json) -> Callable[[Json], int]:
    """What the preferred Pod (anti-)affinity and the soft spread constraints add to a node's preference."""
    spec = spec_of(pod)
    affinity = spec.get("affinity") or {}
    counts: list[tuple[str, int, dict[str, int]]] = []

    def count(key: str, others: list[Json]) -> dict[str, int]:
        found: dict[str, int] = {}
        for other in others:
            room = cache.rooms.get(on_node(other))
            value = labels_of(room.body).get(key) if room is not None else None
            if value is not None:
                found[value] = found.get(value, 0) + 1
        return found

    for kind, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
        for row in (affinity.get(kind) or {}).get(PREFERRED) or ():
            term = row.get("podAffinityTerm") or {}
            pods = store.objects.get("Pod", {}).values()
            near = [p for p in pods if on_node(p) and term_matches(term, namespace_of(pod), p, store, of=pod)]
            counts.append((str(term.get("topologyKey", "")), sign * int(row.get("weight", 1)), count(
                str(term.get("topologyKey", "")), [p for p in near if selects(term, pod, p)])))  # fmt: skip
    for rule in spec.get("topologySpreadConstraints") or ():
        if rule.get("whenUnsatisfiable") == "ScheduleAnyway":
            selector = with_keys(rule, rule.get("labelSelector"), pod)
            mates = [p for p in store.list("Pod", namespace_of(pod)) if matches(selector, labels_of(p))]
            key = str(rule.get("topologyKey", ""))
            counts.append((key, -1, count(key, mates)))

    def liked(node: Json) -> int:
        labels = labels_of(node)
        return sum(weight * found.get(labels.get(key, ""), 0) for key, weight, found in counts)

    return liked


class Ranks:
    """The nodes that forms of Pods may stand on, best first: one heap a form. `liked[form]` is the preference of each
    node that may be taken at all, with what a Pod of the form asks for."""

    def __init__(self) -> None:
        self.heaps: dict[str, list[Rank]] = {}
        self.liked: dict[str, tuple[dict[str, int], Share]] = {}
        self.nodes = -1

    def follow(self, cache: Cache) -> None:
        """Nodes that changed empty the heaps; a node that a Pod has left comes in anew."""
        if self.nodes != cache.nodes:
            self.heaps, self.liked, self.nodes = {}, {}, cache.nodes
        for name in dict.fromkeys(cache.left):
            room = cache.rooms.get(name)
            for form, (liked, share) in self.liked.items():
                if room is not None and name in liked:
                    heappush(self.heaps[form], rank(liked[name], share, room))
        cache.left = []

    def best(self, cache: Cache, form: str, pod: Json, share: Share) -> str:
        """The node for a Pod of this form; "" when none will do."""
        heap = self.heaps.get(form)
        if heap is None:
            rooms = [r for r in cache.rooms.values() if not standing(pod, r.body)]
            liked = {r.name: preference(pod, r.body) for r in rooms}
            heap = self.heaps[form] = [rank(liked[r.name], share, r) for r in rooms]
            self.liked[form] = (liked, share)
            heapify(heap)
        there, anywhere = cache.rooms, not (share.amounts or share.ports)
        while heap:
            top = heap[0]
            room = there[top[3]]
            if room.pods >= room.most if anywhere else fit(share, room):
                heappop(heap)
                continue
            true = (top[0], least(share, room), room.pods, top[3])  # rank()
            if true == top:
                return top[3]
            heapreplace(heap, true)
        return ""

"""What every felix of a cluster knows: endpoints, namespaces, policies, and which pods each ipset holds.

Theory. One picture serves all nodes. It is brought up to date from what was written since the last time: one pod
that changes costs the ipsets one look each, not a new count of everybody.

Rules. A `Picture` is frozen and shared by copies of the cluster; its mappings are never changed in place. `serial`
grows when anything that a rule could depend on has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from engine.kube.objects import labels_of
from engine.kube.passes import Pass
from engine.kube.policy.chains import SetNeed, needs
from engine.kube.policy.convert import EGRESS, INGRESS, Policy, policy
from engine.kube.policy.endpoint import Endpoint, endpoint
from engine.kube.policy.selector import Namespaces
from engine.record import dataclass, replace

MEMORY = "policy"
Key = tuple[str, str]
#: A member of a set: an address, or (address, protocol, port).
Member = int | tuple[int, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """`policies` and `endpoints` by (namespace, name), `needs` the ipsets of all policies by id, `members` who is in
    them; `version` of the store that it shows."""

    version: int = -1
    serial: int = 0
    namespaces: Namespaces = field(default_factory=dict)
    policies: Mapping[Key, Policy] = field(default_factory=dict)
    endpoints: Mapping[Key, Endpoint] = field(default_factory=dict)
    needs: Mapping[str, SetNeed] = field(default_factory=dict)
    members: Mapping[str, frozenset[Member]] = field(default_factory=dict)

    def selecting(self, one: Endpoint) -> list[Policy]:
        """The policies about a pod, in the order in which felix asks them: by name."""
        found = [
            p
            for p in self.policies.values()
            if p.namespace == one.namespace and p.subject.selects(one, self.namespaces)
        ]
        return sorted(found, key=lambda p: f"{p.name}/{p.namespace}")


def picture(at: Pass) -> Picture:
    """The picture of this moment."""
    held = at.cluster.memory.get(MEMORY)
    old = held if isinstance(held, Picture) else Picture()
    if old.version == at.store.version:
        return old
    new = updated(old, at)
    at.cluster.memory[MEMORY] = new
    return new


def updated(old: Picture, at: Pass) -> Picture:
    store, version = at.store, at.store.version
    spaces = store.since("Namespace", old.version)
    written = store.since("NetworkPolicy", old.version)
    pods = store.since("Pod", old.version)
    new = replace(old, version=version)
    if spaces:
        found = {str(b["metadata"]["name"]): labels_of(b) for b in store.list("Namespace")}
        if found != old.namespaces:
            new = replace(new, namespaces=found, serial=new.serial + 1)
    if written:
        policies = dict(old.policies)
        for key in written:
            body = store.get("NetworkPolicy", *key)
            if body is None:
                policies.pop(key, None)
            else:
                policies[key] = policy(body)
        if policies != old.policies:
            asked = {n.id: n for p in policies.values() for n in needed(p)}
            new = replace(new, policies=policies, needs=asked, serial=new.serial + 1)
    changed: dict[Key, tuple[Endpoint | None, Endpoint | None]] = {}
    for key in pods:
        body = store.get("Pod", *key)
        was, now = old.endpoints.get(key), endpoint(body) if body is not None else None
        if was != now or (was is not None and now is not None and was.labels != now.labels):
            changed[key] = (was, now)
    if changed:
        endpoints = dict(old.endpoints)
        for key, (_, now) in changed.items():
            if now is None:
                endpoints.pop(key, None)
            else:
                endpoints[key] = now
        new = replace(new, endpoints=endpoints, serial=new.serial + 1)
    if new.serial == old.serial:
        return new
    return replace(new, members=counted(old, new, changed))


def needed(one: Policy) -> list[SetNeed]:
    return [
        n
        for way in (INGRESS, EGRESS)
        if way in one.types
        for rule in one.rules(way)
        for n in needs(way, rule)
    ]


def counted(
    old: Picture, new: Picture, changed: Mapping[Key, tuple[Endpoint | None, Endpoint | None]]
) -> dict[str, frozenset[Member]]:
    """Who is in each set: anew where the set is new or namespaces changed, else only for the pods that changed."""
    out: dict[str, frozenset[Member]] = {}
    for id, need in new.needs.items():
        before = old.members.get(id) if new.namespaces == old.namespaces else None
        if before is None:
            everybody = (m for one in new.endpoints.values() for m in share(need, one, new.namespaces))
            out[id] = frozenset(everybody)
            continue
        gone = {m for was, _ in changed.values() if was for m in share(need, was, new.namespaces)}
        come = {m for _, now in changed.values() if now for m in share(need, now, new.namespaces)}
        out[id] = before if gone == come else (before - gone) | come
    return out


def share(need: SetNeed, one: Endpoint, namespaces: Namespaces) -> list[Member]:
    """What a pod contributes to a set."""
    if not need.selector.selects(one, namespaces):
        return []
    if not need.port:
        return [one.address]
    return [
        (one.address, proto, number)
        for name, proto, number in one.ports
        if name == need.port and proto == need.proto
    ]

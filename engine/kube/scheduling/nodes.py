"""What the scheduler keeps of every node: how much of it is asked for by the Pods that are bound there.

Theory. The real scheduler's cache does the same (pkg/scheduler/backend/cache): it follows the API's changes and never
counts all Pods again. A Pod counts by its requests, one of the node's places for Pods, and its host ports, until it
has finished or is gone.

Rules. `Room` and `Share` are frozen and shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction
from functools import lru_cache
from typing import Any

from engine.kube.objects import Json, name_of, spec_of, status_of
from engine.kube.podspec import every_container, finished, host_ports, on_node
from engine.kube.quantity import value
from engine.kube.store import Store
from engine.kube.written import Key
from engine.linux.layered import shared
from engine.record import dataclass, replace

Port = tuple[str, str, int]
#: What a container without a request counts for: 100m and 200 MiB (pkg/scheduler/util/pod_resources.go).
NONZERO = (("cpu", 100), ("memory", 200 << 20))
#: Resources that are counted in thousandths; all others in whole units.
CPU = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What one Pod takes of a node: (resource, amount), cpu in thousandths and first; its host ports; `around` = it has
    rules about the Pods beside it that concern others too (required anti-affinity)."""

    amounts: tuple[tuple[str, int], ...] = ()
    ports: frozenset[Port] = frozenset()
    around: bool = False
    #: for LeastAllocated: resource, what a Pod counts for at least, what this one asks for
    counted: tuple[tuple[str, int, int], ...] = tuple((name, more, 0) for name, more in NONZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A node: its object, what may be asked of it, what is (dicts that are never changed). `pods` counts those that are
    bound and have not ended."""

    body: Json
    allocatable: dict[str, int]
    most: int
    pods: int = 0
    asked: dict[str, int] = field(default_factory=dict)
    ports: frozenset[Port] = frozenset()
    name: str


@lru_cache(1024)
def amount(name: str, text: object) -> int:
    """A quantity as the scheduler counts it. 0 for what is none."""
    try:
        number = value(str(text))
    except ValueError:
        return 0
    return -int(-number * (1000 if name == CPU else 1) // Fraction(1))


def share_of(pod: Json) -> Share:
    """PodRequests: the containers' sum or the greatest init container, whichever is more, and the overhead. A
    sidecar (an init container that restarts) counts with the others."""
    spec = spec_of(pod)
    total: dict[str, int] = {}
    greatest: dict[str, int] = {}
    for container in spec.get("containers") or ():
        _add(total, _requests(container))
    beside: dict[str, int] = {}
    for container in spec.get("initContainers") or ():
        own = _requests(container)
        if container.get("restartPolicy") == "Always":
            _add(beside, own)
            own = {}
        for name in {*own, *beside}:
            greatest[name] = max(greatest.get(name, 0), own.get(name, 0) + beside.get(name, 0))
    _add(total, beside)
    for name, number in greatest.items():
        total[name] = max(total.get(name, 0), number)
    _add(total, {k: amount(k, v) for k, v in (spec.get("overhead") or {}).items()})
    return Share(
        amounts=tuple(sorted(((k, v) for k, v in total.items() if v), key=_order)), ports=frozenset(host_ports(spec)),
        around=bool(_required_anti(spec)), counted=tuple((n, more, total.get(n, 0)) for n, more in NONZERO),
    )  # fmt: skip


def _order(row: tuple[str, int]) -> tuple[int, str]:
    """cpu, memory and storage first, as fitsRequest asks."""
    first = ("cpu", "memory", "ephemeral-storage")
    return (first.index(row[0]) if row[0] in first else len(first), row[0])


def _requests(container: Json) -> dict[str, int]:
    resources = container.get("resources") or {}
    rows = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {k: amount(k, v) for k, v in rows.items()} if rows else {}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        total[name] = total.get(name, 0) + number


def _required_anti(spec: Json) -> bool:
    rules = (spec.get("affinity") or {}).get("podAntiAffinity") or {}
    return bool(rules.get("requiredDuringSchedulingIgnoredDuringExecution"))


NOTHING = Share()


def plain(spec: Json) -> bool:
    """Does a Pod ask for nothing but a place?"""
    return "affinity" not in spec and not any(
        c.get("resources") or c.get("ports") for c in every_container(spec)
    )


def room_of(body: Json) -> Room:
    """An empty node."""
    rows = status_of(body).get("allocatable") or {}
    amounts = {k: amount(k, v) for k, v in rows.items() if k != "pods"}
    return Room(body=body, allocatable=amounts, most=int(rows.get("pods", 110)), name=name_of(body))


@dataclass(slots=True)
class Cache:
    """`rooms` by node name; `held[pod]` what a Pod takes and where; `around` the Pods with required anti-affinity;
    `waiting` those without a node, with the state of the cluster (`change`) at which they were last refused.
    `change` counts everything that may make a refused Pod fit."""

    version: int = -1
    rooms: dict[str, Room] = field(default_factory=dict)
    held: dict[Key, tuple[str, Share]] = field(default_factory=dict)
    around: dict[Key, None] = field(default_factory=dict)
    waiting: dict[Key, int] = field(default_factory=dict)
    nodes: int = 0
    change: int = 0
    #: the nodes that a Pod has left since the heaps were last looked at; the heaps themselves (scores.Ranks)
    left: list[str] = field(default_factory=list, compare=False)
    ranks: Any = field(default=None, compare=False)

    def copy(self) -> Cache:
        self.rooms, rooms = shared(self.rooms)
        self.held, held = shared(self.held)
        return replace(
            self,
            rooms=rooms,
            held=held,
            around=dict(self.around),
            waiting=dict(self.waiting),
            left=[],
            ranks=None,
        )

    def follow(self, store: Store) -> bool:
        """Take in what was written since the last time. False when there was nothing."""
        if self.version == store.version:
            return False
        nodes, pods = store.since("Node", self.version), store.since("Pod", self.version)
        self.version = store.version
        for _, name in nodes:
            self._node(store, name)
        for key in reversed(pods):
            self._pod(key, store.get("Pod", *key))
        return bool(nodes or pods)

    def _node(self, store: Store, name: str) -> None:
        body, old = store.get("Node", "", name), self.rooms.get(name)
        if body is None:
            if self.rooms.pop(name, None) is not None:
                self.nodes += 1
            return
        if old is not None and _same(old.body, body):
            self.rooms[name] = replace(old, body=body)
            return
        room = room_of(body)
        if old is not None:
            room = replace(room, pods=old.pods, asked=old.asked, ports=old.ports)
        else:
            for at, share in self.held.values():
                if at == name:
                    room = with_share(room, share, 1)
        self.rooms[name] = room
        self.nodes += 1
        self.change += 1

    def _pod(self, key: Key, body: Json | None) -> None:
        over = body is None or finished(body)
        node = on_node(body) if body is not None and not over else ""
        old = self.held.get(key)
        if over or node:
            self.waiting.pop(key, None)
        else:
            self.waiting[key] = -1
        if old is not None and old[0] == node:
            return
        if old is not None:
            self._leave(key, *old)
        if node and body is not None:
            self.hold(key, node, NOTHING if plain(spec_of(body)) else share_of(body))

    def hold(self, key: Key, node: str, share: Share) -> None:
        """A Pod is bound."""
        self.held[key] = (node, share)
        if share.around:
            self.around[key] = None
        room = self.rooms.get(node)
        if room is not None:
            self.rooms[node] = with_share(room, share, 1)

    def _leave(self, key: Key, node: str, share: Share) -> None:
        del self.held[key]
        self.around.pop(key, None)
        room = self.rooms.get(node)
        if room is not None:
            room = with_share(room, share, -1)
            if share.ports:
                rest = [s.ports for at, s in self.held.values() if at == node and s.ports]
                room = replace(room, ports=frozenset().union(*rest))
            self.rooms[node] = room
            self.left.append(node)
        self.change += 1


def _same(old: Json, new: Json) -> bool:
    """Nothing in a Node changed that decides about Pods."""
    return (
        old["spec"] == new["spec"]
        and old["metadata"].get("labels") == new["metadata"].get("labels")
        and status_of(old).get("allocatable") == status_of(new).get("allocatable")
    )


def with_share(room: Room, share: Share, sign: int) -> Room:
    """The node with one Pod more (1) or less (-1); host ports that go are the caller's."""
    if not share.amounts and not share.ports:
        return Room(
            body=room.body, allocatable=room.allocatable, most=room.most, pods=room.pods + sign, asked=room.asked,
            ports=room.ports, name=room.name,
        )  # fmt: skip
    asked = room.asked.copy()
    for name, number in share.amounts:
        asked[name] = asked.get(name, 0) + sign * number
        if not asked[name]:
            del asked[name]
    return Room(
        body=room.body, allocatable=room.allocatable, most=room.most, pods=room.pods + sign, asked=asked,
        ports=room.ports | share.ports if sign > 0 and share.ports else room.ports, name=room.name,
    )  # fmt: skip

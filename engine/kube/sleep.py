"""Nodes that sleep: their pods run, have addresses and are ready, and no kernel of theirs has been computed.

Theory. What a sleeping node's pods come to is worked out without it (dreaming.py). Waking (`rouse`) does what the node
would have done: its files and daemons at the time of its birth, its pods in the order in which they came, each at its
own time and with the API's objects of that time (`Dream.lived`). The order is kubelet's own, ids are drawn per node,
so addresses, ids and rows are the same as if the node had lived all along.

Rules. Only nodes of the bridge plugin sleep, and no control plane. A `Dream` is frozen, as copies of a cluster share
it. Events of a sleeping node's pods are recorded when they happen; waking records none.
"""

from __future__ import annotations

import weakref
from dataclasses import field
from typing import TYPE_CHECKING

from engine.fabric.plan import Fabric, names_of, sleepers, wake
from engine.kube import boot, masqagent, passes, system
from engine.kube.node import NodeState
from engine.kube.store import Store
from engine.kube.written import Key
from engine.linux.asleep import Sleeper, Sleepers, Waker
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import dataclass
from engine.unswept import laid_aside

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

#: A store as it was, and the keys of the pods that a node began then, in order.
Lived = tuple[float, Store, tuple[Key, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dream:
    """What a sleeping node would have done. `born` is when it booted; `pods` are those that it runs, by key, with
    their uid; `given` counts the addresses that host-local gave, `drawn` the ids of containers; `images` are those
    that it has pulled."""

    born: float
    lived: tuple[Lived, ...] = ()
    pods: dict[Key, str] = field(default_factory=dict)
    given: int = 0
    drawn: int = 0
    images: frozenset[str] = frozenset()


class NodeWaker(Waker):
    """Wakes the nodes of one cluster. `own`: may the cluster be changed? A Net that was copied alone has a cluster of
    its own from the first waking on."""

    def __init__(self, cluster: Cluster, net: Net | None, fabric: Fabric, names: str) -> None:
        self.cluster = cluster
        self.net = net
        self.fabric = fabric
        self.names = names
        self.own = True
        self.origin: weakref.ref[NodeWaker] | None = None

    def wake(self, net: Net, sleeper: Sleeper) -> None:
        if not self.own:
            self.cluster, self.own = self.cluster.copy(), True
        if not self.taken_over(net, sleeper):
            rouse(self, net, sleeper)

    def taken_over(self, net: Net, sleeper: Sleeper) -> bool:
        """In a copy of a lab where nothing has happened yet: the node wakes in the lab itself, and here stands a copy
        of it, so that the next copy finds it awake."""
        origin = self.origin() if self.origin is not None else None
        there = origin.net if origin is not None else None
        name = sleeper.name
        if origin is None or there is None or there.asleep is None or name not in there.asleep:
            return False
        if origin.cluster.store.version != self.cluster.store.version or origin.cluster.settling:
            return False
        if abs(there.clock - net.clock) > SOON or (
            origin.cluster.nodes[name].dream is not self.cluster.nodes[name].dream
        ):
            return False
        there.asleep.rouse(there, name)
        self.cluster.nodes[name] = origin.cluster.nodes[name].copy()
        net.boxes[name] = there.boxes[name].copy()
        for id, ns in list(there.spaces.items()):
            if ns.box == name:
                net.spaces[id] = ns.copy()
        self.cluster.woken(self.cluster.nodes[name])
        return True

    def holder(self, address: int) -> str:
        return next((n.name for n in self.cluster.nodes.values() if address in n.pod_cidr), "")

    def apart(self) -> NodeWaker:
        other = NodeWaker(self.cluster, None, self.fabric, self.names)
        other.own, other.origin = False, weakref.ref(self)
        return other


#: how far a packet may have got in a copy, in virtual seconds, for its lab to be thought the same still
SOON = 5.0


def attach(net: Net, cluster: Cluster, *, trial: bool = False) -> None:
    """A Net and a cluster that were copied together belong together: what wakes in one lives in the other. What wakes
    in a `trial` wakes nowhere else."""
    if net.asleep is not None and isinstance(old := net.asleep.waker, NodeWaker):
        other = NodeWaker(cluster, net, old.fabric, old.names)
        other.origin = None if trial else old.origin
        net.asleep.waker = other


def lay_down(net: Net, cluster: Cluster, fabric: Fabric) -> None:
    """The machines of a fabric that were not built are the cluster's sleeping nodes."""
    asleep = sleepers(net, fabric)
    if asleep:
        for name in asleep:
            cluster.nodes[name].dream = Dream(born=net.clock)
        net.sleep(Sleepers(asleep, NodeWaker(cluster, net, fabric, names_of(fabric))))


# ---- waking


def rouse(waker: NodeWaker, net: Net, sleeper: Sleeper) -> None:
    """Compute a node's kernel and containers, as if it had lived. They stay as long as the lab."""
    with laid_aside():
        _rouse(waker, net, sleeper)


def _rouse(waker: NodeWaker, net: Net, sleeper: Sleeper) -> None:
    cluster = waker.cluster
    old = cluster.nodes[sleeper.name]
    dream = old.dream if old.dream is not None else Dream(born=net.clock)
    node = cluster.nodes[sleeper.name] = NodeState(old.options, old.pod_cidr, silent=old.silent)
    changes = Changes(net)
    now, net.clock = net.clock, dream.born
    wake(changes, waker.fabric, sleeper, waker.names)
    if cluster.booted:
        first_day(cluster, changes, node)
        for when, store, keys in dream.lived:
            net.clock = when
            for key in keys:
                pod = store.get("Pod", *key)
                assert pod is not None
                kubelet = cluster.kubelet(changes, node, when, api=False)
                kubelet.store = store
                kubelet.sync(pod)
            agents(cluster, changes, node, when)
    net.clock = now
    cluster.woken(node)
    if cluster.booted:
        agents(cluster, changes, node, now)


def agents(cluster: Cluster, changes: Changes, node: NodeState, now: float) -> None:
    """The node's agents at a time that may have passed. What they tell in events does not count as a write."""
    store, version = cluster.store, cluster.store.version
    at = passes.Pass(cluster=cluster, changes=changes, now=now)
    for module in passes.modules(passes.AGENTS):
        module.sync(at, node)
    if all(store.latest(kind) <= version for kind in store.written):
        store.version = version


def first_day(cluster: Cluster, changes: Changes, node: NodeState) -> None:
    """A node's files, routes and daemons, as `Cluster.boot` and its first pass make them."""
    now = changes.net.clock
    boot.prepare(changes, node, cluster.options, now)
    boot.routes_of(changes, node, cluster.nodes, cluster.options)
    system.client_file(changes, node.name, cluster.options)
    system.daemons(changes, node, cluster.cri(changes, node, now), now)
    if masqagent.sync(changes, node.name):
        node.masq_sync = now + masqagent.RESYNC


__all__ = ["Dream", "NodeWaker", "attach", "lay_down", "rouse"]

"""One pass of the cluster's programs: what each gets to work with, and the order in which they stand.

Theory. `Cluster.one_pass` lets every program compare what should be with what is, once. A controller works on the
store; a node's agent works on that node's kernel. Both are modules with one function `sync`: a new one is one line
here.

Rules. `sync` is level-triggered and cheap when nothing has changed: it remembers in `memory` (of the cluster or of the
node: frozen values only, because copies share them) up to which `store.version` it has looked, and asks
`store.since(kind, version)` for what was written after that. `due` (optional) tells the next virtual time at which the
module must look again by itself.
"""

from __future__ import annotations

from dataclasses import field
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from engine.kube.ids import Ids
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.options import Options
from engine.kube.store import Store
from engine.linux.lent import Copied
from engine.linux.net import Net
from engine.linux.ops.base import Changes
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

C = TypeVar("C", bound=Copied)

#: What the API server itself keeps true (default/kubernetes): sync(at).
SERVER: tuple[str, ...] = ("engine.kube.services.kubernetes",)
#: What kube-controller-manager runs, in this order: sync(at).
CONTROLLERS: tuple[str, ...] = (
    "engine.kube.quota",
    "engine.kube.controllers.finalize",
    "engine.kube.controllers.garbage",
    "engine.kube.controllers.nodelifecycle",
    "engine.kube.eviction",
    "engine.kube.controllers.podgc",
    "engine.kube.workloads.run",
)
#: What it runs after the kubelets, so that a Pod that gets ready at once is an endpoint in the same pass: sync(at).
ENDPOINTS: tuple[str, ...] = (
    "engine.kube.controllers.endpointslice",
    "engine.kube.controllers.endpoints",
    "engine.kube.controllers.mirroring",
)
#: What runs on a node: sync(at, node). Each looks itself whether its process runs there.
AGENTS: tuple[str, ...] = (
    "engine.kube.cni.calico_node",
    "engine.kube.kubelet_chains",
    "engine.kube.proxy.agent",
    "engine.kube.remount",
    "engine.kube.dns.watch",
    "engine.kube.dns.cache",
)
#: What a cluster is given on its first day besides kubeadm's own: objects(options) -> bodies.
ADDONS: tuple[str, ...] = (
    "engine.kube.addons.priority_classes",
    "engine.kube.addons.kube_proxy",
    "engine.kube.addons.calico",
    "engine.kube.addons.coredns",
    "engine.kube.addons.nodelocaldns",
)


@dataclass(slots=True, kw_only=True)
class Pass:
    """One moment's pass. `now` is virtual seconds; `own` are the memories (cluster.memory) that were made in it: no
    copy of the cluster shares them yet."""

    cluster: Cluster
    changes: Changes
    now: float
    own: set[str] = field(default_factory=set)

    @property
    def store(self) -> Store:
        return self.cluster.store

    @property
    def net(self) -> Net:
        return self.changes.net

    @property
    def options(self) -> Options:
        return self.cluster.options

    @property
    def ids(self) -> Ids:
        return self.cluster.store.ids

    def create(self, body: Json) -> Json:
        """Create an object through the API server (defaults, allocation). validate.Refused."""
        return self.cluster.create(body, self.now)

    def try_create(self, body: Json) -> Json | None:
        """Create an object; None when the server refuses it (a namespace that is going takes nothing new)."""
        from engine.kube.validate import Refused

        try:
            return self.create(body)
        except Refused:
            return None

    def delete(self, body: Json) -> None:
        """Delete one through the API server (grace, finalizers, owners)."""
        self.cluster.delete(body, self.now)

    def mine(self, memory: str, found: C) -> C:
        """What the cluster remembers under this name, to be changed: `found` the first time in a pass as a copy, as
        other clusters may share it."""
        if memory not in self.own:
            self.own.add(memory)
            found = self.cluster.memory[memory] = found.copy()
        return found

    def running(self, node: NodeState, program: str) -> int:
        """The pid of a program that runs on a node, 0 when none does."""
        box = self.net.boxes[node.name]
        return next((pid for pid, proc in box.procs.items() if proc.program == program), 0)


@cache
def modules(names: tuple[str, ...]) -> list[ModuleType]:
    """The modules behind names of this file, imported when they are first needed."""
    return [import_module(name) for name in names]

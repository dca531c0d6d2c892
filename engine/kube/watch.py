"""Which nodes have to be looked at: those that something happened to since the last look.

Theory. A pass of the cluster is level-triggered, but nothing is compared that cannot have changed. A node is looked at
when an op touched its machine, a Pod of its own or its Node object was written, its kubelet has something to do at this
time, or the API server came or went. After something that leaves no mark (a runtime's records edited by crictl, a
fresh copy of the cluster) all nodes that are awake are looked at.

Rules. Only marks are kept here: versions of the store, a position in the log of ops, virtual times.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from engine.kube.store import Store
from engine.kube.written import Key
from engine.linux.ops.base import Changes, Op
from engine.record import dataclass


@dataclass(slots=True)
class Watch:
    """`log` is the log of ops and the position up to which it was read; `pods` and `nodes` the versions of the store up
    to which Pods and Nodes were; `due[node]` when its kubelet next acts by itself, unless it is in `stale`; `api` was
    the API server there; `again` are nodes to look at whatever happened."""

    log: tuple[int, int] = (0, 0)
    pods: int = -1
    nodes: int = -1
    api: bool = False
    due: dict[str, float] = field(default_factory=dict)
    stale: set[str] = field(default_factory=set)
    again: set[str] = field(default_factory=set)
    #: the nodes that are awake; None while that has to be looked up
    awake: tuple[str, ...] | None = None

    def copy(self) -> Watch:
        """For a copy of the cluster, whose log of ops is another list."""
        return Watch((0, 0), self.pods, self.nodes, self.api, {}, set(), set(), self.awake)

    def touched(self, changes: Changes, awake: Iterable[str], now: float, *, api: bool) -> set[str]:
        """The awake nodes to look at."""
        log, (which, at) = changes.log, self.log
        self.log = (id(log), len(log))
        if which != id(log) or at > len(log) or api != self.api:
            self.api = api
            return set(awake)
        found = self.again | {name for name, when in self.due.items() if when <= now}
        self.again = set()
        found.update(box_of(op) for op in log[at:])
        return found

    def pods_written(self, store: Store) -> tuple[Key, ...]:
        """The Pods that were written or removed since this was last asked, the latest first."""
        found, self.pods = store.since("Pod", self.pods), store.version
        return found

    def nodes_written(self, store: Store) -> set[str] | None:
        """The names of Nodes that were written or removed since this was last asked; None the first time."""
        first = self.nodes < 0
        found, self.nodes = store.since("Node", self.nodes), store.version
        return None if first else {name for _, name in found}


#: Modules of ops that make rules of the kernel: containerd and kubelet look at none.
RULES = frozenset({"xt", "xtchains", "xtrestore", "nft", "nftrows", "ipset", "ipvs", "rule", "bpf"})


def box_of(op: Op) -> str:
    """The machine that an op changes; "" for one that changes none, or only rules."""
    if type(op).__module__.rpartition(".")[2] in RULES:
        return ""
    place = getattr(op, "box", None) or getattr(op, "netns", None) or ""
    return place.partition("/")[0] if isinstance(place, str) else ""

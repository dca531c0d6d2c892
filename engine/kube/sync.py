"""What one pass of kubelet works with: the node, its runtime, the API, and how things are reported.

Rules. Events go to the API while it can be reached, lines to the machine's journal always; the texts are kubelet's
own. `note` keeps what the model cannot do.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import EngineError
from engine.kube.clock import klog_stamp, nano_stamp
from engine.kube.containerd import Containerd
from engine.kube.ids import Ids
from engine.kube.node import NodeState
from engine.kube.objects import Json
from engine.kube.runtime import Container
from engine.kube.store import Store
from engine.l7.behave import Behaviour
from engine.linux.ops import Log
from engine.linux.ops.base import Changes
from engine.record import dataclass

SOURCE = "kubelet"
#: Pod workers try a failed pod again after this many seconds, stretched by up to a half.
RESYNC = 10.0

#: Runs a container whose command is a tool of the lab's shell; gives what it wrote and its exit code.
RunTool = Callable[[Containerd, Container, Behaviour], tuple[tuple[str, ...], int]]


class Wait(Exception):
    """A container cannot start now: the reason and message of its waiting state, and when kubelet looks again
    (0 = after the usual resync)."""

    def __init__(self, reason: str, message: str = "", *, again: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message = message
        self.again = again


@dataclass(slots=True, kw_only=True)
class Sync:
    """One node's kubelet at one moment. `api` False: the API server cannot be reached, so nothing is recorded.
    `node_ip` is the node's address as text, `minor` kubelet's release (35 of 1.35);
    `note(where, pod, error)` keeps what the model cannot do."""

    changes: Changes
    store: Store
    node: NodeState
    cri: Containerd
    ids: Ids
    now: float
    node_ip: str
    note: Callable[[str, Json, EngineError], None]
    tools: RunTool | None = None
    api: bool = True
    cluster_dns: str = "10.96.0.10"
    minor: int = 35
    #: the lab shows kube-proxy's userspace mode, which this release does not have any more
    history: bool = False

    def event(
        self, pod: Json, type: str, reason: str, message: str, container: str = "", *, init: bool = False,
        at: float | None = None,
    ) -> None:  # fmt: skip
        """Record an event about a pod, or about one of its containers, now or `at` a time that has passed."""
        if self.api:
            field = f"spec.{'initContainers' if init else 'containers'}{{{container}}}" if container else ""
            self.store.record(
                pod,
                type,
                reason,
                message,
                SOURCE,
                self.now if at is None else at,
                host=self.node.name,
                field_path=field,
            )

    def log(self, text: str, where: str, level: str = "E") -> None:
        """A klog line in the machine's journal; `where` is kubelet's own file and line."""
        pid = self.node.procs.get("kubelet", 0)
        line = f"kubelet[{pid}]: {level}{klog_stamp(self.now)} {pid:7} {where}] {text}"
        self.changes.do(Log(box=self.node.name, line=line, at=self.now))

    def containerd_log(self, text: str, level: str = "error") -> None:
        """A line of containerd in the machine's journal."""
        line = f'containerd[{self.node.procs.get("containerd", 0)}]: time="{nano_stamp(self.now)}" level={level} {text}'
        self.changes.do(Log(box=self.node.name, line=line, at=self.now))

    def next_resync(self) -> float:
        """When the pod workers look at a failed pod again."""
        return self.now + RESYNC * (1 + 0.5 * self.ids.fraction(f"resync/{self.node.name}"))

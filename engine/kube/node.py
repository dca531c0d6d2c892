"""One node's state between two moments: its containerd, and what its kubelet remembers.

Rules. Data only: kubelet.py and containerd.py act on it. `copy` shares the frozen rows.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from engine.kube.objects import Json
from engine.kube.options import NodeOptions
from engine.kube.probes import Worker
from engine.kube.runtime import Runtime
from engine.linux.addr import Prefix
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.kube.sleep import Dream


@dataclass(frozen=True, slots=True)
class Backoff:
    """An exponential back-off: `delay` seconds, counted from `since` (client-go flowcontrol.Backoff)."""

    delay: float
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A container that is being stopped: when it was asked to, when SIGTERM comes, when it ends and with which code."""

    asked: float
    term: float
    ends: float
    code: int


@dataclass(slots=True)
class NodeState:
    """`retry[uid]` is when a failed sandbox is tried again; `crash` and `pull` back-offs by pod uid and container;
    `pulls` the last pull error by the same key; `started` pods that have had a sandbox; `static` the static pods by
    the file they stand in, with that file's text; `procs` the node's own daemons by name."""

    options: NodeOptions
    pod_cidr: Prefix
    runtime: Runtime = field(default_factory=Runtime)
    retry: dict[str, float] = field(default_factory=dict)
    crash: dict[str, Backoff] = field(default_factory=dict)
    pull: dict[str, Backoff] = field(default_factory=dict)
    pulls: dict[str, str] = field(default_factory=dict)
    waits: dict[str, Json] = field(default_factory=dict)
    static: dict[str, tuple[str, Json]] = field(default_factory=dict)
    procs: dict[str, int] = field(default_factory=dict)
    masq_sync: float = 0.0
    ready_since: float = 0.0
    #: what the agents of this node (passes.AGENTS) remember, by module: frozen values
    memory: dict[str, object] = field(default_factory=dict)
    #: probe workers by "uid/container/kind" (probes.py), containers that are being stopped by id (stopping.py)
    probes: dict[str, Worker] = field(default_factory=dict)
    stops: dict[str, Stop] = field(default_factory=dict)
    #: since when the API server has not heard of this node's kubelet; infinity while it does (heartbeat.py)
    silent: float = float("inf")
    #: up to when the ticks of its probes are counted
    probed: float = -1.0
    #: there is no way from here to an API server (heartbeat.py)
    cut: bool = False
    #: where in the log of ops stands what probes could notice last (stirred.py)
    stirred: dict[str, int] = field(default_factory=dict)

    #: set while the node sleeps (sleep.py); everything above is empty then
    dream: Dream | None = None

    @property
    def name(self) -> str:
        return self.options.name

    def copy(self) -> NodeState:
        if self.dream is not None:
            return self
        return NodeState(
            self.options, self.pod_cidr, self.runtime.copy(), dict(self.retry), dict(self.crash), dict(self.pull),
            dict(self.pulls), dict(self.waits), dict(self.static), dict(self.procs), self.masq_sync, self.ready_since,
            dict(self.memory), dict(self.probes), dict(self.stops), self.silent,
            self.probed, self.cut, dict(self.stirred),
        )  # fmt: skip

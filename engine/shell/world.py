"""World: everything that a lab holds, together: the kernels, the cluster, the docker daemons, what was captured.

Rules. It owns nothing that decides: ops change the Net, controllers decide, tools ask. `do` is the one way
to change, so the log is whole. After each command `settle` lets the controllers do what is left to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from engine.linux.choose import Choose, Seeded
from engine.linux.journey import Journey, Leg, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.ops import Op
from engine.linux.ops.base import Changes
from engine.linux.packet import Packet
from engine.linux.rows import Socket
from engine.linux.trail import Trail
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd
    from engine.kube.cluster import Cluster
    from engine.kube.node import NodeState


class Seen(NamedTuple):
    """A packet as a tap on a device sees it. `time` is virtual, in seconds; `direction` is "in" or "out"."""

    time: float
    netns: str
    device: str
    direction: str
    packet: Packet


@dataclass(frozen=True, slots=True)
class Capture:
    """What a capture file was made of: its link type, its snapshot length, the packets, and what a SYN offered."""

    linktype: int
    length: int
    seen: tuple[Seen, ...]
    mss: int = 1460


#: Packets that are kept for tcpdump, over all devices.
CAPTURE_LIMIT = 20000
#: What one hop costs on the capture's clock, in seconds.
HOP_SECONDS = 0.000015


@dataclass
class World:
    """`lang` is the learner's language. `capture` is what taps would have seen since the lab began, oldest first;
    `dropped` counts how many were forgotten at its front, so that positions in it stay true."""

    net: Net
    cluster: Cluster | None = None
    dockers: dict[str, Dockerd] = field(default_factory=dict)
    choose: Choose = field(default_factory=Seeded)
    lang: str = "en"
    log: Trail[Op] = field(default_factory=Trail)
    capture: list[Seen] = field(default_factory=list)
    dropped: int = 0
    #: where tcpdump last looked in a namespace: its window in the capture, and when
    watched: dict[str, tuple[int, int, float]] = field(default_factory=dict)

    #: capture files that tcpdump wrote, by the digest of their bytes
    captures: dict[str, Capture] = field(default_factory=dict)
    #: the legs that the taps have seen, by identity
    known: dict[int, Leg] = field(default_factory=dict)

    def changes(self) -> Changes:
        """A Changes whose log is this world's log."""
        changes = Changes(self.net)
        changes.log = self.log
        return changes

    def do(self, op: Op) -> None:
        """Carry out one change and log it. Raises OpError."""
        self.changes().do(op)

    def settle(self) -> None:
        """Let docker and the cluster's controllers act until nothing is left to do at this virtual time."""
        changes = self.changes()
        for daemon in self.dockers.values():
            daemon.settle(changes)
        if self.cluster is not None:
            from engine.shell.podtools import runner

            self.cluster.tools = runner(self)
            self.cluster.settle(changes)

    def copy(self, choose: Choose | None = None, *, borrowed: bool = False) -> World:
        """An independent world: what is tried on it leaves this one as it is. `choose` takes the place of its own. A
        `borrowed` one is for as long as nothing changes here (Net.borrowed)."""
        net = self.net.borrowed() if borrowed else self.net.copy()
        cluster = None if self.cluster is None else self.cluster.copy()
        if net.asleep is not None and cluster is not None:
            from engine.kube.sleep import attach

            attach(net, cluster)
        return World(
            net=net,
            cluster=cluster,
            dockers={name: daemon.copy() for name, daemon in self.dockers.items()},
            choose=deepcopy(self.choose) if choose is None else choose,
            lang=self.lang,
            log=self.log.copy(),
            capture=list(self.capture),
            dropped=self.dropped,
            watched=dict(self.watched),
            captures=self.captures,
        )

    def node(self, name: str) -> NodeState | None:
        """A node's containerd and kubelet, awake; None for a machine that is no node."""
        if self.cluster is None or name not in self.cluster.nodes or name not in self.net.boxes:
            return None
        assert self.net.boxes[name]
        return self.cluster.nodes[name]

    def places(self) -> list[str]:
        """The terminals that a learner can open, as `node/w1`, `host/laptop`, `pod/NS/NAME`,
        `container/HOST/NAME`."""
        from engine.shell.place import places

        return places(self)

    def standing(self, ns: Netns) -> list[Socket]:
        """The connections that the cluster's own programs keep open in a namespace."""
        if self.cluster is None:
            return []
        from engine.kube.connections import standing

        return standing(self.cluster, self.net, ns)

    # ---- taps

    @property
    def position(self) -> int:
        """The end of the capture, as a position that stays true when its front is forgotten."""
        return self.dropped + len(self.capture)

    def since(self, position: int) -> list[Seen]:
        return self.capture[max(0, position - self.dropped) :]

    def told(self, journeys: Iterable[Journey]) -> tuple[Journey, ...]:
        """The journeys, each step that a cluster's policy ended in the cluster's words."""
        if self.cluster is None or self.cluster.options.cni.name != "calico":
            return tuple(journeys)
        from engine.kube.policy.explain import explained

        return explained(self.cluster, journeys)

    def saw(self, journeys: Iterable[Journey]) -> None:
        """Keep what taps on the devices see of these journeys. A leg that was kept already (a command inside a
        command hands it on) is not kept twice."""
        for journey in journeys:
            for leg in journey.legs:
                if id(leg) not in self.known:
                    self.known[id(leg)] = leg
                    self.capture += leg_taps(leg)
        if len(self.known) > CAPTURE_LIMIT:
            self.known.clear()
        surplus = len(self.capture) - CAPTURE_LIMIT
        if surplus > 0:
            del self.capture[:surplus]
            self.dropped += surplus


def leg_taps(leg: Leg) -> list[Seen]:
    """The taps of all walks of a leg, in order; the clock starts at `leg.started`."""
    out: list[Seen] = []
    now = leg.started
    for walk in leg.walks():
        now = _walk_taps(walk, now, out)
    return out


def _walk_taps(walk: Walk, now: float, out: list[Seen]) -> float:
    for step in walk.steps():
        for aside in step.aside:
            now = _walk_taps(aside, now, out)
        packet = step.after or step.before
        if step.kind in (StepKind.TRANSMIT, StepKind.RECEIVE) and step.place.device and packet is not None:
            direction = "out" if step.kind is StepKind.TRANSMIT else "in"
            now += HOP_SECONDS
            out.append(Seen(now, step.place.netns, step.place.device, direction, packet))
        for copy in step.copies:
            _walk_taps(copy, now, out)
    return now

"""Walker: what all the layers share while one packet is on its way, and the loop that drives it.

Rules. The walker writes to the Net only what a kernel writes by itself: neighbours, fdb, conntrack, counters.
A function of the other files returns an Event: `Arrive` (the frame reaches a device), `LoopBack` (it turned
around in lo) or `End`. Nothing recurses along the path, so a path may be as long as its TTL allows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.linux.choose import Choose
from engine.linux.journey import Fidelity, Outcome, Place, Recorder, Step, StepKind, Walk
from engine.linux.net import Net, Netns
from engine.linux.packet import Packet
from engine.linux.rows import Link, Proc, Socket
from engine.linux.skb import Skb
from engine.linux.walk import words
from engine.record import dataclass, replace
from engine.say import Said

#: frames that one act may put on wires before we call it a loop
BUDGET = 4000


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A client's socket that waits for an answer: its own end, and whom it asked (None: anybody, as plain UDP)."""

    netns: str
    proto: int
    local: tuple[int, int]
    remote: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """A packet that a kernel makes because of the one just walked. A source of 0 lets routing choose;
    `ct_of` is the packet whose connection it keeps (a RST of REJECT); `device` is set for a ready frame (ARP); `mark`
    the mark that it has from the start (WireGuard). `enters`: the ready frame does not leave by the device but comes in
    by it (a tunnel that answers in place of who is behind it)."""

    netns: str
    packet: Packet
    ct_of: Skb | None = None
    device: str = ""
    mark: int = 0
    enters: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How one packet ended. `error` is the errno that a local sender gets at once; `answer` what the kernel at that
    place sends back; `socket`, `proc` who received it; `waiting` the client's socket that was waiting for it."""

    outcome: Outcome
    netns: str
    packet: Packet
    error: str = ""
    answer: Answering | None = None
    socket: Socket | None = None
    proc: Proc | None = None
    waiting: Waiting | None = None
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrive:
    """A frame reaches device `ifindex` of `netns` from the wire, or by a redirect of an eBPF program: then with its
    mark, and to a peer with the answer whether it is for this host (`mine`; None: its MAC says)."""

    netns: str
    ifindex: int
    frame: Packet
    mark: int = 0
    mine: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopBack:
    """A packet left by lo and comes in by lo again, with its connection."""

    netns: str
    skb: Skb


Event = Arrive | LoopBack | End


@dataclass(slots=True)
class Walker:
    """One packet's run. `waiting` are the client sockets of this act."""

    net: Net
    choose: Choose
    waiting: list[Waiting] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    budget: list[int] = field(default_factory=lambda: [BUDGET])
    _places: dict[tuple[str, str, str, str], Place] = field(default_factory=dict)
    seen: set[tuple[str, int]] = field(default_factory=set)
    #: (namespace, bridge, frame) that were flooded on the way here: a frame that comes back circles
    flooded: set[tuple[str, int, Packet]] = field(default_factory=set)
    revisited: bool = False

    # -- the loop -----------------------------------------------------------------------------------------

    def run(self, event: Event) -> End:
        """Follow the frame until it ends."""
        from engine.linux.walk import inbound, l2

        while not isinstance(event, End):
            self.budget[0] -= 1
            if self.budget[0] <= 0:
                ns = self.net.spaces[event.netns]
                packet = event.frame if isinstance(event, Arrive) else event.skb.packet
                return self.drop(self.at(ns), packet, words.LOOPED(), Outcome.LOOP)
            event = (
                l2.receive(self, event)
                if isinstance(event, Arrive)
                else inbound.receive_loopback(self, event)
            )
        return event

    def send(self, netns: str, packet: Packet, **how: object) -> End:
        """A socket or the kernel of `netns` sends a packet (without frame). See outbound.send for the keywords."""
        from engine.linux.walk import outbound

        return self.run(outbound.send(self, self.net.spaces[netns], packet, **how))  # type: ignore[arg-type]

    def frame_out(self, ns: Netns, link: Link, frame: Packet) -> End:
        """Put a ready frame on a device (ARP)."""
        from engine.linux.walk import l2

        return self.run(l2.transmit(self, ns, link, frame))

    def fork(self) -> Walker:
        """A walker for a copy or for a question on the way (ARP); it shares the Net and the budget."""
        return Walker(
            net=self.net, choose=self.choose, waiting=self.waiting, budget=self.budget, _places=self._places,
            seen=set(self.seen), flooded=set(self.flooded),
        )  # fmt: skip

    def walk(self, end: End, packet: Packet | None = None) -> Walk:
        """The steps so far as a Walk."""
        recorder = Recorder(self.steps)
        return recorder.walk(end.outcome, packet if packet is not None else end.packet)

    # -- steps ----------------------------------------------------------------------------------------------

    def at(self, ns: Netns, device: str = "", direction: str = "", program: str = "") -> Place:
        key = (ns.id, device, direction, program)
        place = self._places.get(key)
        if place is None or place.namespace != ns.label:
            place = Place(
                node=ns.box,
                namespace=ns.label,
                netns=ns.id,
                device=device,
                direction=direction,
                program=program,
            )
            self._places[key] = place
        return place

    def step(
        self,
        kind: StepKind,
        place: Place,
        before: Packet,
        after: Packet | None = None,
        why: Said | None = None,
        *,
        row: str = "",
        hook: str = "",
        table: str = "",
        mark: int = 0,
        verdict: str = "",
        fidelity: Fidelity = Fidelity.KERNEL_CHECKED,
        aside: tuple[Walk, ...] = (),
        copies: tuple[Walk, ...] = (),
    ) -> None:
        self.steps.append(
            Step(
                kind=kind, place=place, before=before, after=before if after is None else after, why=why, row=row,
                hook=hook, table=table, mark=mark, verdict=verdict, fidelity=fidelity, aside=aside, copies=copies,
            )
        )  # fmt: skip

    def drop(
        self,
        place: Place,
        packet: Packet,
        why: Said,
        outcome: Outcome,
        *,
        error: str = "",
        answer: Answering | None = None,
        row: str = "",
        hook: str = "",
        quiet: bool = False,
        fidelity: Fidelity = Fidelity.KERNEL_CHECKED,
    ) -> End:
        """The packet ends here, with the reason as its last step."""
        self.steps.append(
            Step(
                kind=StepKind.DROP, place=place, before=packet, why=why, outcome=outcome, row=row, hook=hook,
                fidelity=fidelity,
            )
        )  # fmt: skip
        return End(outcome=outcome, netns=place.netns, packet=packet, error=error, answer=answer, quiet=quiet)

    def amend_step(self, at: int, change: Callable[[Step], Step]) -> None:
        self.steps[at] = change(self.steps[at])

    def amend_last(self, change: Callable[[Step], Step]) -> None:
        self.steps[-1] = change(self.steps[-1])


def with_copies(step: Step, copies: tuple[Walk, ...]) -> Step:
    return replace(step, copies=copies)

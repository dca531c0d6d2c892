"""What a packet did, as a value: Journey > Leg > Hop > Step.

A journey is what one user act caused. Its legs are packet flows in order, each with its way there and its way
back. A hop is one place (a namespace and a device, or a program); a step is one decision there.

Rules. Nothing here decides anything: the walker yields steps, these records keep them. A step carries the
packet before and after, the row that decided in the very text the learner can print, why, and how far the
step can be trusted. Keys of the JSON form are public (version 1); keys that do not apply are absent.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import field
from typing import Any

from engine.linux.packet import Packet
from engine.record import dataclass
from engine.say import Phrase, Said

JOURNEY_VERSION = 1


class Outcome(enum.StrEnum):
    """How a walk, a leg or a journey ended. OUTCOMES below says each in a sentence."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    REJECTED = "rejected"
    DROPPED = "dropped"
    NO_ROUTE = "no-route"
    UNRESOLVED_NEIGHBOUR = "unresolved-neighbour"
    REVERSE_PATH_FILTERED = "reverse-path-filtered"
    TTL_EXCEEDED = "ttl-exceeded"
    TOO_BIG = "too-big"
    LOOP = "loop"
    NO_ANSWER = "no-answer"
    NAME_NOT_FOUND = "name-not-found"
    DENIED = "denied"
    NOT_MODELLED = "not-modelled"


OUTCOMES: dict[Outcome, Phrase] = {
    Outcome.DELIVERED: Phrase("it arrived, and the answer came back", "도착했고 응답도 돌아왔습니다"),
    Outcome.REFUSED: Phrase(
        "it arrived, and nothing listens there: the kernel refused it",
        "도착했지만 수신 대기하는 프로그램이 없어 커널이 연결을 거절했습니다",
    ),
    Outcome.REJECTED: Phrase(
        "a rule rejected it and said so", "규칙이 거부(REJECT)하고 그 사실을 알렸습니다"
    ),
    Outcome.DROPPED: Phrase("it was dropped in silence", "아무 응답 없이 버려졌습니다"),
    Outcome.NO_ROUTE: Phrase("a routing table had no way for it", "라우팅 테이블에 맞는 경로가 없었습니다"),
    Outcome.UNRESOLVED_NEIGHBOUR: Phrase(
        "nobody answered the ARP question for the next hop", "다음 홉을 묻는 ARP에 아무도 답하지 않았습니다"
    ),
    Outcome.REVERSE_PATH_FILTERED: Phrase(
        "its source is not reached by the device it came in by",
        "출발지로 돌아가는 길이 들어온 장치와 달라 버려졌습니다",
    ),
    Outcome.TTL_EXCEEDED: Phrase("its time to live reached zero", "TTL이 0이 되었습니다"),
    Outcome.TOO_BIG: Phrase(
        "it was larger than the next link, and must not be cut",
        "다음 링크의 MTU보다 크고 단편화할 수도 없었습니다",
    ),
    Outcome.LOOP: Phrase("it came back to where it had been", "이미 지나온 곳으로 되돌아왔습니다"),
    Outcome.NO_ANSWER: Phrase(
        "it arrived, but the answer did not come back", "도착했지만 응답이 돌아오지 못했습니다"
    ),
    Outcome.NAME_NOT_FOUND: Phrase("the name has no address", "그 이름의 주소가 없습니다"),
    Outcome.DENIED: Phrase(
        "a program received it and refused to serve it", "프로그램이 받았지만 처리를 거부했습니다"
    ),
    Outcome.NOT_MODELLED: Phrase(
        "the model does not know this situation", "이 모델이 아직 다루지 않는 상황입니다"
    ),
}


class Fidelity(enum.StrEnum):
    """How far a step can be trusted."""

    KERNEL_CHECKED = "kernel-checked"
    DOCUMENTED = "documented"
    SIMPLIFIED = "simplified"


class StepKind(enum.StrEnum):
    """What kind of decision a step is. The player and the ladder choose their mark by it."""

    SEND = "send"  # a socket or the kernel itself makes a packet
    ROUTE = "route"  # a routing decision; row = the route that won
    LOCAL = "local"  # routing says: this packet is for this namespace
    RPFILTER = "rp-filter"
    CONNTRACK = "conntrack"  # lookup or creation of an entry; row = the entry
    RULE = "rule"  # a netfilter rule matched; table, chain, row
    POLICY = "policy"  # the end of a base chain was reached; row = its policy
    IPVS = "ipvs"  # a virtual service takes the packet; row = the service or the server
    NAT = "nat"  # the header is rewritten, by a rule just met or by the conntrack entry
    FORWARD = "forward"  # ip_forward and TTL
    MTU = "mtu"
    NEIGHBOUR = "neighbour"  # next hop -> MAC; `aside` holds the ARP exchange if one was needed
    TRANSMIT = "transmit"  # leaves a device
    RECEIVE = "receive"  # enters by a device
    BRIDGE = "bridge"  # a bridge chooses ports; row = the fdb entry, or flood
    LEARN = "learn"  # a bridge learns a source address
    ARP = "arp"  # an ARP request or answer is read
    BPF = "bpf"  # an eBPF program decides; table = its name, row = the map entry it read
    ENCAP = "encap"
    DECAP = "decap"
    SOCKET = "socket"  # handed to a socket or answered by the kernel
    PROGRAM = "program"  # a program (l7) decides
    DROP = "drop"  # the end of this packet; why says it


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a step happens. `node` is the box; `namespace` the netns' label ("root", "default/client");
    `netns` its id in the Net; one of `device`, `program` or neither is set; `direction` is "in", "out" or ""."""

    node: str
    namespace: str
    netns: str
    device: str = ""
    program: str = ""
    direction: str = ""

    def text(self) -> str:
        where = self.node if self.namespace in ("root", self.node) else f"{self.node} {self.namespace}"
        return f"{where} {self.device or self.program}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One decision. `row` is the deciding row as its tool prints it; `iif` and `oif` are the devices that a rule
    sees; `visited` counts rules that were tried;
    `aside` are walks that had to happen first (ARP); `copies` are walks of flooded copies that nobody wanted."""

    kind: StepKind
    place: Place
    before: Packet | None = None
    after: Packet | None = None
    hook: str = ""
    table: str = ""
    chain: str = ""
    number: int = 0
    verdict: str = ""
    row: str = ""
    mark: int = 0
    iif: str = ""
    oif: str = ""
    visited: int = 0
    why: Said | None = None
    fidelity: Fidelity = Fidelity.DOCUMENTED
    outcome: Outcome | None = None
    aside: tuple[Walk, ...] = ()
    copies: tuple[Walk, ...] = ()

    @property
    def changed(self) -> bool:
        return self.before is not None and self.after is not None and self.before != self.after

    @property
    def trust(self) -> Fidelity:
        """How far the step can be trusted: `fidelity` is what its maker allows at most; `kernel-checked` is earned by a
        comparison that met this very behaviour (behaviour.py)."""
        if self.fidelity is not Fidelity.KERNEL_CHECKED:
            return self.fidelity
        from engine.linux import behaviour  # only who shows a step asks

        return Fidelity.KERNEL_CHECKED if behaviour.compared(self) else Fidelity.DOCUMENTED

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"kind": str(self.kind)}
        for key in ("hook", "table", "chain", "number", "verdict", "row", "visited"):
            value = getattr(self, key)
            if value:
                out[key] = value
        if self.mark:
            out["mark"] = hex(self.mark)
        if self.before is not None:
            out["before"] = self.before.to_json()
        if self.after is not None:
            out["after"] = self.after.to_json()
        if self.why is not None:
            out["why"] = self.why.text("en")
        out["fidelity"] = str(self.trust)
        if self.aside:
            out["aside"] = [w.to_json() for w in self.aside]
        if self.copies:
            out["copies"] = [w.to_json() for w in self.copies]
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Consecutive steps at one place."""

    place: Place
    steps: tuple[Step, ...]

    @property
    def packet(self) -> Packet | None:
        """The packet as it leaves this hop (the last one seen)."""
        for step in reversed(self.steps):
            if step.after is not None:
                return step.after
            if step.before is not None:
                return step.before
        return None

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"node": self.place.node, "namespace": self.place.namespace}
        for key in ("device", "program", "direction"):
            if getattr(self.place, key):
                out[key] = getattr(self.place, key)
        out["steps"] = [s.to_json() for s in self.steps]
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """One packet from where it was made to where it ended."""

    outcome: Outcome
    hops: tuple[Hop, ...]
    packet: Packet | None = None

    def steps(self) -> Iterator[Step]:
        for hop in self.hops:
            yield from hop.steps

    @property
    def last(self) -> Step | None:
        return self.hops[-1].steps[-1] if self.hops else None

    def to_json(self) -> dict[str, Any]:
        return {"outcome": str(self.outcome), "hops": [h.to_json() for h in self.hops]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One packet flow: the first packet's way there and its answer's way back. `rest` are the later packets of
    the same flow (the handshake's end, data, the close), in order, with at least their device steps."""

    purpose: str
    forward: Walk
    back: Walk | None = None
    rest: tuple[Walk, ...] = ()
    outcome: Outcome
    started: float = 0.0

    def walks(self) -> Iterator[Walk]:
        yield self.forward
        if self.back is not None:
            yield self.back
        yield from self.rest

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"purpose": self.purpose, "forward": self.forward.to_json()}
        if self.back is not None:
            out["back"] = self.back.to_json()
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """What one user act caused. `act` is the act as the learner would type it."""

    act: str
    outcome: Outcome
    legs: tuple[Leg, ...] = ()
    started: float = 0.0
    why: Said | None = None

    def steps(self) -> Iterator[Step]:
        for leg in self.legs:
            yield from leg.forward.steps()
            if leg.back is not None:
                yield from leg.back.steps()

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"version": JOURNEY_VERSION, "outcome": str(self.outcome)}
        if self.why is not None:
            out["why"] = self.why.text("en")
        out["legs"] = [leg.to_json() for leg in self.legs]
        return out


@dataclass(slots=True)
class Recorder:
    """Collects the steps of one walk and folds neighbours at the same place into hops."""

    steps: list[Step] = field(default_factory=list)

    def add(self, steps: Iterable[Step]) -> None:
        self.steps.extend(steps)

    def walk(self, outcome: Outcome, packet: Packet | None) -> Walk:
        hops: list[Hop] = []
        run: list[Step] = []
        for step in self.steps:
            if run and run[-1].place is not step.place and run[-1].place != step.place:
                hops.append(Hop(place=run[0].place, steps=tuple(run)))
                run = []
            run.append(step)
        if run:
            hops.append(Hop(place=run[0].place, steps=tuple(run)))
        return Walk(outcome=outcome, hops=tuple(hops), packet=packet)

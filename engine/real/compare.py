"""One flow on both sides, and the grid that shows where they part.

Rules. Per namespace the order must be equal, record by record; between namespaces only the wires order things.
A difference is a value with both lists, so that a person can read it and a test can print it.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import zip_longest

from engine.linux.addr import ip4
from engine.linux.choose import Seeded
from engine.linux.exchange import Answer, Call, Delivery, ping_call, tcp_call, udp_call
from engine.linux.journey import Journey, Outcome, Step, StepKind, Walk
from engine.linux.net import Net
from engine.linux.packet import Payload
from engine.real.kernel import Kernel
from engine.real.records import Record, compared_walks, flooded, kernel_records, model_records, rename_ports
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What is sent: from a namespace to an address; `sport` is bound on both sides. `size` is a datagram's data in
    bytes,
    sent with DF as all of a worker's packets are."""

    netns: str
    proto: str
    dst: str
    dport: int
    sport: int
    size: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Both records per namespace. `same` when they are equal everywhere and both callers got the same answer."""

    flow: Flow
    model: dict[str, list[Record]]
    kernel: dict[str, list[Record]]
    model_error: str
    kernel_error: str
    journey: Journey

    @property
    def answers_agree(self) -> bool:
        return self.model_error == self.kernel_error

    @property
    def same(self) -> bool:
        return self.model == self.kernel and self.answers_agree

    @property
    def count(self) -> int:
        return sum(len(rows) for rows in self.model.values())

    def sides(self) -> tuple[tuple[str, str], tuple[str, str]]:
        return (("model", self.model_error), ("kernel", self.kernel_error))

    def grid(self) -> str:
        """Both sides, namespace by namespace, the first difference of each marked."""
        flow = self.flow
        answers = [f"{who}: {error or 'answered'}" for who, error in self.sides()]
        lines = [f"{flow.netns} {flow.proto} > {flow.dst}:{flow.dport}   {'   '.join(answers)}"]
        for id in sorted({*self.model, *self.kernel}):
            ours, theirs = self.model.get(id, []), self.kernel.get(id, [])
            lines.append(f"-- {id}: {'same' if ours == theirs else 'DIFFERENT'} ({len(ours)} records)")
            if ours == theirs:
                continue
            marked = False
            for a, b in zip_longest(ours, theirs):
                mark = " " if a == b or marked else ">"
                marked = marked or a != b
                lines.append(f"{mark} {a.text() if a else '':<96} | {b.text() if b else ''}")
        return "\n".join(lines)


#: what the model's caller is told when nothing came back, in the worker's word
SILENCE = ("ETIMEDOUT", "EHOSTUNREACH/late")


def echo(delivery: Delivery) -> Answer:
    """The worker's datagram server: it sends back what it gets."""
    return Answer(payload=delivery.request)


def model_call(net: Net, flow: Flow) -> Call:
    choose = Seeded(1)
    dst = ip4(flow.dst)
    if flow.proto == "icmp":
        return ping_call(net, flow.netns, dst, choose=choose, ident=flow.sport)
    if flow.proto == "udp":
        request = Payload(protocol="echo", text="x" * flow.size, size=flow.size)
        return udp_call(
            net, flow.netns, dst, flow.dport, choose=choose, sport=flow.sport, request=request, serve=echo
        )
    return tcp_call(net, flow.netns, dst, flow.dport, choose=choose, sport=flow.sport)


def bridge_rewrites(walk: Walk, net: Net) -> list[Step]:
    """Steps at which a bridge gave a DNATed frame to another neighbour. The kernel then may or may not pass the bridge
    device itself once more, by the state of a header cache (br_nf_pre_routing_finish_bridge): not compared."""
    out = []
    for step in walk.steps():
        if step.kind is StepKind.BRIDGE and step.changed:
            port = net.spaces[step.place.netns].link(step.place.device)
            if port is not None and port.master:
                bridge = net.spaces[step.place.netns].links[port.master].name
                out.append(replace(step, place=replace(step.place, device=bridge)))
    return out


def compare(kernel: Kernel, net: Net, flow: Flow) -> Compared:
    """Send `flow` in the kernel and in a copy of `net`, both with an empty conntrack table. What the callers learn is
    compared too: for TCP what connect() says, which is done when the SYN-ACK is in, whatever happens to the ACK."""
    answer = kernel.send(**asdict(flow))
    copy = net.copy()
    for ns in copy.spaces.values():
        ns.conntrack = type(ns.conntrack)()
    call = model_call(copy, flow)
    counts = {
        id: {(t, c.name): len(c.rules) for t, chains in ns.xt.tables.items() for c in chains.values()}
        for id, ns in net.spaces.items()
    }
    walks = compared_walks(call.leg)
    model = model_records(walks)
    real = kernel_records(net, answer["records"], counts)
    if call.leg.forward.outcome is Outcome.NO_ROUTE:
        real = {
            id: kept
            for id, rows in real.items()
            if (kept := [r for r in rows if dict(r.header).get("type") != 3])
        }
    slow_path = {
        (s.place.netns, f"out {s.place.device}") for w in call.leg.walks() for s in bridge_rewrites(w, net)
    }
    model, real = (
        {id: [r for r in rows if (id, r.what) not in slow_path] for id, rows in side.items()}
        for side in (model, real)
    )
    fixed = {flow.sport, flow.dport} | {s.port for ns in net.spaces.values() for s in ns.sockets}
    model, real = rename_ports([model, real], fixed)
    if flooded(walks):
        model, real = ({id: sorted(rows, key=repr) for id, rows in side.items()} for side in (model, real))
    slow = call.outcome is Outcome.UNRESOLVED_NEIGHBOUR or call.seconds >= 1.0
    error = "SILENCE" if slow or call.error == "ETIMEDOUT" else call.error
    if flow.proto == "icmp" and call.icmp is not None and call.icmp.is_error:
        error = "SILENCE" if call.seconds >= 1 else ""
    if call.leg.forward.outcome is Outcome.NO_ROUTE and answer["error"] == "SILENCE":
        error = "SILENCE"
    if (
        flow.proto == "tcp"
        and call.leg.back is not None
        and call.leg.back.outcome is Outcome.DELIVERED
        and call.leg.rest
    ):
        error = "" if call.leg.forward.outcome is Outcome.DELIVERED else error
    journey = Journey(act="", outcome=call.outcome, legs=call.legs)
    return Compared(
        flow=flow, model=model, kernel=real, model_error=error, kernel_error=answer["error"], journey=journey
    )

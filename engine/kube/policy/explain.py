"""Why a policy's row dropped a packet, in words: whose pod, which direction, which policies, what none of them lets in.

Theory. The row that drops stands in a pod's own chain and says only that no policy passed the packet. Whose chain it
is, which policies isolate the pod in this direction, and who the two ends are, felix's picture of the cluster tells.

Rules. Read only: a journey comes in and goes out with other words at the steps where such a row ended a packet, and
with them as its `why`. Nothing is said where the picture does not know the pod.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.kube.policy.convert import EGRESS, INGRESS
from engine.kube.policy.endpoint import Endpoint
from engine.kube.policy.picture import MEMORY, Picture
from engine.linux.addr import text4
from engine.linux.journey import Hop, Journey, Leg, Outcome, Step, StepKind, Walk
from engine.linux.packet import Packet, Sctp, Tcp, Udp
from engine.record import replace
from engine.say import Phrase, Said, plain

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

SHUT_IN = Phrase(
    en="ingress of {pod}: it is isolated by {policies}, and no rule there lets in {what} from {peer}",
    ko="{pod}의 ingress: {policies} 정책으로 격리되어 있고, {peer}에서 오는 {what}을(를) 허용하는 규칙이 없습니다",
)
SHUT_OUT = Phrase(
    en="egress of {pod}: it is isolated by {policies}, and no rule there lets out {what} to {peer}",
    ko="{pod}의 egress: {policies} 정책으로 격리되어 있고, {peer}(으)로 가는 {what}을(를) 허용하는 규칙이 없습니다",
)
UNKNOWN = Phrase(
    en="{device} belongs to no pod that felix knows, so it lets nothing through",
    ko="{device}은(는) felix가 아는 어떤 파드의 장치도 아니므로 아무것도 통과시키지 않습니다",
)
ICMP = Phrase(en="ICMP", ko="ICMP")
PORT = Phrase(en="{proto} to port {port}", ko="{proto} 포트 {port}번 트래픽")
POD = Phrase(en="pod {name}", ko="파드 {name}")
NODE = Phrase(en="node {name}", ko="노드 {name}")
#: chain -> the direction that it judges
HEADS = {"cali-tw-": INGRESS, "cali-fw-": EGRESS}
END_OF_TIER, NO_INTERFACE = "End of tier", "Unknown interface"


def explained(cluster: Cluster, journeys: Iterable[Journey]) -> tuple[Journey, ...]:
    """The journeys, with words for what policies ended."""
    known = cluster.memory.get(MEMORY)
    if not isinstance(known, Picture):
        return tuple(journeys)
    return tuple(_journey(cluster, known, j) for j in journeys)


def _journey(cluster: Cluster, known: Picture, journey: Journey) -> Journey:
    if journey.outcome in (Outcome.DELIVERED, Outcome.NOT_MODELLED):
        return journey
    why: list[Said] = []

    def walk(one: Walk) -> Walk:
        hops = tuple(_hop(cluster, known, hop, why) for hop in one.hops)
        return one if all(a is b for a, b in zip(hops, one.hops, strict=True)) else replace(one, hops=hops)

    legs: list[Leg] = []
    for leg in journey.legs:
        back = walk(leg.back) if leg.back is not None else None
        legs.append(replace(leg, forward=walk(leg.forward), back=back, rest=tuple(walk(w) for w in leg.rest)))
    return replace(journey, legs=tuple(legs), why=journey.why or why[0]) if why else journey


def _hop(cluster: Cluster, known: Picture, hop: Hop, why: list[Said]) -> Hop:
    steps = list(hop.steps)
    for at, step in enumerate(steps):
        if step.kind is not StepKind.DROP or "cali:" not in step.row:
            continue
        rule = next((s for s in reversed(steps[:at]) if s.kind is StepKind.RULE and s.row == step.row), None)
        said = reason(cluster, known, rule) if rule is not None else None
        if said is not None:
            why.append(said)
            steps[at] = replace(step, why=said)
    return hop if tuple(steps) == hop.steps else replace(hop, steps=tuple(steps))


def reason(cluster: Cluster, known: Picture, rule: Step) -> Said | None:
    """The words for one row that dropped; None for a row that has nothing to do with a policy."""
    packet = rule.before
    if packet is None:
        return None
    if NO_INTERFACE in rule.row:
        return UNKNOWN(device=rule.iif if "from-wl" in rule.chain else rule.oif)
    direction = next((way for head, way in HEADS.items() if rule.chain.startswith(head)), "")
    if not direction or END_OF_TIER not in rule.row:
        return None
    device = rule.chain[len("cali-tw-") :]
    one = next(
        (e for e in known.endpoints.values() if e.device == device and e.node == rule.place.node), None
    )
    if one is None:
        return None
    names = [p.text for p in known.selecting(one) if direction in p.types]
    phrase = SHUT_IN if direction == INGRESS else SHUT_OUT
    other = packet.ip.src if direction == INGRESS else packet.ip.dst
    return phrase(
        pod=POD(name=pod_name(one)),
        policies=", ".join(names),
        what=what(packet),
        peer=party(cluster, known, other),
    )


def pod_name(one: Endpoint) -> str:
    return f"{one.namespace}/{one.name}"


def what(packet: Packet) -> Said:
    """`TCP to port 80`, or the protocol alone."""
    l4 = packet.l4
    if isinstance(l4, Tcp | Udp | Sctp):
        return PORT(proto=type(l4).__name__.upper(), port=l4.dport)
    return ICMP()


def party(cluster: Cluster, known: Picture, address: int) -> Said:
    """The pod or the node that has an address, else the address."""
    for one in known.endpoints.values():
        if one.address == address:
            return POD(name=f"{pod_name(one)} ({text4(address)})")
    for name in cluster.nodes:
        body = cluster.store.get("Node", "", name) or {}
        rows = (body.get("status") or {}).get("addresses") or ()
        notes = (body.get("metadata") or {}).get("annotations") or {}
        own = [r.get("address") for r in rows] + [v for k, v in notes.items() if k.endswith("TunnelAddr")]
        if text4(address) in own:
            return NODE(name=f"{name} ({text4(address)})")
    return plain(text4(address))

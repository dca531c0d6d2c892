"""What a journey says about itself: where it arrived, whose source was seen, what was rewritten, by which places.

Rules. Facts are read from steps alone, so that what is judged is what is shown. The leg that counts is the last
one: a name look-up comes before it, and a proxy's own connection after the client's.
"""

from __future__ import annotations

from engine.lab.places import place_agrees
from engine.linux.journey import Journey, Leg, Outcome, Step, StepKind
from engine.linux.net import Net
from engine.linux.packet import IPv4
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`at` (netns, address, port) of the receiver, None when nobody received it; `seen_as` the source address that
    the receiver saw; `rewritten` (address, port) after destination NAT, None when untouched; `masqueraded`: the
    source was changed on the way; of a packet that a Service's rules led to an endpoint only their own masquerading
    counts (also where the node's own address stays and only the port changes), not that of a CNI or an agent; `encap`
    of the first shell; `mtu` the smallest of the devices it left by."""

    outcome: Outcome
    at: tuple[str, int, int] | None = None
    seen_as: int = 0
    rewritten: tuple[int, int] | None = None
    masqueraded: bool = False
    encap: str = "none"
    mtu: int = 0


def facts_of(journey: Journey, net: Net) -> Facts:
    """The facts of one journey. `net` is only asked for the MTU of devices."""
    if not journey.legs:
        return Facts(outcome=journey.outcome)
    leg = journey.legs[-1]
    at, seen = _arrival(leg)
    rewritten, masqueraded = _rewriting(leg)
    return Facts(
        outcome=journey.outcome,
        at=at,
        seen_as=seen,
        rewritten=rewritten,
        masqueraded=masqueraded,
        encap=_encap(leg),
        mtu=_mtu(leg, net),
    )


def _arrival(leg: Leg) -> tuple[tuple[str, int, int] | None, int]:
    if leg.forward.outcome is not Outcome.DELIVERED:
        return None, 0
    for step in reversed(list(leg.forward.steps())):
        packet = step.after or step.before
        if step.kind is StepKind.SOCKET and packet is not None and packet.has_ip:
            return (step.place.netns, packet.ip.dst, packet.ports[1]), packet.ip.src
    return None, 0


#: verdicts that give a connection another source
SOURCE_NAT = ("masquerade", "snat")


def _rewriting(leg: Leg) -> tuple[tuple[int, int] | None, bool]:
    rewritten: tuple[int, int] | None = None
    by_service = changed = changed_by_service = False
    rule: Step | None = None
    for step in leg.forward.steps():
        if step.kind is StepKind.RULE:
            rule = step
            if step.verdict in SOURCE_NAT and _of_services(step):
                changed_by_service = True
        before, after = step.before, step.after
        if step.kind is not StepKind.NAT or before is None or after is None or not after.has_ip:
            continue
        service = step.table == "ipvs" or (rule is not None and _of_services(rule))
        if (before.ip.dst, before.ports[1]) != (after.ip.dst, after.ports[1]):
            rewritten, by_service = (after.ip.dst, after.ports[1]), by_service or service
        changed = changed or before.ip.src != after.ip.src
    return rewritten, changed_by_service if by_service else changed


def _of_services(rule: Step) -> bool:
    """Is this rule kube-proxy's?"""
    return rule.chain.startswith("KUBE-") or rule.table.endswith("kube-proxy")


def _encap(leg: Leg) -> str:
    for step in leg.forward.steps():
        if step.kind is StepKind.ENCAP and step.after is not None:
            names = {type(layer).__name__.lower() for layer in step.after.layers}
            for word in ("vxlan", "geneve", "wireguard", "hbone"):
                if word in names:
                    return word
            return "ipip" if sum(isinstance(layer, IPv4) for layer in step.after.layers) > 1 else "none"
    return "none"


def _mtu(leg: Leg, net: Net) -> int:
    sizes = []
    for step in leg.forward.steps():
        ns = net.spaces.get(step.place.netns)
        link = ns.link(step.place.device) if ns is not None and step.place.device else None
        if step.kind is StepKind.TRANSMIT and link is not None and link.kind != "loopback":
            sizes.append(link.mtu)
    return min(sizes, default=0)


def subset_in_order(words: tuple[str, ...], journey: Journey) -> str:
    """The first of `words` that is not met in order on the way there, over all legs; "" when all are."""
    steps: list[Step] = [s for leg in journey.legs for s in leg.forward.steps()]
    at = 0
    for word in words:
        while at < len(steps) and not place_agrees(word, steps[at].place):
            at += 1
        if at == len(steps):
            return word
    return ""

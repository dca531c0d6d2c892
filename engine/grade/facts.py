"""What a journey says about itself: where it arrived, whose source was seen, what was rewritten, by which places.

Rules. Facts are read from steps alone, so that what is judged is what is shown. The leg that counts is the last
one: a name look-up comes before it, and a proxy's own connection after the client's.
"""

from __future__ import annotations

from engine.lab.places import place_agrees
from engine.linux.journey import Journey, Leg, Outcome, Step, StepKind
from engine.linux.net import Net
from engine.linux.packet import IPv4, Packet
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`at` (netns, address, port) of the receiver, None when nobody received it; `seen_as` the source address that
    the receiver saw; `rewritten` (address, port) after destination NAT, None when untouched; `masqueraded`: the
    source was changed on the way; `encap` of the first shell; `mtu` the smallest of the devices it left by."""

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


def _nat_steps(leg: Leg) -> list[tuple[Packet, Packet]]:
    return [
        (s.before, s.after)
        for s in leg.forward.steps()
        if s.kind is StepKind.NAT and s.before is not None and s.after is not None and s.after.has_ip
    ]


def _rewriting(leg: Leg) -> tuple[tuple[int, int] | None, bool]:
    rewritten: tuple[int, int] | None = None
    masqueraded = False
    for before, after in _nat_steps(leg):
        if (before.ip.dst, before.ports[1]) != (after.ip.dst, after.ports[1]):
            rewritten = (after.ip.dst, after.ports[1])
        masqueraded = masqueraded or before.ip.src != after.ip.src
    return rewritten, masqueraded


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

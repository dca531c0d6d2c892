"""Which steps of a hop are told, and in which words.

Theory. A hop of a node with a thousand rules has dozens of steps, and most only let the packet pass. Told are those
that changed it, chose its way, ended it, or handed it over. A rule is told when it ended the packet; the one that
rewrote it is the row of the NAT step. Where none of these happened, the device itself is told (it entered, it left).

Rules. The engine's own sentences (`Step.why`) are used as they are. The words of this room stand here, in both
languages.
"""

from __future__ import annotations

from engine.lab.places import place_name
from engine.linux.journey import Fidelity, Hop, Outcome, Place, Step, StepKind
from engine.linux.packet import Packet, describe
from engine.say import Phrase, Said

#: Kinds that say something in themselves.
TOLD = frozenset(
    {StepKind.NAT, StepKind.ROUTE, StepKind.FORWARD, StepKind.MTU, StepKind.BRIDGE, StepKind.LOCAL, StepKind.SOCKET,
     StepKind.PROGRAM, StepKind.DROP, StepKind.NEIGHBOUR, StepKind.ENCAP, StepKind.DECAP, StepKind.ARP,
     StepKind.RPFILTER, StepKind.BPF, StepKind.IPVS}
)  # fmt: skip
#: A rule or a policy with one of these ends the packet.
ENDS = frozenset({"drop", "reject"})
#: Verdicts of rules of the nat table that let the packet go on as it is.
PASSES = frozenset({"", "jump", "goto", "accept", "return", "continue"})

THERE = Phrase(en="the way there", ko="가는 길")
BACK = Phrase(en="the way back", ko="돌아오는 길")
FLOW = Phrase(en="flow {number}: {purpose}", ko="흐름 {number}: {purpose}")
NO_BACK = Phrase(en="nothing came back", ko="돌아온 것이 없습니다")
HOP = Phrase(en="{way}, hop {hop} of {hops}", ko="{way}, 홉 {hop}/{hops}")
LATER = Phrase(en="packet {number} of the connection", ko="이 연결의 {number}번째 패킷")
ASKED = Phrase(en="asked first, before packet {number}", ko="{number}번째 패킷보다 먼저 물은 것")
FLOODED = Phrase(en="a flooded copy", ko="플러딩된 사본")
MODELLED = {
    Fidelity.DOCUMENTED: Phrase(en="modelled from documents", ko="문서를 따라 만든 모델"),
    Fidelity.SIMPLIFIED: Phrase(en="simplified", ko="단순화한 모델"),
}


def told(hop: Hop) -> list[Step]:
    """The steps of a hop that are told, in order; never empty. A rule that the packet ended at is told by its end."""
    out = [s for s in hop.steps if s.why is not None and (s.kind in TOLD or _ends(s))]
    ends = {s.row for s in out if s.kind is StepKind.DROP and s.row}
    out = [s for s in out if s.kind is not StepKind.RULE or s.row not in ends]
    return out or [hop.steps[-1]]


def _ends(step: Step) -> bool:
    if step.outcome is not None and step.outcome is not Outcome.DELIVERED:
        return True
    return step.kind in (StepKind.RULE, StepKind.POLICY) and step.verdict in ENDS


def sentence(step: Step, lang: str) -> str:
    return step.why.text(lang) if step.why is not None else str(step.kind)


def decided(step: Step, hop: Hop) -> Step:
    """The step whose row decided: a rewriting is decided by the rule before it in the nat table, if one was met; an end
    by the rule that it names."""
    if step.kind is StepKind.NAT:
        before = hop.steps[: hop.steps.index(step)]
        for rule in reversed(before):
            if rule.kind is StepKind.RULE and rule.table == "nat" and rule.verdict not in PASSES:
                return rule
    if step.kind is StepKind.DROP and step.row:
        return next((s for s in hop.steps if s.kind is StepKind.RULE and s.row == step.row), step)
    return step


def chain(step: Step) -> str:
    """`nat DOCKER #1`, the main routing table's name, or nothing."""
    return " ".join(w for w in (step.table, step.chain, f"#{step.number}" if step.number else "") if w)


def bad(step: Step) -> bool:
    """Did the packet end here, other than where it wanted to go?"""
    return (step.outcome is not None and step.outcome is not Outcome.DELIVERED) or step.kind is StepKind.DROP


def change(step: Step) -> tuple[str, str] | None:
    """(before, after) as short lines, where a step rewrote what a short line shows."""
    if step.before is None or step.after is None:
        return None
    before, after = describe(step.before), describe(step.after)
    return None if before == after else (before, after)


def space_name(place: Place) -> str:
    """The namespace of a place as `place_name` writes it: `box`, `box/web`, `pod/client`."""
    inner = place.device or place.program
    name = place_name(place)
    return name.removesuffix(f"/{inner}") if inner else name


def way_said(way: str) -> Said:
    return BACK() if way == "back" else THERE()


def packet_line(packet: Packet | None) -> str:
    return describe(packet) if packet is not None else ""

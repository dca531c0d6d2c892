"""Runs one table's chain at one hook over a packet, and says rule by rule what happened.

Theory. The walk is that of the kernel: rules in order; a jump remembers where it came from, a goto does not; the end
of a user chain and RETURN go back; the end of a built-in chain and RETURN in it is the policy. A built-in chain that
nobody has used does not exist, and no packet meets it. Text is only made for rules that matched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine.linux.choose import Choose, Seeded
from engine.linux.journey import Fidelity, Place, Step, StepKind
from engine.linux.net import Net, Netns
from engine.linux.packet import Packet
from engine.linux.skb import Skb
from engine.linux.xt.seen import Seen
from engine.linux.xt.tables import Chain
from engine.linux.xt.target import Act, Nat
from engine.record import dataclass
from engine.say import Phrase

__all__ = ["Nat", "Verdict", "run_chain"]

POLICY_ACCEPT = Phrase(
    "no rule of {table} {chain} decided: its policy lets the packet through",
    "{table} 테이블 {chain} 체인의 어떤 규칙도 결정하지 않아, 기본 정책이 패킷을 통과시킵니다",
)
POLICY_DROP = Phrase(
    "no rule of {table} {chain} decided: its policy throws the packet away",
    "{table} 테이블 {chain} 체인의 어떤 규칙도 결정하지 않아, 기본 정책이 패킷을 버립니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`word` is accept, drop or reject; `reject` the --reject-with type; `nat` set when a nat target decided; `step`
    is the step that decided (the walker may replace it to add what came of it)."""

    word: str
    reject: str = ""
    nat: Nat | None = None
    step: Step | None = None


_PASS = Verdict(word="accept")


def run_chain(
    net: Net, ns: Netns, table: str, hook: str, skb: Skb, place: Place, choose: Choose | None = None,
    waiting: Sequence[Any] = (),
) -> tuple[list[Step], Verdict]:  # fmt: skip
    """Run `table`'s built-in chain for `hook`. Counts, changes `skb.mark` and the connection's mark, writes LOG
    lines; returns one step a matched rule (and one for the policy), and the verdict. `choose` decides `statistic`;
    `waiting` are the sockets of this act that have a connection (-m socket, TPROXY)."""
    xt = ns.xt
    if xt.chain(table, hook) is None:
        return [], _PASS
    base = xt.own(table, hook)
    steps: list[Step] = []
    size = skb.packet.ip_length()
    tried = 0  # rules tried so far, in all chains
    if base.rules:
        seen = Seen(net, ns, table, hook, skb, choose or Seeded(0), waiting)
        chain, at, start = base, iter(base.plan.candidates(seen.dst)), 0
        stack: list[tuple[Chain, Iterator[int], int]] = []
        while True:
            rows = chain.plan.rows
            act: Act | None = None
            for i in at:
                tests, target, stateful = rows[i]
                if stateful:
                    seen.chain, seen.index = chain, i
                for test in tests:
                    if not test(seen):
                        break
                else:
                    chain.packets[i] += 1
                    chain.bytes[i] += size
                    before = skb.packet
                    if target is not None:
                        act = target.run(seen)
                    steps.append(_step(chain, i, table, hook, skb, place, tried + i + 1 - start, before))
                    if act is not None:
                        tried, start = tried + i + 1 - start, i + 1
                        break
            if act is None:
                tried += len(rows) - start
            elif act.word == "jump" or act.word == "goto":
                if act.word == "jump":
                    stack.append((chain, at, start))
                chain = xt.own(table, act.chain)
                at, start = iter(chain.plan.candidates(seen.dst)), 0
                continue
            elif act.word != "return":
                return steps, Verdict(word=act.word, reject=act.reject, nat=act.nat, step=steps[-1])
            if not stack:
                break
            chain, at, start = stack.pop()
    base.policy_packets += 1
    base.policy_bytes += size
    phrase = POLICY_ACCEPT if base.policy == "ACCEPT" else POLICY_DROP
    steps.append(
        Step(
            kind=StepKind.POLICY,
            place=place,
            before=skb.packet,
            after=skb.packet,
            hook=hook,
            table=table,
            chain=hook,
            number=len(base.rules) + 1,
            verdict=base.policy.lower(),
            row=f"-P {hook} {base.policy}",
            mark=skb.mark,
            iif=skb.iif,
            oif=skb.oif,
            visited=tried,
            why=phrase(table=table, chain=hook),
            fidelity=Fidelity.KERNEL_CHECKED,
        )
    )
    return steps, Verdict(word=base.policy.lower(), step=steps[-1])


def _step(
    chain: Chain, i: int, table: str, hook: str, skb: Skb, place: Place, visited: int, before: Packet
) -> Step:
    rule = chain.rules[i]
    return Step(
        kind=StepKind.RULE, place=place, before=before, after=skb.packet, hook=hook, table=table, chain=chain.name,
        number=i + 1, verdict=rule.verdict(), row=chain.row(i), mark=skb.mark, iif=skb.iif, oif=skb.oif,
        visited=visited, why=chain.why(i), fidelity=Fidelity.KERNEL_CHECKED,
    )  # fmt: skip

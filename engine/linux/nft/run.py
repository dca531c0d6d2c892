"""Runs one base chain of nft over a packet, and says rule by rule what happened.

Theory. As nft_do_chain: rules in order; a statement that breaks ends its rule only; a jump remembers where it came
from, a goto does not; the end of a plain chain and `return` go back; the end of a base chain and `return` in it is
the policy. `accept` ends this base chain, not the hook: the next one at the hook still sees the packet. Text is only
made for rules that matched to their end.
"""

from __future__ import annotations

from engine.linux.choose import Choose, Seeded
from engine.linux.journey import Fidelity, Place, Step, StepKind
from engine.linux.net import Net, Netns
from engine.linux.nft.rule import Rule
from engine.linux.nft.seen import Seen
from engine.linux.nft.sets import Verdict as MapVerdict
from engine.linux.nft.statements import Vmap, verdict_why
from engine.linux.nft.tables import Chain, Table, TableKey, priority_text
from engine.linux.packet import Packet
from engine.linux.skb import Skb
from engine.linux.xt.run import Verdict
from engine.linux.xt.target import Act
from engine.say import Phrase

POLICY_ACCEPT = Phrase(
    "no rule of {table} {chain} decided: its policy lets the packet through",
    "{table} 테이블 {chain} 체인의 어떤 규칙도 결정하지 않아, 기본 정책이 패킷을 통과시킵니다",
)
POLICY_DROP = Phrase(
    "no rule of {table} {chain} decided: its policy throws the packet away",
    "{table} 테이블 {chain} 체인의 어떤 규칙도 결정하지 않아, 기본 정책이 패킷을 버립니다",
)


def run_base(
    net: Net,
    ns: Netns,
    key: TableKey,
    name: str,
    hook: str,
    skb: Skb,
    place: Place,
    choose: Choose | None = None,
) -> tuple[list[Step], Verdict]:
    """Run the base chain `name` of table `key`. Counts, sets marks, fills dynamic sets; returns one step a matched rule
    (and one for the policy), and the verdict. `choose` decides numgen."""
    nft = ns.nft
    base = nft.own_chain(key, name)
    assert base.base is not None
    seen = Seen(net, ns, hook, key[0], skb, choose or Seeded(0))
    seen.table, seen.chain = nft.tables[key], base
    shown = f"{key[0]} {key[1]}"
    names = {i: link.name for i, link in ns.links.items()}
    steps: list[Step] = []
    chain, at, tried = base, 0, 0
    stack: list[tuple[Chain, int]] = []
    while True:
        plan = chain.plan
        act: Act | None = None
        while at < len(plan):
            handle, tests = plan[at]
            at += 1
            tried += 1
            seen.rule, seen.decided, before = handle, "", skb.packet
            for index, test in tests:
                result = test(seen, index)
                if result is None:
                    continue
                if result is not False:
                    act = result
                break
            else:
                result = None
            if result is False:
                continue
            steps.append(_step(chain, at - 1, shown, hook, seen, place, tried, act, names, before))
            if act is not None:
                break
        if act is not None and act.word in ("jump", "goto"):
            if act.word == "jump":
                stack.append((chain, at))
            chain, at = nft.own_chain(key, act.chain), 0
            seen.table, seen.chain = nft.tables[key], chain
            continue
        if act is not None and act.word != "return":
            return steps, Verdict(word=act.word, reject=act.reject, nat=act.nat, step=steps[-1])
        if not stack:
            break
        chain, at = stack.pop()
        chain = nft.own_chain(key, chain.name)
        seen.chain = chain
    policy = base.base.policy
    phrase = POLICY_ACCEPT if policy == "accept" else POLICY_DROP
    steps.append(
        Step(
            kind=StepKind.POLICY, place=place, before=skb.packet, after=skb.packet, hook=hook, table=shown, chain=name,
            number=len(base.rules) + 1, verdict=policy, row=base_text(base, key[0]), mark=skb.mark, visited=tried,
            why=phrase(table=shown, chain=name), fidelity=Fidelity.KERNEL_CHECKED,
        )
    )  # fmt: skip
    return steps, Verdict(word=policy, step=steps[-1])


def base_text(chain: Chain, family: str, *, numeric: bool = False) -> str:
    """`type filter hook forward priority filter; policy accept;`."""
    base = chain.base
    assert base is not None
    priority = str(base.priority) if numeric else priority_text(base.hook, base.priority, family)
    return f"type {base.type} hook {base.hook} priority {priority}; policy {base.policy};"


def _step(
    chain: Chain, at: int, shown: str, hook: str, seen: Seen, place: Place, visited: int, act: Act | None,
    names: dict[int, str], before: Packet,
) -> Step:  # fmt: skip
    rule: Rule = chain.rules[at]
    packet = seen.skb.packet
    verdict = "continue" if act is None else act.word
    if act is not None and act.nat is not None:
        verdict = act.nat.kind
    then = None
    if act is not None and any(isinstance(s, Vmap) for s in rule.statements):
        then = verdict_why(MapVerdict(word=act.word, chain=act.chain))
    return Step(
        kind=StepKind.RULE, place=place, before=before, after=packet, hook=hook, table=shown, chain=chain.name,
        number=at + 1, verdict=verdict, row=rule.text(names, chain.cells, handle=True), mark=seen.skb.mark,
        visited=visited, why=rule.why(names, seen.decided, then), fidelity=Fidelity.KERNEL_CHECKED,
    )  # fmt: skip


def tables_of(ns: Netns) -> list[Table]:
    return list(ns.nft.tables.values())

"""Runs an example on both sides, and counts."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

from engine.errors import NotModelled, OpError
from engine.linux.journey import Outcome
from engine.real.compare import PATIENCE, Compared, Pair
from engine.real.kernel import Kernel
from engine.real.rows import compare_rows
from tests.real.clusters import Bench, wired
from tests.real.strategies import Example, Round

T = TypeVar("T")


@dataclass
class Tally:
    """What was compared. `passing` are the differences that were not there again."""

    networks: int = 0
    rulesets: int = 0
    packets: int = 0
    steps: int = 0
    rows: int = 0
    choices: int = 0
    connections: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    passing: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            setattr(self, each.name, mine + theirs)

    def take(self, one: Compared) -> None:
        self.packets += 1
        self.steps += one.count
        self.choices += one.played
        self.connections += sum(map(len, one.model_table.values()))
        self.seen[str(one.journey.outcome)] += 1


def ruled(base: Bench, rules: tuple[tuple[str, str], ...], number: int = 0) -> Bench:
    """A copy with these rules. Raises OpError where the model's iptables-restore refuses. A list of `recent` outlives
    its rules in the kernel, so each round has its own."""
    bench = Bench.over(base.net.copy())
    for node, text in rules:
        bench.restore(node, text.replace("--name ", f"--name R{number}-"))
    return bench


#: in how many sets of new namespaces, with patience, a difference must not be there again to be forgiven
AGAIN = 2


def run(example: Example, tally: Tally, *, rows: bool = False) -> str:
    """ "" when both sides agree everywhere, else the grid of the first difference. Every flow is sent once: a second
    try in the same namespaces would meet other counts and other dice. A difference counts when it is there again in
    new namespaces, with patience; one that is not is noted in the tally."""
    count = Tally()
    found = once(example, count, rows=rows, patience=1)
    for _ in range(AGAIN if found else 0):
        count = Tally()
        if again := once(example, count, rows=rows, patience=PATIENCE):
            return again
    if found:
        count.passing.append(found)
    tally.add(count)
    return ""


def once(example: Example, tally: Tally, *, rows: bool = False, patience: int = PATIENCE) -> str:
    """The same in one set of namespaces."""
    base = wired(example.kind, example.mutations)
    number = loads = 0
    with Kernel() as kernel:
        kernel.build(base.net)
        pair = Pair(kernel, base.net)
        if rows:
            read = compare_rows(kernel, base.net)
            tally.rows += sum(r.count for r in read)
            different = [r for r in read if not r.same]
            if different:
                return "\n".join(map(repr, different))
        tally.networks += 1
        for each in example.rounds:
            tally.rulesets += len(each.rules)
            counting = any(remembers(text) for _, text in each.rules)
            fresh = False
            for row in each.flows:
                if not fresh:
                    loads += 1
                    pair.reload(ruled(base, each.rules, loads).net, [node for node, _ in each.rules])
                number += 1
                flow = example.flow(row, number)
                try:
                    one = pair.send(flow, patience=patience)
                except NotModelled as error:
                    tally.seen[f"not modelled: {error}"] += 1
                    fresh = not counting
                    continue
                if not one.same:
                    return report(example, number, one)
                tally.take(one)
                fresh = not (counting and unsure(one))
    return ""


#: how a way ends that the kernel may or may not report: errors about missing routes come from a budget for each peer
#: that fills with the real clock (ip_error in net/ipv4/route.c), those about neighbours seconds later
RATIONED = (Outcome.NO_ROUTE, Outcome.UNRESOLVED_NEIGHBOUR)


def unsure(one: Compared) -> bool:
    """Can nobody say whether an ICMP error has been sent after what is compared?"""
    return any(walk.outcome in RATIONED for leg in one.journey.legs for walk in leg.walks())


def remembers(rules: str) -> bool:
    """Do these rules count packets? Then they are loaded anew when it is not sure what they have met."""
    return any(word in rules for word in ("--mode nth", "-m recent"))


def smaller(example: Example, seconds: float = 30) -> tuple[Example, str]:
    """A smaller example that still differs, and its difference: rounds, flows, mutations and lines of rules are left
    out while the difference stays and time is left."""
    end = time.monotonic() + seconds
    best, told = example, ""

    def differs(other: Example) -> bool:
        nonlocal best, told
        try:
            found = once(other, Tally()) if time.monotonic() < end else ""
        except (NotModelled, OpError):
            return False
        if found:
            best, told = other, found
        return bool(found)

    def thin(rows: Sequence[T], made: Callable[[tuple[T, ...]], Example]) -> None:
        kept, size = tuple(rows), max(1, len(rows) // 2)
        while size:
            at = 0
            while at < len(kept):
                fewer = kept[:at] + kept[at + size :]
                if differs(made(fewer)):
                    kept = fewer
                else:
                    at += size
            size //= 2

    thin(example.rounds, lambda rows: replace(best, rounds=rows))
    thin(best.mutations, lambda rows: replace(best, mutations=rows))
    for number in range(len(best.rounds)):

        def with_round(new: Round, number: int = number) -> Example:
            return replace(best, rounds=(*best.rounds[:number], new, *best.rounds[number + 1 :]))

        thin(
            best.rounds[number].flows,
            lambda rows, n=number: with_round(replace(best.rounds[n], flows=rows), n),
        )
        for which in range(len(best.rounds[number].rules)):

            def with_lines(rows: tuple[str, ...], n: int = number, which: int = which) -> Example:
                rules = list(best.rounds[n].rules)
                rules[which] = (rules[which][0], "".join(f"{line}\n" for line in rows))
                return with_round(replace(best.rounds[n], rules=tuple(rules)), n)

            thin(best.rounds[number].rules[which][1].splitlines(), with_lines)
    return best, told


def report(example: Example, number: int, one: Compared) -> str:
    lines = [f"{example.kind}, flow {number}", one.grid()]
    lines += [f"{netns}: {line}" for netns, line in example.mutations]
    return "\n".join(lines)

"""Runs an example on both sides, and counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from engine.errors import NotModelled, OpError
from engine.real.compare import Compared, Pair
from engine.real.kernel import Kernel
from engine.real.rows import compare_rows
from tests.real.strategies import Example
from tests.real.clusters import Bench, wired


@dataclass
class Tally:
    """What was compared."""

    networks: int = 0
    rulesets: int = 0
    packets: int = 0
    steps: int = 0
    rows: int = 0
    choices: int = 0
    seen: Counter[str] = field(default_factory=Counter)

    def take(self, one: Compared) -> None:
        self.packets += 1
        self.steps += one.count
        self.choices += one.played
        self.seen[str(one.journey.outcome)] += 1


def ruled(base: Bench, rules: tuple[tuple[str, str], ...]) -> Bench:
    """A copy with these rules. Raises OpError where the model's iptables-restore refuses."""
    bench = Bench.over(base.net.copy())
    for node, text in rules:
        bench.restore(node, text)
    return bench


def run(example: Example, tally: Tally, *, rows: bool = False) -> str:
    """"" when both sides agree everywhere, else the grid of the first difference."""
    base = wired(example.kind, example.mutations)
    number = 0
    with Kernel() as kernel:
        kernel.build(base.net)
        pair = Pair(kernel, base.net)
        if rows:
            different = [r for r in compare_rows(kernel, base.net) if not r.same]
            if different:
                return "\n".join(map(repr, different))
        tally.networks += 1
        for each in example.rounds:
            bench = ruled(base, each.rules)
            pair.reload(bench.net, [node for node, _ in each.rules])
            tally.rulesets += len(each.rules)
            for row in each.flows:
                number += 1
                flow = example.flow(row, number)
                try:
                    one = pair.send(flow)
                except NotModelled as error:
                    tally.seen[f"not modelled: {error}"] += 1
                    continue
                if not one.same:
                    return report(example, number, one)
                tally.take(one)
    return ""


def report(example: Example, number: int, one: Compared) -> str:
    lines = [f"{example.kind}, flow {number}", one.grid()]
    lines += [f"{netns}: {line}" for netns, line in example.mutations]
    return "\n".join(lines)


__all__ = ["OpError", "Tally", "report", "ruled", "run"]

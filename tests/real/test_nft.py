"""nft's rules in the kernel and in the model: read back as they are written, and met by packets rule by rule.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many random rulesets. A failing test names its seed:
`check(SEED)` is the same ruleset and the same flows again.
"""

from __future__ import annotations

import os
import re

import pytest

from engine.linux.journey import Outcome
from engine.linux.net import Net
from engine.linux.nft.text import Style, table_text
from engine.real.compare import PATIENCE, Flow, Pair
from engine.real.kernel import Kernel
from tests.real.nft_rules import KUBE_PROXY, Rules, world
from tests.tools import need

need("userns", "nft", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
GROUPS, RULESETS, FLOWS = 4, 15, 8
SERVICES = (
    ("node/p1", "tcp", "10.96.0.10", 80), ("node/p2", "tcp", "10.96.0.10", 80), ("ext", "tcp", "10.96.0.10", 80),
    ("node", "tcp", "10.96.0.10", 80), ("ext", "tcp", "192.168.10.10", 30080),
    ("node", "tcp", "192.168.10.10", 30080), ("node/p1", "udp", "10.96.0.20", 53),
    ("node/p1", "udp", "10.96.0.20", 53), ("node/p2", "udp", "10.96.0.20", 53),
    ("node/p1", "tcp", "10.96.0.66", 80), ("ext", "tcp", "10.96.0.66", 80), ("node", "tcp", "10.96.0.66", 80),
    ("node/p1", "tcp", "10.96.0.10", 81), ("node", "tcp", "10.96.0.10", 81), ("node/p1", "tcp", "10.96.0.99", 81),
    ("ext", "tcp", "203.0.113.200", 80), ("node/p1", "tcp", "203.0.113.200", 80),
    ("node/p1", "icmp", "10.96.0.10", 0), ("node/p1", "icmp", "10.244.1.3", 0), ("ext", "udp", "10.244.1.2", 53),
)  # fmt: skip


def listing(net: Net) -> dict[str, str]:
    """The node's tables as the model prints them."""
    ns = net.spaces["node"]
    style = Style(names={i: link.name for i, link in ns.links.items()})
    return {f"{t.family} {t.name}": timeless(table_text(t, style)) for t in ns.nft.tables.values()}


def read(kernel: Kernel, net: Net) -> dict[str, str]:
    """The same as the real tool prints them."""
    return {
        f"{t.family} {t.name}": timeless(kernel.read("node", "nft", "list", "table", t.family, t.name))
        for t in net.spaces["node"].nft.tables.values()
    }


def lines(tables: dict[str, str]) -> list[str]:
    return [line for text in tables.values() for line in text.splitlines()]


def timeless(text: str) -> str:
    """The kernel's clock runs, the model's stands still."""
    return re.sub(r" expires \S+", "", text)


def test_kube_proxy(record_property: pytest.RecordProperty) -> None:
    net = world(KUBE_PROXY)
    steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        assert read(kernel, net) == listing(net)
        pair = Pair(kernel, net)
        for number, (netns, proto, dst, port) in enumerate(SERVICES):
            found = pair.send(Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=30001 + number))
            assert found.same, found.grid()
            steps += found.count
    record_property("kernel comparison", (1, len(SERVICES), steps))


def check(seed: int) -> tuple[int, int]:
    """(flows, steps) compared; fails with the grid of the first difference. A packet that rested in a queue of a busy
    machine is counted by limits and sets of the next flow, so a difference counts when it is there again in new
    namespaces, with patience."""
    try:
        return once(seed, 1)
    except AssertionError:
        return once(seed, PATIENCE)


def once(seed: int, patience: int) -> tuple[int, int]:
    rules = Rules(seed)
    net = rules.net()
    text = "\n".join(listing(net).values())
    flows = steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        assert lines(read(kernel, net)) == lines(listing(net)), f"seed {seed}"
        pair = Pair(kernel, net)
        late = False  # an error about an unknown neighbour comes when the worker listens no more
        for number in range(FLOWS):
            netns, proto, dst, port = rules.flow(number)
            flow = Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=30001 + number)
            found = pair.send(flow, patience=patience)
            assert found.same, "\n".join([f"seed {seed}, flow {number}", found.grid(), text])
            steps += found.count
            flows += 1
            late = late or found.journey.outcome in (Outcome.UNRESOLVED_NEIGHBOUR, Outcome.NO_ROUTE)
        found_sets = lines(read(kernel, net)) == lines(listing(pair.net))
        assert late or found_sets, f"seed {seed}: counters and dynamic sets"
    return flows, steps


@pytest.mark.parametrize("group", range(GROUPS * ROUNDS))
def test_random_rulesets(group: int, record_property: pytest.RecordProperty) -> None:
    for seed in range(group * RULESETS, (group + 1) * RULESETS):
        flows, steps = check(seed)
        record_property("kernel comparison", (1, flows, steps))

"""Random nets in the kernel and in the model: the same devices in order, rules and headers, there and back.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many. A failing test names its seed: `check(SEED)`
is the same net and the same flows again.
"""

from __future__ import annotations

import os

import pytest

from engine.real.compare import compare
from engine.real.kernel import Kernel
from tests.real.topology import Maker
from tests.tools import need

need("userns", "iptables", "nft", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
GROUPS, LABS, FLOWS = 4, 10, 12


def check(seed: int) -> tuple[int, int]:
    """(flows, steps) compared; fails with the grid of the first difference."""
    maker = Maker(seed)
    world = maker.make()
    steps = 0
    with Kernel() as kernel:
        kernel.build(world.net)
        for number in range(FLOWS):
            flow = maker.flow(world, number)
            compared = compare(kernel, world.net, flow)
            assert compared.same, "\n".join([f"seed {seed}, flow {number}", compared.grid(), *world.words])
            steps += compared.count
    return FLOWS, steps


@pytest.mark.parametrize("group", range(GROUPS * ROUNDS))
def test_random_nets(group: int, record_property: pytest.RecordProperty) -> None:
    for seed in range(group * LABS, (group + 1) * LABS):
        flows, steps = check(seed)
        record_property("kernel comparison", (1, flows, steps))

"""Felix's rows let through exactly what the policies mean: random policies, every pair of pods and nodes."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, given, settings

from tests.kube.policy.pairs import by_meaning, by_packets, cluster
from tests.kube.policy.strategies import PORTS, Json, namespaces, pods, policies

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))


@settings(
    max_examples=8 * ROUNDS, deadline=None, database=None, derandomize=ROUNDS == 1,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
@given(pods(), namespaces(), policies())
def test_rows_are_what_policies_mean(
    bodies: list[Json], spaces: dict[str, dict[str, str]], rules: list[Json]
) -> None:
    lab = cluster(bodies, spaces, rules)
    ports = PORTS[:2]
    packets, meaning = by_packets(lab, bodies, ports), by_meaning(lab, bodies, rules, ports)
    differ = {key: (packets[key], meaning[key]) for key in meaning if packets[key] != meaning[key]}
    assert not differ, "(source, target, port): (by packets, by meaning)"

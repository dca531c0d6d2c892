"""Every grid holds: by connections through felix's rows and by what the policies mean; a bridge blocks nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.kube.policy.semantics import Party, judge
from tests.flows import policy_grids as grids

CASES = [
    pytest.param(read["mode"], case, case.get("ports", read["ports"]), id=f"{path.stem}: {case['name']}")
    for path in grids.files()
    for read in [grids.read(path)]
    for case in read["cases"]
]
SPACES = {n: {**labels, "kubernetes.io/metadata.name": n} for n, labels in grids.SPACES.items()}


def party(name: str) -> Party:
    if name in grids.PODS:
        space, node, address, labels, ports = grids.PODS[name]
        named = tuple((word, "tcp", number) for number, word in ports.items() if word)
        return Party(address=address, namespace=space, name=name, node=node, labels=labels, ports=named)
    node = grids.PLACES[name].split("/")[1]
    address = {"w1": "192.168.10.101", "w2": "192.168.10.102", "ext": "192.168.10.1"}[node]
    return Party(address=address, node=node if name != "ext" else "")


def test_there_are_at_least_sixty() -> None:
    assert len(CASES) >= 60
    assert all(case.values[1]["why"] for case in CASES)


@pytest.mark.parametrize(("mode", "case", "ports"), CASES)
def test_connections(mode: str, case: dict[str, Any], ports: list[int]) -> None:
    lab = grids.with_policies(mode, case["policies"])
    net = lab.world.net.copy()
    found = {c: grids.reaches(lab, net, *c[:3]) for c in grids.cells(case["grid"], ports)}
    assert {c[:3]: got for c, got in found.items() if got != c[3]} == {}


@pytest.mark.parametrize(("mode", "case", "ports"), CASES)
def test_meaning(mode: str, case: dict[str, Any], ports: list[int]) -> None:
    rows = [grids.policy(row, n) for n, row in enumerate(case["policies"])]
    for source, target, port, wanted in grids.cells(case["grid"], ports):
        got = judge(rows, SPACES, party(source), party(target), "TCP", port)
        assert got.allowed is wanted, (source, target, port, got)


def test_a_network_that_does_not_enforce() -> None:
    """The same objects under the bridge CNI: stored, shown, said, and without effect."""
    rows = [{"spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}}]
    lab = grids.with_policies("none", rows, "bridge")
    shown = lab.run("node/cp", "kubectl get networkpolicy -n shop").stdout
    assert "policy-0" in shown
    assert lab.world.cluster is not None
    (note,) = lab.world.cluster.skipped
    assert "no program on these nodes enforces NetworkPolicy" in note.why.text("en")
    assert lab.trace("pod/other/fe", "pod/shop/db:80").outcome.value == "delivered"

"""Felix's rules in the kernel and in the model: random NetworkPolicies, the same flows, the same rules and headers.

Each example is a new set of policies for the same pods on two nodes. What our felix makes of it is loaded by
iptables-restore and ipset restore into real namespaces wired as the model's; each flow is one case, compared step by
step with every rule that it met. K8SNET_REAL_ROUNDS=10 (what `make real` sets) draws ten times as many.
"""

from __future__ import annotations

import os

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engine.kube.manifests import from_texts
from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.journey import StepKind
from engine.real.compare import Flow, Pair
from engine.real.kernel import Kernel
from engine.real.rows import compare_rows
from tests.kube.policy.pairs import cluster
from tests.kube.policy.strategies import PORTS, Json, policies
from tests.tools import need

need("userns", "iptables", "nft", "ip", "ipset", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
EXAMPLES, FLOWS = 9, 5
#: name -> namespace, node, labels, {port: name}
PODS: dict[str, tuple[str, str, dict[str, str], dict[int, str]]] = {
    "p0": ("shop", "w1", {"app": "a", "tier": "a"}, {80: "http"}),
    "p1": ("shop", "w2", {"app": "b", "tier": "a"}, {8080: "http"}),
    "p2": ("shop", "w1", {"app": "c"}, {80: "http", 81: "admin"}),
    "p3": ("data", "w2", {"app": "a"}, {81: "admin"}),
    "p4": ("tools", "w1", {}, {}),
}
SPACES: dict[str, dict[str, str]] = {
    "shop": {"app": "a"},
    "data": {"app": "b", "tier": "b"},
    "tools": {"tier": "a"},
}
NODES = ("w1", "w2")
SENDERS = (*PODS, *NODES)


def bodies() -> list[Json]:
    out = []
    for name, (space, node, labels, names) in PODS.items():
        ports = [{"containerPort": p, **({"name": names[p]} if p in names else {})} for p in PORTS]
        containers = [{"name": "c", "image": "registry.test/app", "ports": ports}]
        meta = {"name": name, "namespace": space, "labels": labels}
        spec = {"nodeName": node, "containers": containers}
        out.append({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    return out


def ref(name: str) -> str:
    return f"node/{name}" if name in NODES else f"pod/{PODS[name][0]}/{name}"


class Bench:
    """One cluster in the kernel, whose policies change from example to example."""

    def __init__(self, kernel: Kernel, mode: str) -> None:
        self.base = cluster(bodies(), SPACES, [], mode)
        self.places = {name: self.base.endpoint(ref(name)) for name in SENDERS}
        kernel.build(self.base.world.net)
        assert [r for r in compare_rows(kernel, self.base.world.net) if not r.same] == []
        self.pair = Pair(kernel, self.base.world.net)
        self.sport = 20000
        self.cases = self.steps = self.rules = 0

    def put(self, rows: list[Json]) -> Lab:
        lab = self.base.copy()
        assert lab.world.cluster is not None
        lab.world.cluster.load(from_texts({"policies": yaml.safe_dump_all(rows)}), lab.world.net.clock)
        lab.world.settle()
        self.pair.reload(lab.world.net, NODES)
        return lab

    def flow(self, source: str, target: str, port: int, proto: str) -> Flow:
        self.sport += 1
        sender, receiver = self.places[source], self.places[target]
        return Flow(
            netns=sender.netns, proto=proto, dst=text4(receiver.address), dport=port, sport=self.sport
        )

    def send(self, flow: Flow) -> str:
        """ "" where both sides agree, else the grid of the difference."""
        found = self.pair.send(flow)
        if not found.same:
            return found.grid()
        self.cases += 1
        self.steps += found.count
        self.rules += sum(s.kind is StepKind.RULE for w in found.compared for s in w.steps())
        return ""


def flows() -> st.SearchStrategy[list[tuple[str, str, int, str]]]:
    one = st.tuples(
        st.sampled_from(SENDERS), st.sampled_from(tuple(PODS)), st.sampled_from((*PORTS, 22)),
        st.sampled_from(("tcp", "tcp", "tcp", "udp", "icmp")),
    )  # fmt: skip
    return st.lists(one.filter(lambda f: f[0] != f[1]), min_size=FLOWS, max_size=FLOWS)


@pytest.mark.parametrize("mode", ["none", "vxlan"])
def test_random_policies(mode: str, record_property: pytest.RecordProperty) -> None:
    with Kernel() as kernel:
        bench = Bench(kernel, mode)

        @settings(
            max_examples=EXAMPLES * ROUNDS, deadline=None, database=None, derandomize=ROUNDS == 1,
            suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
        )  # fmt: skip
        @given(policies(), flows())
        def one(rows: list[Json], sent: list[tuple[str, str, int, str]]) -> None:
            bench.put(rows)
            for source, target, port, proto in sent:
                told = bench.send(bench.flow(source, target, port, proto))
                assert told == "", f"{source} > {target}:{port} {proto}\n{told}"

        one()
        assert bench.cases >= 30 * ROUNDS and bench.rules > 10 * bench.cases
        record_property("kernel comparison", (EXAMPLES * ROUNDS, bench.cases, bench.steps))

"""kube-proxy's rules in the kernel and in the model: random Services, the same flows, the same rules and headers.

Each round is a new set of Services in a cluster of ours; what our kube-proxy makes of it on the nodes is loaded by
iptables-restore or nft -f into real namespaces that are wired as the model's. Each flow is one case: Services,
endpoints, policies, who sends and where. K8SNET_REAL_ROUNDS=10 (what `make real` sets) draws ten times as many. A
failing case names its seed and prints the fewest Services with which it still differs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import yaml

from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.journey import StepKind
from engine.linux.nft.text import Style, table_text
from engine.real.compare import Compared, Flow, Pair
from engine.real.kernel import Kernel
from engine.real.rows import kernel_rows, model_rows
from tests.real.services import CALICO, HAIRPIN, NODES, PLAIN, PODS, Json, Maker, opened
from tests.tools import need

need("userns", "iptables", "nft", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
SETS, FLOWS = 7, 12
#: what the lab file says of kube-proxy and of the Pods' network
CLUSTERS: dict[str, tuple[Json, Json]] = {
    "iptables": ({"mode": "iptables"}, HAIRPIN),
    "iptables-strict": (
        {"mode": "iptables", "iptables": {"masqueradeAll": True, "localhostNodePorts": False}}, PLAIN
    ),
    "iptables-bridge": (
        {
            "mode": "iptables", "detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"},
            "nodePortAddresses": ["192.168.10.0/24", "127.0.0.0/8"],
        },
        HAIRPIN,
    ),
    "iptables-calico": ({"mode": "iptables", "detectLocalMode": "NodeCIDR"}, CALICO),
    "nftables": ({"mode": "nftables"}, HAIRPIN),
    "nftables-prefix": (
        {
            "mode": "nftables", "detectLocalMode": "InterfaceNamePrefix",
            "detectLocal": {"interfaceNamePrefix": "veth"}, "nftables": {"masqueradeAll": True},
        },
        HAIRPIN,
    ),
    "nftables-all": ({"mode": "nftables", "nodePortAddresses": ["192.168.10.0/24"]}, PLAIN),
}  # fmt: skip


def senders(lab: Lab) -> dict[str, str]:
    """Who sends: its name -> its namespace."""
    refs = {p: f"pod/{p}" for p in PODS} | {n: f"node/{n}" for n in NODES} | {"laptop": "host/laptop"}
    return {name: lab.endpoint(ref).netns for name, ref in refs.items()}


class Bench:
    """One real cluster, whose Services are changed from round to round."""

    def __init__(self, kernel: Kernel, name: str) -> None:
        self.proxy, self.cni = CLUSTERS[name]
        self.kernel, self.rows = kernel, 0
        empty = opened(self.proxy, [], self.cni)
        self.pods = {name: text4(empty.endpoint(f"pod/{name}").address) for name in PODS}
        self.nodes = {name: text4(empty.endpoint(f"node/{name}").address) for name in NODES}
        self.senders = senders(empty)
        kernel.build(empty.world.net)
        self.pair = Pair(kernel, empty.world.net)

    def put(self, objects: list[Json]) -> None:
        self.pair.reload(opened(self.proxy, objects, self.cni).world.net, NODES)

    def read_back(self) -> int:
        """The nodes' rules as the real tools print them are those of the model, line by line; how many lines."""
        count = 0
        for node in NODES:
            ns = self.pair.net.spaces[node]
            if ns.xt.tables:
                ours = model_rows(ns, "iptables")
                assert kernel_rows(self.kernel, ns, "iptables") == ours
                count += len(ours)
            style = Style(names={i: link.name for i, link in ns.links.items()})
            for table in ns.nft.tables.values():
                lines = table_text(table, style).splitlines()
                assert (
                    self.kernel.read(node, "nft", "list", "table", table.family, table.name).splitlines()
                    == lines
                )
                count += len(lines)
        return count

    def round(self, seed: int) -> Iterator[Compared]:
        maker = Maker(seed, self.pods, self.nodes)
        objects = maker.objects()
        if self.cni is CALICO:
            objects += maker.policies()
        self.put(objects)
        self.rows += self.read_back()
        for number in range(FLOWS):
            found = self.pair.send(maker.flow(self.senders, number))
            if not found.same:
                less, told = self.smaller(objects, found)
                pytest.fail(
                    f"seed {seed}, flow {number}\n{told.grid()}\n{yaml.safe_dump(less, sort_keys=False)}"
                )
            yield found

    def smaller(self, objects: list[Json], found: Compared) -> tuple[list[Json], Compared]:
        """Fewer objects with which the same flow still differs."""
        sport = 25000
        for row in list(objects):
            fewer = [one for one in objects if one is not row]
            self.put(fewer)
            sport += 1
            flow = found.flow
            again = self.pair.send(
                Flow(netns=flow.netns, proto=flow.proto, dst=flow.dst, dport=flow.dport, sport=sport)
            )
            if not again.same:
                objects, found = fewer, again
        return objects, found


@pytest.mark.parametrize("name", CLUSTERS)
def test_random_services(name: str, record_property: pytest.RecordProperty) -> None:
    flows = steps = translated = 0
    with Kernel() as kernel:
        bench = Bench(kernel, name)
        for number in range(SETS * ROUNDS):
            for found in bench.round(1000 * list(CLUSTERS).index(name) + number):
                flows += 1
                steps += found.count
                translated += any(
                    s.kind is StepKind.NAT for leg in found.journey.legs for s in leg.forward.steps()
                )
    assert translated > flows // 4, "hardly any packet met a Service's rules"
    record_property("kernel comparison", (SETS * ROUNDS, flows, steps))
    record_property("kernel detail", (SETS * ROUNDS * len(NODES), bench.rows, 0, 0))

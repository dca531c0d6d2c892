"""What Services do, by their objects alone: no Pod backs an endpoint here, and most nodes are names in a slice.

Source: the packet-flow cases of Kubernetes' own kube-proxy tests (pkg/proxy/iptables/proxier_test.go and
pkg/proxy/nftables/proxier_test.go: TestClusterIPGeneral, TestLoadBalancer, TestNodePorts, TestExternalTrafficPolicy*,
TestTerminatingEndpointsTrafficPolicy*, TestInternalExternalMasquerade), told again as flow tables: who sends, what the
destination becomes over all random branches, whether the node's service rules change the source. Where an expectation
is a word and no address, it is the outcome.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.grade.flows import judge, table_of
from engine.lab.doc import Doc
from engine.lab.lab import Lab

NODE, ALT, CLIENT, BLOCKED = "192.168.0.2", "192.168.1.2", "203.0.113.2", "203.0.113.130"
POD = "10.0.0.2"
MODES = ("iptables", "nftables")
#: from, to, what it becomes ("" = untouched), is the source changed
Row = tuple[str, str, str, bool]


def lab(mode: str, objects: list[dict[str, Any]], **proxy: Any) -> dict[str, Any]:
    config = {"mode": mode, "clusterCIDR": "10.0.0.0/8", "nodePortAddresses": ["0.0.0.0/0"], **proxy}
    return {
        "nodes": [{"name": "test-node", "addresses": [NODE, ALT]}],
        "serviceCIDR": "172.30.0.0/16",
        "serviceNodePortRange": "3000-32767",
        "cni": {"name": "bridge", "podCIDR": "10.200.0.0/16"},
        "proxy": {key: value for key, value in config.items() if value is not None},
        "manifests": objects,
    }


def service(
    number: int, ports: list[dict[str, Any]] | None = None, *, lb: Any = (), **spec: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"svc{number}", "namespace": f"ns{number}"},
        "spec": {"clusterIP": f"172.30.0.4{number}", "ports": ports or [{"name": "p80", "port": 80}], **spec},
    }
    if lb:
        body["status"] = {"loadBalancer": {"ingress": [{"ip": ip} for ip in lb]}}
    return body


def slice_of(
    number: int, endpoints: list[dict[str, Any]], ports: Any = (("p80", 80, "TCP"),)
) -> dict[str, Any]:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"svc{number}-1",
            "namespace": f"ns{number}",
            "labels": {"kubernetes.io/service-name": f"svc{number}"},
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": name, "port": port, "protocol": proto} for name, port, proto in ports],
    }


def at(address: str, node: str = "", conditions: str = "") -> dict[str, Any]:
    """An endpoint. `conditions`: "" ready, "t" terminating and serving, "x" terminating and not serving."""
    out: dict[str, Any] = {"addresses": [address]}
    if node:
        out["nodeName"] = node
    if conditions:
        out["conditions"] = {"ready": False, "serving": conditions == "t", "terminating": True}
    return out


def check(described: dict[str, Any], rows: list[Row], proto: str = "tcp") -> None:
    flows = []
    for source, to, becomes, masqueraded in rows:
        expect: dict[str, Any] = {"rewritten-to": becomes.split(", ") if becomes else []}
        if becomes in ("dropped", "rejected"):
            expect = {"outcome": becomes}
        elif becomes:
            expect["masqueraded"] = masqueraded
        flows.append({"from": source, "enter": "node/test-node", "to": to, "proto": proto, "expect": expect})
    table = table_of(Doc("proxier.yaml", {"lab": described, "flows": flows}))
    opened = Lab.load(described)
    judged = [judge(opened, flow) for flow in table.flows]
    assert [f.said.text("en") for row in judged for f in row.findings] == []


TWO = [at("10.180.0.1"), at("10.180.2.1", "test-node")]
BOTH, LOCAL = "10.180.0.1:80, 10.180.2.1:80", "10.180.2.1:80"


@pytest.mark.parametrize("mode", MODES)
def test_cluster_ips(mode: str) -> None:
    ports = [
        {"name": "http", "port": 80},
        {"name": "https", "port": 443, "targetPort": 8443},
        {"name": "dns-udp", "port": 53, "protocol": "UDP"},
        {"name": "dns-tcp", "port": 53, "targetPort": 5353},
    ]
    listed = (("http", 80, "TCP"), ("https", 8443, "TCP"), ("dns-udp", 53, "UDP"), ("dns-tcp", 5353, "TCP"))
    described = lab(
        mode,
        [
            service(1, [{"name": "http", "port": 80}]),
            slice_of(1, [at("10.180.0.1", "test-node")], listed[:1]),
            service(2, ports),
            slice_of(2, [at("10.180.0.1", "test-node"), at("10.180.2.1", "node2")], listed),
        ],
    )
    one, two = "10.180.0.1", "10.180.2.1"
    check(
        described,
        [
            ("10.180.0.2", "172.30.0.41:80", f"{one}:80", False),
            ("10.180.0.1", "172.30.0.41:80", f"{one}:80", True),  # hairpin
            ("10.180.0.2", "172.30.0.42:80", f"{one}:80, {two}:80", False),
            ("10.180.0.2", "172.30.0.42:443", f"{one}:8443, {two}:8443", False),
            ("10.180.0.2", "172.30.0.42:53", f"{one}:5353, {two}:5353", False),
            ("10.180.0.2", "172.30.0.41:443", "" if mode == "iptables" else "rejected", False),
        ],
    )
    check(
        described,
        [
            ("10.180.0.2", "172.30.0.42:53", f"{one}:53, {two}:53", False),
            ("10.180.0.2", "172.30.0.42:80", "" if mode == "iptables" else "rejected", False),
        ],
        "udp",
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_load_balancer_with_source_ranges(mode: str) -> None:
    ranges = ["192.168.0.0/24", " 203.0.113.0/25"]  # the API takes blanks around a range
    balanced = service(
        1,
        [{"name": "p80", "port": 80, "nodePort": 3001}],
        lb=("1.2.3.4", "5.6.7.8"),
        type="LoadBalancer",
        loadBalancerSourceRanges=ranges,
    )
    one = "10.180.0.1:80"
    rows: list[Row] = [
        (POD, "172.30.0.41:80", one, False),
        (CLIENT, f"{NODE}:3001", one, True),
        (BLOCKED, f"{NODE}:3001", one, True),  # node ports know no source ranges
    ]
    for vip in ("1.2.3.4", "5.6.7.8"):
        rows += [
            (CLIENT, f"{vip}:80", one, True),
            (BLOCKED, f"{vip}:80", "dropped", False),
            (POD, f"{vip}:80", "dropped", False),
            (NODE, f"{vip}:80", one, True),
            (vip, f"{vip}:80", one, True),  # the node's own packet, given the VIP as its source outside
        ]
    check(lab(mode, [balanced, slice_of(1, [at("10.180.0.1")])]), rows)


NODE_PORTS: list[tuple[str, dict[str, Any], bool, bool]] = [
    # localhost node ports, node port addresses, localhost works, the second address works
    ("iptables", {"nodePortAddresses": None}, True, True),
    ("iptables", {"nodePortAddresses": None, "iptables": {"localhostNodePorts": False}}, False, True),
    (
        "iptables",
        {"nodePortAddresses": ["192.168.0.0/24", "127.0.0.1/32"], "iptables": {"localhostNodePorts": False}},
        False,
        False,
    ),
    (
        "iptables",
        {
            "nodePortAddresses": ["192.168.0.0/24", "192.168.1.0/24"],
            "iptables": {"localhostNodePorts": False},
        },
        False,
        True,
    ),
    ("nftables", {"nodePortAddresses": None}, False, False),
    ("nftables", {"nodePortAddresses": ["0.0.0.0/0"]}, False, True),
    ("nftables", {"nodePortAddresses": ["192.168.0.0/24"]}, False, False),
    ("nftables", {"nodePortAddresses": ["192.168.0.0/24", "192.168.1.0/24"]}, False, True),
]


@pytest.mark.parametrize(("mode", "config", "localhost", "second"), NODE_PORTS)
def test_node_ports(mode: str, config: dict[str, Any], localhost: bool, second: bool) -> None:
    port = [{"name": "p80", "port": 80, "nodePort": 3001}]
    described = lab(mode, [service(1, port, type="NodePort"), slice_of(1, TWO)], **config)
    check(
        described,
        [
            (POD, "172.30.0.41:80", BOTH, False),
            (CLIENT, f"{NODE}:3001", BOTH, True),
            (NODE, f"{NODE}:3001", BOTH, True),
            ("127.0.0.1", "127.0.0.1:3001", BOTH if localhost else "", localhost),
            (CLIENT, f"{ALT}:3001", BOTH if second else "", second),
        ],
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("policy", ["Local", "Cluster"])
def test_external_traffic_policy(mode: str, policy: str) -> None:
    balanced = service(
        1,
        [{"name": "p80", "port": 80, "nodePort": 3001}],
        lb=("1.2.3.4",),
        type="LoadBalancer",
        externalTrafficPolicy=policy,
        externalIPs=["192.168.99.11"],
    )
    cluster = policy == "Cluster"
    rows: list[Row] = [(POD, "172.30.0.41:80", BOTH, False)]
    for to in ("192.168.99.11:80", "1.2.3.4:80", f"{NODE}:3001"):
        rows += [(POD, to, BOTH, cluster), (CLIENT, to, BOTH if cluster else LOCAL, cluster)]
    check(lab(mode, [balanced, slice_of(1, TWO)]), rows)


HERE, THERE = "test-node", "node-1"
TERMINATING: list[tuple[str, list[dict[str, Any]], str, str]] = [
    # policy, endpoints, what a Pod gets by the ClusterIP, what a client outside gets by the load balancer
    (
        "Local",
        [at("10.0.1.1", HERE), at("10.0.1.2", HERE), at("10.0.1.3", HERE, "t"), at("10.0.1.4", HERE, "x"),
         at("10.0.1.5", THERE)],
        "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80",
        "10.0.1.1:80, 10.0.1.2:80",
    ),
    (
        "Local",
        [at("10.0.1.2", HERE, "t"), at("10.0.1.3", HERE, "t"), at("10.0.1.4", HERE, "x"), at("10.0.1.5", THERE)],
        "10.0.1.5:80",
        "10.0.1.2:80, 10.0.1.3:80",
    ),
    ("Local", [at("10.0.1.5", THERE, "t")], "10.0.1.5:80", "dropped"),
    ("Local", [at("10.0.1.5", HERE, "x"), at("10.0.1.6", THERE, "x")], "rejected", "rejected"),
    ("Local", [], "rejected", "rejected"),
    (
        "Cluster",
        [at("10.0.1.1", HERE), at("10.0.1.2", HERE), at("10.0.1.3", THERE, "t"), at("10.0.1.4", THERE, "x"),
         at("10.0.1.5", THERE)],
        "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80",
        "10.0.1.1:80, 10.0.1.2:80, 10.0.1.5:80",
    ),
    (
        "Cluster",
        [at("10.0.1.2", HERE, "t"), at("10.0.1.3", HERE, "t"), at("10.0.1.4", THERE, "x"), at("10.0.1.5", THERE, "t")],
        "10.0.1.2:80, 10.0.1.3:80, 10.0.1.5:80",
        "10.0.1.2:80, 10.0.1.3:80, 10.0.1.5:80",
    ),
    ("Cluster", [at("10.0.1.5", THERE, "t")], "10.0.1.5:80", "10.0.1.5:80"),
    ("Cluster", [at("10.0.1.5", HERE, "x"), at("10.0.1.6", THERE, "x")], "rejected", "rejected"),
]  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("policy", "endpoints", "inside", "outside"), TERMINATING)
def test_terminating_endpoints(
    mode: str, policy: str, endpoints: list[dict[str, Any]], inside: str, outside: str
) -> None:
    balanced = service(1, [{"port": 80}], lb=("1.2.3.4",), type="LoadBalancer", externalTrafficPolicy=policy)
    described = lab(mode, [balanced, slice_of(1, endpoints, (("", 80, "TCP"),))])
    check(
        described,
        [(POD, "172.30.0.41:80", inside, False), (CLIENT, "1.2.3.4:80", outside, policy == "Cluster")],
    )


VIPS = {1: "1.2.3.4", 2: "5.6.7.8", 3: "9.10.11.12"}
POLICIES: dict[int, dict[str, Any]] = {
    1: {},
    2: {"externalTrafficPolicy": "Local"},
    3: {"internalTrafficPolicy": "Local"},
}


def three() -> list[dict[str, Any]]:
    out = []
    for n in (1, 2, 3):
        port = [{"name": "p80", "port": 80, "nodePort": 3000 + n}]
        out.append(service(n, port, lb=(VIPS[n],), type="LoadBalancer", **POLICIES[n]))
        out.append(slice_of(n, [at(f"10.180.0.{n}", "test-node"), at(f"10.180.1.{n}", "remote")]))
    return out


def masquerading(*, all: bool, detector: bool) -> list[Row]:
    """TestInternalExternalMasquerade: every sender to every kind of address of three Services."""

    def ends(n: int, local: bool = False) -> str:
        return f"10.180.0.{n}:80" if local else f"10.180.0.{n}:80, 10.180.1.{n}:80"

    rows: list[Row] = []
    for n in (1, 2, 3):
        vip, port, balanced = f"172.30.0.4{n}:80", f"{NODE}:{3000 + n}", f"{VIPS[n]}:80"
        inner, outer = n == 3, n == 2  # does the Local policy hold inside, outside?
        rows += [
            (POD, vip, ends(n, inner), all),
            (NODE, vip, ends(n, inner), all or detector),
            (CLIENT, vip, ends(n, inner), all or detector),
            # without a detector nobody knows that it comes from a Pod, and only local endpoints remain
            (POD, port, ends(n, outer and not detector), not outer),
            (POD, balanced, ends(n, outer and not detector), not outer),
            (NODE, port, ends(n), True),
            ("127.0.0.1", f"127.0.0.1:{3000 + n}", ends(n), True),
            (NODE, balanced, ends(n), True),
            (CLIENT, port, ends(n, outer), not outer),
            (CLIENT, balanced, ends(n, outer), not outer),
        ]
    return rows


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("all", [False, True], ids=["", "masqueradeAll"])
@pytest.mark.parametrize("detector", [True, False], ids=["", "no detector"])
def test_inside_and_outside(mode: str, all: bool, detector: bool) -> None:
    config: dict[str, Any] = {mode: {"masqueradeAll": all}}
    if not detector:
        config["clusterCIDR"] = ""
    rows = masquerading(all=all, detector=detector)
    if mode == "nftables":
        rows = [row for row in rows if row[0] != "127.0.0.1"]
    check(lab(mode, three(), **config), rows)

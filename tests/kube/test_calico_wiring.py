"""Calico's wiring: what the plugin and calico-node leave on a node in each mode, and what the packets then do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.kube.cni.calico_conf import veth_name
from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.journey import Outcome
from engine.shell.shell import Shell
from tests.real import model, wirings


def lab(mode: str = "ipip", **more: Any) -> Lab:
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **({"annotations": notes} if notes else {})},
            "spec": {"nodeName": node, "containers": [{"name": "c", "image": "nginx"}]},
        }
        for name, node, notes in more.pop("pods", (("a", "w1", {}), ("b", "w2", {}), ("c", "w1", {})))
    ]
    return Lab.load({
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "cni": {"name": "calico", "mode": mode, "podCIDR": "10.244.0.0/16"},
        "proxy": {"mode": "none"},
        "manifests": pods,
        **more,
    })  # fmt: skip


def out(lab: Lab, place: str, line: str) -> str:
    return lab.run(place, line).stdout


#: facts 10 section 6.3: remote block, own block
SHAPES = {
    "ipip": ("dev tunl0 proto bird metric 1024 onlink", "proto bird"),
    "none": ("dev eth0 proto bird metric 1024", "proto bird"),
    "ipip-cross-subnet": ("dev eth0 proto bird metric 1024", "proto bird"),
    "vxlan": ("dev vxlan.calico onlink", "proto 80"),
    "vxlan-cross-subnet": ("dev eth0 proto 80 onlink", "proto 80"),
}


@pytest.mark.parametrize("mode", SHAPES)
def test_routes_of_a_node(mode: str) -> None:
    one = lab(mode)
    remote, own = SHAPES[mode]
    lines = out(one, "node/w1", "ip route").splitlines()
    blocks = [line.strip() for line in lines if "/26 via" in line]
    assert blocks and all(line.endswith(remote) for line in blocks)
    assert [line.split()[2:] for line in lines if line.startswith("blackhole")] == [own.split()]
    pods = [line.strip() for line in lines if "dev cali" in line]
    assert len(pods) >= 2 and all(line.endswith("scope link metric 1024") for line in pods)


@pytest.mark.parametrize("mode", SHAPES)
def test_pods_reach_each_other(mode: str) -> None:
    one = lab(mode)
    for source, target in (("pod/a", "pod/b:80"), ("pod/a", "pod/c:80"), ("node/cp", "pod/a:80")):
        assert one.trace(source, target).outcome is Outcome.DELIVERED


def test_the_pair_and_the_gateway_that_nobody_owns() -> None:
    one = lab()
    name = veth_name("default", "a")
    assert name == "caliacd53aa4120"
    assert "ee:ee:ee:ee:ee:ee" in out(one, "node/w1", f"ip link show {name}")
    keys = ("conf.{}.proxy_arp", "conf.{}.route_localnet", "conf.{}.forwarding", "neigh.{}.proxy_delay")
    values = [out(one, "node/w1", f"sysctl -n net.ipv4.{key.format(name)}").strip() for key in keys]
    assert values == ["1", "1", "1", "0"]
    journey = one.trace("pod/a", "pod/c:80")
    rows = [step.row for step in journey.legs[0].forward.steps()]
    assert any("169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee" in row for row in rows)


def test_tunnel_devices() -> None:
    ipip, vxlan = lab("ipip"), lab("vxlan")
    assert "mtu 1480" in out(ipip, "node/w1", "ip link show tunl0")
    assert "mtu 1450" in out(vxlan, "node/w1", "ip link show vxlan.calico")
    detail = out(vxlan, "node/w1", "ip -d link show vxlan.calico")
    assert "vxlan id 4096 local 192.168.10.101 dev eth0" in detail and "dstport 4789 nolearning" in detail


def test_an_address_by_annotation() -> None:
    want = {"cni.projectcalico.org/ipAddrs": '["10.244.7.9"]'}
    one = lab(pods=(("a", "w1", want), ("b", "w2", {})))
    assert one.endpoint("pod/a").address == (10 << 24) | (244 << 16) | (7 << 8) | 9
    assert "10.244.7.0/26 via 192.168.10.101" in out(one, "node/w2", "ip route")
    notes = out(one, "node/cp", "kubectl get pod a -o jsonpath={.metadata.annotations}")
    assert '"cni.projectcalico.org/podIP":"10.244.7.9/32"' in notes


def test_nodes_wait_for_calico() -> None:
    one = lab()
    lab_out = out(one, "node/cp", "kubectl get ds -n kube-system calico-node")
    assert lab_out.splitlines()[1].split()[1:4] == ["3", "3", "3"]
    one.run("node/w1", "rm /etc/cni/net.d/10-calico.conflist")
    assert "NotReady" in out(one, "node/cp", "kubectl get node w1")


def shape(line: str) -> str:
    """A route without its numbers: what the two wirings of different addresses have in common."""
    line = re.sub(r"cali\S+", "caliPOD", line.strip())
    line = re.sub(r"\d+\.\d+\.\d+\.\d+/(24|26)", "BLOCK", line)
    line = re.sub(r"(?<!169\.254\.1\.)\b(?!169\.254)\d+\.\d+\.\d+\.\d+\b", "ADDRESS", line)
    return re.sub(r" (metric 1024|onlink|proto static)", "", line)


def test_the_lab_is_wired_as_the_recorded_cluster() -> None:
    """Mode none has the routes of the wiring that was recorded in a kernel (tests/real/recorded/calico.json), but for
    the metric of 3.32 and the length of a block."""
    wired = model.world(wirings.wiring("calico").lines)
    shell = Shell(wired, f"node/{model.HOST}")
    recorded = {shape(x) for x in shell.run("ip -n n1 route").stdout.splitlines()}
    pod = shell.run("ip -n p11 route").stdout
    one = lab("none")
    assert {shape(x) for x in out(one, "node/w1", "ip route").splitlines()} == recorded
    netns = one.endpoint("pod/a").netns
    name = next(k for k, v in one.world.net.boxes["w1"].netns_names.items() if v == netns)
    assert out(one, "node/w1", f"ip -n {name} route") == pod


def test_a_bird_that_is_killed_is_started_again() -> None:
    one = lab()
    before = out(one, "node/w1", "ip route")
    pid = next(
        line.split()[0]
        for line in out(one, "node/w1", "ps -e -o pid,args").splitlines()
        if " bird -R" in line
    )
    one.run("node/w1", f"kill {pid}")
    one.wait(300)
    assert " bird -R" in out(one, "node/w1", "ps -e -o pid,args")
    assert out(one, "node/w1", "ip route") == before


def test_routes_of_a_node_whose_calico_is_gone_end_elsewhere_and_stay_there() -> None:
    one = lab()
    one.run("node/cp", "kubectl patch ds calico-node -n kube-system -p "
            """'{"spec":{"template":{"spec":{"nodeSelector":{"kubernetes.io/hostname":"w2"}}}}}'""")  # fmt: skip
    one.wait(60)
    held = out(one, "node/w1", "ip route")
    assert "via 192.168.10.102 dev tunl0" in held
    one.wait(300)
    assert out(one, "node/w1", "ip route") == held
    assert "via 192.168.10.101" not in out(one, "node/w2", "ip route")


def test_a_pod_that_goes_takes_its_connections_with_it() -> None:
    one = lab("none")
    one.trace("pod/a", "pod/b:80", on_copy=False)
    assert "dst=" in out(one, "node/w2", "conntrack -L") and out(one, "node/w1", "conntrack -L")
    one.run("node/cp", "kubectl delete pod b --now")
    one.wait(60)
    assert "dst=" not in out(one, "node/w2", "conntrack -L")
    assert "dst=" in out(one, "node/w1", "conntrack -L")


@pytest.mark.parametrize(
    ("mode", "near", "far", "outcome"),
    [
        ("ipip", "dev tunl0", "dev tunl0", "delivered"),
        ("ipip-cross-subnet", "dev eth0", "dev tunl0", "delivered"),
        ("vxlan-cross-subnet", "dev eth0", "dev vxlan.calico", "delivered"),
        # The router between the subnets knows no Pods: without a tunnel it has no way for their packets.
        ("none", "dev eth0", "via 192.168.10.254 dev eth0", "no-route"),
    ],
)
def test_nodes_of_two_subnets(mode: str, near: str, far: str, outcome: str) -> None:
    nodes = [
        {"name": "cp", "role": "control-plane"},
        {"name": "w1", "addresses": ["192.168.10.11"]},
        {"name": "w2", "addresses": ["192.168.20.12"]},
        {"name": "w3", "addresses": ["192.168.10.13"]},
    ]
    one = lab(mode, nodes=nodes, pods=(("a", "w1", {}), ("b", "w2", {}), ("c", "w3", {})))
    assert one.trace("pod/a", "pod/b:80").outcome.value == outcome
    assert one.trace("pod/a", "pod/c:80").outcome is Outcome.DELIVERED
    for pod, words in (("c", near), ("b", far)):
        row = out(one, "node/w1", f"ip route get {text4(one.endpoint(f'pod/{pod}').address)}")
        assert words in row

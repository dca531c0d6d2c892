"""A node that is not heard of (a stopped kubelet, a cut wire): what the controllers do, and when it is back."""

from __future__ import annotations

import pytest

from engine.kube.objects import Json
from engine.lab.lab import Lab

LAB: Json = {
    "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
    "proxy": {"mode": "none"},
    "manifests": [
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
            "spec": {
                "replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "c", "image": "nginx:1.27"}]},
                },
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        },
    ],
}  # fmt: skip
STOP = "systemctl stop kubelet", "systemctl start kubelet"
CUT = "ip link set eth0 down", "ip link set eth0 up"


@pytest.fixture(scope="module")
def fresh() -> Lab:
    return Lab.load(LAB)


@pytest.fixture
def lab(fresh: Lab) -> Lab:
    return fresh.copy()


def node(lab: Lab, name: str = "w1") -> Json:
    assert lab.world.cluster is not None
    found = lab.world.cluster.store.get("Node", "", name)
    assert found is not None
    return found


def ready(lab: Lab, name: str = "w1") -> tuple[str, str, str]:
    (row,) = [c for c in node(lab, name)["status"]["conditions"] if c["type"] == "Ready"]
    return row["status"], row["reason"], row["message"]


def endpoints(lab: Lab) -> list[tuple[str, bool]]:
    assert lab.world.cluster is not None
    return sorted(
        (e["nodeName"], e["conditions"]["ready"])
        for s in lab.world.cluster.store.list("EndpointSlice", "default")
        for e in s["endpoints"] or ()
        if s["metadata"]["labels"].get("kubernetes.io/service-name") == "web"
    )


@pytest.mark.parametrize("how", [STOP, CUT], ids=["kubelet", "wire"])
def test_a_silent_node_becomes_unknown_and_its_endpoints_not_ready(lab: Lab, how: tuple[str, str]) -> None:
    lab.run("node/w1", how[0])
    lab.wait(39)
    assert ready(lab)[0] == "True"
    lab.wait(11)
    assert ready(lab) == ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.")
    assert {(t["key"], t["effect"]) for t in node(lab)["spec"]["taints"]} == {
        ("node.kubernetes.io/unreachable", "NoSchedule"), ("node.kubernetes.io/unreachable", "NoExecute"),
    }  # fmt: skip
    assert endpoints(lab) == [("w1", False), ("w2", True)]
    lab.run("node/w1", how[1])
    lab.wait(20)
    assert ready(lab)[0] == "True" and "taints" not in node(lab)["spec"]
    assert endpoints(lab) == [("w1", True), ("w2", True)]


def test_after_five_minutes_its_pods_are_replaced_and_stay_terminating_until_it_is_back(lab: Lab) -> None:
    lab.run("node/w1", STOP[0])
    lab.wait(51)
    lab.wait(301)
    assert endpoints(lab) == [("w1", False), ("w2", True), ("w2", True)]
    rows = lab.run("node/cp", "kubectl get pods").stdout
    assert rows.count("Terminating") == 1 and rows.count("Running") == 2
    lab.wait(600)
    assert lab.run("node/cp", "kubectl get pods").stdout.count("Terminating") == 1
    lab.run("node/w1", STOP[1])
    lab.wait(20)
    assert "Terminating" not in lab.run("node/cp", "kubectl get pods").stdout


def test_before_1_32_forty_seconds_were_enough() -> None:
    lab = Lab.load({**LAB, "kubernetes": "1.31"})
    lab.run("node/w1", STOP[0])
    lab.wait(41)
    assert ready(lab)[0] == "Unknown"


def test_a_cordoned_node_keeps_its_pods_and_gets_no_new_ones(lab: Lab) -> None:
    lab.run("node/cp", "kubectl cordon w1")
    lab.run("node/cp", "kubectl scale deploy web --replicas=4")
    assert endpoints(lab) == [("w1", True), ("w2", True), ("w2", True), ("w2", True)]


def test_a_deleted_node_comes_back_when_its_kubelet_is_started_again(lab: Lab) -> None:
    lab.run("node/cp", "kubectl delete node w1")
    assert "w1" not in lab.run("node/cp", "kubectl get nodes").stdout
    lab.wait(41)
    assert endpoints(lab) == [("w2", True), ("w2", True)]
    assert "web" not in lab.run("node/w1", "crictl pods").stdout
    lab.run("node/w1", "systemctl restart kubelet")
    lab.wait(5)
    assert ready(lab)[0] == "True"

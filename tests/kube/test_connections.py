"""The connections that the cluster's own programs keep open, as the socket tools of a node show them."""

from __future__ import annotations

import re

import pytest

from engine.kube.connections import standing
from engine.lab.lab import Lab

ONE = {"nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}], "proxy": {"mode": "none"}}
THREE = {
    "nodes": [{"name": f"cp{i}", "role": "control-plane"} for i in (1, 2, 3)],
    "proxy": {"mode": "none"},
}


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load(ONE)


def rows(lab: Lab, node: str, port: int) -> list[str]:
    text = lab.run(f"node/{node}", "netstat -anp").stdout
    return [line for line in text.splitlines() if re.search(rf":{port} .*ESTABLISHED", line)]


def test_clients_of_etcd_are_many_and_members_none(lab: Lab) -> None:
    clients = rows(lab, "cp", 2379)
    assert len(clients) > 20
    assert {line.split()[-1].split("/")[1] for line in clients} == {"etcd", "kube-apiserver"}
    assert rows(lab, "cp", 2380) == []


def test_three_members_speak_to_each_other() -> None:
    lab = Lab.load(THREE)
    streams = rows(lab, "cp1", 2380)
    assert {line.split()[-1].split("/")[1] for line in streams} == {"etcd"}
    assert {line.split()[4].rpartition(":")[0] for line in streams} == {"192.168.10.101", "192.168.10.102"}


def test_both_ends_of_a_connection_are_the_same(lab: Lab) -> None:
    here = lab.run("node/w1", "ss -tn state established").stdout.splitlines()[1:]
    assert len(here) == 1
    *_, near, far = here[0].split()
    assert far == "192.168.10.100:6443"
    there = lab.run("node/cp", f"ss -tn dst {near}").stdout
    assert far in there and near in there


def test_who_is_gone_keeps_nothing_open(lab: Lab) -> None:
    copy = lab.copy()
    copy.run("node/w1", "systemctl stop kubelet")
    assert copy.run("node/w1", "ss -tnH").stdout == ""
    copy.run("node/cp", "mv /etc/kubernetes/manifests/kube-apiserver.yaml /root/")
    copy.wait(60)
    assert rows(copy, "cp", 6443) == rows(copy, "cp", 2379) == []


def test_a_pod_has_none_of_them() -> None:
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
        "spec": {"nodeName": "w1", "containers": [{"name": "c", "image": "nginx"}]},
    }  # fmt: skip
    lab = Lab.load({**ONE, "manifests": [pod]})
    assert standing(lab.world.cluster, lab.world.net, lab.world.net.spaces[lab.endpoint("pod/a").netns]) == []


def test_systemctl_stops_and_starts() -> None:
    lab = Lab.load(ONE)
    assert not lab.run("node/w1", "systemctl disable --now kubelet").code
    assert lab.run("node/w1", "systemctl is-active kubelet").stdout == "inactive\n"
    assert lab.run("node/w1", "systemctl is-enabled kubelet").stdout == "disabled\n"
    assert "Active: inactive (dead)" in lab.run("node/w1", "systemctl status kubelet").stdout
    assert not lab.run("node/w1", "systemctl enable --now kubelet").code
    assert lab.run("node/w1", "systemctl is-active kubelet").stdout == "active\n"
    assert "10-kubeadm.conf" in lab.run("node/w1", "systemctl cat kubelet").stdout

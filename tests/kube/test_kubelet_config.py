"""What a kubelet reads at its start (static Pods, the authority of its clients), and the health that it tells."""

from __future__ import annotations

import pytest

from engine.kube import kubeletconfig
from engine.lab.lab import Lab

CONFIG = kubeletconfig.CONFIG
POD = r"printf 'apiVersion: v1\nkind: Pod\nmetadata: {name: cache}\nspec: {containers: [{name: c, image: redis}]}\n'"


@pytest.fixture
def lab() -> Lab:
    nodes = [{"name": "cp", "role": "control-plane"}, {"name": "w1"}]
    return Lab.load({"nodes": nodes, "proxy": {"mode": "none"}})


def said(lab: Lab, place: str, command: str) -> str:
    got = lab.run(place, command)
    return got.stdout + got.stderr


def pods(lab: Lab) -> list[str]:
    return said(lab, "node/cp", "kubectl get pods -o name").split()


def test_the_folder_of_static_pods_is_the_one_that_kubelet_read_when_it_started(lab: Lab) -> None:
    said(lab, "node/w1", f"sed -i s,kubernetes/manifests,static, {CONFIG}; mkdir -p /etc/static")
    said(lab, "node/w1", f"{POD} > /etc/static/cache")
    said(lab, "node/w1", "sleep 20")
    assert "pod/cache-w1" not in pods(lab)
    said(lab, "node/w1", "systemctl restart kubelet; sleep 20")
    assert "pod/cache-w1" in pods(lab), "any name will do that does not begin with a dot"
    said(lab, "node/w1", "mv /etc/static/cache /etc/static/.cache; sleep 20")
    assert "pod/cache-w1" not in pods(lab)


def test_a_mirror_that_is_deleted_comes_back_and_its_containers_never_went(lab: Lab) -> None:
    said(lab, "node/w1", f"{POD} > /etc/kubernetes/manifests/cache.yaml; sleep 20")
    before = said(lab, "node/w1", "crictl ps -q")
    got = lab.run("node/cp", "kubectl delete pod cache-w1")
    assert (got.stdout, got.stderr, got.code) == ('pod "cache-w1" deleted from default namespace\n', "", 0)
    assert "cache-w1   1/1     Running   0          0s" in said(lab, "node/cp", "kubectl get pods")
    assert said(lab, "node/w1", "crictl ps -q") == before


def test_a_file_without_a_certificate_is_no_authority(lab: Lab) -> None:
    said(lab, "node/w1", f"sed -i s,ca.crt,ca-3.crt, {CONFIG}; touch /etc/kubernetes/pki/ca-3.crt")
    said(lab, "node/w1", "systemctl restart kubelet")
    path = "/etc/kubernetes/pki/ca-3.crt"
    why = f"error reading {path}: data does not contain any valid RSA or ECDSA certificates"
    assert f"unable to load client CA file {path}: {why}" in said(lab, "node/w1", "journalctl -u kubelet")
    said(lab, "node/w1", f"cp /etc/kubernetes/pki/ca.crt {path}; sleep 60")
    assert "   Ready" in said(lab, "node/cp", "kubectl get node w1")


def test_without_its_authoritys_file_kubelet_does_not_start_and_says_why(lab: Lab) -> None:
    said(lab, "node/w1", f"sed -i s,ca.crt,ca-2.crt, {CONFIG}")
    assert "Ready" in said(lab, "node/cp", "kubectl get node w1"), "the running one has read the old file"
    got = lab.run("node/w1", "systemctl restart kubelet")
    assert got.code == 0, "type simple: systemd has done its part when the process was forked"
    assert "activating (auto-restart)" in said(lab, "node/w1", "systemctl status kubelet")
    assert "unable to load client CA file /etc/kubernetes/pki/ca-2.crt" in said(
        lab, "node/w1", "journalctl -u kubelet"
    )
    said(lab, "node/w1", "sleep 60")
    assert "NotReady" in said(lab, "node/cp", "kubectl get node w1")
    said(lab, "node/w1", f"sed -i s,ca-2.crt,ca.crt, {CONFIG}; sleep 15")
    assert "NotReady" not in said(lab, "node/cp", "kubectl get node w1")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: Kubelet\napiVersion: v1\n", 'no kind "Kubelet" is registered for version "v1" in scheme'),
        ("a: 1\n", "Object 'Kind' is missing"),
        ("kind: [\n", "error converting YAML to JSON: yaml: line"),
    ],
)
def test_a_file_that_is_no_configuration_is_said_in_kubelets_words(text: str, problem: str) -> None:
    assert problem in kubeletconfig.read(text).problem


def test_kubelet_tells_its_health_on_the_loopback_only(lab: Lab) -> None:
    assert said(lab, "node/w1", "curl -s 127.0.0.1:10248/healthz") == "ok"
    assert lab.run("node/cp", "curl -sS 192.168.10.101:10248/healthz").code == 7


def test_what_pods_names_are_asked_by_stands_in_the_same_file() -> None:
    head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    got = kubeletconfig.read(
        head + "clusterDNS: [10.96.0.10, '10.96.0.11']\nclusterDomain: lab\nresolvConf: ''\n"
    )
    assert (got.servers, got.domain, got.resolv) == (("10.96.0.10", "10.96.0.11"), "lab", "")
    got = kubeletconfig.read(head)
    assert (got.servers, got.domain, got.resolv) == ((), "cluster.local", "/etc/resolv.conf")
    assert kubeletconfig.read("").servers is None

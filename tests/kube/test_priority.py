"""PriorityClasses: the server's own, a learner's, and what admission makes of Pods (plugin/pkg/admission/priority)."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab


@pytest.fixture
def lab() -> Lab:
    nodes = [{"name": "cp", "role": "control-plane"}, {"name": "w1"}]
    return Lab.load({"nodes": nodes, "addons": ["coredns"], "proxy": {"mode": "iptables"}})


def said(lab: Lab, command: str) -> str:
    got = lab.run("node/cp", command)
    return got.stdout + got.stderr


def priority(lab: Lab, what: str) -> list[str]:
    return said(lab, f"kubectl get pods {what} -o jsonpath='{{.items[*].spec.priority}}'").split()


def run(lab: Lab, name: str, spec: str) -> str:
    return said(lab, f"kubectl run {name} --image=nginx --overrides='{{\"spec\":{spec}}}'")


def test_the_system_classes_are_there_and_their_pods_have_their_numbers(lab: Lab) -> None:
    rows = [row.split()[:3] for row in said(lab, "kubectl get priorityclass --no-headers").splitlines()]
    assert rows == [
        ["system-cluster-critical", "2000000000", "false"],
        ["system-node-critical", "2000001000", "false"],
    ]
    assert set(priority(lab, "-n kube-system -l k8s-app=kube-dns")) == {"2000000000"}
    assert set(priority(lab, "-n kube-system -l k8s-app=kube-proxy")) == {"2000001000"}
    assert set(priority(lab, "-n kube-system -l tier=control-plane")) == {"2000001000"}
    text = said(lab, "kubectl delete priorityclass system-node-critical")
    assert "is forbidden: this is a system priority class and cannot be deleted" in text


def test_a_learners_class_and_the_default_one(lab: Lab) -> None:
    said(lab, "kubectl create priorityclass high --value=1000")
    run(lab, "a", '{"priorityClassName":"high"}')
    assert priority(lab, "") == ["1000"]
    said(lab, "kubectl create priorityclass low --value=5 --global-default")
    said(lab, "kubectl run b --image=nginx")
    assert sorted(priority(lab, "")) == ["1000", "5"]
    assert "Priority Class Name:  low" in said(lab, "kubectl describe pod b")
    assert "PriorityClass low is already marked as default. Only one default can exist" in said(
        lab, "kubectl create priorityclass other --value=6 --global-default"
    )


def test_what_admission_refuses(lab: Lab) -> None:
    assert 'pods "a" is forbidden: no PriorityClass with name nope was found' in run(
        lab, "a", '{"priorityClassName":"nope"}'
    )
    assert (
        'pods "a" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission '
        "controller computed 0 from the given PriorityClass name"
    ) in run(lab, "a", '{"priority":7}')

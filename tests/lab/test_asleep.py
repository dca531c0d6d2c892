"""A lab whose nodes slept and were woken is the lab whose nodes were awake all along: same rows, records, status."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube.node import NodeState
from engine.lab import build
from engine.lab.lab import Lab
from engine.linux.net import Netns
from engine.linux.rows import Box


@contextmanager
def sleeping(yes: bool) -> Iterator[None]:
    before, build.SLEEP_FROM = build.SLEEP_FROM, 1 if yes else 10_000
    try:
        yield
    finally:
        build.SLEEP_FROM = before


def pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], **spec},
    }  # fmt: skip


def deployment(name: str, replicas: int, image: str = "nginx", **spec: Any) -> dict[str, Any]:
    labels = {"app": name}
    container = {"name": name, "image": image, "ports": [{"containerPort": 80}]}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], **spec}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }  # fmt: skip


def service(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    }  # fmt: skip


def lab_of(nodes: int, manifests: list[dict[str, Any]], mode: str = "none") -> dict[str, Any]:
    return {
        "kubernetes": "1.35", "cni": {"name": "bridge"}, "proxy": {"mode": mode}, "manifests": manifests,
        "nodes": [{"name": "cp", "role": "control-plane"}, *({"name": f"w{n}"} for n in range(1, nodes + 1))],
    }  # fmt: skip


def kernel(ns: Netns) -> dict[str, Any]:
    """All rows of a namespace. What only looking leaves there is not compared."""
    found = {f: getattr(ns, f) for f in Netns.__slots__}
    found["xt"] = {
        (t, c.name): (c.policy, c.rules) for t, chains in ns.xt.tables.items() for c in chains.values()
    }
    for name in ("_conntrack", "nft", "_ipsets", "_ipvs", "tables", "link_stats"):
        del found[name]
    found["routes"] = {k: list(t.routes()) for k, t in ns.tables.items()}
    found["sets"] = {name: str(one) for name, one in ns.ipsets.sets.items()}
    return found


def machine(box: Box) -> dict[str, Any]:
    found = {f: getattr(box, f) for f in Box.__slots__}
    del found["bpf"]
    found["journal"] = sorted(found["journal"])
    return found


def records(node: NodeState) -> dict[str, Any]:
    found = {
        f: getattr(node, f)
        for f in NodeState.__slots__
        if f not in ("masq_sync", "memory", "silent", "stirred")
    }
    found["runtime"] = {f: getattr(node.runtime, f) for f in type(node.runtime).__slots__}
    return found


def objects(lab: Lab) -> dict[tuple[str, ...], Any]:
    """All objects, without the versions that tell only in which order they were written."""
    assert lab.world.cluster is not None
    out: dict[tuple[str, ...], Any] = {}
    for kind, rows in lab.world.cluster.store.objects.items():
        for key, body in rows.items():
            m = {k: v for k, v in body["metadata"].items() if k != "resourceVersion"}
            m.get("annotations", {}) and m.update(annotations=dict(m["annotations"]))
            out[kind, *key] = {**body, "metadata": m}
    return out


def events(lab: Lab) -> list[tuple[Any, ...]]:
    assert lab.world.cluster is not None
    rows = lab.world.cluster.store.events.values()
    return sorted((e.kind, e.namespace, e.name, e.reason, e.message, e.source, e.host, e.field_path, e.count, e.first,
                   e.last, e.uid) for e in rows)  # fmt: skip


def same(asleep: Lab, awake: Lab) -> None:
    net, cluster = asleep.world.net, asleep.world.cluster
    assert cluster is not None and awake.world.cluster is not None
    for name in cluster.nodes:
        assert net.boxes[name]
    asleep.world.settle()
    assert objects(asleep) == objects(awake)
    assert events(asleep) == events(awake)
    assert set(net.boxes) == set(awake.world.net.boxes)
    assert set(net.spaces) == set(awake.world.net.spaces)
    for name, box in awake.world.net.boxes.items():
        assert machine(net.boxes[name]) == machine(box), name
    for name, ns in awake.world.net.spaces.items():
        assert kernel(net.spaces[name]) == kernel(ns), name
    for name, node in awake.world.cluster.nodes.items():
        assert records(cluster.nodes[name]) == records(node), name


def both(lab: dict[str, Any]) -> tuple[Lab, Lab]:
    with sleeping(True):
        asleep = Lab.load(lab)
    with sleeping(False):
        awake = Lab.load(lab)
    assert awake.world.net.asleep is None
    return asleep, awake


FORMS = st.sampled_from([
    {}, {"hostNetwork": True}, {"restartPolicy": "Always", "dnsPolicy": "Default"},
    {"volumes": [{"name": "v", "emptyDir": {}}]},
    {"nodeSelector": {"kubernetes.io/os": "linux"}},
    {"initContainers": [{"name": "i", "image": "busybox", "command": ["true"]}]},
    {"containers": [{"name": "a", "image": "busybox", "command": ["sleep", "3600"]}, {"name": "b", "image": "redis"}]},
    {"containers": [{"name": "a", "image": "busybox", "command": ["false"]}]},
    {"containers": [{"name": "a", "image": "nowhere.example/x:1"}]},
])  # fmt: skip


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 4), FORMS), max_size=5),
    st.lists(FORMS, max_size=3),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_a_woken_lab_is_the_lab_that_was_awake(
    nodes: int, deployments: list[tuple[int, dict[str, Any]]], pods: list[dict[str, Any]], later: bool
) -> None:
    rows = [deployment(f"d{n}", count, **form) for n, (count, form) in enumerate(deployments)]
    rows += [pod(f"p{n}", **form) for n, form in enumerate(pods)]
    asleep, awake = both(lab_of(nodes, rows))
    for lab in (asleep, awake) if later else ():
        lab.run("node/cp", "kubectl create deployment late --image=httpd --replicas=5")
        lab.wait(20)
    same(asleep, awake)


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_kube_proxy_has_the_same_rows_on_a_woken_node(mode: str) -> None:
    rows = [deployment("web", 5), service("web"), deployment("api", 3), service("api")]
    asleep, awake = both(lab_of(3, rows, mode))
    same(asleep, awake)


def test_a_trace_wakes_the_nodes_that_it_meets_and_no_other() -> None:
    lab = lab_of(6, [pod("a", nodeName="w1"), pod("b", nodeName="w2"), pod("c", nodeName="w3")])
    asleep, awake = both(lab)
    assert asleep.world.net.asleep is not None and len(asleep.world.net.asleep.machines) == 6
    one, two = (x.send("pod/a", "pod/b:80", on_copy=False).journey for x in (asleep, awake))
    assert one.outcome == two.outcome
    assert [s.place for leg in one.legs for w in leg.walks() for s in w.steps()] == [
        s.place for leg in two.legs for w in leg.walks() for s in w.steps()
    ]
    assert set(asleep.world.net.asleep.machines) == {"w3", "w4", "w5", "w6"}
    same(asleep, awake)


def test_a_copy_that_went_another_way_wakes_for_itself() -> None:
    with sleeping(True):
        lab = Lab.load(lab_of(3, [pod("a", nodeName="w1"), pod("b", nodeName="w2")]))
    copy = lab.copy()
    copy.run("node/cp", "kubectl label pod b x=y")
    assert copy.trace("pod/a", "pod/b:80", on_copy=False).outcome.value == "delivered"
    asleep, cluster = lab.world.net.asleep, lab.world.cluster
    assert asleep is not None and cluster is not None
    assert set(asleep.machines) == {"w1", "w2", "w3"}
    assert cluster.nodes["w1"].dream is not None
    assert "node/w3" in lab.places() and "pod/default/a" in lab.places()


def test_a_pod_that_goes_wakes_its_node() -> None:
    asleep, awake = both(lab_of(3, [deployment("web", 6), pod("a", nodeName="w1")]))
    for lab in (asleep, awake):
        lab.run("node/cp", "kubectl delete pod a --now")
        lab.run("node/cp", "kubectl scale deployment web --replicas=3")
        lab.wait(60)
    same(asleep, awake)


def test_what_a_person_asks_for_wakes_the_node() -> None:
    asleep, awake = both(lab_of(3, [pod("a", nodeName="w1"), pod("b", nodeName="w2")]))
    for place, line in (
        ("node/cp", "kubectl exec a -- ip addr"), ("node/cp", "kubectl logs b"), ("node/w3", "crictl ps"),
        ("node/w2", "crictl pods"), ("node/cp", "kubectl get events -A"), ("node/cp", "kubectl describe pod a"),
    ):  # fmt: skip
        assert asleep.run(place, line).stdout == awake.run(place, line).stdout


def test_what_wakes_in_a_copy_is_awake_for_the_next() -> None:
    asleep, awake = both(lab_of(4, [pod("a", nodeName="w1"), pod("b", nodeName="w2")]))
    one, two = (lab.send("pod/a", "pod/b:80").journey for lab in (asleep, awake))
    assert one.outcome == two.outcome
    sleepers, cluster = asleep.world.net.asleep, asleep.world.cluster
    assert sleepers is not None and cluster is not None
    assert set(sleepers.machines) == {"w3", "w4"}
    same(asleep, awake)

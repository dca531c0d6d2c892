"""The scheduler: which node a Pod goes to, and what is said of one that fits nowhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import scheduler
from engine.kube.cluster import Cluster
from engine.kube.objects import Json
from engine.kube.options import Options

NODES = 4


def cluster_of(**nodes: dict[str, Any]) -> Cluster:
    """Node objects by name: labels, taints, unschedulable, cpu, memory, pods."""
    cluster = Cluster(Options(nodes=()))
    for name, what in nodes.items():
        spec: Json = {k: what[k] for k in ("taints", "unschedulable") if k in what}
        allocatable = {
            "cpu": what.get("cpu", "4"),
            "memory": what.get("memory", "8Gi"),
            "pods": what.get("pods", "110"),
        }
        cluster.store.create(
            {
                "apiVersion": "v1", "kind": "Node", "spec": spec, "status": {"allocatable": allocatable},
                "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **what.get("labels", {})}},
            },
            0.0,
        )  # fmt: skip
    return cluster


def put(
    cluster: Cluster, name: str, labels: dict[str, str] | None = None, cpu: str = "", **spec: Any
) -> None:
    container: Json = {"name": "c", "image": "nginx"}
    if cpu:
        container["resources"] = {"requests": {"cpu": cpu}}
    body = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {"containers": [container], **spec}, "status": {"phase": "Pending"},
    }  # fmt: skip
    cluster.store.create(body, 0.0)


def run(cluster: Cluster) -> None:
    for _ in range(20):
        if not scheduler.schedule(cluster, 0.0):
            return
    raise AssertionError("the scheduler does not settle")


def where(cluster: Cluster, name: str) -> str:
    body = cluster.store.get("Pod", "default", name)
    assert body is not None
    return str(body["spec"].get("nodeName") or "")


def said(cluster: Cluster, name: str) -> str:
    body = cluster.store.get("Pod", "default", name)
    assert body is not None
    return str(next(c["message"] for c in body["status"]["conditions"] if c["type"] == "PodScheduled"))


def test_the_emptiest_node_the_first_by_name() -> None:
    cluster = cluster_of(b={}, a={}, c={})
    for n in range(7):
        put(cluster, f"p{n}")
    run(cluster)
    assert [where(cluster, f"p{n}") for n in range(7)] == ["a", "b", "c", "a", "b", "c", "a"]


def test_requests_are_kept_and_the_message_counts_what_is_not_enough() -> None:
    cluster = cluster_of(
        a={"cpu": "1"}, b={"cpu": "2"}, c={"taints": [{"key": "k", "value": "v", "effect": "NoSchedule"}]}
    )
    put(cluster, "one", cpu="1500m")
    put(cluster, "two", cpu="900m")
    put(cluster, "three", cpu="600m")
    put(cluster, "four", cpu="8")
    run(cluster)
    assert [where(cluster, n) for n in ("one", "two", "three")] == ["b", "a", ""]
    assert said(cluster, "three") == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. no new claims to "
        "deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption "
        "victims found for incoming pod."
    )
    assert said(cluster, "four").endswith(
        "0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    cluster.store.remove("Pod", "default", "one")
    run(cluster)
    assert where(cluster, "three") == "b"


def test_a_full_node_and_a_cordoned_one() -> None:
    cluster = cluster_of(a={"pods": "1"}, b={"unschedulable": True})
    put(cluster, "p0")
    put(cluster, "p1", cpu="5")
    run(cluster)
    assert where(cluster, "p0") == "a"
    assert said(cluster, "p1").startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 Too many pods, 1 node(s) were unschedulable."
    )
    cluster.store.change("Node", "", "b", lambda b: b["spec"].pop("unschedulable"))
    cluster.store.change("Node", "", "b", lambda b: b["status"]["allocatable"].update(cpu="8"))
    run(cluster)
    assert where(cluster, "p1") == "b"


def test_pinned_to_a_node_that_will_not_do() -> None:
    cluster = cluster_of(a={"taints": [{"key": "k", "effect": "NoSchedule"}]}, b={})
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    put(cluster, "p", affinity={"nodeAffinity": required})
    run(cluster)
    assert said(cluster, "p").startswith(
        "0/2 nodes are available: 1 node(s) didn't satisfy plugin(s) [NodeAffinity], "
        "1 node(s) had untolerated taint(s)."
    )


def term(app: str, key: str = "kubernetes.io/hostname") -> Json:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key}


REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def test_pods_that_keep_apart_and_those_that_are_there() -> None:
    cluster = cluster_of(a={}, b={})
    for n in range(3):
        put(cluster, f"p{n}", {"app": "x"}, affinity={"podAntiAffinity": {REQUIRED: [term("x")]}})
    put(cluster, "guest", {"app": "x"})
    run(cluster)
    assert [where(cluster, f"p{n}") for n in range(3)] == ["a", "b", ""]
    assert "2 node(s) didn't match pod anti-affinity rules." in said(cluster, "p2")
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules." in said(cluster, "guest")
    cluster.store.remove("Pod", "default", "p1")
    run(cluster)
    assert where(cluster, "p2") == "b"


def test_together_with_others_and_with_oneself() -> None:
    zones = {f"n{i}": {"labels": {"zone": "ab"[i % 2]}} for i in range(4)}
    cluster = cluster_of(**zones)
    put(cluster, "alone", affinity={"podAffinity": {REQUIRED: [term("db", "zone")]}})
    run(cluster)
    assert "4 node(s) didn't match pod affinity rules." in said(cluster, "alone")
    put(cluster, "db", {"app": "db"}, nodeSelector={"zone": "b"})
    run(cluster)
    assert where(cluster, "db") == "n1" and where(cluster, "alone") == "n3"
    put(cluster, "self", {"app": "y"}, affinity={"podAffinity": {REQUIRED: [term("y")]}})
    run(cluster)
    assert where(cluster, "self") == "n0"


def test_spread_over_zones() -> None:
    cluster = cluster_of(**{f"n{i}": {"labels": {"zone": "aab"[i]}} for i in range(3)}, other={})
    rule = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": {"matchLabels": {"app": "x"}}}  # fmt: skip
    for n in range(4):
        put(cluster, f"p{n}", {"app": "x"}, topologySpreadConstraints=[rule])
    run(cluster)
    assert sorted(where(cluster, f"p{n}") for n in range(4)) == ["n0", "n1", "n2", "n2"]
    cluster.store.change("Node", "", "n2", lambda b: b["spec"].update(unschedulable=True))
    put(cluster, "late", {"app": "x"}, topologySpreadConstraints=[rule])
    run(cluster)
    assert where(cluster, "late") in ("n0", "n1")
    put(cluster, "later", {"app": "x"}, topologySpreadConstraints=[rule])
    run(cluster)
    assert said(cluster, "later").startswith(
        "0/4 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label), "
        "1 node(s) were unschedulable, 2 node(s) didn't match pod topology spread constraints."
    )


def test_wishes_count_before_room() -> None:
    cluster = cluster_of(a={}, b={"labels": {"disk": "ssd"}}, c={})
    for n in range(2):
        put(cluster, f"on-b{n}", nodeName="b")
    wish = {"weight": 5, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    put(cluster, "likes", affinity={"nodeAffinity": {preferred: [wish]}})
    put(
        cluster, "near", affinity={"podAffinity": {preferred: [{"weight": 1, "podAffinityTerm": term("db")}]}}
    )
    put(cluster, "db", {"app": "db"}, nodeName="c")
    run(cluster)
    assert where(cluster, "likes") == "b" and where(cluster, "near") == "c"


def test_another_scheduler_and_gates_are_left_alone() -> None:
    cluster = cluster_of(a={})
    put(cluster, "other", schedulerName="mine")
    put(cluster, "gated", schedulingGates=[{"name": "x"}])
    run(cluster)
    assert where(cluster, "other") == where(cluster, "gated") == ""


@pytest.mark.parametrize("minor", [33, 35])
def test_what_is_said_without_nodes_and_by_older_releases(minor: int) -> None:
    assert scheduler.fit_error({}, minor) == "no nodes available to schedule pods"
    text = scheduler.fit_error({"a": (("Insufficient cpu", True),)}, minor)
    assert ("no new claims to deallocate, " in text) == (minor > 33)
    told = scheduler.fit_error({"a": (("node(s) had untolerated taint {k: v}", False),)}, minor)
    assert ("{k: v}" in told) == (minor < 35)


PODS = st.tuples(
    st.sampled_from(["", "500m", "1"]),
    st.sampled_from([{}, {"nodeSelector": {"zone": "a"}}, {"nodeName": "n0"}]),
)
STEPS = st.one_of(
    st.tuples(st.just("put"), PODS), st.tuples(st.just("drop"), st.integers(0, 30)),
    st.tuples(st.just("cordon"), st.integers(0, NODES - 1)),
)  # fmt: skip


@given(st.lists(STEPS, max_size=40), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_what_it_keeps_is_what_a_count_would_find(steps: list[tuple[str, Any]], fork: int) -> None:
    cluster = cluster_of(
        **{f"n{i}": {"cpu": "2", "pods": "5", "labels": {"zone": "ab"[i % 2]}} for i in range(NODES)}
    )
    for at, (what, value) in enumerate(steps):
        if at == fork:
            other, cluster = cluster, cluster.copy()
            put(other, f"p{at}", cpu="1")
            run(other)
        names = [key[1] for key in cluster.store.keys("Pod")]
        if what == "put":
            put(cluster, f"p{at}", cpu=value[0], **value[1])
        elif what == "drop" and names:
            cluster.store.remove("Pod", "default", names[value % len(names)])
        elif what == "cordon":
            cluster.store.change(
                "Node",
                "",
                f"n{value}",
                lambda b: b["spec"].update(unschedulable=not b["spec"].get("unschedulable")),
            )
        run(cluster)
        fresh = Cluster(cluster.options, cluster.store.copy())
        fresh.rooms.follow(fresh.store)
        assert fresh.rooms.rooms == cluster.rooms.rooms
        for name, room in cluster.rooms.rooms.items():
            assert room.pods == len(cluster.store.pods_on(name))
            assert room.asked.get("cpu", 0) <= 2000 or name == "n0"


def mate(cluster: Cluster, name: str, uid: str = "rs-1") -> None:
    put(cluster, name)
    body = cluster.store.get("Pod", "default", name)
    assert body is not None
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": uid, "controller": True}
    cluster.store.update({**body, "metadata": {**body["metadata"], "ownerReferences": [owner]}})


def test_pods_of_one_owner_spread_over_nodes_even_when_one_is_fuller() -> None:
    cluster = cluster_of(a={}, b={})
    for n in range(4):
        put(cluster, f"other{n}", nodeSelector={"kubernetes.io/hostname": "b"})
    run(cluster)
    mate(cluster, "one")
    mate(cluster, "two")
    run(cluster)
    assert [where(cluster, n) for n in ("one", "two")] == ["a", "b"]
    mate(cluster, "lone", uid="rs-2")
    run(cluster)
    assert where(cluster, "lone") == "a", "mates of another owner do not count"


def test_the_default_spread_looks_at_zones_too() -> None:
    zone = "topology.kubernetes.io/zone"
    cluster = cluster_of(**{n: {"labels": {zone: z}} for n, z in (("a", "x"), ("b", "x"), ("c", "y"))})
    for n in range(3):
        put(cluster, f"other{n}", nodeSelector={"kubernetes.io/hostname": "c"})
    run(cluster)
    mate(cluster, "one")
    mate(cluster, "two")
    run(cluster)
    assert [where(cluster, n) for n in ("one", "two")] == ["a", "c"]

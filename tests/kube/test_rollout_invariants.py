"""Whatever is done to a Deployment while it rolls out: never more pods than maxSurge allows, never fewer available than
maxUnavailable leaves while the pods that serve are left alone, and in the end what the spec asks for."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import NodeOptions
from engine.kube.objects import Json
from engine.kube.ownership import is_ready
from engine.kube.workloads.common import active
from tests.kube.labs import Lab


def deployment(replicas: int, surge: str, gone: str, image: str, path: str) -> str:
    body: dict[str, Any] = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": int(surge) if surge.isdigit() else surge,
                "maxUnavailable": int(gone) if gone.isdigit() else gone,
            }},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{
                    "name": "c", "image": image, "readinessProbe": {"httpGet": {"path": path, "port": 80}},
                }]},
            },
        },
    }  # fmt: skip
    return str(yaml.safe_dump(body))


def pods(lab: Lab) -> list[Json]:
    return active(lab.cluster.store.list("Pod", "default"))


BASE = Lab(nodes=(NodeOptions(name="w1", images=("nginx:1.27", "nginx:1.28")),))


def fresh() -> Lab:
    from engine.linux.ops.base import Changes

    lab = Lab.__new__(Lab)
    lab.nodes, lab.cluster, lab.net = BASE.nodes, BASE.cluster.copy(), BASE.net.copy()
    lab.changes = Changes(lab.net)
    lab.changes.log = BASE.changes.log.copy()
    return lab


STEP = st.tuples(
    st.integers(0, 5), st.sampled_from(["nginx:1.27", "nginx:1.28"]), st.sampled_from(["/", "/no"]),
)  # fmt: skip


@given(
    st.sampled_from(["0", "1", "2", "50%"]), st.sampled_from(["0", "1", "25%"]), st.lists(STEP, max_size=4)
)
@settings(max_examples=25, deadline=None)
def test_a_rollout_keeps_its_bounds(surge: str, gone: str, steps: list[tuple[int, str, str]]) -> None:
    if surge == gone == "0":
        surge = "1"
    lab = fresh()
    lab.apply(deployment(3, surge, gone, "nginx:1.27", "/"))
    before = wanted = 3
    for replicas, image, path in steps:
        ready = sum(is_ready(p) for p in pods(lab))
        sets = sum(bool(s["spec"]["replicas"]) for s in lab.cluster.store.list("ReplicaSet"))
        lab.apply(deployment(replicas, surge, gone, image, path))
        more = -(-replicas * int(surge[:-1]) // 100) if surge.endswith("%") else int(surge)
        less = replicas * int(gone[:-1]) // 100 if gone.endswith("%") else int(gone)
        less = 1 if not more and not less else less
        now = pods(lab)
        assert len(now) <= max(before, replicas) + max(more, 1)
        if sets == 1 or replicas >= wanted:  # what shrinks in mid-rollout shrinks in proportion, ready or not
            assert sum(is_ready(p) for p in now) >= min(ready, replicas - less)
        wanted = replicas
        before = len(now)
    if steps:
        replicas, image, _ = steps[-1]
        lab.apply(deployment(replicas, surge, gone, image, "/"))
        assert len(pods(lab)) == replicas and all(is_ready(p) for p in pods(lab))
        sizes = [s["spec"]["replicas"] for s in lab.cluster.store.list("ReplicaSet")]
        assert sum(sizes) == replicas and sum(1 for n in sizes if n) <= 1


def test_what_shrinks_in_mid_rollout_shrinks_in_proportion() -> None:
    # sync.go, scale(): allowed are 2 + 1; 3 old and 3 new of at most 6 come to 2 each, and the oldest of the largest
    # gives up the one that is left over (GetReplicaSetProportion, ReplicaSetsBySizeOlder).
    lab = fresh()
    lab.apply(deployment(3, "50%", "25%", "nginx:1.27", "/"))
    lab.apply(deployment(4, "50%", "25%", "nginx:1.27", "/no"))
    lab.apply(deployment(2, "50%", "25%", "nginx:1.27", "/no"))
    number = "deployment.kubernetes.io/revision"
    sets = sorted(
        lab.cluster.store.list("ReplicaSet"), key=lambda s: int(s["metadata"]["annotations"][number])
    )
    assert [s["spec"]["replicas"] for s in sets] == [1, 2]

"""What the store tells those who tidy up, and what a controller need not look at: owners, ends, own writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.kube.ids import life_of
from engine.kube.objects import Json
from engine.kube.overlay import Overlay
from engine.kube.store import Store
from engine.kube.workloads import replicaset
from tests.kube.labs import Lab

DEPLOY = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
"""
OWNED = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: NAME
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: boss, uid: nobody, controller: true}]
"""


def test_pods_that_were_made_together_claim_their_owner_once() -> None:
    lab = Lab(DEPLOY)
    claims = [rows[0]["kind"] for _, rows in lab.cluster.store.claims]
    assert claims.count("ReplicaSet") == 1 and claims.count("Deployment") == 1


def test_what_names_an_owner_that_never_was_goes() -> None:
    lab = Lab(*(OWNED.replace("NAME", name) for name in ("one", "two")))
    assert not [n for _, n in lab.cluster.store.keys("ConfigMap") if n in ("one", "two")]


def test_all_of_an_owner_go_with_it_also_when_the_first_went_before() -> None:
    lab = Lab(DEPLOY)
    store = lab.cluster.store
    first = store.list("Pod", "default")[0]["metadata"]["name"]
    lab.cluster.delete(lab.pod(first), lab.net.clock)
    (body,) = store.list("Deployment")
    lab.cluster.delete(body, lab.net.clock)
    lab.settle()
    lab.wait(60)
    assert not store.list("Pod", "default") and not store.list("ReplicaSet", "default")


def test_a_name_that_comes_again_is_another_object() -> None:
    store = Store()
    uids = set()
    for _ in range(3):
        body: Json = {"kind": "ConfigMap", "metadata": {"namespace": "default", "name": "a"}}
        uids.add(store.create(body, 0.0)["metadata"]["uid"])
        store.remove("ConfigMap", "default", "a")
    assert len(uids) == 3 and store.ids.drawn == {life_of("ConfigMap", "default", "a"): 3}


def test_a_set_is_not_looked_at_for_its_own_status_but_for_anybody_elses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = Lab(DEPLOY)
    store = lab.cluster.store
    looks: list[str] = []
    real = replicaset.sync

    def counted(at: object, body: Json) -> None:
        looks.append(body["metadata"]["resourceVersion"])
        real(at, body)  # type: ignore[arg-type]

    from engine.kube.workloads import run

    monkeypatch.setattr(run, "ACTS", tuple((k, counted if a is real else a) for k, a in run.ACTS))
    (body,) = store.list("ReplicaSet", "default")
    store.update(
        {**body, "metadata": dict(body["metadata"]), "status": {**body["status"], "readyReplicas": 1}}
    )
    lab.settle()
    (body,) = store.list("ReplicaSet", "default")
    assert len(looks) == 1 and body["status"]["readyReplicas"] == 3


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.none() | st.tuples(st.integers(0, 400), st.none() | st.integers()))
    )
)
def test_overlays_are_dicts_of_their_own(steps: list[tuple[int, tuple[int, int | None] | None]]) -> None:
    overlays: list[Overlay[int, int]] = [Overlay()]
    dicts: list[dict[int, int]] = [{}]
    for which, what in steps:
        at = which % len(overlays)
        if what is None:
            overlays.append(overlays[at].copy())
            dicts.append(dict(dicts[at]))
        else:
            key, value = what
            overlays[at].put(key, value)
            overlays[at].put_all({key + 1: value, key: value})
            for k in (key, key + 1):
                dicts[at].pop(k, None)
                if value is not None:
                    dicts[at][k] = value
    for overlay, rows in zip(overlays, dicts, strict=True):
        assert {k: v for k in range(402) if (v := overlay.get(k)) is not None} == rows

"""EndpointSlices, Endpoints and their mirrors: what the controllers write for Services and pods."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.kube import NodeOptions
from engine.kube.controllers import endpoints, endpointslice, garbage, members, mirroring
from engine.kube.objects import Json, edited
from tests.kube.labs import Lab, web


def service(name: str = "web", labels: str = "", **spec: Any) -> str:
    body: Json = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}
    if labels:
        body["metadata"]["labels"] = dict([labels.split("=")])
    body["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80}], **spec}
    return str(yaml.safe_dump(body))


def slices(lab: Lab, name: str = "web", namespace: str = "default") -> list[Json]:
    return [
        s
        for s in lab.cluster.store.list("EndpointSlice", namespace)
        if s["metadata"]["labels"].get(members.SERVICE_NAME) == name
    ]


def only(lab: Lab, name: str = "web") -> Json:
    (slice,) = slices(lab, name)
    return slice


def change(lab: Lab, kind: str, name: str, **spec: Any) -> None:
    space = "" if kind == "Node" else "default"
    lab.cluster.store.change(kind, space, name, lambda b: b["spec"].update(spec))
    lab.settle()


def ready(lab: Lab, pod: str, good: bool, *, settle: bool = True) -> None:
    """Put a pod's Ready condition, as its kubelet would, and let only the controllers look."""

    def put(body: Json) -> None:
        for row in body["status"]["conditions"]:
            if row["type"] == "Ready":
                row["status"] = str(good)

    lab.cluster.store.change("Pod", "default", pod, put)
    if settle:
        controllers(lab)


def controllers(lab: Lab) -> None:
    """The endpoint controllers alone, until nothing changes."""
    from engine.kube.passes import Pass

    at = Pass(cluster=lab.cluster, changes=lab.changes, now=lab.net.clock)
    for _ in range(5):
        for module in (garbage, endpointslice, endpoints, mirroring):
            module.sync(at)


def test_a_slice_says_whose_it_is_and_who_made_it() -> None:
    lab = Lab(web("a"), service(labels="tier=front"))
    slice = only(lab)
    m = slice["metadata"]
    assert m["generateName"] == "web-" and len(m["name"]) == len("web-abcde")
    assert m["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert m["labels"]["tier"] == "front"
    (owner,) = m["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Service", "web", True)
    (endpoint,) = slice["endpoints"]
    assert endpoint["addresses"] == [lab.ip("a")] and endpoint["nodeName"] == "w1"
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert endpoint["targetRef"] == {
        "kind": "Pod", "name": "a", "namespace": "default", "uid": lab.pod("a")["metadata"]["uid"],
    }  # fmt: skip
    assert slice["ports"] == [{"name": "", "port": 80, "protocol": "TCP"}]
    assert m["annotations"]["endpoints.kubernetes.io/last-change-trigger-time"].endswith("Z")


def test_a_service_without_pods_has_one_empty_slice() -> None:
    lab = Lab(service())
    assert (only(lab)["endpoints"], only(lab)["ports"]) == (None, None)
    name = only(lab)["metadata"]["name"]
    lab.apply(web("a"))
    assert only(lab)["metadata"]["name"] == name and len(only(lab)["endpoints"]) == 1


def test_a_named_target_port_that_differs_makes_two_slices() -> None:
    named = web("a").replace("{containerPort: 80}", "{name: http, containerPort: 80}")
    other = web("b").replace("{containerPort: 80}", "{name: http, containerPort: 8080}")
    nameless = web("c")
    port = {"name": "http", "port": 80, "targetPort": "http"}
    lab = Lab(named, other, nameless, service(ports=[port]))
    found = sorted(
        (tuple(p["port"] for p in s["ports"] or ()), len(s["endpoints"] or ())) for s in slices(lab)
    )
    assert found == [((), 1), ((80,), 1), ((8080,), 1)]


def test_readiness_and_publish_not_ready_addresses() -> None:
    lab = Lab(web("a"), service(), service("all", publishNotReadyAddresses=True))
    ready(lab, "a", False)
    assert only(lab)["endpoints"][0]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    assert only(lab, "all")["endpoints"][0]["conditions"]["ready"] is True
    subset = lab.cluster.store.get("Endpoints", "default", "web")["subsets"]  # type: ignore[index]
    assert [a["ip"] for a in subset[0]["notReadyAddresses"]] == [lab.ip("a")] and "addresses" not in subset[0]


def test_headless_hostname_zone_and_hints() -> None:
    lab = Lab(
        web("a").replace("spec:\n", "spec:\n  hostname: one\n  subdomain: web\n"),
        service(clusterIP="None", trafficDistribution="PreferSameNode"),
    )
    lab.cluster.store.change(
        "Node", "", "w1", lambda b: b["metadata"]["labels"].update({"topology.kubernetes.io/zone": "z1"})
    )
    ready(lab, "a", False)
    ready(lab, "a", True)
    slice = only(lab)
    assert slice["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    (endpoint,) = slice["endpoints"]
    assert (endpoint["hostname"], endpoint["zone"]) == ("one", "z1")
    assert endpoint["hints"] == {"forZones": [{"name": "z1"}], "forNodes": [{"name": "w1"}]}


def test_no_slices_for_external_names_and_selectorless_services() -> None:
    lab = Lab(
        web("a"),
        "apiVersion: v1\nkind: Service\nmetadata: {name: far}\n"
        "spec: {type: ExternalName, externalName: a.example, selector: {app: web}}",
        "apiVersion: v1\nkind: Service\nmetadata: {name: hand}\nspec: {ports: [{port: 80}]}",
    )
    assert slices(lab, "far") == [] and slices(lab, "hand") == []
    assert lab.cluster.store.get("Endpoints", "default", "hand") is None


HAND = """
apiVersion: v1
kind: Service
metadata: {name: hand}
spec: {ports: [{name: db, port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: hand, labels: {own: "yes"}}
subsets: [{addresses: [{ip: 192.168.50.60}], notReadyAddresses: [{ip: 192.168.50.61}], ports: [{name: db, port: 5432}]}]
"""


def test_endpoints_by_hand_are_mirrored() -> None:
    lab = Lab(HAND)
    slice = only(lab, "hand")
    assert slice["metadata"]["labels"] == {
        "own": "yes", members.SERVICE_NAME: "hand", members.MANAGED_BY: "endpointslicemirroring-controller.k8s.io",
    }  # fmt: skip
    assert [(e["addresses"], e["conditions"]["ready"]) for e in slice["endpoints"]] == [
        (["192.168.50.60"], True), (["192.168.50.61"], False),
    ]  # fmt: skip
    lab.apply(HAND.replace('own: "yes"', 'endpointslice.kubernetes.io/skip-mirror: "true"'))
    assert slices(lab, "hand") == []


def test_a_slice_that_somebody_removes_comes_back() -> None:
    lab = Lab(web("a"), service())
    lab.cluster.delete(only(lab), lab.net.clock)
    lab.settle()
    assert [e["addresses"] for e in only(lab)["endpoints"]] == [[lab.ip("a")]]


def test_a_service_that_goes_takes_its_slices_and_endpoints() -> None:
    lab = Lab(web("a"), service())
    (body,) = [s for s in lab.cluster.store.list("Service", "default") if s["metadata"]["name"] == "web"]
    lab.cluster.delete(body, lab.net.clock)
    lab.settle()
    assert slices(lab) == [] and lab.cluster.store.get("Endpoints", "default", "web") is None


def many(lab: Lab, names: list[str]) -> None:
    """Pods that only stand in the store: ready, with an address each."""
    for n in names:
        at = int(n[1:])
        body: Json = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": n, "namespace": "default", "labels": {"app": "web"}},
            "spec": {"nodeName": "w1", "containers": [{"name": "c", "image": "x"}]},
            "status": {"phase": "Running", "podIP": f"10.9.{at // 250}.{at % 250}",
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ""}]},
        }  # fmt: skip
        lab.cluster.store.create(body, lab.net.clock)
    controllers(lab)


def test_a_slice_holds_a_hundred_and_fills_the_fullest_first() -> None:
    lab = Lab(service())
    many(lab, [f"p{i}" for i in range(250)])
    assert sorted(len(s["endpoints"] or ()) for s in slices(lab)) == [50, 100, 100]
    sizes = {s["metadata"]["name"]: len(s["endpoints"] or ()) for s in slices(lab)}
    many(lab, [f"p{i}" for i in range(250, 260)])
    assert sorted(len(s["endpoints"] or ()) for s in slices(lab)) == [60, 100, 100]
    assert set(sizes) == {s["metadata"]["name"] for s in slices(lab)}
    many(lab, [f"p{i}" for i in range(260, 1010)])
    body = lab.cluster.store.get("Endpoints", "default", "web")
    assert body is not None
    assert body["metadata"]["annotations"][endpoints.OVER_CAPACITY] == "truncated"
    assert sum(len(s["addresses"]) for s in body["subsets"]) == 1000


def copy(lab: Lab) -> Lab:
    new = Lab.__new__(Lab)
    new.net, new.cluster, new.nodes = lab.net, lab.cluster.copy(), lab.nodes
    new.changes = lab.changes
    return new


BASE = Lab(nodes=(NodeOptions(name="w1"),))

# ---- whatever happens, the slices are what a look at everything gives


def expected(lab: Lab, name: str) -> set[tuple[str, bool, bool, int]]:
    body = lab.cluster.store.get("Service", "default", name)
    out: set[tuple[str, bool, bool, int]] = set()
    if body is None:
        return out
    for pod in lab.cluster.store.list("Pod", "default"):
        have = pod["metadata"].get("labels") or {}
        if not all(have.get(k) == v for k, v in body["spec"]["selector"].items()):
            continue
        if not members.seen(pod).included(going=True):
            continue
        good = pod["status"]["conditions"][0]["status"] == "True"
        going = "deletionTimestamp" in pod["metadata"]
        out.add((pod["status"]["podIP"], good and not going, going, body["spec"]["ports"][0]["port"]))
    return out


def found(lab: Lab, name: str) -> set[tuple[str, bool, bool, int]]:
    rows = [
        (e["addresses"][0], e["conditions"]["ready"], e["conditions"]["terminating"], s["ports"][0]["port"])
        for s in slices(lab, name)
        for e in s["endpoints"] or ()
    ]
    assert len(rows) == len(set(rows))
    return set(rows)


def act(lab: Lab, step: tuple[str, int, str]) -> None:
    """One change, as a person, a kubelet or a node would make it."""
    what, n, value = step
    store, name = lab.cluster.store, f"p{n}"
    pod = store.get("Pod", "default", name)
    if what == "service":
        if store.get("Service", "default", f"s{n % 2}") is None:
            body = yaml.safe_load(service(f"s{n % 2}", selector={"app": value}, ports=[{"port": 80}]))
            body["metadata"]["namespace"] = "default"
            store.create(body, lab.net.clock)
        else:
            store.change(
                "Service", "default", f"s{n % 2}", lambda b: b["spec"].update(selector={"app": value})
            )
    elif what == "forget" and store.get("Service", "default", f"s{n % 2}") is not None:
        store.remove("Service", "default", f"s{n % 2}")
    elif what == "spoil" and slices(lab, f"s{n % 2}"):
        slice = slices(lab, f"s{n % 2}")[0]
        new = edited(slice)
        new["endpoints"] = (new["endpoints"] or [])[1:]
        store.update(new)
    elif pod is None:
        body = {
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"app": value, "n": str(n)}},
            "spec": {"nodeName": "w1", "containers": [{"name": "c", "image": "x"}]},
            "status": {"phase": "Running", "podIP": f"10.9.0.{n}",
                       "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": ""}]},
        }  # fmt: skip
        store.create(body, lab.net.clock)
    elif what == "remove":
        store.remove("Pod", "default", name)
    elif what == "label":
        store.change("Pod", "default", name, lambda b: b["metadata"]["labels"].update(app=value))
    elif what == "going":
        store.change("Pod", "default", name, lambda b: b["metadata"].update(deletionTimestamp="x"))
    elif what == "ended":
        store.change("Pod", "default", name, lambda b: b["status"].update(phase="Failed"))
    else:
        ready(lab, name, value == "a", settle=False)


STEPS = st.tuples(
    st.sampled_from(["pod", "remove", "label", "going", "ended", "ready", "service", "forget", "spoil"]),
    st.integers(1, 6),
    st.sampled_from(["a", "b"]),
)


@given(st.lists(st.lists(STEPS, max_size=4), max_size=12), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_after_any_changes_the_slices_are_a_full_recomputation(
    rounds: list[list[tuple[str, int, str]]], fork: int
) -> None:
    lab = copy(BASE)
    for at, steps in enumerate(rounds):
        for step in steps:
            act(lab, step)
        controllers(lab)
        for name in ("s0", "s1"):
            assert found(lab, name) == expected(lab, name)
        if at == fork:
            # A copy goes its own way and leaves this one as it is.
            was = lab.cluster
            lab.cluster = was.copy()
            for step in [("remove", 1, "a"), ("service", 0, "b"), ("pod", 2, "b")]:
                act(lab, step)
            controllers(lab)
            assert all(found(lab, n) == expected(lab, n) for n in ("s0", "s1"))
            lab.cluster = was


def test_hints_by_the_old_annotation_are_named_as_not_modelled() -> None:
    text = service().replace(
        "metadata:\n", "metadata:\n  annotations: {service.kubernetes.io/topology-mode: Auto}\n"
    )
    lab = Lab(web("a"), text)
    assert any("topology-mode" in s.why.text("en") for s in lab.cluster.skipped)
    assert "hints" not in only(lab)["endpoints"][0]


def test_a_change_of_labels_reaches_the_slice() -> None:
    lab = Lab(web("a"), service(labels="tier=front"))
    lab.cluster.store.change(
        "Service", "default", "web", lambda b: b["metadata"]["labels"].update(tier="back")
    )
    lab.settle()
    assert only(lab)["metadata"]["labels"]["tier"] == "back"

"""The picture of Services, made anew and kept up to date: both are the same. Hints, termination, policies."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.kube.proxy import iptables, nftables
from engine.kube.proxy.model import Endpoint, ServicePort
from engine.kube.proxy.picture import Picture, updated
from engine.kube.proxy.sharing import Names
from engine.kube.proxy.topology import choose
from engine.kube.store import Store
from engine.linux.addr import ip4, text4
from engine.linux.layered import shared
from engine.linux.xt.match import Source

Json = dict[str, Any]


def service(name: str, rng: random.Random) -> Json:
    kind = rng.choice(["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"])
    number = int(name[3:])
    spec: Json = {
        "type": kind,
        "clusterIP": rng.choice([f"10.96.1.{number}"] * 4 + ["None"]),
        "ports": [
            {"name": n, "port": p, "protocol": proto, "nodePort": 30000 + number * 4 + i if kind == "NodePort" else 0}
            for i, (n, p, proto) in enumerate(rng.sample([("a", 80, "TCP"), ("b", 81, "TCP"), ("c", 53, "UDP")], 2))
        ],
    }  # fmt: skip
    for key in ("externalTrafficPolicy", "internalTrafficPolicy"):
        spec[key] = rng.choice(["Cluster", "Cluster", "Local"])
    if rng.random() < 0.2:
        spec["sessionAffinity"] = "ClientIP"
    if rng.random() < 0.2:
        spec["loadBalancerSourceRanges"] = ["192.168.0.0/16"]
    labels = {"service.kubernetes.io/service-proxy-name": "other"} if rng.random() < 0.1 else {}
    body: Json = {
        "apiVersion": "v1", "kind": "Service", "spec": spec,
        "metadata": {"name": name, "namespace": "x", "labels": labels},
    }  # fmt: skip
    if kind == "LoadBalancer":
        body["status"] = {"loadBalancer": {"ingress": [{"ip": f"198.51.100.{number}"}]}}
    return body


def plain(name: str) -> Json:
    return {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "x"},
        "spec": {"clusterIP": f"10.96.1.{name[3:]}", "ports": [{"port": 80}]},
    }  # fmt: skip


def slice_of(name: str, rng: random.Random) -> Json:
    ports = [
        {"name": n, "port": 8080 + i, "protocol": p} for i, (n, p) in enumerate([("a", "TCP"), ("c", "UDP")])
    ]
    rows = [
        {
            "addresses": [f"10.244.{rng.randint(1, 2)}.{rng.randint(1, 9)}"],
            "nodeName": rng.choice(["n1", "n2"]),
            "conditions": {"ready": rng.random() < 0.7, "serving": True, "terminating": rng.random() < 0.3},
        }
        for _ in range(rng.randint(0, 4))
    ]
    owner = f"svc{rng.randint(0, 5)}"
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "addressType": rng.choice(["IPv4"] * 5 + ["IPv6"]),
        "metadata": {"name": name, "namespace": "x", "labels": {"kubernetes.io/service-name": owner}},
        "ports": rng.sample(ports, rng.randint(1, 2)), "endpoints": rows,
    }  # fmt: skip


def stir(store: Store, rng: random.Random) -> None:
    """One random change."""
    make, name = rng.choice([(service, f"svc{rng.randint(0, 5)}"), (slice_of, f"slice{rng.randint(0, 7)}")])
    body = make(name, rng)
    there = store.get(body["kind"], "x", name)
    if there is None:
        store.create(body, 0)
    elif rng.random() < 0.3:
        store.remove(body["kind"], "x", name)
    else:
        store.update({**body, "metadata": {**there["metadata"], **body["metadata"]}})


@pytest.mark.parametrize("seed", range(12))
def test_a_picture_that_is_kept_up_is_one_made_anew(seed: int) -> None:
    rng = random.Random(seed)
    store, picture = Store(), Picture()
    xt = iptables.Settings(node="n1", node_ip=ip4("192.168.1.1"), local=Source(addr=10 << 24, length=8))
    nft = nftables.Settings(node="n1", node_ip=ip4("192.168.1.1"), local=Source(addr=10 << 24, length=8))
    xt_memo, nft_memo = iptables.memo(), nftables.memo()
    xt_plan, nft_plan = None, None
    for _ in range(60):
        for _ in range(rng.randint(0, 3)):
            stir(store, rng)
        before, picture = picture, updated(picture, store)
        fresh = updated(Picture(), store)
        assert picture.services == fresh.services and list(picture.services) == list(fresh.services)
        assert (picture.endpoints, picture.special) == (fresh.endpoints, fresh.special)
        changed = picture.changed(before.serial)
        assert changed is not None or before.serial == 0
        if changed is not None:
            keys = picture.services.keys() | before.services.keys()
            assert changed == {k for k in keys if picture.services.get(k) != before.services.get(k)}
        if rng.random() < 0.7:
            xt_plan = iptables.planned(picture, xt, xt_memo, xt_plan)
            other = iptables.planned(fresh, xt, iptables.memo(), None)
            assert (xt_plan.ports, xt_plan.filter, xt_plan.nat) == (other.ports, other.filter, other.nat)
            assert named(xt_plan.active) == other.active.base
            nft_plan = nftables.planned(picture, nft, nft_memo, nft_plan)
            anew = nftables.planned(fresh, nft, nftables.memo(), None)
            assert (nft_plan.ports, nft_plan.elements) == (anew.ports, anew.elements)
            assert (named(nft_plan.chains), named(nft_plan.affinity)) == (
                anew.chains.base,
                anew.affinity.base,
            )


def named(names: Names) -> set[str]:
    return set(names.base - names.less | names.more)


def test_names_that_others_have_beyond_ours() -> None:
    ours = Names(base=frozenset({"a", "b", "c"}), more=frozenset({"x"}), less=frozenset({"b"}))
    there = dict.fromkeys([*"abxyz", *map(str, range(600))], 1)
    one, other = shared(there)
    del one["z"]
    one["new"] = 1
    wanted = {"b", "y", "z", *map(str, range(600))}
    assert ours.missing_from(there) == ours.missing_from(other) == wanted
    assert ours.missing_from(one) == wanted - {"z"} | {"new"}


def test_a_picture_of_another_copy_tells_nothing_of_this_one() -> None:
    store = Store()
    store.create(plain("svc1"), 0)
    base = updated(Picture(), store)
    one, two = store.copy(), store.copy()
    pictures = []
    for other, name in ((one, "svc2"), (two, "svc3")):
        other.create(plain(name), 0)
        pictures.append(updated(base, other))
    assert pictures[0].changed(pictures[1].serial) is None
    assert pictures[0].changed(base.serial) == {("x", "svc2")}


# -- what a node may use (pkg/proxy/topology.go)


def ends(*rows: tuple[str, Json]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(ip=ip4(ip), port=80, **more) for ip, more in rows)


def port(endpoints: tuple[Endpoint, ...], **more: Any) -> ServicePort:
    return ServicePort(
        namespace="x",
        name="s",
        port_name="a",
        proto="tcp",
        cluster_ip=1,
        port=80,
        endpoints=endpoints,
        **more,
    )


def shown(some: tuple[Endpoint, ...]) -> list[str]:
    return [text4(e.ip) for e in some]


A: Json = {"node": "n1", "zone_hints": ("za",), "node_hints": ("n1",)}
B: Json = {"node": "n2", "zone_hints": ("za",), "node_hints": ("n2",)}
C: Json = {"node": "n3", "zone_hints": ("zb",), "node_hints": ("n3",)}


@pytest.mark.parametrize(
    ("node", "zone", "minor", "expected"),
    [
        ("n1", "za", 35, ["10.0.0.1"]),
        ("n4", "za", 35, ["10.0.0.1", "10.0.0.2"]),
        ("n4", "zb", 35, ["10.0.0.3"]),
        ("n4", "zc", 35, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("n4", "", 35, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        ("n1", "za", 33, ["10.0.0.1", "10.0.0.2"]),
    ],
)
def test_hints_lead_to_the_node_then_to_the_zone(
    node: str, zone: str, minor: int, expected: list[str]
) -> None:
    """PreferSameNode needs 1.34 (KEP-3015)."""
    one = port(ends(("10.0.0.1", A), ("10.0.0.2", B), ("10.0.0.3", C)))
    assert shown(choose(one, node, zone, minor=minor).cluster) == expected


def test_a_hint_that_is_missing_lets_all_be_used() -> None:
    one = port(ends(("10.0.0.1", A), ("10.0.0.2", {"node": "n2"})))
    assert len(choose(one, "n1", "za").cluster) == 2


def test_who_terminates_is_the_last_resort() -> None:
    dying: Json = {"ready": False, "serving": True, "terminating": True}
    dead: Json = {"ready": False, "serving": False, "terminating": True}
    one = port(ends(("10.0.0.1", {"node": "n1", **dying}), ("10.0.0.2", {"node": "n2", **dead})))
    found = choose(one, "n1")
    assert shown(found.cluster) == ["10.0.0.1"] and found.any
    two = port(ends(("10.0.0.1", {"node": "n1", **dying}), ("10.0.0.2", {"node": "n2"})))
    assert shown(choose(two, "n1").cluster) == ["10.0.0.2"]
    local = port(two.endpoints, node_port=30080, external_local=True)
    found = choose(local, "n1")
    assert (shown(found.cluster), shown(found.local)) == (["10.0.0.2"], ["10.0.0.1"])
    assert shown(found.reachable) == ["10.0.0.1", "10.0.0.2"]


def test_a_local_policy_beats_hints() -> None:
    one = port(ends(("10.0.0.1", A), ("10.0.0.2", B)), internal_local=True)
    assert shown(choose(one, "n2", "za").local) == ["10.0.0.2"] and not choose(one, "n2", "za").cluster
    assert choose(one, "n9", "za").any and not choose(one, "n9", "za").local

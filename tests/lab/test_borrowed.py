"""What is tried on a borrowed lab is what would happen in the lab itself, and leaves the lab as it is."""

from __future__ import annotations

import pytest

from engine.lab.lab import Lab
from engine.lab.trace import trace
from engine.linux.choose import Seeded
from engine.linux.lent import Lent

PODS = [
    {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"p{n}", "labels": {"app": "web"}},
        "spec": {
            "nodeName": f"w{n % 2 + 1}",
            "containers": [{"name": "c", "image": "nginx", "ports": [{"containerPort": 80}]}],
        },
    }
    for n in range(8)
]  # fmt: skip
SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}], "type": "NodePort"},
}  # fmt: skip


@pytest.fixture(scope="module", params=["bridge", "calico"])
def lab(request: pytest.FixtureRequest) -> Lab:
    made = Lab.load({
        "kubernetes": "1.35",
        "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}, {"name": "w2"}],
        "hosts": [{"name": "laptop"}], "cni": {"name": request.param}, "addons": ["coredns"],
        "manifests": [*PODS, SERVICE],
    })  # fmt: skip
    made.run("node/w1", "sysctl -w net.ipv4.conf.all.arp_ignore=1")
    return made


FLOWS = [
    ("pod/p0", "pod/p2:80", "tcp"), ("pod/p0", "pod/p3:80", "tcp"), ("pod/p4", "svc/web:80", "tcp"),
    ("node/w1", "svc/web:80", "tcp"), ("host/laptop", "node/w2:30080", "tcp"), ("pod/p1", "pod/p6", "icmp"),
    ("pod/p0", "http://web/", "http"), ("pod/p0", "10.244.77.77:80", "tcp"), ("node/w2", "10.244.1.250", "icmp"),
]  # fmt: skip


@pytest.mark.parametrize("flow", FLOWS, ids=lambda f: f"{f[0]}-{f[1]}-{f[2]}")
def test_a_borrowed_lab_tells_what_a_copied_one_tells(lab: Lab, flow: tuple[str, str, str]) -> None:
    source, to, proto = flow
    for _ in range(2):
        copied = trace(lab.world.copy(Seeded(lab.seed)), source, to, proto=proto, choose=Seeded(lab.seed))
        before = repr(sorted((id, repr(ns)) for id, ns in lab.world.net.spaces.items()))
        tried = lab.send(source, to, proto=proto)
        assert tried.journey == copied.journey
        after = repr(sorted((id, repr(ns)) for id, ns in lab.world.net.spaces.items()))
        assert after == before
        lab.send(source, to, proto=proto, on_copy=False)  # the second time with what the first has taught


def test_only_what_a_packet_reaches_is_copied(lab: Lab) -> None:
    world = lab.world.copy(Seeded(1), borrowed=True)
    assert isinstance(world.net.spaces, Lent)
    trace(world, "pod/p0", "pod/p2:80", choose=Seeded(1))
    mine = {id for id in lab.world.net.spaces if world.net.spaces.lent(id) is None}
    labels = {lab.world.net.spaces[id].label for id in mine}
    assert {"default/p0", "default/p2"} <= labels and not {"default/p1", "default/p3"} & labels


def test_a_listing_of_a_borrowed_net_has_the_lenders_order_and_copies(lab: Lab) -> None:
    net = lab.world.net.borrowed()
    some = list(lab.world.net.spaces)[3]
    assert net.spaces[some] is not lab.world.net.spaces[some] and len(net.spaces) == len(lab.world.net.spaces)
    assert list(net.spaces) == list(lab.world.net.spaces)
    assert all(ns is not lab.world.net.spaces[id] for id, ns in net.spaces.items())
    with pytest.raises(KeyError):
        net.spaces["nowhere"]
    assert net.spaces.get("nowhere") is None and "nowhere" not in net.spaces

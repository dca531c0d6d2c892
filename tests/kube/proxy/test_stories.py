"""Packets and Services in both modes, where time or the wiring decides: facts 20 section 2.6."""

from __future__ import annotations

from typing import Any

import pytest

from engine.lab.lab import Lab
from engine.linux.addr import text4
from engine.linux.journey import Journey
from engine.linux.packet import Packet
from tests.kube.proxy.sample import put
from tests.kube.proxy.services_lab import Json, lab, out, pod, service

MODES = ("iptables", "nftables")
VIP = "10.96.0.50"


def arrived(journey: Journey) -> Packet:
    """The first packet as it arrived."""
    found = journey.legs[0].forward.hops[-1].packet
    assert found is not None
    return found


def pods(world: Lab, vip: str = VIP, place: str = "pod/c", times: int = 12, port: int = 80) -> set[str]:
    """The addresses to which some connections of a Pod are led."""
    line = f"curl -s -m 3 http://{vip}:{port}/"
    return {text4(arrived(world.run(place, line).journeys[0]).ip.dst) for _ in range(times)}


@pytest.mark.parametrize("mode", MODES)
def test_affinity_holds_until_its_time_is_over(mode: str) -> None:
    """From the same client the same endpoint, until it has been away for timeoutSeconds."""
    spec: dict[str, Any] = {
        "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 100}}
    }  # fmt: skip
    world = lab(mode, service("web", VIP, **spec))
    first = pods(world)
    assert len(first) == 1
    for _ in range(5):
        world.wait(90)
        assert pods(world, times=1) == first
    seen = set()
    for _ in range(12):
        world.wait(101)
        seen |= pods(world, times=1)
    assert len(seen) == 2


@pytest.mark.parametrize("mode", MODES)
def test_without_affinity_the_die_is_thrown_for_each_connection(mode: str) -> None:
    assert len(pods(lab(mode, service("web", VIP)))) == 2


@pytest.mark.parametrize("mode", MODES)
def test_affinity_to_a_pod_that_is_gone_ends_with_it(mode: str) -> None:
    world = lab(mode, service("web", VIP, sessionAffinity="ClientIP"))
    (first,) = pods(world)
    assert world.world.cluster is not None
    name = next(
        p["metadata"]["name"] for p in world.world.cluster.store.list("Pod", "default")
        if p["status"].get("podIP") == first
    )  # fmt: skip
    out(world, "node/cp", f"kubectl delete pod {name} --force --grace-period=0")
    world.wait(5)
    other = pods(world)
    assert len(other) == 1 and other != {first}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hairpin", [True, False])
def test_a_pod_that_reaches_itself(mode: str, hairpin: bool) -> None:
    """The SEP chain marks, the bridge must give the frame back by the port it came from."""
    objects: list[Json] = [pod("a", "w1", "web"), service("web", VIP)]
    world = Lab.load(
        {
            "nodes": [{"name": "cp", "role": "control-plane"}, {"name": "w1"}],
            "cni": {"name": "bridge", **({"hairpinMode": True} if hairpin else {})},
            "proxy": {"mode": mode},
            "manifests": objects,
        }
    )
    sent = world.send("pod/a", f"{VIP}:80").journey
    if hairpin:
        assert str(sent.outcome) == "delivered"
        last = arrived(sent)
        assert last.ip.src != last.ip.dst, "the Pod sees the bridge"
    else:
        assert str(sent.outcome) != "delivered"


@pytest.mark.parametrize("mode", MODES)
def test_ping_of_a_cluster_ip(mode: str) -> None:
    """Lost by the default route in iptables mode, rejected by cluster-ips-check in nftables mode."""
    world = lab(mode, service("web", VIP))
    said = world.run("node/w1", f"ping -c 1 -W 1 {VIP}")
    assert said.code == 1
    assert ("Destination Port Unreachable" in said.stdout) is (mode == "nftables")


@pytest.mark.parametrize(("mode", "outcome"), [("iptables", ()), ("nftables", ("rejected", "refused"))])
def test_a_port_that_no_service_has(mode: str, outcome: tuple[str, ...]) -> None:
    world = lab(mode, service("web", VIP))
    found = str(world.send("pod/c", f"{VIP}:81").journey.outcome)
    assert found in outcome if outcome else found not in ("rejected", "refused", "delivered")


@pytest.mark.parametrize("mode", MODES)
def test_an_address_that_no_service_has(mode: str) -> None:
    world = lab(mode, service("web", VIP))
    found = str(world.send("pod/c", "10.96.0.51:80").journey.outcome)
    assert (found == "dropped") is (mode == "nftables")


@pytest.mark.parametrize("mode", MODES)
def test_a_new_endpoint_is_used_at_once_and_an_old_connection_goes_on(mode: str) -> None:
    world = lab(mode, service("web", VIP))
    put(world, pod("d", "w2", "web"))
    world.wait(30)
    assert len(pods(world, times=30)) == 3

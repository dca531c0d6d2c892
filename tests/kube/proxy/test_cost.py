"""How many rules a first packet meets, by mode and number of Services (facts 20 section 2.9)."""

from __future__ import annotations

import pytest

from engine.kube.proxy.cost import Cost, cost, grown
from engine.lab.lab import Lab
from tests.kube.proxy.sample import Json, lab, service, slice_of


def many(count: int) -> list[Json]:
    """`count` Services with an endpoint each, before the one that is asked."""
    out = []
    for i in range(count):
        name = f"svc{i:04}"
        out += [
            service(name, f"10.97.{i // 250}.{i % 250 + 1}"),
            slice_of(name, ((f"10.244.9.{i % 250 + 1}", "node2"),)),
        ]
    return out


def asked(world: Lab) -> Cost:
    """What the way to shop/zoo costs a packet from node1."""
    journey = world.trace("node/node1", "10.96.71.99:80")
    return cost(journey.legs[0].forward).of("node1")


def world_of(mode: str, count: int) -> Lab:
    zoo = [service("zoo", "10.96.71.99"), slice_of("zoo", (("10.244.2.7", "node2"),))]
    return lab(*many(count), *zoo, mode=mode)


@pytest.mark.parametrize("count", [0, 10, 300])
def test_iptables_pays_for_every_service_that_stands_before(count: int) -> None:
    paid = asked(world_of("iptables", count))
    # kube-dns is not here: only default/kubernetes stands before the others
    output = next(v for v in paid.visits if (v.hook, v.table) == ("OUTPUT", "nat"))
    # the jump to KUBE-SERVICES, default/kubernetes, the others, the Service itself; its chain: mark, MARK's rule, the
    # endpoint; the endpoint's chain: hairpin, DNAT
    assert output.rules == 1 + 1 + count + 1 + 3 + 2


def test_nftables_pays_the_same_for_ten_and_for_three_hundred() -> None:
    few, lots = asked(world_of("nftables", 10)), asked(world_of("nftables", 300))
    assert few.rules == lots.rules < 25
    assert few.lookups == lots.lookups > 0


@pytest.mark.parametrize("mode", ["iptables", "nftables", "ipvs"])
@pytest.mark.parametrize("sender", ["node/node1", "node/node2"])
def test_the_cost_among_more_services_is_the_cost_in_a_cluster_that_has_them(mode: str, sender: str) -> None:
    few, lots = world_of(mode, 3), world_of(mode, 200)
    small, large = (w.trace(sender, "10.96.71.99:80").legs[0].forward for w in (few, lots))
    # default/kubernetes, the 200 and the one that is asked
    assert grown(small, few.world.net, 202) == cost(large).rules
    assert grown(large, lots.world.net, 202) == grown(large, lots.world.net, 10) == cost(large).rules


def test_the_cost_of_userspace_grows_with_its_portals() -> None:
    few, lots = world_of("userspace", 3), world_of("userspace", 100)
    small, large = (w.trace("node/node1", "10.96.71.99:80").legs[0].forward for w in (few, lots))
    assert grown(small, few.world.net, 102) == cost(large).rules > cost(small).rules

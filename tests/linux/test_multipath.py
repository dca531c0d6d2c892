"""Several nexthops: the kernel's hash, the shares by weight, what draws and what is kept."""

from __future__ import annotations

from collections import Counter

import pytest

from engine.linux.addr import ip4
from engine.linux.choose import Choose, Seeded, branches
from engine.linux.fib import Nexthop
from engine.linux.flow import FlowKey
from engine.linux.hashing import jhash2, siphash
from engine.linux.multipath import bounds, find, hash_keys
from tests.linux.walk.wires import Wires

LINE = """
    wire a e0 10.0.0.1/24 r i0 10.0.0.2/24
    wire a e1 10.0.1.1/24 r i1 10.0.1.2/24
    a: ip route add 10.9.0.0/16 nexthop via 10.0.0.2 weight 1 nexthop via 10.0.1.2 weight 3
"""


def test_siphash() -> None:
    """The test vector of the SipHash paper, appendix A."""
    key = bytes(range(16))
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    assert siphash(bytes(range(15)), k0, k1) == 0xA129CA6149BE45E5


def test_both_directions_hash_alike() -> None:
    there = (ip4("10.0.0.1"), ip4("10.9.9.9"), 17, 5000, 53)
    back = (ip4("10.9.9.9"), ip4("10.0.0.1"), 17, 53, 5000)
    assert hash_keys(there, 12345) == hash_keys(back, 12345) != hash_keys(there, 12346)


def test_jhash_differs_in_each_word() -> None:
    assert len({jhash2((1, 2), 0), jhash2((2, 1), 0), jhash2((1, 2), 1)}) == 3


def test_shares() -> None:
    """fib_rebalance: the weights' share of 2^31, -1 for one that is dead."""
    hops = [Nexthop(oif=1, weight=1), Nexthop(oif=2, weight=1, dead=True), Nexthop(oif=3, weight=3)]
    assert bounds(hops, None) == [(1 << 29) - 1, -1, (1 << 31) - 1]


def way(w: Wires, dst: int, choose: Choose | None = None) -> int:
    route = find(w.net, w.ns("a"), FlowKey(dst=dst), choose=choose).route
    assert route is not None
    return route.oif


def test_a_flow_keeps_its_way() -> None:
    w = Wires(LINE)
    seeded = Seeded(3)
    first = {dst: way(w, dst, seeded) for dst in range(ip4("10.9.0.1"), ip4("10.9.1.1"))}
    assert {dst: way(w, dst, seeded) for dst in first} == first
    share = Counter(first.values())
    assert len(share) == 2 and max(share.values()) > 2 * min(share.values())


def test_every_way_is_a_branch() -> None:
    w = Wires(LINE)

    def run(choose: Choose) -> int:
        ns = w.net.copy().spaces[w.id("a")]
        route = find(w.net, ns, FlowKey(dst=ip4("10.9.9.9")), choose=choose).route
        assert route is not None
        return route.oif

    assert len(set(branches(run))) == 2


@pytest.mark.parametrize(("key", "ways"), [("0", 2), ("1", 1)])
def test_a_way_without_carrier(key: str, ways: int) -> None:
    """ip-sysctl, ignore_routes_with_linkdown."""
    w = Wires(
        LINE + f"r: ip link set i1 down\na: sysctl -w net.ipv4.conf.e1.ignore_routes_with_linkdown={key}"
    )
    found = {way(w, dst) for dst in range(ip4("10.9.0.1"), ip4("10.9.0.99"))}
    assert len(found) == ways


def test_a_device_that_goes_down_takes_its_way_along_and_back() -> None:
    w = Wires(LINE)
    w.type("a: ip link set e0 down")
    assert "nexthop via 10.0.0.2 dev e0 weight 1 dead linkdown" in w.one("a: ip route")
    assert {way(w, dst) for dst in range(ip4("10.9.0.1"), ip4("10.9.0.99"))} == {w.ns("a").names["e1"]}
    w.type("a: ip link set e0 up")
    assert "dead" not in w.one("a: ip route")
    w.type("a: ip link set e0 down\na: ip link set e1 down")
    assert "10.9.0.0" not in w.one("a: ip route")


def test_a_group_passes_over_a_neighbour_that_failed() -> None:
    """nexthop_select_path_hthr asks the neighbour table; a route's own nexthops only with fib_multipath_use_neigh."""
    w = Wires(LINE)
    w.type("a: ip nexthop add id 1 via 10.0.0.2 dev e0\na: ip nexthop add id 2 via 10.0.1.2 dev e1")
    w.type("a: ip nexthop add id 9 group 1/2\na: ip route replace 10.9.0.0/16 nhid 9")
    w.type("a: ip neigh replace 10.0.0.2 dev e0 nud failed")
    assert {way(w, dst) for dst in range(ip4("10.9.0.1"), ip4("10.9.0.99"))} == {w.ns("a").names["e1"]}
    w.type("r: ip link set i1 down")
    assert w.one("a: ip nexthop") == "id 1 via 10.0.0.2 dev e0 scope link \nid 9 group 1 \n"

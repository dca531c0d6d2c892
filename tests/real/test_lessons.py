"""The labs of lessons 1 and 3 in the kernel: the same rows read back, and everybody to everybody step by step."""

from __future__ import annotations

import pytest

from course.catalog import LESSONS
from engine.lab.lab import Lab
from engine.real.compare import compare
from engine.real.kernel import Kernel
from engine.real.pairs import all_pairs
from engine.real.rows import compare_rows
from tests.tools import need

need("userns", "iptables", "nft", "ip", "conntrack")

#: lab -> what is done in it first: the lessons' own commands, by hand
LABS: dict[str, tuple[tuple[str, str], ...]] = {
    "docker-host": (),
    "two-nodes": (),
    "workbench": (
        ("host/bench", "ip netns add red"),
        ("host/bench", "ip netns add blue"),
        ("host/bench", "ip link add br0 type bridge"),
        ("host/bench", "ip link set br0 up"),
        ("host/bench", "ip addr add 10.1.0.1/24 dev br0"),
        ("host/bench", "ip link add red0 type veth peer name eth0 netns red"),
        ("host/bench", "ip link add blue0 type veth peer name eth0 netns blue"),
        ("host/bench", "ip link set red0 master br0 up"),
        ("host/bench", "ip link set blue0 master br0 up"),
        ("host/bench", "ip -n red addr add 10.1.0.2/24 dev eth0"),
        ("host/bench", "ip -n blue addr add 10.1.0.3/24 dev eth0"),
        ("host/bench", "ip -n red link set eth0 up"),
        ("host/bench", "ip -n blue link set eth0 up"),
        ("host/bench", "ip -n red route add default via 10.1.0.1"),
        ("host/bench", "ip -n blue route add default via 10.1.0.1"),
        ("host/bench", "sysctl -w net.ipv4.ip_forward=1"),
        ("host/bench", "iptables -t nat -A POSTROUTING -s 10.1.0.0/24 ! -o br0 -j MASQUERADE"),
    ),
}


@pytest.mark.parametrize("name", LABS)
def test_the_labs_of_the_lessons(name: str, record_property: pytest.RecordProperty) -> None:
    lab = Lab.load(LESSONS / "labs" / f"{name}.yaml")
    for place, line in LABS[name]:
        done = lab.run(place, line)
        assert not done.code, f"{line}: {done.stderr}"
    net = lab.world.net
    flows = all_pairs(net)
    with Kernel() as kernel:
        kernel.build(net)
        rows = compare_rows(kernel, net)
        assert [r for r in rows if not r.same] == []
        results = [compare(kernel, net, flow) for flow in flows]
    assert "\n".join(r.grid() for r in results if not r.same) == ""
    record_property("kernel comparison", (1, len(flows), sum(r.count for r in results)))

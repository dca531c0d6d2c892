"""Datagrams larger than the way, cut and put together on random lines of machines: the same fragments on every device,
at every rule, with the same outcome, in the kernel and in the model.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many. A failing test names its seed.
"""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from engine.real.compare import Flow, compare
from engine.real.kernel import Kernel
from tests.linux.walk.wires import Wires
from tests.tools import need

need("userns", "iptables", "nft", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
LINES, FLOWS = 12, 5
MTUS = (1500, 1500, 1400, 1280, 996, 576)
TRACK = (
    "iptables -A FORWARD -m conntrack --ctstate INVALID -j DROP",
    "iptables -A INPUT -m conntrack --ctstate NEW",
)
RULES = (
    "iptables -A FORWARD -p udp --dport 7777 -j ACCEPT", "iptables -A FORWARD -p udp --dport 7000:7500 -j DROP",
    "iptables -A FORWARD -p udp -j ACCEPT", "iptables -A INPUT -p udp --sport 7000:7400 -j DROP",
    "iptables -A FORWARD -p udp --dport 7777 -j REJECT", "iptables -t raw -A PREROUTING -p udp -j ACCEPT",
    "iptables -t mangle -A POSTROUTING -p udp -j ACCEPT",
)  # fmt: skip
NAT = (
    "iptables -t nat -A POSTROUTING -o {out} -j MASQUERADE",
    "iptables -t nat -A PREROUTING -p udp --dport 7777 -j DNAT --to-destination 10.3.0.2:7778",
)
SYSCTLS = (
    "net.ipv4.ip_no_pmtu_disc=1", "net.ipv4.ip_forward_use_pmtu=1", "net.ipv4.route.min_pmtu=1000",
    "net.ipv4.conf.all.rp_filter=0",
)  # fmt: skip


def line(rng: random.Random) -> list[str]:
    """a - r - s - b, each wire with its own MTU; sometimes a bridge between r and s, sometimes tracking and NAT."""
    words = ["wire a eth0 10.1.0.1/24 r in 10.1.0.2/24"]
    bridged = rng.random() < 0.4
    if bridged:
        words += [
            "wire r out 10.2.0.1/24 br p1 -", "wire br p2 - s in 10.2.0.2/24", "br: ip link add br0 type bridge",
            "br: ip link set br0 up", "br: ip link set p1 master br0", "br: ip link set p2 master br0",
            f"br: sysctl -w net.bridge.bridge-nf-call-iptables={rng.choice('011')}",
        ]  # fmt: skip
    else:
        words.append("wire r out 10.2.0.1/24 s in 10.2.0.2/24")
    words += ["wire s out 10.3.0.1/24 b eth0 10.3.0.2/24"]
    for one, two in ((("a", "eth0"), ("r", "in")), (("s", "out"), ("b", "eth0"))):
        mtu = rng.choice(MTUS)
        words += [f"{name}: ip link set {dev} mtu {mtu}" for name, dev in (one, two)]
    middle = rng.choice(MTUS)
    words += [f"r: ip link set out mtu {middle}", f"s: ip link set in mtu {middle}"]
    for name in ("r", "s"):
        words.append(f"{name}: sysctl -w net.ipv4.ip_forward=1")
    words += [
        "a: ip route add default via 10.1.0.2", "r: ip route add 10.3.0.0/24 via 10.2.0.2",
        "s: ip route add default via 10.2.0.1", "b: ip route add default via 10.3.0.1",
        "listen b udp 7777", "listen b udp 7778",
    ]  # fmt: skip
    if rng.random() < 0.2:
        # A route's MTU above the device's is left out: how many fragments the device is then offered varies.
        words.append(f"a: ip route replace default via 10.1.0.2 mtu {rng.choice(('', 'lock '))}576")
    for name in ("a", "r", "s", "b", *(["br"] if bridged else [])):
        if rng.random() < 0.4:
            words.append(f"{name}: {rng.choice(TRACK)}")
        for _ in range(rng.randint(0, 2)):
            rule = rng.choice(RULES)
            # Behind a machine that tracks, a fragment's checksum counts as verified and REJECT speaks: only the first
            # machine on the way may reject here.
            if rng.random() < 0.5 and (name == "r" or "REJECT" not in rule):
                words.append(f"{name}: {rule}")
        if name in ("r", "s") and rng.random() < 0.3:
            words.append(f"{name}: {rng.choice(NAT).format(out='out')}")
        if rng.random() < 0.15:
            words.append(f"{name}: sysctl -w {rng.choice(SYSCTLS)}")
    return words


def check(seed: int) -> tuple[int, int]:
    """(flows, steps) compared; fails with the grid of the first difference."""
    rng = random.Random(seed)
    words = line(rng)
    w = Wires("\n".join(words))
    steps = 0
    with Kernel() as kernel:
        kernel.build(w.net)
        for number in range(FLOWS):
            size = rng.choice(
                (1, 548, 549, 1000, 1300, 1472, 1473, 2000, 2952, 2953, 4000, rng.randint(1, 8000))
            )
            flow = Flow(netns=w.id("a"), proto="udp", dst="10.3.0.2", dport=rng.choice((7777, 7777, 7778)),
                        sport=7000 + number * 150 + 10, size=size, cut=rng.random() < 0.85)  # fmt: skip
            compared = compare(kernel, w.net, flow)
            assert compared.same, "\n".join([f"seed {seed}, flow {number}: {flow}", compared.grid(), *words])
            steps += compared.count
    return FLOWS, steps


@pytest.mark.parametrize("group", range(2 * ROUNDS))
def test_fragments(group: int, record_property: Any) -> None:
    for seed in range(group * LINES, (group + 1) * LINES):
        flows, steps = check(seed)
        record_property("kernel comparison", (1, flows, steps))

"""nft's rules in the kernel and in the model: read back as they are written, and met by packets rule by rule.

K8SNET_REAL_ROUNDS=10 (what `make real` sets) runs ten times as many random rulesets. A failing test names its seed:
`check(SEED)` is the same ruleset and the same flows again.
"""

from __future__ import annotations

import os
import re

import pytest

from engine.linux.journey import Outcome
from engine.linux.net import Net
from engine.linux.nft.text import Style, table_text
from engine.real.compare import PATIENCE, Flow, Pair
from engine.real.kernel import Kernel
from tests.real.nft_rules import KUBE_PROXY, Rules, world
from tests.tools import need

need("userns", "nft", "ip", "conntrack")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
GROUPS, RULESETS, FLOWS = 4, 15, 8
SERVICES = (
    ("node/p1", "tcp", "10.96.0.10", 80), ("node/p2", "tcp", "10.96.0.10", 80), ("ext", "tcp", "10.96.0.10", 80),
    ("node", "tcp", "10.96.0.10", 80), ("ext", "tcp", "192.168.10.10", 30080),
    ("node", "tcp", "192.168.10.10", 30080), ("node/p1", "udp", "10.96.0.20", 53),
    ("node/p1", "udp", "10.96.0.20", 53), ("node/p2", "udp", "10.96.0.20", 53),
    ("node/p1", "tcp", "10.96.0.66", 80), ("ext", "tcp", "10.96.0.66", 80), ("node", "tcp", "10.96.0.66", 80),
    ("node/p1", "tcp", "10.96.0.10", 81), ("node", "tcp", "10.96.0.10", 81), ("node/p1", "tcp", "10.96.0.99", 81),
    ("ext", "tcp", "203.0.113.200", 80), ("node/p1", "tcp", "203.0.113.200", 80),
    ("node/p1", "icmp", "10.96.0.10", 0), ("node/p1", "icmp", "10.244.1.3", 0), ("ext", "udp", "10.244.1.2", 53),
)  # fmt: skip


def listing(net: Net) -> dict[str, str]:
    """The node's tables as the model prints them."""
    ns = net.spaces["node"]
    style = Style(names={i: link.name for i, link in ns.links.items()})
    return {f"{t.family} {t.name}": timeless(table_text(t, style)) for t in ns.nft.tables.values()}


def read(kernel: Kernel, net: Net) -> dict[str, str]:
    """The same as the real tool prints them."""
    return {
        f"{t.family} {t.name}": timeless(kernel.read("node", "nft", "list", "table", t.family, t.name))
        for t in net.spaces["node"].nft.tables.values()
    }


def lines(tables: dict[str, str]) -> list[str]:
    return [line for text in tables.values() for line in text.splitlines()]


def timeless(text: str) -> str:
    """The kernel's clock runs, the model's stands still."""
    return re.sub(r" expires \S+", "", text)


def test_kube_proxy(record_property: pytest.RecordProperty) -> None:
    net = world(KUBE_PROXY)
    steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        assert read(kernel, net) == listing(net)
        pair = Pair(kernel, net)
        for number, (netns, proto, dst, port) in enumerate(SERVICES):
            found = pair.send(Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=30001 + number))
            assert found.same, found.grid()
            steps += found.count
    record_property("kernel comparison", (1, len(SERVICES), steps))


#: (rules, flows): what random rulesets have shown, each cause once
CORNERS = (
    # by lo into the input hook: no look-up, the device is the answer (nft_fib_can_skip)
    ("""table inet t { chain c { type filter hook input priority 150;
  fib saddr . iif oif exists counter meta mark set 0x1
  fib daddr oif missing counter
  fib daddr oifname "lo" counter
  fib saddr type local counter
 } }
""", (("node", "tcp", "192.168.10.10", 8080), ("node", "icmp", "192.168.10.10", 0), ("ext", "udp", "192.168.10.10", 53),
      ("ext", "tcp", "192.168.10.10", 80))),
    # a reply that is not translated back reaches its ping all the same (ping_lookup)
    ("""table ip t { chain d { type nat hook prerouting priority -100; ip daddr 10.96.0.10 dnat to 10.244.1.3
 }
 chain r { type filter hook prerouting priority -300; ip saddr 10.244.1.3 notrack
 } }
""", (("ext", "icmp", "10.96.0.10", 0), ("ext", "udp", "10.96.0.10", 53), ("node/p1", "icmp", "10.96.0.10", 0))),
    # the ACK of a handshake is refused: connect() is done by then
    ("""table ip t { chain o { type filter hook output priority 0; tcp flags ! syn reject with icmp host-unreachable
 }
 chain f { type filter hook forward priority 0; tcp flags ! syn reject with icmp admin-prohibited
 } }
""", (("node", "tcp", "192.168.10.10", 80), ("node/p1", "tcp", "10.244.1.3", 8080), ("ext", "tcp", "10.244.1.2", 80))),
    # the packet that makes the sum equal to the quota is within it (nft_overquota since 6.16)
    ("""table ip t { quota q { over 168 bytes; }
 chain c { type filter hook prerouting priority 0; icmp type echo-request quota over 168 bytes counter
  icmp type echo-request quota name q counter
  icmp type echo-request quota 168 bytes counter
 } }
""", (("ext", "icmp", "10.244.1.2", 0),) * 3),
    # a packet that is translated and then thrown away leaves no connection that tells its new port
    ("""table ip t { chain n { type nat hook postrouting priority 100; masquerade fully-random
 }
 chain p { type nat hook prerouting priority -100; ip daddr 10.96.0.10 dnat to 192.168.10.20
 }
 chain d { type filter hook postrouting priority 150; ct state new counter drop
 } }
""", (("node/p1", "udp", "192.168.10.20", 53), ("node/p1", "tcp", "192.168.10.20", 80),
      ("ext", "icmp", "10.244.1.2", 0), ("node/p2", "udp", "10.96.0.10", 53), ("node/p1", "icmp", "10.96.0.10", 0))),
    # a port in a rule about ICMP: listed as the checksum, which nft does not take back where a map wants a port
    ("""table ip t { map v { type ipv4_addr . inet_proto . inet_service : verdict
  elements = { 10.244.1.2 . tcp . 80 : drop } }
 chain c { type filter hook prerouting priority 0; icmp type echo-request th dport 1-1000 counter drop
  icmp type { echo-reply, destination-unreachable } log ip daddr . meta l4proto . th dport vmap @v
  icmp type echo-request ip daddr . meta l4proto . th dport { 10.244.1.3 . udp . 53 } counter
  ip protocol icmp th sport 0 counter
  meta l4proto icmp th dport != 80 counter
 } }
""", (("ext", "icmp", "10.244.1.2", 0), ("node/p1", "icmp", "10.244.1.3", 0), ("node/p1", "udp", "10.244.1.3", 54))),
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(CORNERS)))
def test_corners(number: int, record_property: pytest.RecordProperty) -> None:
    text, flows = CORNERS[number]
    net = world(text)
    steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        assert read(kernel, net) == listing(net)
        pair = Pair(kernel, net)
        for at, (netns, proto, dst, port) in enumerate(flows):
            found = pair.send(Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=30001 + at))
            assert found.same, found.grid()
            steps += found.count
        assert read(kernel, net) == listing(pair.net)
    record_property("kernel comparison", (1, len(flows), steps))


def check(seed: int) -> tuple[int, int]:
    """(flows, steps) compared; fails with the grid of the first difference. A packet that rested in a queue of a busy
    machine is counted by limits and sets of the next flow, so a difference counts when it is there again in new
    namespaces, with patience."""
    try:
        return once(seed, 1)
    except AssertionError:
        return once(seed, PATIENCE)


def once(seed: int, patience: int) -> tuple[int, int]:
    rules = Rules(seed)
    net = rules.net()
    text = "\n".join(listing(net).values())
    flows = steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        assert lines(read(kernel, net)) == lines(listing(net)), f"seed {seed}"
        pair = Pair(kernel, net)
        late = False  # an error about an unknown neighbour comes when the worker listens no more
        for number in range(FLOWS):
            netns, proto, dst, port = rules.flow(number)
            flow = Flow(netns=netns, proto=proto, dst=dst, dport=port, sport=30001 + number)
            found = pair.send(flow, patience=patience)
            assert found.same, "\n".join([f"seed {seed}, flow {number}", found.grid(), text])
            steps += found.count
            flows += 1
            late = late or found.journey.outcome in (Outcome.UNRESOLVED_NEIGHBOUR, Outcome.NO_ROUTE)
        found_sets = lines(read(kernel, net)) == lines(listing(pair.net))
        assert late or found_sets, f"seed {seed}: counters and dynamic sets"
    return flows, steps


@pytest.mark.parametrize("group", range(GROUPS * ROUNDS))
def test_random_rulesets(group: int, record_property: pytest.RecordProperty) -> None:
    for seed in range(group * RULESETS, (group + 1) * RULESETS):
        flows, steps = check(seed)
        record_property("kernel comparison", (1, flows, steps))

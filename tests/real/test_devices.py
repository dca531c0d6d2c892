"""vxlan, macvlan, tun and bridge ports in the kernel and in the model: whole flows, device by device and rule by rule.

A network is told once, as command lines; the model's own `ip` and `bridge` build its side, the plan builds the
kernel's. Flows: ping, TCP and UDP, large datagrams with DF, ports that nobody listens on.
"""

from __future__ import annotations

import pytest

from engine.linux.net import Net
from engine.real.compare import PATIENCE, Flow, Pair
from engine.real.kernel import Kernel
from tests.real import devices as d
from tests.real import model
from tests.tools import need

need("userns", "iptables", "nft", "ip", "conntrack")

RULES = ("-t nat -A POSTROUTING -s 10.1.0.0/16 -d 10.1.0.0/16 -j RETURN", "-A FORWARD -i cni0 -j ACCEPT")
NAT = (
    "-t nat -A PREROUTING -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.1.2.2:8080",
    "-t nat -A OUTPUT -d 10.96.0.10/32 -p tcp --dport 80 -j MARK --set-xmark 0x4000/0x4000",
    "-t nat -A OUTPUT -d 10.96.0.10/32 -p tcp --dport 80 -j DNAT --to-destination 10.1.2.2:8080",
    "-t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE",
    "-t nat -A POSTROUTING -s 10.1.0.0/16 ! -d 224.0.0.0/4 -j RETURN",
)
PODS = ("10.1.1.2", "10.1.2.2")
STRETCHED = ("10.2.0.1", "10.2.0.2", "10.2.0.3")
MACVLAN = ("192.168.50.21", "192.168.50.22", "192.168.50.11", "192.168.50.12")


def flows(
    net: Net, sources: tuple[str, ...], targets: tuple[str, ...], sizes: tuple[int, ...] = (1,)
) -> list[Flow]:
    found: list[Flow] = []

    def add(source: str, proto: str, dst: str, dport: int, size: int = 1) -> None:
        found.append(
            Flow(
                netns=model.space(net, source).id,
                proto=proto,
                dst=dst,
                dport=dport,
                sport=21000 + len(found),
                size=size,
            )
        )

    for source in sources:
        for dst in targets:
            add(source, "icmp", dst, 0)
            add(source, "tcp", dst, 8080)
            add(source, "tcp", dst, 81)
            add(source, "udp", dst, 9)
            for size in sizes:
                add(source, "udp", dst, 9090, size)
    return found


def check(
    lines: list[str], sources: tuple[str, ...], targets: tuple[str, ...], sizes: tuple[int, ...] = (1,)
) -> int:
    """Every flow on both sides; how many records were equal. Fails with the grid of the first difference that is there
    again in new namespaces, with patience: on a busy machine an answer may come when the next flow is recorded."""
    try:
        return once(lines, sources, targets, sizes, 1)
    except AssertionError:
        return once(lines, sources, targets, sizes, PATIENCE)


def once(
    lines: list[str],
    sources: tuple[str, ...],
    targets: tuple[str, ...],
    sizes: tuple[int, ...],
    patience: int,
) -> int:
    listening = [
        (name, p, "0.0.0.0", port)
        for name in ("p1", "p2", "n1", "n2")
        for p, port in (("tcp", 8080), ("udp", 9090))
    ]
    net = model.build(lines, listening)
    steps = 0
    with Kernel() as kernel:
        kernel.build(net)
        pair = Pair(kernel, net)
        for flow in flows(net, sources, targets, sizes):
            compared = pair.send(flow, patience=patience)
            assert compared.same, f"{flow}\n{compared.grid()}"
            steps += compared.count
    return steps


VXLAN = {
    "as flannel has it": d.flannel(),
    "with rules": d.rules(d.flannel(), *RULES),
    "with rules on bridge ports": d.rules(d.flannel(bridge_nf=1), *RULES),
    "another port and VNI": d.flannel("id 77 dev eth0 local {local} nolearning", port=4789),
    "an entry's own port and VNI": d.flannel(words=" port 8472 vni 1"),
    "no local address": d.flannel("id 1 nolearning"),
    "a ttl of its own": d.flannel("id 1 dev eth0 local {local} nolearning ttl 9"),
    "ttl inherit": d.flannel("id 1 dev eth0 local {local} nolearning ttl inherit"),
    "source ports": d.flannel("id 1 dev eth0 local {local} nolearning srcport 2000 2100"),
    "no entry on n1": d.flannel(fdb=("n2",)),
    "no entry on n2": d.flannel(fdb=("n1",)),
    "no entries, a remote": d.flannel("id 1 dev eth0 local {local} remote {remote} nolearning", fdb=()),
    "learning, a remote, ARP": d.flannel("id 1 dev eth0 local {local} remote {remote}", fdb=(), neigh=False),
    "learning without a remote": d.flannel("id 1 dev eth0 local {local}", fdb=(), neigh=False),
    "an entry for another VNI": d.flannel(words=" vni 5"),
}


@pytest.mark.parametrize("name", VXLAN)
def test_vxlan(name: str, record_property: pytest.RecordProperty) -> None:
    steps = check(VXLAN[name], ("p1", "n1", "p2"), PODS, (1, 1422, 1423))
    record_property("kernel comparison", (1, 42, steps))


def test_vxlan_port_that_nobody_opened(record_property: pytest.RecordProperty) -> None:
    """The far host answers port unreachable to the outer packet; the inner sender learns nothing. (A ping from the node
    itself is left out: the worker's raw socket hears that error too.)"""
    lines = d.flannel(words=" port 4790")
    record_property("kernel comparison", (1, 28, check(lines, ("p1", "p2"), PODS, (1, 1422, 1423))))


REPLICATED = [
    *d.flannel(fdb=(), neigh=False),
    "bridge -n n1 fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.168.50.12",
    "bridge -n n1 fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.168.50.13",
    "bridge -n n2 fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.168.50.11",
    *d.third_node(),
]


def test_head_end_replication(record_property: pytest.RecordProperty) -> None:
    """The entry of zeros with two remotes: a copy to each, the first one last; the third node has no use for it."""
    record_property("kernel comparison", (1, 20, check(REPLICATED, ("p1", "n1"), PODS)))


WIDE = {
    "pods wider than the tunnel": d.flannel(pod_mtu=1500),
    "a bridge wider than its Pods": d.flannel(pod_mtu=1500, mtu=1400),
    "a narrow underlay": d.flannel(underlay=1400, mtu=1350, pod_mtu=1500),
}


@pytest.mark.parametrize("name", WIDE)
def test_vxlan_mtu(name: str, record_property: pytest.RecordProperty) -> None:
    """A datagram with DF that the tunnel's device does not take is answered by the node with the device's MTU."""
    steps = check(WIDE[name], ("p1", "p2"), PODS, (1, 1322, 1323, 1372, 1373, 1422, 1423, 1472))
    record_property("kernel comparison", (1, 48, steps))


@pytest.mark.parametrize("bridge_nf", [0, 1])
def test_service_over_vxlan(bridge_nf: int, record_property: pytest.RecordProperty) -> None:
    """A Service's rules on both nodes, with and without br_netfilter: the outer packets walk OUTPUT, POSTROUTING and
    INPUT too, with the inner packet's mark, and have connections of their own."""
    lines = d.rules(d.flannel(bridge_nf=bridge_nf), *NAT)
    steps = check(lines, ("p1", "n1", "p2"), ("10.96.0.10", *PODS))
    record_property("kernel comparison", (1, 45, steps))


BRIDGED = {
    "learning": d.stretched(),
    "nolearning": d.stretched(learning="nolearning"),
    "under br_netfilter": d.rules(d.stretched(bridge_nf=1), "-A FORWARD -p udp --dport 9 -j DROP"),
    "an isolated tunnel": d.stretched(flags="isolated on"),
    "a port that does not learn": d.stretched(flags="learning off"),
    "a port that is not flooded": d.stretched(flags="flood off"),
}


@pytest.mark.parametrize("name", BRIDGED)
def test_vxlan_as_a_bridge_port(name: str, record_property: pytest.RecordProperty) -> None:
    steps = check(BRIDGED[name], ("p1", "p2", "p3"), STRETCHED, (1, 1422))
    record_property("kernel comparison", (1, 54, steps))


MODES = (
    ("bridge", ""),
    ("private", ""),
    ("vepa", ""),
    ("bridge", "private"),
    ("bridge", "vepa"),
    ("passthru", ""),
)


@pytest.mark.parametrize("modes", MODES, ids="-".join)
def test_macvlan(modes: tuple[str, str], record_property: pytest.RecordProperty) -> None:
    """The host and its macvlans do not hear each other; of two modes only bridge turns around below."""
    # Behind passthru the host hears no answer to its own ARP, and gets nothing that is for its MAC.
    sources = ("p1", "n2") if modes[0] == "passthru" else ("p1", "p2", "n1", "n2")
    targets = MACVLAN if modes[0] != "passthru" else ("192.168.50.21", "192.168.50.12")
    steps = check(d.macvlans(*modes), sources, targets, (1, 1472, 1473))
    record_property("kernel comparison", (1, len(sources) * len(targets) * 7, steps))


def test_tun_without_a_program(record_property: pytest.RecordProperty) -> None:
    """Nobody holds the device open: it has no carrier, and what is sent into it is gone."""
    record_property("kernel comparison", (1, 8, check(d.tun(), ("n1",), ("10.9.0.2", "10.9.0.1"))))


def test_a_remote_that_is_this_very_host(record_property: pytest.RecordProperty) -> None:
    """Two VXLAN devices made in one namespace, each the other's remote: the frames never see UDP."""
    lines = [
        *d.spaces("sw", "n1", "n2", "p1", "p2"),
        *d.lan(),
        "ip -n n1 link add va address 02:03:00:00:00:21 type vxlan id 5 local 192.168.50.11 dstport 4789 nolearning",
        "ip -n n1 link add vb address 02:03:00:00:00:22 netns p1 type vxlan id 6 local 192.168.50.11 dstport 4789 "
        "nolearning",
        "ip -n n1 addr add 10.3.0.1/24 dev va",
        "ip -n n1 link set va up",
        "ip -n p1 addr add 10.3.0.2/24 dev vb",
        "ip -n p1 link set vb up",
        "bridge -n n1 fdb append 00:00:00:00:00:00 dev va dst 192.168.50.11 vni 6",
        "bridge -n p1 fdb append 00:00:00:00:00:00 dev vb dst 192.168.50.11 vni 5",
    ]
    record_property("kernel comparison", (1, 10, check(lines, ("n1", "p1"), ("10.3.0.1", "10.3.0.2"))))


#: every MAC is in the tables from the start, as a controller writes them: nobody must have spoken first
SUPPRESSED = [
    *d.stretched(learning="nolearning", flags="neigh_suppress on"),
    *[
        f"bridge -n n{n} fdb append 02:02:00:00:00:1{far} dev vx dst 192.168.50.1{m} self"
        for n, far, m in ((1, 2, 2), (2, 1, 1), (2, 3, 1))
    ],
    *[
        f"bridge -n n{n} fdb add 02:02:00:00:00:1{far} dev vx master static"
        for n, far in ((1, 2), (2, 1), (2, 3))
    ],
    *[
        f"bridge -n n{n} fdb add 02:02:00:00:00:1{p} dev vp{p} master static"
        for n, p in ((1, 1), (2, 2), (1, 3))
    ],
    *[
        f"ip -n n{n} neigh add 10.2.0.{far} lladdr 02:02:00:00:00:1{far} dev br1 nud permanent"
        for n, far in ((1, 2), (2, 1), (2, 3))
    ],
]
FLAGS = {
    "neigh_suppress": SUPPRESSED,
    "no broadcast into the tunnel": d.stretched(flags="bcast_flood off"),
}


@pytest.mark.parametrize("name", FLAGS)
def test_flags_of_a_bridge_port(name: str, record_property: pytest.RecordProperty) -> None:
    """Where a question does not cross the tunnel, the bridge must answer it, or nobody does."""
    steps = check(FLAGS[name], ("p1", "p2", "p3"), STRETCHED)
    record_property("kernel comparison", (1, 45, steps))


UNCUT = {
    "the outer packet is cut": d.flannel("id 1 local {local} nolearning", mtu=1500, pod_mtu=1500),
    "a port of a bridge answers": [
        line.replace("mtu 1450 type vxlan id 7 dev eth0", "mtu 1500 type vxlan id 7").replace(
            "mtu 1450", "mtu 1500"
        )
        for line in d.stretched()
    ],
}


@pytest.mark.parametrize("name", UNCUT)
def test_a_tunnel_wider_than_its_way(name: str, record_property: pytest.RecordProperty) -> None:
    """Nobody told the device how wide the way is: what is inside still has DF, what is outside has not."""
    sources, targets = (("p1", "p2"), PODS) if "outer" in name else (("p1", "p2"), STRETCHED[:2])
    steps = check(UNCUT[name], sources, targets, (1, 1422, 1423, 1472))
    record_property("kernel comparison", (1, 32, steps))


EXTERNAL = [
    *d.spaces("sw", "n1", "n2", "p1", "p2"),
    *d.lan(),
    *d.routed_pods(1450),
    *[
        line
        for node, n in d.NUMBER.items()
        for line in (
            f"ip -n {node} link add vx address 02:03:00:00:00:0{n} mtu 1450 type vxlan external dstport 4789",
            f"ip -n {node} addr add 10.1.{n}.0/32 dev vx",
            f"ip -n {node} link set vx up",
            f"ip -n {node} route add 10.1.{3 - n}.0/24 encap ip id {40 + n} dst {d.NODE[d.OTHER[node]]} ttl {n * 7} "
            f"via 10.1.{3 - n}.0 dev vx onlink",
            f"ip -n {node} neigh add 10.1.{3 - n}.0 lladdr 02:03:00:00:00:0{3 - n} dev vx nud permanent",
        )
    ],
]
KEYED = {
    "a key from the route": EXTERNAL,
    "no key": [line for line in EXTERNAL if "encap" not in line]
    + [f"ip -n n{n} route add 10.1.{3 - n}.0/24 via 10.1.{3 - n}.0 dev vx onlink" for n in (1, 2)],
}


@pytest.mark.parametrize("name", KEYED)
def test_external_vxlan(name: str, record_property: pytest.RecordProperty) -> None:
    """The device knows nothing by itself: the route tells where, with which VNI and TTL; every VNI comes in."""
    record_property(
        "kernel comparison", (1, 42, check(KEYED[name], ("p1", "n1", "p2"), PODS, (1, 1422, 1423)))
    )

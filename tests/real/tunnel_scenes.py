"""IPIP and Geneve between two nodes, ipvlan children of a node's NIC, dummy devices: what goes through them."""

from __future__ import annotations

from tests.real.scene import ALL, P, Scene, Send, Step, icmp, tcp, udp
from tests.real.wirings import LAN, NODE_CIDR, NODES, begin, calico, lan, mac, number, other


def ipip() -> list[str]:
    """Calico's IPIP: tunl0 with an address of the node's Pods, the other node's Pods through it. tunl0 is the device
    that comes with the module; where it is there already, the kernel says so."""
    out = ["ip link add tunl0 type ipip 2>/dev/null || true", *begin(), *calico()]
    for node in NODES:
        far = other(node)
        out += [
            f"ip -n {node} link set tunl0 mtu 1480",
            f"ip -n {node} link set tunl0 up",
            f"ip -n {node} addr add 10.244.{number(node)}.0/32 dev tunl0",
            f"ip -n {node} route replace {NODE_CIDR[far]} via {LAN.nodes[far]} dev tunl0 proto bird onlink",
        ]
    return out


def one_to_one(how: str = "") -> list[str]:
    """A tunnel device with both its ends, as a person makes it."""
    out = [*begin(), *calico()]
    for node in NODES:
        ends = f"local {LAN.nodes[node]} remote {LAN.nodes[other(node)]}"
        out += [
            f"ip -n {node} link add ipip1 type ipip {ends}{how}",
            f"ip -n {node} link set ipip1 up",
            f"ip -n {node} addr add 10.244.{number(node)}.0/32 dev ipip1",
            f"ip -n {node} route replace {NODE_CIDR[other(node)]} dev ipip1 proto bird",
        ]
    return out


BIG = (1424, 1452, 1453, 1472, 1473)
IPIP_STEPS: list[Step] = [
    tcp("p12", P["p21"], 8080),
    tcp("p12", P["p11"], 8080),
    udp("p12", P["p21"], 5353),
    icmp("p12", P["p22"]),
    tcp("n1", P["p21"], 8080),
    icmp("n1", P["p21"]),
    icmp("n1", "10.244.2.0"),
    icmp("p12", "10.244.2.0"),
    icmp("p12", LAN.nodes["n2"]),
    tcp("p12", P["p21"], 9),
    udp("p12", P["p21"], 9),
    icmp("p12", "10.244.2.99"),
    icmp("p12", "10.244.1.99"),
    icmp("sw", P["p21"]),
    *[udp("p12", P["p21"], 5353, size, df=True) for size in BIG],
]
RULES_IN_THE_WAY = f"""ip netns exec n2 iptables-restore --noflush <<'END'
*filter
-A INPUT -p 4 -s {LAN.nodes["n1"]}/32 -j ACCEPT
-A INPUT -p 4 -j DROP
-A FORWARD -i tunl0 -p tcp -m tcp --dport 9 -j REJECT --reject-with tcp-reset
COMMIT
*nat
-A POSTROUTING -s 10.244.1.0/24 -o calip22 -j MASQUERADE
COMMIT
END"""
IPIP_SCENES = [
    Scene("ipip", tuple(ipip()), tuple(IPIP_STEPS), ALL, ("ipip",)),
    Scene("ipip-ttl", tuple(one_to_one(" ttl 64")), tuple(IPIP_STEPS[:8]), ALL, ("ipip",)),
    Scene("ipip-one-to-one", tuple(one_to_one()), tuple(IPIP_STEPS), ALL, ("ipip",)),
    Scene(
        "ipip-rules",
        (
            *ipip(),
            RULES_IN_THE_WAY,
            RULES_IN_THE_WAY.replace("n2 ip", "n1 ip").replace(LAN.nodes["n1"], LAN.nodes["n2"]),
        ),
        (
            tcp("p12", P["p21"], 8080),
            tcp("p12", P["p21"], 9),
            tcp("p12", P["p22"], 8080),
            icmp("p12", P["p21"]),
            tcp("n1", P["p22"], 8080),
        ),
        ALL,
        ("ipip",),
    ),
    Scene(
        "ipip-one-way",
        (*ipip(), "ip -n n2 link set tunl0 down"),
        (
            icmp("p12", P["p21"]),
            tcp("n1", P["p21"], 8080),
            "ip -n n2 link set tunl0 up",
            icmp("p12", P["p21"]),
        ),
        ALL,
        ("ipip",),
    ),
]


# -- Geneve --------------------------------------------------------------------------------------------------


def geneve(how: str = "") -> list[str]:
    """Two nodes with a Geneve device to each other, the Pods of the other behind it."""
    out = [*begin(), *calico()]
    for node in NODES:
        here, far = number(node), number(other(node))
        kind = f"type geneve id 7 remote {LAN.nodes[other(node)]}{how}"
        out += [
            f"ip -n {node} link add gnv0 address {mac(12, here)} mtu 1450 {kind}",
            f"ip -n {node} addr add 10.9.0.{here}/24 dev gnv0",
            f"ip -n {node} link set gnv0 up",
            f"ip -n {node} neigh add 10.9.0.{far} lladdr {mac(12, far)} dev gnv0 nud permanent",
            f"ip -n {node} route replace {NODE_CIDR[other(node)]} via 10.9.0.{far} dev gnv0",
        ]
    return out


GENEVE_STEPS: list[Step] = [
    tcp("p12", P["p21"], 8080),
    udp("p12", P["p21"], 5353),
    icmp("p12", P["p22"]),
    tcp("n1", P["p21"], 8080),
    icmp("n1", "10.9.0.2"),
    tcp("p12", P["p21"], 9),
    *[udp("p12", P["p21"], 5353, size, df=True) for size in (1422, 1423)],
]
GENEVE_SCENES = [
    Scene("geneve", tuple(geneve()), tuple(GENEVE_STEPS), ALL, ("geneve",)),
    Scene("geneve-ttl", tuple(geneve(" ttl 9 dstport 6082")), tuple(GENEVE_STEPS[:5]), ALL, ("geneve",)),
    Scene(
        "geneve-other-id",
        (
            *geneve(),
            "ip -n n2 link del gnv0",
            "ip -n n2 link add gnv0 type geneve id 8 remote 192.168.50.11",
            "ip -n n2 link set gnv0 up",
        ),
        (icmp("n1", "10.9.0.2"), tcp("p12", P["p21"], 8080)),
        ALL,
        ("geneve",),
    ),
]


# -- ipvlan and dummy ----------------------------------------------------------------------------------------


def ipvlan(mode: str) -> list[str]:
    """Two Pods of n1 as ipvlan children of its NIC, in the LAN's own subnet."""
    out = [*begin(), *lan()]
    for at, pod in enumerate(("p11", "p12"), 21):
        out += [
            f"ip -n n1 link add link eth0 name v{pod} type ipvlan mode {mode}",
            f"ip -n n1 link set v{pod} netns {pod}",
            f"ip -n {pod} link set v{pod} name eth0",
            f"ip -n {pod} addr add 192.168.50.{at}/24 dev eth0",
            f"ip -n {pod} link set eth0 up",
            f"ip -n {pod} route add default " + ("via 192.168.50.1" if mode == "l2" else "dev eth0"),
        ]
    return out


A, B = "192.168.50.21", "192.168.50.22"
LATE = Send("p11", "icmp", "192.168.50.99", 0, 56, wait=3.5)
IPVLAN_STEPS: list[Step] = [
    tcp("p11", B, 8080),
    udp("p11", B, 5353),
    icmp("p11", B),
    tcp("p11", LAN.nodes["sw"], 22),
    icmp("p11", LAN.nodes["n2"]),
    icmp("p11", LAN.nodes["n1"]),
    icmp("n1", A),
    tcp("sw", A, 8080),
    icmp("n2", A),
    LATE,
]
OUTSIDE = [f"ip -n {n} route add {a}/32 via {LAN.nodes['n1']}" for n in ("sw", "n2") for a in (A, B)]

IPVLAN_SCENES = [
    Scene("ipvlan-l2", tuple(ipvlan("l2")), tuple(IPVLAN_STEPS), ALL, ("ipvlan",)),
    Scene("ipvlan-l3", (*ipvlan("l3"), *OUTSIDE), tuple(IPVLAN_STEPS), ALL, ("ipvlan",)),
    Scene("ipvlan-l3s", (*ipvlan("l3s"), *OUTSIDE), tuple(IPVLAN_STEPS), ALL, ("ipvlan",)),
]

NODE_LOCAL = [
    f"ip -n n1 link add nodelocaldns address {mac(13, 1)} type dummy",
    "ip -n n1 addr add 169.254.20.10/32 dev nodelocaldns",
]
DUMMY_SCENES = [
    Scene(
        "dummy",
        (
            *begin(),
            *calico(),
            *NODE_LOCAL,
            f"ip -n n1 link add d0 address {mac(13, 2)} type dummy",
            "ip -n n1 addr add 10.8.0.1/24 dev d0",
            "ip -n n1 link set d0 up",
        ),
        (
            icmp("p12", "169.254.20.10"),
            udp("p12", "169.254.20.10", 7),
            icmp("n1", "169.254.20.10"),
            icmp("p12", "10.8.0.1"),
            icmp("p12", "10.8.0.5"),
            icmp("n1", "10.8.0.5"),
            "ip -n n1 link set d0 down",
            icmp("p12", "10.8.0.1"),
            icmp("n1", "10.8.0.5"),
        ),
        ALL,
        ("dummy",),
    ),
]

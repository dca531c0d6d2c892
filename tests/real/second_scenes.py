"""What the second kernel is asked: networks as command lines, and what is done in them step by step.

A scene's lines build it, as in wirings.py. Its steps are then done in order, and nothing is forgotten between them, because
round robin, connections and persistence are memory: a step is a packet that is sent, or a line that changes something.

Rules. What may differ between two kernels by chance must not be in a scene. Every MAC is fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.real.wirings import LAN, NODE_CIDR, NODES, begin, calico, lan, mac, number, other, table

VIP, DNS, NODEPORT = "10.96.0.10", "10.96.0.53", 30080
P = LAN.pods
PODS = LAN.cidr


@dataclass(frozen=True)
class Send:
    """A TCP handshake that stays open, a datagram with its echo, or a ping. `size` is the data's, in bytes;
    `wait` how many seconds the sender waits for an answer."""

    netns: str
    proto: str
    dst: str
    dport: int = 0
    size: int = 1
    df: bool = False
    wait: float = 0.3


Step = Send | str


@dataclass(frozen=True)
class Scene:
    """`shown` are tools whose output is part of the record after every step: (netns, command)."""

    name: str
    lines: tuple[str, ...]
    steps: tuple[Step, ...]
    listening: tuple[tuple[str, str, str, int], ...]
    modules: tuple[str, ...] = ()
    shown: tuple[tuple[str, str], ...] = field(default=())


ECHO = tuple((pod, proto, "0.0.0.0", port) for pod in P for proto, port in (("tcp", 8080), ("udp", 5353)))
ALL = (
    *ECHO,
    *((n, "udp", "0.0.0.0", 7) for n in ("sw", *NODES)),
    *((n, "tcp", "0.0.0.0", 22) for n in ("sw", *NODES)),
)


# -- IPVS ----------------------------------------------------------------------------------------------------

SETS = """create KUBE-CLUSTER-IP hash:ip,port
create KUBE-LOOP-BACK hash:ip,port,ip
create KUBE-NODE-PORT-TCP bitmap:port range 0-65535
create KUBE-LOAD-BALANCER hash:ip,port
create KUBE-EXTERNAL-IP hash:ip,port
create KUBE-HEALTH-CHECK-NODE-PORT bitmap:port range 0-65535
create KUBE-IPVS-IPS hash:ip
add KUBE-CLUSTER-IP {vip},tcp:80
add KUBE-CLUSTER-IP {dns},udp:53
add KUBE-NODE-PORT-TCP {port}
add KUBE-IPVS-IPS {vip}
add KUBE-IPVS-IPS {dns}
add KUBE-LOOP-BACK {a},tcp:8080,{a}
add KUBE-LOOP-BACK {b},tcp:8080,{b}
add KUBE-LOOP-BACK {a},udp:5353,{a}
add KUBE-LOOP-BACK {b},udp:5353,{b}
"""


def said(text: str) -> str:
    return f'-m comment --comment "{text}"'


def within(name: str, how: str) -> str:
    return f"-m set --match-set {name} {how}"


def kube_proxy_ipvs() -> str:
    """The iptables rules that kube-proxy keeps around its virtual servers (1.30)."""
    solving = "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"
    cluster = "Kubernetes service cluster ip + port for masquerade purpose"
    nat = [
        f"PREROUTING {said('kubernetes service portals')} -j KUBE-SERVICES",
        f"OUTPUT {said('kubernetes service portals')} -j KUBE-SERVICES",
        f"POSTROUTING {said('kubernetes postrouting rules')} -j KUBE-POSTROUTING",
        "KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000",
        f"KUBE-NODE-PORT -p tcp {said('Kubernetes nodeport TCP port for masquerade purpose')}"
        f" {within('KUBE-NODE-PORT-TCP', 'dst')} -j KUBE-MARK-MASQ",
        f"KUBE-POSTROUTING {said(solving)} {within('KUBE-LOOP-BACK', 'dst,dst,src')} -j MASQUERADE",
        "KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0",
        f"KUBE-POSTROUTING {said('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully",
        "KUBE-SERVICES -s 127.0.0.0/8 -j RETURN",
        f"KUBE-SERVICES ! -s {PODS} {said(cluster)} {within('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ",
        "KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT",
        f"KUBE-SERVICES {within('KUBE-CLUSTER-IP', 'dst,dst')} -j ACCEPT",
    ]
    rules = [
        f"INPUT {said('kubernetes ipvs access filter')} -j KUBE-IPVS-FILTER",
        f"INPUT {said('kube-proxy firewall rules')} -j KUBE-PROXY-FIREWALL",
        f"INPUT {said('kubernetes health check rules')} -j KUBE-NODE-PORT",
        f"FORWARD {said('kube-proxy firewall rules')} -j KUBE-PROXY-FIREWALL",
        f"FORWARD {said('kubernetes forwarding rules')} -j KUBE-FORWARD",
        f"KUBE-FORWARD {said('kubernetes forwarding rules')} -m mark --mark 0x4000/0x4000 -j ACCEPT",
        f"KUBE-FORWARD {said('kubernetes forwarding conntrack rule')} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"KUBE-IPVS-FILTER {within('KUBE-LOAD-BALANCER', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-CLUSTER-IP', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-EXTERNAL-IP', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN",
        f"KUBE-IPVS-FILTER -m conntrack --ctstate NEW {within('KUBE-IPVS-IPS', 'dst')}"
        " -j REJECT --reject-with icmp-port-unreachable",
        f"KUBE-NODE-PORT {said('Kubernetes health check node port')}"
        f" {within('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT",
    ]
    names = ["MARK-MASQ", "NODE-PORT", "POSTROUTING", "SERVICES"]
    inner = ["FORWARD", "IPVS-FILTER", "NODE-PORT", "PROXY-FIREWALL"]
    return table("filter", [f"KUBE-{n}" for n in inner], rules) + table(
        "nat", [f"KUBE-{n}" for n in names], nat
    )


def virtual_servers(node: str, *, scheduler: str, weights: tuple[int, ...], flags: str = "") -> list[str]:
    """Three services on a node: a ClusterIP and its NodePort by TCP, another ClusterIP by UDP."""
    run = f"ip netns exec {node} ipvsadm"
    ends = list(zip((P["p11"], P["p21"], P["p12"]), weights, strict=False))
    out = []
    for service, port in (
        (f"-t {VIP}:80", 8080),
        (f"-t {LAN.nodes[node]}:{NODEPORT}", 8080),
        (f"-u {DNS}:53", 5353),
    ):
        out.append(f"{run} -A {service} -s {scheduler}{flags}")
        out += [f"{run} -a {service} -r {end}:{port} -m -w {weight}" for end, weight in ends]
    return out


def ipvs(
    *, scheduler: str = "rr", weights: tuple[int, ...] = (1, 1), flags: str = "", conntrack: int = 1
) -> list[str]:
    """Calico's wiring without an overlay, kube-proxy in its IPVS mode on both nodes."""
    out = [*begin(), *calico()]
    sets = SETS.format(vip=VIP, dns=DNS, port=NODEPORT, a=P["p11"], b=P["p21"])
    for node in NODES:
        words = (
            f"conntrack={conntrack}", "conn_reuse_mode=0", "expire_nodest_conn=1", "expire_quiescent_template=1",
        )  # fmt: skip
        out += [f"ip netns exec {node} sysctl -qw net.ipv4.vs.{word}" for word in words]
        out += [
            f"ip -n {node} link add kube-ipvs0 address {mac(11, number(node))} type dummy",
            f"ip -n {node} addr add {VIP}/32 dev kube-ipvs0",
            f"ip -n {node} addr add {DNS}/32 dev kube-ipvs0",
            f"ip netns exec {node} ipset restore <<'END'\n{sets}END",
            f"ip netns exec {node} iptables-restore --noflush <<'END'\n{kube_proxy_ipvs()}END",
            *virtual_servers(node, scheduler=scheduler, weights=weights, flags=flags),
        ]
    return out


IPVS_MODULES = ("ip_vs", "ip_vs_rr", "ip_vs_wrr", "ip_vs_lc", "ip_vs_sh", "ip_vs_mh", "xt_ipvs")
IPVS_SHOWN = (("n1", "ipvsadm -Ln"), ("n1", "ipvsadm -Lnc"))


def ipvs_scene(name: str, steps: list[Step], **how: object) -> Scene:
    return Scene(
        name=name, lines=tuple(ipvs(**how)), steps=tuple(steps), listening=ALL, modules=IPVS_MODULES, shown=IPVS_SHOWN,  # type: ignore[arg-type]
    )  # fmt: skip


def tcp(netns: str, dst: str = VIP, dport: int = 80) -> Send:
    return Send(netns, "tcp", dst, dport)


def udp(netns: str, dst: str = DNS, dport: int = 53, size: int = 1, *, df: bool = False) -> Send:
    return Send(netns, "udp", dst, dport, size, df)


def icmp(netns: str, dst: str, size: int = 56, *, df: bool = False) -> Send:
    return Send(netns, "icmp", dst, 0, size, df)


NP = (LAN.nodes["n1"], NODEPORT)
ROUND = [tcp("p12"), tcp("p12"), tcp("n1"), tcp("n1"), tcp("sw", *NP), tcp("sw", *NP)]
DRAIN = f"ip netns exec n1 ipvsadm -e -t {VIP}:80 -r {P['p11']}:8080 -m -w 0"
EMPTY = f"ip netns exec n1 ipvsadm -d -t {VIP}:80 -r"

IPVS_SCENES = [
    ipvs_scene(
        "ipvs-rr",
        [
            *ROUND, tcp("p11"), tcp("p11"), udp("p12"), udp("p12"), udp("n1"), udp("n1"), udp("p11"), udp("p11"),
            tcp("p21"), tcp("n2"), tcp("n1", *NP), tcp("n1", *NP), tcp("p12", *NP), tcp("p12", *NP),
            icmp("p12", VIP), icmp("sw", VIP),
        ],
    ),
    ipvs_scene("ipvs-wrr", [tcp("p12") for _ in range(9)], scheduler="wrr", weights=(3, 1)),
    ipvs_scene("ipvs-wrr-three", [tcp("p22") for _ in range(3)] + [tcp("p12") for _ in range(14)], scheduler="wrr", weights=(4, 2, 1)),
    ipvs_scene("ipvs-lc", [*[tcp("p12") for _ in range(5)], tcp("n1"), udp("p12"), udp("p12"), udp("p12")], scheduler="lc"),
    ipvs_scene(
        "ipvs-sh", [tcp("p11"), tcp("p12"), tcp("p12"), tcp("n1"), tcp("n1"), udp("p11"), udp("p12"), tcp("sw", *NP), tcp("sw", *NP)],
        scheduler="sh",
    ),
    ipvs_scene("ipvs-sh-three", [tcp("p11"), tcp("p12"), tcp("n1"), tcp("sw", *NP), udp("p12")], scheduler="sh", weights=(2, 1, 1)),
    ipvs_scene(
        "ipvs-sh-port", [tcp("p12") for _ in range(8)] + [udp("p12") for _ in range(4)],
        scheduler="sh", flags=" -b sh-port",
    ),
    ipvs_scene("ipvs-mh", [tcp("p11"), tcp("p12"), tcp("n1"), tcp("sw", *NP), udp("p11"), udp("p12")], scheduler="mh"),
    ipvs_scene(
        "ipvs-mh-port", [tcp("p12") for _ in range(8)] + [udp("p12") for _ in range(4)],
        scheduler="mh", weights=(2, 1), flags=" -b mh-port",
    ),
    ipvs_scene(
        "ipvs-drained",
        [
            tcp("p12"), tcp("p12"), DRAIN, tcp("p12"), tcp("p12"), tcp("n1"),
            f"{EMPTY} {P['p21']}:8080", tcp("p12"), tcp("n1"), f"{EMPTY} {P['p11']}:8080", tcp("p12"), tcp("n1"),
            f"ip netns exec n1 ipvsadm -D -t {VIP}:80", tcp("p12"), tcp("n1"),
            f"ip netns exec n1 ipvsadm -D -u {DNS}:53", udp("p12"), udp("n1"),
        ],
    ),
    ipvs_scene(
        "ipvs-closed",
        [
            f"ip netns exec n1 ipvsadm -e -t {VIP}:80 -r {P['p11']}:8080 -m -w 0", tcp("p12"),
            f"ip netns exec n1 ipvsadm -a -t {VIP}:80 -r {P['p21']}:9 -m -w 9",
            tcp("p12"), tcp("p12"), tcp("n1"), tcp("p12", VIP, 81), tcp("n1", VIP, 81), udp("p12", VIP, 81), udp("n1", DNS, 54),
        ],
    ),
    ipvs_scene(
        "ipvs-persistent",
        [tcp("p12"), tcp("p12"), tcp("n1"), tcp("n1"), tcp("p11"), tcp("p11"), udp("p12"), udp("p12"), DRAIN, tcp("p12"), tcp("n1")],
        flags=" -p 600",
    ),
    ipvs_scene("ipvs-no-conntrack", [*ROUND, udp("p12"), udp("n1")], conntrack=0),
]  # fmt: skip


# -- IPIP ----------------------------------------------------------------------------------------------------


def ipip(how: str = "") -> list[str]:
    """Calico's IPIP: tunl0 with an address of the node's Pods, the other node's Pods through it."""
    out = [*begin(), *calico()]
    for node in NODES:
        far = other(node)
        out += [
            f"ip -n {node} link add tunl0 type ipip local any remote any{how}",
            f"ip -n {node} link set tunl0 mtu 1480",
            f"ip -n {node} link set tunl0 up",
            f"ip -n {node} addr add 10.244.{number(node)}.0/32 dev tunl0",
            f"ip -n {node} route replace {NODE_CIDR[far]} via {LAN.nodes[far]} dev tunl0 proto bird onlink",
        ]
    return out


BIG = (1424, 1452, 1453, 1472, 1473)
IPIP_STEPS: list[Step] = [
    tcp("p12", P["p21"], 8080), tcp("p12", P["p11"], 8080), udp("p12", P["p21"], 5353), icmp("p12", P["p22"]),
    tcp("n1", P["p21"], 8080), icmp("n1", P["p21"]), icmp("n1", "10.244.2.0"), icmp("p12", "10.244.2.0"),
    icmp("p12", LAN.nodes["n2"]), tcp("p12", P["p21"], 9), udp("p12", P["p21"], 9), icmp("p12", "10.244.2.99"),
    icmp("p12", "10.244.1.99"), icmp("sw", P["p21"]),
    *[udp("p12", P["p21"], 5353, size, df=True) for size in BIG],
]  # fmt: skip
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
    Scene("ipip-ttl", tuple(ipip(" ttl 64")), tuple(IPIP_STEPS[:8]), ALL, ("ipip",)),
    Scene("ipip-nopmtudisc", tuple(ipip(" ttl inherit nopmtudisc")), tuple(IPIP_STEPS), ALL, ("ipip",)),
    Scene(
        "ipip-rules",
        (*ipip(), RULES_IN_THE_WAY, RULES_IN_THE_WAY.replace("n2 ip", "n1 ip").replace(LAN.nodes["n1"], LAN.nodes["n2"])),
        (
            tcp("p12", P["p21"], 8080), tcp("p12", P["p21"], 9), tcp("p12", P["p22"], 8080), icmp("p12", P["p21"]),
            tcp("n1", P["p22"], 8080),
        ),
        ALL,
        ("ipip",),
    ),
    Scene(
        "ipip-one-way",
        (*ipip(), "ip -n n2 link set tunl0 down"),
        (icmp("p12", P["p21"]), tcp("n1", P["p21"], 8080), "ip -n n2 link set tunl0 up", icmp("p12", P["p21"])),
        ALL,
        ("ipip",),
    ),
]  # fmt: skip


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
    tcp("p12", P["p21"], 8080), udp("p12", P["p21"], 5353), icmp("p12", P["p22"]), tcp("n1", P["p21"], 8080),
    icmp("n1", "10.9.0.2"), tcp("p12", P["p21"], 9), *[udp("p12", P["p21"], 5353, size, df=True) for size in (1422, 1423)],
]  # fmt: skip
GENEVE_SCENES = [
    Scene("geneve", tuple(geneve()), tuple(GENEVE_STEPS), ALL, ("geneve",)),
    Scene("geneve-ttl", tuple(geneve(" ttl 9 dstport 6082")), tuple(GENEVE_STEPS[:5]), ALL, ("geneve",)),
    Scene(
        "geneve-other-id",
        (*geneve(), "ip -n n2 link del gnv0", "ip -n n2 link add gnv0 type geneve id 8 remote 192.168.50.11", "ip -n n2 link set gnv0 up"),
        (icmp("n1", "10.9.0.2"), tcp("p12", P["p21"], 8080)),
        ALL,
        ("geneve",),
    ),
]  # fmt: skip


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
    tcp("p11", B, 8080), udp("p11", B, 5353), icmp("p11", B), tcp("p11", LAN.nodes["sw"], 22), icmp("p11", LAN.nodes["n2"]),
    icmp("p11", LAN.nodes["n1"]), icmp("n1", A), tcp("sw", A, 8080), icmp("n2", A), LATE,
]  # fmt: skip
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
            *begin(), *calico(), *NODE_LOCAL,
            f"ip -n n1 link add d0 address {mac(13, 2)} type dummy",
            "ip -n n1 addr add 10.8.0.1/24 dev d0", "ip -n n1 link set d0 up",
        ),
        (
            icmp("p12", "169.254.20.10"), udp("p12", "169.254.20.10", 7), icmp("n1", "169.254.20.10"),
            icmp("p12", "10.8.0.1"), icmp("p12", "10.8.0.5"), icmp("n1", "10.8.0.5"),
            "ip -n n1 link set d0 down", icmp("p12", "10.8.0.1"), icmp("n1", "10.8.0.5"),
        ),
        ALL,
        ("dummy",),
    ),
]  # fmt: skip

SCENES: dict[str, Scene] = {
    scene.name: scene for scene in (*IPVS_SCENES, *IPIP_SCENES, *GENEVE_SCENES, *IPVLAN_SCENES, *DUMMY_SCENES)
}

"""kube-proxy's IPVS mode on two nodes wired as Calico does without an overlay: every scheduler, and what goes wrong.

The rules and sets around the virtual servers are those of kube-proxy 1.30.
"""

from __future__ import annotations

from tests.real.scene import ALL, P, Scene, Send, Step, icmp, tcp, udp
from tests.real.wirings import LAN, NODES, begin, calico, mac, number, table

VIP, DNS, NODEPORT = "10.96.0.10", "10.96.0.53", 30080
PODS = LAN.cidr

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
add KUBE-LOOP-BACK {c},tcp:8080,{c}
add KUBE-LOOP-BACK {c},udp:5353,{c}
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
        f"KUBE-FORWARD {said('kubernetes forwarding conntrack rule')} -m conntrack"
        " --ctstate RELATED,ESTABLISHED -j ACCEPT",
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
    sets = SETS.format(vip=VIP, dns=DNS, port=NODEPORT, a=P["p11"], b=P["p21"], c=P["p12"])
    for node in NODES:
        words = (
            f"conntrack={conntrack}",
            "conn_reuse_mode=0",
            "expire_nodest_conn=1",
            "expire_quiescent_template=1",
        )
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
        name=name,
        lines=tuple(ipvs(**how)),
        steps=tuple(steps),
        listening=ALL,
        modules=IPVS_MODULES,
        shown=IPVS_SHOWN,  # type: ignore[arg-type]
    )


def svc(netns: str, dst: str = VIP, dport: int = 80) -> Send:
    return tcp(netns, dst, dport)


def dns(netns: str, dst: str = DNS, dport: int = 53) -> Send:
    return udp(netns, dst, dport)


NP = (LAN.nodes["n1"], NODEPORT)
ROUND = [svc("p12"), svc("p12"), svc("n1"), svc("n1"), svc("sw", *NP), svc("sw", *NP)]
DRAIN = f"ip netns exec n1 ipvsadm -e -t {VIP}:80 -r {P['p11']}:8080 -m -w 0"
EMPTY = f"ip netns exec n1 ipvsadm -d -t {VIP}:80 -r"

IPVS_SCENES = [
    ipvs_scene(
        "ipvs-rr",
        [
            *ROUND,
            svc("p11"),
            svc("p11"),
            dns("p12"),
            dns("p12"),
            dns("n1"),
            dns("n1"),
            dns("p11"),
            dns("p11"),
            svc("p21"),
            svc("n2"),
            svc("n1", *NP),
            svc("n1", *NP),
            svc("p12", *NP),
            svc("p12", *NP),
            icmp("p12", VIP),
            icmp("sw", VIP),
        ],
    ),
    ipvs_scene("ipvs-wrr", [svc("p12") for _ in range(9)], scheduler="wrr", weights=(3, 1)),
    ipvs_scene(
        "ipvs-wrr-three",
        [svc("p22") for _ in range(3)] + [svc("p12") for _ in range(14)],
        scheduler="wrr",
        weights=(4, 2, 1),
    ),
    ipvs_scene(
        "ipvs-lc",
        [*[svc("p12") for _ in range(5)], svc("n1"), dns("p12"), dns("p12"), dns("p12")],
        scheduler="lc",
    ),
    ipvs_scene(
        "ipvs-sh",
        [
            svc("p11"),
            svc("p12"),
            svc("p12"),
            svc("n1"),
            svc("n1"),
            dns("p11"),
            dns("p12"),
            svc("sw", *NP),
            svc("sw", *NP),
        ],
        scheduler="sh",
    ),
    ipvs_scene(
        "ipvs-sh-three",
        [svc("p11"), svc("p12"), svc("n1"), svc("sw", *NP), dns("p12")],
        scheduler="sh",
        weights=(2, 1, 1),
    ),
    ipvs_scene(
        "ipvs-sh-port",
        [svc("p12") for _ in range(8)] + [dns("p12") for _ in range(4)],
        scheduler="sh",
        flags=" -b sh-port",
    ),
    ipvs_scene(
        "ipvs-mh", [svc("p11"), svc("p12"), svc("n1"), svc("sw", *NP), dns("p11"), dns("p12")], scheduler="mh"
    ),
    ipvs_scene(
        "ipvs-mh-port",
        [svc("p12") for _ in range(8)] + [dns("p12") for _ in range(4)],
        scheduler="mh",
        weights=(2, 1),
        flags=" -b mh-port",
    ),
    ipvs_scene(
        "ipvs-drained",
        [
            svc("p12"),
            svc("p12"),
            DRAIN,
            svc("p12"),
            svc("p12"),
            svc("n1"),
            f"{EMPTY} {P['p21']}:8080",
            svc("p12"),
            svc("n1"),
            f"{EMPTY} {P['p11']}:8080",
            svc("p12"),
            svc("n1"),
            f"ip netns exec n1 ipvsadm -D -t {VIP}:80",
            svc("p12"),
            svc("n1"),
            f"ip netns exec n1 ipvsadm -D -u {DNS}:53",
            dns("p12"),
            dns("n1"),
        ],
    ),
    ipvs_scene(
        "ipvs-closed",
        [
            f"ip netns exec n1 ipvsadm -e -t {VIP}:80 -r {P['p11']}:8080 -m -w 0",
            svc("p12"),
            f"ip netns exec n1 ipvsadm -a -t {VIP}:80 -r {P['p21']}:9 -m -w 9",
            svc("p12"),
            svc("p12"),
            svc("n1"),
            svc("p12", VIP, 81),
            svc("n1", VIP, 81),
            dns("p12", VIP, 81),
            dns("n1", DNS, 54),
        ],
    ),
    ipvs_scene(
        "ipvs-persistent",
        [
            svc("p12"),
            svc("p12"),
            svc("n1"),
            svc("n1"),
            svc("p11"),
            svc("p11"),
            dns("p12"),
            dns("p12"),
            DRAIN,
            svc("p12"),
            svc("n1"),
        ],
        flags=" -p 600",
    ),
    ipvs_scene("ipvs-no-conntrack", [*ROUND[:4], dns("p12"), dns("n1"), tcp("sw", *NP)], conntrack=0),
]

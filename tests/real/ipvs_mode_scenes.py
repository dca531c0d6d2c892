"""What our kube-proxy makes of Services in its IPVS mode, as a scene: Calico's wiring without an overlay, two nodes.

The plan of each node (engine/kube/proxy/ipvs_plan.py) is written down as the commands that a person would type, so the
second kernel takes the very rows, and both walk the same packets by them.
"""

from __future__ import annotations

from ipaddress import ip_address

from engine.kube.proxy.ipvs_plan import CHAINS, DEVICE, JUMPS, SETS, Facts, Plan, Settings, plan, said
from engine.kube.proxy.model import Endpoint, ServicePort
from engine.kube.proxy.topology import choose
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.ipset.rows import Element
from tests.real.ipvs_scenes import IPVS_MODULES, IPVS_SHOWN
from tests.real.scene import ALL, P, Scene, icmp, tcp, udp
from tests.real.wirings import LAN, NODES, PODS, begin, calico, mac, number

NODE_OF = {pod: node for node, pods in PODS.items() for pod in pods}
EXTERNAL, BALANCED, LOCAL = "198.51.100.10", "198.18.0.20", "198.18.0.30"


def ends(port: int, *pods: str) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(ip=ip4(P[pod]), port=port, node=NODE_OF[pod]) for pod in pods)


def port(name: str, ip: str, number: int = 80, proto: str = "tcp", **more: object) -> ServicePort:
    return ServicePort(
        namespace="shop", name=name, port_name="", proto=proto, cluster_ip=ip4(ip), port=number, **more  # type: ignore[arg-type]
    )  # fmt: skip


SERVICES = (
    port("web", "10.96.0.10", node_port=30080, external_ips=(ip4(EXTERNAL),), endpoints=ends(8080, "p11", "p21")),
    port(
        "lb", "10.96.0.20", lb_ips=(ip4(BALANCED),), source_ranges=(Prefix.parse("10.244.0.0/16"),),
        endpoints=ends(8080, "p21"),
    ),
    port(
        "local", "10.96.0.30", lb_ips=(ip4(LOCAL),), node_port=30090, external_local=True, health_node_port=30190,
        endpoints=ends(8080, "p11"),
    ),
    port("sticky", "10.96.0.40", affinity=600, endpoints=ends(8080, "p11", "p21")),
    port("none", "10.96.0.50", node_port=30070),
    port("inside", "10.96.0.60", internal_local=True, endpoints=ends(8080, "p21")),
    port("dns", "10.96.0.53", 53, "udp", node_port=30053, endpoints=ends(5353, "p12", "p22")),
)  # fmt: skip


def planned(node: str) -> Plan:
    ip = ip4(LAN.nodes[node])
    facts = Facts(node_ip=ip, addresses=frozenset({ip}), node_port_ips=(ip,), node=node)
    return plan([(p, choose(p, node)) for p in SERVICES], Settings(not_local=f"! -s {LAN.cidr}"), facts)


def member(kind: str, e: Element) -> str:
    """An element as `ipset add` reads it."""
    if kind == "bitmap:port":
        return str(e.port)
    if kind == "hash:ip":
        return text4(e.ip)
    proto = {6: "tcp", 17: "udp"}[e.proto]
    tail = {"hash:ip,port": "", "hash:ip,port,ip": f",{text4(e.ip2)}"}.get(kind, f",{text4(e.ip2)}/{e.bits2}")
    return f"{text4(e.ip)},{proto}:{e.port}{tail}"


def sets(wanted: Plan) -> str:
    lines = [
        f"create {name} {kind}{' range 0-65535' if kind == 'bitmap:port' else ''}"
        for name, (kind, _) in SETS.items()
    ]
    for name, (kind, _) in SETS.items():
        lines += [f"add {name} {member(kind, e)}" for e in wanted.members[name]]
    return "\n".join(lines) + "\n"


def rules(wanted: Plan) -> str:
    out = []
    for table, lines in (("nat", wanted.nat), ("filter", wanted.filter)):
        jumps = [f"-I {chain} {said(text)} -j {to}" for t, chain, to, text in JUMPS if t == table]
        chains = [f":{chain} - [0:0]" for chain in CHAINS[table]]
        out += [f"*{table}", *chains, *(f"-A {line}" for line in lines), *jumps, "COMMIT"]
    return "\n".join(out) + "\n"


def servers(node: str, wanted: Plan) -> list[str]:
    run = f"ip netns exec {node} ipvsadm"
    out = []
    for service in wanted.services.values():
        word = f"-{'u' if service.proto == 17 else 't'} {text4(service.addr)}:{service.port}"
        out.append(
            f"{run} -A {word} -s {service.scheduler}{f' -p {service.timeout}' if service.timeout else ''}"
        )
        out += [f"{run} -a {word} -r {text4(d.addr)}:{d.port} -m -w {d.weight}" for d in service.dests]
    return out


def lines() -> list[str]:
    out = [*begin(), *calico()]
    for node in NODES:
        wanted = planned(node)
        words = ("conntrack=1", "expire_nodest_conn=1", "expire_quiescent_template=1")
        out += [f"ip netns exec {node} sysctl -qw net.ipv4.vs.{word}" for word in words]
        out.append(f"ip -n {node} link add {DEVICE} address {mac(11, number(node))} type dummy")
        out += [f"ip -n {node} addr add {text4(a)}/32 dev {DEVICE}" for a in wanted.bound]
        out += [
            f"ip netns exec {node} ipset restore <<'END'\n{sets(wanted)}END",
            f"ip netns exec {node} iptables-restore --noflush <<'END'\n{rules(wanted)}END",
            *servers(node, wanted),
        ]
    for address, node in ((EXTERNAL, "n1"), (BALANCED, "n1"), (LOCAL, "n2")):
        assert ip_address(address)
        out.append(f"ip -n sw route add {address}/32 via {LAN.nodes[node]}")
    return out


N1, N2 = LAN.nodes["n1"], LAN.nodes["n2"]
STEPS = [
    *(tcp(who, "10.96.0.10", 80) for who in ("p12", "p12", "p11", "p11", "n1", "n1", "p22", "n2")),
    *(tcp("sw", address, 30080) for address in (N1, N1, N2)), tcp("n1", N1, 30080), tcp("p12", N1, 30080),
    tcp("p12", N2, 30080), tcp("n1", "127.0.0.1", 30080),
    *(tcp(who, EXTERNAL, 80) for who in ("sw", "p12", "n1", "n2")),
    *(tcp(who, "10.96.0.20", 80) for who in ("p12", "n1")),
    *(tcp(who, BALANCED, 80) for who in ("p12", "p22", "sw", "n1", "n2")),
    *(tcp(who, LOCAL, 80) for who in ("p12", "p22", "n1", "n2")),
    tcp("sw", N1, 30090), tcp("n2", N2, 30090), tcp("p22", N2, 30090),
    *(tcp(who, "10.96.0.40", 80) for who in ("p12", "p12", "n1", "n1")),
    *(tcp(who, "10.96.0.50", 80) for who in ("p12", "n1")), tcp("sw", N1, 30070),
    *(tcp(who, "10.96.0.60", 80) for who in ("p12", "p22", "n1", "n2")),
    *(udp(who, "10.96.0.53", 53) for who in ("p11", "p11", "p12", "n1", "p22")), udp("sw", N1, 30053),
    tcp("p12", "10.96.0.10", 81), tcp("p12", "10.96.0.10", 22), tcp("n1", "10.96.0.10", 81), icmp("p12", "10.96.0.10"),
    tcp("p12", "10.96.9.9", 80), tcp("sw", N1, 30190),
    # the answer of this one comes from a stranger: its server says it again and again, so nothing may follow
    tcp("sw", LOCAL, 80),
]  # fmt: skip

IPVS_MODE_SCENES = [
    Scene(
        name="ipvs-mode", lines=tuple(lines()), steps=tuple(STEPS), listening=ALL,
        modules=(*IPVS_MODULES, "xt_physdev"), shown=IPVS_SHOWN,
    )
]  # fmt: skip

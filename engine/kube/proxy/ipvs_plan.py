"""IPVS mode, thought out: which virtual servers, addresses, sets and rules a node shall have. Nothing is changed here.

Theory. kube-proxy's IPVS mode leaves the choice of an endpoint to the kernel's load balancer, which looks a packet's
destination up in a hash table: one virtual server for every address and port of a Service, its endpoints as real
servers. IPVS takes only packets that are for this host, so every address of a Service is bound to a dummy device,
kube-ipvs0. What IPVS cannot do (whom to masquerade, whom to refuse) stays with iptables, whose rules are always the
same few: the addresses and ports stand in ipsets.

Rules. Pure functions of the picture. Go's maps have no order, so the order in which kube-proxy adds things is by
chance; here it is that of the service ports' names and of the endpoints' texts. Source: pkg/proxy/ipvs/proxier.go
and ipset.go (facts 20 section 2.7), names and comments as there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from engine.kube.proxy.model import Chosen, Endpoint, ServicePort
from engine.linux.addr import Prefix, text4
from engine.linux.ipset.rows import Element
from engine.linux.ipvs.rows import Dest, Service
from engine.linux.packet import Proto
from engine.record import dataclass

DEVICE = "kube-ipvs0"
PROTO = {"tcp": int(Proto.TCP), "udp": int(Proto.UDP), "sctp": int(Proto.SCTP)}
#: FlagSourceHash of pkg/proxy/ipvs/util: 0x10, the flag mh-port, which hashes the client's port too
SOURCE_HASH = frozenset({2})

#: name -> (type, comment), in kube-proxy's order
SETS: dict[str, tuple[str, str]] = {
    "KUBE-LOOP-BACK": ("hash:ip,port,ip", "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose"),
    "KUBE-CLUSTER-IP": ("hash:ip,port", "Kubernetes service cluster ip + port for masquerade purpose"),
    "KUBE-EXTERNAL-IP": ("hash:ip,port", "Kubernetes service external ip + port for masquerade and filter purpose"),
    "KUBE-EXTERNAL-IP-LOCAL": (
        "hash:ip,port", "Kubernetes service external ip + port with externalTrafficPolicy=local"
    ),
    "KUBE-LOAD-BALANCER": ("hash:ip,port", "Kubernetes service lb portal"),
    "KUBE-LOAD-BALANCER-FW": (
        "hash:ip,port", "Kubernetes service load balancer ip + port for load balancer with sourceRange"
    ),
    "KUBE-LOAD-BALANCER-LOCAL": (
        "hash:ip,port", "Kubernetes service load balancer ip + port with externalTrafficPolicy=local"
    ),
    "KUBE-LOAD-BALANCER-SOURCE-IP": (
        "hash:ip,port,ip", "Kubernetes service load balancer ip + port + source IP for packet filter purpose"
    ),
    "KUBE-LOAD-BALANCER-SOURCE-CIDR": (
        "hash:ip,port,net", "Kubernetes service load balancer ip + port + source cidr for packet filter purpose"
    ),
    "KUBE-NODE-PORT-TCP": ("bitmap:port", "Kubernetes nodeport TCP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-TCP": ("bitmap:port", "Kubernetes nodeport TCP port with externalTrafficPolicy=local"),
    "KUBE-NODE-PORT-UDP": ("bitmap:port", "Kubernetes nodeport UDP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-UDP": ("bitmap:port", "Kubernetes nodeport UDP port with externalTrafficPolicy=local"),
    "KUBE-NODE-PORT-SCTP-HASH": (
        "hash:ip,port", "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'"
    ),
    "KUBE-NODE-PORT-LOCAL-SCTP-HASH": (
        "hash:ip,port", "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'"
    ),
    "KUBE-HEALTH-CHECK-NODE-PORT": ("bitmap:port", "Kubernetes health check node port"),
    "KUBE-IPVS-IPS": ("hash:ip", "Addresses on the ipvs interface"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What of a KubeProxyConfiguration counts here. `not_local` are iptables' words for traffic that no Pod of the
    cluster sent, "" where kube-proxy cannot tell; `timeouts` are tcp, tcpFin and udp in seconds, 0 = leave them."""

    scheduler: str = "rr"
    strict_arp: bool = False
    exclude: tuple[Prefix, ...] = ()
    timeouts: tuple[int, int, int] = (0, 0, 0)
    masquerade_all: bool = False
    masquerade_bit: int = 14
    not_local: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What counts of a node: its own address, every address that is not on lo or kube-ipvs0, and those of them that
    nodePortAddresses names."""

    node_ip: int
    addresses: frozenset[int] = frozenset()
    node_port_ips: tuple[int, ...] = ()
    node: str = ""


@dataclass(slots=True, kw_only=True)
class Plan:
    """`services` virtual servers with their real servers, `bound` the addresses of kube-ipvs0, `members` of every set,
    `nat` and `filter` the rules behind `-A `, in order."""

    services: dict[tuple[int, int, int], Service] = field(default_factory=dict)
    bound: dict[int, None] = field(default_factory=dict)
    members: dict[str, dict[Element, None]] = field(default_factory=lambda: {name: {} for name in SETS})
    nat: list[str] = field(default_factory=list)
    filter: list[str] = field(default_factory=list)
    #: (address, protocol, port) of load balancers that this node may not use itself
    barred: list[tuple[int, str, int]] = field(default_factory=list)

    def put(self, name: str, element: Element) -> None:
        self.members[name][element] = None


def plan(picture: Iterable[tuple[ServicePort, Chosen]], settings: Settings, facts: Facts) -> Plan:
    """Everything that the node shall have. `picture` is in any order."""
    out = Plan()
    for port, chosen in sorted(picture, key=lambda pair: (pair[0].id, pair[0].proto)):
        one_port(out, port, chosen, settings, facts)
    for address in out.bound:
        out.put("KUBE-IPVS-IPS", Element(ip=address))
    write_rules(out, settings)
    return out


def one_port(out: Plan, port: ServicePort, chosen: Chosen, settings: Settings, facts: Facts) -> None:
    number = PROTO[port.proto]
    for end in port.endpoints:
        if end.node == facts.node and end.port:
            out.put("KUBE-LOOP-BACK", Element(ip=end.ip, proto=number, port=end.port, ip2=end.ip))
    out.put("KUBE-CLUSTER-IP", Element(ip=port.cluster_ip, proto=number, port=port.port))
    serve(out, port, port.cluster_ip, port.port, usable(chosen, port.internal_local), settings)
    out.bound[port.cluster_ip] = None
    outside = usable(chosen, port.external_local)
    for address in port.external_ips:
        name = "KUBE-EXTERNAL-IP-LOCAL" if port.external_local else "KUBE-EXTERNAL-IP"
        out.put(name, Element(ip=address, proto=number, port=port.port))
        serve(out, port, address, port.port, outside, settings)
        bind(out, address, facts)
    for address in port.lb_ips:
        balanced(out, port, address, facts)
        serve(out, port, address, port.port, outside, settings)
        bind(out, address, facts)
    if port.node_port and facts.node_port_ips:
        names = [f"KUBE-NODE-PORT-{port.proto.upper()}"]
        if port.external_local:
            names.append(f"KUBE-NODE-PORT-LOCAL-{port.proto.upper()}")
        for name in names:
            if port.proto == "sctp":
                for address in facts.node_port_ips:
                    out.put(f"{name}-HASH", Element(ip=address, proto=number, port=port.node_port))
            else:
                out.put(name, Element(port=port.node_port))
        for address in facts.node_port_ips:
            serve(out, port, address, port.node_port, outside, settings)
    elif port.node_port:
        return
    if port.health_node_port:
        out.put("KUBE-HEALTH-CHECK-NODE-PORT", Element(port=port.health_node_port))


def usable(chosen: Chosen, only_local: bool) -> tuple[Endpoint, ...]:
    """The endpoints of a virtual server. With the Local policy and none here it gets those of the cluster all the same,
    so that the node's own Pods reach it (kubernetes/kubernetes#97081)."""
    return chosen.local if only_local and chosen.local else chosen.cluster


def bind(out: Plan, address: int, facts: Facts) -> None:
    if address not in facts.addresses:
        out.bound[address] = None


def serve(
    out: Plan, port: ServicePort, address: int, number: int, ends: tuple[Endpoint, ...], settings: Settings
) -> None:
    """A virtual server."""
    texts = sorted({end.text: end for end in ends}.items())
    service = Service(
        proto=PROTO[port.proto], addr=address, port=number, scheduler=settings.scheduler, timeout=port.affinity,
        flags=SOURCE_HASH if settings.scheduler == "mh" else frozenset(),
        dests=tuple(Dest(addr=end.ip, port=end.port, weight=1, method="masq") for _, end in texts),
    )  # fmt: skip
    out.services[service.key] = service


def balanced(out: Plan, port: ServicePort, address: int, facts: Facts) -> None:
    """The sets of a load balancer's address."""
    here = Element(ip=address, proto=PROTO[port.proto], port=port.port)
    out.put("KUBE-LOAD-BALANCER", here)
    if port.external_local:
        out.put("KUBE-LOAD-BALANCER-LOCAL", here)
    if not port.source_ranges:
        return
    out.put("KUBE-LOAD-BALANCER-FW", here)
    for net in port.source_ranges:
        element = Element(
            ip=address, proto=here.proto, port=port.port, ip2=net.network.addr, bits2=net.length
        )
        out.put("KUBE-LOAD-BALANCER-SOURCE-CIDR", element)
    if any(facts.node_ip in net for net in port.source_ranges):
        element = Element(ip=address, proto=here.proto, port=port.port, ip2=address)
        out.put("KUBE-LOAD-BALANCER-SOURCE-IP", element)
    else:
        out.barred.append((address, port.proto, port.port))


# -- rules

#: rules that stand there while their set has members: (set, table, chain, target, directions, protocol)
WITH_SETS = (
    ("KUBE-LOOP-BACK", "nat", "KUBE-POSTROUTING", "MASQUERADE", "dst,dst,src", ""),
    ("KUBE-LOAD-BALANCER", "nat", "KUBE-SERVICES", "KUBE-LOAD-BALANCER", "dst,dst", ""),
    ("KUBE-LOAD-BALANCER-LOCAL", "nat", "KUBE-LOAD-BALANCER", "RETURN", "dst,dst", ""),
    ("KUBE-NODE-PORT-LOCAL-TCP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "tcp"),
    ("KUBE-NODE-PORT-TCP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "tcp"),
    ("KUBE-NODE-PORT-LOCAL-UDP", "nat", "KUBE-NODE-PORT", "RETURN", "dst", "udp"),
    ("KUBE-NODE-PORT-UDP", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst", "udp"),
    ("KUBE-NODE-PORT-LOCAL-SCTP-HASH", "nat", "KUBE-NODE-PORT", "RETURN", "dst,dst", "sctp"),
    ("KUBE-NODE-PORT-SCTP-HASH", "nat", "KUBE-NODE-PORT", "KUBE-MARK-MASQ", "dst,dst", "sctp"),
    ("KUBE-LOAD-BALANCER-FW", "filter", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "dst,dst", ""),
    ("KUBE-LOAD-BALANCER-SOURCE-CIDR", "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""),
    ("KUBE-LOAD-BALANCER-SOURCE-IP", "filter", "KUBE-SOURCE-RANGES-FIREWALL", "RETURN", "dst,dst,src", ""),
)
#: (table, chain that jumps, chain that is jumped to, comment), each put at the top in this order
JUMPS = (
    ("nat", "OUTPUT", "KUBE-SERVICES", "kubernetes service portals"),
    ("nat", "PREROUTING", "KUBE-SERVICES", "kubernetes service portals"),
    ("nat", "POSTROUTING", "KUBE-POSTROUTING", "kubernetes postrouting rules"),
    ("filter", "FORWARD", "KUBE-FORWARD", "kubernetes forwarding rules"),
    ("filter", "INPUT", "KUBE-NODE-PORT", "kubernetes health check rules"),
    ("filter", "INPUT", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
    ("filter", "FORWARD", "KUBE-PROXY-FIREWALL", "kube-proxy firewall rules"),
    ("filter", "INPUT", "KUBE-IPVS-FILTER", "kubernetes ipvs access filter"),
    ("filter", "OUTPUT", "KUBE-IPVS-OUT-FILTER", "kubernetes ipvs access filter"),
)
CHAINS = {
    "nat": ("KUBE-SERVICES", "KUBE-POSTROUTING", "KUBE-NODE-PORT", "KUBE-LOAD-BALANCER", "KUBE-MARK-MASQ"),
    "filter": (
        "KUBE-FORWARD", "KUBE-NODE-PORT", "KUBE-PROXY-FIREWALL", "KUBE-SOURCE-RANGES-FIREWALL", "KUBE-IPVS-FILTER",
        "KUBE-IPVS-OUT-FILTER",
    ),
}  # fmt: skip


def said(text: str) -> str:
    return f'-m comment --comment "{text}"'


def within(name: str, directions: str) -> str:
    return f"-m set --match-set {name} {directions}"


def write_rules(out: Plan, settings: Settings) -> None:
    """The rules of both tables (writeIptablesRules)."""
    nat, held = out.nat, out.members
    tables = {"nat": out.nat, "filter": out.filter}
    mark = f"{1 << settings.masquerade_bit:#x}"
    nat.append("KUBE-SERVICES -s 127.0.0.0/8 -j RETURN")
    for name, table, chain, target, directions, proto in WITH_SETS:
        if held[name]:
            head = f"{chain} -p {proto}" if proto else chain
            tables[table].append(f"{head} {said(SETS[name][1])} {within(name, directions)} -j {target}")
    if held["KUBE-CLUSTER-IP"]:
        head = f"KUBE-SERVICES {said(SETS['KUBE-CLUSTER-IP'][1])}"
        if settings.masquerade_all:
            nat.append(f"{head} {within('KUBE-CLUSTER-IP', 'dst,dst')} -j KUBE-MARK-MASQ")
        elif settings.not_local:
            nat.append(
                f"{head} {within('KUBE-CLUSTER-IP', 'dst,dst')} {settings.not_local} -j KUBE-MARK-MASQ"
            )
        else:
            nat.append(f"{head} {within('KUBE-CLUSTER-IP', 'src,dst')} -j KUBE-MARK-MASQ")
    for name in ("KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"):
        if held[name]:
            head = f"KUBE-SERVICES {said(SETS[name][1])} {within(name, 'dst,dst')}"
            if name == "KUBE-EXTERNAL-IP":
                nat.append(f"{head} -j KUBE-MARK-MASQ")
            nat.append(f"{head} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT")
            nat.append(f"{head} -m addrtype --dst-type LOCAL -j ACCEPT")
    nat.append("KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT")
    nat.append("KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ")
    for name in ("KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"):
        if held[name]:
            nat.append(f"KUBE-SERVICES {within(name, 'dst,dst')} -j ACCEPT")
    nat += [
        f"KUBE-POSTROUTING -m mark ! --mark {mark}/{mark} -j RETURN",
        f"KUBE-POSTROUTING -j MARK --xor-mark {mark}",
        f"KUBE-POSTROUTING {said('kubernetes service traffic requiring SNAT')} -j MASQUERADE --random-fully",
        f"KUBE-MARK-MASQ -j MARK --or-mark {mark}",
    ]
    write_filter(out, mark)


def write_filter(out: Plan, mark: str) -> None:
    """The filter table's rules that are always there."""
    out.filter.append("KUBE-SOURCE-RANGES-FIREWALL -j DROP")
    for address, proto, port in out.barred:
        vip = text4(address)
        out.filter.append(
            f"KUBE-IPVS-OUT-FILTER -s {vip} -m ipvs --vaddr {vip} --vproto {proto} --vport {port} -j DROP"
        )
    health = "KUBE-HEALTH-CHECK-NODE-PORT"
    out.filter += [
        f"KUBE-FORWARD {said('kubernetes forwarding rules')} -m mark --mark {mark}/{mark} -j ACCEPT",
        f"KUBE-FORWARD {said('kubernetes forwarding conntrack rule')}"
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        f"KUBE-NODE-PORT {said(SETS[health][1])} {within(health, 'dst')} -j ACCEPT",
        f"KUBE-IPVS-FILTER {within('KUBE-LOAD-BALANCER', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-CLUSTER-IP', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-EXTERNAL-IP', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within('KUBE-EXTERNAL-IP-LOCAL', 'dst,dst')} -j RETURN",
        f"KUBE-IPVS-FILTER {within(health, 'dst')} -j RETURN",
        f"KUBE-IPVS-FILTER -m conntrack --ctstate NEW {within('KUBE-IPVS-IPS', 'dst')} -j REJECT",
    ]

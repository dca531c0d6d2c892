"""nftables mode, thought out: the rows that one service port becomes, and those that stand in every kube-proxy table.

Theory. One map, service-ips, leads from (address, protocol, port) to the Service's chain in one lookup, whatever the
number of Services; the chain throws a die by numgen and a second map leads to the endpoint's chain, which rewrites the
destination. Who has no endpoint stands in other maps, which the filter chains ask. Unlike iptables mode every ClusterIP
is known as such: a port of it that no Service has is rejected, an address of the range that nobody has is dropped.

Rules. Rows of service ports are built, never parsed, and shared by nodes that choose alike; the few rules that always
stand there are read from text, once. Source: pkg/proxy/nftables/proxier.go, setupNFTables and syncProxyRules (facts 20
section 2.8).
"""

from __future__ import annotations

from functools import lru_cache

from engine.kube.proxy import names
from engine.kube.proxy.model import Chosen, Endpoint, ServicePort
from engine.linux.addr import Prefix, text4
from engine.linux.nft.changes import NatTo, Remember
from engine.linux.nft.exprs import AnonSet, Const, Field, Numgen, SetRef
from engine.linux.nft.rule import Rule
from engine.linux.nft.sets import Element, NftSet, Verdict
from engine.linux.nft.statements import Match, Statement, VerdictIs, Vmap
from engine.linux.nft.tables import Base
from engine.linux.nft.types import TYPES
from engine.linux.ops.nftrows import Fill
from engine.linux.packet import Proto
from engine.record import dataclass

FAMILY, TABLE = "ip", "kube-proxy"
MARK, REJECT_CHAIN = "mark-for-masquerade", "reject-chain"
ADDRESS, PROTOCOL, PORT = TYPES["ipv4_addr"], TYPES["inet_proto"], TYPES["inet_service"]
NUMBER = {"tcp": int(Proto.TCP), "udp": int(Proto.UDP), "sctp": int(Proto.SCTP)}


def _map(name: str, comment: str, *, nodes: bool = False) -> NftSet:
    keys = (PROTOCOL, PORT) if nodes else (ADDRESS, PROTOCOL, PORT)
    return NftSet(name=name, keys=keys, kind="verdict", comment=comment)


CLUSTER_IPS = NftSet(name="cluster-ips", keys=(ADDRESS,), comment="Active ClusterIPs")
NODEPORT_IPS = NftSet(name="nodeport-ips", keys=(ADDRESS,), comment="IPs that accept NodePort traffic")
NO_ENDPOINTS = _map("no-endpoint-services", "vmap to drop or reject packets to services with no endpoints")
NO_NODEPORTS = _map(
    "no-endpoint-nodeports",
    "vmap to drop or reject packets to service nodeports with no endpoints",
    nodes=True,
)
FIREWALL_IPS = _map("firewall-ips", "destinations that are subject to LoadBalancerSourceRanges")
SERVICE_IPS = _map("service-ips", "ClusterIP, ExternalIP and LoadBalancer IP traffic")
SERVICE_NODEPORTS = _map("service-nodeports", "NodePort traffic", nodes=True)
#: the containers that follow the Services, in the order in which they are looked through
CONTAINERS = (CLUSTER_IPS, SERVICE_IPS, FIREWALL_IPS, NO_ENDPOINTS, NO_NODEPORTS, SERVICE_NODEPORTS)

#: name, type, hook, priority
BASES: tuple[tuple[str, Base], ...] = tuple(
    (name, Base(type=kind, hook=hook, priority=priority))
    for name, kind, hook, priority in (
        ("filter-prerouting", "filter", "prerouting", -110),
        ("filter-input", "filter", "input", -110),
        ("filter-forward", "filter", "forward", -110),
        ("filter-output", "filter", "output", -110),
        ("filter-output-post-dnat", "filter", "output", -90),
        ("nat-prerouting", "nat", "prerouting", -100),
        ("nat-output", "nat", "output", -100),
        ("nat-postrouting", "nat", "postrouting", 100),
    )
)
#: (from, words, to)
JUMPS = (
    ("filter-input", "ct state new", "nodeport-endpoints-check"),
    ("filter-input", "ct state new", "service-endpoints-check"),
    ("filter-forward", "ct state new", "service-endpoints-check"),
    ("filter-output", "ct state new", "service-endpoints-check"),
    ("filter-prerouting", "ct state new", "firewall-check"),
    ("filter-output", "ct state new", "firewall-check"),
    ("nat-output", "", "services"),
    ("nat-prerouting", "", "services"),
    ("nat-postrouting", "", "masquerading"),
    ("filter-forward", "ct state new", "cluster-ips-check"),
    ("filter-output-post-dnat", "ct state new", "cluster-ips-check"),
)
TOP = (
    "nodeport-endpoints-check", "service-endpoints-check", "firewall-check", "services", "masquerading",
    "cluster-ips-check", MARK,
)  # fmt: skip
VMAP = "meta l4proto . th dport vmap @"


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the rows of a service port depend on besides the port itself. `local` are the statements that tell a Pod of
    this cluster and those that tell who is none; () where kube-proxy cannot tell."""

    masquerade_all: bool = False
    local: tuple[Match, ...] = ()
    not_local: tuple[Match, ...] = ()
    from_node: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRows:
    """One service port's rows: its chains in the order in which they are made, and their rules; affinity sets;
    elements of the shared sets and maps, in the order of CONTAINERS."""

    made: tuple[str, ...]
    rules: tuple[Fill, ...]
    affinity: tuple[NftSet, ...]
    elements: tuple[tuple[Element, ...], ...]


def jump(chain: str, word: str = "jump") -> VerdictIs:
    return VerdictIs(verdict=Verdict(word=word, chain=chain))


TO_MARK = jump(MARK)


@lru_cache(maxsize=64)
def field(name: str) -> Field:
    return Field(name=name)


@lru_cache(maxsize=512)
def read(words: str) -> tuple[Statement, ...]:
    """The statements of a rule's text, as the kernel's rule prints them."""
    from engine.linux.nft.batch import Batch
    from engine.linux.nft.parse import commands
    from engine.linux.nft.tables import Nft

    head = f"{FAMILY} {TABLE}"
    lines = [f"add table {head}"]
    lines += [f"add chain {head} {name}" for name in (*TOP, REJECT_CHAIN, "x")]
    for there in (*CONTAINERS, NODEPORT_IPS):
        shown = " . ".join(t.name for t in there.keys) + (" : verdict" if there.is_map else "")
        lines.append(f"add {'map' if there.is_map else 'set'} {head} {there.name} {{ type {shown} ; }}")
    lines.append(f"add rule {head} x {words}")
    nft = Nft()
    batch = Batch(nft, devices={}, now=0.0, xt_there=lambda hook: frozenset())
    errors = batch.run(commands("\n".join(lines), {}))
    if errors:
        raise ValueError(f"{words}: {errors[0].message}")
    return nft.tables[FAMILY, TABLE].chains["x"].rules[0].statements


def rule(*statements: Statement, comment: str = "") -> Rule:
    return Rule(statements=statements, comment=comment)


@lru_cache(maxsize=4096)
def to_port(proto: str, port: int) -> Match:
    return Match(left=field(f"{proto} dport"), right=(port,))


def cidr_match(prefix: Prefix, *, other: bool = False) -> tuple[Match, ...]:
    """`ip saddr [!=] CIDR`."""
    right = (prefix.addr,) if prefix.length == 32 else ((prefix.addr, prefix.broadcast),)
    return (Match(left=field("ip saddr"), op="!=" if other else "", right=right),)


def port_rows(port: ServicePort, chosen: Chosen, style: Style) -> PortRows:
    """The rows of one service port."""
    base, number = names.nft_base(port), NUMBER[port.proto]
    service, local = f"service-{base}", f"local-{base}"
    external, firewall = f"external-{base}", f"firewall-{base}"
    some, here = chosen.any, bool(chosen.local)
    inside = some and (here or not port.internal_local)
    outside = some and (here or not port.external_local)
    ranges = bool(port.lb_ips and port.source_ranges)
    ends = [(e, names.nft_endpoint_base(port, e)) for e in chosen.reachable]
    chain_of = {(e.ip, e.port): f"endpoint-{end}" for e, end in ends}
    made = list(chain_of.values())
    if chosen.cluster:
        made.append(service)
    if chosen.local:
        made.append(local)
    if some and port.external:
        made.append(external)
    if ranges:
        made.append(firewall)
    elements = port_elements(
        port, number, some, inside, outside, local if port.internal_local else service, external,
        firewall if ranges else "",
    )  # fmt: skip

    rules: dict[str, list[Rule]] = {name: [] for name in made}
    to_vip = (Match(left=field("ip daddr"), right=(port.cluster_ip,)), to_port(port.proto, port.port))
    if inside:
        into = rules[local if port.internal_local else service]
        if style.masquerade_all:
            into.append(rule(*to_vip, TO_MARK))
        elif style.not_local:
            into.append(rule(*to_vip, *style.not_local, TO_MARK))
    if some and port.external:
        rules[external] += external_rules(port, style, service, local, outside)
    if ranges:
        rules[firewall].append(rule(*from_outside(port, style.from_node)))
    for name, endpoints in ((service, chosen.cluster), (local, chosen.local)):
        if endpoints:
            rules[name] += balancing(port, endpoints, chain_of)
    for endpoint, end in ends:
        rules[f"endpoint-{end}"] += endpoint_rules(port, endpoint, f"affinity-{end}", number)
    affinity: tuple[NftSet, ...] = ()
    if port.affinity:
        flags = frozenset(("dynamic", "timeout"))
        affinity = tuple(
            NftSet(name=f"affinity-{end}", keys=(ADDRESS,), flags=flags, timeout=float(port.affinity))
            for _, end in ends
        )
    fills = tuple(Fill(chain=name, rules=tuple(some)) for name, some in rules.items() if some)
    return PortRows(made=tuple(made), rules=fills, affinity=affinity, elements=elements)


def port_elements(
    port: ServicePort,
    number: int,
    some: bool,
    inside: bool,
    outside: bool,
    internal: str,
    external: str,
    firewall: str,
) -> tuple[tuple[Element, ...], ...]:
    """What a service port puts into the shared sets and maps, in the order of CONTAINERS."""
    refuse = Verdict(word="goto", chain=REJECT_CHAIN) if not some else Verdict(word="drop")
    services, nothing, walls = [], [], []
    key = (port.cluster_ip, number, port.port)
    if inside:
        services.append(Element(key=key, data=Verdict(word="goto", chain=internal)))
    else:
        nothing.append(Element(key=key, data=refuse, comment=port.id))
    outer = Verdict(word="goto", chain=external)
    for address in (*port.external_ips, *port.lb_ips):
        key = (address, number, port.port)
        if some:
            services.append(Element(key=key, data=outer))
        if firewall and address in port.lb_ips:
            walls.append(Element(key=key, data=Verdict(word="goto", chain=firewall)))
        if not outside:
            nothing.append(Element(key=key, data=refuse, comment=port.id))
    node_ports, no_node_ports = [], []
    if port.node_port:
        node_key = (number, port.node_port)
        if some:
            node_ports.append(Element(key=node_key, data=outer))
        if not outside:
            no_node_ports.append(Element(key=node_key, data=refuse, comment=port.id))
    cluster = (Element(key=(port.cluster_ip,)),)
    return (
        cluster, tuple(services), tuple(walls), tuple(nothing), tuple(no_node_ports), tuple(node_ports),
    )  # fmt: skip


def external_rules(port: ServicePort, style: Style, service: str, local: str, outside: bool) -> list[Rule]:
    """external-: who comes from outside, and what is short-circuited on the way."""
    out = []
    if not port.external_local:
        out.append(rule(TO_MARK))
    else:
        if style.local:
            out.append(rule(*style.local, jump(service, "goto"), comment="short-circuit pod traffic"))
        own = read("fib saddr type local accept")[:1]
        out.append(rule(*own, TO_MARK, comment="masquerade local traffic"))
        out.append(rule(*own, jump(service, "goto"), comment="short-circuit local traffic"))
    if outside:
        out.append(rule(jump(local if port.external_local else service, "goto")))
    return out


def from_outside(port: ServicePort, from_node: bool) -> tuple[Statement, ...]:
    """`ip saddr != { CIDRs } drop`."""
    sources = [str(prefix) for prefix in port.source_ranges]
    if from_node:
        sources += [text4(address) for address in port.lb_ips]
    return read(f"ip saddr != {{ {', '.join(sources)} }} drop")


def balancing(
    port: ServicePort, endpoints: tuple[Endpoint, ...], chain_of: dict[tuple[int, int], str]
) -> list[Rule]:
    """From a Service to its endpoints: first who was here before, then a die."""
    out = []
    chains = [chain_of[e.ip, e.port] for e in endpoints]
    if port.affinity:
        for chain in chains:
            name = "affinity-" + chain.removeprefix("endpoint-")
            out.append(rule(Match(left=field("ip saddr"), right=SetRef(name=name)), jump(chain, "goto")))
    die = Numgen(mode="random", modulus=len(chains))
    content = NftSet(keys=die.types, kind="verdict")
    for i, chain in enumerate(chains):
        content.elements[(i,)] = Element(key=(i,), data=Verdict(word="goto", chain=chain))
    out.append(rule(Vmap(of=die, source=AnonSet(content=content))))
    return out


def endpoint_rules(port: ServicePort, endpoint: Endpoint, affinity: str, number: int) -> list[Rule]:
    """endpoint-: back to the sender itself by way of the node, and the new destination."""
    out = [rule(Match(left=field("ip saddr"), right=(endpoint.ip,)), TO_MARK)]
    if port.affinity:
        out.append(rule(Remember(op="update", name=affinity, key=field("ip saddr"))))
    to = NatTo(
        kind="dnat",
        address=Const(type=ADDRESS, parts=(endpoint.ip,)),
        port=Const(type=PORT, parts=(endpoint.port,)),
    )
    out.append(rule(Match(left=field("meta l4proto"), right=(number,)), to))
    return out


def fixed_rules(
    mark: int, every_address: bool, service_cidrs: tuple[Prefix, ...]
) -> list[tuple[str, str, str]]:
    """(chain, words, comment) of the rules that do not depend on Services, in their order, jumps left out."""
    bit = f"{mark:#06x}"
    here = "ip daddr != 127.0.0.0/8" if every_address else "ip daddr @nodeport-ips"
    local = "fib daddr type local ip daddr != 127.0.0.0/8" if every_address else "ip daddr @nodeport-ips"
    of_address = "ip daddr . meta l4proto . th dport vmap @"
    out = [
        (MARK, f"mark set mark or {bit}", ""),
        ("masquerading", f"mark and {bit} == 0 return", ""),
        ("masquerading", f"mark set mark xor {bit}", ""),
        ("masquerading", "masquerade fully-random", ""),
        (
            "cluster-ips-check",
            "ip daddr @cluster-ips reject",
            "Reject traffic to invalid ports of ClusterIPs",
        ),
    ]
    if service_cidrs:
        cidrs = ", ".join(str(c) for c in service_cidrs)
        out.append(
            ("cluster-ips-check", f"ip daddr {{ {cidrs} }} drop", "Drop traffic to unallocated ClusterIPs")
        )
    return [
        *out,
        (REJECT_CHAIN, "reject", ""),
        ("service-endpoints-check", f"{of_address}{NO_ENDPOINTS.name}", ""),
        ("nodeport-endpoints-check", f"{here} {VMAP}{NO_NODEPORTS.name}", ""),
        ("firewall-check", f"{of_address}{FIREWALL_IPS.name}", ""),
        ("services", f"{of_address}{SERVICE_IPS.name}", ""),
        ("services", f"{local} {VMAP}{SERVICE_NODEPORTS.name}", ""),
    ]

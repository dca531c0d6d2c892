"""iptables mode, thought out: the rows that one service port becomes. Nothing is changed here.

Theory. A packet to a Service walks KUBE-SERVICES until it meets the Service's address and port, jumps to the Service's
own chain (KUBE-SVC- for the Cluster policy, KUBE-SVL- for the Local one; from outside by KUBE-EXT- and, where source
ranges are given, KUBE-FW-), throws a die for an endpoint, and its chain KUBE-SEP- rewrites the destination. What
must come back through this node is marked on the way and masqueraded in KUBE-POSTROUTING.

Rules. Rows are built, never parsed, in the order in which iptables-save prints their matches. `port_rows` is pure and
the same for every node that chooses alike, so that nodes share the very records. Comments are left out in a cluster
of more than 1000 endpoints (`large`). Source: syncProxyRules and writeServiceToEndpointRules in
pkg/proxy/iptables/proxier.go (facts 20 section 2.4); nfacct counters are not in these kernels, so neither are their
twins of rules.
"""

from __future__ import annotations

from functools import lru_cache

from engine.kube.proxy import names
from engine.kube.proxy.model import Chosen, Endpoint, ServicePort
from engine.linux.addr import Prefix, text4
from engine.linux.ops.xtchains import XtBlock
from engine.linux.packet import Proto
from engine.linux.xt.match import Destination, InDevice, Match, Protocol, Source
from engine.linux.xt.match_l4 import TcpMatch, UdpMatch
from engine.linux.xt.match_more import Addrtype, Comment, RandomMatch
from engine.linux.xt.rule import XtRule
from engine.linux.xt.target import ACCEPT, DROP, Jump, Reject, Target
from engine.linux.xt.target_nat import Dnat
from engine.record import dataclass

SERVICES, NODEPORTS, EXTERNAL = "KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-EXTERNAL-SERVICES"
FORWARD, FIREWALL, KUBELET_FIREWALL = "KUBE-FORWARD", "KUBE-PROXY-FIREWALL", "KUBE-FIREWALL"
POSTROUTING, MARK_MASQ, CANARY = "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-PROXY-CANARY"
SVC, SVL, FW, EXT, SEP = "KUBE-SVC-", "KUBE-SVL-", "KUBE-FW-", "KUBE-EXT-", "KUBE-SEP-"
PREFIXES = (SVC, SVL, SEP, FW, EXT)
#: More endpoints than this in the whole cluster, and comments on endpoints are left out.
LARGE = 1000

NUMBER = {"tcp": int(Proto.TCP), "udp": int(Proto.UDP), "sctp": int(Proto.SCTP)}
TO_MARK = Jump(chain=MARK_MASQ)
REJECT = Reject()
LOCAL_SOURCE, LOCAL_DESTINATION = Addrtype(src=("LOCAL",)), Addrtype(dst=("LOCAL",))
PROTOCOLS = {name: Protocol(number=number) for name, number in NUMBER.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What the rows of a service port depend on besides the port itself. `local` tells a Pod of this cluster (an -s or
    an -i), None where kube-proxy cannot tell; `from_node` = a source range of
    the port holds the node's address."""

    masquerade_all: bool = False
    local: Source | InDevice | None = None
    large: bool = False
    from_node: bool = False

    @property
    def not_local(self) -> Source | InDevice:
        assert self.local is not None
        if isinstance(self.local, Source):
            return Source(addr=self.local.addr, length=self.local.length, invert=True)
        return InDevice(name=self.local.name, invert=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRows:
    """One service port's rows: those in the chains that all ports share, by chain, and its own chains (nat)."""

    nat_services: tuple[XtRule, ...] = ()
    nat_nodeports: tuple[XtRule, ...] = ()
    services: tuple[XtRule, ...] = ()
    external: tuple[XtRule, ...] = ()
    nodeports: tuple[XtRule, ...] = ()
    firewall: tuple[XtRule, ...] = ()
    chains: tuple[XtBlock, ...] = ()


@lru_cache(maxsize=4096)
def dport(proto: str, port: int) -> Match:
    """`-m tcp --dport 80`."""
    if proto == "udp":
        return UdpMatch(dport=(port, port))
    if proto == "tcp":
        return TcpMatch(dport=(port, port))
    from engine.linux.xt.match_sctp import SctpMatch

    return SctpMatch(dport=(port, port))


@lru_cache(maxsize=8)
def bare(proto: str) -> Match:
    """`-m tcp`."""
    if proto == "sctp":
        from engine.linux.xt.match_sctp import SctpMatch

        return SctpMatch()
    return UdpMatch() if proto == "udp" else TcpMatch()


@lru_cache(maxsize=2048)
def chance(of: int) -> RandomMatch:
    """`--probability` 1/of: kube-proxy writes ten digits, the kernel keeps 31 bits."""
    return RandomMatch(threshold=round(float(f"{1.0 / of:.10f}") * 0x80000000))


def port_rows(port: ServicePort, chosen: Chosen, style: Style) -> PortRows:
    """The rows of one service port, all kinds of addresses together."""
    hash, name, proto = names.port_hash(port), port.id, port.proto
    svc, svl, ext, fw = SVC + hash, SVL + hash, EXT + hash, FW + hash
    some, here = chosen.any, bool(chosen.local)
    internal, external = svl if port.internal_local else svc, svl if port.external_local else svc
    inside = some and (here or not port.internal_local)
    outside = some and (here or not port.external_local)
    ranges = bool(some and port.lb_ips and port.source_ranges)
    said_in, target_in = refusal(name, some, inside)
    said_out, target_out = refusal(name, some, outside)

    protocol, to_port = PROTOCOLS[proto], dport(proto, port.port)

    def to(address: int, comment: str, target: Target) -> XtRule:
        where = Destination(addr=address)
        return XtRule(matches=(where, protocol, Comment(text=comment), to_port), target=target)

    nat, services, externals, firewall = [], [], [], []
    if inside:
        nat.append(to(port.cluster_ip, f"{name} cluster IP", Jump(chain=internal)))
    else:
        services.append(to(port.cluster_ip, said_in, target_in))
    for address in port.external_ips:
        if some:
            nat.append(to(address, f"{name} external IP", Jump(chain=ext)))
        if not outside:
            externals.append(to(address, said_out, target_out))
    for address in port.lb_ips:
        if some:
            nat.append(to(address, f"{name} loadbalancer IP", Jump(chain=fw if ranges else ext)))
        if ranges:
            firewall.append(to(address, f"{name} traffic not accepted by {fw}", DROP))
    if not outside:
        externals += [to(address, said_out, target_out) for address in port.lb_ips]
    nat_nodeports: list[XtRule] = []
    nodeports: list[XtRule] = []
    if port.node_port:
        to_node = dport(proto, port.node_port)
        if some:
            matches: tuple[Match, ...] = (protocol, Comment(text=name), to_node)
            nat_nodeports.append(XtRule(matches=matches, target=Jump(chain=ext)))
        if not outside:
            matches = (protocol, Comment(text=said_out), LOCAL_DESTINATION, to_node)
            externals.append(XtRule(matches=matches, target=target_out))
    if port.health_node_port:
        comment = Comment(text=f"{name} health check node port")
        matches = (PROTOCOLS["tcp"], comment, dport("tcp", port.health_node_port))
        nodeports.append(XtRule(matches=matches, target=ACCEPT))
    return PortRows(
        nat_services=tuple(nat), nat_nodeports=tuple(nat_nodeports), services=tuple(services),
        external=tuple(externals), nodeports=tuple(nodeports), firewall=tuple(firewall),
        chains=own_chains(port, chosen, style, svc, svl, ext, fw, internal, external, inside, outside, ranges),
    )  # fmt: skip


def refusal(name: str, some: bool, there: bool) -> tuple[str, Target]:
    """What the filter does where no endpoint may be used, and how it says so."""
    if not some:
        return f"{name} has no endpoints", REJECT
    return ("", ACCEPT) if there else (f"{name} has no local endpoints", DROP)


def own_chains(
    port: ServicePort, chosen: Chosen, style: Style, svc: str, svl: str, ext: str, fw: str, internal: str,
    external: str, inside: bool, outside: bool, ranges: bool,
) -> tuple[XtBlock, ...]:  # fmt: skip
    """The chains of one service port, in kube-proxy's order: EXT, FW, SVC, SVL, one SEP an endpoint."""
    name, out = port.id, []
    head: list[XtRule] = []
    if inside:
        base = (
            Destination(addr=port.cluster_ip), PROTOCOLS[port.proto], Comment(text=f"{name} cluster IP"),
            dport(port.proto, port.port),
        )  # fmt: skip
        if style.masquerade_all:
            head.append(XtRule(matches=base, target=TO_MARK))
        elif style.local is not None:
            head.append(XtRule(matches=placed(style.not_local, base), target=TO_MARK))
    if chosen.any and port.external:
        out.append(XtBlock(name=ext, rules=tuple(external_rules(port, style, svc, external, outside))))
    if ranges:
        out.append(XtBlock(name=fw, rules=tuple(firewall_rules(port, style, ext))))
    seps = {(e.ip, e.port): names.endpoint_chain(port, e) for e in chosen.reachable}
    for chain, endpoints in ((svc, chosen.cluster), (svl, chosen.local)):
        if endpoints:
            first = head if chain == internal else []
            rules = (*first, *balancing(port, endpoints, seps, style.large))
            out.append(XtBlock(name=chain, rules=rules))
    any_port = bare(port.proto)
    for endpoint in chosen.reachable:
        chain = seps[endpoint.ip, endpoint.port]
        comment = () if style.large else (Comment(text=name),)
        recent = (remember(chain, "set"),) if port.affinity else ()
        back: tuple[Match, ...] = (Source(addr=endpoint.ip), *comment)
        on: tuple[Match, ...] = (PROTOCOLS[port.proto], *comment, *recent, any_port)
        target = Dnat(low=endpoint.ip, high=endpoint.ip, ports=(endpoint.port, endpoint.port))
        rules = (XtRule(matches=back, target=TO_MARK), XtRule(matches=on, target=target))
        out.append(XtBlock(name=chain, rules=rules))
    return tuple(out)


def placed(local: Source | InDevice, base: tuple[Match, ...]) -> tuple[Match, ...]:
    """-s stands before -d in what iptables-save prints, -i behind it."""
    return (local, *base) if isinstance(local, Source) else (base[0], local, *base[1:])


def external_rules(port: ServicePort, style: Style, svc: str, external: str, outside: bool) -> list[XtRule]:
    """KUBE-EXT-: who comes from outside, and what is short-circuited on the way."""

    def say(text: str) -> Comment:
        return Comment(text=text.format(f"{port.id} external destinations"))

    out = []
    if not port.external_local:
        out.append(XtRule(matches=(say("masquerade traffic for {}"),), target=TO_MARK))
    else:
        cluster = Jump(chain=svc)
        if style.local is not None:
            out.append(XtRule(matches=(style.local, say("pod traffic for {}")), target=cluster))
        out.append(XtRule(matches=(say("masquerade LOCAL traffic for {}"), LOCAL_SOURCE), target=TO_MARK))
        out.append(XtRule(matches=(say("route LOCAL traffic for {}"), LOCAL_SOURCE), target=cluster))
    if outside:
        out.append(XtRule(target=Jump(chain=external)))
    return out


def firewall_rules(port: ServicePort, style: Style, ext: str) -> list[XtRule]:
    """KUBE-FW-: the source ranges that may come to the load balancer's addresses."""
    comment = Comment(text=f"{port.id} loadbalancer IP")
    out = []
    for prefix in port.source_ranges:
        matches: tuple[Match, ...] = (*source(prefix), comment)
        out.append(XtRule(matches=matches, target=Jump(chain=ext)))
    if style.from_node:
        out += [XtRule(matches=(Source(addr=a), comment), target=Jump(chain=ext)) for a in port.lb_ips]
    last = Comment(text=f"other traffic to {port.id} will be dropped by {FIREWALL}")
    return [*out, XtRule(matches=(last,))]


def source(prefix: Prefix) -> tuple[Match, ...]:
    return (Source(addr=prefix.addr, length=prefix.length),) if prefix.length else ()


def remember(chain: str, op: str, seconds: int = 0) -> Match:
    from engine.linux.xt.match_host import Recent

    return Recent(op=op, name=chain, seconds=seconds, reap=bool(seconds))


def balancing(
    port: ServicePort, endpoints: tuple[Endpoint, ...], seps: dict[tuple[int, int], str], large: bool
) -> list[XtRule]:
    """From a Service to its endpoints: first who was here before, then a die."""
    out: list[XtRule] = []
    count, name = len(endpoints), port.id
    said = [() if large else (Comment(text=f"{name} -> {text4(e.ip)}:{e.port}"),) for e in endpoints]
    jumps = [Jump(chain=seps[e.ip, e.port]) for e in endpoints]
    if port.affinity:
        for comment, jump in zip(said, jumps, strict=True):
            matches: tuple[Match, ...] = (*comment, remember(jump.chain, "rcheck", port.affinity))
            out.append(XtRule(matches=matches, target=jump))
    for i, (comment, jump) in enumerate(zip(said, jumps, strict=True)):
        dice = (chance(count - i),) if i < count - 1 else ()
        out.append(XtRule(matches=(*comment, *dice), target=jump))
    return out

"""What NetworkPolicies mean: may this party talk to that one? One page, from the API's own words, no rows.

Theory. A pod is isolated in a direction once some policy of its namespace selects it and names that type. Not isolated,
everything passes; isolated, what at least one rule of at least one of these policies allows. A connection needs both:
the egress of its sender and the ingress of its receiver; replies need nothing. Traffic from a pod's own node is always
let in, and a pod never blocks itself.

Rules. Pure functions over API objects; they share no code with the rows that a policy engine makes (they are what the
rows are held against). Source: networking/v1 NetworkPolicy; facts 20 section 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from ipaddress import ip_address, ip_network

from engine.kube.objects import Json
from engine.kube.select import matches
from engine.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One end. A pod has a `name`; a node itself has only a `node`; anything else only an `address`. `ports` are
    (name, protocol, number) of a pod's containers."""

    address: str
    namespace: str = ""
    name: str = ""
    node: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, compare=False)
    ports: tuple[tuple[str, str, int], ...] = ()

    @property
    def is_pod(self) -> bool:
        return bool(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`blocked` is "" or the direction that does not let it through; `pod` whose it is; `policies` that isolate it."""

    blocked: str = ""
    pod: str = ""
    policies: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        return not self.blocked


def judge(
    policies: Iterable[Json],
    namespaces: Mapping[str, Mapping[str, str]],
    source: Party,
    target: Party,
    proto: str,
    port: int,
) -> Verdict:
    """May `source` open a connection to `port` of `target`? `proto` TCP, UDP or SCTP; another one (ICMP) has no ports
    and is let through only by rules that ask for none."""
    rows = list(policies)
    if source.is_pod and (source.namespace, source.name) == (target.namespace, target.name):
        return Verdict()
    for pod, other, kind in ((source, target, "Egress"), (target, source, "Ingress")):
        if not pod.is_pod:
            continue
        isolating = [p for p in rows if about(p, pod) and kind in types(p)]
        if not isolating or (kind == "Ingress" and not other.is_pod and other.node == pod.node):
            continue
        side = "to" if kind == "Egress" else "from"
        if not any(
            lets(rule or {}, side, namespace(p), other, target, namespaces, proto, port)
            for p in isolating
            for rule in spec(p).get(kind.lower()) or ()
        ):
            names = tuple(f"{namespace(p)}/{p['metadata']['name']}" for p in isolating)
            return Verdict(blocked=kind, pod=f"{pod.namespace}/{pod.name}", policies=names)
    return Verdict()


def spec(policy: Json) -> Json:
    return policy.get("spec") or {}


def namespace(policy: Json) -> str:
    return str(policy["metadata"].get("namespace") or "default")


def about(policy: Json, pod: Party) -> bool:
    return namespace(policy) == pod.namespace and matches(spec(policy).get("podSelector") or {}, pod.labels)


def types(policy: Json) -> list[str]:
    """policyTypes; without them Ingress, and Egress where there are egress rules."""
    given = spec(policy).get("policyTypes")
    return list(given) if given else ["Ingress", *(["Egress"] if spec(policy).get("egress") else [])]


def lets(
    rule: Json,
    side: str,
    home: str,
    other: Party,
    target: Party,
    namespaces: Mapping[str, Mapping[str, str]],
    proto: str,
    port: int,
) -> bool:
    """Does one rule let it through? Peers and ports must both fit; each list is an OR, an empty one asks nothing."""
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(peer_fits(p, home, other, namespaces) for p in peers)) and (
        not ports or any(port_fits(p, target, proto, port) for p in ports)
    )


def peer_fits(peer: Json, home: str, other: Party, namespaces: Mapping[str, Mapping[str, str]]) -> bool:
    block = peer.get("ipBlock")
    if block:
        address = ip_address(other.address)
        return address in ip_network(block["cidr"], strict=False) and not any(
            address in ip_network(e, strict=False) for e in block.get("except") or ()
        )
    if not other.is_pod:
        return False
    spaces, pods = peer.get("namespaceSelector"), peer.get("podSelector")
    if spaces is None and other.namespace != home:
        return False
    if spaces is not None and not matches(spaces, namespaces.get(other.namespace, {})):
        return False
    return pods is None or matches(pods, other.labels)


def port_fits(wanted: Json, target: Party, proto: str, port: int) -> bool:
    """A number, a range, or a name that the receiving pod's containers give to a port."""
    if (wanted.get("protocol") or "TCP") != proto:
        return False
    number = wanted.get("port")
    if number is None:
        return True
    if isinstance(number, str) and not number.isdigit():
        return any((n, p.upper(), c) == (number, proto, port) for n, p, c in target.ports)
    return int(number) <= port <= int(wanted.get("endPort") or number)

"""A NetworkPolicy in the form that a policy engine works on: whom it is about, and rules that each allow.

Theory. Every rule of the object becomes one rule for each protocol and each peer; ports of one protocol stay together,
neighbours joined to ranges. Ports without a peer, peers without ports, neither: all are rules. An empty list of rules
with its type named is no rule at all, which isolates. The tables here are IPv4's: a rule about an IPv6 block is not in
them, as felix leaves out of each family the rules of the other.

Rules. Values only. Source: libcalico-go/lib/backend/k8s/conversion/conversion.go (K8sNetworkPolicyToCalico,
k8sRuleToCalico, SimplifyPorts); felix/rules/policy.go (FilterRuleToIPVersion).
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.objects import Json, name_of, namespace_of, spec_of
from engine.kube.policy.selector import Selector, peer, subject
from engine.linux.addr import Prefix
from engine.record import dataclass

INGRESS, EGRESS = "ingress", "egress"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """One rule that lets packets in (or out). `proto` is lower case, "" for every protocol; `peers` None = anybody,
    else a selector; `nets` and `not_nets` are an ipBlock; `ports` ranges, `names` named ports; both empty = every
    port."""

    proto: str = ""
    peers: Selector | None = None
    nets: tuple[Prefix, ...] = ()
    not_nets: tuple[Prefix, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy: the pods that it is about, and in which directions it isolates them."""

    namespace: str
    name: str
    subject: Selector
    types: tuple[str, ...]
    ingress: tuple[Allow, ...] = ()
    egress: tuple[Allow, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def text(self) -> str:
        return f"{self.namespace}/{self.name}"

    def rules(self, direction: str) -> tuple[Allow, ...]:
        return self.ingress if direction == INGRESS else self.egress


def policy(body: Json) -> Policy:
    """The object, defaults filled in or not."""
    spec, namespace = spec_of(body), namespace_of(body)
    given = [str(t).lower() for t in spec.get("policyTypes") or ()]
    if not given:
        given = [INGRESS, EGRESS] if spec.get("egress") else [INGRESS]
    return Policy(
        namespace=namespace, name=name_of(body), subject=subject(spec.get("podSelector") or {}, namespace),
        types=tuple(t for t in (INGRESS, EGRESS) if t in given),
        ingress=tuple(r for rule in spec.get("ingress") or () for r in allows(rule or {}, "from", namespace)),
        egress=tuple(r for rule in spec.get("egress") or () for r in allows(rule or {}, "to", namespace)),
    )  # fmt: skip


def allows(rule: Json, side: str, namespace: str) -> Iterable[Allow]:
    """One entry of spec.ingress or spec.egress."""
    by_proto = ports(rule.get("ports") or ())
    peers = rule.get(side) or [None]
    for proto in sorted(by_proto):
        found = by_proto[proto]
        numbers = tuple(p for p in found if isinstance(p, tuple)) if found else ()
        names = tuple(p for p in found if isinstance(p, str)) if found else ()
        for one in peers:
            if six(one):
                continue
            who, nets, not_nets = fields(one, namespace)
            yield Allow(
                proto=proto.lower(), peers=who, nets=nets, not_nets=not_nets, ports=numbers, names=names
            )


def six(one: Json | None) -> bool:
    """Is this peer a block of IPv6 addresses?"""
    return ":" in str(((one or {}).get("ipBlock") or {}).get("cidr") or "")


def fields(
    one: Json | None, namespace: str
) -> tuple[Selector | None, tuple[Prefix, ...], tuple[Prefix, ...]]:
    """(selector, nets, nets left out) of a peer; None is anybody."""
    if one is None:
        return None, (), ()
    block = one.get("ipBlock")
    if block:
        nets = (Prefix.parse(str(block["cidr"]), host_bits=True).network,)
        return (
            None,
            nets,
            tuple(Prefix.parse(str(e), host_bits=True).network for e in block.get("except") or ()),
        )
    return peer(one.get("podSelector"), one.get("namespaceSelector"), namespace), (), ()


def ports(rows: Iterable[Json]) -> dict[str, list[tuple[int, int] | str] | None]:
    """Protocol -> ports, None = every port of it; {"": None} where a rule does not ask for ports."""
    out: dict[str, list[tuple[int, int] | str] | None] = {}
    for row in rows:
        proto, port = str(row.get("protocol") or "TCP"), row.get("port")
        if port is None:
            out[proto] = None
        elif proto not in out or out[proto] is not None:
            low = port if isinstance(port, str) and not port.isdigit() else int(port)
            one = low if isinstance(low, str) else (low, int(row.get("endPort") or low))
            out[proto] = [*(out.get(proto) or []), one]
    if not out:
        return {"": None}
    return {proto: simplified(found) if found else None for proto, found in out.items()}


def simplified(found: list[tuple[int, int] | str]) -> list[tuple[int, int] | str]:
    """Names first, then the fewest ranges that cover the numbers; fewer than two numbers stay as they stand."""
    numbers = sorted(p for p in found if isinstance(p, tuple))
    if len(found) <= 1 or (len(numbers) <= 1 and all(low == high for low, high in numbers)):
        return found
    ranges: list[tuple[int, int]] = []
    for low, high in numbers:
        if ranges and low <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(high, ranges[-1][1]))
        else:
            ranges.append((low, high))
    return [*(p for p in found if isinstance(p, str)), *ranges]

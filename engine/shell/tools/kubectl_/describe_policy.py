"""kubectl describe networkpolicy (k8s.io/kubectl/pkg/describe, describeNetworkPolicySpec)."""

from __future__ import annotations

from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.select import selector_text
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.describe_parts import put_map, utc
from engine.shell.tools.kubectl_.table import Blocks

INDENT = "    "
EVERY_POD = "<none> (Allowing the specific traffic to all pods in this namespace)"
SIDES = (
    ("Ingress", "ingress", "from", "From", "source"),
    ("Egress", "egress", "to", "To", "destination"),
)


def network_policy(client: Client, body: Json, out: Blocks) -> None:
    spec = spec_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    out.put(0, f"Created on:\t{utc(meta(body).get('creationTimestamp'))}")
    put_map(out, "Labels", labels_of(body))
    put_map(out, "Annotations", meta(body).get("annotations"))
    out.put(0, "Spec:")
    shown = selector_text(spec.get("podSelector"))
    out.put(1, f"PodSelector:     {EVERY_POD if shown == '<none>' else shown}")
    types = spec.get("policyTypes") or []
    for kind, key, peer, title, end in SIDES:
        if kind not in types:
            out.put(1, f"Not affecting {key} traffic")
            continue
        out.put(1, f"Allowing {key} traffic:")
        rules = spec.get(key) or []
        if not rules:
            out.put(0, f"{INDENT}<none> (Selected pods are isolated for {key} connectivity)")
        for i, rule in enumerate(rules):
            one_rule(rule, peer, title, end, out)
            if i != len(rules) - 1:
                out.put(0, f"{INDENT}----------")
    out.put(1, f"Policy Types: {', '.join(types)}")


def one_rule(rule: Json, key: str, title: str, end: str, out: Blocks) -> None:
    if not rule.get("ports"):
        out.put(0, f"{INDENT}To Port: <any> (traffic allowed to all ports)")
    for p in rule.get("ports") or ():
        protocol, number = p.get("protocol", "TCP"), p.get("port", "<nil>")
        if p.get("endPort") is None:
            out.put(0, f"{INDENT}To Port: {number}/{protocol}")
        else:
            out.put(0, f"{INDENT}To Port Range: {number}-{p['endPort']}/{protocol}")
    if not rule.get(key):
        out.put(0, f"{INDENT}{title}: <any> (traffic not restricted by {end})")
    for peer in rule.get(key) or ():
        out.put(0, f"{INDENT}{title}:")
        if peer.get("namespaceSelector") is not None:
            out.put(1, f"{INDENT}NamespaceSelector: {selector_text(peer['namespaceSelector'])}")
        if peer.get("podSelector") is not None:
            out.put(1, f"{INDENT}PodSelector: {selector_text(peer['podSelector'])}")
        if found := peer.get("ipBlock"):
            out.put(1, f"{INDENT}IPBlock:")
            out.put(2, f"{INDENT}CIDR: {found.get('cidr', '')}")
            out.put(2, f"{INDENT}Except: {', '.join(found.get('except') or ())}")

"""Random clusters of pods, namespaces and NetworkPolicies, for the comparisons with their meaning and a kernel."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]

NAMESPACES = ("shop", "data", "tools")
KEYS, VALUES = ("app", "tier"), ("a", "b", "c")
PORT_NAMES = ("http", "admin")
PORTS = (80, 81, 8080)
NODES = ("w1", "w2")


def labels() -> st.SearchStrategy[dict[str, str]]:
    return st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2)


def namespaces() -> st.SearchStrategy[dict[str, dict[str, str]]]:
    """Namespace -> its own labels."""
    return st.fixed_dictionaries({name: labels() for name in NAMESPACES})


@st.composite
def pods(draw: st.DrawFn, least: int = 3, most: int = 5) -> list[Json]:
    """Pods on two nodes; each listens on every port, some of which have names."""
    out = []
    for number in range(draw(st.integers(least, most))):
        named = draw(st.dictionaries(st.sampled_from(PORTS), st.sampled_from(PORT_NAMES), max_size=2))
        if len(set(named.values())) < len(named):
            named = dict(list(named.items())[:1])
        ports = [{"containerPort": p, **({"name": named[p]} if p in named else {})} for p in PORTS]
        out.append({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "name": f"p{number}", "namespace": draw(st.sampled_from(NAMESPACES)), "labels": draw(labels()),
            },
            "spec": {
                "nodeName": draw(st.sampled_from(NODES)),
                "containers": [{"name": "c", "image": "registry.test/app", "ports": ports}],
            },
        })  # fmt: skip
    return out


@st.composite
def selector(draw: st.DrawFn) -> Json:
    out: Json = {}
    if wanted := draw(labels()):
        out["matchLabels"] = wanted
    for _ in range(draw(st.integers(0, 1))):
        key, operator = (
            draw(st.sampled_from(KEYS)),
            draw(st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist"))),
        )
        one: Json = {"key": key, "operator": operator}
        if operator in ("In", "NotIn"):
            one["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2, unique=True))
        out.setdefault("matchExpressions", []).append(one)
    return out


@st.composite
def space_selector(draw: st.DrawFn) -> Json:
    if draw(st.booleans()):
        return {"matchLabels": {"kubernetes.io/metadata.name": draw(st.sampled_from(NAMESPACES))}}
    return draw(selector())


BLOCKS = (
    {"cidr": "0.0.0.0/0"},
    {"cidr": "10.244.0.0/16"},
    {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]},
    {"cidr": "192.168.10.0/24", "except": ["192.168.10.101/32", "192.168.10.0/28"]},
    {"cidr": "10.244.0.0/16", "except": ["10.244.0.0/17"]},
    {"cidr": "::/0", "except": ["2001:db8::/32"]},
)


@st.composite
def peer(draw: st.DrawFn) -> Json:
    kind = draw(st.sampled_from(("pods", "spaces", "both", "block")))
    if kind == "block":
        return {"ipBlock": draw(st.sampled_from(BLOCKS))}
    out: Json = {}
    if kind in ("pods", "both"):
        out["podSelector"] = draw(selector())
    if kind in ("spaces", "both"):
        out["namespaceSelector"] = draw(space_selector())
    return out


@st.composite
def port(draw: st.DrawFn) -> Json:
    out: Json = {"protocol": "TCP"} if draw(st.booleans()) else {}
    kind = draw(st.sampled_from(("number", "name", "range", "any", "udp")))
    if kind == "number":
        out["port"] = draw(st.sampled_from(PORTS))
    elif kind == "name":
        out["port"] = draw(st.sampled_from(PORT_NAMES))
    elif kind == "range":
        out |= {"port": draw(st.integers(78, 82)), "endPort": draw(st.sampled_from((82, 90, 8080, 9000)))}
    elif kind == "udp":
        out = {"protocol": "UDP", "port": draw(st.sampled_from(PORTS))}
    return out


@st.composite
def rule(draw: st.DrawFn, side: str) -> Json:
    out: Json = {}
    if peers := draw(st.lists(peer(), max_size=2)):
        out[side] = peers
    if ports := draw(st.lists(port(), max_size=3)):
        out["ports"] = ports
    return out


@st.composite
def policy(draw: st.DrawFn, number: int) -> Json:
    spec: Json = {"podSelector": draw(selector())}
    types = draw(st.sampled_from((None, ["Ingress"], ["Egress"], ["Ingress", "Egress"])))
    if types:
        spec["policyTypes"] = types
    if draw(st.booleans()) or types is None:
        spec["ingress"] = draw(st.lists(rule("from"), max_size=2))
    if types is None or "Egress" in types:
        spec["egress"] = draw(st.lists(rule("to"), max_size=2))
    meta = {"name": f"np{number}", "namespace": draw(st.sampled_from(NAMESPACES))}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": meta, "spec": spec}


@st.composite
def policies(draw: st.DrawFn, least: int = 1, most: int = 4) -> list[Json]:
    return [draw(policy(n)) for n in range(draw(st.integers(least, most)))]

"""What the API server fills into a Service, and what a change of type takes away.

Rules. `fill` is SetDefaults_Service of pkg/apis/core/v1/defaults.go; `carry` is what PUT and PATCH do with fields that
the server allocated before (patchAllocatedValues, normalizeClusterIPs, dropTypeDependentFields of
pkg/registry/core/service): the same manifest may be applied again without its ClusterIP, and a type that needs no node
ports loses them. Both change the body in place.
"""

from __future__ import annotations

from engine.kube.objects import Json, spec_of
from engine.kube.validate.services import externally, needs_health

AFFINITY_SECONDS = 10800
PROXIED = ("ClusterIP", "LoadBalancer", "NodePort")
WITH_NODE_PORTS = ("LoadBalancer", "NodePort")


def fill(body: Json) -> None:
    spec = body.setdefault("spec", {})
    if not spec.get("sessionAffinity"):
        spec["sessionAffinity"] = "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": AFFINITY_SECONDS}}
    if not spec.get("type"):
        spec["type"] = "ClusterIP"
    for port in spec.get("ports") or ():
        if not port.get("protocol"):
            port["protocol"] = "TCP"
        if port.get("targetPort") in (None, 0, ""):
            port["targetPort"] = port.get("port", 0)
        for key in ("name", "nodePort"):
            if not port.get(key):
                port.pop(key, None)
    if externally(spec) and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec["type"] in PROXIED and spec.get("internalTrafficPolicy") is None:
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
        for row in ((body.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
            if row.get("ip"):
                row.setdefault("ipMode", "VIP")
    for key in ("clusterIP", "clusterIPs", "healthCheckNodePort"):
        if not spec.get(key):
            spec.pop(key, None)


def drop_disabled(body: Json, minor: int) -> None:
    """dropServiceDisabledFields: ServiceTrafficDistribution was alpha in 1.30, whose server forgets the field."""
    if minor < 31:
        spec_of(body).pop("trafficDistribution", None)


def plural(body: Json) -> None:
    """normalizeClusterIPs of a new Service: who says one address says the list."""
    spec = spec_of(body)
    if spec.get("clusterIP") and not spec.get("clusterIPs"):
        spec["clusterIPs"] = [spec["clusterIP"]]


def carry(old: Json, new: Json) -> None:
    """Take over what was allocated, and drop what the new type does not have."""
    a, b = spec_of(old), spec_of(new)
    carry_addresses(a, b)
    carry_ports(a, b)
    if needs_health(a) and needs_health(b) and not b.get("healthCheckNodePort"):
        b["healthCheckNodePort"] = a.get("healthCheckNodePort")
    drop_of_type(a, b)


def carry_addresses(a: Json, b: Json) -> None:
    if a.get("type") in PROXIED and b.get("type") in PROXIED:
        if not b.get("clusterIP") and a.get("clusterIP"):
            b["clusterIP"] = a["clusterIP"]
        if not b.get("clusterIPs") and a.get("clusterIPs"):
            b["clusterIPs"] = list(a["clusterIPs"])
        for key in ("ipFamilies", "ipFamilyPolicy"):
            if not b.get(key) and a.get(key):
                b[key] = a[key]
    same = (a.get("clusterIPs") or []) == (b.get("clusterIPs") or [])
    if b.get("clusterIP") and not b.get("clusterIPs"):
        b["clusterIPs"] = [b["clusterIP"]]
    elif a.get("clusterIP") != b.get("clusterIP") and same:
        if b.get("clusterIP"):
            b["clusterIPs"] = [b["clusterIP"]]
        else:
            b.pop("clusterIPs", None)


def carry_ports(a: Json, b: Json) -> None:
    """Node ports by the port's name, those left out that stand in the new object already."""
    if a.get("type") not in WITH_NODE_PORTS or b.get("type") not in WITH_NODE_PORTS:
        return
    before = {p["nodePort"] for p in a.get("ports") or () if p.get("nodePort")}
    used = before & {p["nodePort"] for p in b.get("ports") or () if p.get("nodePort")}
    by_name = {p.get("name", ""): p.get("nodePort", 0) for p in a.get("ports") or ()}
    for port in b.get("ports") or ():
        number = by_name.get(port.get("name", ""), 0)
        if not port.get("nodePort") and number and number not in used:
            port["nodePort"] = number
            used.add(number)


def drop_of_type(a: Json, b: Json) -> None:
    """dropTypeDependentFields: only what the client did not change itself goes; else validation refuses it."""
    if a.get("type") in PROXIED and b.get("type") not in PROXIED:
        for keys in (("clusterIP", "clusterIPs"), ("ipFamilies",), ("ipFamilyPolicy",)):
            if all(a.get(k) == b.get(k) for k in keys):
                for key in keys:
                    b.pop(key, None)
    numbers = [[p.get("nodePort", 0) for p in s.get("ports") or ()] for s in (a, b)]
    if a.get("type") in WITH_NODE_PORTS and b.get("type") not in WITH_NODE_PORTS and numbers[0] == numbers[1]:
        for port in b.get("ports") or ():
            port.pop("nodePort", None)
    if needs_health(a) and not needs_health(b):
        drop(a, b, "healthCheckNodePort")
    if a.get("type") == "LoadBalancer" and b.get("type") != "LoadBalancer":
        drop(a, b, "allocateLoadBalancerNodePorts")
        drop(a, b, "loadBalancerClass")
    if externally(a) and not externally(b):
        drop(a, b, "externalTrafficPolicy")


def drop(a: Json, b: Json, key: str) -> None:
    if a.get(key) == b.get(key):
        b.pop(key, None)

"""Services: ValidateService, ValidateServiceUpdate and the warnings of GetWarningsForService.

Rules. The object has its defaults already (services.py beside this package). Order and words are those of
pkg/apis/core/validation/validation.go and pkg/api/service/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json, meta, spec_of, status_of
from engine.kube.validate.errors import IMMUTABLE, Struct, bad, duplicate, forbidden, required, unsupported
from engine.kube.validate.names import (
    address,
    cidr_errors,
    cidr_warnings,
    ip_errors,
    is_ip6,
    label_errors,
    labels_errors,
    port_errors,
    port_number_errors,
    qualified_errors,
    special_ip_errors,
    subdomain_errors,
)

TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
PROTOCOLS = ("SCTP", "TCP", "UDP")
POLICIES = ("Cluster", "Local")
FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
#: The first minor release that takes each word of trafficDistribution without a gate of its own.
DISTRIBUTIONS = (("PreferClose", 31), ("PreferSameZone", 34), ("PreferSameNode", 34))
ONLY_LB = "may only be used when `type` is 'LoadBalancer'"
AFFINITY_MOST = 86400


def headless(spec: Json) -> bool:
    return list(spec.get("clusterIPs") or ()) == ["None"]


def externally(spec: Json) -> bool:
    """ExternallyAccessible: a node port, a load balancer or an external address leads to it."""
    kind = spec.get("type")
    return kind in ("LoadBalancer", "NodePort") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))


def needs_health(spec: Json) -> bool:
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def errors(body: Json, minor: int) -> Iterator[str]:
    """ValidateService over a defaulted object."""
    spec, kind = spec_of(body), spec_of(body).get("type", "")
    ports = spec.get("ports") or []
    if not ports and not headless(spec) and kind != "ExternalName":
        yield required("spec.ports")
    if kind in ("LoadBalancer", "NodePort") and headless(spec):
        yield bad("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services")
    if kind == "ExternalName":
        yield from external_name_errors(spec)
    names: set[str] = set()
    for i, port in enumerate(ports):
        yield from port_row_errors(port, len(ports) > 1, names, f"spec.ports[{i}]")
    yield from labels_errors(spec.get("selector") or {}, "spec.selector")
    yield from affinity_errors(spec)
    yield from cluster_ip_errors(spec)
    for i, ip in enumerate(spec.get("externalIPs") or ()):
        path = f"spec.externalIPs[{i}]"
        yield from ip_errors(ip, path)
        yield from special_ip_errors(ip, path)
    if kind not in TYPES:
        yield unsupported("spec.type", kind, TYPES)
    yield from port_pairs_errors(spec)
    yield from load_balancer_errors(body, minor)
    yield from traffic_errors(spec, minor)


def external_name_errors(spec: Json) -> Iterator[str]:
    for key in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(key):
            yield forbidden(f"spec.{key}", "may not be set for ExternalName services")
    name = str(spec.get("externalName") or "").removesuffix(".")
    if name:
        yield from subdomain_errors(name, "spec.externalName")
    else:
        yield required("spec.externalName")


def port_row_errors(port: Json, named: bool, names: set[str], path: str) -> Iterator[str]:
    """validateServicePort."""
    name = port.get("name") or ""
    if named and not name:
        yield required(f"{path}.name")
    elif name:
        yield from label_errors(name, f"{path}.name")
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
    yield from port_number_errors(port.get("port"), f"{path}.port")
    if port.get("protocol") not in PROTOCOLS:
        yield unsupported(f"{path}.protocol", port.get("protocol"), PROTOCOLS)
    yield from port_errors(port.get("targetPort"), f"{path}.targetPort")
    if port.get("appProtocol"):
        yield from qualified_errors(port["appProtocol"], f"{path}.appProtocol")


def affinity_errors(spec: Json) -> Iterator[str]:
    affinity, path = spec.get("sessionAffinity"), "spec.sessionAffinityConfig"
    if affinity not in ("ClientIP", "None"):
        yield unsupported("spec.sessionAffinity", affinity, ("ClientIP", "None"))
    elif affinity == "ClientIP":
        seconds = ((spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}).get("timeoutSeconds")
        if seconds is None:
            yield required(path, "when session affinity type is ClientIP")
        elif not 0 < seconds <= AFFINITY_MOST:
            yield bad(
                f"{path}.clientIP.timeoutSeconds",
                seconds,
                f"must be greater than 0 and less than {AFFINITY_MOST}",
            )
    elif spec.get("sessionAffinityConfig"):
        yield forbidden(path, "must not be set when session affinity is None")


def cluster_ip_errors(spec: Json) -> Iterator[str]:
    """ValidateServiceClusterIPsRelatedFields."""
    if spec.get("type") == "ExternalName":
        return
    one, rows = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    if one:
        if not rows:
            yield required("spec.clusterIPs")
        elif rows[0] != one:
            yield bad("spec.clusterIPs", rows, "first value must match `clusterIP`")
    elif rows:
        yield bad("spec.clusterIPs", rows, "must be empty when `clusterIP` is not specified")
    families = spec.get("ipFamilies") or []
    for i, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            yield unsupported(f"spec.ipFamilies[{i}]", family, ("IPv4", "IPv6"))
        if family in families[:i]:
            yield duplicate(f"spec.ipFamilies[{i}]", family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in FAMILY_POLICIES:
        yield unsupported("spec.ipFamilyPolicy", policy, FAMILY_POLICIES)
    wrong = False
    for i, ip in enumerate(rows):
        if i == 0 and ip == "None":
            if len(rows) > 1:
                wrong = True
                yield bad("spec.clusterIPs", rows, "'None' must be the first and only value")
            continue
        found = list(ip_errors(ip, f"spec.clusterIPs[{i}]"))
        wrong = wrong or bool(found)
        yield from found
    if len(rows) > 2:
        yield bad("spec.clusterIPs", rows, "may only hold up to 2 values")
    if wrong:
        return
    if len(rows) > 1 and len({is_ip6(ip) for ip in rows}) < 2:
        yield bad("spec.clusterIPs", rows, "may specify no more than one IP for each IP family")
    if not headless(spec):
        for i, (ip, family) in enumerate(zip(rows, families, strict=False)):
            if family in ("IPv4", "IPv6") and (family == "IPv6") != is_ip6(ip):
                yield bad(
                    f"spec.clusterIPs[{i}]",
                    ip,
                    f"expected an {family} value as indicated by `ipFamilies[{i}]`",
                )


def port_pairs_errors(spec: Json) -> Iterator[str]:
    """Node ports where there are none, and ports and node ports that stand twice with one protocol."""
    ports = spec.get("ports") or []
    if spec.get("type") == "ClusterIP":
        for i, port in enumerate(ports):
            if port.get("nodePort"):
                yield forbidden(f"spec.ports[{i}].nodePort", "may not be used when `type` is 'ClusterIP'")
    nodes: set[tuple[object, object]] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol"), port.get("nodePort"))
        if key[1] and key in nodes:
            yield duplicate(f"spec.ports[{i}].nodePort", key[1])
        nodes.add(key)
    seen: set[tuple[object, object]] = set()
    for i, port in enumerate(ports):
        key = (port.get("protocol"), port.get("port"))
        if key in seen:
            # the internal struct, which has no JSON names of its own
            row = {
                "Name": "",
                "Protocol": key[0],
                "AppProtocol": None,
                "Port": key[1],
                "TargetPort": 0,
                "NodePort": 0,
            }
            go = (
                f'core.ServicePort{{Name:"", Protocol:"{key[0]}", AppProtocol:(*string)(nil), Port:{key[1]}, '
                'TargetPort:intstr.IntOrString{Type:0, IntVal:0, StrVal:""}, NodePort:0}'
            )
            yield duplicate(f"spec.ports[{i}]", Struct(row, go))
        seen.add(key)


def load_balancer_errors(body: Json, minor: int) -> Iterator[str]:
    spec = spec_of(body)
    balanced = spec.get("type") == "LoadBalancer"
    ranges = spec.get("loadBalancerSourceRanges") or []
    if ranges and not balanced:
        yield forbidden("spec.LoadBalancerSourceRanges", ONLY_LB)
    for i, text in enumerate(ranges):
        yield from cidr_errors(text.strip(), f"spec.LoadBalancerSourceRanges[{i}]", minor)
    if spec.get("allocateLoadBalancerNodePorts") is not None and not balanced:
        yield forbidden("spec.allocateLoadBalancerNodePorts", ONLY_LB)
    if (name := spec.get("loadBalancerClass")) is not None:
        if balanced:
            yield from qualified_errors(name, "spec.loadBalancerClass")
        else:
            yield forbidden("spec.loadBalancerClass", ONLY_LB)
    for i, row in enumerate((status_of(body).get("loadBalancer") or {}).get("ingress") or ()):
        path = f"status.loadBalancer.ingress[{i}]"
        if row.get("ip"):
            yield from ip_errors(row["ip"], f"{path}.ip")
        mode = row.get("ipMode")
        if mode is not None and not row.get("ip"):
            yield forbidden(f"{path}.ipMode", "may not be specified when `ip` is not set")
        elif mode is not None and mode not in ("Proxy", "VIP"):
            yield unsupported(f"{path}.ipMode", mode, ("Proxy", "VIP"))
        if row.get("hostname"):
            yield from subdomain_errors(row["hostname"], f"{path}.hostname")
            if address(row["hostname"]) is not None:
                yield bad(f"{path}.hostname", row["hostname"], "must be a DNS name, not an IP address")


def traffic_errors(spec: Json, minor: int) -> Iterator[str]:
    policy = spec.get("externalTrafficPolicy")
    if not externally(spec):
        if policy:
            yield bad(
                "spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services"
            )
    elif policy not in POLICIES:
        yield unsupported("spec.externalTrafficPolicy", policy, POLICIES)
    health = spec.get("healthCheckNodePort") or 0
    if health and not needs_health(spec):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield bad("spec.healthCheckNodePort", health, why)
    elif health:
        yield from port_number_errors(health, "spec.healthCheckNodePort")
    inside = spec.get("internalTrafficPolicy")
    if inside is not None and inside not in POLICIES:
        yield unsupported("spec.internalTrafficPolicy", inside, POLICIES)
    known = [word for word, since in DISTRIBUTIONS if minor >= since]
    word = spec.get("trafficDistribution")
    if word is not None and word not in known:
        yield unsupported("spec.trafficDistribution", word, known, sort=False)


def update_errors(old: Json, new: Json) -> Iterator[str]:
    """What a changed Service may not change (ValidateServiceUpdate)."""
    a, b = spec_of(old), spec_of(new)
    if "ExternalName" not in (a.get("type"), b.get("type")):
        yield from address_changes(a, b)
    if a.get("type") == b.get("type") == "LoadBalancer" and a.get("loadBalancerClass") != b.get(
        "loadBalancerClass"
    ):
        yield bad("spec.loadBalancerClass", b.get("loadBalancerClass"), "may not change once set")
    if needs_health(a) and needs_health(b) and a.get("healthCheckNodePort") != b.get("healthCheckNodePort"):
        yield forbidden("spec.healthCheckNodePort", IMMUTABLE)


def address_changes(a: Json, b: Json) -> Iterator[str]:
    old, new = a.get("clusterIPs") or [], b.get("clusterIPs") or []
    if headless(a) and headless(b):
        return
    if len(old) == len(new):
        for i, (x, y) in enumerate(zip(old, new, strict=True)):
            if x != y:
                yield bad(f"spec.clusterIPs[{i}]", new, "may not change once set")
    elif len(old) > len(new) and not new:
        yield bad("spec.clusterIPs[0]", new, "primary clusterIP can not be unset")
    elif old and new and old[0] != new[0]:
        yield bad("spec.clusterIPs[0]", new, "may not change once set")
    if headless(a) == headless(b) and not headless(a):
        old, new = a.get("ipFamilies") or [], b.get("ipFamilies") or []
        if old and new and old[0] != new[0]:
            yield bad("spec.ipFamilies[0]", new, "may not change once set")


def warnings(body: Json, minor: int) -> Iterator[str]:
    """GetWarningsForService."""
    spec, kind = spec_of(body), spec_of(body).get("type")
    hints = "service.kubernetes.io/topology-aware-hints"
    if hints in (meta(body).get("annotations") or {}):
        yield f"annotation {hints} is deprecated, please use service.kubernetes.io/topology-mode instead"
    if kind == "ClusterIP" and headless(spec):
        if spec.get("loadBalancerIP"):
            yield "spec.loadBalancerIP is ignored for headless services"
        if spec.get("externalIPs"):
            yield "spec.externalIPs is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    elif minor >= 36 and kind != "ExternalName" and spec.get("externalIPs"):
        yield "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
    for i, text in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        yield from cidr_warnings(text.strip(), f"spec.loadBalancerSourceRanges[{i}]", minor)
    if kind == "ExternalName" and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if kind != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
    if minor >= 35 and spec.get("trafficDistribution") == "PreferClose":
        yield 'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"'

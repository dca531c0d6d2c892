"""NetworkPolicies, Ingresses, IngressClasses, ServiceCIDRs and IPAddresses (pkg/apis/networking/validation)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json, meta, spec_of
from engine.kube.validate.errors import IMMUTABLE, bad, forbidden, required, shown, unsupported
from engine.kube.validate.names import (
    address,
    cidr,
    cidr_errors,
    cidr_warnings,
    label_1035_errors,
    port_name_errors,
    port_number_errors,
    selector_errors,
    subdomain_errors,
    wildcard_errors,
)

PROTOCOLS = ("TCP", "UDP", "SCTP")
POLICY_TYPES = ("Ingress", "Egress")
#: the minor release from which a policy's networks are warned about (kubernetes/kubernetes#128786)
BLOCKS_SINCE = 33
PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
IN_PATH = ("//", "/./", "/../", "%2f", "%2F")
AT_END = ("/..", "/.")
CLASS = "kubernetes.io/ingress.class"


def policy_errors(body: Json, minor: int = 35) -> Iterator[str]:
    """ValidateNetworkPolicySpec."""
    spec = spec_of(body)
    yield from selector_errors(spec.get("podSelector"), "spec.podSelector")
    for way, side in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(spec.get(way) or ()):
            path = f"spec.{way}[{i}]"
            for j, port in enumerate(rule.get("ports") or ()):
                yield from policy_port_errors(port, f"{path}.ports[{j}]")
            for j, peer in enumerate(rule.get(side) or ()):
                yield from peer_errors(peer, f"{path}.{side}[{j}]", minor)
    types = spec.get("policyTypes") or []
    if len(types) > 2:
        yield bad("spec.policyTypes", types, "may not specify more than two policyTypes")
        return
    for i, word in enumerate(types):
        if word not in POLICY_TYPES:
            yield unsupported(f"spec.policyTypes[{i}]", word, POLICY_TYPES, sort=False)


def policy_port_errors(row: Json, path: str) -> Iterator[str]:
    protocol, port, end = row.get("protocol"), row.get("port"), row.get("endPort")
    if protocol is not None and protocol not in PROTOCOLS:
        yield unsupported(f"{path}.protocol", protocol, PROTOCOLS, sort=False)
    if port is None:
        if end is not None:
            yield bad(f"{path}.endPort", end, "may not be specified when `port` is not specified")
    elif isinstance(port, int):
        yield from port_number_errors(port, f"{path}.port")
        if end is not None:
            if end < port:
                yield bad(f"{path}.endPort", port, "must be greater than or equal to `port`")
            yield from port_number_errors(end, f"{path}.endPort")
    else:
        if end is not None:
            yield bad(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
        yield from port_name_errors(str(port), f"{path}.port")


def peer_errors(peer: Json, path: str, minor: int) -> Iterator[str]:
    found = [k for k in ("podSelector", "namespaceSelector", "ipBlock") if k in peer]
    for key in ("podSelector", "namespaceSelector"):
        yield from selector_errors(peer.get(key), f"{path}.{key}")
    if "ipBlock" in peer:
        yield from block_errors(peer["ipBlock"], f"{path}.ipBlock", minor)
    if not found:
        yield required(path, "must specify a peer")
    elif len(found) > 1 and "ipBlock" in found:
        yield forbidden(path, "may not specify both ipBlock and another peer")


def block_errors(block: Json, path: str, minor: int) -> Iterator[str]:
    """ValidateIPBlock."""
    text = block.get("cidr") or ""
    if not text:
        yield required(f"{path}.cidr")
        return
    yield from cidr_errors(text, f"{path}.cidr", minor)
    whole = cidr(text)
    if whole is None:
        return
    for i, part in enumerate(block.get("except") or ()):
        at = f"{path}.except[{i}]"
        yield from cidr_errors(part, at, minor)
        inner = cidr(part)
        if inner is None:
            continue
        inside = inner[0] >> (32 - whole[1]) == whole[0] >> (32 - whole[1])
        if not inside or whole[1] >= inner[1]:
            yield bad(at, part, "must be a strict subset of `cidr`")


def policy_warnings(body: Json, minor: int) -> Iterator[str]:
    """networkPolicyWarnings (pkg/registry/networking/networkpolicy/strategy.go), since 1.33."""
    for way, side in (("ingress", "from"), ("egress", "to")) if minor >= BLOCKS_SINCE else ():
        for i, rule in enumerate(spec_of(body).get(way) or ()):
            for j, peer in enumerate((rule or {}).get(side) or ()):
                block, path = peer.get("ipBlock") or {}, f"spec.{way}[{i}].{side}[{j}].ipBlock"
                if block.get("cidr"):
                    yield from cidr_warnings(block["cidr"], f"{path}.cidr", minor)
                for k, part in enumerate(block.get("except") or ()):
                    yield from cidr_warnings(part, f"{path}.except[{k}]", minor)


# ---- Ingress


def ingress_errors(body: Json, *, new: bool) -> Iterator[str]:
    spec = spec_of(body)
    rules = spec.get("rules") or []
    if not rules and not spec.get("defaultBackend"):
        why = "either `defaultBackend` or `rules` must be specified"
        yield f"spec: Invalid value: {shown(spec.get('rules'))}: {why}"
    if spec.get("defaultBackend"):
        yield from backend_errors(spec["defaultBackend"], "spec.defaultBackend")
    for i, rule in enumerate(rules):
        path, host = f"spec.rules[{i}]", rule.get("host") or ""
        if host:
            if address(host) is not None:
                yield bad(f"{path}.host", host, "must be a DNS name, not an IP address")
            check = wildcard_errors if "*" in host else subdomain_errors
            yield from check(host, f"{path}.host")
        if rule.get("http") is not None:
            paths = rule["http"].get("paths") or []
            if not paths:
                yield required(f"{path}.http.paths")
            for j, row in enumerate(paths):
                yield from path_errors(row, f"{path}.http.paths[{j}]")
    for i, row in enumerate(spec.get("tls") or ()):
        for j, host in enumerate(row.get("hosts") or ()):
            check = wildcard_errors if "*" in host else subdomain_errors
            yield from check(host, f"spec.tls[{i}].hosts[{j}]")
        if row.get("secretName"):
            yield from subdomain_errors(row["secretName"], f"spec.tls[{i}].secretName")
    name = spec.get("ingressClassName")
    if name is not None:
        yield from subdomain_errors(name, "spec.ingressClassName")
    noted = (meta(body).get("annotations") or {}).get(CLASS)
    if new and noted is not None and name is not None and noted != name:
        yield bad(f"annotations.{CLASS}", noted, "must match `ingressClassName` when both are specified")


def path_errors(row: Json, path: str) -> Iterator[str]:
    kind, text = row.get("pathType"), row.get("path") or ""
    if kind is None:
        yield required(f"{path}.pathType", "pathType must be specified")
        return
    if kind in ("Exact", "Prefix"):
        if not text.startswith("/"):
            yield bad(f"{path}.path", text, "must be an absolute path")
        for part in IN_PATH:
            if part in text:
                yield bad(f"{path}.path", text, f"must not contain '{part}'")
        for part in AT_END:
            if text.endswith(part):
                yield bad(f"{path}.path", text, f"cannot end with '{part}'")
    elif kind == "ImplementationSpecific":
        if text and not text.startswith("/"):
            yield bad(f"{path}.path", text, "must be an absolute path")
    else:
        yield unsupported(f"{path}.pathType", kind, PATH_TYPES)
    yield from backend_errors(row.get("backend") or {}, f"{path}.backend")


def backend_errors(backend: Json, path: str) -> Iterator[str]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield bad(path, "", "cannot set both resource and service backends")
    elif resource is not None:
        for key in ("kind", "name"):
            if not resource.get(key):
                yield required(f"{path}.resource.{key}", f"{key} is required")
    elif service is not None:
        if not service.get("name"):
            yield required(f"{path}.service.name")
        else:
            yield from label_1035_errors(service["name"], f"{path}.service.name")
        port = service.get("port") or {}
        if port.get("name") and port.get("number"):
            yield bad(path, "", "cannot set both port name & port number")
        elif port.get("name"):
            yield from port_name_errors(port["name"], f"{path}.service.port.name")
        elif port.get("number"):
            yield from port_number_errors(port["number"], f"{path}.service.port.number")
        else:
            yield required(path, "port name or number is required")
    else:
        yield bad(path, "", "resource or service backend is required")


def class_errors(body: Json) -> Iterator[str]:
    """ValidateIngressClass."""
    controller = spec_of(body).get("controller") or ""
    head, slash, tail = controller.partition("/")
    if not controller:
        yield required("spec.controller")
    elif not slash or not tail:
        yield bad("spec.controller", controller, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        yield from subdomain_errors(head, "spec.controller")
    parameters = spec_of(body).get("parameters")
    if parameters is not None:
        for key in ("kind", "name"):
            if not parameters.get(key):
                yield required(f"spec.parameters.{key}", f"{key} is required")
        scope, space = parameters.get("scope", "Cluster"), parameters.get("namespace")
        if scope not in ("Cluster", "Namespace"):
            yield unsupported("spec.parameters.scope", scope, ("Cluster", "Namespace"))
        elif scope == "Namespace" and space is None:
            yield required("spec.parameters.namespace", "`parameters.scope` is set to 'Namespace'")
        elif scope == "Cluster" and space is not None:
            yield forbidden("spec.parameters.namespace", "`parameters.scope` is set to 'Cluster'")


def class_update_errors(old: Json, new: Json) -> Iterator[str]:
    if spec_of(old).get("controller") != spec_of(new).get("controller"):
        yield bad("spec.controller", spec_of(new).get("controller"), IMMUTABLE)


# ---- ServiceCIDR, IPAddress


def cidrs_errors(body: Json) -> Iterator[str]:
    rows = spec_of(body).get("cidrs") or []
    if not rows:
        yield required("spec.cidrs", "at least one CIDR required")
    elif len(rows) > 2:
        yield bad("spec.cidrs", {"CIDRs": rows}, "may only hold up to 2 values")
    else:
        for i, text in enumerate(rows):
            yield from cidr_errors(text, f"spec.cidrs[{i}]")


def cidrs_update_errors(old: Json, new: Json) -> Iterator[str]:
    if spec_of(old).get("cidrs") != spec_of(new).get("cidrs"):
        yield bad("spec.cidrs", spec_of(new).get("cidrs"), IMMUTABLE)


def ip_address_errors(body: Json) -> Iterator[str]:
    parent = spec_of(body).get("parentRef")
    if parent is None:
        yield required("spec.parentRef")
        return
    for key in ("resource", "name"):
        if not parent.get(key):
            yield required(f"spec.parentRef.{key}")

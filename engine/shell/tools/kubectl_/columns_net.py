"""The API server's columns for what makes the network: Services, slices, policies, Ingress, address ranges.

Source: pkg/printers/internalversion/printers.go (printService, printEndpointSlice, formatEndpoints, printIngress ...);
the server always prints wide, so addresses of load balancers are never cut.
"""

from __future__ import annotations

from engine.kube.objects import Json, name_of, spec_of, status_of
from engine.kube.select import selector_text, text
from engine.shell.tools.kubectl_.cells import NONE, Columns, born

#: Endpoints and addresses that are shown before `+ N more...`.
SHOWN = 3


def service(body: Json, clock: float) -> list[str]:
    spec = spec_of(body)
    kind = str(spec.get("type", "ClusterIP"))
    ports = ",".join(port(p) for p in spec.get("ports") or ()) or NONE
    return [
        name_of(body), kind, spec.get("clusterIP") or NONE, external(body, kind), ports, born(body, clock),
        text(spec.get("selector")),
    ]  # fmt: skip


def port(p: Json) -> str:
    node = f":{p['nodePort']}" if p.get("nodePort") else ""
    return f"{p.get('port')}{node}/{p.get('protocol', 'TCP')}"


def external(body: Json, kind: str) -> str:
    """getServiceExternalIP: what the type of a Service means for the EXTERNAL-IP column."""
    spec = spec_of(body)
    given = list(spec.get("externalIPs") or ())
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    if kind == "LoadBalancer":
        balancer = balancer_text((status_of(body).get("loadBalancer") or {}).get("ingress") or ())
        rows = [*balancer.split(","), *given] if balancer else given
        return ",".join(rows) if rows else "<pending>"
    return ",".join(given) or NONE


def balancer_text(rows: object) -> str:
    """Addresses of a load balancer: sorted, without doubles."""
    found = (
        {str(r.get("ip") or r.get("hostname") or "") for r in rows}
        if isinstance(rows, list | tuple)
        else set()
    )
    return ",".join(sorted(found - {""}))


def endpoint_slice(body: Json, clock: float) -> list[str]:
    ports = [
        str(p["port"]) if p.get("port") is not None else str(p.get("name") or "")
        for p in body.get("ports") or ()
    ]
    found = [a for e in body.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        name_of(body), str(body.get("addressType", "")), some(ports, "<unset>"), some(found, "<unset>"),
        born(body, clock),
    ]  # fmt: skip


def some(rows: list[str], none: str) -> str:
    """formatDiscoveryPorts, formatDiscoveryEndpoints: three of them, and how many are left."""
    if not any(rows):
        return none
    more = f" + {len(rows) - SHOWN} more..." if len(rows) > SHOWN else ""
    return ",".join(rows[:SHOWN]) + more


def endpoints(body: Json, clock: float) -> list[str]:
    found: list[str] = []
    for subset in body.get("subsets") or ():
        addresses = [a["ip"] for a in subset.get("addresses") or ()]
        if not subset.get("ports"):
            found += addresses
        for p in subset.get("ports") or ():
            found += [f"{a}:{p['port']}" for a in addresses]
    return [name_of(body), some(found, NONE), born(body, clock)]


def network_policy(body: Json, clock: float) -> list[str]:
    return [name_of(body), selector_text(spec_of(body).get("podSelector")), born(body, clock)]


def ingress(body: Json, clock: float) -> list[str]:
    spec = spec_of(body)
    hosts = [r["host"] for r in spec.get("rules") or () if r.get("host")]
    address = balancer_text((status_of(body).get("loadBalancer") or {}).get("ingress") or ())
    return [
        name_of(body), spec.get("ingressClassName") or NONE, some(hosts, "*"), address,
        "80, 443" if spec.get("tls") else "80", born(body, clock),
    ]  # fmt: skip


def ingress_class(body: Json, clock: float) -> list[str]:
    found = spec_of(body).get("parameters") or {}
    group = f".{found['apiGroup']}" if found.get("apiGroup") else ""
    parameters = f"{found['kind']}{group}/{found['name']}" if found else NONE
    return [name_of(body), str(spec_of(body).get("controller", "")), parameters, born(body, clock)]


def service_cidr(body: Json, clock: float) -> list[str]:
    return [name_of(body), ",".join(spec_of(body).get("cidrs") or ()), born(body, clock)]


def ip_address(body: Json, clock: float) -> list[str]:
    found = spec_of(body).get("parentRef") or {}
    parts = [found.get(k) for k in ("group", "resource", "namespace", "name")]
    return [name_of(body), "/".join(str(p) for p in parts if p) or NONE]


NET: dict[str, Columns] = {
    "Service": Columns(
        ("NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE", "SELECTOR"), 1, service
    ),
    "EndpointSlice": Columns(("NAME", "ADDRESSTYPE", "PORTS", "ENDPOINTS", "AGE"), 0, endpoint_slice),
    "Endpoints": Columns(("NAME", "ENDPOINTS", "AGE"), 0, endpoints),
    "NetworkPolicy": Columns(("NAME", "POD-SELECTOR", "AGE"), 0, network_policy),
    "Ingress": Columns(("NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"), 0, ingress),
    "IngressClass": Columns(("NAME", "CONTROLLER", "PARAMETERS", "AGE"), 0, ingress_class),
    "ServiceCIDR": Columns(("NAME", "CIDRS", "AGE"), 0, service_cidr),
    "IPAddress": Columns(("NAME", "PARENTREF"), 0, ip_address),
}

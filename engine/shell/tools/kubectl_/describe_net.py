"""kubectl describe of Services, slices, Ingress and the ranges of Services (k8s.io/kubectl/pkg/describe)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of, status_of
from engine.kube.select import text
from engine.shell.tools.kubectl_.client import Client
from engine.shell.tools.kubectl_.columns_net import balancer_text
from engine.shell.tools.kubectl_.describe_parts import NONE, head, put_map, when
from engine.shell.tools.kubectl_.table import Blocks

UNSET = "<unset>"
SERVICE_NAME = "kubernetes.io/service-name"


def slices_of(client: Client, namespace: str, service: str) -> list[Json]:
    rows = client.cluster.store.list("EndpointSlice", namespace)
    return [r for r in rows if labels_of(r).get(SERVICE_NAME) == service]


def backends(slices: Iterable[Json], port: str) -> str:
    """formatEndpointSlices: the first three ready `address:port` of a port's name, and how many there are besides."""
    rows = list(slices)
    if not rows:
        return NONE
    found: list[str] = []
    for one in rows:
        ready = [
            e for e in one.get("endpoints") or () if (e.get("conditions") or {}).get("ready") is not False
        ]
        addresses = [str(e["addresses"][0]) for e in ready if e.get("addresses")]
        if not one.get("ports"):
            found += addresses
        for p in one.get("ports") or ():
            if (p.get("name") or "") == port:
                found += [f"{a}:{p.get('port')}" for a in addresses]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more


def service(client: Client, body: Json, out: Blocks) -> None:
    spec = spec_of(body)
    head(body, out)
    out.put(0, f"Selector:\t{text(spec.get('selector'))}")
    out.put(0, f"Type:\t{spec.get('type', '')}")
    if spec.get("ipFamilyPolicy"):
        out.put(0, f"IP Family Policy:\t{spec['ipFamilyPolicy']}")
    out.put(0, f"IP Families:\t{','.join(spec.get('ipFamilies') or ()) or NONE}")
    out.put(0, f"IP:\t{spec.get('clusterIP', '')}")
    out.put(0, f"IPs:\t{','.join(spec.get('clusterIPs') or ()) or NONE}")
    if spec.get("externalIPs"):
        out.put(0, f"External IPs:\t{','.join(spec['externalIPs'])}")
    if spec.get("loadBalancerIP"):
        out.put(0, f"Desired LoadBalancer IP:\t{spec['loadBalancerIP']}")
    if spec.get("externalName"):
        out.put(0, f"External Name:\t{spec['externalName']}")
    rows = (status_of(body).get("loadBalancer") or {}).get("ingress") or []
    if rows:
        out.put(0, f"LoadBalancer Ingress:\t{', '.join(balancer(r) for r in rows)}")
    slices = slices_of(client, namespace_of(body), name_of(body))
    for p in spec.get("ports") or ():
        service_port(p, slices, out, client.minor)
    out.put(0, f"Session Affinity:\t{spec.get('sessionAffinity', '')}")
    for key, title in (
        ("externalTrafficPolicy", "External Traffic Policy"),
        ("internalTrafficPolicy", "Internal Traffic Policy"),
        ("healthCheckNodePort", "HealthCheck NodePort"),
    ):
        if spec.get(key):
            out.put(0, f"{title}:\t{spec[key]}")
    if spec.get("loadBalancerSourceRanges"):
        out.put(0, f"LoadBalancer Source Ranges:\t{','.join(spec['loadBalancerSourceRanges'])}")
    if spec.get("trafficDistribution") and client.minor >= 33:
        out.put(0, f"Traffic Distribution:\t{spec['trafficDistribution']}")


def service_port(p: Json, slices: list[Json], out: Blocks, minor: int) -> None:
    name, protocol = p.get("name") or UNSET, p.get("protocol", "TCP")
    out.put(0, f"Port:\t{name}\t{p.get('port')}/{protocol}")
    out.put(0, f"TargetPort:\t{p.get('targetPort', p.get('port'))}/{protocol}")
    if p.get("appProtocol") and minor >= 36:
        out.put(0, f"AppProtocol:\t{p['appProtocol']}")
    if p.get("nodePort"):
        out.put(0, f"NodePort:\t{name}\t{p['nodePort']}/{protocol}")
    out.put(0, f"Endpoints:\t{backends(slices, p.get('name') or '')}")


def balancer(row: Json) -> str:
    if row.get("ip"):
        return str(row["ip"]) + (f" ({row['ipMode']})" if row.get("ipMode") else "")
    return str(row.get("hostname", ""))


def endpoints(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, "Subsets:")
    for subset in body.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            out.put(1, f"{title}:\t{','.join(a['ip'] for a in subset.get(key) or ()) or NONE}")
        if subset.get("ports"):
            out.put(1, "Ports:")
            out.put(2, "Name\tPort\tProtocol")
            out.put(2, "----\t----\t--------")
            for p in subset["ports"]:
                out.put(2, f"{p.get('name') or UNSET}\t{p['port']}\t{p.get('protocol', 'TCP')}")
        out.put(0, "")


def endpoint_slice(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, f"AddressType:\t{body.get('addressType', '')}")
    if body.get("ports"):
        out.put(0, "Ports:")
        out.put(1, "Name\tPort\tProtocol")
        out.put(1, "----\t----\t--------")
        for p in body["ports"]:
            number = UNSET if p.get("port") is None else p["port"]
            out.put(1, f"{p.get('name') or UNSET}\t{number}\t{p.get('protocol', 'TCP')}")
    else:
        out.put(0, f"Ports: {UNSET}")
    if not body.get("endpoints"):
        out.put(0, f"Endpoints: {NONE}")
        return
    out.put(0, "Endpoints:")
    for e in body["endpoints"]:
        out.put(1, f"- Addresses:\t{', '.join(e.get('addresses') or ()) or NONE}")
        out.put(2, "Conditions:")
        ready = (e.get("conditions") or {}).get("ready")
        out.put(3, f"Ready:\t{UNSET if ready is None else str(ready).lower()}")
        out.put(2, f"Hostname:\t{e.get('hostname') or UNSET}")
        if target := e.get("targetRef"):
            out.put(2, f"TargetRef:\t{target.get('kind')}/{target.get('name')}")
        out.put(2, f"NodeName:\t{e.get('nodeName') or UNSET}")
        out.put(2, f"Zone:\t{e.get('zone') or UNSET}")


def ingress(client: Client, body: Json, out: Blocks) -> None:
    spec = spec_of(body)
    out.put(0, f"Name:\t{name_of(body)}")
    put_map(out, "Labels", labels_of(body))
    out.put(0, f"Namespace:\t{namespace_of(body)}")
    rows = (status_of(body).get("loadBalancer") or {}).get("ingress") or ()
    out.put(0, f"Address:\t{balancer_text(rows)}")
    out.put(0, f"Ingress Class:\t{spec.get('ingressClassName') or NONE}")
    default = "<default>"
    if spec.get("defaultBackend"):
        default = ingress_backend(client, body, spec["defaultBackend"])
    out.put(0, f"Default backend:\t{default}")
    if spec.get("tls"):
        out.put(0, "TLS:")
        for t in spec["tls"]:
            hosts = ",".join(t.get("hosts") or ())
            out.put(
                1, f"{t['secretName']} terminates {hosts}" if t.get("secretName") else f"SNI routes {hosts}"
            )
    out.put(0, "Rules:\n  Host\tPath\tBackends\n  ----\t----\t--------")
    rules = [r for r in spec.get("rules") or () if r.get("http")]
    for rule in rules:
        out.put(1, f"{rule.get('host') or '*'}\t")
        for p in rule["http"].get("paths") or ():
            out.put(2, f"\t{p.get('path', '')} \t{ingress_backend(client, body, p.get('backend') or {})}")
    if not rules:
        out.put(1, f"*\t*\t{default}")
    put_map(out, "Annotations", meta(body).get("annotations"))


def ingress_backend(client: Client, body: Json, backend: Json) -> str:
    """`web:80 (10.244.1.5:8080)`, or what is wrong with it."""
    if found := backend.get("service"):
        port = found.get("port") or {}
        shown = f"{found.get('name')}:{port.get('number') or port.get('name', '')}"
        target = client.cluster.store.get("Service", namespace_of(body), str(found.get("name")))
        if target is None:
            return f'{shown} (<error: services "{found.get("name")}" not found>)'
        name = ""
        for p in spec_of(target).get("ports") or ():
            if (port.get("number") and port["number"] == p.get("port")) or (
                port.get("name") and port["name"] == p.get("name")
            ):
                name = p.get("name") or ""
        slices = slices_of(client, namespace_of(body), name_of(target))
        return f"{shown} ({backends(slices, name)})"
    if found := backend.get("resource"):
        return (
            f"APIGroup: {found.get('apiGroup') or NONE}, Kind: {found.get('kind')}, Name: {found.get('name')}"
        )
    return ""


def ingress_class(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, f"Controller:\t{spec_of(body).get('controller', '')}")
    if found := spec_of(body).get("parameters"):
        out.put(0, "Parameters:")
        for key, title in (("apiGroup", "APIGroup"), ("kind", "Kind"), ("name", "Name")):
            if key != "apiGroup" or found.get(key):
                out.put(1, f"{title}:\t{found.get(key, '')}")


def service_cidr(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    out.put(0, f"CIDRs:\t{', '.join(spec_of(body).get('cidrs') or ())}")
    if rows := status_of(body).get("conditions"):
        out.put(0, "Status:\nConditions:")
        out.put(1, "Type\tStatus\tLastTransitionTime\tReason\tMessage")
        out.put(1, "----\t------\t------------------\t------\t-------")
        for c in rows:
            at = when(c.get("lastTransitionTime"))
            out.put(1, f"{c['type']}\t{c['status']}\t{at}\t{c.get('reason', '')}\t{c.get('message', '')}")


def ip_address(client: Client, body: Json, out: Blocks) -> None:
    head(body, out)
    if found := spec_of(body).get("parentRef"):
        out.put(0, "Parent Reference:")
        for key, title in (
            ("group", "Group"),
            ("resource", "Resource"),
            ("namespace", "Namespace"),
            ("name", "Name"),
        ):
            out.put(1, f"{title}:\t{found.get(key, '')}")

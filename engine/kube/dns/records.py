"""What CoreDNS sees of the cluster: the API's Services, EndpointSlices, Namespaces and Pods as a View.

Theory. A View is never changed, so many programs and copies of a lab share one. The newest lies in the cluster's
memory with the store's version up to which it looked; a newer one takes the dicts of the last and puts in what was
written since, so one endpoint's change costs one slice.

Source: coredns plugin/kubernetes/object/{service,endpoint,pod}.go: only ready endpoints count (`ready` absent =
true); of any address type, a name (FQDN) leads on as a CNAME; a port without a number has no SRV record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.store import Store
from engine.l7.dns.kubernetes import Address, Port, Service, Slice, View

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

MEMORY = "kube.dns.records"
KINDS = ("Service", "EndpointSlice", "Namespace")
OF_SERVICE = "kubernetes.io/service-name"
#: SOA serials are Unix times; the lab was born at this one
EPOCH = 1767225600


class Seen(NamedTuple):
    version: int
    view: View
    #: slice's key -> the Service that it belongs to
    owners: dict[tuple[str, str], tuple[str, str]]


def view(cluster: Cluster, now: float, *, pods: bool = False) -> View:
    """The newest View. `pods` also keeps the Pods' addresses (`pods verified`)."""
    store = cluster.store
    key = f"{MEMORY}/pods" if pods else MEMORY
    found = cluster.memory.get(key)
    old = found if isinstance(found, Seen) else None
    kinds = (*KINDS, "Pod") if pods else KINDS
    since = old.version if old is not None else 0
    changed = {kind: store.since(kind, since) for kind in kinds}
    if old is not None and not any(changed.values()):
        return old.view
    new = updated(store, old, changed, now)
    cluster.memory[key] = new
    return new.view


def updated(
    store: Store, old: Seen | None, changed: dict[str, tuple[tuple[str, str], ...]], now: float
) -> Seen:
    base = old.view if old is not None else View()
    services, slices = dict(base.services), dict(base.slices)
    owners = dict(old.owners) if old is not None else {}
    pods = dict(base.pods)
    for key in changed["Service"]:
        body = store.get("Service", *key)
        if body is None:
            services.pop(key, None)
        else:
            services[key] = service(body)
    for key in changed["EndpointSlice"]:
        body = store.get("EndpointSlice", *key)
        before = owners.pop(key, None)
        if before is not None:
            rest = tuple(s for s in slices.get(before, ()) if s.name != key[1])
            slices[before] = rest
            if not rest:
                del slices[before]
        owner = labels_of(body).get(OF_SERVICE) if body is not None else None
        if body is not None and owner:
            of = (key[0], str(owner))
            owners[key] = of
            rows = (*slices.get(of, ()), slice_of(body))
            slices[of] = tuple(sorted(rows, key=lambda s: s.name))
    namespaces = base.namespaces
    if changed["Namespace"]:
        namespaces = frozenset(name for _, name in store.objects.get("Namespace", {}))
    if changed.get("Pod"):
        pods = all_pods(store)
    return Seen(
        store.version,
        View(
            services=services, slices=slices, namespaces=namespaces, pods=pods, serial=EPOCH + int(now),
        ),
        owners,
    )  # fmt: skip


def service(body: Json) -> Service:
    spec = spec_of(body)
    cluster_ip = str(spec.get("clusterIP") or "")
    headless = cluster_ip == "None"
    external = str(spec.get("externalName") or "") if spec.get("type") == "ExternalName" else ""
    ips = () if headless or external else tuple(str(a) for a in spec.get("clusterIPs") or [cluster_ip] if a)
    ports = tuple(
        Port(str(p.get("name") or ""), str(p.get("protocol") or "TCP"), int(p.get("port") or 0))
        for p in spec.get("ports") or ()
    )
    if not ports and not external:
        # object/service.go: a Service without ports has one that fits every question
        ports = (Port("", "", -1),)
    return Service(namespace_of(body), name_of(body), ips, ports, headless, external)


def slice_of(body: Json) -> Slice:
    addresses = []
    for endpoint in body.get("endpoints") or ():
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        target = str((endpoint.get("targetRef") or {}).get("name") or "")
        host = str(endpoint.get("hostname") or "")
        addresses += [Address(str(a), host, target) for a in endpoint.get("addresses") or ()]
    ports = tuple(
        Port(
            str(p.get("name") or ""), str(p.get("protocol") or "TCP"), int(p["port"]) if p.get("port") else -1
        )
        for p in body.get("ports") or ()
    )
    return Slice(name_of(body), tuple(addresses), ports)


def all_pods(store: Store) -> dict[str, frozenset[str]]:
    """Address -> namespaces of the Pods that have it, those with their node's address among them (object/pod.go)."""
    out: dict[str, set[str]] = {}
    for (namespace, _), body in store.objects.get("Pod", {}).items():
        status = body.get("status") or {}
        ip = str(status.get("podIP") or "")
        if ip and "deletionTimestamp" not in meta(body):
            out.setdefault(ip, set()).add(namespace)
    return {ip: frozenset(names) for ip, names in out.items()}

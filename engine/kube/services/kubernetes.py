"""What the API server itself keeps true: default/kubernetes with the addresses of the API servers, the service range as
a ServiceCIDR, and an IPAddress for every ClusterIP.

Theory. Each API server writes its own address into the EndpointSlice and the Endpoints `kubernetes`; one that has
ended goes out of it when its lease has run out. A cluster whose control plane is not part of the lab is managed from
elsewhere: there is no address to write, and no Service. ServiceCIDR and IPAddress are objects from 1.33 on.
Sources: pkg/controlplane/controller/kubernetesservice, pkg/controlplane/reconcilers, KEP-1880.
"""

from __future__ import annotations

from engine.kube.boot import node_address
from engine.kube.clock import stamp
from engine.kube.objects import Json, deleting, edited, meta, name_of, spec_of
from engine.kube.overlay import Overlay
from engine.kube.passes import Pass
from engine.kube.services.allocate import addresses_of, first_ip
from engine.kube.validate.names import cidr
from engine.kube.written import Key
from engine.linux.addr import ip4, text4
from engine.record import dataclass

MEMORY = "engine.kube.services.kubernetes"
ADDRESSES = f"{MEMORY}/addresses"
PORT = 6443
SINCE = 33
FINALIZER = "networking.k8s.io/service-cidr-finalizer"


@dataclass(frozen=True, slots=True)
class Seen:
    """What was written last: the API servers' addresses, and the store's version up to which Services were read."""

    addresses: tuple[int, ...] = ()
    version: int = 0


def sync(at: Pass) -> None:
    old = at.cluster.memory.get(MEMORY, Seen())
    assert isinstance(old, Seen)
    addresses = servers(at) or old.addresses
    if addresses and (addresses != old.addresses or at.store.get("Service", "default", "kubernetes") is None):
        write(at, addresses)
    if at.options.minor >= SINCE:
        if not old.version:
            service_cidr(at)
        for key in at.store.since("Service", old.version):
            ip_addresses(at, *key)
        if at.store.since("ServiceCIDR", old.version) or at.store.since("IPAddress", old.version):
            for body in list(at.store.list("ServiceCIDR")):
                care(at, body)
    new = Seen(addresses, at.store.version)
    if new != old:
        at.cluster.memory[MEMORY] = new


def servers(at: Pass) -> tuple[int, ...]:
    """Addresses of the nodes where an API server runs, in order."""
    found = (
        node_address(at.net, node.name)
        for node in (at.cluster.nodes[name] for name in at.cluster.planes or ())
        if at.running(node, "kube-apiserver")
    )
    return tuple(sorted({a for a in found if a}))


def write(at: Pass, addresses: tuple[int, ...]) -> None:
    m = {"name": "kubernetes", "namespace": "default"}
    if at.store.get("Service", "default", "kubernetes") is None:
        at.create({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {**m, "labels": {"component": "apiserver", "provider": "kubernetes"}},
            "spec": {
                "clusterIP": text4(first_ip(at.options)), "type": "ClusterIP",
                "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": PORT}],
            },
        })  # fmt: skip
    put(at, {
        "apiVersion": "v1", "kind": "Endpoints",
        "metadata": {**m, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{
            "addresses": [{"ip": text4(a)} for a in addresses],
            "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
        }],
    })  # fmt: skip
    put(at, {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {**m, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [text4(a)], "conditions": {"ready": True}} for a in addresses],
        "ports": [{"name": "https", "port": PORT, "protocol": "TCP"}],
    })  # fmt: skip


def put(at: Pass, body: Json) -> None:
    """Create an object, or replace all of it but its metadata."""
    old = at.store.get(str(body["kind"]), "default", "kubernetes")
    if old is None:
        at.create(body)
        return
    at.store.update({**body, "metadata": edited(old)["metadata"]})


def service_cidr(at: Pass) -> None:
    if at.store.get("ServiceCIDR", "", "kubernetes") is None:
        at.create({
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": [str(at.options.service_cidr)]},
        })  # fmt: skip


def care(at: Pass, body: Json) -> None:
    """A ServiceCIDR is Ready; one that is deleted waits until no address of it is used that no other range has
    (pkg/controller/servicecidrs)."""
    name, going = name_of(body), deleting(body)
    if going and not [a for a in at.store.list("IPAddress") if only_in(at, body, name_of(a))]:
        at.store.remove("ServiceCIDR", "", name)
        return
    word, reason, message = (
        ("False", "Terminating", "There are still IPAddresses referencing the ServiceCIDR, please remove them or "
         "create a new ServiceCIDR")
        if going else ("True", "", "Kubernetes Service CIDR is ready")
    )  # fmt: skip
    before = ((body.get("status") or {}).get("conditions") or [{}])[0]
    if before.get("status") == word and FINALIZER in (meta(body).get("finalizers") or ()):
        return
    new = edited(body)
    if not going:
        new["metadata"]["finalizers"] = sorted({*(new["metadata"].get("finalizers") or ()), FINALIZER})
    new["status"] = {"conditions": [{
        "lastTransitionTime": stamp(at.now), "message": message, "reason": reason, "status": word, "type": "Ready",
    }]}  # fmt: skip
    at.store.update(new)


def only_in(at: Pass, body: Json, text: str) -> bool:
    """Is an address in this range and in no other that stays?"""
    number = ip4(text)

    def inside(row: Json) -> bool:
        found = (cidr(c) for c in spec_of(row).get("cidrs") or ())
        return any(f is not None and number >> (32 - f[1]) == f[0] >> (32 - f[1]) for f in found)

    others = (r for r in at.store.list("ServiceCIDR") if name_of(r) != name_of(body) and not deleting(r))
    return inside(body) and not any(inside(r) for r in others)


def ip_addresses(at: Pass, namespace: str, name: str) -> None:
    """The IPAddress objects of one Service: as many as it has ClusterIPs."""
    body = at.store.get("Service", namespace, name)
    wanted = {text4(a) for a in addresses_of(body)} if body is not None else set()
    had = given(at).get((namespace, name)) or ()
    for text in set(had) - wanted:
        if at.store.get("IPAddress", "", text) is not None:
            at.store.remove("IPAddress", "", text)
    for text in wanted:
        if at.store.get("IPAddress", "", text) is None:
            at.store.create(
                {
                    "apiVersion": "networking.k8s.io/v1", "kind": "IPAddress",
                    "metadata": {"name": text, "labels": LABELS},
                    "spec": {"parentRef": {
                        "group": "", "name": name, "namespace": namespace, "resource": "services"}},
                },
                at.now,
            )  # fmt: skip
    if wanted != set(had):
        at.mine(ADDRESSES, given(at)).put((namespace, name), tuple(sorted(wanted)) or None)


def given(at: Pass) -> Overlay[Key, tuple[str, ...]]:
    """The addresses of each Service that have an IPAddress object."""
    found = at.cluster.memory.get(ADDRESSES)
    return found if isinstance(found, Overlay) else Overlay()


LABELS = {
    "ipaddress.kubernetes.io/ip-family": "IPv4",
    "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
}

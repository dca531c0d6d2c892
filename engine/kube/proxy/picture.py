"""The cluster's Services as kube-proxy sees them, kept up to date from the store.

Theory. What ServiceChangeTracker and EndpointSliceCache of pkg/proxy keep on each node is the same on all of them, so
it is kept once: a `Picture`, from which a later one is made by looking only at the objects that were written since.
A service port's endpoints are those of all slices of its Service whose port has its name and protocol, each
address:port once, sorted as text (so 10.244.1.10 stands before 10.244.1.2).

Rules. Frozen: a new Picture shares all that did not change, so `is` tells what changed. Skipped as kube-proxy skips
them: headless and ExternalName Services, those without an address yet, those that another proxy serves
(label service.kubernetes.io/service-proxy-name). IPv4 only. Sources: pkg/proxy/{serviceport,servicechangetracker,
endpointslicecache}.go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from itertools import count
from typing import Any

from engine.kube.objects import Json, labels_of, meta, spec_of, status_of
from engine.kube.proxy.model import MANY, Endpoint, ServicePort
from engine.kube.proxy.topology import same_everywhere
from engine.kube.store import Store
from engine.linux.addr import Prefix, ip4
from engine.record import dataclass
from engine.unswept import unswept

Key = tuple[str, str]
PROXY_NAME = "service.kubernetes.io/service-proxy-name"
HEADLESS = "service.kubernetes.io/headless"
SERVICE_NAME = "kubernetes.io/service-name"
#: Copies of a cluster go their own ways; no two Pictures of any of them have the same number.
_SERIALS = count(1)
#: Changes that a Picture still knows one by one; who has looked away for longer looks at everything.
LOG = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """`services[namespace, name]` are a Service's ports with their endpoints; `slices` the names of a Service's
    slices, `owner` a slice's Service. `version` is the store's; `serial` is nobody else's, and `log` are the last
    changes as (serial, keys). `special` counts the Services for which it matters which node asks."""

    version: int = 0
    serial: int = 0
    services: dict[Key, tuple[ServicePort, ...]] = field(default_factory=dict)
    slices: dict[Key, frozenset[str]] = field(default_factory=dict)
    owner: dict[Key, str] = field(default_factory=dict)
    endpoints: int = 0
    special: int = 0
    #: how many Services have a health check node port
    checked: int = 0
    log: tuple[tuple[int, frozenset[Key]], ...] = ()

    def ports(self) -> Iterator[ServicePort]:
        """All service ports, by namespace and name."""
        for ports in self.services.values():
            yield from ports

    def changed(self, serial: int) -> frozenset[Key] | None:
        """The Services that differ from the Picture with `serial`; None when this one did not come from it, or too long
        ago."""
        if serial == self.serial:
            return frozenset()
        keys: set[Key] = set()
        for when, some in reversed(self.log):
            if when == serial:
                return frozenset(keys)
            keys |= some
        return None


def updated(old: Picture, store: Store) -> Picture:
    """The Picture of the store as it is now; `old` itself when nothing of it was written."""
    if old.version == store.version:
        return old
    touched = set(store.since("Service", old.version))
    sliced = store.since("EndpointSlice", old.version)
    if not touched and not sliced:
        return old
    slices, owner = old.slices, old.owner
    if sliced:
        slices, owner = dict(slices), dict(owner)
        for key in sliced:
            touched |= _reslice(store, slices, owner, key)
    services, total, special = dict(old.services), old.endpoints, old.special
    checked = old.checked
    changed: set[Key] = set()
    fresh = False
    with unswept(len(touched) > MANY):
        for key in touched:
            before = services.get(key, ())
            after = service_ports(store, key, slices.get(key, frozenset()))
            if before == after:
                continue
            changed.add(key)
            total += sum(len(p.endpoints) for p in after) - sum(len(p.endpoints) for p in before)
            special += any(map(matters, after)) - any(map(matters, before))
            checked += any(p.health_node_port for p in after) - any(p.health_node_port for p in before)
            if after:
                fresh = fresh or key not in services
                services[key] = _kept(before, after)
            else:
                services.pop(key, None)
    if fresh:
        services = {key: services[key] for key in sorted(services)}
    serial, log = old.serial, old.log
    if changed:
        serial = next(_SERIALS)
        log = (*log, (serial, frozenset(changed)))[-LOG:]
    return Picture(
        version=store.version, serial=serial, services=services, slices=slices, owner=owner, endpoints=total,
        special=special, checked=checked, log=log,
    )  # fmt: skip


def matters(port: ServicePort) -> bool:
    """Do a service port's rows depend on the node?"""
    return bool(port.source_ranges) or not same_everywhere(port)


def _kept(before: tuple[ServicePort, ...], after: tuple[ServicePort, ...]) -> tuple[ServicePort, ...]:
    """`after`, with the very records of `before` where they are equal."""
    return tuple(next((b for b in before if b == a), a) for a in after)


def _reslice(store: Store, slices: dict[Key, frozenset[str]], owner: dict[Key, str], key: Key) -> set[Key]:
    """Note to which Service a slice belongs now; the Services that it touches."""
    body = store.get("EndpointSlice", *key)
    service = "" if body is None else _serves(body)
    touched: set[Key] = set()
    for name, there in ((owner.get(key, ""), False), (service, True)):
        if name:
            at = (key[0], name)
            touched.add(at)
            have = slices.get(at, frozenset())
            slices[at] = have | {key[1]} if there else have - {key[1]}
            if not slices[at]:
                del slices[at]
    if service:
        owner[key] = service
    else:
        owner.pop(key, None)
    return touched


def _serves(body: Json) -> str:
    """The Service of a slice, "" for one that is not for kube-proxy."""
    labels = labels_of(body)
    if body.get("addressType") != "IPv4" or PROXY_NAME in labels or HEADLESS in labels:
        return ""
    return str(labels.get(SERVICE_NAME, ""))


def service_ports(store: Store, key: Key, slices: Iterable[str]) -> tuple[ServicePort, ...]:
    """One Service's ports with the endpoints of its slices; () for one that kube-proxy skips."""
    body = store.get("Service", *key)
    if body is None or skipped(body):
        return ()
    spec = spec_of(body)
    bodies = [b for name in sorted(slices) if (b := store.get("EndpointSlice", key[0], name)) is not None]
    kind = str(spec.get("type", "ClusterIP"))
    given = [str(a) for a in spec.get("externalIPs") or () if ":" not in str(a)]
    reached = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(spec.get("externalIPs")))
    local = reached and spec.get("externalTrafficPolicy") == "Local"
    ranges = [str(c).strip() for c in spec.get("loadBalancerSourceRanges") or ()]
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        config = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        affinity = int(config.get("timeoutSeconds") or 10800)
    common: dict[str, Any] = {
        "namespace": key[0],
        "name": key[1],
        "cluster_ip": ip4(str(spec["clusterIP"])),
        "external_ips": tuple(ip4(a) for a in given),
        "lb_ips": tuple(ip4(a) for a in balancer_ips(body)),
        "source_ranges": tuple(Prefix.parse(c) for c in ranges if ":" not in c),
        "external_local": local,
        "internal_local": spec.get("internalTrafficPolicy") == "Local",
        "affinity": affinity,
        "health_node_port": int(spec.get("healthCheckNodePort") or 0)
        if kind == "LoadBalancer" and local
        else 0,
    }
    out = []
    for row in spec.get("ports") or ():
        name, proto = str(row.get("name") or ""), str(row.get("protocol") or "TCP")
        out.append(
            ServicePort(
                port_name=name, proto=proto.lower(), port=int(row["port"]), node_port=int(row.get("nodePort") or 0),
                endpoints=endpoints(bodies, name, proto), **common,
            )
        )  # fmt: skip
    return tuple(out)


def skipped(body: Json) -> bool:
    """Does kube-proxy leave this Service alone?"""
    spec, labels = spec_of(body), labels_of(body)
    address = str(spec.get("clusterIP") or "None")
    return (
        address == "None"
        or ":" in address
        or spec.get("type") == "ExternalName"
        or PROXY_NAME in labels
        or HEADLESS in labels
    )


def balancer_ips(body: Json) -> list[str]:
    """The load balancer's addresses that nodes answer for: those whose ipMode is not Proxy."""
    rows = (status_of(body).get("loadBalancer") or {}).get("ingress") or ()
    return [
        str(r["ip"]) for r in rows if r.get("ip") and ":" not in r["ip"] and r.get("ipMode", "VIP") == "VIP"
    ]


def endpoints(slices: Iterable[Json], name: str, proto: str) -> tuple[Endpoint, ...]:
    """The endpoints of one port in all slices of its Service."""
    found: dict[str, Endpoint] = {}
    for body in slices:
        for row in body.get("ports") or ():
            if str(row.get("name") or "") != name or str(row.get("protocol") or "TCP") != proto:
                continue
            if not row.get("port"):
                continue
            for entry in body.get("endpoints") or ():
                one = _endpoint(entry, int(row["port"]))
                if one is None:
                    continue
                text = one.text
                if text not in found or (one.node and not found[text].node):
                    found[text] = one
    return tuple(found[text] for text in sorted(found))


def _endpoint(entry: Json, port: int) -> Endpoint | None:
    addresses = entry.get("addresses") or ()
    if not addresses:
        return None
    conditions, hints = entry.get("conditions") or {}, entry.get("hints") or {}
    return Endpoint(
        ip=ip4(str(addresses[0])),
        port=port,
        node=str(entry.get("nodeName") or ""),
        ready=_yes(conditions.get("ready"), True),
        serving=_yes(conditions.get("serving"), True),
        terminating=_yes(conditions.get("terminating"), False),
        zone_hints=tuple(str(z["name"]) for z in hints.get("forZones") or ()),
        node_hints=tuple(str(n["name"]) for n in hints.get("forNodes") or ()),
    )


def _yes(value: object, unsaid: bool) -> bool:
    return unsaid if value is None else bool(value)


def zone_of(store: Store, node: str) -> str:
    """The zone of a node, "" without the label."""
    body = store.get("Node", "", node)
    return (
        "" if body is None else str((meta(body).get("labels") or {}).get("topology.kubernetes.io/zone", ""))
    )

"""The Endpoints controller: the older picture of a Service, one object with subsets.

Theory. Every pod gives one subset per Service port; the repacker then makes of them one subset per set of addresses:
ports that the same addresses offer stand together, addresses are sorted by their text. More than 1,000 addresses are
cut, the ready ones first, and the object says so. Sources: pkg/controller/endpoint/endpoints_controller.go,
pkg/api/v1/endpoints/util.go (RepackSubsets).

Rules. A pod that terminates leaves this object at once, also where its slice still shows it. Where the real one sorts
by a hash of Go's dump (ports in a subset, subsets), they are in the Service's own order here.
"""

from __future__ import annotations

from math import ceil

from engine.kube.controllers import members, triggers
from engine.kube.controllers.endpointslice import HEADLESS, endpoint_ports
from engine.kube.controllers.members import Member, Seen
from engine.kube.objects import Json, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.passes import Pass

OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
#: The controller marks its objects since 1.33 (KEP-4974).
MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
CAPACITY = 1000
LEADER = "control-plane.alpha.kubernetes.io/leader"
#: A port as a key: name, number, protocol, appProtocol.
Port = tuple[str, int, str, str]
#: The port of an address that offers none (headless without ports).
NO_PORT: Port = ("", -1, "", "")


def sync(at: Pass) -> None:
    """Bring the Endpoints of every Service that changed up to date."""
    for turn, tracker, key, service in triggers.services(at, members.ENDPOINTS):
        old = at.store.get("Endpoints", *key)
        if service is not None:
            pods = turn.pods(key)
            write(at, service, old, subsets(service, pods), tracker.last_change(key, service, pods))
        elif old is not None and LEADER not in (meta(old).get("annotations") or {}):
            at.delete(old)


def subsets(service: Json, pods: list[Member]) -> list[Json]:
    """The repacked subsets of a Service."""
    spec = spec_of(service)
    publish, headless = bool(spec.get("publishNotReadyAddresses")), spec.get("clusterIP") == "None"
    six = (spec.get("ipFamilies") or ["IPv4"])[0] == "IPv6"
    named = any(isinstance(p.get("targetPort"), str) for p in spec.get("ports") or ())
    by_port: dict[Port, dict[tuple[str, str], bool]] = {}
    rows: dict[tuple[str, str], Json] = {}
    offered: list[Port] | None = None
    for name, pod, seen in pods:
        ip = next((ip for ip in seen.ips if (":" in ip) == six), "")
        if not ip or not seen.included(going=publish):
            continue
        key = (ip, seen.uid)
        rows[key] = address(service, name, seen, ip)
        if offered is None or named:
            offered = [port_of(p) for p in endpoint_ports(service, pod)]
            if not spec.get("ports"):
                offered = [NO_PORT] if headless else []
        for port in offered:
            by_port.setdefault(port, {})[key] = publish or seen.ready
    by_addresses: dict[tuple[tuple[tuple[str, str], bool], ...], list[Port]] = {}
    for port, addresses in by_port.items():
        by_addresses.setdefault(tuple(sorted(addresses.items())), []).append(port)
    return [subset(found, ports, rows) for found, ports in by_addresses.items()]


def subset(
    found: tuple[tuple[tuple[str, str], bool], ...], ports: list[Port], rows: dict[tuple[str, str], Json]
) -> Json:
    out: Json = {}
    if ready := [rows[key] for key, good in found if good]:
        out["addresses"] = ready
    if unready := [rows[key] for key, good in found if not good]:
        out["notReadyAddresses"] = unready
    if ports != [NO_PORT]:
        out["ports"] = [port_body(p) for p in ports]
    return out


def port_of(port: Json) -> Port:
    return port["name"], port["port"], port["protocol"], port.get("appProtocol", "")


def port_body(port: Port) -> Json:
    name, number, protocol, app = port
    out: Json = {"name": name} if name else {}
    out |= {"port": number, "protocol": protocol}
    return out | ({"appProtocol": app} if app else {})


def address(service: Json, name: str, seen: Seen, ip: str) -> Json:
    out: Json = {"ip": ip}
    if seen.host[0] and seen.host[1] == name_of(service):
        out["hostname"] = seen.host[0]
    if seen.node:
        out["nodeName"] = seen.node
    out["targetRef"] = {
        "kind": "Pod", "name": name, "namespace": namespace_of(service), "uid": seen.uid,
    }  # fmt: skip
    return out


def write(at: Pass, service: Json, old: Json | None, found: list[Json], trigger: str) -> None:
    """Create or replace the object where it differs."""
    labels = dict(labels_of(service))
    if spec_of(service).get("clusterIP") in (None, "", "None"):
        labels[HEADLESS] = ""
    if at.options.minor >= 33:
        labels[MANAGED_BY] = MANAGER
    cut = truncated(found)
    notes = dict((meta(old) if old is not None else {}).get("annotations") or {})
    same = old is not None and labels_of(old) == labels and (old.get("subsets") or []) == (cut or found)
    if same and (OVER_CAPACITY in notes) == (cut is not None):
        return
    notes.pop(triggers.ANNOTATION, None)
    notes.pop(OVER_CAPACITY, None)
    if trigger:
        notes[triggers.ANNOTATION] = trigger
    if cut is not None:
        notes[OVER_CAPACITY] = "truncated"
    m: Json = {"labels": labels} if labels else {}
    m |= {"annotations": notes} if notes else {}
    kept = (
        {k: v for k, v in meta(old).items() if k not in ("labels", "annotations")} if old is not None else {}
    )
    m = {**kept, "name": name_of(service), "namespace": namespace_of(service), **m}
    body: Json = {"apiVersion": "v1", "kind": "Endpoints", "metadata": m}
    if found:
        body["subsets"] = found if cut is None else cut
    if old is None:
        at.try_create(body)
    else:
        at.store.update(body)


def truncated(found: list[Json]) -> list[Json] | None:
    """truncateEndpoints: at most 1,000 addresses, shared over the subsets by their size, ready ones first. None while
    there is nothing to cut."""
    ready = sum(len(s.get("addresses") or ()) for s in found)
    unready = sum(len(s.get("notReadyAddresses") or ()) for s in found)
    if ready + unready <= CAPACITY:
        return None
    cut_ready = ready > CAPACITY
    room, total = (CAPACITY, ready) if cut_ready else (CAPACITY - ready, unready)
    word, left, out = ("addresses" if cut_ready else "notReadyAddresses"), room, []
    for s in found:
        new = dict(s)
        share = min(left, ceil(len(s.get(word) or ()) / total * room))
        new[word] = (s.get(word) or [])[:share]
        left -= len(new[word])
        if cut_ready:
            new.pop("notReadyAddresses", None)
        out.append({k: v for k, v in new.items() if v})
    return out

"""The EndpointSlice mirroring controller: Endpoints that people write by hand become slices.

Theory. Endpoints of a Service without a selector are mirrored: one slice per set of ports and address family, at most
1,000 addresses per subset. Not mirrored: the label endpointslice.kubernetes.io/skip-mirror=true, the leader election
annotation, no Service, a Service with a selector. Source: pkg/controller/endpointslicemirroring.

Rules. Level-triggered through `members`; the slices that it manages are known by their label.
"""

from __future__ import annotations

import ipaddress

from engine.kube.controllers import members, triggers
from engine.kube.controllers.endpoints import LEADER
from engine.kube.controllers.endpointslice import Ports, identity, owner, port_key, prefix
from engine.kube.controllers.members import MANAGED_BY, SERVICE_NAME, Key
from engine.kube.objects import Json, deleting, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.passes import Pass

MANAGER = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MAXIMUM = 1000
SOURCE = "endpoint-slice-mirroring-controller"
Group = tuple[str, Ports]


def sync(at: Pass) -> None:
    """Bring the mirrors of every Endpoints object that changed up to date."""
    turn = members.Turn(at, members.MIRRORING)
    if not turn.keys:
        return
    for key in turn.keys:
        existing = turn.slices(key, MANAGER)
        endpoints = at.store.get("Endpoints", *key)
        if endpoints is not None and mirrored(at, key, endpoints):
            reconcile(at, endpoints, existing)
        else:
            for slice in existing:
                at.delete(slice)
    turn.close()


def mirrored(at: Pass, key: Key, endpoints: Json) -> bool:
    service = at.store.get("Service", *key)
    return (
        labels_of(endpoints).get(SKIP) != "true"
        and LEADER not in (meta(endpoints).get("annotations") or {})
        and service is not None
        and not spec_of(service).get("selector")
    )


def reconcile(at: Pass, endpoints: Json, existing: list[Json]) -> None:
    desired: dict[Group, dict[tuple[object, ...], Json]] = {}
    ports: dict[Group, list[Json]] = {}
    invalid = skipped = 0
    for subset in endpoints.get("subsets") or ():
        given = [slice_port(p) for p in subset.get("ports") or ()]
        added = 0
        rows = [(a, True) for a in subset.get("addresses") or ()]
        rows += [(a, False) for a in subset.get("notReadyAddresses") or ()]
        for address, ready in rows:
            if added >= MAXIMUM:
                break
            family = family_of(str(address.get("ip", "")))
            if not family:
                invalid += 1
                continue
            group = (family, port_key(given))
            ports[group] = given
            endpoint = mirror(address, ready)
            desired.setdefault(group, {}).setdefault(identity(endpoint), endpoint)
            added += 1
        skipped += len(rows) - added
    report(at, endpoints, invalid, skipped)
    by_group: dict[Group, list[Json]] = {}
    for slice in existing:
        key = (str(slice.get("addressType")), port_key(slice.get("ports")))
        by_group.setdefault(key, []).append(slice)
    create: list[Json] = []
    remove: list[Json] = []
    update: list[Json] = []
    for group, found in desired.items():
        mine = by_group.pop(group, [])
        remove += mine[1:]
        new = slice_for(endpoints, group[0], ports[group], list(found.values()))
        if not mine:
            create.append(new)
        elif not same(mine[0], new):
            update.append({**new, "metadata": {**meta(mine[0]), **new["metadata"]}})
    remove += [s for rows_left in by_group.values() for s in rows_left]
    while create and remove:
        new, old = create.pop(), remove.pop(0)
        if old.get("addressType") == new["addressType"]:
            update.append({**new, "metadata": {**meta(old), **new["metadata"]}})
        else:
            at.delete(old)
            at.try_create(new)
    for new in [] if deleting(endpoints) else create:
        at.try_create({**new, "metadata": {**new["metadata"], "generateName": prefix(name_of(endpoints))}})
    for new in update:
        new["metadata"]["generation"] = int(new["metadata"].get("generation", 1)) + 1
        at.store.update(new)
    for old in remove:
        at.delete(old)


def report(at: Pass, endpoints: Json, invalid: int, skipped: int) -> None:
    if invalid:
        text = f"Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices"
        at.store.record(endpoints, "Warning", "InvalidIPAddress", text, SOURCE, at.now)
    if skipped > invalid:
        text = (
            f"A max of {MAXIMUM} addresses can be mirrored to EndpointSlices per Endpoints subset. {skipped} "
        )
        at.store.record(
            endpoints, "Warning", "TooManyAddressesToMirror", text + "addresses were skipped", SOURCE, at.now
        )


def family_of(ip: str) -> str:
    """IPv4, IPv6, or "" for what is no address."""
    try:
        return f"IPv{ipaddress.ip_address(ip).version}"
    except ValueError:
        return ""


def slice_port(port: Json) -> Json:
    out: Json = {
        "name": str(port.get("name") or ""), "port": int(port["port"]), "protocol": port.get("protocol", "TCP"),
    }  # fmt: skip
    return out | ({"appProtocol": port["appProtocol"]} if port.get("appProtocol") else {})


def mirror(address: Json, ready: bool) -> Json:
    out: Json = {"addresses": [str(address["ip"])], "conditions": {"ready": ready}}
    return out | {k: address[k] for k in ("hostname", "nodeName", "targetRef") if address.get(k)}


def slice_for(endpoints: Json, family: str, ports: list[Json], rows: list[Json]) -> Json:
    labels = {**labels_of(endpoints), SERVICE_NAME: name_of(endpoints), MANAGED_BY: MANAGER}
    notes = {
        k: v
        for k, v in (meta(endpoints).get("annotations") or {}).items()
        if k not in (triggers.ANNOTATION, LAST_APPLIED)
    }
    m: Json = {
        "namespace": namespace_of(endpoints), "generation": 1, "labels": labels,
        "ownerReferences": [owner(endpoints)],
    }  # fmt: skip
    if notes:
        m["annotations"] = notes
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": m, "addressType": family,
        "endpoints": rows, "ports": ports,
    }  # fmt: skip


def same(old: Json, new: Json) -> bool:
    """Are the endpoints those that are wanted, in whatever order?"""
    rows = {identity(e): e for e in old.get("endpoints") or ()}
    return rows == {identity(e): e for e in new["endpoints"]}

"""Topology hints of EndpointSlices by a Service's trafficDistribution.

Source: staging/src/k8s.io/endpointslice/trafficdist. PreferSameZone and PreferSameNode are understood from 1.34 on,
PreferClose (the old name of PreferSameZone) from 1.31 on (KEP-3015, KEP-4444). Only ready endpoints carry a hint; one
that is not ready keeps what it had.
"""

from __future__ import annotations

from engine.kube.objects import Json, meta, spec_of

#: Annotations that ask for hints by the zones' processors (topology aware routing), the older one first.
ANNOTATIONS = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")


def by_annotation(service: Json) -> bool:
    """Does the Service ask for hints by annotation? The older one decides when both are there."""
    found = meta(service).get("annotations") or {}
    for key in ANNOTATIONS:
        if key in found:
            return found[key] in ("Auto", "auto")
    return False


def preference(service: Json, minor: int) -> str:
    """PreferClose, PreferSameZone or PreferSameNode if this release acts on it, else ""."""
    wanted = str(spec_of(service).get("trafficDistribution") or "")
    if by_annotation(service):
        return ""
    if wanted == "PreferClose" and minor >= 31:
        return wanted
    return wanted if wanted in ("PreferSameZone", "PreferSameNode") and minor >= 34 else ""


def hinted(endpoint: Json, wanted: str) -> Json:
    """The endpoint with the hints that it should have."""
    if not wanted:
        return without(endpoint)
    if not endpoint["conditions"].get("ready"):
        return endpoint
    hints: Json = {}
    if endpoint.get("zone"):
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if endpoint.get("nodeName") and wanted == "PreferSameNode":
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    if endpoint.get("hints") == hints:
        return endpoint
    return {**without(endpoint), "hints": hints} if hints else without(endpoint)


def without(endpoint: Json) -> Json:
    return {k: v for k, v in endpoint.items() if k != "hints"} if "hints" in endpoint else endpoint

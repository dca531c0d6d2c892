"""EndpointSlices and Endpoints (pkg/apis/discovery/validation, pkg/apis/core/validation), defaulted already."""

from __future__ import annotations

from collections.abc import Iterator

from engine.kube.objects import Json
from engine.kube.validate.errors import IMMUTABLE, bad, duplicate, required, too_many, unsupported
from engine.kube.validate.names import (
    address,
    ip_errors,
    is_ip6,
    label_errors,
    label_value_errors,
    port_number_errors,
    qualified_errors,
    special_ip_errors,
    subdomain_errors,
)

TYPES = ("FQDN", "IPv4", "IPv6")
PROTOCOLS = ("SCTP", "TCP", "UDP")
MOST_ENDPOINTS, MOST_ADDRESSES, MOST_PORTS, MOST_HINTS = 1000, 100, 20000, 8


def slice_errors(body: Json) -> Iterator[str]:
    """ValidateEndpointSlice."""
    kind = body.get("addressType", "")
    if not kind:
        yield required("addressType")
    elif kind not in TYPES:
        yield unsupported("addressType", kind, TYPES)
    rows = body.get("endpoints") or []
    if len(rows) > MOST_ENDPOINTS:
        yield too_many("endpoints", len(rows), MOST_ENDPOINTS)
    else:
        for i, row in enumerate(rows):
            yield from endpoint_errors(row, kind, f"endpoints[{i}]")
    yield from slice_port_errors(body.get("ports") or [])


def endpoint_errors(row: Json, kind: str, path: str) -> Iterator[str]:
    texts = row.get("addresses") or []
    if not texts:
        yield required(f"{path}.addresses", "must contain at least 1 address")
    elif len(texts) > MOST_ADDRESSES:
        yield too_many(f"{path}.addresses", len(texts), MOST_ADDRESSES)
    for i, text in enumerate(texts):
        at = f"{path}.addresses[{i}]"
        if kind == "IPv4":
            if address(text) is None:
                yield bad(at, text, "must be a valid IPv4 address")
            yield from special_ip_errors(text, at)
        elif kind == "IPv6" and not is_ip6(text):
            yield bad(at, text, "must be a valid IPv6 address")
        elif kind == "FQDN":
            name = text.removesuffix(".")
            yield from subdomain_errors(name, at)
            if "." not in name:
                yield bad(at, name, "should be a domain with at least two segments separated by dots")
    if row.get("nodeName"):
        yield from subdomain_errors(row["nodeName"], f"{path}.nodeName")
    if row.get("hostname"):
        yield from label_errors(row["hostname"], f"{path}.hostname")
    for key in ("forZones", "forNodes"):
        yield from hint_errors((row.get("hints") or {}).get(key) or [], f"{path}.hints.{key}")


def hint_errors(rows: list[Json], path: str) -> Iterator[str]:
    if len(rows) > MOST_HINTS:
        yield too_many(path, len(rows), MOST_HINTS)
        return
    names: set[str] = set()
    for i, row in enumerate(rows):
        name = row.get("name", "")
        if name in names:
            yield duplicate(f"{path}[{i}].name", name)
        names.add(name)
        yield from label_value_errors(name, f"{path}[{i}].name")


def slice_port_errors(rows: list[Json]) -> Iterator[str]:
    if len(rows) > MOST_PORTS:
        yield too_many("ports", len(rows), MOST_PORTS)
        return
    names: set[str] = set()
    for i, row in enumerate(rows):
        path, name = f"ports[{i}]", row.get("name") or ""
        if name:
            yield from label_errors(name, f"{path}.name")
        if name in names:
            yield duplicate(f"{path}.name", name)
        names.add(name)
        if row.get("protocol") not in PROTOCOLS:
            yield unsupported(f"{path}.protocol", row.get("protocol"), PROTOCOLS)
        if row.get("appProtocol"):
            yield from qualified_errors(row["appProtocol"], f"{path}.appProtocol")


def slice_update_errors(old: Json, new: Json) -> Iterator[str]:
    if old.get("addressType") != new.get("addressType"):
        yield bad("addressType", new.get("addressType"), IMMUTABLE)


def endpoints_errors(body: Json) -> Iterator[str]:
    """ValidateEndpoints."""
    for i, subset in enumerate(body.get("subsets") or ()):
        path = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for key in ("addresses", "notReadyAddresses"):
            for j, row in enumerate(subset.get(key) or ()):
                at = f"{path}.{key}[{j}]"
                wrong = list(ip_errors(row.get("ip", ""), f"{at}.ip"))
                yield from wrong or special_ip_errors(row.get("ip", ""), f"{at}.ip")
                if row.get("hostname"):
                    yield from label_errors(row["hostname"], f"{at}.hostname")
                if row.get("nodeName"):
                    yield from subdomain_errors(row["nodeName"], f"{at}.nodeName")
        ports = subset.get("ports") or []
        for j, port in enumerate(ports):
            at = f"{path}.ports[{j}]"
            if not port.get("name"):
                if len(ports) > 1:
                    yield required(f"{at}.name")
            else:
                yield from label_errors(port["name"], f"{at}.name")
            yield from port_number_errors(port.get("port"), f"{at}.port")
            if port.get("protocol") not in PROTOCOLS:
                yield unsupported(f"{at}.protocol", port.get("protocol"), PROTOCOLS)
            if port.get("appProtocol"):
                yield from qualified_errors(port["appProtocol"], f"{at}.appProtocol")

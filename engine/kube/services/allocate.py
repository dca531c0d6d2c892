"""ClusterIPs and node ports: which are taken, and which a Service gets.

Theory. Both ranges have two bands: whoever asks for a number by name finds the lower band free, because numbers that
nobody named are drawn from the upper one first, at random, going on from there to the next free one. One number serves
every protocol of a port. Nothing is kept: what is taken is what the stored Services say, looked at again for those
that were written since the last time.

Rules. `allocate` changes the body in place and raises Refused; it writes nothing. Numbers are drawn from the lab's seed
(Ids) by the Service's name, so that a lab's Services do not change their addresses when another is added, unless they
would collide. Sources: pkg/registry/core/service/{storage/alloc.go, ipallocator, portallocator}, KEP-3070, KEP-3668.
"""

from __future__ import annotations

from engine.kube.objects import Json, deleting, name_of, namespace_of, spec_of
from engine.kube.options import Options
from engine.kube.overlay import Overlay
from engine.kube.services.defaults import PROXIED, WITH_NODE_PORTS
from engine.kube.store import Store
from engine.kube.validate.errors import Refused, bad, invalid
from engine.kube.validate.names import address, cidr
from engine.kube.validate.services import cluster_ip_errors, headless, needs_health
from engine.kube.written import Key
from engine.linux.addr import Prefix, text4
from engine.record import dataclass

MEMORY = "engine.kube.services.allocate"
TAKEN_IP = "provided IP is already allocated"
TAKEN_PORT = "provided port is already allocated"


@dataclass(frozen=True, slots=True)
class Held:
    """What the stored Services hold, up to a version of the store: (namespace, name) -> (addresses, node ports)."""

    version: int
    rows: Overlay[Key, tuple[tuple[int, ...], tuple[int, ...]]]
    ips: Overlay[int, Key]
    ports: Overlay[int, Key]


EMPTY = Held(0, Overlay(), Overlay(), Overlay())


def held(store: Store, memory: dict[str, object]) -> Held:
    """The table of what is taken, brought up to date."""
    old = memory.get(MEMORY, EMPTY)
    assert isinstance(old, Held)
    changed = store.since("Service", old.version)
    if not changed:
        return old
    rows, ips, ports = old.rows.copy(), old.ips.copy(), old.ports.copy()
    for key in changed:
        had = rows.get(key)
        if had is not None:
            rows.put(key, None)
            ips.put_all(dict.fromkeys(had[0]))
            ports.put_all(dict.fromkeys(had[1]))
    for key in changed:
        body = store.get("Service", *key)
        if body is not None:
            row = (addresses_of(body), ports_of(body))
            rows.put(key, row)
            ips.put_all(dict.fromkeys(row[0], key))
            ports.put_all(dict.fromkeys(row[1], key))
    new = Held(store.version, rows, ips, ports)
    memory[MEMORY] = new
    return new


def addresses_of(body: Json) -> tuple[int, ...]:
    """The ClusterIPs of a Service."""
    spec = spec_of(body)
    if spec.get("type") == "ExternalName" or headless(spec):
        return ()
    rows = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return tuple(ip for ip in (address(str(text)) for text in rows) if ip is not None)


def ports_of(body: Json) -> tuple[int, ...]:
    """Node ports and the health check's port."""
    spec = spec_of(body)
    rows = {int(p["nodePort"]) for p in spec.get("ports") or () if p.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        rows.add(int(spec["healthCheckNodePort"]))
    return tuple(sorted(rows))


def allocate(
    store: Store,
    memory: dict[str, object],
    options: Options,
    body: Json,
    old: Json | None,
    *,
    found: bool = False,
) -> None:
    """Give a Service what it needs: a new one (`old` None) or a changed one. Refused. `found` = it comes from another
    cluster, whose ranges this one does not know: numbers out of range are kept."""
    taken = held(store, memory)
    spec = spec_of(body)
    if spec.get("type") in PROXIED:
        families(body, options.minor)
        if not headless(spec):
            cluster_ip(store, taken, options, body, found)
    if spec.get("type") in WITH_NODE_PORTS:
        node_ports(store, taken, options, body, shared=old is None, found=found)
    if needs_health(spec):
        health_port(store, taken, options, body, old)


def strange(store: Store, options: Options, body: Json) -> list[str]:
    """The addresses and node ports of a Service that are out of this cluster's ranges, as text."""
    first, _, last = port_band(options)
    ips = [text4(ip) for ip in addresses_of(body) if not_in_range(store, options, ip)]
    return [*ips, *(str(p) for p in ports_of(body) if not first <= p <= last)]


# ---- addresses


def families(body: Json, minor: int) -> None:
    """initIPFamilyFields on a cluster with IPv4 alone."""
    spec = spec_of(body)
    selectorless = headless(spec) and not spec.get("selector")
    if spec.get("ipFamilyPolicy") is None:
        spec["ipFamilyPolicy"] = "RequireDualStack" if selectorless else "SingleStack"
    errors = list(cluster_ip_errors(spec))
    if errors:
        raise invalid(body, errors, minor)
    policy, rows, ips = spec["ipFamilyPolicy"], spec.get("ipFamilies") or [], spec.get("clusterIPs") or []
    if policy == "SingleStack":
        why = "must be 'RequireDualStack' or 'PreferDualStack' when multiple "
        if len(ips) == 2:
            errors.append(bad("spec.ipFamilyPolicy", policy, f"{why}cluster IPs are specified"))
        if len(rows) == 2:
            errors.append(bad("spec.ipFamilyPolicy", policy, f"{why}IP families are specified"))
    for i, ip in enumerate(ips):
        if ip != "None" and i >= len(rows) and address(ip) is None:
            errors.append(bad(f"spec.clusterIPs[{i}]", ips, "IPv6 is not configured on this cluster"))
    if errors:
        raise invalid(body, errors, minor)
    if selectorless:
        rows = rows or ["IPv4"]
        if len(rows) < 2 and policy != "SingleStack":
            rows = [*rows, "IPv6" if rows[0] == "IPv4" else "IPv4"]
        spec["ipFamilies"] = rows
        return
    if policy == "RequireDualStack":
        why = "this cluster is not configured for dual-stack services"
        errors.append(bad("spec.ipFamilyPolicy", policy, why))
    for i, family in enumerate(rows):
        if family != "IPv4":
            errors.append(bad(f"spec.ipFamilies[{i}]", family, "not configured on this cluster"))
    if errors:
        raise invalid(body, errors, minor)
    spec["ipFamilies"] = rows or ["IPv4"]


def ranges(store: Store, options: Options) -> list[Prefix]:
    """The cluster's own range, and those of ServiceCIDRs that are not going (KEP-1880, from 1.33)."""
    out = [options.service_cidr]
    for body in store.list("ServiceCIDR") if options.minor >= 33 else ():
        for text in [] if deleting(body) else spec_of(body).get("cidrs") or ():
            found = cidr(text)
            if found is not None and Prefix(*found) not in out:
                out.append(Prefix(*found))
    return out


def first_ip(options: Options) -> int:
    """The address of default/kubernetes."""
    return options.service_cidr.addr + 1


def ip_band(cidr: Prefix) -> tuple[int, int, int]:
    """(first, first of the dynamic band, last) address of a range: offset min(max(16, size/16), 256)."""
    first, last = cidr.addr + 1, cidr.broadcast - 1
    size = cidr.broadcast - cidr.addr + 1
    offset = min(max(16, size // 16), 256)
    return first, first + offset if size > offset + 2 else first, last


def cluster_ip(store: Store, taken: Held, options: Options, body: Json, found: bool) -> None:
    spec, key = spec_of(body), (namespace_of(body), name_of(body))
    wanted = list(spec.get("clusterIPs") or ())
    own = first_ip(options)
    if wanted:
        number = address(wanted[0])
        if number is None:
            return
        if (taken.ips.get(number) or key) != key or (
            number == own and key != ("default", "kubernetes") and number not in taken.ips
        ):
            raise refused_ip(options, body, wanted, TAKEN_IP)
        if number in taken.ips:
            return
        if not found and (why := not_in_range(store, options, number)):
            raise refused_ip(options, body, wanted, why)
        return
    ids = store.ids
    start = int.from_bytes(ids.draw(f"clusterIP/{key[0]}/{key[1]}")[:8], "big")
    bands = [ip_band(c) for c in ranges(store, options)]
    for low, high in [b for first, dynamic, last in bands for b in ((dynamic, last), (first, dynamic - 1))]:
        size = high - low + 1
        for step in range(size):
            number = low + (start + step) % size
            if number not in taken.ips and number != own:
                text = text4(number)
                spec["clusterIP"], spec["clusterIPs"] = text, [text]
                return
    raise Refused("InternalError", "Internal error occurred: failed to allocate a serviceIP: range is full")


def not_in_range(store: Store, options: Options, number: int) -> str:
    """Why no range has this address, "" when one has it. From 1.33 the allocator first looks for a ServiceCIDR."""
    around = [c for c in ranges(store, options) if c.addr <= number <= c.broadcast]
    if any(c.addr < number < c.broadcast for c in around):
        return ""
    if options.minor >= 33 and not around:
        return "the provided network does not match the current range"
    found = around[0] if around else options.service_cidr
    return f"the provided IP ({text4(number)}) is not in the valid range. The range of valid IPs is {found}"


def refused_ip(options: Options, body: Json, wanted: list[str], why: str) -> Refused:
    error = bad("spec.clusterIPs", wanted, f"failed to allocate IP {wanted[0]}: {why}")
    return invalid(body, [error], options.minor)


# ---- ports


def port_band(options: Options) -> tuple[int, int, int]:
    """(first, first of the dynamic band, last) node port: offset min(max(16, size/32), 128)."""
    first, last = options.node_ports
    size = last - first + 1
    offset = min(max(16, size // 32), 128)
    return first, first + offset if size > offset else first, last


def free_port(store: Store, taken: Held, options: Options, body: Json, mine: set[int]) -> int:
    """The next free node port. Refused when there is none."""
    first, dynamic, last = port_band(options)
    start = int.from_bytes(store.ids.draw(f"nodePort/{namespace_of(body)}/{name_of(body)}")[:8], "big")
    for low, high in ((dynamic, last), (first, dynamic - 1)):
        size = high - low + 1
        for step in range(size):
            number = low + (start + step) % size
            if number not in taken.ports and number not in mine:
                return number
    raise Refused("InternalError", "Internal error occurred: failed to allocate a nodePort: range is full")


def port_problem(taken: Held, options: Options, key: tuple[str, str], number: int) -> str:
    """Why this Service cannot have a port; "" when it can."""
    holder = taken.ports.get(number)
    if holder == key:
        return ""
    first, _, last = port_band(options)
    if not first <= number <= last:
        return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
    return TAKEN_PORT if holder is not None else ""


def node_ports(
    store: Store, taken: Held, options: Options, body: Json, *, shared: bool, found: bool = False
) -> None:
    """initNodePorts (`shared`: a new Service has one number for a port number, whatever its protocols) and
    updateNodePorts."""
    spec, key = spec_of(body), (namespace_of(body), name_of(body))
    draws = spec.get("type") == "NodePort" or spec.get("allocateLoadBalancerNodePorts", True)
    ports = spec.get("ports") or []
    mine: set[int] = {int(p["nodePort"]) for p in ports if p.get("nodePort")}
    by_port: dict[int, int] = {}
    for i, port in enumerate(ports):
        number = int(port.get("nodePort") or 0)
        if number:
            why = port_problem(taken, options, key, number)
            if why and not (found and number not in taken.ports):
                raise invalid(body, [bad(f"spec.ports[{i}].nodePort", number, why)])
            by_port.setdefault(int(port.get("port") or 0), number)
    for port in ports:
        number = int(port.get("port") or 0)
        if port.get("nodePort") or not draws:
            continue
        if number not in by_port or not shared:
            by_port[number] = free_port(store, taken, options, body, mine)
            mine.add(by_port[number])
        port["nodePort"] = by_port[number]


def health_port(store: Store, taken: Held, options: Options, body: Json, old: Json | None) -> None:
    spec, key = spec_of(body), (namespace_of(body), name_of(body))
    mine = {int(p["nodePort"]) for p in spec.get("ports") or () if p.get("nodePort")}
    number = int(spec.get("healthCheckNodePort") or 0)
    if not number:
        spec["healthCheckNodePort"] = free_port(store, taken, options, body, mine)
        return
    if old is not None and spec_of(old).get("healthCheckNodePort") == number:
        return
    why = TAKEN_PORT if number in mine else port_problem(taken, options, key, number)
    if why:
        text = f"failed to allocate requested HealthCheck NodePort {number}: {why}"
        raise Refused("InternalError", f"Internal error occurred: {text}")

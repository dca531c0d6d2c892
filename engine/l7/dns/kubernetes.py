"""The plugin kubernetes: names of Services, their endpoints and Pods, from what the program has seen of the cluster.

Theory. CoreDNS watches the API and keeps what it saw; here that is a `View`, which whoever feeds the program puts
into its memory under VIEW. No view: it has not synchronised, and names that it does not find are SERVFAIL. The view
knows no cluster: rows of services, slices of endpoints, namespaces, pods.

Names (zone = cluster.local): SERVICE.NS.svc.zone, ENDPOINT.SERVICE.NS.svc.zone, _PORT._PROTO.SERVICE.NS.svc.zone,
A-B-C-D.NS.pod.zone, dns-version.zone (TXT), ns.dns.zone. What is unknown is NXDOMAIN with the zone's SOA; what is
known without such a record is NOERROR with the SOA and no answer.

Source: coredns plugin/kubernetes/{handler,kubernetes,parse,reverse,ns}.go, plugin/backend_lookup.go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from engine.l7.dns.chain import Next, Query, Reply, ask, falls, matches
from engine.linux.addr import text4
from engine.linux.wire import dns
from engine.linux.wire.dns import Message, Record
from engine.record import dataclass, replace

#: the key of the View in a program's memory
VIEW = "kubernetes"
SCHEMA_VERSION = "1.1.0"
CHAIN = 10
#: releases in which only an endpoint with a hostname has a PTR (coredns#6898, taken back by #7194)
HOSTNAMES_ONLY = ("1.11.4", "1.12.0")


class Port(NamedTuple):
    name: str
    proto: str
    port: int


class Address(NamedTuple):
    """A ready endpoint. `ip` is what its slice says, an address or a name; `hostname` the pod's hostname where it has a
    subdomain; `target` the pod's name."""

    ip: str
    hostname: str = ""
    target: str = ""


class Slice(NamedTuple):
    """One EndpointSlice: its ready addresses and its ports (without ports: one that fits every question)."""

    name: str
    addresses: tuple[Address, ...]
    ports: tuple[Port, ...]


class Service(NamedTuple):
    """`ips` are the cluster addresses, () for a headless one; `external` the name of an ExternalName."""

    namespace: str
    name: str
    ips: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    headless: bool = False
    external: str = ""


Key = tuple[str, str]


@dataclass(slots=True, kw_only=True)
class View:
    """What the program knows of the cluster. Never changed: a newer state is a new View. Keys are (namespace, name)."""

    services: Mapping[Key, Service] = field(default_factory=dict)
    slices: Mapping[Key, tuple[Slice, ...]] = field(default_factory=dict)
    namespaces: frozenset[str] = frozenset()
    pods: Mapping[str, frozenset[str]] = field(default_factory=dict)
    serial: int = 0
    _by_ip: dict[str, Service] | None = None
    _by_endpoint: dict[str, tuple[tuple[Key, Address], ...]] | None = None

    def service_of(self, ip: str) -> Service | None:
        """The Service with a cluster address."""
        if self._by_ip is None:
            self._by_ip = {ip: s for s in self.services.values() for ip in s.ips}
        return self._by_ip.get(ip)

    def endpoints_of(self, ip: str) -> tuple[tuple[Key, Address], ...]:
        """(service, endpoint) of every endpoint with an address."""
        if self._by_endpoint is None:
            found: dict[str, list[tuple[Key, Address]]] = {}
            for key, slices in self.slices.items():
                for one in slices:
                    for address in one.addresses:
                        found.setdefault(address.ip, []).append((key, address))
            self._by_endpoint = {ip: tuple(rows) for ip, rows in found.items()}
        return self._by_endpoint.get(ip, ())


class NameError_(Exception):
    """The name is unknown: NXDOMAIN."""


class Refused(Exception):
    """The zone is not given away."""


class Found(NamedTuple):
    """A row of an answer (msg.Service): `host` an address or a name, `domain` the row's own name."""

    host: str
    domain: str
    port: int = 0

    @property
    def type(self) -> str:
        try:
            return "A" if ipaddress.ip_address(self.host).version == 4 else "AAAA"
        except ValueError:
            return "CNAME"


class Asked(NamedTuple):
    """A name taken apart (recordRequest)."""

    kind: str = ""
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    port: str = ""
    proto: str = ""


def parse(name: str, zone: str) -> Asked:
    """NameError_ for a name that no record can have."""
    base = name.removesuffix(zone).rstrip(".")
    if base in ("", "svc", "pod"):
        return Asked()
    parts = base.split(".")
    kind = parts.pop()
    if kind not in ("svc", "pod"):
        raise NameError_
    namespace = parts.pop() if parts else ""
    service = parts.pop() if parts else ""
    if len(parts) > 2:
        raise NameError_
    if len(parts) == 2:
        port, proto = (p.removeprefix("_") for p in parts)
        return Asked(kind, namespace, service, port=port, proto=proto)
    return Asked(kind, namespace, service, endpoint=parts[0] if parts else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubernetes:
    """`primary` is the first zone that is no reverse one. `api` "" = the cluster's own Service."""

    zones: tuple[str, ...]
    primary: str
    pods: str = "disabled"
    ttl: int = 5
    fall: tuple[str, ...] | None = None
    pod_names: bool = False
    no_endpoints: bool = False
    ignore_empty: bool = False
    namespaces: tuple[str, ...] = ()
    api: str = ""

    def serve(self, query: Query, next: Next) -> Reply:
        zone = matches(self.zones, query.name)
        if not zone:
            return next(query)
        found = query.memory.get(VIEW)
        view = found if isinstance(found, View) else View()
        synced = isinstance(found, View)
        look = _Look(plugin=self, view=view, query=query, zone=zone)
        asked = query.message
        try:
            records, extra = look.records(asked.type)
        except Refused:
            return Reply(rcode="REFUSED")
        except NameError_:
            if falls(self.fall, query.name):
                return next(query)
            return Reply(message=look.denied("NXDOMAIN" if synced else "SERVFAIL"))
        if not records:
            return Reply(message=look.denied("NOERROR"))
        return Reply(message=replace(asked.reply(), aa=True, answers=tuple(records), additional=tuple(extra)))

    def hostname(self, address: Address) -> str:
        """The label of an endpoint: its hostname, its pod's name where that is asked for, else its address."""
        if address.hostname:
            return address.hostname
        if self.pod_names and address.target:
            return address.target
        label = address.ip.replace(".", "-").replace(":", "-")
        return label + "0" if label.endswith("-") else label


@dataclass(slots=True, kw_only=True)
class _Look:
    """One question of one view."""

    plugin: Kubernetes
    view: View
    query: Query
    zone: str

    def record(self, name: str, type: str, data: str, ttl: int | None = None) -> Record:
        return Record(name=name, type=type, data=data, ttl=self.plugin.ttl if ttl is None else ttl)

    def soa(self) -> Record:
        data = (
            f"ns.dns.{self.zone} hostmaster.{self.zone} {self.view.serial} 7200 1800 86400 {self.plugin.ttl}"
        )
        return self.record(self.zone, "SOA", data, min(self.plugin.ttl, 300))

    def denied(self, rcode: str) -> Message:
        return replace(self.query.message.reply(rcode), aa=True, authority=(self.soa(),))

    def records(self, type: str) -> tuple[list[Record], list[Record]]:
        name = self.query.name
        own = self.query.message.name
        if type in ("A", "AAAA"):
            return self.addresses(name, own, type, []), []
        if type == "SRV":
            return self.srv(name, own)
        if type == "PTR":
            return self.ptr(name, own), []
        if type in dns.TRANSFERS:
            raise Refused
        if type == "CNAME":
            rows = self.services(name)
            named = rows and rows[0].type == "CNAME"
            return ([self.record(own, "CNAME", rows[0].host.rstrip(".") + ".")] if named else []), []
        if type == "TXT":
            return self.txt(name, own), []
        if type == "SOA" and name == self.zone:
            return [self.soa()], []
        if type == "NS" and name == self.zone:
            rows = self.servers()
            return [self.record(own, "NS", f"{r.domain}") for r in rows], [
                self.record(r.domain, "A", r.host) for r in rows
            ]
        if type in ("SOA", "MX"):
            if type == "MX":
                self.services(name)
            return [], []
        self.addresses(name, own, "A", [])
        return [], []

    # ---- by type

    def addresses(self, name: str, own: str, type: str, chain: list[Record]) -> list[Record]:
        """A or AAAA, with the CNAMEs that lead there."""
        out: list[Record] = []
        seen: set[str] = set()
        for row in self.services(name):
            if row.type == type:
                if row.host not in seen:
                    seen.add(row.host)
                    out.append(self.record(own, type, row.host))
            elif row.type == "CNAME":
                target = row.host.rstrip(".") + "."
                if (
                    matches((name,), target.lower())
                    or len(chain) > CHAIN
                    or any(target == r.data for r in chain)
                ):
                    continue
                alias = self.record(own, "CNAME", target)
                if matches((self.zone,), target.lower()):
                    try:
                        more = self.addresses(target.lower(), target, type, [*chain, alias])
                    except NameError_:
                        more = []
                    out += [alias, *more] if more else []
                    continue
                answer = self.upstream(target, type)
                if answer is not None:
                    out += [alias, *answer.answers]
        return out

    def upstream(self, name: str, type: str) -> Message | None:
        """The program's own question through its own chain, to complete a CNAME."""
        query = self.query
        server = query.server
        inner = replace(query, message=Message(name=name, type=type, id=query.message.id), inner=True)
        from engine.l7.dns.server import server_for

        config = query.memory.get("config")
        server = server_for(config, query.delivery, name) or server
        inner.server = server
        reply = ask(inner, server.plugins)
        return (
            reply.message
            if reply.message is not None
            else Message(name=name, response=True, rcode=reply.rcode)
        )

    def srv(self, name: str, own: str) -> tuple[list[Record], list[Record]]:
        rows = [r for r in self.services(name) if r.type != "CNAME"]
        weight = max(1, int(100 / len(rows) * 1)) if rows else 0
        records: dict[Record, None] = {}
        extra: dict[Record, None] = {}
        for row in rows:
            if row.port == -1:
                continue
            records[self.record(own, "SRV", f"0 {weight} {row.port} {row.domain}")] = None
            extra[self.record(row.domain, row.type, row.host)] = None
        return list(records), list(extra)

    def ptr(self, name: str, own: str) -> list[Record]:
        address = dns.unreverse(name)
        if address is None:
            self.services(name)
            return []
        ip = text4(address)
        domain = self.plugin.primary
        exposed = self.exposed
        service = self.view.service_of(ip)
        if service is not None and exposed(service.namespace):
            return [self.record(own, "PTR", f"{service.name}.{service.namespace}.svc.{domain}")]
        named = self.query.version in HOSTNAMES_ONLY
        names = [
            f"{self.plugin.hostname(a)}.{svc}.{ns}.svc.{domain}"
            for (ns, svc), a in self.view.endpoints_of(ip)
            if exposed(ns) and (a.hostname or not named)
        ]
        if not names or self.plugin.no_endpoints:
            raise NameError_
        return [self.record(own, "PTR", n) for n in dict.fromkeys(names)]

    def txt(self, name: str, own: str) -> list[Record]:
        if name == f"dns-version.{self.zone}":
            return [self.record(own, "TXT", f'"{SCHEMA_VERSION}"', 28800)]
        if not self.services(name):
            raise NameError_
        return []

    # ---- what there is

    def exposed(self, namespace: str) -> bool:
        if self.plugin.namespaces:
            return namespace in self.plugin.namespaces
        return namespace in self.view.namespaces

    def services(self, name: str) -> list[Found]:
        """The rows for a name. NameError_: NXDOMAIN; []: the name is there, nothing more."""
        if name == f"ns.dns.{self.zone}":
            return [Found(r.host, name) for r in self.servers()]
        asked = parse(name, self.zone)
        if not asked.kind:
            return []
        if dns.unreverse(name) is not None or self.zone.endswith(
            (".in-addr.arpa.", ".ip6.arpa.", "in-addr.arpa.")
        ):
            raise NameError_
        if not asked.namespace:
            return []
        if not self.exposed(asked.namespace):
            raise NameError_
        return self.pod(asked, name) if asked.kind == "pod" else self.service(asked)

    def pod(self, asked: Asked, name: str) -> list[Found]:
        if self.plugin.pods == "disabled":
            raise NameError_
        if not asked.service:
            return []
        dashes = asked.service.count("-") == 3 and "--" not in asked.service
        ip = asked.service.replace("-", "." if dashes else ":")
        try:
            ipaddress.ip_address(ip)
        except ValueError:
            raise NameError_ from None
        if self.plugin.pods == "verified" and asked.namespace not in self.view.pods.get(ip, ()):
            raise NameError_
        return [Found(ip, name)]

    def service(self, asked: Asked) -> list[Found]:
        if not asked.service:
            return []
        key = (asked.namespace, asked.service)
        svc = self.view.services.get(key)
        if svc is None:
            raise NameError_
        slices = self.view.slices.get(key, ()) if not self.plugin.no_endpoints else ()
        domain = f"{svc.name}.{svc.namespace}.svc.{self.zone}"
        if svc.external:
            if asked.endpoint or asked.port or asked.proto:
                raise NameError_
            alias = Found(svc.external, domain)
            if alias.type != "CNAME":
                # findServices: an address is no name to lead to, so the Service has no record
                raise NameError_
            return [alias]
        if self.plugin.ignore_empty and not svc.headless and not any(s.addresses for s in slices):
            raise NameError_
        if svc.headless or asked.endpoint:
            rows = [
                Found(a.ip, f"{self.plugin.hostname(a)}.{domain}", port.port)
                for one in slices
                for a in one.addresses
                if not asked.endpoint or asked.endpoint == self.plugin.hostname(a).lower()
                for port in one.ports or (Port("", "", -1),)
                if fits(asked, port)
            ]
        else:
            rows = [Found(ip, domain, p.port) for p in svc.ports if fits(asked, p) for ip in svc.ips]
        if not rows:
            raise NameError_
        return rows

    def servers(self) -> list[Found]:
        """ns.dns: the Services that this program is an endpoint of, else its own addresses."""
        ns = self.query.delivery.ns
        own = [text4(a.addr) for rows in ns.addresses.values() for a in rows if a.scope != "host"]
        found: dict[Found, None] = {}
        for ip in own:
            for key, _ in self.view.endpoints_of(ip):
                svc = self.view.services.get(key)
                if svc is not None:
                    name = f"{svc.name}.{svc.namespace}.svc.{self.zone}"
                    for address in svc.ips:
                        found[Found(address, name)] = None
        return list(found) or [Found(ip, f"ns.dns.{self.zone}") for ip in own if not ip.startswith("127.")]


def fits(asked: Asked, port: Port) -> bool:
    """Do the port's name and protocol fit what the question has of them?"""
    return (not asked.port or asked.port == port.name.lower()) and (
        not asked.proto or asked.proto == port.proto.lower()
    )

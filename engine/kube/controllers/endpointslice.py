"""The EndpointSlice controller: slices of at most 100 endpoints for every Service with a selector.

Theory. For each Service the pods that it selects are grouped by the list of ports that they give (a named targetPort
may be another number in another pod), and each group is laid into slices: endpoints stay in the slice where they are,
slices that change anyway are filled first, then one unchanged slice that has room for all that is left, then new ones.
A Service without any endpoint has one slice without ports. Source: staging/src/k8s.io/endpointslice/reconciler.go,
utils.go; labels and conditions are facts 20 section 1.3.

Rules. Level-triggered through `members`: only Services whose pods, slices or own object changed are looked at. Where
the real controller walks a Go map, endpoints come by the pods' names here.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.kube.controllers import members, triggers
from engine.kube.controllers.hints import by_annotation, hinted, preference
from engine.kube.controllers.members import MANAGED_BY, SERVICE_NAME, Member, Seen
from engine.kube.objects import Json, deleting, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.passes import Pass
from engine.say import Phrase

MANAGER = "endpointslice-controller.k8s.io"
HEADLESS = "service.kubernetes.io/headless"
#: --max-endpoints-per-slice
MAXIMUM = 100
RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)
HINTS_LATER = Phrase(
    en="hints by the annotation service.kubernetes.io/topology-mode are not modelled; use spec.trafficDistribution",
    ko="service.kubernetes.io/topology-mode 애너테이션에 따른 힌트는 모델에 없습니다. trafficDistribution을 쓰십시오",
)
#: Ports as a value that can be a key.
Ports = tuple[tuple[str, str, int, str], ...]


def sync(at: Pass) -> None:
    """Bring the slices of every Service that changed up to date."""
    for turn, tracker, _, service in triggers.services(at, members.SLICES):
        if service is not None:
            reconcile(turn, service, tracker)


def reconcile(turn: members.Turn, service: Json, tracker: triggers.Triggers) -> None:
    at, key = turn.at, (namespace_of(service), name_of(service))
    pods = turn.pods(key)
    existing = turn.slices(key, MANAGER)
    trigger = tracker.last_change(key, service, pods)
    families = spec_of(service).get("ipFamilies") or ["IPv4"]
    for slice in existing:
        if slice.get("addressType") not in families:
            at.delete(slice)
    if by_annotation(service):
        at.cluster.skip("metadata.annotations", service, HINTS_LATER())
    for family in families:
        mine = [s for s in existing if s.get("addressType") == family]
        Family(turn, service, family, trigger).reconcile(pods, mine)


def endpoint_ports(service: Json, pod: Json) -> list[Json]:
    """The ports that a pod gives to a Service; a name that it does not have is left out (getEndpointPorts)."""
    out = []
    for row in spec_of(service).get("ports") or ():
        number = find_port(pod, row)
        if number:
            port: Json = {
                "name": str(row.get("name") or ""), "port": number, "protocol": row.get("protocol", "TCP"),
            }  # fmt: skip
            if row.get("appProtocol"):
                port["appProtocol"] = row["appProtocol"]
            out.append(port)
    return out


def find_port(pod: Json, row: Json) -> int:
    """A Service port's number in a pod: targetPort itself, or the container port of that name; 0 = there is none."""
    target = row.get("targetPort", row.get("port"))
    if not isinstance(target, str):
        return int(target or 0)
    spec = spec_of(pod)
    side = [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    for container in (*(spec.get("containers") or ()), *side):
        for port in container.get("ports") or ():
            if port.get("name") == target and port.get("protocol", "TCP") == row.get("protocol", "TCP"):
                return int(port["containerPort"])
    return 0


def port_key(ports: Iterable[Json] | None) -> Ports:
    def key(p: Json) -> tuple[str, str, int, str]:
        name, app = str(p.get("name") or ""), str(p.get("appProtocol") or "")
        return name, str(p.get("protocol", "TCP")), int(p.get("port") or 0), app

    return tuple(sorted(key(p) for p in ports or ()))


def identity(endpoint: Json) -> tuple[object, ...]:
    """By what an endpoint is known again: addresses, host name and what it refers to (hashEndpoint)."""
    target = endpoint.get("targetRef") or {}
    return (
        tuple(sorted(endpoint.get("addresses") or ())), endpoint.get("hostname", ""), target.get("kind", ""),
        target.get("namespace", ""), target.get("name", ""), target.get("uid", ""),
    )  # fmt: skip


def slice_labels(service: Json, manager: str = MANAGER) -> dict[str, str]:
    """The Service's own labels, and the three that are the controller's."""
    out = {k: v for k, v in labels_of(service).items() if k not in RESERVED}
    if spec_of(service).get("clusterIP") in (None, "", "None"):
        out[HEADLESS] = ""
    out[SERVICE_NAME], out[MANAGED_BY] = name_of(service), manager
    return out


def owned_by(slice: Json, owner: Json) -> bool:
    uid = meta(owner).get("uid")
    return any(
        o.get("uid") == uid and o.get("kind") == owner["kind"]
        for o in meta(slice).get("ownerReferences") or ()
    )


def prefix(name: str) -> str:
    """`web-`; without the dash where the name would be too long."""
    return f"{name}-" if len(name) < 253 else name


class Family:
    """The slices of one address family of one Service, in one reconciliation."""

    def __init__(self, turn: members.Turn, service: Json, family: str, trigger: str) -> None:
        self.turn = turn
        self.at = at = turn.at
        self.service = service
        self.family = family
        self.trigger = trigger
        self.wanted = preference(service, at.options.minor)
        self.labels = slice_labels(service)
        self.publish = bool(spec_of(service).get("publishNotReadyAddresses"))
        self.create: list[Json] = []
        self.update: dict[str, Json] = {}
        self.remove: list[Json] = []

    def reconcile(self, pods: list[Member], existing: list[Json]) -> None:
        by_ports: dict[Ports, list[Json]] = {}
        for slice in existing:
            if owned_by(slice, self.service):
                by_ports.setdefault(port_key(slice.get("ports")), []).append(slice)
            else:
                self.remove.append(slice)
        desired: dict[Ports, dict[tuple[object, ...], Json]] = {}
        ports: dict[Ports, list[Json]] = {}
        named = any(isinstance(p.get("targetPort"), str) for p in spec_of(self.service).get("ports") or ())
        given: list[Json] | None = None
        for name, pod, seen in pods:
            if not seen.included(going=True):
                continue
            if given is None or named:
                given = endpoint_ports(self.service, pod)
                group = port_key(given)
                ports.setdefault(group, given)
                found = desired.setdefault(group, {})
            endpoint = self.endpoint(name, seen)
            if endpoint is not None:
                found[identity(endpoint)] = endpoint
        for group, endpoints in desired.items():
            self.fill(by_ports.get(group, []), endpoints, ports[group])
        for group, slices in by_ports.items():
            if group not in desired:
                self.remove += slices
        self.placeholder(existing)
        self.hints(existing)
        self.write()

    def endpoint(self, name: str, seen: Seen) -> Json | None:
        """podToEndpoint. None for a pod on a node that is not there, or without an address of this family."""
        zone, service = self.turn.zone(seen.node), self.service
        if zone is None and not self.publish:
            self.turn.homeless.add((namespace_of(service), name_of(service)))
            return None
        addresses = [ip for ip in seen.ips if (":" in ip) == (self.family == "IPv6")]
        if not addresses:
            return None
        ready = self.publish or (seen.ready and not seen.going)
        conditions = {"ready": ready, "serving": seen.ready, "terminating": seen.going}
        out: Json = {"addresses": addresses, "conditions": conditions}
        if seen.host[0] and seen.host[1] == name_of(service):
            out["hostname"] = seen.host[0]
        if seen.node:
            out["nodeName"] = seen.node
        out["targetRef"] = {
            "kind": "Pod", "name": name, "namespace": namespace_of(service), "uid": seen.uid,
        }  # fmt: skip
        if zone:
            out["zone"] = zone
        return out

    def fill(self, existing: list[Json], desired: dict[tuple[object, ...], Json], ports: list[Json]) -> None:
        """reconcileByPortMapping: what stays where it is, and where the rest goes."""
        unchanged: list[Json] = []
        changed: list[Json] = []
        for slice in existing:
            kept: list[Json] = []
            updated = False
            old = slice.get("endpoints") or ()
            for endpoint in old:
                got = desired.pop(identity(endpoint), None)
                if got is not None:
                    same = all(endpoint.get(k) == got.get(k) for k in ("nodeName", "zone", "conditions"))
                    updated = updated or not same
                    kept.append(got)
            if updated or len(kept) != len(old):
                if kept:
                    changed.append(self.edited(slice, kept))
                else:
                    self.remove.append(slice)
            elif without_reserved(labels_of(slice)) != without_reserved(self.labels):
                changed.append(self.edited(slice, list(old)))
            else:
                unchanged.append(slice)
        rest = list(desired.values())
        if rest:
            for slice in sorted(changed, key=lambda s: -len(s["endpoints"])):
                room = MAXIMUM - len(slice["endpoints"])
                slice["endpoints"] += rest[:room]
                rest = rest[room:]
        while rest:
            into = to_fill(unchanged, len(rest)) if len(rest) < MAXIMUM else None
            if into is None:
                new = self.new(ports)
                self.create.append(new)
            else:
                unchanged.remove(into)
                new = {**into, "metadata": dict(meta(into)), "endpoints": list(into.get("endpoints") or ())}
                changed.append(new)
            room = MAXIMUM - len(new["endpoints"])
            new["endpoints"] += rest[:room]
            rest = rest[room:]
        self.update.update({name_of(s): s for s in changed})

    def edited(self, slice: Json, endpoints: list[Json]) -> Json:
        return {**slice, "metadata": {**meta(slice), "labels": dict(self.labels)}, "endpoints": endpoints}

    def new(self, ports: list[Json]) -> Json:
        service = self.service
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": prefix(name_of(service)), "namespace": namespace_of(service), "generation": 1,
                "labels": dict(self.labels), "ownerReferences": [owner(service)],
            },
            "addressType": self.family,
            "endpoints": [],
            "ports": ports,
        }  # fmt: skip

    def placeholder(self, existing: list[Json]) -> None:
        """Where no slice would be left there is one without ports and endpoints."""
        if len(existing) != len(self.remove) or self.create:
            return
        if len(self.remove) == 1:
            (only,) = self.remove
            empty = not only.get("endpoints") and not only.get("ports")
            if empty and owned_by(only, self.service) and labels_of(only) == self.labels:
                self.remove = []
                return
        self.create.append(self.new([]))

    def hints(self, existing: list[Json]) -> None:
        """Give every endpoint its hints; a slice that is otherwise unchanged is written when they are wrong."""
        gone = {name_of(s) for s in self.remove}
        for slice in existing:
            name = name_of(slice)
            if name not in self.update and name not in gone:
                rows = slice.get("endpoints") or []
                now = [hinted(e, self.wanted) for e in rows]
                if now != rows:
                    self.update[name] = {**slice, "metadata": dict(meta(slice)), "endpoints": now}
        for slice in (*self.create, *self.update.values()):
            slice["endpoints"] = [hinted(e, self.wanted) for e in slice["endpoints"] or ()]

    def write(self) -> None:
        """finalize: a slice to create takes the place of one to delete; then all is written."""
        left: list[Json] = []
        for slice in self.remove:
            if self.create and owned_by(slice, self.service):
                new = self.create.pop()
                m = {**meta(slice), "labels": new["metadata"]["labels"]}
                self.update[name_of(slice)] = {**new, "metadata": m}
            else:
                left.append(slice)
        if not deleting(self.service):
            for new in self.create:
                if self.trigger:
                    new["metadata"]["annotations"] = {triggers.ANNOTATION: self.trigger}
                self.at.try_create(sealed(new))
        for _, slice in sorted(self.update.items()):
            notes = {
                k: v for k, v in (meta(slice).get("annotations") or {}).items() if k != triggers.ANNOTATION
            }
            if self.trigger:
                notes[triggers.ANNOTATION] = self.trigger
            m = {k: v for k, v in meta(slice).items() if k != "annotations"}
            m |= {"annotations": notes} if notes else {}
            m["generation"] = int(m.get("generation", 1)) + 1
            self.at.store.update(sealed({**slice, "metadata": m}))
        for slice in left:
            self.at.delete(slice)


def sealed(slice: Json) -> Json:
    """As the API server gives it back: a list that has nothing in it is null."""
    return {**slice, "endpoints": slice.get("endpoints") or None, "ports": slice.get("ports") or None}


def owner(body: Json) -> Json:
    return {
        "apiVersion": "v1", "blockOwnerDeletion": True, "controller": True, "kind": body["kind"],
        "name": name_of(body), "uid": meta(body)["uid"],
    }  # fmt: skip


def without_reserved(labels: dict[str, str]) -> dict[str, str]:
    return {k: v for k, v in labels.items() if k not in RESERVED}


def to_fill(slices: list[Json], count: int) -> Json | None:
    """getSliceToFill: of the slices that take all of them the one that is fullest then; an empty one never."""
    best, closest = None, MAXIMUM
    for slice in slices:
        room = MAXIMUM - count - len(slice.get("endpoints") or ())
        if 0 <= room < closest:
            best, closest = slice, room
    return best

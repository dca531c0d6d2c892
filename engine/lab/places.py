"""Endpoints by name: where a flow begins, where it goes, and which place of a journey a word means.

`pod/NS/NAME` or `pod/NAME` (default) | `svc/NS/NAME` or `svc/NAME` | `node/NAME` | `host/NAME` |
`container/MACHINE/NAME` | `netns/MACHINE/NAME` | an address (with `enter`, the node where the packet comes in). A
target adds `:PORT`, of a Service also `:NAME` of a port; `http://HOST/PATH` is one, too.

Rules. An endpoint is found in the world as it is now: a Pod that was deleted is an InputError that names those that
are there. A Service stands for its ClusterIP: a target, never a sender. Nothing is changed here.
"""

from __future__ import annotations

import re
from typing import Any, Final

from engine.errors import EngineError, InputError, Problem
from engine.lab.reader import NO_GUESS, guess
from engine.linux.addr import ip4, text4
from engine.linux.journey import Place
from engine.linux.net import Netns
from engine.record import dataclass
from engine.say import Phrase, Said
from engine.shell.names import aton
from engine.shell.place import Spot, inside, machine, resolve
from engine.shell.world import World

KINDS: Final = ("pod", "node", "host", "container", "netns", "svc")

NO_ENDPOINT = Phrase(
    en="there is no {ref} in this lab{guess}; there are: {there}",
    ko="이 실습 환경에는 {ref}이(가) 없습니다{guess}. 있는 것: {there}",
)
BAD_ENDPOINT = Phrase(
    en="{ref!r} names no endpoint; write pod/NAME, pod/NS/NAME, node/NAME, host/NAME, container/MACHINE/NAME, "
    "netns/MACHINE/NAME or an IPv4 address",
    ko="{ref!r}은(는) 끝점이 아닙니다. pod/이름, pod/NS/이름, node/이름, host/이름, container/머신/이름, "
    "netns/머신/이름 또는 IPv4 주소를 적으십시오",
)
NO_ADDRESS = Phrase(
    en="{ref} has no address (its namespace holds only {devices}); see `ip addr` there",
    ko="{ref}에는 주소가 없습니다(네임스페이스에 {devices}만 있습니다). 그곳에서 `ip addr`을 보십시오",
)
NO_SANDBOX = Phrase(
    en="{ref} has no sandbox (phase {phase}), so it has no address; see `kubectl describe pod`",
    ko="{ref}에는 샌드박스가 없어(단계 {phase}) 주소도 없습니다. `kubectl describe pod`를 보십시오",
)
NO_PORT = Phrase(
    en="{ref} needs a port for {proto}, as in {ref}:80",
    ko="{proto}에는 포트가 필요합니다. {ref}:80처럼 적으십시오",
)
BAD_PORT = Phrase(
    en="{found!r} is not a port; write a number from 1 to 65535",
    ko="{found!r}은(는) 포트가 아닙니다. 1부터 65535까지의 수를 적으십시오",
)
NO_ENTER = Phrase(
    en="{ref} belongs to no machine of the lab; add `enter: node/NAME`, the node where its packet comes in",
    ko="{ref}은(는) 이 실습 환경의 어느 머신에도 없습니다. 패킷이 들어올 노드를 `enter: node/이름`으로 적으십시오",
)
NO_VIP = Phrase(
    en="{ref} has no ClusterIP ({why}), so no packet can be sent to it; send to its name (http://NAME/) or to a Pod",
    ko="{ref}에는 ClusterIP가 없어({why}) 패킷을 보낼 주소가 없습니다. 이름(http://이름/)이나 파드로 보내십시오",
)
NO_RESOLVER = Phrase(
    en="{ref} is only an address here, so nobody there can resolve a name; write an address into the URL",
    ko="{ref}은(는) 여기서 주소일 뿐이라 이름을 풀 프로그램이 없습니다. URL에 주소를 적으십시오",
)
NO_SENDER = Phrase(
    en="{ref} is a Service, an address that nobody has; a flow comes from a Pod, a node, a host or an address",
    ko="{ref}은(는) 서비스, 곧 아무도 갖지 않은 주소입니다. 흐름은 파드, 노드, 호스트, 주소에서 시작합니다",
)
NO_SUCH_PORT = Phrase(
    en="{ref} has no port called {found!r}; it has {there}",
    ko="{ref}에는 {found!r}(이)라는 포트가 없습니다. 있는 것: {there}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """`ref` as written; `netns` the id of its namespace ("" for an address that nobody has); `address` an int;
    `pid` of the process that speaks there (0: none); `addresses` are all that it has."""

    ref: str
    netns: str
    address: int
    pid: int = 0
    addresses: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What `to:` says: an endpoint or an address, a port (0: none), and for http the host and the path."""

    ref: str
    address: int
    port: int = 0
    endpoint: Endpoint | None = None
    host: str = ""
    path: str = ""


def _bad(ref: str, said: Said) -> InputError:
    return InputError([Problem(where=ref, said=said)])


def endpoint_names(world: World) -> list[str]:
    """Every endpoint that has a namespace now, and so can send."""
    out = []
    for box in world.net.boxes.values():
        if box.role in ("node", "host"):
            out.append(f"{'node' if box.role == 'node' else 'host'}/{box.name}")
    if world.net.asleep is not None:
        out += [f"node/{name}" for name in world.net.asleep.machines]
    for pod in _pods(world):
        out.append(f"pod/{pod}")
    for host, daemon in world.dockers.items():
        out += [f"container/{host}/{name}" for name in _container_names(daemon)]
    for box in world.net.boxes.values():
        out += [f"netns/{box.name}/{name}" for name in sorted(box.netns_names)]
    return out


def _pods(world: World) -> list[str]:
    if world.cluster is None:
        return []
    return [
        f"{b['metadata'].get('namespace', 'default')}/{b['metadata']['name']}"
        for b in world.cluster.store.list("Pod")
    ]


def _services(world: World) -> list[str]:
    """Services that have a ClusterIP, as NS/NAME."""
    if world.cluster is None:
        return []
    bodies = world.cluster.store.list("Service")
    return [f"{b['metadata']['namespace']}/{b['metadata']['name']}" for b in bodies if cluster_ip(b)]


def cluster_ip(service: dict[str, Any]) -> int:
    """A Service's ClusterIP, 0 for a headless one and an ExternalName."""
    found = service["spec"].get("clusterIP")
    return ip4(found) if found and found != "None" else 0


def _container_names(daemon: object) -> list[str]:
    containers = getattr(daemon, "containers", {})
    return sorted(getattr(c, "name", "") for c in containers.values())


def normal(ref: str) -> str:
    """`pod/web` -> `pod/default/web`, and so for `svc/`; other words as they are."""
    kind, _, rest = ref.partition("/")
    return f"{kind}/default/{rest}" if kind in ("pod", "svc") and rest.count("/") == 0 else ref


def find(world: World, ref: str) -> Endpoint:
    """The endpoint behind a name or an address. Raises InputError."""
    kind, slash, rest = ref.partition("/")
    if not slash:
        return _by_address(world, ref)
    if kind == "svc":
        return _service(world, ref)
    if kind not in KINDS or not rest:
        raise _bad(ref, BAD_ENDPOINT(ref=ref))
    if kind == "netns":
        machine, _, name = rest.partition("/")
        box = world.net.boxes.get(machine)
        if box is None or name not in box.netns_names:
            raise _missing(world, ref)
        return _of(world, ref, box.netns_names[name], 0)
    if kind == "pod":
        return _pod(world, ref)
    try:
        spot = resolve(world, ref)
    except EngineError as error:
        raise _missing(world, ref) from error
    return _of(world, ref, spot.netns, spot.pid if kind == "container" else 0)


def _missing(world: World, ref: str) -> InputError:
    every = [*endpoint_names(world), *(f"svc/{name}" for name in _services(world))]
    # what is of its kind, or all where nothing is
    there = [name for name in every if name.partition("/")[0] == ref.partition("/")[0]] or every
    shown = ", ".join(there[:12]) + (", ..." if len(there) > 12 else "")
    near = guess(normal(ref), there) if there else NO_GUESS()
    return _bad(ref, NO_ENDPOINT(ref=ref, guess=near, there=shown or "-"))


def _pod(world: World, ref: str) -> Endpoint:
    full = normal(ref)
    _, namespace, name = full.split("/", 2) if full.count("/") == 2 else ("", "", "")
    body = world.cluster.store.get("Pod", namespace, name) if world.cluster is not None else None
    if body is None:
        raise _missing(world, ref)
    try:
        spot = resolve(world, full)
        return _of(world, ref, spot.netns, spot.pid)
    except InputError:
        raise
    except EngineError:
        # No container runs (yet): the sandbox alone has a namespace and an address.
        for ns in world.net.spaces.values():
            if ns.label == f"{namespace}/{name}":
                return _of(world, ref, ns.id, 0)
    raise _bad(ref, NO_SANDBOX(ref=ref, phase=str((body.get("status") or {}).get("phase", "Pending"))))


def _service_body(world: World, ref: str) -> dict[str, Any]:
    _, namespace, name = normal(ref).split("/", 2)
    body = world.cluster.store.get("Service", namespace, name) if world.cluster is not None else None
    if body is None:
        raise _missing(world, ref)
    return body


def _service(world: World, ref: str) -> Endpoint:
    """A Service's ClusterIP, which belongs to nobody."""
    body = _service_body(world, ref)
    address = cluster_ip(body)
    if not address:
        external = body["spec"].get("type") == "ExternalName"
        raise _bad(ref, NO_VIP(ref=ref, why="type: ExternalName" if external else "clusterIP: None"))
    return Endpoint(ref=ref, netns="", address=address, addresses=(address,))


def _named_port(world: World, ref: str) -> tuple[str, int]:
    """`svc/web:http` -> (`svc/web`, 80): a Service's ports have names."""
    name, colon, port = ref.rpartition(":")
    if not colon or not ref.startswith("svc/") or port.isdigit():
        return split_port(ref)
    ports = _service_body(world, name)["spec"].get("ports") or []
    found = {str(p.get("name")): int(p["port"]) for p in ports if p.get("name")}
    if port not in found:
        there = ", ".join(str(p.get("name") or p["port"]) for p in ports) or "-"
        raise _bad(ref, NO_SUCH_PORT(ref=name, found=port, there=there))
    return name, found[port]


def addresses_of(ns: Netns) -> list[int]:
    """A namespace's own addresses: those of the lowest device that is no loopback first; bridges come last."""
    order = sorted(ns.links.values(), key=lambda link: (link.kind in ("bridge", "dummy"), link.ifindex))
    return [a.addr for link in order if link.kind != "loopback" for a in ns.addresses.get(link.ifindex, ())]


def _of(world: World, ref: str, netns: str, pid: int) -> Endpoint:
    ns = world.net.spaces[netns]
    addresses = tuple(addresses_of(ns))
    return Endpoint(
        ref=ref, netns=netns, address=addresses[0] if addresses else 0, pid=pid, addresses=addresses
    )


def _by_address(world: World, ref: str) -> Endpoint:
    try:
        address = ip4(ref)
    except InputError:
        raise _bad(ref, BAD_ENDPOINT(ref=ref)) from None
    owners = world.net.owner_of(address)
    return Endpoint(ref=ref, netns=owners[0].id if owners else "", address=address, addresses=(address,))


def target(world: World, ref: str, proto: str, address: int = 0) -> Target:
    """What a flow goes to. `address` is what the host of a URL was resolved to, where it is a name."""
    if scheme_of(ref):
        return _url(ref, address)
    name, port = _named_port(world, ref)
    if not port and proto not in ("icmp",):
        if proto != "http":
            raise _bad(ref, NO_PORT(ref=name, proto=proto))
        port = 80
    end = find(world, name)
    if not end.address:
        devices = ", ".join(link.name for link in world.net.spaces[end.netns].links.values())
        raise _bad(ref, NO_ADDRESS(ref=name, devices=devices))
    known = end if "/" in name and end.netns else None
    return Target(ref=ref, address=end.address, port=port, endpoint=known, host=text4(end.address), path="/")


def split_port(ref: str) -> tuple[str, int]:
    """`pod/web:80` -> (`pod/web`, 80); 0 when there is no port."""
    name, colon, port = ref.rpartition(":")
    if not colon:
        return ref, 0
    if not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536):
        raise _bad(ref, BAD_PORT(found=port))
    return name, int(port)


URL: Final = re.compile(r"(https?)://([^/:\s]+)(?::(\d{1,5}))?(/\S*)?$")


def scheme_of(ref: str) -> str:
    """`http` or `https` of a URL; "" for what is none."""
    scheme, colon, _ = ref.partition("://")
    return scheme if colon and scheme in ("http", "https") else ""


def host_of(ref: str) -> str:
    """The host of a URL that is a name and has to be resolved; "" for an address or no URL."""
    found = URL.match(ref)
    return found[2] if found is not None and aton(found[2]) is None else ""


def spot_of(world: World, end: Endpoint) -> Spot:
    """Where the program of an endpoint sits: its files say how it resolves names."""
    net = world.net
    box = net.boxes[net.spaces[end.netns].box]
    proc = box.procs.get(end.pid)
    spot = machine(box) if proc is None or end.pid < 2 else inside(box, proc, end.ref)
    return spot.moved(end.netns)


def _url(ref: str, address: int) -> Target:
    found = URL.match(ref)
    if found is None:
        raise _bad(ref, BAD_ENDPOINT(ref=ref))
    scheme, host, port, path = found.groups()
    number = int(port) if port else 443 if scheme == "https" else 80
    if not 0 < number < 65536:
        raise _bad(ref, BAD_PORT(found=str(port)))
    literal = aton(host)
    return Target(
        ref=ref, address=address if literal is None else literal, port=number, host=host, path=path or "/"
    )


def place_agrees(word: str, place: Place) -> bool:
    """Does `w1/cni0`, `w1`, `pod/a/eth0`, `container/laptop/web/eth0`, `netns/w1/red/veth1` or `w1/nginx` mean this
    place? A machine's name alone means its root namespace; a device or a program narrows it."""
    kind, _, rest = word.partition("/")
    parts = rest.split("/") if rest else []
    if kind in ("node", "host") and parts:
        kind, parts = parts[0], parts[1:]
    if kind == "pod" and parts:
        # pod/NAME[/DEV] and pod/NS/NAME[/DEV] look alike: either reading may be meant.
        if place.namespace == f"default/{parts[0]}" and len(parts) <= 2:
            return _inner(parts[1:], place)
        return len(parts) > 1 and place.namespace == "/".join(parts[:2]) and _inner(parts[2:], place)
    if kind in ("container", "netns") and len(parts) >= 2:
        return (
            place.node == parts[0]
            and place.namespace in (parts[1], "/".join(parts[:2]))
            and _inner(parts[2:], place)
        )
    return place.node == kind and place.namespace in ("root", kind) and _inner(parts, place)


def _inner(parts: list[str], place: Place) -> bool:
    return not parts or parts[0] in (place.device, place.program)


def place_name(place: Place) -> str:
    """How a place is written in lessons and shown in options: the inverse of `place_agrees`."""
    inner = place.device or place.program
    if place.namespace in ("root", place.node):
        head = place.node
    elif "/" in place.namespace:
        namespace, _, name = place.namespace.partition("/")
        head = f"pod/{name}" if namespace == "default" else f"pod/{place.namespace}"
    else:
        head = f"{place.node}/{place.namespace}"
    return f"{head}/{inner}" if inner else head

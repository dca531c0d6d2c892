"""kube-proxy's HTTP servers on a node: sockets opened and closed, and what the process is told to say on them.

Rules. Sockets belong to the process; one that is gone took its sockets with it. A port that somebody else holds is
left to them, as kube-proxy logs the failure and goes on. Source: pkg/proxy/healthcheck/service_health.go,
cmd/kube-proxy/app/server.go; what is said on them: engine/l7/kube_proxy.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from engine.errors import OpError
from engine.kube.objects import Json, deleting, spec_of
from engine.kube.proxy.config import Config
from engine.kube.proxy.model import ServicePort
from engine.l7.kube_proxy import Local
from engine.linux.ops.base import Changes
from engine.linux.ops.box import CloseSocket, Listen, Tell
from engine.linux.rows import Socket

TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


def begin(changes: Changes, netns: str, pid: int, config: Config) -> None:
    """The servers that run as long as the process does. A port that is taken is left alone."""
    for word, where in (("healthz", config.healthz), ("metrics", config.metrics)):
        if where is not None and listen(changes, netns, pid, *where):
            tell(changes, netns, pid, ("serves", where[1]), word)
    tell(changes, netns, pid, "mode", config.mode)


def sync(
    changes: Changes, netns: str, pid: int, ports: Iterable[ServicePort], node: str, *,
    addresses: tuple[int, ...] = (0,),
) -> None:  # fmt: skip
    """A server for each Service with a health check node port, on these addresses (SyncServices, SyncEndpoints): how
    many of its endpoints are ready on this node, each address and port once."""
    found: dict[int, tuple[str, str, set[int]]] = {}
    for port in ports:
        if port.health_node_port:
            _, _, ips = found.setdefault(port.health_node_port, (port.namespace, port.name, set()))
            ips.update(e.ip for e in port.endpoints if e.ready and e.node == node)
    ns = changes.net.spaces[netns]
    memory = changes.net.boxes[ns.box].memory.get(pid, {})
    had = [about[1] for about in memory if isinstance(about, tuple) and about[0] == "health"]
    for number in [n for n in had if n not in found]:
        for socket in [s for s in ns.sockets if (s.proto, s.port, s.pid) == ("tcp", number, pid)]:
            changes.do(CloseSocket(netns=netns, socket=socket))
        tell(changes, netns, pid, ("health", number), None)
    for number, (namespace, name, ips) in found.items():
        if all([listen(changes, netns, pid, address, number) for address in addresses]):
            about = Local(namespace=namespace, name=name, count=len(ips))
            tell(changes, netns, pid, ("health", number), about)


def eligible(changes: Changes, netns: str, pid: int, node: Json | None) -> None:
    """Tell the process whether its node is being taken away: deleted, or tainted by the cluster autoscaler (SyncNode).
    Until somebody says so it is not."""
    going = node is not None and (deleting(node) or any(t.get("key") == TO_BE_DELETED for t in taints(node)))
    tell(changes, netns, pid, "eligible", False if going else None)


def taints(node: Json) -> list[Json]:
    found: list[Json] = spec_of(node).get("taints") or []
    return found


def listen(changes: Changes, netns: str, pid: int, address: int, port: int) -> bool:
    """A socket of the process; False when the port cannot be had."""
    ns = changes.net.spaces[netns]
    if any((s.proto, s.addr, s.port, s.pid) == ("tcp", address, port, pid) for s in ns.sockets):
        return True
    fd = max((s.fd for s in ns.sockets if s.pid == pid), default=7) + 1
    try:
        changes.do(Listen(netns=netns, socket=Socket(proto="tcp", addr=address, port=port, pid=pid, fd=fd)))
    except OpError:
        return False
    return True


def tell(changes: Changes, netns: str, pid: int, about: object, what: object) -> None:
    box = changes.net.boxes[changes.net.spaces[netns].box]
    if box.memory.get(pid, {}).get(about) != what:
        changes.do(Tell(box=box.name, pid=pid, about=about, what=what))

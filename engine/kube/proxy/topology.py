"""Which endpoints of a service port a node may use: readiness, termination, topology hints, traffic policies.

Theory. CategorizeEndpoints of pkg/proxy/topology.go. The Cluster policy uses the ready endpoints that the hints leave
this node, or, when none is ready anywhere, those that still serve while they terminate. The Local policy looks at this
node alone, in the same two steps. Hints count only when every ready endpoint has them and one is meant for this
node or its zone: a half-written set of hints must not starve anybody.

Rules. Pure. By release: node hints count since 1.34 (gate PreferSameTrafficDistribution, beta); zone hints since 1.31
for whoever wrote them, before for Services with the annotation topology-mode, which is the controller's to know.
"""

from __future__ import annotations

from engine.kube.proxy.model import Chosen, Endpoint, ServicePort

NODE_HINTS_SINCE = 34


def local_to(endpoint: Endpoint, node: str) -> bool:
    return bool(node) and endpoint.node == node


def draining(endpoint: Endpoint) -> bool:
    """Serving and terminating: used when nothing better is left."""
    return endpoint.serving and endpoint.terminating


def choose(port: ServicePort, node: str, zone: str = "", *, minor: int = 35) -> Chosen:
    """What the node `node` in `zone` ("" without the label) may use of a service port."""
    cluster: tuple[Endpoint, ...] = ()
    usable = hints = False
    if port.uses_cluster:
        ready = tuple(e for e in port.endpoints if e.ready)
        cluster = near(ready, node, zone, minor)
        hints = len(cluster) != len(ready)
        if not cluster:
            cluster = tuple(e for e in port.endpoints if draining(e))
        usable = bool(cluster)
    if not port.uses_local:
        return Chosen(cluster=cluster, any=usable, reachable=cluster)
    usable = usable or any(e.ready or draining(e) for e in port.endpoints)
    here = [e for e in port.endpoints if local_to(e, node)]
    local = tuple(e for e in here if e.ready)
    last_resort = not local
    if last_resort:
        local = tuple(e for e in here if draining(e))
    if not port.uses_cluster:
        return Chosen(local=local, any=usable, reachable=local)
    reachable = cluster
    if hints or (last_resort and local):
        wanted = {(e.ip, e.port) for e in (*cluster, *local)}
        reachable = tuple(e for e in port.endpoints if (e.ip, e.port) in wanted)
    return Chosen(cluster=cluster, local=local, any=usable, reachable=reachable)


def near(ready: tuple[Endpoint, ...], node: str, zone: str, minor: int) -> tuple[Endpoint, ...]:
    """The ready endpoints that the hints leave to this node: of its own, of its zone, or all."""
    if minor >= NODE_HINTS_SINCE and all(e.node_hints for e in ready):
        found = tuple(e for e in ready if node in e.node_hints)
        if found:
            return found
    if zone and all(e.zone_hints for e in ready):
        found = tuple(e for e in ready if zone in e.zone_hints)
        if found:
            return found
    return ready


def same_everywhere(port: ServicePort) -> bool:
    """Does every node choose alike? Then what is made of the choice is made once."""
    return not port.uses_local and not any(e.zone_hints or e.node_hints for e in port.endpoints)

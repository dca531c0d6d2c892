"""What kube-proxy knows of the API, in its own words: service ports, their endpoints, and which of them count.

Theory. Every mode works from the same picture: each Service is taken apart into service ports (`ServicePort`, one per
port and protocol), each with the endpoints of all its EndpointSlices; `choose` sorts these into what the Cluster
policy and the Local policy may use, by readiness, termination and topology. A mode turns the picture into rows.

Rules. Frozen values, shared between nodes; what depends on a node is in `Chosen`. Addresses are ints. Source:
pkg/proxy/{serviceport,endpoint,topology}.go (facts 20 section 1.3).
"""

from __future__ import annotations

from engine.linux.addr import Prefix, text4
from engine.record import dataclass

#: rows of more Services than this at once are made without the garbage collector
MANY = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One endpoint of a service port. `node` "" when the slice does not say; hints are names of zones and nodes."""

    ip: int
    port: int
    node: str = ""
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    zone_hints: tuple[str, ...] = ()
    node_hints: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """`10.244.1.5:8080`, which is also how endpoints are ordered and hashed."""
        return f"{text4(self.ip)}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePort:
    """One port of a Service. `proto` is lower case; `port_name` "" for an unnamed port; `lb_ips` are the load
    balancer's addresses with ipMode VIP; `affinity` is the ClientIP timeout in seconds, 0 without affinity;
    `endpoints` are all, in kube-proxy's order (`Endpoint.text`), each (ip, port) once."""

    namespace: str
    name: str
    port_name: str
    proto: str
    cluster_ip: int
    port: int
    node_port: int = 0
    external_ips: tuple[int, ...] = ()
    lb_ips: tuple[int, ...] = ()
    source_ranges: tuple[Prefix, ...] = ()
    external_local: bool = False
    internal_local: bool = False
    affinity: int = 0
    health_node_port: int = 0
    endpoints: tuple[Endpoint, ...] = ()

    @property
    def id(self) -> str:
        """kube-proxy's own name for it: `shop/web:http`, `shop/web` when the port has no name."""
        head = f"{self.namespace}/{self.name}"
        return f"{head}:{self.port_name}" if self.port_name else head

    @property
    def external(self) -> bool:
        """Is it reachable from outside the cluster (node port, external address or load balancer)?"""
        return bool(self.node_port or self.external_ips or self.lb_ips)

    @property
    def uses_cluster(self) -> bool:
        """Does some rule need the Cluster policy's endpoints? Pods and the node itself reach an external address by
        them even where its policy is Local."""
        return not self.internal_local or self.external

    @property
    def uses_local(self) -> bool:
        """Does some rule need the Local policy's endpoints?"""
        return self.internal_local or (self.external_local and self.external)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What one node may use of a service port: `cluster` for the Cluster policy, `local` for the Local policy,
    `any` = some endpoint is usable somewhere, `reachable` = all that this node may send to by either policy
    (CategorizeEndpoints in topology.go)."""

    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    any: bool = False
    reachable: tuple[Endpoint, ...] = ()

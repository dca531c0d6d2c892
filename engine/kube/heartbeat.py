"""Does the API server hear of a node's kubelet? The lease that it renews every ten seconds, and the way there.

Theory. A kubelet that does not run renews nothing; one that runs but has no way to an API server neither. The way is
tried with a real connection from the node's own namespace to port 6443 of a control plane, on a copy of the machines.
Source: component-helpers/apimachinery/lease (renewInterval = nodeLeaseDurationSeconds / 4 = 10 s).

Rules. The way is tried only when somebody outside the cluster's own programs did something to a machine that could cut
it, and only for the nodes that it concerns. `NodeState.cut` and `silent` are the answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor
from typing import TYPE_CHECKING

from engine.kube import boot
from engine.kube.node import NodeState
from engine.kube.passes import Pass
from engine.kube.stirred import machine
from engine.l7.serve import serve
from engine.linux.choose import Seeded
from engine.linux.exchange import tcp_call
from engine.linux.net import Net
from engine.linux.ops import Advance, Log, MakeFolder, RemoveFile, WriteFile
from engine.linux.ops.base import Changes, Op

if TYPE_CHECKING:
    from engine.kube.cluster import Cluster

RENEW = 10.0
FOREVER = float("inf")
#: Ops that cut nothing.
HARMLESS = (Advance, Log, WriteFile, RemoveFile, MakeFolder)


def listen(cluster: Cluster, changes: Changes, done: Iterable[Op]) -> None:
    """Before a settle: try the ways that what others did since the last one may have cut or mended."""
    if not planes(cluster):
        return
    names = concerned(cluster, done)
    if not names:
        return
    net = changes.net.borrowed()
    for name in names:
        node = cluster.nodes[name]
        if (cut := not way(cluster, net, node)) != node.cut:
            node.cut = cut
            cluster.woken(node)


def planes(cluster: Cluster) -> list[NodeState]:
    return [cluster.nodes[name] for name in cluster.planes or ()]


def concerned(cluster: Cluster, done: Iterable[Op]) -> list[str]:
    """The nodes (not control planes) whose way some ops may have changed, in the lab's order."""
    found: set[str] = set()
    workers = [n.name for n in cluster.awake() if not n.options.control_plane]
    for op in done:
        if isinstance(op, HARMLESS):
            continue
        where = machine(op)
        if "/" in where:
            continue
        if where in cluster.nodes and not cluster.nodes[where].options.control_plane:
            found.add(where)
            continue
        text = repr(op)
        named = [w for w in workers if f"port-{w}'" in text]
        found |= set(named or workers)
    return [w for w in workers if w in found]


def way(cluster: Cluster, net: Net, node: NodeState) -> bool:
    """Can this node connect to an API server?"""
    for plane in planes(cluster):
        address = boot.node_address(net, plane.name)
        if not address:
            continue
        call = tcp_call(
            net, node.name, address, 6443, choose=Seeded(0), timeout=RENEW, serve=serve, purpose="lease",
            who="kubelet",
        )  # fmt: skip
        if (not call.error and call.server is not None) or call.error == "ECONNREFUSED":
            return True
    return False


def sync(at: Pass) -> None:
    """Who has fallen silent, and who is heard again. The last renewal is the last whole ten seconds."""
    for node in at.cluster.awake():
        quiet = node.cut or ("kubelet" not in node.procs and node.dream is None)
        if quiet and node.silent == FOREVER:
            node.silent = floor(at.now / RENEW) * RENEW
        elif not quiet and node.silent != FOREVER:
            node.silent = FOREVER
            at.cluster.woken(node)

"""The connections that a cluster's own programs keep open, as `ss` and `netstat -anp` show them on a node.

Theory. The API server keeps a client to etcd for every kind of object that it stores, all to port 2379 of the etcd
beside it; the members of etcd speak to each other on 2380, so that a cluster with one member has no connection there.
kubelet, kube-proxy, the controller manager and the scheduler each watch the API server. Source: kubernetes
staging/src/k8s.io/apiserver/pkg/storage/storagebackend/factory (a client per resource), etcd's clustering guide.

Rules. Read off what runs now; nothing is stored. Simplified: these connections are shown by the socket tools and have
no entries in connection tracking.
"""

from __future__ import annotations

import zlib

from engine.kube.boot import node_address
from engine.kube.cluster import Cluster
from engine.kube.objects import KINDS
from engine.linux.addr import ip4
from engine.linux.net import Net, Netns
from engine.linux.rows import Socket
from engine.record import replace

LOCALHOST = ip4("127.0.0.1")
#: program -> connections that it keeps to the API server (a leader elector has a client of its own)
WATCHERS = {
    "kubelet": 1,
    "kube-proxy": 1,
    "kube-controller-manager": 2,
    "kube-scheduler": 2,
    "calico-node": 1,
}
#: streams that a member of etcd opens to each other member
PEER_STREAMS = 3


def ephemeral(*words: object) -> int:
    """A client's port, the same each time it is asked for."""
    return 32768 + zlib.crc32("/".join(map(str, words)).encode()) % 28232


def standing(cluster: Cluster | None, net: Net, ns: Netns) -> list[Socket]:
    """The established sockets of a node's own namespace; none elsewhere."""
    if cluster is None or ns.id != ns.box or ns.box not in cluster.nodes:
        return []
    here = _running(net, ns.box)
    planes = [n.name for n in cluster.nodes.values() if n.options.control_plane]
    servers = [name for name in planes if "kube-apiserver" in _running(net, name)]
    out: list[Socket] = []
    if "kube-apiserver" in here and "etcd" in here:
        for i, kind in enumerate(KINDS):
            client = (LOCALHOST, ephemeral(ns.box, "etcd", kind.plural))
            out += _pair(here["kube-apiserver"], here["etcd"], client, (LOCALHOST, 2379), 12 + i)
    if "etcd" in here:
        for other in planes:
            if other != ns.box and "etcd" in _running(net, other):
                out += _peers(net, ns.box, other, here["etcd"])
    if servers:
        server = (node_address(net, servers[0]), 6443)
        for name in cluster.nodes if ns.box == servers[0] else (ns.box,):
            out += _watching(net, name, server, servers[0], ns.box)
    return out


def _running(net: Net, box: str) -> dict[str, int]:
    """program -> pid."""
    return {p.program: p.pid for p in net.boxes[box].procs.values() if p.program}


def _pair(client: int, server: int, near: tuple[int, int], far: tuple[int, int], fd: int) -> list[Socket]:
    """Both ends of a connection within one namespace."""
    one = Socket(proto="tcp", addr=near[0], port=near[1], pid=client, state="ESTAB", fd=fd, peer=far)
    return [one, replace(one, addr=far[0], port=far[1], pid=server, peer=near)]


def _peers(net: Net, box: str, other: str, pid: int) -> list[Socket]:
    """The streams to and from one other member."""
    mine, theirs = node_address(net, box), node_address(net, other)
    out = []
    for i in range(PEER_STREAMS):
        to, come = ephemeral(box, other, i), ephemeral(other, box, i)
        out.append(
            Socket(proto="tcp", addr=mine, port=to, pid=pid, state="ESTAB", fd=9 + i, peer=(theirs, 2380))
        )
        out.append(
            Socket(proto="tcp", addr=mine, port=2380, pid=pid, state="ESTAB", fd=9 + i, peer=(theirs, come))
        )
    return out


def _watching(net: Net, name: str, server: tuple[int, int], plane: str, here: str) -> list[Socket]:
    """What the programs of one node keep open to the API server, as seen in the namespace of `here`."""
    running, address = _running(net, name), node_address(net, name)
    out = []
    for program, count in WATCHERS.items():
        for i in range(count if program in running else 0):
            client = (address, ephemeral(name, program, i))
            far = replace(
                Socket(proto="tcp", addr=server[0], port=server[1], pid=0, state="ESTAB", peer=client),
                pid=_running(net, plane)["kube-apiserver"], fd=90 + i,
            )  # fmt: skip
            near = Socket(
                proto="tcp", addr=client[0], port=client[1], pid=running[program], state="ESTAB", fd=14 + i,
                peer=server,
            )  # fmt: skip
            out += [s for s, box in ((near, name), (far, plane)) if box == here]
    return out

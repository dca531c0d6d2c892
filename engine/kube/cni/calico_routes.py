"""The routes and tunnel devices of a node under Calico: what should be there, and the ops that are missing.

Theory. Every block has one route on every other node, by the mode: through tunl0 or vxlan.calico, or straight to the
node's address. The node's own block is a blackhole, which the longer /32 of each pod beats; a borrowed address is a
/32 of its own. BIRD writes these where it is the backend (`proto bird`), and felix where blocks go by VXLAN (no proto,
`proto 80` for blackholes and for nodes of the same subnet). Felix writes each pod's route with metric 1024 in place of
the plugin's.

Rules. Owned are: routes of protocol bird while bird runs, of protocol 80, on vxlan.calico and on cali devices. What is
owned and not wanted goes. Source: felix/dataplane/linux/{endpoint_mgr,route_mgr,vxlan_mgr,ipip_mgr}.go, confd's
bird_ipam.cfg and bird.cfg templates (facts 10 section 6.3).
"""

from __future__ import annotations

from collections.abc import Set

from engine.errors import OpError
from engine.kube import boot
from engine.kube.cni import calico_conf, calico_ipam
from engine.kube.cni.calico_conf import Mode, mode, same_subnet
from engine.kube.node import NodeState
from engine.kube.objects import meta
from engine.kube.passes import Pass
from engine.kube.policy.endpoint import endpoint
from engine.linux.addr import Prefix, ip4
from engine.linux.fib import MAIN, Route, lookup
from engine.linux.flow import FlowKey
from engine.linux.linkinfo import Vxlan
from engine.linux.net import Netns
from engine.linux.ops import AddAddress, AddRoute, DelAddress, DelRoute, SetLink, SetNeighbour, SetSysctl
from engine.linux.ops.conntrack import CtDelete
from engine.linux.ops.device import AddDevice, LoadModule
from engine.linux.ops.neigh import DelNeighbour
from engine.linux.ops.vxlanfdb import SetVxlanFdb
from engine.linux.rows import Address, Link, Neighbour, Remote
from engine.record import dataclass

#: Felix's DefaultRouteProto, and the metric of workload and BGP routes since 3.32.
FELIX, METRIC = "80", 1024
MEMORY = "calico.pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """A route that should be there, in the words of AddRoute."""

    dst: Prefix
    type: str = "unicast"
    gateway: int = 0
    device: str = ""
    metric: int = 0
    proto: str = "boot"
    scope: str = "global"
    onlink: bool = False


def sync(at: Pass, node: NodeState, birds: Set[str]) -> None:
    """Make devices and routes what they should be. `birds`: nodes whose BGP routes count."""
    how = mode(at.options.cni)
    kernel_settings(at, node.name)
    if how.tunnel:
        tunnel_device(at, node.name, how)
    pods = workloads(at, node)
    forget_connections(at, node, pods)
    wants = [*pods, *block_routes(at, node.name, how, birds)]
    if how.tunnel == "vxlan":
        neighbours(at, node.name)
    speaks = not how.bird or node.name in birds
    program(at, node.name, wants, birds=how.bird and speaks)


def kernel_settings(at: Pass, name: str) -> None:
    """What felix sets at its start: forwarding, and counters of connections."""
    for key in ("net.ipv4.ip_forward", "net.netfilter.nf_conntrack_acct"):
        if at.net.spaces[name].sysctl(key) != "1":
            at.changes.do(SetSysctl(netns=name, key=key, value="1"))


# ---- devices


def uplink(at: Pass, name: str) -> Link | None:
    """The device that holds the node's address."""
    ns, address = at.net.spaces[name], boot.node_address(at.net, name)
    for index, rows in ns.addresses.items():
        if any(row.addr == address for row in rows):
            return ns.links[index]
    return None


def tunnel_address(at: Pass, name: str, how: Mode) -> int:
    body = at.store.get("Node", "", name)
    text = (meta(body).get("annotations") or {}).get(calico_conf.TUNNEL_ADDRESS[how.tunnel]) if body else None
    return ip4(text) if text else 0


def tunnel_device(at: Pass, name: str, how: Mode) -> None:
    """tunl0 or vxlan.calico with its MTU and one address."""
    lower = uplink(at, name)
    if lower is None:
        return
    address = tunnel_address(at, name, how)
    mtu = at.options.cni.mtu or lower.mtu - calico_conf.OVERHEAD[how.tunnel]
    ns = at.net.spaces[name]
    if ns.link(how.device) is None:
        if how.tunnel == "ipip":
            at.changes.do(LoadModule(box=name, module="ipip"))
        else:
            info = Vxlan(
                vni=calico_conf.VNI, local=boot.node_address(at.net, name), port=calico_conf.VXLAN_PORT, learning=False
            )  # fmt: skip
            mac = calico_conf.tunnel_mac(name)
            at.changes.do(
                AddDevice(netns=name, name=how.device, info=info, lower=lower.name, mac=mac, mtu=mtu)
            )
    link = ns.link(how.device)
    if link is None:
        return
    if link.mtu != mtu:
        at.changes.do(SetLink(netns=name, name=how.device, mtu=mtu))
    there = [row.addr for row in ns.addresses.get(link.ifindex, ()) if row.scope == "global"]
    for addr in [a for a in there if a != address]:
        at.changes.do(DelAddress(netns=name, device=how.device, addr=addr, length=32))
    if address and address not in there:
        row = Address(ifindex=0, addr=address, length=32)
        at.changes.do(AddAddress(netns=name, device=how.device, address=row))
    if not link.up:
        at.changes.do(SetLink(netns=name, name=how.device, up=True))


def neighbours(at: Pass, name: str) -> None:
    """vxlan.calico: one static neighbour and one forwarding entry for each other node (VTEP)."""
    ns, how = at.net.spaces[name], mode(at.options.cni)
    link = ns.link(how.device)
    if link is None or not link.up:
        return
    wanted: dict[int, tuple[int, int]] = {}
    for other in at.cluster.nodes:
        vtep = tunnel_address(at, other, how) if other != name else 0
        if vtep:
            wanted[vtep] = (calico_conf.tunnel_mac(other), boot.node_address(at.net, other))
    have = {n.ip: n for n in ns.neighbours.values() if n.ifindex == link.ifindex and n.state == "PERMANENT"}
    for vtep in have.keys() - wanted.keys():
        at.changes.do(DelNeighbour(netns=name, device=link.name, ip=vtep))
    for vtep, (mac, node) in wanted.items():
        old = have.get(vtep)
        if old is None or old.mac != mac:
            row = Neighbour(ifindex=link.ifindex, ip=vtep, mac=mac, state="PERMANENT")
            at.changes.do(SetNeighbour(netns=name, device=link.name, neighbour=row))
        entry = ns.vxlan_fdb.get((link.ifindex, mac, 0))
        if entry is None or [r.dst for r in entry.remotes] != [node]:
            at.changes.do(
                SetVxlanFdb(
                    netns=name,
                    device=link.name,
                    mac=mac,
                    remote=Remote(dst=node),
                    mode="replace",
                    state="permanent",
                )
            )


# ---- routes


def workloads(at: Pass, node: NodeState) -> list[Want]:
    """A /32 to every endpoint of this node whose device is there."""
    ns, out = at.net.spaces[node.name], []
    for pod in at.store.pods_on(node.name):
        found = endpoint(pod)
        link = ns.link(found.device) if found is not None else None
        if found is not None and link is not None and link.up:
            out.append(Want(dst=Prefix(found.address, 32), device=found.device, metric=METRIC, scope="link"))
    return out


def forget_connections(at: Pass, node: NodeState, pods: list[Want]) -> None:
    """Felix deletes the connections of an address that is no pod's any more (felix/conntrack)."""
    held, now = node.memory.get(MEMORY), frozenset(want.dst.addr for want in pods)
    gone = held - now if isinstance(held, frozenset) else frozenset()
    node.memory[MEMORY] = now
    if gone:
        entries = at.net.spaces[node.name].conntrack.entries
        ids = tuple(id for id, e in entries.items() if e.orig.src in gone or e.reply.src in gone)
        if ids:
            at.changes.do(CtDelete(netns=node.name, ids=ids))


def block_routes(at: Pass, name: str, how: Mode, birds: Set[str]) -> list[Want]:
    """The routes to every block, and to every borrowed address."""
    own, out = prefix_of(at, name), []
    proto, metric = ("bird", METRIC) if how.bird else (FELIX, 0)
    for block in calico_ipam.blocks(at.store):
        owner, range_ = calico_ipam.owner(block), calico_ipam.cidr(block)
        if owner == name:
            out.append(Want(dst=range_, type="blackhole", proto="bird" if how.bird else FELIX))
        elif owner in at.cluster.nodes and (not how.bird or {owner, name} <= birds):
            out += remote(at, name, owner, own, range_, how, proto, metric)
        for address, _, why in calico_ipam.used(block):
            user = str(why.get("node", ""))
            if user not in (owner, name) and user in at.cluster.nodes and (not how.bird or user in birds):
                out += remote(at, name, user, own, Prefix(address, 32), how, proto, metric)
    return out


def prefix_of(at: Pass, name: str) -> Prefix | None:
    link, address = uplink(at, name), boot.node_address(at.net, name)
    rows = at.net.spaces[name].addresses.get(link.ifindex, ()) if link is not None else ()
    return next((Prefix(r.addr, r.length) for r in rows if r.addr == address), None)


def remote(
    at: Pass, name: str, owner: str, own: Prefix | None, dst: Prefix, how: Mode, proto: str, metric: int
) -> list[Want]:
    """The route to a range of another node; none while its way there is not known."""
    node = boot.node_address(at.net, owner)
    ns = at.net.spaces[name]
    near = own is not None and same_subnet(own, node)
    if how.tunnel and not (how.cross_subnet and near):
        if ns.link(how.device) is None:
            return []
        if how.tunnel == "ipip":
            return [Want(dst=dst, gateway=node, device=how.device, metric=metric, proto=proto, onlink=True)]
        vtep = tunnel_address(at, owner, how)
        return [Want(dst=dst, gateway=vtep, device=how.device, onlink=True)] if vtep else []
    link = uplink(at, name)
    if not how.bird:
        return [Want(dst=dst, gateway=node, device=link.name, proto=FELIX, onlink=True)] if link else []
    # BIRD takes the way to its peer: the peer itself in a shared subnet, else the router towards it.
    found = lookup(ns, FlowKey(dst=node)).route
    if found is None or found.type != "unicast" or found.oif not in ns.links:
        return []
    device = ns.links[found.oif].name
    return [Want(dst=dst, gateway=found.gateway or node, device=device, metric=metric, proto=proto)]


def program(at: Pass, name: str, wants: list[Want], *, birds: bool) -> None:
    """Take away what is owned and not wanted, then add what is missing. `birds`: protocol bird is ours to write."""
    ns = at.net.spaces[name]
    table = ns.tables.get(MAIN)
    wanted = {(w.dst, w.metric): w for w in wants if birds or w.proto != "bird"}
    for route in list(table.routes()) if table is not None else ():
        if not owned(ns, route, birds):
            continue
        want = wanted.get((route.dst, route.metric))
        if want is not None and same(ns, route, want):
            del wanted[route.dst, route.metric]
        else:
            device = ns.links[route.oif].name if route.oif in ns.links else ""
            at.changes.do(
                DelRoute(
                    netns=name, dst=route.dst, type=route.type, gateway=route.gateway, device=device,
                    metric=route.metric, proto=route.proto,
                )
            )  # fmt: skip
    for want in wanted.values():
        try:
            at.changes.do(
                AddRoute(
                    netns=name, dst=want.dst, type=want.type, gateway=want.gateway, device=want.device,
                    metric=want.metric, proto=want.proto, scope=want.scope if want.type == "unicast" else "",
                    onlink=want.onlink, mode="replace",
                )
            )  # fmt: skip
        except OpError:
            # The daemon logs the kernel's refusal and tries again at its next comparison.
            continue


def owned(ns: Netns, route: Route, birds: bool) -> bool:
    if route.proto == "bird":
        return birds
    if route.proto == FELIX:
        return True
    name = ns.links[route.oif].name if route.oif in ns.links else ""
    calico = name.startswith(calico_conf.PREFIX) or name == "vxlan.calico"
    return calico and route.proto == "boot" and route.type == "unicast"


def same(ns: Netns, route: Route, want: Want) -> bool:
    device = ns.links[route.oif].name if route.oif in ns.links else ""
    return (
        (route.type, route.gateway, device, route.proto, route.onlink)
        == (want.type, want.gateway, want.device, want.proto, want.onlink)
        and (want.type != "unicast" or route.scope == want.scope)
    )  # fmt: skip

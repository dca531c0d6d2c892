"""The historical userspace mode: a listening socket for every service port, and rules that lead its packets there.

Theory. Removed in Kubernetes 1.26; the model runs it on every release, so that it can be looked at. kube-proxy is in
the path itself (engine/l7/userspace_proxy.py); iptables only brings packets to it. What comes in by a device is
redirected to the proxy's port, what the node itself sends gets the node's address and that port as its destination.
REDIRECT takes the first address of the device that a packet came by and drops it where there is none
(nf_nat_redirect_ipv4): Calico's cali devices have none, so its Pods reach no Service in this mode.
The mode knows no traffic policies, topology or source ranges, and takes the ready endpoints only.

Rules. Rules are ensured one by one and never restored as a whole, so that an order once there stays. A service port
whose definition changes is closed and opened anew, with another port. What the process remembers is a frozen `Open`
for each. When it starts, its chains are emptied, because the ports in them were another process's. Sources:
pkg/proxy/userspace/proxier.go of Kubernetes 1.25 (facts 20 section 2.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from zlib import crc32

from engine.errors import OpError
from engine.kube.proxy.health import tell
from engine.kube.proxy.model import ServicePort
from engine.l7.userspace_proxy import Portal
from engine.linux.addr import text4
from engine.linux.conntrack import CtEntry
from engine.linux.net import Netns
from engine.linux.ops.base import Changes
from engine.linux.ops.box import CloseSocket, Listen
from engine.linux.ops.conntrack import CtDelete
from engine.linux.ops.xt import XtAppend, XtDelete, XtDeleteChain, XtFlush, XtInsert, XtNewChain
from engine.linux.packet import Proto
from engine.linux.rows import Socket
from engine.linux.xt import parse
from engine.linux.xt.rule import XtRule
from engine.record import dataclass
from engine.say import Phrase

HISTORY = Phrase(
    en="kube-proxy's userspace mode was removed in Kubernetes 1.26; this cluster runs {version} and shows it as "
    "history",
    ko="kube-proxy의 userspace 모드는 쿠버네티스 1.26에서 없어졌습니다. 이 클러스터는 {version}이며 "
    "옛 방식을 보여 줍니다",
)
NO_ADDRESS = Phrase(
    en="Pods of Calico reach no Service in userspace mode: REDIRECT takes an address of the device by which a packet "
    "came, and cali devices have none",
    ko="userspace 모드에서 Calico의 파드는 어떤 서비스에도 닿지 못합니다. REDIRECT는 패킷이 들어온 장치의 주소를 "
    "쓰는데 cali 장치에는 주소가 없습니다",
)
REMOVED = 26
CONTAINER, HOST = "KUBE-PORTALS-CONTAINER", "KUBE-PORTALS-HOST"
NODE_CONTAINER, NODE_HOST, NON_LOCAL = (
    "KUBE-NODEPORT-CONTAINER",
    "KUBE-NODEPORT-HOST",
    "KUBE-NODEPORT-NON-LOCAL",
)
IPS = "handle ClusterIPs; NOTE: this must be before the NodePort rules"
PORTS = "handle service NodePorts; NOTE: this must be the last rule in the chain"
FLOW = "Ensure that non-local NodePort traffic can flow"
#: (table, built-in chain, at its top, matches, chain), in kube-proxy's order
JUMPS = (
    ("nat", "PREROUTING", True, f'-m comment --comment "{IPS}"', CONTAINER),
    ("nat", "OUTPUT", True, f'-m comment --comment "{IPS}"', HOST),
    ("nat", "PREROUTING", False, f'-m addrtype --dst-type LOCAL -m comment --comment "{PORTS}"', NODE_CONTAINER),
    ("nat", "OUTPUT", False, f'-m addrtype --dst-type LOCAL -m comment --comment "{PORTS}"', NODE_HOST),
    ("filter", "INPUT", True, f'-m comment --comment "{FLOW}"', NON_LOCAL),
)  # fmt: skip
CHAINS = (
    ("nat", CONTAINER),
    ("nat", HOST),
    ("nat", NODE_CONTAINER),
    ("nat", NODE_HOST),
    ("filter", NON_LOCAL),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A service port that is open: what it was opened for, its port, its rules as (table, chain, words), the sockets
    that only keep ports taken."""

    port: ServicePort
    number: int
    rules: tuple[tuple[str, str, str], ...]
    claimed: tuple[Socket, ...] = ()


Opened = Mapping[tuple[str, str], Open]


@lru_cache(maxsize=4096)
def parsed(words: str) -> XtRule:
    return parse.rule(words)


# -- start


def begin(changes: Changes, netns: str) -> None:
    """What a process that starts does: its chains and their jumps, empty (iptablesInit, iptablesFlush)."""
    init(changes, netns)
    for table, chain in CHAINS:
        found = changes.net.spaces[netns].xt.chain(table, chain)
        if found is not None and found.rules:
            changes.do(XtFlush(netns=netns, table=table, chain=chain))


def init(changes: Changes, netns: str) -> None:
    xt = changes.net.spaces[netns].xt
    for (table, builtin, top, words, _), (_, chain) in zip(JUMPS, CHAINS, strict=True):
        if xt.chain(table, chain) is None:
            changes.do(XtNewChain(netns=netns, table=table, chain=chain))
        rule = parsed(f"{words} -j {chain}")
        found = xt.chain(table, builtin)
        if found is None or rule not in found.rules:
            make = XtInsert if top else XtAppend
            changes.do(make(netns=netns, table=table, chain=builtin, rules=(rule,)))


# -- one sync


def sync(
    changes: Changes, netns: str, ports: Iterable[ServicePort], opened: Opened, *, pid: int, node_ip: int, seed: int = 0
) -> dict[tuple[str, str], Open]:  # fmt: skip
    """Bring the node to what the Services say. `pid` is the process, `opened` what it had open before."""
    init(changes, netns)
    wanted = {(p.id, p.proto): p for p in ports if p.proto in ("tcp", "udp")}
    out = dict(opened)
    for key in [k for k, one in opened.items() if k not in wanted or not same(one.port, wanted[k])]:
        close(changes, netns, out.pop(key), pid)
    for key, port in wanted.items():
        if key not in out:
            out[key] = opened_now(changes, netns, port, pid, node_ip, seed)
        one = out[key]
        ensure(changes, netns, one)
        tell(changes, netns, pid, ("portal", port.proto, one.number), portal_of(port))
    return out


def same(old: ServicePort, new: ServicePort) -> bool:
    """sameConfig: what a change of makes kube-proxy close the port and open it anew."""
    names = ("proto", "port", "node_port", "cluster_ip", "external_ips", "lb_ips")
    return all(getattr(old, n) == getattr(new, n) for n in names) and bool(old.affinity) == bool(new.affinity)


def portal_of(port: ServicePort) -> Portal:
    ends = tuple((e.ip, e.port) for e in port.endpoints if e.ready)
    return Portal(id=f"{port.id}/{port.proto}", endpoints=ends, affinity=port.affinity)


def opened_now(changes: Changes, netns: str, port: ServicePort, pid: int, node_ip: int, seed: int) -> Open:
    """Open a service port: a port that is free, a socket on it, sockets that claim node ports (addServiceOnPort,
    claimNodePort)."""
    ns = changes.net.spaces[netns]
    number = free_port(ns, port, seed)
    state = "LISTEN" if port.proto == "tcp" else "UNCONN"
    socket = Socket(proto=port.proto, addr=0, port=number, pid=pid, state=state, fd=free_fd(ns, pid))
    changes.do(Listen(netns=netns, socket=socket))
    local = [(a, port.port) for a in (*port.external_ips, *port.lb_ips) if ns.owns(a)]
    claimed: list[Socket] = []
    for address, claim in (*local, *([(0, port.node_port)] if port.node_port else [])):
        one = Socket(proto=port.proto, addr=address, port=claim, pid=pid, state=state, fd=free_fd(ns, pid))
        try:
            changes.do(Listen(netns=netns, socket=one))
        except OpError:
            continue
        claimed.append(one)
    return Open(port=port, number=number, rules=rules(port, number, node_ip), claimed=tuple(claimed))


def free_port(ns: Netns, port: ServicePort, seed: int) -> int:
    """The kernel's choice for bind(0): by chance, the same for the same lab."""
    low, high = (int(x) for x in ns.sysctl("net.ipv4.ip_local_port_range").split())
    taken = {s.port for s in ns.sockets if s.proto == port.proto}
    number = low + crc32(f"{seed}/{ns.id}/{port.id}/{port.proto}".encode()) % (high - low + 1)
    while number in taken:
        number = low if number >= high else number + 1
    return number


def free_fd(ns: Netns, pid: int) -> int:
    return max((s.fd for s in ns.sockets if s.pid == pid), default=7) + 1


def rules(port: ServicePort, number: int, node_ip: int) -> tuple[tuple[str, str, str], ...]:
    """The rules of one service port, in the order in which they are appended (openPortal, openNodePort)."""
    to_port, to_node = (
        f"-j REDIRECT --to-ports {number}",
        f"-j DNAT --to-destination {text4(node_ip)}:{number}",
    )

    def common(dport: int, address: int = 0, more: str = "") -> str:
        head = f"-d {text4(address)}/32 " if address else ""
        return (
            f'{head}-p {port.proto} -m comment --comment "{port.id}" -m {port.proto} --dport {dport}'
            f"{' ' + more if more else ''}"
        )

    out = [
        ("nat", CONTAINER, f"{common(port.port, port.cluster_ip)} {to_port}"),
        ("nat", HOST, f"{common(port.port, port.cluster_ip)} {to_node}"),
    ]
    here, bridged = "-m addrtype --dst-type LOCAL", "-m physdev ! --physdev-is-in"
    for address in port.external_ips:
        out += [
            ("nat", CONTAINER, f"{common(port.port, address, bridged)} {to_port}"),
            ("nat", CONTAINER, f"{common(port.port, address, here)} {to_port}"),
            ("nat", HOST, f"{common(port.port, address, here)} {to_node}"),
        ]
    for address in port.lb_ips:
        out += [
            ("nat", CONTAINER, f"{common(port.port, address)} {to_port}"),
            ("nat", HOST, f"{common(port.port, address)} {to_node}"),
        ]
    if port.node_port:
        out += [
            ("nat", NODE_CONTAINER, f"{common(port.node_port)} {to_port}"),
            ("nat", NODE_HOST, f"{common(port.node_port)} {to_node}"),
            ("filter", NON_LOCAL, f"{common(number)} -m state --state NEW -j ACCEPT"),
        ]
    return tuple(out)


def ensure(changes: Changes, netns: str, one: Open) -> None:
    """iptables -C, else -A, rule by rule."""
    xt = changes.net.spaces[netns].xt
    for table, chain, words in one.rules:
        found, rule = xt.chain(table, chain), parsed(words)
        if found is not None and rule not in found.rules:
            changes.do(XtAppend(netns=netns, table=table, chain=chain, rules=(rule,)))


def missing(ns: Netns, opened: Opened) -> bool:
    """Is a rule or a jump of kube-proxy not there (ensurePortals would put it back)?"""
    rows = [(table, chain, parsed(f"{words} -j {to}")) for table, chain, _, words, to in JUMPS]
    rows += [(table, chain, parsed(words)) for one in opened.values() for table, chain, words in one.rules]
    return any((c := ns.xt.chain(table, chain)) is None or rule not in c.rules for table, chain, rule in rows)


def close(changes: Changes, netns: str, one: Open, pid: int) -> None:
    """Close a service port (cleanupPortalAndProxy); of UDP the connections that conntrack knows go, too."""
    ns = changes.net.spaces[netns]
    for table, chain, words in one.rules:
        found, rule = ns.xt.chain(table, chain), parsed(words)
        if found is not None and rule in found.rules:
            changes.do(XtDelete(netns=netns, table=table, chain=chain, rules=(rule,)))
    for socket in [s for s in ns.sockets if s.pid == pid]:
        mine = (socket.proto, socket.addr, socket.port) == (one.port.proto, 0, one.number)
        if mine or socket in one.claimed:
            changes.do(CloseSocket(netns=netns, socket=socket))
    tell(changes, netns, pid, ("portal", one.port.proto, one.number), None)
    if one.port.proto == "udp":
        stale = [e for e in ns.conntrack.entries.values() if to_portal(e, one.port)]
        if stale:
            changes.do(CtDelete(netns=netns, ids=tuple(e.id for e in stale)))


def to_portal(entry: CtEntry, port: ServicePort) -> bool:
    return entry.orig.proto == Proto.UDP and entry.orig.dst == port.cluster_ip


# -- the end


def cleanup(changes: Changes, netns: str) -> None:
    """CleanupLeftovers: jumps, then the chains."""
    xt = changes.net.spaces[netns].xt
    for table, builtin, _, words, chain in JUMPS:
        found, rule = xt.chain(table, builtin), parsed(f"{words} -j {chain}")
        if found is not None and rule in found.rules:
            changes.do(XtDelete(netns=netns, table=table, chain=builtin, rules=(rule,)))
    for table, chain in CHAINS:
        if xt.chain(table, chain) is not None:
            changes.do(XtFlush(netns=netns, table=table, chain=chain))
            changes.do(XtDeleteChain(netns=netns, table=table, chain=chain))

"""Net: the rows of every kernel in a lab, looked up and copied. It decides nothing.

Rules. Three things stay apart: rows (data), ops (change) and the walker (behaviour). Only `ops` writes here,
and the walker where a kernel writes by itself (neighbours, fdb, conntrack, counters). Rows are frozen and
shared between copies; containers are copied, so `copy()` is cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, NamedTuple

from engine.linux.conntrack import Conntrack
from engine.linux.ctproto import SYSCTLS as CONNTRACK_SYSCTLS
from engine.linux.fib import DEFAULT, DEFAULT_RULES, LOCAL, MAIN, NexthopObject, Route, Rule, Table, together
from engine.linux.fragment import Key
from engine.linux.ipset.held import IpSets
from engine.linux.ipvs.table import SYSCTLS as IPVS_SYSCTLS
from engine.linux.ipvs.table import Ipvs
from engine.linux.layered import shared
from engine.linux.lent import Lent, peek
from engine.linux.nft.tables import Nft
from engine.linux.packet import Packet
from engine.linux.rows import Address, Box, FdbEntry, Link, Neighbour, Port, Proc, Socket, VxlanFdb, WgSession
from engine.linux.sysctls import Sysctls
from engine.linux.xt.tables import Xtables
from engine.record import dataclass

if TYPE_CHECKING:
    from engine.linux.asleep import Sleepers

#: sysctls that a namespace knows, with the kernel's defaults; `*.IF.*` keys exist per device and for all/default.
SYSCTL_DEFAULTS: dict[str, str] = {
    "net.ipv4.ip_forward": "0",
    "net.ipv4.ip_default_ttl": "64",
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.ip_unprivileged_port_start": "1024",
    "net.ipv4.ping_group_range": "1\t0",
    "net.ipv4.icmp_echo_ignore_all": "0",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.ip_nonlocal_bind": "0",
    "net.ipv4.tcp_syn_retries": "6",
    "net.core.somaxconn": "4096",
    "net.ipv4.fib_multipath_hash_policy": "0",
    "net.ipv4.fib_multipath_hash_fields": "7",
    "net.ipv4.fib_multipath_hash_seed": "0",
    "net.ipv4.fib_multipath_use_neigh": "0",
    "net.ipv4.ip_forward_use_pmtu": "0",
    "net.ipv4.ip_no_pmtu_disc": "0",
    "net.ipv4.ipfrag_time": "30",
    "net.ipv4.route.min_pmtu": "552",
    "net.ipv4.route.mtu_expires": "600",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-arptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
    **CONNTRACK_SYSCTLS,
    **IPVS_SYSCTLS,
}
CONF_DEFAULTS: dict[str, str] = {
    "forwarding": "0", "rp_filter": "0", "route_localnet": "0", "proxy_arp": "0", "arp_ignore": "0",
    "arp_announce": "0", "arp_notify": "0", "accept_local": "0", "send_redirects": "1", "log_martians": "0",
    "promote_secondaries": "0", "arp_accept": "0", "arp_filter": "0", "drop_gratuitous_arp": "0",
    "ignore_routes_with_linkdown": "0", "proxy_arp_pvlan": "0", "shared_media": "1", "src_valid_mark": "0",
}  # fmt: skip


class PathMtu(NamedTuple):
    """What an ICMP error has taught about the way to a destination. `locked`: it said less than
    net.ipv4.route.min_pmtu, so packets of that size are sent without DF."""

    mtu: int
    until: float
    locked: bool = False


#: net.ipv4.neigh.DEV.*: a namespace has them for each device, and none for all or default
NEIGH_DEFAULTS: dict[str, str] = {
    "base_reachable_time_ms": "30000", "delay_first_probe_time": "5", "gc_stale_time": "60", "locktime": "100",
    "mcast_solicit": "3", "proxy_delay": "80", "proxy_qlen": "64", "retrans_time_ms": "1000", "ucast_solicit": "3",
    "unres_qlen": "101",
}  # fmt: skip
NEIGH = "net.ipv4.neigh."


class Ports(NamedTuple):
    """The ports of a bridge in order of ifindex, the MACs of them and of the bridge, and whether one of them keeps ARP
    questions out (neigh_suppress)."""

    rows: tuple[Link, ...]
    macs: frozenset[int]
    suppress: bool


class Links(dict[int, Link]):
    """A namespace's devices by ifindex. Which are the ports of a bridge is worked out once after each change."""

    __slots__ = ("_ports",)

    def __init__(self, rows: Mapping[int, Link] | None = None) -> None:
        super().__init__(rows or ())
        self._ports: dict[int, Ports] = {}

    def __setitem__(self, index: int, link: Link) -> None:
        self._ports = {}
        super().__setitem__(index, link)

    def __delitem__(self, index: int) -> None:
        self._ports = {}
        super().__delitem__(index)

    def ports(self, bridge: int) -> Ports:
        """What is known of the ports of a bridge."""
        found = self._ports.get(bridge)
        if found is None:
            rows = tuple(self[i] for i in sorted(self) if self[i].master == bridge)
            macs = frozenset((*(p.mac for p in rows), self[bridge].mac if bridge in self else 0))
            found = self._ports[bridge] = Ports(rows, macs, any(p.neigh_suppress for p in rows))
        return found

    def copy(self) -> Links:
        other = Links(self)
        other._ports = self._ports
        return other


@dataclass(slots=True)
class Netns:
    """One network namespace. `fib_split`: somebody has touched the rules, so that the tables local and main are two
    trees from then on. `label` is how a person calls it: "root", a pod's NS/NAME, a container's name."""

    id: str
    box: str
    label: str
    inode: int
    links: Links = field(default_factory=Links)
    names: dict[str, int] = field(default_factory=dict)
    addresses: dict[int, tuple[Address, ...]] = field(default_factory=dict)
    tables: dict[int, Table] = field(
        default_factory=lambda: {LOCAL: Table(), MAIN: Table(), DEFAULT: Table()}
    )
    rules: list[Rule] = field(default_factory=lambda: list(DEFAULT_RULES))
    neighbours: dict[tuple[int, int], Neighbour] = field(default_factory=dict)
    fdb: dict[tuple[int, int], FdbEntry] = field(default_factory=dict)
    #: what VXLAN devices know: (ifindex, MAC, VNI or 0) -> entry
    vxlan_fdb: dict[tuple[int, int, int], VxlanFdb] = field(default_factory=dict)
    #: sockets of the kernel's own tunnels that are up: (IP protocol, UDP port or 0) -> their devices, oldest first
    tunnels: dict[tuple[int, int], tuple[Port, ...]] = field(default_factory=dict)
    #: macvlans and ipvlans on a device: its ifindex -> theirs, oldest first
    uppers: dict[int, tuple[Port, ...]] = field(default_factory=dict)
    #: (ifindex, public key of the peer) -> session
    wg_sessions: dict[tuple[int, str], WgSession] = field(default_factory=dict)
    xt: Xtables = field(default_factory=Xtables)
    nft: Nft = field(default_factory=Nft)
    sockets: tuple[Socket, ...] = ()
    #: connections that wait for accept(2): (address, port) of the listening socket -> how many
    accept_queues: dict[tuple[int, int], int] = field(default_factory=dict)
    sysctls: Sysctls = field(default_factory=Sysctls)
    nsids: dict[str, int] = field(default_factory=dict)
    link_stats: dict[int, tuple[int, int, int, int]] = field(default_factory=dict)
    next_ifindex: int = 1
    #: path MTUs that ICMP has taught: destination -> (mtu, virtual time when it is forgotten)
    path_mtus: dict[int, PathMtu] = field(default_factory=dict)
    fib_split: bool = False
    #: `ip neigh add proxy`: (ifindex, address) that this machine answers ARP questions for
    proxies: set[tuple[int, int]] = field(default_factory=set)
    #: fragments that wait for the rest of their datagram, with the virtual time of the first (walk/fragments.py)
    fragments: dict[Key, tuple[tuple[Packet, ...], float]] = field(default_factory=dict)
    #: somebody has made a route of type local: sources are then always looked up (fib_validate_source)
    custom_local: bool = False
    nexthops: dict[int, NexthopObject] = field(default_factory=dict)
    #: which share of 2^31 a flow fell into where only the kernel knows the seed (multipath.drawn)
    flow_hashes: dict[object, int] = field(default_factory=dict)
    #: what most namespaces never have, made when it is first asked for
    _ipsets: IpSets | None = None
    _conntrack: Conntrack | None = None
    _ipvs: Ipvs | None = None

    def copy(self) -> Netns:
        self.fdb, fdb = shared(self.fdb)
        return Netns(
            id=self.id, box=self.box, label=self.label, inode=self.inode, links=self.links.copy(),
            names=dict(self.names), addresses=dict(self.addresses),
            tables={k: t.copy() for k, t in self.tables.items()}, rules=list(self.rules),
            neighbours=dict(self.neighbours), fdb=fdb, vxlan_fdb=dict(self.vxlan_fdb),
            tunnels=dict(self.tunnels), uppers=dict(self.uppers), wg_sessions=dict(self.wg_sessions),
            xt=self.xt.copy(), nft=self.nft.copy(), sockets=self.sockets, accept_queues=dict(self.accept_queues),
            sysctls=self.sysctls.copy(), nsids=dict(self.nsids), link_stats=dict(self.link_stats),
            path_mtus=dict(self.path_mtus), next_ifindex=self.next_ifindex, fib_split=self.fib_split,
            custom_local=self.custom_local, proxies=set(self.proxies), fragments=dict(self.fragments),
            nexthops=dict(self.nexthops), flow_hashes=dict(self.flow_hashes),
            _ipsets=self._ipsets.copy() if self._ipsets is not None else None,
            _conntrack=self._conntrack.copy() if self._conntrack is not None else None,
            _ipvs=self._ipvs.copy() if self._ipvs is not None else None,
        )  # fmt: skip

    @property
    def ipsets(self) -> IpSets:
        if self._ipsets is None:
            self._ipsets = IpSets()
        return self._ipsets

    @property
    def conntrack(self) -> Conntrack:
        if self._conntrack is None:
            self._conntrack = Conntrack()
        return self._conntrack

    @property
    def ipvs(self) -> Ipvs:
        if self._ipvs is None:
            self._ipvs = Ipvs()
        return self._ipvs

    @property
    def tracking(self) -> bool:
        """Is a connection remembered here?"""
        return self._conntrack is not None and bool(self._conntrack.entries)

    @property
    def balancing(self) -> bool:
        """Does IPVS know a service here?"""
        return self._ipvs is not None and bool(self._ipvs.services)

    def link(self, name: str) -> Link | None:
        index = self.names.get(name)
        return None if index is None else self.links[index]

    def ports(self, bridge: int) -> Iterator[Link]:
        """The ports of a bridge in order of ifindex."""
        return iter(self.links.ports(bridge).rows)

    def owns(self, address: int) -> bool:
        """Is this an address of this namespace (a `local` route covers it)?"""
        return self.address_type(address) == "local"

    def address_type(self, address: int) -> str:
        """`inet_addr_type`: local, broadcast, or unicast for everything else. Until rules are touched the tables local
        and main are one, and the longest prefix of both decides. The question has no TOS."""
        route = (
            self.tables[LOCAL].match(address, plain)
            if self.fib_split
            else together(self.tables, address, plain)
        )
        return route.type if route is not None and route.type in ("local", "broadcast") else "unicast"

    def sysctl(self, key: str) -> str:
        """Effective value; KeyError for a key that this kernel does not have."""
        if key == "net.netfilter.nf_conntrack_count":
            return str(len(self.conntrack.entries))
        if key in self.sysctls:
            return self.sysctls[key]
        if key in SYSCTL_DEFAULTS:
            return SYSCTL_DEFAULTS[key]
        if key.startswith(NEIGH):
            device, _, name = key[len(NEIGH) :].rpartition(".")
            if device.replace("/", ".") not in self.names or name not in NEIGH_DEFAULTS:
                raise KeyError(key)
            return NEIGH_DEFAULTS[name]
        parts = split_conf(key)
        if (
            parts is None
            or parts[1] not in CONF_DEFAULTS
            or not (parts[0] in ("all", "default") or parts[0] in self.names)
        ):
            raise KeyError(key)
        if parts[0] not in ("all", "default"):
            inherited = self.sysctls.get(f"net.ipv4.conf.default.{parts[1]}")
            if inherited is not None:
                return inherited
        if parts[1] == "forwarding":
            return self.sysctls.get("net.ipv4.ip_forward", "0")
        return CONF_DEFAULTS[parts[1]]

    def conf(self, device: str, key: str) -> int:
        """A net.ipv4.conf value as an int, for `device` alone (the caller combines it with `all`)."""
        known = self.sysctls.known
        found: int | None = known.get((device, key))
        if found is None:
            found = known[device, key] = self._conf(device, key)
        return found

    def _conf(self, device: str, key: str) -> int:
        full = f"net.ipv4.conf.{device}.{key}"
        value = self.sysctls.get(full)
        if value is None and key in CONF_DEFAULTS and (device in self.names or device == "all"):
            if device != "all":
                value = self.sysctls.get(f"net.ipv4.conf.default.{key}")
            if value is None:
                value = (
                    CONF_DEFAULTS[key]
                    if key != "forwarding"
                    else self.sysctls.get("net.ipv4.ip_forward", "0")
                )
        return int(self.sysctl(full) if value is None else value)

    def neigh(self, device: str, key: str) -> int:
        """A net.ipv4.neigh value of a device as an int."""
        return int(self.sysctl(f"{NEIGH}{device.replace('.', '/')}.{key}"))

    @property
    def forwarding(self) -> bool:
        return self.sysctl("net.ipv4.ip_forward") != "0"


def plain(route: Route) -> bool:
    """Is this a route for flows without a TOS?"""
    return not route.tos


def split_conf(key: str) -> tuple[str, str] | None:
    """`net.ipv4.conf.DEV.KEY` -> (DEV, KEY); a device name may hold dots, written as `/` by sysctl."""
    head = "net.ipv4.conf."
    if not key.startswith(head) or "." not in key[len(head) :]:
        return None
    device, _, name = key[len(head) :].rpartition(".")
    return device.replace("/", "."), name


@dataclass(slots=True)
class Net:
    """Every box and namespace of a lab, and the virtual clock (seconds since the lab was built)."""

    boxes: dict[str, Box] = field(default_factory=dict)
    spaces: dict[str, Netns] = field(default_factory=dict)
    clock: float = 0.0
    next_port: dict[str, int] = field(default_factory=dict)
    next_ident: int = 1
    #: outer source ports by flow, as long as the lab lives: (box, lowest, highest, what flows inside) -> port
    flow_ports: dict[object, int] = field(default_factory=dict)
    #: machines of a large lab that nobody has touched (asleep.py)
    asleep: Sleepers | None = None

    def copy(self) -> Net:
        """An independent Net that shares every frozen row."""
        return self._copied({k: s.copy() for k, s in self.spaces.items()}, {})

    def borrowed(self) -> Net:
        """A Net to try something on while this one does not change (lent.py): what a packet does not reach of it is not
        even copied."""
        return self._copied({}, dict(peek(self.spaces)))

    def _copied(self, spaces: dict[str, Netns], rest: dict[str, Netns]) -> Net:
        other = Net(
            {k: b.copy() for k, b in self.boxes.items()}, Lent(spaces, rest) if rest else spaces,
            self.clock, dict(self.next_port), self.next_ident, dict(self.flow_ports),
        )  # fmt: skip
        if self.asleep is not None:
            from engine.linux.asleep import Waking

            other.asleep = self.asleep.copy()
            other.boxes, other.spaces = Waking(other, other.boxes), Waking(other, spaces, rest)
        return other

    def sleep(self, sleepers: Sleepers) -> None:
        """From now on these machines are there, asleep."""
        from engine.linux.asleep import Waking

        self.asleep = sleepers
        self.boxes, self.spaces = Waking(self, self.boxes), Waking(self, self.spaces)

    def proc_of(self, ns: Netns, pid: int) -> Proc | None:
        return self.boxes[ns.box].procs.get(pid)

    def owner_of(self, address: int) -> list[Netns]:
        """Namespaces that hold this address on a device other than lo."""
        if self.asleep is not None:
            self.asleep.find(self, address)
        found = [
            id
            for id, ns in peek(self.spaces)
            if any(
                a.addr == address and ns.links[i].kind != "loopback"
                for i, rows in ns.addresses.items()
                for a in rows
            )
        ]
        return [self.spaces[id] for id in (found if len(found) < 2 else self.spaces) if id in found]

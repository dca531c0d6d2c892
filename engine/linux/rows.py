"""The rows that a kernel keeps, each a frozen record: links, addresses, neighbours, fdb, sockets, processes.

Rules. A row holds data and refuses to be wrong; it does nothing. Routes and rules stand in `fib.py`, netfilter
rows in `xt/`, conntrack entries in `conntrack.py`. Text forms stand beside them in `text/`: one file a tool.
"""

from __future__ import annotations

from dataclasses import field

from engine.linux.bpf.rows import Bpf
from engine.linux.linkinfo import INFO, Ipvlan, LinkInfo, Tun
from engine.record import dataclass

#: (id of a network namespace in the Net, interface index in it)
Port = tuple[str, int]

LINK_KINDS = tuple(INFO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A network device. `peer` is the other end of a veth, or what a physical NIC is plugged into (a port of a
    switch box); `master` is the ifindex of its bridge. `hairpin`, `isolated`, `learning`, `flood` are port flags.
    `mac_set`, `mtu_set`: given by hand, so a bridge does not follow its ports; `selected`: a bridge that has chosen
    port states once, so that its carrier follows its ports from then on; `qdisc` as ip link
    prints it, kept when down. `info` is what its kind has beside (linkinfo.py); `lower` the device below it, in the
    namespace where it was made."""

    ifindex: int
    name: str
    kind: str
    mac: int = 0
    mtu: int = 1500
    up: bool = False
    peer: Port | None = None
    master: int = 0
    hairpin: bool = False
    isolated: bool = False
    learning: bool = True
    flood: bool = True
    ageing: int = 300
    promisc: bool = False
    txqlen: int = 1000
    mac_set: bool = False
    mtu_set: bool = False
    selected: bool = False
    qdisc: str = "noop"
    info: LinkInfo | None = None
    lower: Port | None = None
    mcast_flood: bool = True
    bcast_flood: bool = True
    neigh_suppress: bool = False

    def __post_init__(self) -> None:
        if self.kind not in INFO:
            raise ValueError(f"link kind {self.kind!r}")
        wanted = INFO[self.kind]
        if (wanted is None) != (self.info is None) or (
            wanted is not None and not isinstance(self.info, wanted)
        ):
            raise ValueError(f"{self.kind} with {type(self.info).__name__}")
        if not 1 <= len(self.name) <= 15 or "/" in self.name or any(c.isspace() for c in self.name):
            raise ValueError(f"device name {self.name!r}")

    @property
    def headerless(self) -> bool:
        """Does it carry bare IP packets, without Ethernet (and so without ARP)?"""
        return self.kind in ("ipip", "wireguard") or (isinstance(self.info, Tun) and self.info.mode == "tun")

    @property
    def noarp(self) -> bool:
        """IFF_NOARP: no question is ever asked out of it."""
        return self.headerless or self.kind in ("dummy", "ifb") or (
            isinstance(self.info, Ipvlan) and self.info.mode != "l2"
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address on a device: `inet addr/length brd broadcast scope scope label`. `secondary` as ip addr prints it;
    `noprefixroute`: the kernel makes no connected route for it."""

    ifindex: int
    addr: int
    length: int
    broadcast: int = 0
    scope: str = "global"
    label: str = ""
    secondary: bool = False
    noprefixroute: bool = False


NUD = ("INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP", "PERMANENT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """An ARP entry: `ip dev D lladdr M STATE`. `mac` 0 means none yet. `since` is the virtual time of the state."""

    ifindex: int
    ip: int
    mac: int = 0
    state: str = "REACHABLE"
    since: float = 0.0

    def __post_init__(self) -> None:
        if self.state not in NUD:
            raise ValueError(f"neighbour state {self.state!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FdbEntry:
    """A bridge's forwarding entry: `mac` is behind port `ifindex`. `local` = the device's own address (permanent);
    `static` = put there by hand; both = permanent by hand; else learned at virtual time `since`."""

    bridge: int
    ifindex: int
    mac: int
    local: bool = False
    static: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where a VXLAN device sends a MAC: `dst` an address (0: nowhere); `port`, `vni`, `via` (an ifindex) 0 = the
    device's own."""

    dst: int
    port: int = 0
    vni: int = 0
    via: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VxlanFdb:
    """A VXLAN device's own entry (`bridge fdb ... self`): `mac` (0: whatever has no entry) is behind `remotes`, the
    first of which is the one that learning moves. `static` as typed; neither = learned at virtual time `since`. `vni`
    0 unless the device is external."""

    ifindex: int
    mac: int
    remotes: tuple[Remote, ...]
    permanent: bool = False
    static: bool = False
    since: float = 0.0
    vni: int = 0

    @property
    def fixed(self) -> bool:
        return self.permanent or self.static


@dataclass(frozen=True, slots=True, kw_only=True)
class WgSession:
    """Keys that two WireGuard peers agreed on at virtual time `since`; `initiator`: this end began. `sent` counts the
    data messages; `received`, `transmitted` bytes of all messages."""

    since: float
    initiator: bool = False
    sent: int = 0
    received: int = 0
    transmitted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Socket:
    """A listening or bound socket. `addr` 0 is any address; `pid` names the process; `proto` "tcp" or "udp";
    `state` LISTEN or UNCONN as ss prints. `backlog` is what listen(2) was given, at most somaxconn: one more than that
    may wait for accept(2). `device` = SO_BINDTODEVICE; `reuseport` = SO_REUSEPORT: such sockets share a port and the
    packets' hash picks one; `transparent` = IP_TRANSPARENT: it may be bound to, and answer from, an address that is
    not this machine's (TPROXY). An established socket (ESTAB), which only the tools show, has its `peer`."""

    proto: str
    addr: int
    port: int
    pid: int
    state: str = "LISTEN"
    fd: int = 3
    backlog: int = 4096
    device: str = ""
    reuseport: bool = False
    transparent: bool = False
    peer: tuple[int, int] = (0, 0)


NAMESPACE_TYPES = ("mnt", "uts", "ipc", "pid", "net", "user", "cgroup", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proc:
    """A process of a box. `netns` is the id of its network namespace in the Net; `spaces` are the inode numbers of
    its namespaces by type; `program` names a behaviour in the l7 room, `config` is that program's own configuration
    (frozen pairs); `container` is the container's id; `nspid` its pid inside its own pid namespace; `stopped` = by
    SIGSTOP: it accepts nothing and says nothing, its kernel goes on."""

    pid: int
    ppid: int
    args: tuple[str, ...]
    netns: str
    user: str = "root"
    spaces: tuple[tuple[str, int], ...] = ()
    program: str = ""
    config: tuple[tuple[str, str], ...] = ()
    container: str = ""
    nspid: int = 0
    started: float = 0.0
    stopped: bool = False

    @property
    def comm(self) -> str:
        title = ""
        for key, value in self.config:
            if key == "comm":
                title = value
                break
            if key.startswith("env:"):
                break
        return title or (self.args[0].rsplit("/", 1)[-1][:15] if self.args else "")

    def space(self, kind: str) -> int:
        return next((inode for name, inode in self.spaces if name == kind), 0)


@dataclass(slots=True)
class Box:
    """A machine: one kernel, a process table, a file tree. Files are path -> text; folders exist by their files
    (and `folders` for the empty ones). The root network namespace's id equals the box's name.
    `role` is "node", "host", "switch" or "router": only the fabric makes the last two. `exits` are the exit codes of
    ended processes by pid, as their parents waited for them (128 + the signal for those that a signal ended)."""

    name: str
    role: str = "node"
    procs: dict[int, Proc] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    netns_names: dict[str, str] = field(default_factory=dict)
    next_pid: int = 900
    next_inode: int = 4026532200
    journal: list[tuple[float, str]] = field(default_factory=list)
    exits: dict[int, int] = field(default_factory=dict)
    bpf: Bpf = field(default_factory=Bpf)
    #: kernel modules that were loaded by hand or by need, where that shows (ipip: tunl0)
    modules: set[str] = field(default_factory=set)
    #: what running programs keep in their memory, by pid: frozen values, because copies share them
    memory: dict[int, dict[object, object]] = field(default_factory=dict)

    def copy(self) -> Box:
        return Box(
            self.name, self.role, dict(self.procs), dict(self.files), set(self.folders), dict(self.netns_names),
            self.next_pid, self.next_inode, list(self.journal),
            dict(self.exits), self.bpf.copy(), set(self.modules), {k: dict(v) for k, v in self.memory.items()},
        )  # fmt: skip

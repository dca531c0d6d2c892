"""Rows of IPVS: virtual services, destinations, connections and counters.

Rules. Frozen; addresses are ints. A service's key is (protocol, address, port), for a firewall mark (0, mark, 0). The
order of `Service.dests` is the kernel's list: a new server stands in front.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.linux.packet import Proto
from engine.record import dataclass

#: (protocol, address, port); (0, mark, 0) for a firewall mark
SvcKey = tuple[int, int, int]
#: (address, port) of a real server in a service
DestKey = tuple[int, int]
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "mh", "fo", "ovf", "twos")
#: what is not modelled among them
REFUSED = ("lblc", "lblcr", "fo", "ovf", "twos")
METHODS = {"masq": "Masq", "route": "Route", "tunnel": "Tunnel"}
FULL_MASK = 0xFFFFFFFF


class Stats(NamedTuple):
    """conns, packets in and out, bytes in and out."""

    conns: int = 0
    inpkts: int = 0
    outpkts: int = 0
    inbytes: int = 0
    outbytes: int = 0


class Load(NamedTuple):
    """What a destination carries: connections that are active, all of them, and persistence templates."""

    active: int = 0
    total: int = 0
    persist: int = 0
    overload: bool = False

    @property
    def inactive(self) -> int:
        return self.total - self.active

    @property
    def overhead(self) -> int:
        """ip_vs_dest_conn_overhead."""
        return (self.active << 8) + self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class Dest:
    """A real server. `method` masq, route or tunnel; `last_weight` the last weight that was not 0."""

    addr: int
    port: int
    weight: int = 1
    method: str = "route"
    upper: int = 0
    lower: int = 0
    last_weight: int = 1

    @property
    def key(self) -> DestKey:
        return self.addr, self.port

    @property
    def low_mark(self) -> int:
        return self.lower or self.upper - (self.upper >> 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A virtual service. `timeout` seconds of persistence, 0 without; `flags` the scheduler's (bits 1, 2, 3 of
    IP_VS_SVC_F_SCHED*); `ops` one packet a connection."""

    proto: int
    addr: int = 0
    port: int = 0
    fwmark: int = 0
    scheduler: str = "wlc"
    timeout: int = 0
    netmask: int = FULL_MASK
    flags: frozenset[int] = frozenset()
    ops: bool = False
    dests: tuple[Dest, ...] = ()

    @property
    def key(self) -> SvcKey:
        return (0, self.fwmark, 0) if self.fwmark else (self.proto, self.addr, self.port)

    def dest(self, key: DestKey) -> Dest | None:
        return next((d for d in self.dests if d.key == key), None)


class End(NamedTuple):
    addr: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conn:
    """A connection, or a persistence template (`template`, client port 0). `svc` and `dest` name what it is bound to,
    also when that is gone; `control` the template it belongs to (0 = none); `nooutput` answers do not come by here;
    `inactive` it does not count as active; `nfct` it keeps its conntrack entry; `assured` of a template."""

    id: int
    proto: int
    client: End
    virtual: End
    real: End
    svc: SvcKey
    dest: DestKey
    method: str
    state: str = "NONE"
    timeout: float = 3.0
    deadline: float = 0.0
    template: bool = False
    control: int = 0
    nooutput: bool = False
    inactive: bool = True
    nfct: bool = False
    assured: bool = False

    @property
    def in_key(self) -> tuple[int, End, End]:
        return self.proto, self.client, self.virtual

    @property
    def out_key(self) -> tuple[int, End, End]:
        """How an answer looks: from the server, or with direct routing from the virtual address."""
        return self.proto, self.real if self.method == "masq" else self.virtual, self.client

    @property
    def state_name(self) -> str:
        if self.template:
            return "ASSURED" if self.assured else "NONE"
        return self.state if self.proto == Proto.TCP else "UDP"


class Mark(NamedTuple):
    """Where rr and wrr stand: the server that was last (None = the head of the list); wrr's current weight, highest
    weight and step."""

    at: DestKey | None = None
    current: int = 0
    highest: int = 0
    step: int = 0

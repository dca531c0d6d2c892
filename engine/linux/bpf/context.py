"""What a program is given, and what it may decide.

Rules. A program reads and writes maps through its context only: so the context knows which entry was read last, which
is the row that decided. Verdicts are frozen; what a verdict does to the packet is the hooks' business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.linux.bpf import maps
from engine.linux.bpf.rows import Bpf, BpfMap, BpfProgram, Key
from engine.linux.packet import Packet
from engine.linux.rows import Link
from engine.record import dataclass
from engine.say import Said


@dataclass(slots=True, kw_only=True)
class Context:
    """What every program has: its maps, its constants, a clock (seconds) and random numbers."""

    bpf: Bpf
    program: BpfProgram
    now: float
    random: Callable[[str, int], int]
    #: (map, key, value) of the entry that was read last
    last: tuple[BpfMap, Key, Key] | None = None

    def map(self, name: str) -> BpfMap:
        """One of the program's maps. LookupError when it has none of this name: a fault of the program's author."""
        for number in self.program.maps:
            if self.bpf.maps[number].name == name:
                return self.bpf.maps[number]
        raise LookupError(f"program {self.program.name} has no map {name}")

    def lookup(self, name: str, *key: int) -> Key | None:
        """bpf_map_lookup_elem: the value, or None."""
        spec = self.map(name)
        found = maps.lookup(self.bpf, spec, key)
        if found is None:
            return None
        self.last = (spec, *found)
        return found[1]

    def update(self, name: str, key: Key, value: Key, flags: int = maps.ANY) -> None:
        maps.update(self.bpf, self.map(name), key, value, flags)

    def delete(self, name: str, *key: int) -> None:
        maps.delete(self.bpf, self.map(name), key)

    def constant(self, name: str) -> int:
        return dict(self.program.config)[name]


@dataclass(slots=True, kw_only=True)
class PacketContext(Context):
    """For sched_cls and xdp: the frame as it stands at the device, and the skb's mark (0 under XDP)."""

    frame: Packet
    link: Link
    netns: str
    mark: int = 0


#: sched_cls: what it may return. `next` (TC_ACT_UNSPEC) leaves it to the next program, and to the stack at the end.
TC_ACTIONS = ("ok", "next", "shot", "redirect", "redirect_ingress", "redirect_peer", "redirect_neigh")
XDP_ACTIONS = ("pass", "drop", "aborted", "tx", "redirect")


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketVerdict:
    """`action` is one of TC_ACTIONS or XDP_ACTIONS; `ifindex` where a redirect goes, in the device's own namespace;
    `frame` the frame as rewritten (None = untouched); `mark` the new mark (None = untouched); `hop` the next hop of
    redirect_neigh, 0 = as routing has it."""

    action: str
    why: Said
    ifindex: int = 0
    frame: Packet | None = None
    mark: int | None = None
    hop: int = 0


@dataclass(slots=True, kw_only=True)
class SocketContext(Context):
    """For cgroup_sock_addr: the address and port that the program of user space wrote (or is to read)."""

    proto: int
    netns: str
    address: int
    port: int
    uid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketVerdict:
    """`allow` False is EPERM. `address`, `port` replace what stood in the context (None = untouched)."""

    why: Said
    allow: bool = True
    address: int | None = None
    port: int | None = None


@dataclass(slots=True, kw_only=True)
class SockOpsContext(Context):
    """For sock_ops: which moment of a connection it is, and its two ends as the socket has them."""

    op: str
    netns: str
    local: tuple[int, int] = (0, 0)
    remote: tuple[int, int] = (0, 0)
    told: list[Said] = field(default_factory=list)


SOCK_OPS = ("tcp_connect", "active_established", "passive_established")

Program = Callable[..., "PacketVerdict | SocketVerdict | Said | None"]

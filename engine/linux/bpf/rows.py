"""Maps, programs and attachments of one machine's kernel: the rows behind `bpftool map`, `prog`, `net` and `cgroup`.

Theory. Keys and values of maps are structs; a row keeps them as tuples of ints in the order of the map's fields, from
which both the bytes and the BTF form can be written. `Bpf.copy` shares the entries of each map until one side writes.
"""

from __future__ import annotations

from dataclasses import field

from engine.record import dataclass

MAP_TYPES = ("hash", "lru_hash", "array", "lpm_trie", "sockhash")
PROGRAM_TYPES = ("sched_cls", "xdp", "cgroup_sock_addr", "sock_ops")

#: where a program may be attached -> its type; the names are those of `bpftool net` and `bpftool cgroup`
ATTACH: dict[str, str] = {
    "tcx/ingress": "sched_cls", "tcx/egress": "sched_cls", "xdp": "xdp",
    "cgroup_inet4_connect": "cgroup_sock_addr", "cgroup_udp4_sendmsg": "cgroup_sock_addr",
    "cgroup_udp4_recvmsg": "cgroup_sock_addr", "cgroup_inet4_getpeername": "cgroup_sock_addr",
    "cgroup_sock_ops": "sock_ops",
}  # fmt: skip
DEVICE_HOOKS = ("xdp", "tcx/ingress", "tcx/egress")

#: kind of a field -> (bytes, byte order)
KINDS = {"u8": (1, "little"), "u16": (2, "little"), "u32": (4, "little"), "u64": (8, "little"),
         "be16": (2, "big"), "be32": (4, "big")}  # fmt: skip

Key = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """One member of a key or value. `be16`, `be32` are numbers in network order: ports and addresses."""

    name: str
    kind: str = "u32"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"map field kind {self.kind!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BpfMap:
    """A map. `id` is given by the kernel; `key`, `value` are the members of the structs; a map whose struct has one
    unnamed member (Field name "") holds plain numbers. `pinned` is its path under /sys/fs/bpf, "" for none."""

    name: str
    type: str
    key: tuple[Field, ...]
    value: tuple[Field, ...]
    max_entries: int
    id: int = 0
    flags: int = 0
    pinned: str = ""

    def __post_init__(self) -> None:
        if self.type not in MAP_TYPES:
            raise ValueError(f"map type {self.type!r}")

    def key_size(self) -> int:
        return sum(KINDS[f.kind][0] for f in self.key)

    def value_size(self) -> int:
        return sum(KINDS[f.kind][0] for f in self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class BpfProgram:
    """A loaded program. `name` is its function's whole name, as its BTF has it. `code` names the function that stands
    for its bytecode, as `module:function`; `maps` are the ids of the maps it uses; `tag` 16 hex digits; `loaded` the
    virtual time; `config` its constants (.rodata)."""

    name: str
    type: str
    code: str
    maps: tuple[int, ...] = ()
    config: tuple[tuple[str, int], ...] = ()
    id: int = 0
    tag: str = ""
    loaded: float = 0.0

    def __post_init__(self) -> None:
        if self.type not in PROGRAM_TYPES:
            raise ValueError(f"program type {self.type!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A program at a hook. Device hooks name their device (`netns`, `ifindex`); the others stand at the root cgroup."""

    hook: str
    program: int
    netns: str = ""
    ifindex: int = 0
    link: int = 0


@dataclass(slots=True)
class Bpf:
    """Everything of one kernel. `entries[map id]` is key -> value, oldest first."""

    maps: dict[int, BpfMap] = field(default_factory=dict)
    entries: dict[int, dict[Key, Key]] = field(default_factory=dict)
    programs: dict[int, BpfProgram] = field(default_factory=dict)
    attached: tuple[Attachment, ...] = ()
    next_id: int = 1
    #: maps whose entries are nobody else's
    _own: set[int] = field(default_factory=set)
    _devices: dict[tuple[str, int, str], tuple[int, ...]] = field(default_factory=dict)
    _sockets: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def copy(self) -> Bpf:
        self._own = set()
        return Bpf(
            dict(self.maps), dict(self.entries), dict(self.programs), self.attached, self.next_id, set(),
            self._devices, self._sockets,
        )  # fmt: skip

    def own(self, map_id: int) -> dict[Key, Key]:
        """A map's entries, to be written to."""
        if map_id not in self._own:
            self.entries[map_id] = dict(self.entries[map_id])
            self._own.add(map_id)
        return self.entries[map_id]

    def attach(self, attached: tuple[Attachment, ...]) -> None:
        """Replace the attachments; the order is the order in which programs run."""
        self.attached = attached
        devices: dict[tuple[str, int, str], tuple[int, ...]] = {}
        sockets: dict[str, tuple[int, ...]] = {}
        for one in attached:
            if one.hook in DEVICE_HOOKS:
                key = (one.netns, one.ifindex, one.hook)
                devices[key] = (*devices.get(key, ()), one.program)
            else:
                sockets[one.hook] = (*sockets.get(one.hook, ()), one.program)
        self._devices, self._sockets = devices, sockets

    def at_device(self, netns: str, ifindex: int, hook: str) -> tuple[int, ...]:
        """Ids of the programs at a device's hook, in running order."""
        return self._devices.get((netns, ifindex, hook), ()) if self._devices else ()

    def at_sockets(self, hook: str) -> tuple[int, ...]:
        return self._sockets.get(hook, ()) if self._sockets else ()

    def named(self, name: str) -> BpfMap | None:
        """The newest map of this name."""
        return next((m for m in reversed(list(self.maps.values())) if m.name == name), None)

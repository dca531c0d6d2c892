"""What user space does to eBPF on a machine: create maps, load programs, attach them, write entries.

Rules. The result of `CreateMap` and `LoadProgram` has the id that the kernel gave. A program is loaded with the names
of its maps; the newest map of each name is meant.
"""

from __future__ import annotations

import hashlib

from engine.errors import NotModelled, OpError
from engine.linux.bpf import maps
from engine.linux.bpf.rows import ATTACH, DEVICE_HOOKS, Attachment, Bpf, BpfMap, BpfProgram
from engine.linux.net import Net
from engine.linux.ops.base import Op, handles
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateMap(Op):
    """A new map; its `id` is given by the kernel."""

    box: str
    spec: BpfMap


@handles(CreateMap)
def _create_map(net: Net, op: CreateMap) -> None:
    maps.create(net.boxes[op.box].bpf, op.spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveMap(Op):
    """Unpin a map and let it go. EBUSY while a program uses it (the kernel would keep it until that program goes)."""

    box: str
    name: str


@handles(RemoveMap)
def _remove_map(net: Net, op: RemoveMap) -> None:
    bpf = net.boxes[op.box].bpf
    spec = wanted(bpf, op.name)
    if any(spec.id in program.maps for program in bpf.programs.values()):
        raise OpError("EBUSY", f"map {op.name} is in use by a program")
    del bpf.maps[spec.id], bpf.entries[spec.id]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateMap(Op):
    """Write an entry; `flags` 0 any, 1 noexist, 2 exist."""

    box: str
    name: str
    key: tuple[int, ...]
    value: tuple[int, ...]
    flags: int = 0


@handles(UpdateMap)
def _update_map(net: Net, op: UpdateMap) -> None:
    bpf = net.boxes[op.box].bpf
    maps.update(bpf, wanted(bpf, op.name), op.key, op.value, op.flags)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteMapEntry(Op):
    box: str
    name: str
    key: tuple[int, ...]


@handles(DeleteMapEntry)
def _delete_map_entry(net: Net, op: DeleteMapEntry) -> None:
    bpf = net.boxes[op.box].bpf
    maps.delete(bpf, wanted(bpf, op.name), op.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProgram(Op):
    """Load a program. Its tag is made from what it is, as the kernel makes it from the instructions."""

    box: str
    name: str
    type: str
    code: str
    maps: tuple[str, ...] = ()
    config: tuple[tuple[str, int], ...] = ()


@handles(LoadProgram)
def _load_program(net: Net, op: LoadProgram) -> None:
    bpf = net.boxes[op.box].bpf
    used = tuple(wanted(bpf, name).id for name in op.maps)
    tag = hashlib.sha256(f"{op.type} {op.code} {op.config}".encode()).hexdigest()[:16]
    row = BpfProgram(
        name=op.name, type=op.type, code=op.code, maps=used, config=op.config, id=bpf.next_id, tag=tag,
        loaded=net.clock,
    )  # fmt: skip
    bpf.next_id += 1
    bpf.programs[row.id] = row


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachProgram(Op):
    """Attach the newest program of this name. At a device, `netns` and `device` say which; a socket's hook is that of
    the root cgroup, so every process of the machine meets it. One XDP program a device (EBUSY)."""

    box: str
    program: str
    hook: str
    netns: str = ""
    device: str = ""


@handles(AttachProgram)
def _attach_program(net: Net, op: AttachProgram) -> None:
    bpf = net.boxes[op.box].bpf
    row = next((p for p in reversed(list(bpf.programs.values())) if p.name == op.program), None)
    if row is None:
        raise OpError("ENOENT", f"no program {op.program} is loaded")
    if op.hook not in ATTACH:
        raise NotModelled(f"bpf attach {op.hook}")
    if ATTACH[op.hook] != row.type:
        raise OpError("EINVAL", f"a {row.type} program cannot be attached at {op.hook}")
    ifindex = 0
    if op.hook in DEVICE_HOOKS:
        ns = net.spaces[op.netns]
        if ns.box != op.box or op.device not in ns.names:
            raise OpError("ENODEV", f"Cannot find device {op.device!r}")
        ifindex = ns.names[op.device]
        if op.hook == "xdp" and bpf.at_device(op.netns, ifindex, "xdp"):
            raise OpError("EBUSY", f"{op.device} has an XDP program already")
    made = Attachment(hook=op.hook, program=row.id, netns=op.netns, ifindex=ifindex, link=bpf.next_id)
    bpf.next_id += 1
    bpf.attach((*bpf.attached, made))


@dataclass(frozen=True, slots=True, kw_only=True)
class DetachProgram(Op):
    """Take a program from a hook; with `device`, from that device's. `swap` puts another program in its place at once,
    as an agent does when it is restarted."""

    box: str
    program: str
    hook: str
    netns: str = ""
    device: str = ""
    swap: str = ""


@handles(DetachProgram)
def _detach_program(net: Net, op: DetachProgram) -> None:
    bpf = net.boxes[op.box].bpf
    index = net.spaces[op.netns].names.get(op.device, -1) if op.device else 0

    def meant(one: Attachment) -> bool:
        name = bpf.programs[one.program].name
        return one.hook == op.hook and name == op.program and (one.netns, one.ifindex) == (op.netns, index)

    if not any(meant(one) for one in bpf.attached):
        raise OpError("ENOENT", f"program {op.program} is not attached at {op.hook}")
    if not op.swap:
        bpf.attach(tuple(one for one in bpf.attached if not meant(one)))
        return
    new = next((p for p in reversed(list(bpf.programs.values())) if p.name == op.swap), None)
    if new is None:
        raise OpError("ENOENT", f"no program {op.swap} is loaded")
    bpf.attach(tuple(replace(one, program=new.id) if meant(one) else one for one in bpf.attached))


def wanted(bpf: Bpf, name: str) -> BpfMap:
    spec = bpf.named(name)
    if spec is None:
        raise OpError("ENOENT", f"no map {name}")
    return spec

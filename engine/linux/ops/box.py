"""Ops on a machine: boxes, network namespaces, processes, files, sockets, the clock."""

from __future__ import annotations

from engine.errors import OpError
from engine.linux import sockets
from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op, handles
from engine.linux.rows import NAMESPACE_TYPES, Box, Link, Proc, Socket
from engine.record import dataclass, replace

ROOT_INODES = {
    "time": 4026531834, "cgroup": 4026531835, "pid": 4026531836, "user": 4026531837, "uts": 4026531838,
    "ipc": 4026531839, "net": 4026531840, "mnt": 4026531841,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class AddBox(Op):
    """A machine with its root namespace (lo up) and init as process 1."""

    name: str
    role: str = "node"


@handles(AddBox)
def _add_box(net: Net, op: AddBox) -> None:
    if op.name in net.boxes:
        raise OpError("EEXIST", f"box {op.name} exists")
    box = Box(op.name, op.role)
    net.boxes[op.name] = box
    net.spaces[op.name] = Netns(id=op.name, box=op.name, label="root", inode=ROOT_INODES["net"])
    add_loopback(net.spaces[op.name], up=True)
    box.procs[1] = Proc(
        pid=1, ppid=0, args=("/sbin/init",), netns=op.name, spaces=tuple(ROOT_INODES.items()), nspid=1
    )


def add_loopback(ns: Netns, *, up: bool) -> None:
    """Every namespace is born with `lo`, down; only a booted machine has raised it."""
    from engine.linux.ops.link import set_link_up

    ns.links[1] = Link(ifindex=1, name="lo", kind="loopback", mtu=65536)
    ns.names["lo"] = 1
    ns.next_ifindex = 2
    if up:
        set_link_up(ns, ns.links[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNetns(Op):
    """A new network namespace. `id` is its id in the Net; `name` mounts it under /run/netns as `ip netns add`."""

    box: str
    id: str
    label: str
    name: str = ""


@handles(AddNetns)
def _add_netns(net: Net, op: AddNetns) -> None:
    box = net.boxes[op.box]
    if op.name and op.name in box.netns_names:
        raise OpError("EEXIST", f'Cannot create namespace file "/run/netns/{op.name}": File exists')
    net.spaces[op.id] = Netns(id=op.id, box=op.box, label=op.label, inode=box.next_inode)
    box.next_inode += 1
    add_loopback(net.spaces[op.id], up=False)
    if "ipip" in box.modules:
        from engine.linux.ops.device import add_fallback

        add_fallback(net.spaces[op.id])
    if op.name:
        box.netns_names[op.name] = op.id


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLabel(Op):
    """How people call a namespace from now on (a pod's NS/NAME once its sandbox is known)."""

    netns: str
    label: str


@handles(SetLabel)
def _set_label(net: Net, op: SetLabel) -> None:
    net.spaces[op.netns].label = op.label


@dataclass(frozen=True, slots=True, kw_only=True)
class DelNetns(Op):
    """Unmount a name (`name`), or remove a namespace whole (`id`). It lives on while a process is in it."""

    box: str
    name: str = ""
    id: str = ""


@handles(DelNetns)
def _del_netns(net: Net, op: DelNetns) -> None:
    box = net.boxes[op.box]
    target = op.id
    if op.name:
        if op.name not in box.netns_names:
            raise OpError(
                "ENOENT", f'Cannot remove namespace file "/run/netns/{op.name}": No such file or directory'
            )
        target = box.netns_names.pop(op.name)
    reap_netns(net, target)


def reap_netns(net: Net, id: str) -> None:
    """Remove a namespace that nothing holds any more; its veth ends vanish, and their peers with them."""
    from engine.linux.ops.link import remove_link

    ns = net.spaces.get(id)
    if ns is None or id in net.boxes:
        return
    box = net.boxes[ns.box]
    if id in box.netns_names.values() or any(p.netns == id for p in box.procs.values()):
        return
    for index in sorted(ns.links):
        if index in ns.links and ns.links[index].kind != "loopback":
            remove_link(net, ns, ns.links[index])
    del net.spaces[id]
    for other in net.spaces.values():
        other.nsids.pop(id, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartProc(Op):
    """Start a process. `netns` is the namespace it runs in; `new` are the namespace types it gets of its own, and
    `join` maps other types to the pid whose namespace it enters; the rest comes from process 1. `pid` 0 = next."""

    box: str
    args: tuple[str, ...]
    netns: str
    ppid: int = 1
    user: str = "root"
    new: tuple[str, ...] = ()
    join: tuple[tuple[str, int], ...] = ()
    program: str = ""
    config: tuple[tuple[str, str], ...] = ()
    container: str = ""
    pid: int = 0


@handles(StartProc)
def _start_proc(net: Net, op: StartProc) -> None:
    box = net.boxes[op.box]
    pid = op.pid or box.next_pid
    box.next_pid = max(box.next_pid, pid) + 1 + pid % 7
    spaces = dict(box.procs[1].spaces)
    for kind, other in op.join:
        spaces[kind] = box.procs[other].space(kind)
    for kind in op.new:
        if kind != "net":
            spaces[kind] = box.next_inode
            box.next_inode += 1
    spaces["net"] = net.spaces[op.netns].inode
    if set(spaces) != set(NAMESPACE_TYPES):
        raise ValueError(f"namespace types {sorted(spaces)}")
    nspid = pid
    if spaces["pid"] != ROOT_INODES["pid"]:
        siblings = (p for p in box.procs.values() if p.space("pid") == spaces["pid"])
        nspid = max((p.nspid for p in siblings), default=0) + 1
    box.procs[pid] = Proc(
        pid=pid, ppid=op.ppid, args=op.args, netns=op.netns, user=op.user, spaces=tuple(sorted(spaces.items())),
        program=op.program, config=op.config, container=op.container, nspid=nspid, started=net.clock,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class KillProc(Op):
    """End a process: its sockets close; children go to process 1, or die with it when it was the first of their
    pid namespace; a namespace that nothing holds any more is removed. `code` is what its parent gets: 137 = SIGKILL."""

    box: str
    pid: int
    code: int = 137


@handles(KillProc)
def _kill_proc(net: Net, op: KillProc) -> None:
    box = net.boxes[op.box]
    proc = box.procs.get(op.pid)
    if proc is None:
        raise OpError("ESRCH", f"kill: ({op.pid}) - No such process")
    if op.pid == 1:
        raise OpError("EPERM", "kill: (1) - Operation not permitted")
    dying = [proc]
    if proc.nspid == 1:
        dying += [p for p in box.procs.values() if p is not proc and p.space("pid") == proc.space("pid")]
    for one in dying:
        del box.procs[one.pid]
        box.memory.pop(one.pid, None)
        box.exits[one.pid] = op.code if one is proc else 137
        for ns in net.spaces.values():
            if ns.box == op.box and any(s.pid == one.pid for s in ns.sockets):
                for held in ns.sockets:
                    if held.pid == one.pid:
                        sockets.drain(ns, held)
                ns.sockets = tuple(s for s in ns.sockets if s.pid != one.pid)
    for child in list(box.procs.values()):
        if child.ppid in {p.pid for p in dying}:
            box.procs[child.pid] = replace(child, ppid=1)
    for id in {p.netns for p in dying}:
        reap_netns(net, id)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopProc(Op):
    """SIGSTOP (`stopped`) or SIGCONT. A process that goes on accepts what has waited for it meanwhile."""

    box: str
    pid: int
    stopped: bool


@handles(StopProc)
def _stop_proc(net: Net, op: StopProc) -> None:
    box = net.boxes[op.box]
    proc = box.procs.get(op.pid)
    if proc is None:
        raise OpError("ESRCH", f"kill: ({op.pid}) - No such process")
    box.procs[op.pid] = replace(proc, stopped=op.stopped)
    for ns in net.spaces.values() if not op.stopped else ():
        for held in ns.sockets if ns.box == op.box else ():
            if held.pid == op.pid:
                sockets.drain(ns, held)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell(Op):
    """A running program learns something from whom it watches (the API server): `what`, a frozen value, stands in its
    memory under `about` from now on; None = it is forgotten."""

    box: str
    pid: int
    about: object
    what: object


@handles(Tell)
def _tell(net: Net, op: Tell) -> None:
    box = net.boxes[op.box]
    if op.pid not in box.procs:
        raise OpError("ESRCH", f"({op.pid}) - No such process")
    memory = box.memory.setdefault(op.pid, {})
    if op.what is None:
        memory.pop(op.about, None)
    else:
        memory[op.about] = op.what


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteFile(Op):
    box: str
    path: str
    text: str


@handles(WriteFile)
def _write_file(net: Net, op: WriteFile) -> None:
    net.boxes[op.box].files[op.path] = op.text


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeFolder(Op):
    box: str
    path: str


@handles(MakeFolder)
def _make_folder(net: Net, op: MakeFolder) -> None:
    net.boxes[op.box].folders.add(op.path.rstrip("/") or "/")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFile(Op):
    box: str
    path: str


@handles(RemoveFile)
def _remove_file(net: Net, op: RemoveFile) -> None:
    if net.boxes[op.box].files.pop(op.path, None) is None:
        raise OpError("ENOENT", f"rm: cannot remove '{op.path}': No such file or directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFolder(Op):
    """Take a folder out of the tree, with the folders in it; its files are gone already."""

    box: str
    path: str


@handles(RemoveFolder)
def _remove_folder(net: Net, op: RemoveFolder) -> None:
    box = net.boxes[op.box]
    prefix = op.path.rstrip("/") + "/"
    if any(f.startswith(prefix) for f in box.files):
        raise OpError("ENOTEMPTY", f"rm: cannot remove '{op.path}': Directory not empty")
    box.folders = {f for f in box.folders if f != op.path and not f.startswith(prefix)}


BIND_ERRORS = {
    "EADDRINUSE": "Address already in use",
    "EADDRNOTAVAIL": "Cannot assign requested address",
    "ENODEV": "No such device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen(Op):
    """Bind a socket and listen. The errno of bind(2) as `engine.linux.sockets` has it."""

    netns: str
    socket: Socket


@handles(Listen)
def _listen(net: Net, op: Listen) -> None:
    ns, new = net.spaces[op.netns], op.socket
    error = sockets.bind_error(ns, new)
    if error:
        raise OpError(error, BIND_ERRORS[error])
    ns.sockets = (*ns.sockets, new)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSocket(Op):
    netns: str
    socket: Socket


@handles(CloseSocket)
def _close_socket(net: Net, op: CloseSocket) -> None:
    ns = net.spaces[op.netns]
    ns.sockets = tuple(s for s in ns.sockets if s != op.socket)
    sockets.drain(ns, op.socket)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance(Op):
    """Let virtual time pass."""

    seconds: float


@handles(Advance)
def _advance(net: Net, op: Advance) -> None:
    net.clock += op.seconds
    for ns in net.spaces.values():
        ns.conntrack.expire(net.clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(Op):
    """A line in a machine's journal (containerd, kubelet, kernel). `at` is its virtual time, -1 = now."""

    box: str
    line: str
    at: float = -1.0


@handles(Log)
def _log(net: Net, op: Log) -> None:
    net.boxes[op.box].journal.append((net.clock if op.at < 0 else op.at, op.line))

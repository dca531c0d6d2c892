"""A container's processes: the shim, the first process in its namespaces, and what they carry.

Rules. What a shell beside the process sees (its tree, mounts, name, variables, capabilities) is written into the
process' configuration here and nowhere else (engine/shell/place.py says the keys).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.docker import files
from engine.docker.errors import DockerError
from engine.docker.records import Container
from engine.errors import OpError
from engine.l7.behave import Behaviour
from engine.l7.images import find
from engine.linux.ops import AddNetns, Changes, SetLink, StartProc
from engine.linux.ops.sysctl import SetSysctl
from engine.record import replace

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

SHIM = "/usr/bin/containerd-shim-runc-v2"
OWN_SPACES = ("mnt", "uts", "ipc", "pid", "cgroup")
DEFAULT_CAPS = (
    "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
)  # fmt: skip
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def namespace_of(daemon: Dockerd, changes: Changes, container: Container) -> str:
    """The network namespace that the container will be in; made when it is its own."""
    if container.mode == "host":
        return daemon.machine
    if container.mode == "container":
        other = daemon.joined(container)
        if not other.running:
            raise DockerError(f"cannot join network of a non running container: {other.id}")
        return other.netns
    id = f"docker/{daemon.machine}/{container.short}/{container.starts}"
    changes.do(AddNetns(box=daemon.machine, id=id, label=container.name))
    return id


def joins(daemon: Dockerd, container: Container) -> dict[str, int]:
    """Namespaces that are not its own: type -> the process whose it enters (1: the host's). Raises DockerError."""
    spec = container.spec
    out: dict[str, int] = {}
    for kind, wish in (("pid", spec.pid), ("uts", spec.uts), ("ipc", spec.ipc)):
        if wish in ("", "private", "shareable"):
            continue
        mode, _, name = wish.partition(":")
        if mode == "container" and kind != "uts":
            other = daemon.find(name)
            if not other.running:
                raise DockerError(
                    f"cannot join {kind.upper()} namespace of a non running container: {other.id}"
                )
            out[kind] = other.pid
        elif wish == "host":
            out[kind] = 1
        else:
            raise DockerError(f"invalid {kind.upper()} mode: {wish}")
    if container.mode == "container":
        out["uts"] = daemon.joined(container).pid
    return out


def spawn(
    daemon: Dockerd, changes: Changes, container: Container, does: Behaviour, join: dict[str, int]
) -> Container:
    """The shim and the first process, in its namespaces."""
    box = changes.net.boxes[daemon.machine]
    shim = box.next_pid
    args = (SHIM, "-namespace", "moby", "-id", container.id, "-address", "/run/containerd/containerd.sock")
    changes.do(StartProc(box=daemon.machine, args=args, netns=daemon.machine))
    pid = box.next_pid
    changes.do(
        StartProc(
            box=daemon.machine, args=does.args, netns=container.netns, ppid=shim, user=user_of(container),
            new=tuple(k for k in OWN_SPACES if k not in join), join=tuple(join.items()), program=does.program,
            config=config_of(daemon, container, does), container=container.id,
        )
    )  # fmt: skip
    return replace(container, pid=pid, shim=shim, seconds=does.seconds, ends_with=does.code)


def set_sysctls(changes: Changes, container: Container) -> None:
    """What docker sets in every network namespace of its own, and --sysctl. Raises OpError for keys of nowhere."""
    given = dict(container.spec.sysctls)
    if container.mode not in ("host", "container"):
        changes.do(SetLink(netns=container.netns, name="lo", up=True))
        usual = {"net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0\t2147483647"}
        given = usual | given
    for key, value in given.items():
        if not key.startswith("net.") or container.mode in ("host", "container"):
            raise OpError("EINVAL", f'sysctl "{key}" is not in a separate kernel namespace')
        changes.do(SetSysctl(netns=container.netns, key=key, value=value))


def user_of(container: Container) -> str:
    image = find(container.image)
    return (container.spec.user or (image.user if image is not None else "root")).split(":")[0]


def config_of(daemon: Dockerd, container: Container, does: Behaviour) -> tuple[tuple[str, str], ...]:
    """What the process carries: its program's own words, and what a shell beside it sees (shell/place.py)."""
    spec = container.spec
    owner = daemon.joined(container) if container.mode == "container" else container
    caps = set(DEFAULT_CAPS) | {c.upper().removeprefix("CAP_") for c in spec.cap_add}
    caps -= {c.upper().removeprefix("CAP_") for c in spec.cap_drop}
    env = {"PATH": PATH, "HOSTNAME": files.hostname_of(daemon, container), **dict(spec.env)}
    image = find(container.image)
    env = {**dict(image.env if image is not None else ()), **env}
    return (
        *does.config,
        ("log", files.log_path(container)),
        ("rootfs", container.root),
        ("image", container.image),
        ("name", container.name),
        ("hostname", files.hostname_of(daemon, container)),
        ("place", f"container/{daemon.machine}/{container.name}"),
        ("workdir", spec.workdir or (image.workdir if image is not None else "/")),
        ("caps", "ALL" if spec.privileged or "ALL" in caps else ",".join(sorted(caps))),
        *((f"mount:{path}", source) for path, source in files.mounts(owner)),
        *((f"env:{name}", value) for name, value in env.items()),
    )

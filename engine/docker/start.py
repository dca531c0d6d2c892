"""A container's life: created, started, ended, removed.

Theory. A container is processes with namespaces of their own. The runtime's shim is their parent; the first process is
made in its new namespaces before there is a network, then dockerd brings the network, then the program runs. When
the first process ends everything of it ends: its children with the pid namespace, its veth with the network
namespace, its rules by dockerd's hand.

Rules. Every step is an op. What fails on the way is undone, and the container stays as it was, with the error kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.docker import endpoint as endpoints
from engine.docker import files
from engine.docker.errors import DockerError
from engine.docker.names import VALID_NAME, make_id, make_name
from engine.docker.network import find_network
from engine.docker.ports import parse_port, unpublish
from engine.docker.records import Container, Endpoint, Spec
from engine.docker.spawn import config_of, joins, namespace_of, set_sysctls, spawn
from engine.errors import NotModelled, OpError
from engine.l7.behave import FOREVER, Behaviour, behave, command_line, exit_code
from engine.l7.images import find
from engine.linux.ops import Advance, Changes, KillProc, Listen, StartProc
from engine.linux.rows import Socket
from engine.record import replace
from engine.say import Phrase

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

NETWORKING = "failed to set up container networking: {why}"
NOT_FOUND = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    'unable to start container process: error during container init: exec: "{name}": executable file not found in $PATH'
)
REFUSED = (
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: "
    "unable to start container process: error during container init: {why}"
)
COUNTED = Phrase(
    en="Nothing runs for ever in the background here: give it a count (`-c 3`), or run it with docker exec.",
    ko="여기서는 명령이 백그라운드에서 끝없이 실행되지 않습니다. 횟수(`-c 3`)를 주거나 docker exec로 실행하십시오.",
)
BIND_LOG = {
    "nginx": (
        "nginx: [emerg] bind() to 0.0.0.0:{port} failed (98: Address already in use)",
        "nginx: [emerg] still could not bind()",
    ),
    "httpd": (
        "(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:{port}",
        "no listening sockets available, shutting down", "AH00015: Unable to open logs",
    ),
}  # fmt: skip
BIND_PLAIN = ("listen tcp :{port}: bind: address already in use",)
GRACE = 10.0


# ---- create


def create(daemon: Dockerd, changes: Changes, spec: Spec) -> Container:
    """`docker create`: checks, a name, the image's files. Raises DockerError."""
    from engine.docker.images import local

    image = local(daemon, spec.image)
    _check(daemon, spec)
    taken = {c.name: c for c in daemon.containers.values()}
    if spec.name in taken:
        raise DockerError(
            f'Conflict. The container name "/{spec.name}" is already in use by container "{taken[spec.name].id}". '
            "You have to remove (or rename) that container to be able to reuse that name."
        )
    known = find(image.name)
    argv = command_line(known, spec.entrypoint or (), spec.command)
    if spec.entrypoint is None and known is not None:
        argv = command_line(known, (), spec.command)
    if not argv:
        raise DockerError("no command specified")
    daemon.serial += 1
    id = make_id(daemon.machine, "container", daemon.serial)
    name = spec.name or make_name(daemon.serial, daemon.machine, set(taken))
    wishes: tuple[Endpoint, ...] = ()
    network = next((n for n in daemon.networks.values() if spec.network in (n.name, n.id)), None)
    if network is not None and network.driver == "bridge":
        wishes = (_wish(daemon, spec, network.id),)
    container = Container(
        id=id, name=name, spec=spec, image=image.name, argv=argv, created=changes.net.clock, endpoints=wishes
    )
    daemon.containers[id] = container
    files.unpack(changes, daemon.machine, container)
    return container


def _wish(daemon: Dockerd, spec: Spec, network: str) -> Endpoint:
    try:
        endpoints.check_wanted(daemon.networks[network], spec.address, spec.aliases)
    except DockerError as error:
        raise DockerError(f"invalid config for network {spec.network}: {error.message}") from None
    return Endpoint(network=network, wanted=spec.address, wanted_mac=spec.mac, aliases=spec.aliases)


def _check(daemon: Dockerd, spec: Spec) -> None:
    """What the API refuses (daemon/server/httputils, runconfig hostconfig_unix.go). Raises DockerError."""
    if spec.name and not VALID_NAME.fullmatch(spec.name):
        raise DockerError(f"Invalid container name ({spec.name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
    mode = spec.network.partition(":")[0]
    if mode == "container":
        if spec.hostname:
            raise DockerError("conflicting options: hostname and the network mode")
        if spec.dns:
            raise DockerError("conflicting options: dns and the network mode")
        if spec.add_hosts:
            raise DockerError("conflicting options: custom host-to-IP mapping and the network mode")
        if spec.mac:
            raise DockerError("conflicting options: mac-address and the network mode")
        if spec.publish or spec.publish_all:
            raise DockerError("conflicting options: port publishing and the container type network mode")
        if spec.expose:
            raise DockerError("conflicting options: port exposing and the container type network mode")
        daemon.find(spec.network.partition(":")[2])
    if spec.uts == "host" and spec.hostname:
        raise DockerError("conflicting options: hostname and the UTS mode")
    if spec.restart != "no" and spec.auto_remove:
        raise DockerError("can't create 'AutoRemove' container with restart policy")


# ---- start


def start(daemon: Dockerd, changes: Changes, id: str) -> Container:
    """`docker start`. Raises DockerError; the container is then not running, and its error says why."""
    container = daemon.containers[id]
    if container.running:
        return container
    container = replace(container, starts=container.starts + 1, error="", manual=False, code=0)
    try:
        container = _start(daemon, changes, container)
    except DockerError as error:
        status = "created" if container.status == "created" else "exited"
        failed = replace(
            daemon.containers[id],
            error=error.message,
            code=128 if error.code == 125 else error.code,
            status=status,
        )
        daemon.containers[id] = failed
        raise
    return container


def _start(daemon: Dockerd, changes: Changes, container: Container) -> Container:
    ports = tuple((p.port, p.proto) for p in container.spec.publish) + container.spec.expose
    env = dict(container.spec.env)
    does = behave(
        container.image, container.argv, env=env, ports=[(t, n) for n, t in ports], tty=container.spec.tty
    )
    if does.missing:
        raise DockerError(NOT_FOUND.format(name=does.missing), 127)
    if does.endless and not container.spec.attached:
        raise NotModelled(f"`{' '.join(does.args)}`", COUNTED())
    join = joins(daemon, container)
    netns = namespace_of(daemon, changes, container)
    container = spawn(daemon, changes, replace(container, netns=netns, status="running"), does, join)
    daemon.containers[container.id] = container
    try:
        set_sysctls(changes, container)
        container = _network(daemon, changes, container)
    except DockerError as error:
        _undo(daemon, changes, daemon.containers[container.id])
        raise DockerError(NETWORKING.format(why=error.message)) from None
    except OpError as error:
        _undo(daemon, changes, daemon.containers[container.id])
        raise DockerError(REFUSED.format(why=error.tool_text)) from None
    container = replace(container, started=changes.net.clock)
    daemon.containers[container.id] = container
    return _run(daemon, changes, container, does)


def _network(daemon: Dockerd, changes: Changes, container: Container) -> Container:
    """Endpoints, default route, ports, names. Raises DockerError."""
    if container.mode == "container":
        return container
    wishes = container.endpoints
    if container.mode == "bridge" and not wishes:
        network = find_network(daemon, container.spec.network)
        wishes = (_wish(daemon, container.spec, network.id),)
        container = replace(container, endpoints=wishes)
    for wish in wishes:
        if wish.network not in daemon.networks:
            raise DockerError(f"network {wish.network} not found")
        container, _ = endpoints.attach(daemon, changes, container, wish)
        daemon.containers[container.id] = container
    if container.mode == "bridge":
        container = endpoints.set_gateway(daemon, changes, container)
        daemon.containers[container.id] = container
        if any(daemon.networks[e.network].user_defined for e in container.endpoints):
            endpoints.start_resolver(daemon, changes, container)
    files.write_names(daemon, changes, container)
    files.write_resolver(daemon, changes)
    return container


def _run(daemon: Dockerd, changes: Changes, container: Container, does: Behaviour) -> Container:
    """The program itself: what it writes, its children, its sockets; or its end."""
    lines = tuple((does.stream, line) for line in does.log)
    container = _wrote(changes, daemon.machine, replace(container, log=()), lines)
    for args in does.children:
        join = tuple((k, container.pid) for k in ("mnt", "uts", "ipc", "pid", "cgroup"))
        changes.do(
            StartProc(
                box=daemon.machine, args=args, netns=container.netns, ppid=container.pid, join=join,
                config=tuple(p for p in config_of(daemon, container, does) if p[0] == "comm"), container=container.id,
            )
        )  # fmt: skip
    daemon.containers[container.id] = container
    for proto, port in does.listens:
        state = "LISTEN" if proto == "tcp" else "UNCONN"
        socket = Socket(proto=proto, addr=0, port=port, pid=container.pid, state=state, fd=6)
        try:
            changes.do(Listen(netns=container.netns, socket=socket))
        except OpError:
            proc = changes.net.boxes[daemon.machine].procs[container.pid]
            said = BIND_LOG.get(proc.comm, BIND_PLAIN)
            log = tuple(("stderr", line.format(port=port)) for line in said)
            daemon.containers[container.id] = _wrote(changes, daemon.machine, container, log)
            return finish(daemon, changes, container.id, 1)
    if does.seconds == 0 and not does.tool:
        return finish(daemon, changes, container.id, does.code)
    if does.tool:
        container = replace(container, seconds=FOREVER)
        daemon.containers[container.id] = container
    return container


def _wrote(
    changes: Changes, machine: str, container: Container, rows: tuple[tuple[str, str], ...]
) -> Container:
    """The container after it wrote some lines: they are in its log file, and in `log` since its last start."""
    files.append_log(changes, machine, container, rows)
    return replace(container, log=container.log + rows)


def _undo(daemon: Dockerd, changes: Changes, container: Container) -> None:
    """After a failed start: nothing of it is left but the record."""
    container = _clear(daemon, changes, container)
    daemon.containers[container.id] = replace(
        container, status="created" if container.starts == 1 else "exited"
    )


# ---- end


def _clear(daemon: Dockerd, changes: Changes, container: Container) -> Container:
    """Processes, ports, endpoints, shim: whatever of them is still there goes."""
    box = changes.net.boxes[daemon.machine]
    for pid in [p.pid for p in box.procs.values() if p.container == container.id]:
        if pid in box.procs:
            changes.do(KillProc(box=daemon.machine, pid=pid))
    unpublish(daemon, changes, container.bindings)
    container = replace(container, bindings=())
    for one in container.endpoints:
        container = endpoints.detach(daemon, changes, container, one)
    if container.shim in box.procs:
        changes.do(KillProc(box=daemon.machine, pid=container.shim))
    return replace(container, pid=0, shim=0, netns="")


def finish(daemon: Dockerd, changes: Changes, id: str, code: int, *, manual: bool = False) -> Container:
    """The container has ended, or ends now, with this exit code: cleared, restarted by its policy, or removed."""
    now = changes.net.clock
    ran = now - daemon.containers[id].started
    container = _clear(daemon, changes, daemon.containers[id])
    container = replace(container, status="exited", finished=now, code=code, manual=manual)
    daemon.containers[id] = container
    files.write_resolver(daemon, changes)
    if container.spec.auto_remove:
        return remove(daemon, changes, id)
    if not manual and daemon.running and again(container):
        delay = 0.0 if ran >= GRACE else min(0.1 * 2**container.restarts, 60.0)
        count = 0 if ran >= GRACE else container.restarts
        container = replace(container, restarts=count + 1, status="restarting", due=now + delay)
        daemon.containers[id] = container
    return container


def again(container: Container) -> bool:
    """Does its restart policy start it again after it ended by itself?"""
    policy, _, limit = container.spec.restart.partition(":")
    if policy in ("always", "unless-stopped"):
        return True
    if policy == "on-failure" and container.code:
        return not limit or container.restarts < int(limit)
    return False


def stop(
    daemon: Dockerd, changes: Changes, id: str, *, grace: float = GRACE, by_person: bool = True
) -> Container:
    """SIGTERM, `grace` seconds of waiting where the program does not listen to it, SIGKILL."""
    container = daemon.containers[id]
    if not container.running:
        if container.status == "restarting":
            container = replace(container, status="exited", manual=True)
            daemon.containers[id] = container
        return container
    code = term_code(changes, daemon.machine, container)
    if code is None:
        code = 137
        changes.do(Advance(seconds=grace))
    return finish(daemon, changes, id, code, manual=by_person)


def term_code(changes: Changes, machine: str, container: Container, signal: int = 15) -> int | None:
    """The exit code after a signal; None when the first process ignores it."""
    proc = changes.net.boxes[machine].procs.get(container.pid)
    if proc is None:
        return 137
    return exit_code(proc.comm, proc.nspid == 1, signal)


def remove(daemon: Dockerd, changes: Changes, id: str) -> Container:
    """Forget a container that does not run, and its files."""
    container = daemon.containers.pop(id)
    files.remove_tree(changes, daemon.machine, container)
    return container


def exposed(container: Container) -> list[tuple[int, str]]:
    """Ports that the image or the user declares, without what is published."""
    image = find(container.image)
    all_ports = [parse_port(p) for p in image.ports] if image is not None else []
    all_ports += [*container.spec.expose, *((p.port, p.proto) for p in container.spec.publish)]
    return list(dict.fromkeys(all_ports))

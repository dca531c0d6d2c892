"""containerd's CRI on one node: sandboxes and containers, in its own order, with its own errors.

Theory. RunPodSandbox of containerd 2.0 to 2.2 makes the network namespace first, then calls the CNI, and only then
looks for the pause image: an address is taken and given back for every failing try. 2.3 looks for the image between
CNI and start, 1.6 and 1.7 before everything (facts 10 section 3.1). The pause process holds net, ipc and uts;
containers of the pod join these three. StopPodSandbox kills the containers, then pause, then calls CNI DEL.

Rules. Everything that happens to the machine goes through `changes`; the runtime's own records through `runtime`.
An error is `CriError`, printed by kubelet as `rpc error: code = CODE desc = TEXT`.
"""

from __future__ import annotations

import re

from engine.errors import OpError
from engine.kube.cni import chain, conf
from engine.kube.cni.call import Call, CniError
from engine.kube.cni.kernel import raise_link, set_sysctl
from engine.kube.ids import Ids
from engine.kube.objects import Json
from engine.kube.registry import Puller, PullError, stored
from engine.kube.runtime import Container, Runtime, Sandbox, StoredImage
from engine.kube.store import Store
from engine.l7.behave import Behaviour, exit_code
from engine.l7.images import ReferenceError_, normal
from engine.linux.ops import AddNetns, DelNetns, KillProc, Listen, RemoveFile, StartProc, WriteFile
from engine.linux.ops.base import Changes
from engine.linux.rows import Box, Socket
from engine.record import dataclass, replace

NETNS_DIR = "/var/run/netns"
CONFIG = "/etc/containerd/config.toml"
CRI_STATE = "/var/lib/containerd/io.containerd.grpc.v1.cri"
TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
#: Sandbox sysctls of containerd 2.x (enable_unprivileged_ports, enable_unprivileged_icmp).
SANDBOX_SYSCTLS = (
    ("net.ipv4.ip_unprivileged_port_start", "0"),
    ("net.ipv4.ping_group_range", "0\t2147483647"),
)
KILLED = 137
SIGTERM = 15


class CriError(Exception):
    """An error over the CRI: `code` of gRPC and its text."""

    def __init__(self, text: str, code: str = "Unknown") -> None:
        super().__init__(text)
        self.text = text
        self.code = code

    def __str__(self) -> str:
        return f"rpc error: code = {self.code} desc = {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """What kubelet asks for. `ports` are (hostPort, containerPort, protocol, hostIP)."""

    namespace: str
    pod: str
    uid: str
    attempt: int
    hostname: str
    host_network: bool = False
    host_pid: bool = False
    host_ipc: bool = False
    share_pid: bool = False
    ports: tuple[tuple[int, int, str, str], ...] = ()
    resolv_conf: str = ""
    hosts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """What kubelet asks for. `behaviour` is what the command line does; `config` the process's frozen settings;
    `listens` every port that opens, as (proto, port, address; 0 = any)."""

    name: str
    image: StoredImage
    attempt: int
    behaviour: Behaviour
    config: tuple[tuple[str, str], ...]
    user: str = "root"
    listens: tuple[tuple[str, int, int], ...] = ()
    init: bool = False


def sandbox_image(text: str) -> str | None:
    """The sandbox image that a config.toml names: version 3's pinned_images or version 2's sandbox_image.
    None when it names none; ValueError when the file is not TOML."""
    import tomllib

    try:
        body = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(str(error)) from None
    plugins = body.get("plugins")
    if not isinstance(plugins, dict):
        return None
    for path in (
        ("io.containerd.cri.v1.images", "pinned_images", "sandbox"),
        ("io.containerd.grpc.v1.cri", "sandbox_image"),
    ):
        at: object = plugins
        for key in path:
            at = at.get(key) if isinstance(at, dict) else None
        if isinstance(at, str):
            return at
    return None


@dataclass(slots=True, kw_only=True)
class Containerd:
    """One node's containerd at one moment. `now` is the virtual time that records get."""

    changes: Changes
    machine: str
    runtime: Runtime
    ids: Ids
    puller: Puller
    now: float
    version: str = "2.2"
    #: the API, for CNI plugins that ask it; None while it cannot be reached
    store: Store | None = None

    @property
    def box(self) -> Box:
        return self.changes.net.boxes[self.machine]

    # ---- the network

    def network_problem(self) -> str:
        """Why the CNI is not ready; "" when it is (Status of the CRI)."""
        try:
            conf.load(self.box)
        except conf.NoConf:
            return "Network plugin returns error: cni plugin not initialized"
        return ""

    def _call(self, sandbox: Sandbox) -> Call:
        runtime: Json = {}
        if sandbox.ports:
            runtime["portMappings"] = [
                {"hostPort": h, "containerPort": c, "protocol": p.lower(), "hostIP": ip}
                for h, c, p, ip in sandbox.ports
            ]
        return Call(
            changes=self.changes, box=self.machine, netns=sandbox.netns, path=sandbox.path, container=sandbox.id,
            ifname="eth0", conf={}, ids=self.ids, runtime=runtime, namespace=sandbox.namespace,
            pod_name=sandbox.pod, store=self.store,
        )  # fmt: skip

    def _network_up(self, sandbox: Sandbox) -> Sandbox:
        """lo first, then the default network."""
        raise_link(self.changes, sandbox.netns, "lo")
        result = chain.add(self._call(sandbox), conf.load(self.box))
        ips = result.get("ips") or []
        return replace(sandbox, result=result, ip=str(ips[0]["address"]).split("/")[0] if ips else "")

    def _network_down(self, sandbox: Sandbox) -> None:
        if sandbox.host_network or not sandbox.netns:
            return
        try:
            network = conf.load(self.box)
        except conf.NoConf:
            raise CriError(
                f'failed to destroy network for sandbox "{sandbox.id}": cni plugin not initialized'
            ) from None
        try:
            chain.delete(self._call(sandbox), network)
        except CniError as error:
            raise CriError(f'failed to destroy network for sandbox "{sandbox.id}": {error.msg}') from None

    def _drop_netns(self, sandbox: Sandbox) -> None:
        if sandbox.netns_name in self.box.netns_names:
            self.changes.do(DelNetns(box=self.machine, name=sandbox.netns_name))

    # ---- images

    def pause_image(self) -> StoredImage:
        """The sandbox image, pulled when it is not there. CriError."""
        name = self.runtime.pause
        try:
            found = self.runtime.image(normal(name))
            if found is None:
                found = replace(self.puller.pull(name, self.now), pinned=True)
                self.runtime.store_image(found)
        except (PullError, ReferenceError_) as error:
            text = (
                error.text
                if isinstance(error, PullError)
                else f"failed to parse image reference {name!r}: {error}"
            )
            code = error.code if isinstance(error, PullError) else "Unknown"
            wrap = "" if self.version == "2.3" else f'failed to get sandbox image "{name}": '
            raise CriError(f'{wrap}failed to pull image "{name}": {text}', code) from None
        return found

    # ---- sandboxes

    def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        """RunPodSandbox. CriError, and then nothing of the sandbox is left."""
        sandbox = Sandbox(
            id=self.ids.hex(f"sandbox/{self.machine}", 64), namespace=config.namespace, pod=config.pod,
            uid=config.uid, attempt=config.attempt, created=self.now, host_network=config.host_network,
            ports=config.ports, netns=self.machine,
        )  # fmt: skip
        early = self.version in ("1.6", "1.7")
        if early:
            self.pause_image()
        if not config.host_network:
            sandbox = self._make_netns(sandbox)
            try:
                sandbox = self._network_up(sandbox)
            except (CniError, conf.NoConf) as error:
                text = error.msg if isinstance(error, CniError) else "cni plugin not initialized"
                self._undo(sandbox)
                raise CriError(f'failed to setup network for sandbox "{sandbox.id}": {text}') from None
            except Exception:
                self._undo(sandbox)
                raise
        try:
            image = self.pause_image()
        except CriError as error:
            self._undo(sandbox)
            wrap = (
                f'failed to start sandbox "{sandbox.id}": ' if self.version in ("2.0", "2.1", "2.2") else ""
            )
            raise CriError(wrap + error.text, error.code) from None
        return self._start_pause(replace(sandbox, image=image.name), config)

    def _make_netns(self, sandbox: Sandbox) -> Sandbox:
        name = self.ids.cni_name(f"netns/{self.machine}")
        netns = f"{self.machine}/{name}"
        label = f"{sandbox.namespace}/{sandbox.pod}"
        self.changes.do(AddNetns(box=self.machine, id=netns, label=label, name=name))
        for key, value in SANDBOX_SYSCTLS:
            set_sysctl(self.changes, netns, key, value)
        return replace(sandbox, netns=netns, netns_name=name)

    def _undo(self, sandbox: Sandbox) -> None:
        """After a failure: CNI DEL, whose own errors nobody sees, and the namespace goes."""
        if not sandbox.netns_name:
            return
        try:
            self._network_down(sandbox)
        except CriError:
            return
        finally:
            self._drop_netns(sandbox)

    def _start_pause(self, sandbox: Sandbox, config: SandboxConfig) -> Sandbox:
        shim = self._process(
            ("/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", sandbox.id, "-address",
             "/run/containerd/containerd.sock"),
        )  # fmt: skip
        new = ["mnt", "cgroup"]
        new += [] if config.host_network else ["uts"]
        new += [] if config.host_ipc else ["ipc"]
        new += [] if config.host_pid else ["pid"]
        pid = self._process(
            ("/pause",), ppid=shim, netns=sandbox.netns, new=tuple(new), program="pause", container=sandbox.id,
            user="65535", config=(("hostname", config.hostname), ("image", sandbox.image)),
        )  # fmt: skip
        folder = f"{CRI_STATE}/sandboxes/{sandbox.id}"
        self.changes.do(WriteFile(box=self.machine, path=f"{folder}/hostname", text=f"{config.hostname}\n"))
        self.changes.do(
            WriteFile(box=self.machine, path=f"{folder}/hosts", text=self.box.files.get("/etc/hosts", ""))
        )
        self.changes.do(WriteFile(box=self.machine, path=f"{folder}/resolv.conf", text=config.resolv_conf))
        sandbox = replace(sandbox, pid=pid, shim=shim)
        self.runtime.sandboxes[sandbox.id] = sandbox
        return sandbox

    def _process(self, args: tuple[str, ...], **more: object) -> int:
        pid = self.box.next_pid
        settings: dict[str, object] = {"netns": self.machine, **more}
        self.changes.do(StartProc(box=self.machine, args=args, pid=pid, **settings))  # type: ignore[arg-type]
        return pid

    def stop_sandbox(self, sandbox: Sandbox) -> None:
        """StopPodSandbox: its containers, the pause process, CNI DEL, the namespace. CriError from the CNI."""
        for container in self.runtime.containers_in(sandbox.id):
            self.kill(container)
        self._kill_pid(sandbox.pid)
        self.runtime.sandboxes[sandbox.id] = replace(sandbox, ready=False, pid=0)
        if sandbox.netns_name in self.box.netns_names:
            self._network_down(sandbox)
            self._drop_netns(sandbox)
        self._kill_pid(sandbox.shim)

    def remove_sandbox(self, sandbox: Sandbox) -> None:
        """RemovePodSandbox: records and files go."""
        for container in self.runtime.containers_in(sandbox.id):
            self.remove_container(container)
        self.runtime.sandboxes.pop(sandbox.id, None)
        for name in ("hostname", "hosts", "resolv.conf"):
            path = f"{CRI_STATE}/sandboxes/{sandbox.id}/{name}"
            if path in self.box.files:
                self.changes.do(RemoveFile(box=self.machine, path=path))

    # ---- containers

    def start_container(
        self, sandbox: Sandbox, config: ContainerConfig, *, share_pid: bool, host_pid: bool
    ) -> Container:
        """CreateContainer and StartContainer. A program that cannot bind its port ends at once."""
        id = self.ids.hex(f"container/{self.machine}", 64)
        what = config.behaviour
        settings = (("rootfs", f"{TASKS}/{id}/rootfs"), *config.config)
        join = [("ipc", sandbox.pid), ("uts", sandbox.pid)]
        new = ["mnt", "cgroup"]
        if share_pid:
            join.append(("pid", sandbox.pid))
        elif not host_pid:
            new.append("pid")
        pid = self._process(
            what.args, ppid=sandbox.shim, netns=sandbox.netns, new=tuple(new), join=tuple(join), program=what.program,
            config=settings, container=id, user=config.user,
        )  # fmt: skip
        join = [(kind, pid) for kind in ("mnt", "cgroup", "pid", "ipc", "uts")]
        for child in what.children:
            self._process(
                child, ppid=pid, netns=sandbox.netns, join=tuple(join), container=id, user=config.user
            )
        ends = self.now + what.seconds
        container = Container(
            id=id, name=config.name, sandbox=sandbox.id, image=config.image.name, image_id=config.image.id,
            attempt=config.attempt, created=self.now, started=self.now, pid=pid, ends=ends, ends_with=what.code,
            log=what.log, init=config.init,
        )  # fmt: skip
        self.runtime.containers[id] = container
        failed = self._listen(sandbox.netns, pid, config.listens, what.listens)
        if failed:
            return self.exited(container, 1, log=(*what.log, failed))
        return container

    def _listen(
        self, netns: str, pid: int, wanted: tuple[tuple[str, int, int], ...], own: tuple[tuple[str, int], ...]
    ) -> str:
        """Open the sockets; the log line of a program that cannot. A port that only the manifest declares is left
        out where somebody has it already."""
        for fd, (proto, port, addr) in enumerate(wanted, start=6):
            state = "LISTEN" if proto == "tcp" else "UNCONN"
            socket = Socket(proto=proto, addr=addr, port=port, pid=pid, state=state, fd=fd)
            try:
                self.changes.do(Listen(netns=netns, socket=socket))
            except OpError:
                if (proto, port) in own or not own:
                    return f"bind() to 0.0.0.0:{port} failed (98: Address already in use)"
        return ""

    def exited(
        self,
        container: Container,
        code: int,
        *,
        log: tuple[str, ...] | None = None,
        when: float | None = None,
    ) -> Container:
        """Record that a container has ended; whatever of it still runs is ended."""
        box = self.box
        for pid in [p.pid for p in box.procs.values() if p.container == container.id]:
            self._kill_pid(pid)
        written = box.memory.pop(container.pid, {}).get("log")
        if log is None and isinstance(written, tuple):
            log = (*container.log, *written)
        reason = "Completed" if code == 0 else "Error"
        done = replace(
            container, state="exited", code=code, reason=reason, pid=0, ends=float("inf"),
            finished=self.now if when is None else when, log=container.log if log is None else log,
        )  # fmt: skip
        self.runtime.containers[container.id] = done
        return done

    def kill(self, container: Container) -> None:
        """StopContainer: SIGTERM, and SIGKILL for what does not end by it (process 1 without a handler)."""
        if container.state == "running":
            proc = self.box.procs.get(container.pid)
            code = None if proc is None else exit_code(proc.comm, proc.nspid == 1, SIGTERM)
            self.exited(container, KILLED if code is None else code)

    def remove_container(self, container: Container) -> None:
        self.kill(container)
        self.runtime.containers.pop(container.id, None)

    def _kill_pid(self, pid: int) -> None:
        if pid and pid in self.box.procs:
            self.changes.do(KillProc(box=self.machine, pid=pid))

    def observe(self) -> bool:
        """Notice what has ended since: processes that are gone, and programs whose time is over. True on a change."""
        changed = False
        procs = self.box.procs
        for sandbox in list(self.runtime.sandboxes.values()):
            if sandbox.ready and sandbox.pid not in procs:
                self.runtime.sandboxes[sandbox.id] = replace(sandbox, ready=False, pid=0)
                changed = True
        for container in list(self.runtime.containers.values()):
            if container.state != "running":
                continue
            if container.pid not in procs:
                self.exited(container, self.box.exits.get(container.pid, KILLED))
                changed = True
            elif container.ends <= self.now:
                self.exited(container, container.ends_with, when=container.ends)
                changed = True
        return changed

    # ---- the daemon itself

    def load_config(self) -> None:
        """What the daemon does when it starts: read its configuration. A file that is not TOML stops it."""
        text = self.box.files.get(CONFIG, "")
        try:
            named = sandbox_image(text)
        except ValueError as error:
            self.runtime.problem = f"containerd: failed to load TOML: {CONFIG}: {error}"
            return
        self.runtime.problem = ""
        self.runtime.config = text
        self.runtime.pause = named if named is not None else DEFAULT_PAUSE[self.version]
        try:
            image = self.runtime.image(normal(self.runtime.pause))
        except ReferenceError_:
            return
        if image is not None and not image.pinned:
            self.runtime.store_image(replace(image, pinned=True))


#: The sandbox image that each containerd asks for by itself (facts 10 section 3.3).
DEFAULT_PAUSE = {
    "1.6": "registry.k8s.io/pause:3.6", "1.7": "registry.k8s.io/pause:3.8", "2.0": "registry.k8s.io/pause:3.10",
    "2.1": "registry.k8s.io/pause:3.10", "2.2": "registry.k8s.io/pause:3.10.1", "2.3": "registry.k8s.io/pause:3.10.2",
}  # fmt: skip
#: The pause image that kubeadm lists per Kubernetes release.
KUBEADM_PAUSE = {
    "1.30": "3.9", "1.31": "3.10", "1.32": "3.10", "1.33": "3.10", "1.34": "3.10.1", "1.35": "3.10.1", "1.36": "3.10.2",
}  # fmt: skip
_HEX = re.compile(r"[0-9a-f]+")


def by_prefix(rows: dict[str, object], text: str) -> list[str]:
    """Ids that begin with what a person typed."""
    return [i for i in rows if i.startswith(text)] if _HEX.fullmatch(text) else []


__all__ = [
    "CONFIG",
    "DEFAULT_PAUSE",
    "KUBEADM_PAUSE",
    "ContainerConfig",
    "Containerd",
    "CriError",
    "SandboxConfig",
    "by_prefix",
    "stored",
]

"""What dockerd remembers: networks, containers, their endpoints and published ports, local images.

Rules. Records are frozen; a change replaces one. Addresses are ints, times are the Net's virtual clock, ids are 64
hex digits. A `Spec` is what a person asked for, a `Container` what became of it.
"""

from __future__ import annotations

from engine.linux.addr import Prefix
from engine.record import dataclass

NO_PREFIX = Prefix(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A docker network. `driver` is bridge, host or null; `subnet` keeps no host bits; `bridge` the device's name;
    `options` as `docker network create -o` gave them; `configured` = the subnet was given by hand."""

    id: str
    name: str
    driver: str = "bridge"
    subnet: Prefix = NO_PREFIX
    gateway: int = 0
    ip_range: Prefix | None = None
    bridge: str = ""
    internal: bool = False
    icc: bool = True
    masquerade: bool = True
    mtu: int = 1500
    configured: bool = False
    options: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    created: float = 0.0

    @property
    def predefined(self) -> bool:
        return self.name in ("bridge", "host", "none")

    @property
    def user_defined(self) -> bool:
        """Has docker's own name service."""
        return not self.predefined


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """`-p [IP:]HOST:PORT[/PROTO]`. `host_ip` 0 is every address of the host; `host_port` 0 lets dockerd choose."""

    port: int
    host_port: int = 0
    host_ip: int = 0
    proto: str = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What `docker run` asked for. `network` is a network's name, or bridge, host, none, container:NAME; `command`
    and `entrypoint` as typed ((), None = the image's); `restart` no, always, unless-stopped or on-failure[:N];
    `pid`, `uts`, `ipc` "" for its own namespace, else host or container:NAME."""

    image: str
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    name: str = ""
    env: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    hostname: str = ""
    user: str = ""
    workdir: str = ""
    network: str = "bridge"
    address: int = 0
    mac: int = 0
    aliases: tuple[str, ...] = ()
    publish: tuple[Publish, ...] = ()
    publish_all: bool = False
    expose: tuple[tuple[int, str], ...] = ()
    add_hosts: tuple[tuple[str, str], ...] = ()
    dns: tuple[str, ...] = ()
    pid: str = ""
    uts: str = ""
    ipc: str = ""
    sysctls: tuple[tuple[str, str], ...] = ()
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    privileged: bool = False
    auto_remove: bool = False
    restart: str = "no"
    tty: bool = False
    stdin: bool = False
    attached: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A container's place in a network. While the container runs it has an address, a MAC and a veth; stopped, only
    what was asked for (`wanted`, `wanted_mac`, `aliases`) is left."""

    network: str
    id: str = ""
    address: int = 0
    mac: int = 0
    veth: str = ""
    device: str = ""
    wanted: int = 0
    wanted_mac: int = 0
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A published port in force. `pid` is its docker-proxy, or dockerd itself where the proxy is switched off."""

    publish: Publish
    address: int
    pid: int
    network: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container. `status` is created, running, restarting (until the time `due`) or exited; `argv` what runs; `pid`,
    `shim`, `netns` hold while it runs; `log` are its lines since it started, ("stdout" or "stderr", text); `manual` = a
    person stopped it."""

    id: str
    name: str
    spec: Spec
    image: str
    argv: tuple[str, ...]
    created: float
    status: str = "created"
    pid: int = 0
    shim: int = 0
    netns: str = ""
    started: float = 0.0
    finished: float = 0.0
    code: int = 0
    error: str = ""
    endpoints: tuple[Endpoint, ...] = ()
    bindings: tuple[Binding, ...] = ()
    log: tuple[tuple[str, str], ...] = ()
    starts: int = 0
    restarts: int = 0
    manual: bool = False
    seconds: float = float("inf")
    ends_with: int = 0
    due: float = 0.0

    @property
    def short(self) -> str:
        return self.id[:12]

    @property
    def running(self) -> bool:
        return self.status == "running"

    @property
    def root(self) -> str:
        """Where its tree of files is on the machine."""
        return f"/var/lib/docker/rootfs/overlayfs/{self.id}"

    @property
    def folder(self) -> str:
        """Where dockerd keeps its hosts, hostname and resolv.conf."""
        return f"/var/lib/docker/containers/{self.id}"

    @property
    def mode(self) -> str:
        """host, none, container or bridge (any network with addresses)."""
        head = self.spec.network.partition(":")[0]
        return head if head in ("host", "none", "container") else "bridge"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalImage:
    """An image on this machine, by its full name."""

    name: str
    digest: str
    size: int
    pulled: float = 0.0

"""Dockerd: the daemon of one machine, and everything that the docker command asks of it.

Theory. The daemon is a process of the machine, kept alive by systemd; its memory is this object. Starting it makes the
chains, the bridges and the containers whose policy asks for it; stopping it stops the containers (live-restore is
off by default) and leaves devices and rules where they are. `settle` sees what happened behind its back: a first
process that ended, a time that is over, a daemon that was killed.

Rules. No decision about packets is made here. Methods raise DockerError or NoDaemon; they take Changes, never a Net.
"""

from __future__ import annotations

from dataclasses import field

from engine.docker import endpoint as endpoints
from engine.docker import files, images, network
from engine.docker import start as life
from engine.docker.errors import DockerError, NoDaemon
from engine.docker.firewall import Firewall
from engine.docker.images import Pulled
from engine.docker.ipam import next_pool
from engine.docker.names import make_id
from engine.docker.records import Container, Endpoint, LocalImage, Network, Spec
from engine.linux.ops import Changes, KillProc, StartProc
from engine.record import dataclass, replace

VERSION = "29.7.2"
DOCKERD = ("/usr/bin/dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock")
CONTAINERD = ("/usr/bin/containerd",)
ROUNDS = 64
SIGNALS = {"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "TERM": 15}


@dataclass(slots=True)
class Dockerd:
    """`pid` 0 while the daemon does not run; `wanted` = systemd brings it back. `networks` and `containers` by id, in
    order of creation; `images` by full name. `serial` counts everything that gets an id. `socket` =
    systemd's docker.socket listens, and starts the daemon for whoever calls."""

    machine: str
    networks: dict[str, Network] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    images: dict[str, LocalImage] = field(default_factory=dict)
    airgapped: bool = False
    userland_proxy: bool = True
    pid: int = 0
    wanted: bool = False
    serial: int = 0
    next_port: int = 0
    socket: bool = True

    def copy(self) -> Dockerd:
        """An independent daemon that shares the frozen records."""
        return Dockerd(
            self.machine, dict(self.networks), dict(self.containers), dict(self.images), self.airgapped,
            self.userland_proxy, self.pid, self.wanted, self.serial, self.next_port, self.socket,
        )  # fmt: skip

    @property
    def hairpin(self) -> bool:
        """Without the userland proxy, containers reach their own published ports by hairpin NAT."""
        return not self.userland_proxy

    @property
    def running(self) -> bool:
        return self.pid != 0

    @property
    def bridge_id(self) -> str:
        """The id of the network `bridge`."""
        return next(n.id for n in self.networks.values() if n.name == "bridge")

    def awake(self) -> None:
        """Raises NoDaemon when nobody answers."""
        if not self.running:
            raise NoDaemon

    def wake(self, changes: Changes) -> None:
        """What a call on /var/run/docker.sock does: docker.socket starts a stopped daemon. Raises NoDaemon."""
        if not self.running:
            if not self.socket:
                raise NoDaemon
            self.start_daemon(changes)

    # ---- the daemon itself

    def start_daemon(self, changes: Changes) -> None:
        """`systemctl start docker`."""
        if self.running:
            return
        box = changes.net.boxes[self.machine]
        if not any(p.args == CONTAINERD for p in box.procs.values()):
            changes.do(StartProc(box=self.machine, args=CONTAINERD, netns=self.machine))
        self.pid = box.next_pid
        self.wanted = True
        changes.do(StartProc(box=self.machine, args=DOCKERD, netns=self.machine, program="dockerd"))
        Firewall(changes, self.machine).start(self.hairpin)
        self._networks(changes)
        for container in list(self.containers.values()):
            if container.status == "restarting":
                self._try_start(changes, container.id)

    def _networks(self, changes: Changes) -> None:
        """User-defined networks come back; host and none are made once; bridge is made anew at every start."""
        for one in list(self.networks.values()):
            if one.user_defined:
                network.raise_bridge(self, changes, one)
        for name, driver in (("host", "host"), ("none", "null")):
            if not any(n.name == name for n in self.networks.values()):
                made = Network(id=self._id("network"), name=name, driver=driver, created=changes.net.clock)
                self.networks[made.id] = made
        old = next((n for n in self.networks.values() if n.name == "bridge"), None)
        if old is not None:
            network.lower_bridge(self, changes, old, device=False)
            del self.networks[old.id]
            pool, gateway = old.subnet, old.gateway
        else:
            used = [n.subnet for n in self.networks.values() if n.driver == "bridge"]
            pool = next_pool(used, changes.net.spaces[self.machine])
            gateway = pool.addr + 1
        options = (
            ("com.docker.network.bridge.default_bridge", "true"),
            ("com.docker.network.bridge.enable_icc", "true"),
            ("com.docker.network.bridge.enable_ip_masquerade", "true"),
            ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0"),
            ("com.docker.network.bridge.name", "docker0"),
            ("com.docker.network.driver.mtu", "1500"),
        )
        made = Network(
            id=self._id("network"), name="bridge", subnet=pool, gateway=gateway, bridge="docker0", options=options,
            created=changes.net.clock,
        )  # fmt: skip
        self.networks[made.id] = made
        network.raise_bridge(self, changes, made)
        for id, container in self.containers.items():
            if old is not None and any(e.network == old.id for e in container.endpoints):
                moved = tuple(
                    replace(e, network=made.id) if e.network == old.id else e for e in container.endpoints
                )
                self.containers[id] = replace(container, endpoints=moved)

    def stop_daemon(self, changes: Changes) -> None:
        """`systemctl stop docker`: containers stop, rules and bridges stay."""
        if not self.running:
            return
        self._stop_containers(changes)
        if self.pid in changes.net.boxes[self.machine].procs:
            changes.do(KillProc(box=self.machine, pid=self.pid))
        self.pid, self.wanted = 0, False

    def restart_daemon(self, changes: Changes) -> None:
        """`systemctl restart docker`."""
        self.stop_daemon(changes)
        self.start_daemon(changes)

    def _stop_containers(self, changes: Changes) -> None:
        """What a daemon without live-restore does when it ends; those that come back are marked `restarting`."""
        for container in list(self.containers.values()):
            if not container.running:
                continue
            stopped = life.stop(self, changes, container.id, by_person=True)
            policy = container.spec.restart.partition(":")[0]
            if container.id in self.containers and policy in ("always", "unless-stopped"):
                self.containers[container.id] = replace(stopped, status="restarting", manual=False)

    def settle(self, changes: Changes) -> None:
        """Notice what ended by itself or by somebody's hand."""
        box = changes.net.boxes[self.machine]
        if self.running and self.pid not in box.procs:
            self.pid = 0
            self._stop_containers(changes)
            if self.wanted:
                self.start_daemon(changes)
        if not self.running:
            return
        for _ in range(ROUNDS):
            if not any([self._look(changes, id) for id in list(self.containers)]):
                return

    def _look(self, changes: Changes, id: str) -> bool:
        """Has something about this container changed?"""
        container = self.containers.get(id)
        if container is None:
            return False
        now, box = changes.net.clock, changes.net.boxes[self.machine]
        if container.status == "restarting" and now >= container.due:
            self._try_start(changes, id)
            return True
        if not container.running:
            return False
        if container.pid not in box.procs:
            life.finish(self, changes, id, box.exits.get(container.pid, 137))
            return True
        if now - container.started >= container.seconds:
            life.finish(self, changes, id, container.ends_with)
            return True
        return False

    def _try_start(self, changes: Changes, id: str) -> None:
        try:
            life.start(self, changes, id)
        except DockerError:
            failed = self.containers[id]
            self.containers[id] = replace(failed, status="exited", finished=changes.net.clock)

    def _id(self, kind: str) -> str:
        self.serial += 1
        return make_id(self.machine, kind, self.serial)

    # ---- containers

    def find(self, word: str) -> Container:
        """By id, name or unambiguous beginning of an id. Raises DockerError."""
        for container in self.containers.values():
            if word in (container.id, container.name, f"/{container.name}"):
                return container
        near = [c for c in self.containers.values() if word and c.id.startswith(word)]
        if len(near) == 1:
            return near[0]
        if near:
            raise DockerError(f"multiple IDs found with provided prefix: {word}")
        raise DockerError(f"No such container: {word}")

    def joined(self, container: Container) -> Container:
        """The container whose network namespace this one shares. Raises DockerError."""
        return self.find(container.spec.network.partition(":")[2])

    def create(self, changes: Changes, spec: Spec) -> Container:
        self.awake()
        return life.create(self, changes, spec)

    def start(self, changes: Changes, word: str) -> Container:
        self.awake()
        return life.start(self, changes, self.find(word).id)

    def run(self, changes: Changes, spec: Spec) -> Container:
        """`docker run`: pull when the image is missing, create, start. Raises DockerError."""
        self.awake()
        if images.lookup(self, spec.image) is None:
            images.pull(self, changes, spec.image)
        made = life.create(self, changes, spec)
        try:
            return life.start(self, changes, made.id)
        except DockerError:
            if spec.auto_remove:
                life.remove(self, changes, made.id)
            raise

    def stop(self, changes: Changes, word: str, *, grace: float = life.GRACE) -> Container:
        self.awake()
        return life.stop(self, changes, self.find(word).id, grace=grace)

    def restart(self, changes: Changes, word: str) -> Container:
        id = self.find(word).id
        self.awake()
        life.stop(self, changes, id)
        return life.start(self, changes, id)

    def kill(self, changes: Changes, word: str, signal: str = "KILL") -> Container:
        """`docker kill`, with one of SIGNALS. Raises DockerError."""
        self.awake()
        container = self.find(word)
        if not container.running:
            raise DockerError(f"cannot kill container: {word}: container {container.id} is not running")
        code = life.term_code(changes, self.machine, container, SIGNALS[signal])
        if code is None:
            return container
        return life.finish(self, changes, container.id, code, manual=True)

    def end(self, changes: Changes, id: str, code: int, log: tuple[tuple[str, str], ...] = ()) -> None:
        """A command that the shell ran as the container's first process has ended."""
        container = self.containers.get(id)
        if container is None:
            return
        files.append_log(changes, self.machine, container, log)
        self.containers[id] = replace(container, log=container.log + log)
        if container.running:
            life.finish(self, changes, id, code)

    def remove(self, changes: Changes, word: str, *, force: bool = False) -> Container:
        self.awake()
        container = self.find(word)
        if container.running or container.status == "restarting":
            if not force:
                raise DockerError(
                    f'cannot remove container "{word}": container is {container.status}: '
                    "stop the container before removing or force remove"
                )
            if container.running:
                life.finish(self, changes, container.id, 137, manual=True)
        return life.remove(self, changes, container.id) if container.id in self.containers else container

    # ---- networks

    def create_network(self, changes: Changes, name: str, **how: object) -> Network:
        self.awake()
        return network.create_network(self, changes, name, **how)

    def remove_network(self, changes: Changes, word: str) -> Network:
        self.awake()
        return network.remove_network(self, changes, word)

    def find_network(self, word: str) -> Network:
        self.awake()
        return network.find_network(self, word)

    def connect(
        self,
        changes: Changes,
        word: str,
        container_word: str,
        *,
        address: int = 0,
        aliases: tuple[str, ...] = (),
    ) -> None:
        """`docker network connect`. Raises DockerError."""
        self.awake()
        one, container = network.find_network(self, word), self.find(container_word)
        if container.mode in ("host", "container"):
            raise DockerError(
                "container sharing network namespace with another container or host cannot be connected to any other "
                "network"
            )
        if one.driver == "host":
            raise DockerError(
                "cannot connect container to host network - container must be created in host network mode"
            )
        if container.mode == "none" or one.driver == "null":
            raise DockerError(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode"
            )
        if any(e.network == one.id for e in container.endpoints):
            raise DockerError(f"endpoint with name {container.name} already exists in network {one.name}")
        endpoints.check_wanted(one, address, aliases)
        wish = Endpoint(network=one.id, wanted=address, aliases=aliases)
        container = replace(container, endpoints=(*container.endpoints, wish))
        if container.running:
            container, _ = endpoints.attach(self, changes, container, wish)
            self.containers[container.id] = container
            container = endpoints.set_gateway(self, changes, container)
            if one.user_defined:
                endpoints.start_resolver(self, changes, container)
        self.containers[container.id] = container
        if container.running:
            files.write_names(self, changes, container)
            files.write_resolver(self, changes)

    def disconnect(self, changes: Changes, word: str, container_word: str) -> None:
        """`docker network disconnect`. Raises DockerError."""
        self.awake()
        one, container = network.find_network(self, word), self.find(container_word)
        if one.driver == "host" and container.mode == "host":
            raise DockerError(
                "cannot disconnect container from host network - container was created in host network mode"
            )
        if one.driver == "null" and container.mode == "none":
            # None is a network like others here: once it is left, the container may join another one.
            self.containers[container.id] = replace(container, spec=replace(container.spec, network="bridge"))
            return
        mine = next((e for e in container.endpoints if e.network == one.id), None)
        if mine is None:
            raise DockerError(f"container {container.id} is not connected to the network {one.name}")
        container = endpoints.detach(self, changes, container, mine)
        container = replace(container, endpoints=tuple(e for e in container.endpoints if e.network != one.id))
        self.containers[container.id] = container
        if container.running:
            self.containers[container.id] = endpoints.set_gateway(self, changes, container)
            files.write_names(self, changes, self.containers[container.id])
            files.write_resolver(self, changes)

    # ---- images

    def pull(self, changes: Changes, text: str) -> Pulled:
        self.awake()
        return images.pull(self, changes, text)

"""Published ports: which host port, the rules, and the docker-proxy process that holds it.

Theory. Every published port is three things: DNAT and accept rules for packets that come by the network, a drop
rule where it is published on loopback, and a listening socket on the host. With the userland proxy (the default) a
docker-proxy process has the socket; it serves whom the DNAT rules leave out: programs on the host that call
127.0.0.1, and containers of the same bridge. Without it dockerd holds the socket to keep the port taken.
Source: moby daemon/libnetwork/drivers/bridge/port_mapping_linux.go, portallocator; the host has no IPv6.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from engine.docker import rules
from engine.docker.errors import DockerError
from engine.docker.firewall import Firewall
from engine.docker.records import Binding, Container, Network, Publish
from engine.errors import OpError
from engine.linux.addr import text4
from engine.linux.ops import Changes, CloseSocket, KillProc, Listen, StartProc
from engine.linux.rows import Socket
from engine.record import replace

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

PROXY = "/usr/bin/docker-proxy"
ALLOCATED = "Bind for {ip}:{port} failed: port is already allocated"
IN_USE = "failed to bind host port {ip}:{port}/{proto}: address already in use"
NOT_OURS = "failed to bind host port {ip}:{port}/{proto}: cannot assign requested address"
ALL_PORTS = "all ports are allocated"


def wanted(daemon: Dockerd, container: Container) -> list[Publish]:
    """The published ports of a container, those of -P included, sorted as dockerd binds them."""
    from engine.l7.images import find

    out = list(container.spec.publish)
    if container.spec.publish_all:
        image = find(container.image)
        exposed = [parse_port(p) for p in image.ports] if image is not None else []
        exposed += list(container.spec.expose)
        taken = {(p.port, p.proto) for p in out}
        out += [Publish(port=n, proto=t) for n, t in dict.fromkeys(exposed) if (n, t) not in taken]
    return sorted(out, key=lambda p: (p.port, p.proto, p.host_port == 0, p.host_port, p.host_ip))


def parse_port(text: str) -> tuple[int, str]:
    """`80/tcp` -> (80, "tcp")."""
    number, _, proto = text.partition("/")
    return int(number), proto or "tcp"


def bindings_of(daemon: Dockerd) -> Iterable[Binding]:
    for container in daemon.containers.values():
        yield from container.bindings


def allocate(daemon: Dockerd, changes: Changes, publish: Publish, more: Iterable[Binding]) -> Publish:
    """Fill in the host port. Raises DockerError when it is taken by another published port."""
    held = [*bindings_of(daemon), *more]

    def taken(port: int) -> bool:
        return any(
            b.publish.proto == publish.proto
            and b.publish.host_port == port
            and (not b.publish.host_ip or not publish.host_ip or b.publish.host_ip == publish.host_ip)
            for b in held
        )

    if publish.host_port:
        if taken(publish.host_port):
            raise DockerError(ALLOCATED.format(ip=text4(publish.host_ip), port=publish.host_port))
        return publish
    ns = changes.net.spaces[daemon.machine]
    low, high = (int(x) for x in ns.sysctl("net.ipv4.ip_local_port_range").split())
    busy = {s.port for s in ns.sockets if s.proto == publish.proto}
    start = daemon.next_port if low <= daemon.next_port <= high else low
    for port in (*range(start, high + 1), *range(low, start)):
        if not taken(port) and port not in busy:
            daemon.next_port = port + 1
            return replace(publish, host_port=port)
    raise DockerError(ALL_PORTS)


def publish_ports(
    daemon: Dockerd, changes: Changes, network: Network, container: Container, address: int
) -> tuple[Binding, ...]:
    """Bind, program and proxy every published port. Raises DockerError, and then none is left behind."""
    done: list[Binding] = []
    try:
        for one in wanted(daemon, container):
            publish = allocate(daemon, changes, one, done)
            done.append(_open(daemon, changes, network, publish, address))
    except DockerError:
        unpublish(daemon, changes, done)
        raise
    return tuple(done)


def _open(daemon: Dockerd, changes: Changes, network: Network, publish: Publish, address: int) -> Binding:
    net, machine = changes.net, daemon.machine
    pid = daemon.pid
    if daemon.userland_proxy:
        pid = net.boxes[machine].next_pid
    host_ip, state = publish.host_ip, "LISTEN" if publish.proto == "tcp" else "UNCONN"
    said = {"ip": text4(host_ip), "port": publish.host_port, "proto": publish.proto}
    socket = Socket(proto=publish.proto, addr=host_ip, port=publish.host_port, pid=pid, state=state, fd=4)
    try:
        changes.do(Listen(netns=machine, socket=socket))
    except OpError as error:
        text = NOT_OURS if error.errno == "EADDRNOTAVAIL" else IN_USE
        raise DockerError(text.format(**said)) from None
    try:
        Firewall(changes, machine).put_all(rules.port_rules(network, publish, address, daemon.hairpin))
    except DockerError:
        changes.do(CloseSocket(netns=machine, socket=socket))
        raise
    if daemon.userland_proxy:
        args = (
            PROXY, "-proto", publish.proto, "-host-ip", text4(host_ip), "-host-port", str(publish.host_port),
            "-container-ip", text4(address), "-container-port", str(publish.port), "-use-listen-fd",
        )  # fmt: skip
        config = (("proto", publish.proto), ("target", f"{text4(address)}:{publish.port}"))
        changes.do(
            StartProc(
                box=machine, args=args, netns=machine, ppid=daemon.pid, program="docker-proxy", config=config
            )
        )
    return Binding(publish=publish, address=address, pid=pid, network=network.id)


def unpublish(daemon: Dockerd, changes: Changes, bindings: Iterable[Binding]) -> None:
    """Stop the proxies, close the sockets, take the rules out. What is gone already is no error."""
    net, machine = changes.net, daemon.machine
    firewall = Firewall(changes, machine)
    for binding in bindings:
        publish = binding.publish
        if binding.pid != daemon.pid and binding.pid in net.boxes[machine].procs:
            changes.do(KillProc(box=machine, pid=binding.pid))
        for socket in net.spaces[machine].sockets:
            mine = (socket.proto, socket.port, socket.addr) == (
                publish.proto,
                publish.host_port,
                publish.host_ip,
            )
            if mine and socket.pid == binding.pid:
                changes.do(CloseSocket(netns=machine, socket=socket))
        network = daemon.networks.get(binding.network)
        if network is not None:
            firewall.take_all(rules.port_rules(network, publish, binding.address, daemon.hairpin))

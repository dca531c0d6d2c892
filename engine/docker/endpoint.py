"""A container's place in a network: address, veth pair, route, published ports, name service.

Rules. The order is that of moby: the address is asked for, the pair is made with its far end already in the
container's namespace, the near end joins the bridge, the direct-access rule is set, the far end gets its address and
is raised, then the route, then the ports. Ports belong to the endpoint that has the default route.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from engine.docker import ports, rules
from engine.docker.errors import DockerError
from engine.docker.firewall import Firewall
from engine.docker.ipam import next_address
from engine.docker.names import make_id, make_mac, make_veth
from engine.docker.records import Container, Endpoint, Network
from engine.linux.addr import Prefix, ip4, text4
from engine.linux.ops import (
    AddAddress,
    AddRoute,
    AddVeth,
    Changes,
    DelLink,
    DelRoute,
    Listen,
    SetLink,
)
from engine.linux.rows import Address, Socket
from engine.record import replace

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

RESOLVER_IP = ip4("127.0.0.11")
EXTERNAL = "driver failed programming external connectivity on endpoint {name} ({id}): {why}"


def addresses_in(daemon: Dockerd, network: Network) -> set[int]:
    """Addresses of a network that are taken: the gateway's and those of running containers."""
    out = {network.gateway}
    for container in daemon.containers.values():
        out |= {e.address for e in container.endpoints if e.network == network.id and e.address}
    return out


def attach(
    daemon: Dockerd, changes: Changes, container: Container, wish: Endpoint
) -> tuple[Container, Endpoint]:
    """Put a running namespace into a network; returns the container with its endpoint in place. Raises DockerError."""
    network = daemon.networks[wish.network]
    taken = addresses_in(daemon, network)
    if wish.wanted:
        if wish.wanted in taken:
            raise DockerError("Address already in use")
        address = wish.wanted
    else:
        found = next_address(network.subnet, network.ip_range, taken)
        if found is None:
            raise DockerError("no available addresses on this pool")
        address = found
    daemon.serial += 1
    id = make_id(daemon.machine, "endpoint", daemon.serial)
    machine, net = daemon.machine, changes.net
    veth = make_veth(id, set(net.spaces[machine].names))
    device = _free_device(changes, container)
    mac = wish.wanted_mac or make_mac(id, "mac")
    changes.do(
        AddVeth(
            netns=machine,
            name=veth,
            peer_netns=container.netns,
            peer_name=device,
            peer_mac=mac,
            mtu=network.mtu,
            txqlen=0,
        )
    )
    changes.do(SetLink(netns=machine, name=veth, master=network.bridge))
    if daemon.hairpin:
        changes.do(SetLink(netns=machine, name=veth, hairpin=True))
    Firewall(changes, machine).put_all(rules.endpoint_rules(network, address))
    changes.do(SetLink(netns=machine, name=veth, up=True))
    row = Address(ifindex=0, addr=address, length=network.subnet.length, broadcast=network.subnet.broadcast)
    changes.do(AddAddress(netns=container.netns, device=device, address=row))
    changes.do(SetLink(netns=container.netns, name=device, up=True))
    endpoint = replace(wish, id=id, address=address, mac=mac, veth=veth, device=device)
    others = tuple(e for e in container.endpoints if e.network != wish.network)
    at = next((i for i, e in enumerate(container.endpoints) if e.network == wish.network), len(others))
    container = replace(container, endpoints=(*others[:at], endpoint, *others[at:]))
    return container, endpoint


def _free_device(changes: Changes, container: Container) -> str:
    number = 0
    while f"eth{number}" in changes.net.spaces[container.netns].names:
        number += 1
    return f"eth{number}"


def gateway_endpoint(daemon: Dockerd, container: Container) -> Endpoint | None:
    """The endpoint with the default route: the first by network name whose network leads outside."""
    live = [e for e in container.endpoints if e.id and not daemon.networks[e.network].internal]
    return min(live, key=lambda e: daemon.networks[e.network].name, default=None)


def set_gateway(daemon: Dockerd, changes: Changes, container: Container) -> Container:
    """Default route and published ports of the gateway endpoint, moved when another one is it now. DockerError."""
    endpoint = gateway_endpoint(daemon, container)
    ns = changes.net.spaces[container.netns]
    router = daemon.networks[endpoint.network].gateway if endpoint is not None else 0
    default = Prefix(0, 0)
    for route in list(ns.tables[254].at(default)):
        if route.gateway != router:
            changes.do(DelRoute(netns=ns.id, dst=default, gateway=route.gateway))
    if endpoint is not None and not ns.tables[254].at(default):
        changes.do(AddRoute(netns=ns.id, dst=default, gateway=router, device=endpoint.device))
    old = [b for b in container.bindings if endpoint is None or b.address != endpoint.address]
    if old:
        ports.unpublish(daemon, changes, old)
        container = replace(container, bindings=())
        daemon.containers[container.id] = container
    if endpoint is not None and not container.bindings:
        network = daemon.networks[endpoint.network]
        try:
            bindings = ports.publish_ports(daemon, changes, network, container, endpoint.address)
        except DockerError as error:
            raise DockerError(
                EXTERNAL.format(name=container.name, id=endpoint.id, why=error.message)
            ) from None
        container = replace(container, bindings=bindings)
    return container


def start_resolver(daemon: Dockerd, changes: Changes, container: Container) -> None:
    """Docker's name service in a namespace on a user-defined network: dockerd listens on two ports of 127.0.0.11 there
    and rules lead port 53 to them."""
    ns = changes.net.spaces[container.netns]
    if any(s.addr == RESOLVER_IP for s in ns.sockets):
        return
    digest = hashlib.sha256(f"{container.id}/{container.starts}/dns".encode()).digest()
    tcp = 32768 + int.from_bytes(digest[:2], "big") % 28000
    udp = 32768 + int.from_bytes(digest[2:4], "big") % 28000
    for proto, port in (("tcp", tcp), ("udp", udp)):
        state = "LISTEN" if proto == "tcp" else "UNCONN"
        socket = Socket(proto=proto, addr=RESOLVER_IP, port=port, pid=daemon.pid, state=state, fd=30)
        changes.do(Listen(netns=ns.id, socket=socket))
    Firewall(changes, ns.id).start_resolver(tcp, udp)


def detach(daemon: Dockerd, changes: Changes, container: Container, endpoint: Endpoint) -> Container:
    """Take a container out of a network: ports, rule, veth. What the kernel has removed already is no error."""
    network = daemon.networks[endpoint.network]
    mine = [b for b in container.bindings if b.network == endpoint.network]
    if mine:
        ports.unpublish(daemon, changes, mine)
    left = tuple(b for b in container.bindings if b not in mine)
    if endpoint.id:
        Firewall(changes, daemon.machine).take_all(rules.endpoint_rules(network, endpoint.address))
        if endpoint.veth in changes.net.spaces[daemon.machine].names:
            changes.do(DelLink(netns=daemon.machine, name=endpoint.veth))
    asked = replace(endpoint, id="", address=0, mac=0, veth="", device="")
    shown = tuple(asked if e.network == endpoint.network else e for e in container.endpoints)
    return replace(container, endpoints=shown, bindings=left)


def check_wanted(network: Network, address: int, aliases: tuple[str, ...] = ()) -> None:
    """validateEndpointSettings: `--ip` and aliases need a user-defined network. Raises DockerError."""
    wrong = []
    if network.predefined and address:
        wrong.append("user-specified IP address is supported on user-defined networks only")
    if network.predefined and aliases:
        wrong.append("network-scoped aliases are only supported for user-defined networks")
    if address and network.driver == "bridge" and address not in network.subnet:
        wrong.append(f"no configured subnet contains IP address {text4(address)}")
    if wrong:
        raise DockerError(
            "invalid endpoint settings:\n" + (wrong[0] if len(wrong) == 1 else "* " + "\n* ".join(wrong))
        )

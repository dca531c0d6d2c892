"""Bridges: making a network's device and rules, and taking them away. Plus finding and checking networks.

Rules. The order of steps is bridge_linux.go's createNetwork: device, address, ip_forward, firewall, up. The daemon
switches ip_forward on when a bridge needs it, and only if it was off sets FORWARD's policy to DROP: this is how
Docker on a machine can break traffic that the machine routed before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from engine.docker import rules
from engine.docker.errors import DockerError
from engine.docker.firewall import Firewall
from engine.docker.ipam import check_pool, next_pool
from engine.docker.names import make_id, make_mac
from engine.docker.records import Network
from engine.errors import InputError, NotModelled
from engine.linux.addr import Prefix
from engine.linux.ops import AddAddress, AddLink, Changes, DelLink, SetLink
from engine.linux.ops.sysctl import SetSysctl
from engine.linux.rows import Address
from engine.say import Phrase

if TYPE_CHECKING:
    from engine.docker.daemon import Dockerd

DRIVERS_LATER = ("macvlan", "ipvlan", "overlay")
USE_BRIDGE = Phrase(
    en="Use a bridge network, host, none or container:NAME.",
    ko="bridge 네트워크나 host, none, container:NAME을 쓰십시오.",
)
PREFIX = "com.docker.network.bridge."
BRIDGE_NF = "net.bridge.bridge-nf-call-iptables"
MTU_KEY = "com.docker.network.driver.mtu"
BOOLS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def find_network(daemon: Dockerd, word: str) -> Network:
    """By id, name, or unambiguous beginning of an id. Raises DockerError."""
    for network in daemon.networks.values():
        if word in (network.id, network.name):
            return network
    near = [n for n in daemon.networks.values() if word and n.id.startswith(word)]
    if len(near) == 1:
        return near[0]
    if len(near) > 1:
        raise DockerError(f"network {word} is ambiguous ({len(near)} matches found on ID prefix)")
    raise DockerError(f"network {word} not found")


def plan_network(
    daemon: Dockerd,
    changes: Changes,
    name: str,
    *,
    driver: str = "bridge",
    subnet: str = "",
    gateway: str = "",
    ip_range: str = "",
    internal: bool = False,
    options: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> Network:
    """Check what was asked for and choose what was not. Raises DockerError, NotModelled."""
    if driver in DRIVERS_LATER:
        raise NotModelled(f"docker network create --driver {driver}", USE_BRIDGE())
    if driver in ("host", "null"):
        raise DockerError(f'only one instance of "{driver}" network is allowed')
    if driver != "bridge":
        raise DockerError(f'plugin "{driver}" not found')
    if name in ("bridge", "host", "none"):
        raise DockerError(f"operation is not permitted on predefined {name} network")
    if any(n.name == name for n in daemon.networks.values()):
        raise DockerError(f"network with name {name} already exists")
    used = [n.subnet for n in daemon.networks.values() if n.driver == "bridge"]
    ns = changes.net.spaces[daemon.machine]
    if subnet:
        pool = _prefix(subnet, "subnet")
        check_pool(pool, used)
    else:
        if gateway or ip_range:
            raise DockerError("invalid network config:\ninvalid subnet : subnet must be specified")
        pool = next_pool(used, ns)
    first = pool.addr + 1
    router = _address(gateway, pool) if gateway else first
    part = _prefix(ip_range, "ip-range") if ip_range else None
    if part is not None and not pool.covers(part):
        raise DockerError(
            f"invalid network config:\ninvalid ip-range {ip_range}: parent subnet {pool} doesn't contain ip-range"
        )
    daemon.serial += 1
    id = make_id(daemon.machine, "network", daemon.serial)
    given = dict(options or {})
    return Network(
        id=id,
        name=name,
        subnet=pool,
        gateway=router,
        ip_range=part,
        bridge=given.get(PREFIX + "name", f"br-{id[:12]}"),
        internal=internal,
        icc=_bool(given, "enable_icc"),
        masquerade=_bool(given, "enable_ip_masquerade"),
        mtu=_mtu(given),
        configured=bool(subnet),
        options=tuple(given.items()),
        labels=tuple((labels or {}).items()),
        created=changes.net.clock,
    )


def _bool(options: Mapping[str, str], key: str) -> bool:
    known = {"name", "enable_icc", "enable_ip_masquerade", "default_bridge"}
    for name in options:
        if name != MTU_KEY and (not name.startswith(PREFIX) or name[len(PREFIX) :] not in known):
            raise NotModelled(f"docker network create --opt {name}")
    text = options.get(PREFIX + key, "true")
    if text.lower() not in BOOLS:
        raise DockerError(
            f'failed to parse {PREFIX}{key} value: "{text}" (strconv.ParseBool: parsing "{text}": invalid syntax)'
        )
    return BOOLS[text.lower()]


def _mtu(options: Mapping[str, str]) -> int:
    text = options.get(MTU_KEY, "1500")
    if not (text.isascii() and text.isdigit()) or not 68 <= int(text) <= 65535:
        raise DockerError(f'failed to parse {MTU_KEY} value: "{text}"')
    return int(text)


def _prefix(text: str, what: str) -> Prefix:
    try:
        prefix = Prefix.parse(text, host_bits=True)
    except InputError:
        raise DockerError(
            f"invalid network config:\ninvalid {what} {text}: invalid CIDR block notation"
        ) from None
    if "/" not in text:
        raise DockerError(f"invalid network config:\ninvalid {what} {text}: invalid CIDR block notation")
    if prefix.network.addr != prefix.addr:
        wanted = prefix.network
        raise DockerError(f"invalid network config:\ninvalid {what} {text}: it should be {wanted}")
    return prefix


def _address(text: str, pool: Prefix) -> int:
    from engine.linux.addr import ip4

    try:
        address = ip4(text)
    except InputError:
        raise DockerError(f"invalid network config:\ninvalid gateway {text}: address is invalid") from None
    if address not in pool:
        raise DockerError(
            f"invalid network config:\ninvalid gateway {text}: parent subnet {pool} doesn't contain this address"
        )
    return address


def raise_bridge(daemon: Dockerd, changes: Changes, network: Network) -> None:
    """Device, address, ip_forward, rules, up: what is there already is kept."""
    net, machine = changes.net, daemon.machine
    ns = net.spaces[machine]
    if network.bridge not in ns.names:
        mac = make_mac(network.id, "bridge")
        changes.do(
            AddLink(netns=machine, name=network.bridge, kind="bridge", mac=mac, mtu=network.mtu, txqlen=0)
        )
    index = ns.names[network.bridge]
    have = {a.addr for a in ns.addresses.get(index, ())}
    if network.gateway not in have:
        row = Address(
            ifindex=0, addr=network.gateway, length=network.subnet.length, broadcast=network.subnet.broadcast
        )
        changes.do(AddAddress(netns=machine, device=network.bridge, address=row))
    firewall = Firewall(changes, machine)
    if ns.sysctl("net.ipv4.ip_forward") == "0":
        changes.do(SetSysctl(netns=machine, key="net.ipv4.ip_forward", value="1"))
        firewall.policy("FORWARD", "DROP")
    if (daemon.hairpin or not network.icc) and ns.sysctl(BRIDGE_NF) != "1":
        changes.do(SetSysctl(netns=machine, key=BRIDGE_NF, value="1"))
    if daemon.hairpin:
        changes.do(SetSysctl(netns=machine, key=f"net.ipv4.conf.{network.bridge}.route_localnet", value="1"))
    firewall.put_all(rules.network_rules(network, daemon.hairpin))
    changes.do(SetLink(netns=machine, name=network.bridge, up=True))


def lower_bridge(daemon: Dockerd, changes: Changes, network: Network, *, device: bool = True) -> None:
    """deleteNetwork: the device goes (docker0's stays), then the rules."""
    if device and network.bridge in changes.net.spaces[daemon.machine].names:
        changes.do(DelLink(netns=daemon.machine, name=network.bridge))
    Firewall(changes, daemon.machine).take_all(rules.network_rules(network, daemon.hairpin))


def create_network(daemon: Dockerd, changes: Changes, name: str, **how: object) -> Network:
    """`docker network create`; `how` as plan_network takes it. Raises DockerError."""
    network = plan_network(daemon, changes, name, **how)  # type: ignore[arg-type]
    raise_bridge(daemon, changes, network)
    daemon.networks[network.id] = network
    return network


def remove_network(daemon: Dockerd, changes: Changes, word: str) -> Network:
    """`docker network rm`. Raises DockerError."""
    network = find_network(daemon, word)
    if network.predefined:
        raise DockerError(f"{network.name} is a pre-defined network and cannot be removed")
    users = [
        f'name:"{c.name}" id:"{e.id[:12]}"'
        for c in daemon.containers.values()
        for e in c.endpoints
        if e.network == network.id and e.id
    ]
    if users:
        listed = ", ".join(users)
        raise DockerError(
            f"error while removing network: network {network.name} has active endpoints ({listed})"
        )
    lower_bridge(daemon, changes, network)
    del daemon.networks[network.id]
    return network

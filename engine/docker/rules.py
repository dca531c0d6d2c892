"""The iptables rules of dockerd 29, as text, in the order in which it programs them.

Theory. filter FORWARD jumps to DOCKER-USER (people's own rules) and to DOCKER-FORWARD. DOCKER-FORWARD goes through
DOCKER-CT (answers come back), DOCKER-INTERNAL (networks without outside) and DOCKER-BRIDGE (into DOCKER: published
ports, then the drop of everything else that comes from outside a bridge), and accepts what leaves a bridge. nat
DOCKER holds the DNAT of published ports; nat POSTROUTING masquerades what leaves a bridge's subnet; raw PREROUTING
drops what other machines send to a container's address directly.

Rules. Each function names its place in moby daemon/libnetwork/drivers/bridge/internal/iptabler. `insert` rules go to
the top of their chain, the others to the end; both only when they are not there yet. `hairpin` is the daemon
without its userland proxy.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.docker.records import Network, Publish
from engine.linux.addr import text4
from engine.record import dataclass

USER_CHAIN = "DOCKER-USER"
FILTER_CHAINS = ("DOCKER", "DOCKER-FORWARD", "DOCKER-BRIDGE", "DOCKER-CT", "DOCKER-INTERNAL")
#: (table, chain), in the order in which a starting daemon removes what an earlier one left
OLD_CHAINS = (
    ("nat", "DOCKER"),
    ("filter", "DOCKER-FORWARD"),
    ("filter", "DOCKER-BRIDGE"),
    ("filter", "DOCKER"),
    ("filter", "DOCKER-CT"),
    ("filter", "DOCKER-INTERNAL"),
    ("filter", "DOCKER-ISOLATION-STAGE-1"),
    ("filter", "DOCKER-ISOLATION-STAGE-2"),
    ("filter", "DOCKER-ISOLATION"),
)
#: jumps that stay on top of their chain, in the order in which they are put there
JUMPS = (
    ("FORWARD", "DOCKER-FORWARD"),
    ("DOCKER-FORWARD", "DOCKER-BRIDGE"),
    ("DOCKER-FORWARD", "DOCKER-INTERNAL"),
    ("DOCKER-FORWARD", "DOCKER-CT"),
)


@dataclass(frozen=True, slots=True)
class DockerRule:
    """A rule of dockerd's: `args` are its words behind `-A CHAIN`."""

    table: str
    chain: str
    args: str
    insert: bool = False


def nat_jumps(hairpin: bool) -> tuple[DockerRule, DockerRule]:
    """addNATJumpRules (network.go): local destinations meet the DNAT rules; loopback only in hairpin mode."""
    loop = "" if hairpin else " ! --dst 127.0.0.0/8"
    return (
        DockerRule("nat", "PREROUTING", "-m addrtype --dst-type LOCAL -j DOCKER"),
        DockerRule("nat", "OUTPUT", f"-m addrtype --dst-type LOCAL -j DOCKER{loop}"),
    )


def network_rules(network: Network, hairpin: bool) -> Iterator[DockerRule]:
    """setupIPTables (network.go): the rules of a bridge, in the order of programming."""
    bridge, subnet = network.bridge, str(network.subnet)
    if network.internal:
        yield DockerRule("filter", "DOCKER-INTERNAL", f"-i {bridge} ! -d {subnet} -j DROP", insert=True)
        yield DockerRule("filter", "DOCKER-INTERNAL", f"-o {bridge} ! -s {subnet} -j DROP", insert=True)
        word = "ACCEPT" if network.icc else "DROP"
        yield DockerRule("filter", "DOCKER-FORWARD", f"-i {bridge} -o {bridge} -j {word}")
        return
    if network.masquerade:
        yield DockerRule("nat", "POSTROUTING", f"-s {subnet} ! -o {bridge} -j MASQUERADE", insert=True)
    if hairpin:
        yield DockerRule(
            "nat", "POSTROUTING", f"-m addrtype --src-type LOCAL -o {bridge} -j MASQUERADE", insert=True
        )
    if network.icc:
        yield DockerRule("filter", "DOCKER-FORWARD", f"-i {bridge} -j ACCEPT")
    else:
        yield DockerRule("filter", "DOCKER-FORWARD", f"-i {bridge} -o {bridge} -j DROP")
        yield DockerRule("filter", "DOCKER-FORWARD", f"-i {bridge} ! -o {bridge} -j ACCEPT")
    yield DockerRule("filter", "DOCKER", f"! -i {bridge} -o {bridge} -j DROP")
    yield DockerRule(
        "filter", "DOCKER-CT", f"-o {bridge} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    )
    yield DockerRule("filter", "DOCKER-BRIDGE", f"-o {bridge} -j DOCKER")


def endpoint_rules(network: Network, address: int) -> Iterator[DockerRule]:
    """filterDirectAccess (endpoint.go): a container is not reached by its own address from outside its bridge."""
    if not network.internal:
        yield DockerRule("raw", "PREROUTING", f"-d {text4(address)} ! -i {network.bridge} -j DROP")


def port_rules(network: Network, publish: Publish, address: int, hairpin: bool) -> Iterator[DockerRule]:
    """setPerPortIptables (port.go): a port published on loopback, its DNAT, its way through DOCKER."""
    if network.internal:
        return
    bridge, own, proto = network.bridge, text4(address), publish.proto
    if publish.host_ip >> 24 == 127:
        yield DockerRule(
            "raw", "PREROUTING",
            f"-p {proto} -d {text4(publish.host_ip)} --dport {publish.host_port} ! -i lo -j DROP",
        )  # fmt: skip
    host = text4(publish.host_ip) if publish.host_ip else "0/0"
    dnat = f"-p {proto} -d {host} --dport {publish.host_port} -j DNAT --to-destination {own}:{publish.port}"
    yield DockerRule("nat", "DOCKER", dnat if hairpin else f"{dnat} ! -i {bridge}")
    if hairpin:
        yield DockerRule(
            "nat", "POSTROUTING", f"-p {proto} -s {own} -d {own} --dport {publish.port} -j MASQUERADE"
        )
    yield DockerRule(
        "filter", "DOCKER", f"! -i {bridge} -o {bridge} -p {proto} -d {own} --dport {publish.port} -j ACCEPT",
        insert=True,
    )  # fmt: skip


def resolver_rules(tcp: int, udp: int) -> Iterator[DockerRule]:
    """setupIptablesNAT (resolver_unix.go), inside a container on a user-defined network: questions to 127.0.0.11:53
    go to the two ports where dockerd listens in that namespace."""
    own = "127.0.0.11"
    yield DockerRule("nat", "OUTPUT", f"-d {own} -j DOCKER_OUTPUT", insert=True)
    yield DockerRule("nat", "POSTROUTING", f"-d {own} -j DOCKER_POSTROUTING", insert=True)
    for proto, port in (("udp", udp), ("tcp", tcp)):
        yield DockerRule(
            "nat",
            "DOCKER_OUTPUT",
            f"-d {own} -p {proto} --dport 53 -j DNAT --to-destination {own}:{port}",
            insert=True,
        )
        yield DockerRule(
            "nat",
            "DOCKER_POSTROUTING",
            f"-s {own} -p {proto} --sport {port} -j SNAT --to-source :53",
            insert=True,
        )

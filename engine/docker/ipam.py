"""Which network gets which pool, and which container which address.

Theory. Pools come from docker's list in order; one that overlaps a pool in use or a route of the host is passed
over. Inside a pool the lowest free address is given: what a stopped container had is free at once, so the next one
may get it. The network's, the broadcast and the gateway's addresses are taken from the start.
Source: moby daemon/libnetwork/ipamutils/utils.go, ipams/defaultipam (address_space.go, allocator.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from engine.docker.errors import DockerError
from engine.linux.addr import Prefix
from engine.linux.fib import MAIN
from engine.linux.net import Netns

#: (base, length of the pools that it is cut into)
DEFAULT_POOLS: tuple[tuple[str, int], ...] = (
    ("172.17.0.0/16", 16),
    ("172.18.0.0/16", 16),
    ("172.19.0.0/16", 16),
    ("172.20.0.0/14", 16),
    ("172.24.0.0/14", 16),
    ("172.28.0.0/14", 16),
    ("192.168.0.0/16", 20),
)
ALL_USED = "all predefined address pools have been fully subnetted"
OVERLAPS = "invalid pool request: Pool overlaps with other one on this address space"
NO_ADDRESS = "no available IPv4 addresses on this network's address pools: {name} ({id})"
IN_USE = "Address already in use"


def pools() -> Iterator[Prefix]:
    """Docker's default pools, in order."""
    for text, length in DEFAULT_POOLS:
        base = Prefix.parse(text)
        step = 1 << (32 - length)
        for number in range(1 << (length - base.length)):
            yield Prefix(base.addr + number * step, length)


def overlaps(one: Prefix, other: Prefix) -> bool:
    return one.covers(other) or other.covers(one)


def host_routes(ns: Netns) -> list[Prefix]:
    """Prefixes that the host has a route to, the default route left out."""
    return [r.dst for r in ns.tables[MAIN].routes() if r.dst.length]


def next_pool(used: Iterable[Prefix], ns: Netns) -> Prefix:
    """The first free default pool. Raises DockerError when there is none."""
    taken = [*used, *host_routes(ns)]
    for pool in pools():
        if not any(overlaps(pool, other) for other in taken):
            return pool
    raise DockerError(ALL_USED)


def check_pool(subnet: Prefix, used: Iterable[Prefix]) -> None:
    """A pool given by hand must not overlap another docker network (a host's route is no obstacle)."""
    if any(overlaps(subnet, other) for other in used):
        raise DockerError(OVERLAPS)


def next_address(subnet: Prefix, ip_range: Prefix | None, taken: set[int]) -> int | None:
    """The lowest free host address of a pool, or of the part of it that addresses may come from."""
    part = ip_range or subnet
    for address in range(part.addr, part.broadcast + 1):
        if address in taken or (subnet.length < 31 and address in (subnet.addr, subnet.broadcast)):
            continue
        return address
    return None

"""Ops on links, addresses, neighbours and bridge ports."""

from __future__ import annotations

from dataclasses import dataclass

from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op
from engine.linux.rows import Address, FdbEntry, Link, Neighbour, Port


@dataclass(frozen=True, slots=True, kw_only=True)
class AddLink(Op):
    """`ip link add NAME type KIND` (bridge, dummy, or physical with its `peer` port, which only the fabric makes).
    `mac` 0 = one made from the namespace and the name, always the same for the same lab."""

    netns: str
    name: str
    kind: str
    mac: int = 0
    mtu: int = 1500
    peer: Port | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddVeth(Op):
    """`ip link add NAME type veth peer name PEER [netns N]`."""

    netns: str
    name: str
    peer_netns: str
    peer_name: str
    mac: int = 0
    peer_mac: int = 0
    mtu: int = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class DelLink(Op):
    netns: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetLink(Op):
    """`ip link set NAME ...`: every field that is not None is changed. `master` "" = nomaster; `netns_to` moves it."""

    netns: str
    name: str
    up: bool | None = None
    mtu: int | None = None
    mac: int | None = None
    master: str | None = None
    new_name: str | None = None
    netns_to: str | None = None
    hairpin: bool | None = None
    isolated: bool | None = None
    learning: bool | None = None
    flood: bool | None = None
    promisc: bool | None = None
    ageing: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress(Op):
    """`ip addr add`: makes the local, connected and broadcast routes with it. `address.ifindex` is filled in."""

    netns: str
    device: str
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class DelAddress(Op):
    netns: str
    device: str
    addr: int
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetNeighbour(Op):
    """`ip neigh add|replace`; `replace` False refuses an entry that is there."""

    netns: str
    device: str
    neighbour: Neighbour
    replace: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class DelNeighbour(Op):
    netns: str
    device: str
    ip: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFdb(Op):
    """`bridge fdb add|replace|del`; `gone` removes."""

    netns: str
    device: str
    entry: FdbEntry
    gone: bool = False


def set_link_up(ns: Netns, link: Link, _: type[SetLink]) -> None:
    """Raise a link: addresses on it get their connected routes; lo gets 127.0.0.1/8."""


def remove_link(net: Net, ns: Netns, link: Link) -> None:
    """Take a link away with its addresses, routes, neighbours, ports; a veth takes its peer with it."""

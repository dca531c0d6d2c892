"""Ops on addresses of devices (man ip-address; net/ipv4/devinet.c)."""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.addr import Prefix
from engine.linux.fib import LOCAL, SCOPES
from engine.linux.net import Net, Netns
from engine.linux.ops.base import Op, handles
from engine.linux.ops.kernelroutes import add_routes, forget_address, routes_for
from engine.linux.rows import Address, Link
from engine.record import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAddress(Op):
    """`ip addr add`: makes the local, connected and broadcast routes with it. `address.ifindex` is filled in, and so
    are its label (the device's name when "") and `secondary`."""

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
class FlushAddresses(Op):
    """`ip addr flush dev D [scope S] [label L] [to P]`: every address that fits; "" and None fit all."""

    netns: str
    device: str = ""
    scope: str = ""
    to: Prefix | None = None
    label: str = ""


def need_device(ns: Netns, name: str) -> Link:
    """The device of this name; OpError as ip words it."""
    link = ns.link(name)
    if link is None:
        raise OpError("ENODEV", f'Cannot find device "{name}"')
    return link


@handles(AddAddress)
def _add_address(net: Net, op: AddAddress) -> None:
    ns = net.spaces[op.netns]
    insert_address(ns, need_device(ns, op.device), op.address)


def insert_address(ns: Netns, link: Link, address: Address) -> None:
    """`__inet_insert_ifa`: primaries stand after the last primary of no narrower scope, secondaries at the end."""
    rows = list(ns.addresses.get(link.ifindex, ()))
    at, secondary = 0, False
    if alone(ns, rows, address):
        at = len(rows)
    mine = Prefix(address.addr, address.length).network
    for place, old in enumerate(rows if not at else ()):
        if not old.secondary and SCOPES[address.scope] <= SCOPES[old.scope]:
            at = place + 1
        if old.length == address.length and Prefix(old.addr, old.length).network == mine:
            if old.addr == address.addr:
                raise OpError("EEXIST", "Error: ipv4: Address already assigned.")
            if old.scope != address.scope:
                raise OpError("EINVAL", "Error: ipv4: Invalid scope value.")
            secondary = True
    row = replace(address, ifindex=link.ifindex, label=address.label or link.name, secondary=secondary)
    rows.insert(len(rows) if secondary else at, row)
    ns.addresses[link.ifindex] = tuple(rows)
    add_routes(ns, link, row)


def alone(ns: Netns, rows: list[Address], address: Address) -> bool:
    """Is this surely the only address of its /32, so that it comes last? (kube-ipvs0 holds thousands.)"""
    if address.length != 32 or not rows or rows[-1].secondary:
        return False
    last = SCOPES[address.scope] <= SCOPES[rows[-1].scope]
    return last and not ns.tables[LOCAL].at(Prefix(address.addr, 32))


@handles(DelAddress)
def _del_address(net: Net, op: DelAddress) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.device)
    for row in ns.addresses.get(link.ifindex, ()):
        if row.addr == op.addr and row.length == op.length:
            drop_address(ns, link, row)
            return
    raise OpError("EADDRNOTAVAIL", "Error: ipv4: Address not found.")


def drop_address(ns: Netns, link: Link, row: Address) -> None:
    """`__inet_del_ifa`: the secondaries of a primary go with it, or the first is promoted (promote_secondaries)."""
    heirs: list[Address] = []
    if not row.secondary:
        mine = Prefix(row.addr, row.length).network
        heirs = [
            a for a in ns.addresses[link.ifindex]
            if a.secondary and a.length == row.length and Prefix(a.addr, a.length).network == mine
        ]  # fmt: skip
    promote = ns.conf("all", "promote_secondaries") or ns.conf(link.name, "promote_secondaries")
    for gone in (*heirs, row):
        made = list(routes_for(ns, link, gone))
        ns.addresses[link.ifindex] = tuple(a for a in ns.addresses[link.ifindex] if a is not gone)
        if gone is row and heirs and promote:
            # The heirs stand again before the routes are looked at, so that the last one does not empty the device.
            for heir in heirs:
                insert_address(ns, link, replace(heir, secondary=False))
        forget_address(ns, link, gone, made)
        ns.conntrack.forget_masqueraded(link.ifindex, gone.addr)
    if not ns.addresses[link.ifindex]:
        del ns.addresses[link.ifindex]


@handles(FlushAddresses)
def _flush_addresses(net: Net, op: FlushAddresses) -> None:
    ns = net.spaces[op.netns]
    only = need_device(ns, op.device).ifindex if op.device else 0
    for index in sorted(ns.addresses):
        if only and index != only:
            continue
        for row in ns.addresses.get(index, ()):
            if row not in ns.addresses.get(index, ()):
                continue
            if (op.scope and row.scope != op.scope) or (op.label and row.label != op.label):
                continue
            if op.to is not None and row.addr not in op.to:
                continue
            drop_address(ns, ns.links[index], row)

"""What the plugins ask of the kernel, as ops: links, addresses, routes, sysctls and rules of table nat.

Rules. Thin: one function per netlink or iptables call of the reference plugins, idempotent where theirs is.
An OpError that a plugin would report comes back as its text, with the plugin's own words around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import OpError
from engine.kube.cni.call import CniError
from engine.kube.ids import Ids
from engine.linux.addr import Prefix
from engine.linux.fib import lookup
from engine.linux.flow import FlowKey
from engine.linux.ops import (
    AddAddress,
    AddLink,
    AddRoute,
    AddVeth,
    DelAddress,
    DelLink,
    SetLink,
)
from engine.linux.ops.base import Changes
from engine.linux.ops.sysctl import SetSysctl
from engine.linux.ops.xt import XtAppend, XtDelete, XtDeleteChain, XtFlush, XtInsert, XtNewChain
from engine.linux.rows import Address
from engine.linux.xt import parse
from engine.linux.xt.rule import XtRule

ERRNO_TEXTS = {"EEXIST": "file exists", "ENETUNREACH": "network is unreachable", "EINVAL": "invalid argument"}


def go_error(error: OpError) -> str:
    """How Go's syscall package spells an errno."""
    return ERRNO_TEXTS.get(error.errno, error.tool_text)


def raise_link(changes: Changes, netns: str, name: str) -> None:
    link = changes.net.spaces[netns].link(name)
    if link is not None and not link.up:
        changes.do(SetLink(netns=netns, name=name, up=True))


def ensure_bridge(changes: Changes, box: str, name: str, *, mtu: int, promisc: bool) -> int:
    """The bridge device, made when it is not there, raised, promiscuous on wish. Returns its MAC."""
    link = changes.net.spaces[box].link(name)
    if link is None:
        try:
            changes.do(AddLink(netns=box, name=name, kind="bridge", mtu=mtu or 1500))
        except OpError as error:
            raise CniError(
                f'failed to create bridge "{name}": could not add "{name}": {go_error(error)}'
            ) from None
    elif link.kind != "bridge":
        raise CniError(f'failed to create bridge "{name}": "{name}" already exists but is not a bridge')
    if promisc:
        changes.do(SetLink(netns=box, name=name, promisc=True))
    raise_link(changes, box, name)
    link = changes.net.spaces[box].link(name)
    return link.mac if link is not None else 0


def random_mac(ids: Ids, box: str) -> int:
    """A MAC as the kernel draws it for a new device: unicast, locally administered."""
    raw = ids.draw(f"mac/{box}")
    return int.from_bytes(bytes([raw[0] & 0xFC | 2]) + raw[1:6])


def add_veth(
    changes: Changes, end: tuple[str, str], peer: tuple[str, str], macs: tuple[int, int], *, mtu: int
) -> None:
    """The pair as the plugins make it: `end` (namespace, name) in the pod, `peer` straight in the node's."""
    changes.do(
        AddVeth(
            netns=end[0], name=end[1], peer_netns=peer[0], peer_name=peer[1], mac=macs[0], peer_mac=macs[1], mtu=mtu
        )
    )  # fmt: skip


def enslave(changes: Changes, box: str, name: str, bridge: str, *, hairpin: bool, isolated: bool) -> None:
    try:
        changes.do(SetLink(netns=box, name=name, master=bridge))
    except OpError as error:
        raise CniError(f'failed to connect "{name}" to bridge {bridge}: {go_error(error)}') from None
    changes.do(SetLink(netns=box, name=name, hairpin=hairpin, isolated=isolated or None))


def add_address(changes: Changes, netns: str, device: str, address: Prefix) -> None:
    """AddrAdd of the netlink library: the broadcast address is filled in."""
    broadcast = address.network.broadcast if address.length < 31 else 0
    row = Address(ifindex=0, addr=address.addr, length=address.length, broadcast=broadcast)
    try:
        changes.do(AddAddress(netns=netns, device=device, address=row))
    except OpError as error:
        raise CniError(f'failed to add IP addr {address} to "{device}": {go_error(error)}') from None


def del_address(changes: Changes, netns: str, device: str, address: Prefix) -> None:
    changes.do(DelAddress(netns=netns, device=device, addr=address.addr, length=address.length))


def set_mac(changes: Changes, netns: str, name: str, mac: int) -> None:
    changes.do(SetLink(netns=netns, name=name, mac=mac))


def add_route(changes: Changes, netns: str, dst: Prefix, gateway: int, device: str) -> str:
    """A route through a device; an equal one that is there counts as made. Returns Go's error text, "" when made."""
    try:
        changes.do(AddRoute(netns=netns, dst=dst, gateway=gateway, device=device, scope="global"))
    except OpError as error:
        return "" if error.errno == "EEXIST" else go_error(error)
    return ""


def delete_link(changes: Changes, netns: str, name: str) -> None:
    changes.do(DelLink(netns=netns, name=name))


def set_sysctl(changes: Changes, netns: str, key: str, value: str) -> None:
    if changes.net.spaces[netns].sysctl(key) != value:
        changes.do(SetSysctl(netns=netns, key=key, value=value))


def device_towards(changes: Changes, netns: str, address: int) -> str:
    """The device that the node's route to an address names; "" without a route."""
    ns = changes.net.spaces[netns]
    route = lookup(ns, FlowKey(dst=address)).route
    return ns.links[route.oif].name if route is not None and route.oif in ns.links else ""


def quoted(text: str) -> str:
    """A comment as iptables-save prints it, in double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class Nat:
    """Table nat of one namespace, as go-iptables works on it. Rules are the words behind `-A CHAIN`."""

    def __init__(self, changes: Changes, netns: str) -> None:
        self.changes = changes
        self.netns = netns

    def has(self, chain: str) -> bool:
        return self.changes.net.spaces[self.netns].xt.chain("nat", chain) is not None

    def rules(self, chain: str) -> tuple[XtRule, ...]:
        found = self.changes.net.spaces[self.netns].xt.chain("nat", chain)
        return found.rules if found is not None else ()

    def new_chain(self, chain: str) -> None:
        if not self.has(chain):
            self.changes.do(XtNewChain(netns=self.netns, table="nat", chain=chain))

    def append(self, chain: str, text: str) -> None:
        self.changes.do(XtAppend(netns=self.netns, table="nat", chain=chain, rules=(parse.rule(text),)))

    def append_unique(self, chain: str, text: str) -> None:
        if parse.rule(text) not in self.rules(chain):
            self.append(chain, text)

    def prepend_unique(self, chain: str, text: str) -> None:
        rule = parse.rule(text)
        if rule not in self.rules(chain):
            self.changes.do(XtInsert(netns=self.netns, table="nat", chain=chain, rules=(rule,)))

    def delete(self, chain: str, text: str) -> None:
        rule = parse.rule(text)
        if rule in self.rules(chain):
            self.changes.do(XtDelete(netns=self.netns, table="nat", chain=chain, rules=(rule,)))

    def delete_jumps(self, chain: str, target: str) -> None:
        """Take out every rule of `chain` that jumps to `target`."""
        for rule in self.rules(chain):
            if rule.jumps_to == target:
                self.changes.do(XtDelete(netns=self.netns, table="nat", chain=chain, rules=(rule,)))

    def clear(self, chain: str) -> None:
        if self.rules(chain):
            self.changes.do(XtFlush(netns=self.netns, table="nat", chain=chain))

    def clear_and_delete(self, chain: str) -> None:
        if self.has(chain):
            self.clear(chain)
            self.changes.do(XtDeleteChain(netns=self.netns, table="nat", chain=chain))

    def make(self, chain: str, texts: Sequence[str]) -> None:
        """Make the chain hold exactly these rules; nothing is touched when it does."""
        wanted = tuple(parse.rule(t) for t in texts)
        if self.rules(chain) != wanted:
            self.clear(chain)
            for text in texts:
                self.append(chain, text)

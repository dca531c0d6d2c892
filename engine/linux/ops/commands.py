"""The real command for an op on links, addresses, routes, rules, neighbours and forwarding entries.

    to_command(AddAddress(...), place) -> (("ip", "-n", "pod", "addr", "add", "10.0.0.1/24", "dev", "eth0"),)

Rules. The words mean the same to the real tools and to the lab's own; a test runs them through the lab's `ip` and
compares. `place` gives a namespace's name under /run/netns, "" for the machine's own. An op that has no command
(a cable, a process, a file) raises NotModelled with its name.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.addr import Prefix, mac_text, text4
from engine.linux.ops import devicecommands
from engine.linux.ops.address import AddAddress, DelAddress, FlushAddresses
from engine.linux.ops.box import AddNetns, DelNetns
from engine.linux.ops.command import Place, Words, queue, to_command, tool
from engine.linux.ops.ipset import IpsetOp
from engine.linux.ops.ipsetwords import ipset_words
from engine.linux.ops.ipvs import (
    IpvsAddDest,
    IpvsAddService,
    IpvsClear,
    IpvsDelDest,
    IpvsDelService,
    IpvsEditDest,
    IpvsEditService,
    IpvsTimeouts,
    IpvsZero,
)
from engine.linux.ops.link import PORT_FLAGS, AddLink, AddVeth, DelLink, SetLink, make_mac
from engine.linux.ops.neigh import DelNeighbour, FlushNeighbours, SetFdb, SetNeighbour, SetProxy
from engine.linux.ops.nexthop import DelNexthop, SetNexthop
from engine.linux.ops.nft import NftApply
from engine.linux.ops.route import AddRoute, DelRoute, FlushRouteCache, FlushRoutes, Way
from engine.linux.ops.rule import AddRule, DelRule, FlushRules
from engine.linux.text.ipvs import dest_text, key_text, peer_text, service_text
from engine.linux.text.route import dst_text, encap_words, table_name
from engine.linux.text.rule import proto_text, range_text

__all__ = ["Place", "devicecommands", "to_command"]


@to_command.register
def _(op: AddNetns, place: Place) -> tuple[Words, ...]:
    if not op.name:
        raise NotModelled("a namespace without a name")
    return (("ip", "netns", "add", op.name),)


@to_command.register
def _(op: DelNetns, place: Place) -> tuple[Words, ...]:
    return (("ip", "netns", "delete", op.name or place(op.id)),)


@to_command.register
def _(op: AddLink, place: Place) -> tuple[Words, ...]:
    if op.kind == "physical":
        raise NotModelled("a physical device made by a command")
    # A bridge whose MAC is not given follows its ports; giving it one would stop that.
    mac = ("address", mac_text(op.mac)) if op.mac else ()
    words = ("name", op.name, *mac, *queue(op.txqlen), "mtu", str(op.mtu), "type", op.kind)
    return ((*tool("ip", op.netns, place), "link", "add", *words),)


@to_command.register
def _(op: AddVeth, place: Place) -> tuple[Words, ...]:
    ours = mac_text(op.mac or make_mac(op.netns, op.name))
    theirs = mac_text(op.peer_mac or make_mac(op.peer_netns, op.peer_name))
    head = (*tool("ip", op.netns, place), "link", "add", "name", op.name, "address", ours, *queue(op.txqlen))
    head = (*head, "mtu", str(op.mtu))
    peer = ("name", op.peer_name, "address", theirs, *queue(op.txqlen), "mtu", str(op.peer_mtu or op.mtu))
    there = place(op.peer_netns)
    if op.peer_netns == op.netns:
        return ((*head, "type", "veth", "peer", *peer),)
    if not there:
        raise NotModelled("a veth peer in the machine's own namespace, made from another one")
    return ((*head, "type", "veth", "peer", *peer, "netns", there),)


@to_command.register
def _(op: DelLink, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "link", "delete", "dev", op.name),)


@to_command.register
def _(op: SetLink, place: Place) -> tuple[Words, ...]:
    words: list[str] = []
    if op.mac is not None:
        words += ["address", mac_text(op.mac)]
    if op.mtu is not None:
        words += ["mtu", str(op.mtu)]
    if op.promisc is not None:
        words += ["promisc", on(op.promisc)]
    if op.txqlen is not None:
        words += ["txqueuelen", str(op.txqlen)]
    if op.master is not None:
        words += ["master", op.master] if op.master else ["nomaster"]
    if op.new_name is not None:
        words += ["name", op.new_name]
    if op.netns_to is not None:
        words += ["netns", place(op.netns_to) or "1"]
    if op.up is not None:
        words.append("up" if op.up else "down")
    head = (*tool("ip", op.netns, place), "link", "set", "dev", op.name)
    out: list[Words] = [(*head, *words)] if words else []
    name = op.new_name or op.name
    flags = [
        word for key in PORT_FLAGS if (value := getattr(op, key)) is not None for word in (key, on(value))
    ]
    later = (*tool("ip", op.netns_to or op.netns, place), "link", "set", "dev", name, "type")
    if flags:
        out.append((*later, "bridge_slave", *flags))
    if op.ageing is not None:
        out.append((*later, "bridge", "ageing_time", str(op.ageing * 100)))
    return tuple(out)


def on(value: bool) -> str:
    return "on" if value else "off"


@to_command.register
def _(op: AddAddress, place: Place) -> tuple[Words, ...]:
    row = op.address
    words = [f"{text4(row.addr)}/{row.length}"]
    if row.broadcast:
        words += ["broadcast", text4(row.broadcast)]
    words += ["scope", row.scope, "dev", op.device]
    if row.label:
        words += ["label", row.label]
    if row.noprefixroute:
        words.append("noprefixroute")
    return ((*tool("ip", op.netns, place), "addr", "add", *words),)


@to_command.register
def _(op: DelAddress, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "addr", "del", f"{text4(op.addr)}/{op.length}", "dev", op.device),)


@to_command.register
def _(op: FlushAddresses, place: Place) -> tuple[Words, ...]:
    words: list[str] = []
    for key, value in (("dev", op.device), ("scope", op.scope), ("label", op.label)):
        words += [key, value] if value else []
    words += ["to", str(op.to)] if op.to is not None else []
    return ((*tool("ip", op.netns, place), "addr", "flush", *words),)


@to_command.register
def _(op: AddRoute, place: Place) -> tuple[Words, ...]:
    words = [op.type, dst_text(op.dst)] if op.type != "unicast" else [dst_text(op.dst)]
    words += ["tos", f"{op.tos:#04x}"] if op.tos else []
    words += route_words(op.gateway, op.device, op.src, op.metric, op.proto, op.scope, op.table)
    words += encap_words(op.encap) if op.encap is not None else []
    words += ["onlink"] if op.onlink else []
    words += ["mtu", *(["lock"] if op.mtu_lock else []), str(op.mtu)] if op.mtu else []
    words += ["advmss", str(op.advmss)] if op.advmss else []
    words += ["hoplimit", str(op.hoplimit)] if op.hoplimit else []
    words += ["nhid", str(op.nhid)] if op.nhid else []
    words += way_words(op.nexthops)
    return ((*tool("ip", op.netns, place), "route", op.mode, *words),)


@to_command.register
def _(op: DelRoute, place: Place) -> tuple[Words, ...]:
    words = [op.type, dst_text(op.dst)] if op.type else [dst_text(op.dst)]
    words += ["tos", f"{op.tos:#04x}"] if op.tos else []
    words += route_words(op.gateway, op.device, op.src, op.metric, op.proto, op.scope, op.table)
    words += ["nhid", str(op.nhid)] if op.nhid else []
    words += way_words(op.nexthops)
    return ((*tool("ip", op.netns, place), "route", "del", *words),)


def way_words(ways: tuple[Way, ...]) -> list[str]:
    """`nexthop via A dev D weight W onlink ...`"""
    words: list[str] = []
    for way in ways:
        words.append("nexthop")
        words += ["via", text4(way.gateway)] if way.gateway else []
        words += ["dev", way.device] if way.device else []
        words += ["weight", str(way.weight)]
        words += ["onlink"] if way.onlink else []
    return words


@to_command.register
def _(op: SetNexthop, place: Place) -> tuple[Words, ...]:
    words = ["id", str(op.id)] if op.id else []
    words += ["via", text4(op.gateway)] if op.gateway else []
    words += ["dev", op.device] if op.device else []
    words += ["onlink"] if op.onlink else []
    words += ["blackhole"] if op.blackhole else []
    if op.group:
        words += ["group", "/".join(f"{id},{weight}" if weight > 1 else str(id) for id, weight in op.group)]
    words += ["protocol", op.proto] if op.proto != "unspec" else []
    return ((*tool("ip", op.netns, place), "nexthop", "replace" if op.replace else "add", *words),)


@to_command.register
def _(op: DelNexthop, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "nexthop", "del", "id", str(op.id)),)


def route_words(
    gateway: int, device: str, src: int, metric: int, proto: str, scope: str, table: int
) -> list[str]:
    words: list[str] = []
    for key, value in (
        ("via", text4(gateway) if gateway else ""), ("dev", device), ("src", text4(src) if src else ""),
        ("metric", str(metric) if metric else ""), ("proto", proto), ("scope", scope),
        ("table", table_name(table) if table else ""),
    ):  # fmt: skip
        words += [key, value] if value else []
    return words


@to_command.register
def _(op: FlushRoutes, place: Place) -> tuple[Words, ...]:
    words: list[str] = []
    for key, prefix in (("root", op.root), ("match", op.match), ("exact", op.exact)):
        words += [key, str(prefix)] if prefix is not None else []
    words += ["table", "all" if op.table == -1 else table_name(op.table)] if op.table else []
    for key, value in (
        ("dev", op.device), ("proto", op.proto), ("type", op.type), ("scope", op.scope),
        ("via", text4(op.gateway) if op.gateway else ""),
    ):  # fmt: skip
        words += [key, value] if value else []
    return ((*tool("ip", op.netns, place), "route", "flush", *(words or ["table", "main"])),)


@to_command.register
def _(op: AddRule, place: Place) -> tuple[Words, ...]:
    words = ["not"] if op.invert else []
    words += rule_words(op)
    words += ["pref", str(op.priority)] if op.priority >= 0 else []
    if op.action == "lookup":
        words += ["table", table_name(op.table)]
    else:
        words += ["goto", str(op.target)] if op.action == "goto" else [op.action]
    words += ["suppress_prefixlength", str(op.suppress)] if op.suppress >= 0 else []
    words += ["protocol", op.proto] if op.proto != "unspec" else []
    return ((*tool("ip", op.netns, place), "rule", "add", *words),)


@to_command.register
def _(op: DelRule, place: Place) -> tuple[Words, ...]:
    words = rule_words(op)
    words += ["pref", str(op.priority)] if op.priority is not None else []
    words += ["table", table_name(op.table)] if op.table is not None else []
    if op.action == "goto":
        words += ["goto", str(op.target or 0xFFFFFFFF)]
    elif op.action not in (None, "lookup") and op.action is not None:
        words.append(op.action)
    words += ["suppress_prefixlength", str(op.suppress)] if op.suppress is not None else []
    words += ["protocol", op.proto] if op.proto is not None else []
    return ((*tool("ip", op.netns, place), "rule", "del", *words),)


def rule_words(op: AddRule | DelRule) -> list[str]:
    """The conditions of a rule."""
    mark = ""
    if op.fwmark or op.fwmask or (op.fwmark is not None and isinstance(op, DelRule)):
        mark = f"{op.fwmark or 0:#x}" + (f"/{op.fwmask:#x}" if op.fwmask else "")
    words = selector(op.src, op.dst, op.iif, op.oif, mark)
    words += ["tos", f"{op.tos:#04x}"] if op.tos else []
    words += ["uidrange", f"{op.uids[0]}-{op.uids[1]}"] if op.uids is not None else []
    words += ["ipproto", proto_text(op.ipproto)] if op.ipproto else []
    for key, ports in (("sport", op.sport), ("dport", op.dport)):
        words += [key, range_text(ports)] if ports is not None else []
    return words


def selector(
    src: Prefix | None, dst: Prefix | None, iif: str | None, oif: str | None, mark: str
) -> list[str]:
    words: list[str] = []
    for key, prefix in (("from", src), ("to", dst)):
        words += [key, str(prefix)] if prefix is not None and prefix.length else []
    for key, value in (("iif", iif), ("oif", oif), ("fwmark", mark)):
        words += [key, value] if value else []
    return words


@to_command.register
def _(op: FlushRouteCache, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "route", "flush", "cache"),)


@to_command.register
def _(op: FlushRules, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "rule", "flush"),)


@to_command.register
def _(op: SetNeighbour, place: Place) -> tuple[Words, ...]:
    row = op.neighbour
    verb = "replace" if op.replace and op.create else "change" if op.replace else "add"
    mac = ("lladdr", mac_text(row.mac)) if row.mac else ()
    words = (text4(row.ip), "dev", op.device, *mac, "nud", row.state.lower())
    return ((*tool("ip", op.netns, place), "neigh", verb, *words),)


@to_command.register
def _(op: DelNeighbour, place: Place) -> tuple[Words, ...]:
    return ((*tool("ip", op.netns, place), "neigh", "del", text4(op.ip), "dev", op.device),)


@to_command.register
def _(op: SetProxy, place: Place) -> tuple[Words, ...]:
    verb = "del" if op.gone else "add"
    return ((*tool("ip", op.netns, place), "neigh", verb, "proxy", text4(op.ip), "dev", op.device),)


@to_command.register
def _(op: FlushNeighbours, place: Place) -> tuple[Words, ...]:
    words: list[str] = ["to", str(op.to) if op.to is not None else "all"]
    words += ["dev", op.device] if op.device else []
    for state in op.states:
        words += ["nud", state.lower()]
    return ((*tool("ip", op.netns, place), "neigh", "flush", *words),)


@to_command.register
def _(op: SetFdb, place: Place) -> tuple[Words, ...]:
    verb = "del" if op.gone else "replace" if op.replace else "add"
    kind = (
        ()
        if op.gone
        else ("permanent",)
        if op.entry.local
        else ("static",)
        if op.entry.static
        else ("dynamic",)
    )
    words = (mac_text(op.entry.mac), "dev", op.device, "master", *kind)
    return ((*tool("bridge", op.netns, place), "fdb", verb, *words),)


@to_command.register
def _(op: NftApply, place: Place) -> tuple[Words, ...]:
    inside = place(op.netns)
    head = ("ip", "netns", "exec", inside, "nft") if inside else ("nft",)
    return ((*head, op.text.rstrip("\n")),)


@to_command.register
def _(op: IpsetOp, place: Place) -> tuple[Words, ...]:
    inside = place(op.netns)
    head = ("ip", "netns", "exec", inside, "ipset") if inside else ("ipset",)
    return ((*head, *ipset_words(op)),)


def ipvsadm(netns: str, place: Place, *words: str) -> tuple[Words, ...]:
    inside = place(netns)
    head = ("ip", "netns", "exec", inside, "ipvsadm") if inside else ("ipvsadm",)
    return ((*head, *" ".join(words).split()),)


@to_command.register(IpvsAddService)
@to_command.register(IpvsEditService)
def _(op: IpvsAddService | IpvsEditService, place: Place) -> tuple[Words, ...]:
    text = service_text(op.service)
    return ipvsadm(op.netns, place, text if isinstance(op, IpvsAddService) else text.replace("-A", "-E", 1))


@to_command.register
def _(op: IpvsDelService, place: Place) -> tuple[Words, ...]:
    return ipvsadm(op.netns, place, "-D", key_text(op.key))


@to_command.register
def _(op: IpvsClear, place: Place) -> tuple[Words, ...]:
    return ipvsadm(op.netns, place, "-C")


@to_command.register(IpvsAddDest)
@to_command.register(IpvsEditDest)
def _(op: IpvsAddDest | IpvsEditDest, place: Place) -> tuple[Words, ...]:
    text = dest_text(op.key, op.dest)
    return ipvsadm(op.netns, place, text if isinstance(op, IpvsAddDest) else text.replace("-a", "-e", 1))


@to_command.register
def _(op: IpvsDelDest, place: Place) -> tuple[Words, ...]:
    return ipvsadm(op.netns, place, "-d", key_text(op.key), "-r", peer_text(*op.dest))


@to_command.register
def _(op: IpvsTimeouts, place: Place) -> tuple[Words, ...]:
    return ipvsadm(op.netns, place, "--set", str(op.tcp), str(op.tcpfin), str(op.udp))


@to_command.register
def _(op: IpvsZero, place: Place) -> tuple[Words, ...]:
    return ipvsadm(op.netns, place, "-Z", key_text(op.key) if op.key is not None else "")

"""The real command for an op on a device with a kind of its own: tunnels, macvlan, ipvlan, tun."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.addr import mac_text, text4
from engine.linux.linkinfo import (
    GENEVE_PORT,
    Geneve,
    Ipip,
    Ipvlan,
    LinkInfo,
    Macvlan,
    Tun,
    Vxlan,
    WireGuard,
)
from engine.linux.ops.command import Place, Words, queue, to_command, tool
from engine.linux.ops.device import AddDevice, LoadModule, SetDevice
from engine.linux.ops.link import make_mac
from engine.linux.ops.vxlanfdb import FlushVxlanFdb, SetVxlanFdb


def info_words(info: LinkInfo, lower: str) -> Words:
    """`vxlan id 1 dev eth0 ...`: the kind and its settings, as `ip link add ... type` reads them. `lower` is the device
    of a tunnel's `dev`."""
    dev = ("dev", lower) if lower else ()
    if isinstance(info, Vxlan):
        words = ["vxlan", *(("external",) if info.external else ("id", str(info.vni)))]
        if info.remote:
            words += ["group" if info.remote >> 28 == 0xE else "remote", text4(info.remote)]
        words += ["local", text4(info.local)] if info.local else []
        words += [*dev, "dstport", str(info.port)]
        if info.port_low or info.port_high:
            words += ["srcport", str(info.port_low), str(info.port_high)]
        words += ["learning" if info.learning else "nolearning"]
        words += [key for key in ("proxy", "l2miss", "l3miss") if getattr(info, key)]
        words += ["ageing", str(info.ageing)] if info.ageing != 300 else []
        return (*words, *outer_words(info), *(() if info.udpcsum else ("noudpcsum",)))
    if isinstance(info, Geneve):
        words = ["geneve", *(("external",) if info.external else ("id", str(info.vni)))]
        words += ["remote", text4(info.remote)] if info.remote else []
        words += ["dstport", str(info.port)] if info.port != GENEVE_PORT else []
        return (*words, *outer_words(info), *(("udpcsum",) if info.udpcsum else ()))
    if isinstance(info, Ipip):
        words = ["ipip", *(("external",) if info.external else ())]
        words += ["remote", text4(info.remote)] if info.remote else []
        words += ["local", text4(info.local)] if info.local else []
        words += [*dev, *(("ttl", str(info.ttl)) if info.ttl else ())]
        words += ["tos", tos_word(info.tos)] if info.tos else []
        return (*words, "pmtudisc" if info.pmtudisc else "nopmtudisc")
    if isinstance(info, Macvlan):
        return ("macvlan", "mode", info.mode)
    if isinstance(info, Ipvlan):
        return ("ipvlan", "mode", info.mode, info.flag)
    if isinstance(info, WireGuard):
        return ("wireguard",)
    raise NotModelled("a tun device made by ip link")


def outer_words(info: Vxlan | Geneve) -> Words:
    words = ["ttl", "inherit"] if info.ttl_inherit else ["ttl", str(info.ttl)] if info.ttl else []
    words += ["tos", tos_word(info.tos)] if info.tos else []
    return (*words, *(("df", info.df) if info.df != "unset" else ()))


def tos_word(tos: int) -> str:
    return "inherit" if tos == 1 else f"{tos:#x}"


@to_command.register
def _(op: AddDevice, place: Place) -> tuple[Words, ...]:
    info = op.info
    if isinstance(info, Tun):
        if info.pid:
            raise NotModelled("a tun device that a program holds open, made by a command")
        words: Words = ("tuntap", "add", "dev", op.name, "mode", info.mode)
        words += ("user", str(info.user)) if info.user >= 0 else ()
        words += ("group", str(info.group)) if info.group >= 0 else ()
        return ((*tool("ip", op.netns, place), *words),)
    under = isinstance(info, Macvlan | Ipvlan)
    home = op.home or op.netns
    head = ["link", "add", *(("link", op.lower) if under else ()), "name", op.name]
    if home != op.netns:
        head += ["netns", place(op.netns) or "1"]
    if not isinstance(info, Ipip | WireGuard | Ipvlan):
        head += ["address", mac_text(op.mac or make_mac(op.netns, op.name))]
    head += [*(queue(op.txqlen) if op.txqlen >= 0 else ()), *(("mtu", str(op.mtu)) if op.mtu else ())]
    made = (*tool("ip", home, place), *head, "type", *info_words(info, "" if under else op.lower))
    if isinstance(info, WireGuard) and info != WireGuard():
        return (made, *to_command(SetDevice(netns=op.netns, name=op.name, info=info), place))
    return (made,)


@to_command.register
def _(op: SetDevice, place: Place) -> tuple[Words, ...]:
    info = op.info
    if not isinstance(info, WireGuard):
        return ((*tool("ip", op.netns, place), "link", "set", "dev", op.name, "type", *info_words(info, "")),)
    if info.private:
        raise NotModelled("a private key in a command: wg reads it from a file")
    inside = place(op.netns)
    words = ["wg", "set", op.name]
    words += ["listen-port", str(info.port)] if info.port else []
    words += ["fwmark", f"{info.fwmark:#x}"] if info.fwmark else []
    for peer in info.peers:
        words += ["peer", peer.key]
        if peer.endpoint is not None:
            words += ["endpoint", f"{text4(peer.endpoint[0])}:{peer.endpoint[1]}"]
        words += ["persistent-keepalive", str(peer.keepalive)] if peer.keepalive else []
        words += ["allowed-ips", ",".join(f"{text4(a)}/{n}" for a, n in peer.allowed)] if peer.allowed else []
    return ((*(("ip", "netns", "exec", inside) if inside else ()), *words),)


@to_command.register
def _(op: LoadModule, place: Place) -> tuple[Words, ...]:
    return (("modprobe", op.module),)


@to_command.register
def _(op: SetVxlanFdb, place: Place) -> tuple[Words, ...]:
    words = ["fdb", op.mode, mac_text(op.mac), "dev", op.device]
    if op.remote is not None:
        words += ["dst", text4(op.remote.dst)]
        words += ["port", str(op.remote.port)] if op.remote.port else []
        words += ["vni", str(op.remote.vni)] if op.remote.vni else []
        if op.remote.via:
            raise NotModelled("via in bridge fdb, told by number")
    words += ["src_vni", str(op.vni)] if op.vni else []
    words += ["self"] if op.mode == "del" else ["self", op.state or "dynamic"]
    return ((*tool("bridge", op.netns, place), *words),)


@to_command.register
def _(op: FlushVxlanFdb, place: Place) -> tuple[Words, ...]:
    states = op.states if len(op.states) == 1 else ()
    return ((*tool("bridge", op.netns, place), "fdb", "flush", "dev", op.device, "self", *states),)

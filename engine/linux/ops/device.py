"""Ops on devices with a kind of their own: vxlan, geneve, ipip, wireguard, macvlan, ipvlan, tun, and their settings.

    AddDevice(netns="n1", name="flannel.1", lower="eth0", info=Vxlan(vni=1, learning=False))

Rules. As in link.py: every check before the first change. MTUs are those that the kernel chooses: what the device
below, or the way to the remote, leaves after the headers. Measured on Linux 6.18 (vxlan, macvlan, tun) and on 6.1 in
User-Mode Linux (ipip, geneve, ipvlan); WireGuard by its source.
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.flow import FlowKey
from engine.linux.linkinfo import Geneve, Ipip, Ipvlan, LinkInfo, Macvlan, Tun, Vxlan, WireGuard
from engine.linux.multipath import find
from engine.linux.net import Net, Netns
from engine.linux.ops.address import need_device
from engine.linux.ops.base import Op, handles
from engine.linux.ops.link import check_mac, check_mtu, check_name, make_mac
from engine.linux.ops.linkstate import name_space, new_index
from engine.linux.ops.ports import put
from engine.linux.ops.tunnels import check_open, close_sockets, open_sockets, put_above
from engine.linux.rows import Link, Port, Remote, VxlanFdb
from engine.record import dataclass, replace

INVALID = "RTNETLINK answers: Invalid argument"
BUSY = "RTNETLINK answers: Device or resource busy"
EXISTS = "RTNETLINK answers: File exists"
KINDS: dict[type[LinkInfo], str] = {
    Vxlan: "vxlan", Geneve: "geneve", Ipip: "ipip", WireGuard: "wireguard", Macvlan: "macvlan", Ipvlan: "ipvlan",
    Tun: "tun",
}  # fmt: skip
#: bytes that the headers take: outer IPv4, UDP and the tunnel's own (with the inner Ethernet header)
OVERHEAD = {"vxlan": 50, "geneve": 50, "ipip": 20}
MACVLAN_PASSTHRU = "passthru"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddDevice(Op):
    """`ip link add NAME [link LOWER] type KIND ...` (`dev LOWER` for a tunnel). `home` is the namespace in which the
    command runs, where `lower` is and the outer packets will live; "" = `netns`. `mac` and `mtu` 0 = as the kernel
    chooses, the MAC made from the name."""

    netns: str
    name: str
    info: LinkInfo
    lower: str = ""
    home: str = ""
    mac: int = 0
    mtu: int = 0
    txqlen: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDevice(Op):
    """`ip link set NAME type KIND ...`, `wg set`: the device's record is replaced as a whole."""

    netns: str
    name: str
    info: LinkInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadModule(Op):
    """`modprobe ipip`: every namespace of the machine, and every later one, gets the device tunl0."""

    box: str
    module: str


@handles(AddDevice)
def _add_device(net: Net, op: AddDevice) -> None:
    ns = net.spaces[op.netns]
    home = net.spaces[op.home or op.netns]
    kind = KINDS[type(op.info)]
    if kind == "ipip" and ensure_fallback(net, ns.box) and op.name == "tunl0":
        return
    check_name(ns, op.name)
    below = need_device(home, op.lower) if op.lower else None
    if op.mac:
        check_mac(op.mac)
    check_kind(net, home, op.info, below)
    mtu = op.mtu or default_mtu(net, home, op.info, below)
    check_mtu(kind, mtu)
    if isinstance(op.info, Macvlan | Ipvlan) and below is not None and mtu > below.mtu:
        raise OpError("EINVAL", INVALID)
    if isinstance(op.info, Vxlan) and below is not None:
        mtu = min(mtu, max(below.mtu - OVERHEAD["vxlan"], 68))
    info = settle_info(op.info)
    lower: Port | None = (home.id, below.ifindex) if below is not None else (home.id, 0)
    if isinstance(info, Tun):
        lower = None
    elif isinstance(info, Macvlan | Ipvlan) and below is not None and isinstance(below.info, type(info)):
        lower = below.lower
    index = new_index(ns)
    link = Link(
        ifindex=index, name=op.name, kind=kind, info=info, lower=lower, mtu=mtu,
        txqlen=op.txqlen if op.txqlen >= 0 else 500 if isinstance(info, Tun) and info.mode == "tun" else 1000,
    )  # fmt: skip
    put(ns, replace(link, mac=mac_of(op, link, below)))
    if home is not ns:
        name_space(net, ns.id, home.id)
    if isinstance(info, Macvlan | Ipvlan):
        put_above(net, ns, link)
        if isinstance(info, Ipvlan):
            same_port(net, home, link, info)
    default_entry(net, ns, ns.links[index], 0)


def mac_of(op: AddDevice, link: Link, below: Link | None) -> int:
    if link.headerless:
        return 0
    if below is not None and (
        isinstance(op.info, Ipvlan) or (isinstance(op.info, Macvlan) and passthru(op.info))
    ):
        return below.mac
    return op.mac or make_mac(op.netns, op.name)


def passthru(info: Macvlan) -> bool:
    return info.mode == MACVLAN_PASSTHRU


def check_kind(net: Net, home: Netns, info: LinkInfo, below: Link | None) -> None:
    """What each kind refuses when it is made."""
    if isinstance(info, Macvlan | Ipvlan):
        if below is None or below.kind == "loopback" or below.headerless:
            raise OpError("EINVAL", INVALID)
        if below.master:
            raise OpError("EBUSY", BUSY)
        others = [net.spaces[id].links[i] for id, i in home.uppers.get(below.ifindex, ())]
        if any(type(one.info) is not type(info) for one in others):
            raise OpError("EBUSY", BUSY)
        if isinstance(info, Macvlan) and (
            (passthru(info) and others)
            or any(isinstance(one.info, Macvlan) and passthru(one.info) for one in others)
        ):
            raise OpError("EINVAL", INVALID)
        return
    for ns in net.spaces.values():
        for other in ns.links.values():
            if type(other.info) is not type(info) or other.lower is None or other.lower[0] != home.id:
                continue
            check_twin(info, other.info)


def check_twin(info: LinkInfo, other: LinkInfo | None) -> None:
    """Two tunnels that could not be told apart."""
    if isinstance(info, Vxlan) and isinstance(other, Vxlan):
        if (info.vni, info.port, info.external) == (other.vni, other.port, other.external):
            raise OpError("EEXIST", "Error: A VXLAN device with the specified VNI already exists.")
    elif isinstance(info, Geneve) and isinstance(other, Geneve) and info.port == other.port:
        if info.external or other.external:
            text = "There can be only one externally controlled device on a destination port."
            raise OpError("EPERM", f"Error: {text}")
        if (info.vni, info.remote) == (other.vni, other.remote):
            raise OpError("EBUSY", BUSY)
    elif isinstance(info, Ipip) and isinstance(other, Ipip):
        same = (info.local, info.remote) == (other.local, other.remote)
        if same and info.external == other.external:
            raise OpError("EEXIST", EXISTS)


def default_mtu(net: Net, home: Netns, info: LinkInfo, below: Link | None) -> int:
    """The MTU that the kernel gives."""
    if isinstance(info, Vxlan):
        return max(below.mtu - OVERHEAD["vxlan"], 68) if below is not None else 1500
    if isinstance(info, Macvlan | Ipvlan):
        return below.mtu if below is not None else 1500
    if isinstance(info, WireGuard):
        return 1420
    if isinstance(info, Ipip):
        out = below or (way_out(net, home, info.remote) if info.remote else None)
        return (out.mtu if out is not None else 1500) - OVERHEAD["ipip"]
    if isinstance(info, Geneve):
        # Without a remote the kernel asks for the way to 0.0.0.0, which is lo.
        out = way_out(net, home, info.remote) if info.remote else home.links[1]
        return min(out.mtu - OVERHEAD["geneve"], 65485) if out is not None else 1500
    return 1500


def way_out(net: Net, ns: Netns, dst: int) -> Link | None:
    """The device by which an address is reached now."""
    route = find(net, ns, FlowKey(dst=dst)).route
    if route is None:
        return None
    return ns.links[1] if route.type == "local" else ns.links.get(route.oif)


def settle_info(info: LinkInfo) -> LinkInfo:
    """What the kernel makes of the settings."""
    if isinstance(info, Vxlan) and info.external:
        return replace(info, learning=False)
    return info


def same_port(net: Net, home: Netns, link: Link, info: Ipvlan) -> None:
    """Mode and flag belong to the device below: all that lie on it change with the newest (ipvlan_set_port_mode)."""
    assert link.lower is not None
    for id, index in home.uppers.get(link.lower[1], ()):
        one = net.spaces[id].links[index]
        put(net.spaces[id], replace(one, info=info))


def default_entry(net: Net, ns: Netns, link: Link, old: int) -> None:
    """The entry of zeros that stands for a VXLAN device's `remote`; `old` is the remote that it replaces."""
    info = link.info
    if not isinstance(info, Vxlan) or info.remote == old:
        return
    key = (link.ifindex, 0, info.vni if info.external else 0)
    row = ns.vxlan_fdb.get(key)
    left = tuple(one for one in row.remotes if one.dst != old) if row is not None else ()
    if info.remote:
        via = link.lower[1] if link.lower is not None else 0
        left = (Remote(dst=info.remote, via=via), *left)
    if left:
        ns.vxlan_fdb[key] = VxlanFdb(
            ifindex=link.ifindex, mac=0, remotes=left, permanent=True, since=net.clock
        )
    else:
        ns.vxlan_fdb.pop(key, None)


@handles(SetDevice)
def _set_device(net: Net, op: SetDevice) -> None:
    ns = net.spaces[op.netns]
    link = need_device(ns, op.name)
    new, old = op.info, link.info
    if old is None or type(new) is not type(old):
        raise OpError("EOPNOTSUPP", "RTNETLINK answers: Operation not supported")
    check_change(old, new)
    fresh = replace(link, info=new)
    if link.up:
        check_open(net, ns, fresh)
        close_port(net, ns, link, fresh)
    put(ns, fresh)
    if isinstance(new, Vxlan) and isinstance(old, Vxlan):
        default_entry(net, ns, fresh, old.remote)
    if isinstance(new, Ipvlan) and link.lower is not None:
        same_port(net, net.spaces[link.lower[0]], fresh, new)


def close_port(net: Net, ns: Netns, old: Link, fresh: Link) -> None:
    """A WireGuard device that is up changes its port: the socket moves with it."""
    if (
        isinstance(old.info, WireGuard)
        and isinstance(fresh.info, WireGuard)
        and old.info.port != fresh.info.port
    ):
        sessions = dict(ns.wg_sessions)
        close_sockets(net, ns, old)
        ns.wg_sessions.update(sessions)
        open_sockets(net, ns, fresh)


def check_change(old: LinkInfo, new: LinkInfo) -> None:
    """What each kind refuses to change."""
    if isinstance(old, Vxlan) and isinstance(new, Vxlan):
        for word, before, after in (
            ("VNI", old.vni, new.vni), ("port number", old.port, new.port),
            ("port range", (old.port_low, old.port_high), (new.port_low, new.port_high)),
            ("UDP_CSUM flag", old.udpcsum, new.udpcsum), ("COLLECT_METADATA flag", old.external, new.external),
        ):  # fmt: skip
            if before != after:
                raise OpError("EOPNOTSUPP", f"Error: Cannot change {word}.")
    if isinstance(old, Macvlan) and isinstance(new, Macvlan) and passthru(old) != passthru(new):
        raise OpError("EINVAL", INVALID)
    geneve = isinstance(old, Geneve) and isinstance(new, Geneve)
    if geneve and any(getattr(old, key) != getattr(new, key) for key in ("vni", "port", "external")):
        raise OpError("EOPNOTSUPP", "RTNETLINK answers: Operation not supported")
    if isinstance(old, Ipip) and isinstance(new, Ipip) and old.fallback:
        raise OpError("EINVAL", INVALID)


def ensure_fallback(net: Net, box: str) -> bool:
    """Load ipip: tunl0 in every namespace of the machine. True when it was loaded just now."""
    machine = net.boxes[box]
    if "ipip" in machine.modules:
        return False
    machine.modules.add("ipip")
    for ns in net.spaces.values():
        if ns.box == box:
            add_fallback(ns)
    return True


def add_fallback(ns: Netns) -> None:
    """The device tunl0 that the module makes."""
    if "tunl0" in ns.names:
        return
    put(ns, Link(
        ifindex=new_index(ns), name="tunl0", kind="ipip", mtu=1480, lower=(ns.id, 0),
        info=Ipip(pmtudisc=False, fallback=True),
    ))  # fmt: skip


@handles(LoadModule)
def _load_module(net: Net, op: LoadModule) -> None:
    if op.module == "ipip":
        ensure_fallback(net, op.box)
    else:
        net.boxes[op.box].modules.add(op.module)

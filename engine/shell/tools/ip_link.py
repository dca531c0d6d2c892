"""`ip link add|set|delete|show`. Source: iproute2 6.1 ip/iplink.c, ip/link_veth.c, ip/iplink_bridge*.c.

Kinds with settings of their own are read in ip_link_kinds.py.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.ops.link import valid_name
from engine.linux.text.route import plain_number
from engine.record import dataclass
from engine.shell.tool import Fail
from engine.shell.tools import ip_addr, ip_usage
from engine.shell.tools import ip_link_kinds as kinds
from engine.shell.tools.ip_args import (
    USAGE,
    Ip,
    Words,
    duplicate,
    garbage,
    invarg,
    lladdr,
    matches,
    no_device,
    number,
    on_off,
)
from engine.shell.tools.ip_kind_usage import KIND_USAGE

NO_DEV = 'Not enough information: "dev" argument is required.'
#: words of `ip link` that are real and not modelled: (word, may be abbreviated)
REFUSED = (
    ("broadcast", True), ("brd", False), ("xdp", False), ("xdpgeneric", False),
    ("xdpdrv", False), ("xdpoffload", False), ("multicast", False), ("allmulticast", False), ("trailers", False),
    ("arp", False), ("carrier", False), ("vf", False), ("vrf", False), ("dynamic", True), ("alias", True),
    ("group", False), ("mode", False), ("state", False), ("numtxqueues", True), ("numrxqueues", True),
    ("addrgenmode", True), ("link-netns", True), ("link-netnsid", True), ("protodown", False),
    ("protodown_reason", False), ("gso_max_size", False), ("gso_max_segs", False), ("gro_max_size", False),
    ("parentdev", False),
)  # fmt: skip
BRIDGE_REFUSED = (
    "forward_delay", "hello_time", "max_age", "priority", "vlan_filtering", "vlan_protocol", "group_fwd_mask",
    "group_address", "no_linklocal_learn", "fdb_flush", "vlan_default_pvid", "vlan_stats_enabled",
    "vlan_stats_per_port", "mcast_router", "mcast_snooping", "mcast_vlan_snooping", "mcast_query_use_ifaddr",
    "mcast_querier", "mcast_hash_elasticity", "mcast_hash_max", "mcast_last_member_count",
    "mcast_startup_query_count", "mcast_last_member_interval", "mcast_membership_interval", "mcast_querier_interval",
    "mcast_query_interval", "mcast_query_response_interval", "mcast_startup_query_interval", "mcast_stats_enabled",
    "mcast_igmp_version", "mcast_mld_version", "nf_call_iptables", "nf_call_ip6tables", "nf_call_arptables",
)  # fmt: skip
SLAVE_REFUSED = (
    "fdb_flush", "state", "priority", "cost", "guard", "root_block", "fastleave",
    "mcast_to_unicast", "proxy_arp", "proxy_arp_wifi", "mcast_router", "mcast_fast_leave",
    "group_fwd_mask", "vlan_tunnel", "locked", "backup_port", "nobackup_port",
)  # fmt: skip


@dataclass(slots=True)
class Asked:
    """What the words of one `ip link add|set|delete` ask for. `dev` is the device meant, `name` a name to give."""

    dev: str = ""
    name: str = ""
    up: bool | None = None
    mac: int | None = None
    mtu: int | None = None
    netns: str | None = None
    master: str | None = None
    promisc: bool | None = None
    txqlen: int | None = None
    type: str = ""
    link: str = ""
    index: int = 0


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return ip_addr.show(ip, Words([]), link=True)
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return add(ip, rest)
    if matches(word, "set") or matches(word, "change"):
        return set_link(ip, rest)
    if matches(word, "replace"):
        raise NotModelled("ip link replace")
    if matches(word, "delete"):
        return delete(ip, rest)
    if matches(word, "show") or matches(word, "lst") or matches(word, "list"):
        return ip_addr.show(ip, rest, link=True)
    for other in ("xstats", "afstats", "property"):
        if matches(word, other):
            raise NotModelled(f"ip link {other}")
    if matches(word, "help"):
        known = {"veth": "veth", "bridge": "type bridge"}
        if rest.more and rest.now in known:
            ip.lines.append(ip_usage.USAGE[known[rest.now]].rstrip("\n"))
            return None
        if rest.more and rest.now in KIND_USAGE and rest.now in kinds.KINDS:
            ip.lines.append(KIND_USAGE[rest.now].rstrip("\n"))
            return None
        raise ip_usage.usage("link")
    raise Fail(f'Command "{word}" is unknown, try "ip link help".', USAGE)


def find_netns(ip: Ip, word: str) -> str:
    """`netns NAME` or `netns PID` -> id of the namespace in the Net."""
    box = ip.net.boxes[ip.ns.box]
    if word in box.netns_names:
        return box.netns_names[word]
    pid = plain_number(word)
    if pid is None:
        raise invarg('Invalid "netns" value\n', word)
    proc = box.procs.get(pid)
    if proc is None:
        raise Fail("RTNETLINK answers: No such process", 2)
    return proc.netns


def read(ip: Ip, words: Words) -> Asked:
    """`iplink_parse`: the words up to `type KIND` or the end."""
    got = Asked()
    while words.more:
        word = words.take()
        if word in ("up", "down"):
            got.up = word == "up"
        elif word == "name":
            value = words.value()
            if got.name:
                raise duplicate("name", value)
            if not valid_name(value):
                raise invarg('"name" not a valid ifname', value)
            got.name = value
            got.dev = got.dev or value
        elif matches(word, "address"):
            got.mac = lladdr(words.value())
        elif matches(word, "txqueuelen") or word == "qlen" or matches(word, "txqlen"):
            value = words.value()
            if got.txqlen is not None:
                raise duplicate("txqueuelen", value)
            got.txqlen = number(value, 'Invalid "txqueuelen" value\n')
        elif word == "mtu":
            value = words.value()
            if got.mtu is not None:
                raise duplicate("mtu", value)
            got.mtu = number(value, 'Invalid "mtu" value\n', 0x7FFFFFFF)
        elif word == "netns":
            value = words.value()
            if got.netns is not None:
                raise duplicate("netns", value)
            got.netns = find_netns(ip, value)
        elif matches(word, "link"):
            got.link = words.value()
        elif word == "index":
            value = words.value()
            got.index = number(value, 'Invalid "index" value', 0x7FFFFFFF)
            if not got.index:
                raise invarg('Invalid "index" value', value)
        elif word == "promisc":
            got.promisc = on_off("promisc", words.value())
        elif matches(word, "master"):
            value = words.value()
            if ip.ns.link(value) is None:
                raise invarg("Device does not exist\n", value)
            got.master = value
        elif matches(word, "nomaster"):
            got.master = ""
        elif matches(word, "type"):
            got.type = words.value()
            break
        else:
            refused = next((k for k, short in REFUSED if (matches(word, k) if short else word == k)), "")
            if refused:
                raise NotModelled(f"{refused} in ip link")
            if matches(word, "help"):
                raise ip_usage.usage("link")
            if word == "dev":
                word = words.value()
            if got.dev != got.name:
                raise garbage("dev", word)
            got.dev = word
    return got


def no_garbage(words: Words) -> None:
    """What comes after a type that takes no options."""
    if words.more:
        if matches(words.now, "help"):
            raise ip_usage.usage("link")
        raise Fail(f'Garbage instead of arguments "{words.now} ...". Try "ip link help".', 1)


def new_name(asked: Asked) -> str:
    name = asked.name or asked.dev
    if asked.name and asked.dev and asked.name != asked.dev:
        raise Fail('both "name" and "dev" cannot be used when creating devices.', USAGE)
    return name


def free_name(ip: Ip, netns: str, stem: str) -> str:
    """What the kernel makes of `veth%d`."""
    names = ip.net.spaces[netns].names
    return next(f"{stem}{n}" for n in range(len(names) + 1) if f"{stem}{n}" not in names)


def add(ip: Ip, words: Words) -> None:
    asked = read(ip, words)
    name = new_name(asked)
    if not asked.type:
        raise Fail('Not enough information: "type" argument is required', 1)
    if name and not valid_name(name):
        raise invarg('"dev" not a valid ifname', name)
    here = asked.netns or ip.ns.id
    if asked.index:
        raise NotModelled("index in ip link")
    if asked.type in kinds.KINDS:
        return add_kind(ip, asked, name, here, words)
    if asked.link:
        raise NotModelled(f"link in ip link add type {asked.type}")
    if asked.type == "veth":
        return add_veth(ip, asked, name, here, words)
    if asked.type == "bridge":
        ageing = bridge_options(words)
    elif asked.type in ("dummy", "ifb"):
        no_garbage(words)
        ageing = None
    elif asked.type == "tun":
        no_garbage(words)
        raise Fail("Error: tun/tap creation via rtnetlink is not supported.", 2)
    elif asked.type in ip_addr.OTHER_KINDS or asked.type.endswith("_slave"):
        raise NotModelled(f"a device of type {asked.type}")
    else:
        no_garbage(words)
        raise Fail("Error: Unknown device type.", 2)
    name = name or free_name(ip, here, asked.type)
    txqlen = 32 if asked.type == "ifb" else 1000
    ip.do(
        ops.AddLink(
            netns=here, name=name, kind=asked.type, mac=asked.mac or 0, mtu=asked.mtu or 1500, txqlen=txqlen
        )
    )
    after(ip, here, name, asked)
    if ageing is not None:
        ip.do(ops.SetLink(netns=here, name=name, ageing=ageing))
    return None


def add_kind(ip: Ip, asked: Asked, name: str, here: str, words: Words) -> None:
    """A device with settings of its own kind."""
    if asked.link and ip.ns.link(asked.link) is None:
        raise no_device(asked.link)
    kind = kinds.read_kind(ip, asked.type, words)
    if kind.warn:
        ip.warnings.append(kind.warn)
    stem = "tunl" if asked.type == "ipip" else "wg" if asked.type == "wireguard" else asked.type
    name = name or free_name(ip, here, stem)
    loaded = "ipip" in ip.net.boxes[ip.ns.box].modules
    lower = kind.lower
    if asked.type in ("macvlan", "ipvlan"):
        lower = asked.link
    if asked.type == "ipip" and not loaded:
        # The module comes with the first device of its kind, and brings tunl0 everywhere.
        ip.do(ops.LoadModule(box=ip.ns.box, module="ipip"))
    ip.do(
        ops.AddDevice(
            netns=here,
            name=name,
            info=kind.info,
            lower=lower,
            home=ip.ns.id,
            mac=asked.mac or 0,
            mtu=asked.mtu or 0,
        )
    )
    after(ip, here, name, asked)


def add_veth(ip: Ip, asked: Asked, name: str, here: str, words: Words) -> None:
    peer = Asked()
    if words.more:
        if words.take() != "peer":
            raise Fail(ip_usage.USAGE["veth"].rstrip("\n"), 1)
        peer = read(ip, words)
        if peer.type:
            raise duplicate("type", peer.type)
        peer.name = new_name(peer)
        if peer.name and not valid_name(peer.name):
            raise invarg('"dev" not a valid ifname', peer.name)
    there = peer.netns or here
    peer_name = peer.name or free_name(ip, there, "veth")
    if not name:
        taken = peer_name if there == here else ""
        names = {*ip.net.spaces[here].names, taken}
        name = next(f"veth{n}" for n in range(len(names) + 1) if f"veth{n}" not in names)
    ip.do(
        ops.AddVeth(
            netns=here,
            name=name,
            peer_netns=there,
            peer_name=peer_name,
            mac=asked.mac or 0,
            peer_mac=peer.mac or 0,
            mtu=asked.mtu or 1500,
            peer_mtu=peer.mtu or 1500,
        )
    )
    after(ip, there, peer_name, peer)
    after(ip, here, name, asked)


def after(ip: Ip, netns: str, name: str, asked: Asked) -> None:
    """What `ip link add` sets on the device that it just made."""
    if asked.master or asked.up or asked.promisc or asked.txqlen is not None:
        ip.do(
            ops.SetLink(
                netns=netns,
                name=name,
                master=asked.master,
                up=asked.up,
                promisc=asked.promisc,
                txqlen=asked.txqlen,
            )
        )


def bridge_options(words: Words) -> int | None:
    """The options after `type bridge`; the ageing time in seconds when it is given."""
    ageing: int | None = None
    while words.more:
        word = words.take()
        if matches(word, "ageing_time"):
            # In hundredths of a second, as the kernel's clock_t.
            ageing = number(words.value(), "invalid ageing_time") // 100
        elif matches(word, "stp_state"):
            if number(words.value(), "invalid stp_state"):
                raise NotModelled("spanning tree (stp_state 1)")
        elif matches(word, "vlan_filtering"):
            if number(words.value(), "invalid vlan_filtering"):
                raise NotModelled("vlan_filtering 1")
        else:
            refused = next((k for k in BRIDGE_REFUSED if matches(word, k)), "")
            if refused:
                raise NotModelled(f"{refused} of a bridge")
            raise Fail(f'bridge: unknown command "{word}"?\n' + ip_usage.USAGE["type bridge"].rstrip("\n"), 1)
    return ageing


SLAVE_FLAGS = ("hairpin", "learning", "flood", "isolated", "mcast_flood", "bcast_flood", "neigh_suppress")


def slave_options(words: Words) -> dict[str, bool]:
    """The options after `type bridge_slave`."""
    got: dict[str, bool] = {}
    while words.more:
        word = words.take()
        key = next((k for k in SLAVE_FLAGS if matches(word, k)), "")
        if key:
            value = words.value()
            if value not in ("on", "off"):
                raise invarg(f'should be "on" or "off"\n', value)  # noqa: F541
            got[key] = value == "on"
            continue
        refused = next((k for k in SLAVE_REFUSED if matches(word, k)), "")
        if refused:
            raise NotModelled(f"{refused} of a bridge port")
        head = "" if matches(word, "help") else f'bridge_slave: unknown option "{word}"?\n'
        raise Fail(head + ip_usage.USAGE["bridge_slave"].rstrip("\n"), 1)
    return got


def set_link(ip: Ip, words: Words) -> None:
    asked = read(ip, words)
    if not asked.dev:
        raise Fail(NO_DEV, USAGE)
    link = ip.ns.link(asked.dev)
    if link is None:
        raise no_device(asked.dev)
    new = asked.name if asked.name and asked.name != asked.dev else None
    flags: dict[str, bool] = {}
    ageing: int | None = None
    if asked.type == "bridge_slave":
        flags = slave_options(words)
    elif asked.type == "bridge":
        ageing = bridge_options(words)
    elif asked.type in kinds.KINDS:
        if asked.type != link.kind:
            raise Fail("RTNETLINK answers: Operation not supported", 2)
        changed = kinds.read_kind(ip, asked.type, words, link.info)
        if changed.lower:
            raise NotModelled(f"dev in ip link set type {asked.type}")
        ip.do(ops.SetDevice(netns=ip.ns.id, name=link.name, info=changed.info))
    elif asked.type:
        no_garbage(words)
        if asked.type != link.kind:
            raise NotModelled(f"ip link set type {asked.type}")
    if asked.link or asked.index:
        raise NotModelled("link or index in ip link set")
    ip.do(
        ops.SetLink(
            netns=ip.ns.id,
            name=asked.dev,
            up=asked.up,
            mtu=asked.mtu,
            mac=asked.mac,
            master=asked.master,
            new_name=new,
            netns_to=asked.netns,
            promisc=asked.promisc,
            txqlen=asked.txqlen,
            ageing=ageing,
            **flags,
        )
    )


def delete(ip: Ip, words: Words) -> None:
    asked = read(ip, words)
    if not asked.dev:
        raise Fail(NO_DEV, USAGE)
    link = ip.ns.link(asked.dev)
    if link is None:
        raise no_device(asked.dev)
    if asked.type:
        no_garbage(words)
    ip.do(ops.DelLink(netns=ip.ns.id, name=asked.dev))

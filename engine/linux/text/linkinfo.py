"""What `ip -d link` says of a device's kind, and back: one writer and one reader for both ways.

Rules. `details` gives the tail of the second line, the line of the kind, the line of the bridge port, and the fields
that every device has, in the tool's order and with its odd spaces. Fields that the model has no row for have the value
that a fresh device has (queues, GSO sizes). `parse` reads the kind's line into the record; a word that it does not know
is NotModelled. Sources: iproute2 6.1 ip/iplink_{vxlan,geneve,macvlan,ipvlan,bridge,bridge_slave}.c, ip/link_iptnl.c,
ip/iptuntap.c; captured in tests/golden/iproute/devices.txt and tests/golden/second/links.txt.
"""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, NotModelled, Problem
from engine.linux.addr import ip4, mac_text, text4
from engine.linux.linkinfo import (
    DF_MODES,
    Geneve,
    Ipip,
    Ipvlan,
    LinkInfo,
    Macvlan,
    Tun,
    Vxlan,
    WireGuard,
)
from engine.linux.net import Net, Netns
from engine.linux.rows import Link
from engine.linux.status import lower_of, port_live
from engine.say import Phrase

NOT_A_KIND = Phrase(
    en="{found!r} is not what ip -d link prints of a device's kind",
    ko="{found!r}은(는) ip -d link가 출력하는 장치 종류의 설명이 아닙니다",
)
#: (key in JSON, word in text, value): bridge timers and options that a bridge of ours always has
BRIDGE_FIXED: tuple[tuple[str, str, Any], ...] = (
    ("group_fwd_mask", "group_fwd_mask", "0"), ("group_addr", "group_address", "01:80:c2:00:00:00"),
    ("mcast_snooping", "mcast_snooping", 1), ("no_linklocal_learn", "no_linklocal_learn", 0),
    ("mcast_vlan_snooping", "mcast_vlan_snooping", 0), ("mcast_router", "mcast_router", 1),
    ("mcast_query_use_ifaddr", "mcast_query_use_ifaddr", 0), ("mcast_querier", "mcast_querier", 0),
    ("mcast_hash_elasticity", "mcast_hash_elasticity", 16), ("mcast_hash_max", "mcast_hash_max", 4096),
    ("mcast_last_member_cnt", "mcast_last_member_count", 2),
    ("mcast_startup_query_cnt", "mcast_startup_query_count", 2),
    ("mcast_last_member_intvl", "mcast_last_member_interval", 100),
    ("mcast_membership_intvl", "mcast_membership_interval", 26000),
    ("mcast_querier_intvl", "mcast_querier_interval", 25500), ("mcast_query_intvl", "mcast_query_interval", 12500),
    ("mcast_query_response_intvl", "mcast_query_response_interval", 1000),
    ("mcast_startup_query_intvl", "mcast_startup_query_interval", 3124),
    ("mcast_stats_enabled", "mcast_stats_enabled", 0), ("mcast_igmp_version", "mcast_igmp_version", 2),
    ("mcast_mld_version", "mcast_mld_version", 1), ("nf_call_iptables", "nf_call_iptables", 0),
    ("nf_call_ip6tables", "nf_call_ip6tables", 0), ("nf_call_arptables", "nf_call_arptables", 0),
)  # fmt: skip

Pairs = list[tuple[str, str, Any]]


def on(value: bool) -> str:
    return "on" if value else "off"


def lower_word(net: Net, ns: Netns, link: Link) -> str:
    """The name of the device below, `if3` when it is elsewhere, "" for none."""
    if link.lower is None or not link.lower[1]:
        return ""
    below = lower_of(net, link)
    return below[1].name if below is not None and below[0].id == ns.id else f"if{link.lower[1]}"


def tos_word(tos: int) -> str:
    return "inherit" if tos == 1 else f"{tos:#x}"


def info_text(net: Net, ns: Netns, link: Link) -> str:
    """The words after the kind's own name, as `ip -d link` prints them."""
    info = link.info
    if isinstance(info, Vxlan):
        return vxlan_text(info, lower_word(net, ns, link))
    if isinstance(info, Geneve):
        return geneve_text(info)
    if isinstance(info, Ipip):
        return ipip_text(info, lower_word(net, ns, link))
    if isinstance(info, Macvlan):
        return f"mode {info.mode} bcqueuelen 1000 usedbcqueuelen 1000 "
    if isinstance(info, Ipvlan):
        return f" mode {info.mode} {info.flag} "
    if isinstance(info, Tun):
        head = f"type {info.mode} pi {on(info.pi)} vnet_hdr off persist {on(info.persist)} "
        user = f"user {owner(info.user)} " if info.user >= 0 else ""
        return head + user + (f"group {owner(info.group)} " if info.group >= 0 else "")
    return ""


def owner(number: int) -> str:
    return "root" if number == 0 else str(number)


def vxlan_text(info: Vxlan, lower: str) -> str:
    out = "external " if info.external else ""
    out += f"id {info.vni} "
    if info.remote:
        out += f"{'group' if info.remote >> 28 == 0xE else 'remote'} {text4(info.remote)} "
    out += f"local {text4(info.local)} " if info.local else ""
    out += f"dev {lower} " if lower else ""
    out += f"srcport {info.port_low} {info.port_high} dstport {info.port} "
    out += "" if info.learning else "nolearning "
    out += "proxy " if info.proxy else ""
    out += "l2miss " if info.l2miss else ""
    out += "l3miss " if info.l3miss else ""
    out += f"tos {tos_word(info.tos)} " if info.tos else ""
    out += f"ttl {'inherit' if info.ttl_inherit else info.ttl or 'auto'} "
    out += f"df {info.df} " if info.df != "unset" else ""
    out += f"ageing {info.ageing} " if info.ageing else "ageing none "
    return out + ("udpcsum" if info.udpcsum else "noudpcsum") + " noudp6zerocsumtx noudp6zerocsumrx "


def geneve_text(info: Geneve) -> str:
    out = "external " if info.external else f"id {info.vni} "
    out += f"remote {text4(info.remote)} " if info.remote else ""
    out += f"ttl {'inherit' if info.ttl_inherit else info.ttl or 'auto'} "
    out += f"tos {tos_word(info.tos)} " if info.tos else ""
    out += f"df {info.df} " if info.df != "unset" else ""
    return out + f"dstport {info.port} " + ("udpcsum" if info.udpcsum else "noudpcsum") + " udp6zerocsumrx "


def ipip_text(info: Ipip, lower: str) -> str:
    out = "external any " if info.external else "any "
    out += f"remote {text4(info.remote) if info.remote else 'any'} local {text4(info.local) if info.local else 'any'} "
    out += f"dev {lower} " if lower else ""
    out += f"ttl {info.ttl or 'inherit'} "
    out += f"tos {tos_word(info.tos)} " if info.tos else ""
    return out + ("pmtudisc " if info.pmtudisc else "nopmtudisc ")


def info_json(net: Net, ns: Netns, link: Link) -> dict[str, Any]:
    """`info_data` of `ip -j -d link`."""
    info = link.info
    lower = lower_word(net, ns, link)
    if isinstance(info, Vxlan):
        out: dict[str, Any] = {"external": True} if info.external else {}
        out["id"] = info.vni
        if info.remote:
            out["group" if info.remote >> 28 == 0xE else "remote"] = text4(info.remote)
        if info.local:
            out["local"] = text4(info.local)
        if lower:
            out["link"] = lower
        out["port_range"] = {"low": info.port_low, "high": info.port_high}
        out["port"], out["learning"] = info.port, info.learning
        for key in ("proxy", "l2miss", "l3miss"):
            if getattr(info, key):
                out[key] = True
        if info.tos:
            out["tos"] = f"{info.tos:#x}"
        if not info.ttl_inherit:
            out["ttl"] = info.ttl
        out["df"], out["ageing"] = info.df, info.ageing
        return out | {"udp_csum": info.udpcsum, "udp_zero_csum6_tx": False, "udp_zero_csum6_rx": False}
    if isinstance(info, Macvlan):
        return {"mode": info.mode, "bcqueuelen": 1000, "usedbcqueuelen": 1000}
    if isinstance(info, Ipvlan):
        return {"mode": info.mode, "mode_flag": info.flag}
    if isinstance(info, Tun):
        out = {
            "type": info.mode,
            "pi": info.pi,
            "vnet_hdr": False,
            "multi_queue": False,
            "persist": info.persist,
        }
        out |= {"user": owner(info.user)} if info.user >= 0 else {}
        return out | ({"group": owner(info.group)} if info.group >= 0 else {})
    if info is None or isinstance(info, WireGuard):
        return {}
    raise NotModelled(f"ip -j -d link of a device of type {link.kind}")


# -- the fields of every device -------------------------------------------------------------------------------


def limits(link: Link) -> tuple[int, int]:
    """(smallest, largest MTU) as the kernel tells them; 0 0 = it does not say."""
    if link.kind in ("loopback", "dummy", "ifb", "ipip"):
        return 0, 0
    if link.kind == "geneve":
        return 68, 65485
    if isinstance(link.info, Tun) and link.info.mode == "tap":
        return 68, 65521
    if link.kind == "wireguard":
        return 0, 2147483552
    return 68, 65535


def sizes(net: Net, ns: Netns, link: Link) -> tuple[int, int, int]:
    """(transmit queues, receive queues, largest TSO frame); a bridge has the smallest of its ports'."""
    if link.kind == "veth":
        return 2, 2, 524280
    if link.kind in ("loopback", "macvlan", "ipvlan", "ifb"):
        return 1, 1, 524280
    if link.kind == "vxlan" and link.lower is not None and link.lower[1]:
        below = lower_of(net, link)
        return 1, 1, sizes(net, *below)[2] if below is not None else 65536
    if link.kind == "bridge":
        return 1, 1, min((sizes(net, ns, port)[2] for port in ns.ports(link.ifindex)), default=65536)
    return 1, 1, 65536


def promiscuity(net: Net, ns: Netns, link: Link) -> tuple[int, int]:
    """(promiscuity, allmulti): a bridge makes its ports hear everything, passthru its lower device."""
    count = int(link.promisc) + int(bool(link.master))
    for id, index in ns.uppers.get(link.ifindex, ()):
        info = net.spaces[id].links[index].info
        count += int(isinstance(info, Macvlan) and info.mode == "passthru")
    return count, int(bool(link.master))


def common_text(net: Net, ns: Netns, link: Link) -> str:
    """What follows the kind's line without a break."""
    tx, rx, tso = sizes(net, ns, link)
    modes = "" if isinstance(link.info, Ipip) and link.info.fallback else "addrgenmode eui64 "
    return (
        f"{modes}numtxqueues {tx} numrxqueues {rx} gso_max_size 65536 gso_max_segs 65535 tso_max_size {tso} "
        "tso_max_segs 65535 gro_max_size 65536 "
    )


def bridge_id(mac: int) -> str:
    """`8000.4e:41:7:ba:8:a1`: bytes without a leading zero, as the tool prints them."""
    return "8000." + ":".join(f"{byte:x}" for byte in mac.to_bytes(6, "big"))


def bridge_pairs(net: Net, ns: Netns, link: Link) -> Pairs:
    name = bridge_id(link.mac if link.selected else 0)
    head: Pairs = [
        ("forward_delay", "forward_delay", 1500), ("hello_time", "hello_time", 200), ("max_age", "max_age", 2000),
        ("ageing_time", "ageing_time", link.ageing * 100), ("stp_state", "stp_state", 0),
        ("priority", "priority", 32768), ("vlan_filtering", "vlan_filtering", 0), ("bridge_id", "bridge_id", name),
        ("root_id", "designated_root", name), ("root_port", "root_port", 0), ("root_path_cost", "root_path_cost", 0),
        ("topology_change", "topology_change", 0), ("topology_change_detected", "topology_change_detected", 0),
        ("hello_timer", "hello_timer", 0.0), ("tcn_timer", "tcn_timer", 0.0),
        ("topology_change_timer", "topology_change_timer", 0.0), ("gc_timer", "gc_timer", 0.0),
    ]  # fmt: skip
    return [*head, *BRIDGE_FIXED]


def timer(value: float) -> str:
    return f"{value:7.2f}"


def port_cost(net: Net, link: Link) -> int:
    """A port's cost by its speed: 10 Gbit/s costs 2, an unknown speed 100 (br_if.c port_cost)."""
    if link.kind == "vxlan":
        below = lower_of(net, link)
        return port_cost(net, below[1]) if below is not None else 100
    return 100 if link.kind in ("tun", "geneve", "dummy", "ifb") else 2


def port_number(net: Net, ns: Netns, link: Link) -> int:
    """The number that the bridge gave the port: its place among them."""
    return [port.ifindex for port in ns.ports(link.master)].index(link.ifindex) + 1


def port_pairs(net: Net, ns: Netns, link: Link) -> Pairs:
    bridge = ns.links[link.master]
    name, number = bridge_id(bridge.mac), port_number(net, ns, link)
    live = port_live(net, ns, bridge, link)
    return [
        ("state", "state", "forwarding" if live else "disabled"), ("priority", "priority", 32),
        ("cost", "cost", port_cost(net, link)), ("hairpin", "hairpin", link.hairpin), ("guard", "guard", False),
        ("root_block", "root_block", False), ("fastleave", "fastleave", False), ("learning", "learning", link.learning),
        ("flood", "flood", link.flood), ("id", "port_id", f"{0x8000 + number:#x}"), ("no", "port_no", f"{number:#x}"),
        ("designated_port", "designated_port", 0x8000 + number), ("designated_cost", "designated_cost", 0),
        ("bridge_id", "designated_bridge", name), ("root_id", "designated_root", name),
        ("hold_timer", "hold_timer", 0.0), ("message_age_timer", "message_age_timer", 0.0),
        ("forward_delay_timer", "forward_delay_timer", 0.0), ("topology_change_ack", "topology_change_ack", 0),
        ("config_pending", "config_pending", 0), ("proxy_arp", "proxy_arp", False),
        ("proxy_arp_wifi", "proxy_arp_wifi", False), ("multicast_router", "mcast_router", 1),
        ("mcast_flood", "mcast_fast_leave", False), ("mcast_flood", "mcast_flood", link.mcast_flood),
        ("bcast_flood", "bcast_flood", link.bcast_flood), ("mcast_to_unicast", "mcast_to_unicast", False),
        ("neigh_suppress", "neigh_suppress", link.neigh_suppress), ("group_fwd_mask", "group_fwd_mask", "0"),
        ("group_fwd_mask_str", "group_fwd_mask_str", "0x0"), ("vlan_tunnel", "vlan_tunnel", False),
        ("isolated", "isolated", link.isolated), ("locked", "locked", False),
    ]  # fmt: skip


def pair_words(pairs: Pairs) -> str:
    def shown(value: Any) -> str:
        return (
            on(value) if isinstance(value, bool) else timer(value) if isinstance(value, float) else str(value)
        )

    return "".join(f"{word} {shown(value)} " for _, word, value in pairs)


def details(net: Net, ns: Netns, link: Link, lead: str = "\n    ") -> str:
    """What `ip -d link` adds after the hardware address; `lead` begins each further line (`\\    ` with -o)."""
    count, multi = promiscuity(net, ns, link)
    low, high = limits(link)
    out = f" promiscuity {count}  allmulti {multi} minmtu {low} maxmtu {high} "
    if link.kind == "bridge":
        out += f"{lead}bridge {pair_words(bridge_pairs(net, ns, link))}"
    elif link.kind not in ("loopback", "physical"):
        out += f"{lead}{link.kind} {info_text(net, ns, link)}"
    if link.master:
        out += f"{lead}bridge_slave {pair_words(port_pairs(net, ns, link))}"
    return out + common_text(net, ns, link)


def details_json(net: Net, ns: Netns, link: Link) -> dict[str, Any]:
    """The fields that `ip -j -d link` adds."""
    count, multi = promiscuity(net, ns, link)
    low, high = limits(link)
    tx, rx, tso = sizes(net, ns, link)
    out: dict[str, Any] = {"promiscuity": count, "allmulti": multi, "min_mtu": low, "max_mtu": high}
    kind: dict[str, Any] = {}
    if link.kind not in ("loopback", "physical"):
        kind["info_kind"] = link.kind
        data = (
            {key: value for key, _, value in bridge_pairs(net, ns, link)}
            if link.kind == "bridge"
            else info_json(net, ns, link)
        )
        if data:
            kind["info_data"] = data
    if link.master:
        kind["info_slave_kind"] = "bridge"
        kind["info_slave_data"] = {key: value for key, _, value in port_pairs(net, ns, link)}
    if kind:
        out["linkinfo"] = kind
    if not (isinstance(link.info, Ipip) and link.info.fallback):
        out["inet6_addr_gen_mode"] = "eui64"
    out |= {"num_tx_queues": tx, "num_rx_queues": rx, "gso_max_size": 65536, "gso_max_segs": 65535}
    return out | {"tso_max_size": tso, "tso_max_segs": 65535, "gro_max_size": 65536}


# -- back -----------------------------------------------------------------------------------------------------

#: words that stand alone, and what they set
VXLAN_FLAGS: dict[str, tuple[str, Any]] = {
    "external": ("external", True), "nolearning": ("learning", False), "proxy": ("proxy", True),
    "l2miss": ("l2miss", True), "l3miss": ("l3miss", True), "udpcsum": ("udpcsum", True),
    "noudpcsum": ("udpcsum", False), "udp6zerocsumrx": ("", None), "noudp6zerocsumtx": ("", None),
    "noudp6zerocsumrx": ("", None), "pmtudisc": ("pmtudisc", True), "nopmtudisc": ("pmtudisc", False),
}  # fmt: skip


def parse(text: str, where: str = "") -> tuple[LinkInfo | None, str]:
    """The line of a kind (`vxlan id 1 dev eth0 ...`, up to the fields of every device) -> (record, name of the device
    below). Raises InputError, NotModelled."""
    words = text.split()
    bad = InputError([Problem(where=where, said=NOT_A_KIND(found=text))])
    if not words:
        raise bad
    kind = words.pop(0)
    if "addrgenmode" in words:
        words = words[: words.index("addrgenmode")]
    elif "numtxqueues" in words:
        words = words[: words.index("numtxqueues")]
    try:
        return parse_kind(kind, words)
    except (IndexError, ValueError) as problem:
        raise bad from problem


def parse_kind(kind: str, words: list[str]) -> tuple[LinkInfo | None, str]:
    if kind in ("bridge", "veth", "dummy", "ifb", "wireguard"):
        return (WireGuard() if kind == "wireguard" else None), ""
    if kind == "macvlan":
        return Macvlan(mode=words[1]), ""
    if kind == "ipvlan":
        return Ipvlan(mode=words[1], flag=words[2]), ""
    if kind == "tun":
        pairs = dict(zip(words[::2], words[1::2], strict=True))
        return Tun(
            mode=pairs["type"], pi=pairs["pi"] == "on", persist=pairs["persist"] == "on",
            user=number_of(pairs.get("user", "-1")), group=number_of(pairs.get("group", "-1")),
        ), ""  # fmt: skip
    if kind in ("vxlan", "geneve", "ipip"):
        return parse_tunnel(kind, words)
    raise NotModelled(f"a device of type {kind}")


def number_of(word: str) -> int:
    return 0 if word == "root" else int(word)


def parse_tunnel(kind: str, words: list[str]) -> tuple[LinkInfo, str]:
    got: dict[str, Any] = {}
    lower = ""
    if kind == "ipip":
        words.remove("any")
    while words:
        word = words.pop(0)
        if word in VXLAN_FLAGS:
            key, value = VXLAN_FLAGS[word]
            if key:
                got[key] = value
        elif word in ("remote", "group", "local"):
            address = words.pop(0)
            got["local" if word == "local" else "remote"] = 0 if address == "any" else ip4(address)
        elif word == "dev":
            lower = words.pop(0)
        elif word == "id":
            got["vni"] = int(words.pop(0))
        elif word == "srcport":
            got["port_low"], got["port_high"] = int(words.pop(0)), int(words.pop(0))
        elif word == "dstport":
            got["port"] = int(words.pop(0))
        elif word == "ttl":
            value = words.pop(0)
            if value.isdigit():
                got["ttl"] = int(value)
            elif value == "inherit" and kind != "ipip":
                got["ttl_inherit"] = True
        elif word == "tos":
            value = words.pop(0)
            got["tos"] = 1 if value == "inherit" else int(value, 16)
        elif word == "df" and words[0] in DF_MODES:
            got["df"] = words.pop(0)
        elif word == "ageing":
            value = words.pop(0)
            got["ageing"] = 0 if value == "none" else int(value)
        else:
            raise NotModelled(f"{word} of a device of type {kind}")
    if kind == "vxlan":
        return Vxlan(**got), lower
    return (Geneve(**{"vni": 0, **got}) if kind == "geneve" else Ipip(**got)), lower


def hardware(link: Link) -> str:
    """`link/ether 02:.. brd ff:..`, without the spaces around it."""
    info = link.info
    if isinstance(info, Ipip):
        tail = f"peer {text4(info.remote)}" if info.remote else "brd 0.0.0.0"
        return f"link/ipip {text4(info.local)} {tail}"
    if link.headerless:
        return "link/none "
    kind = "loopback" if link.kind == "loopback" else "ether"
    brd = "00:00:00:00:00:00" if link.kind == "loopback" else "ff:ff:ff:ff:ff:ff"
    return f"link/{kind} {mac_text(link.mac)} brd {brd}"


#: words of a `bridge_slave` line that are fields of the row
PORT_FLAGS = {
    "hairpin": "hairpin", "learning": "learning", "flood": "flood", "isolated": "isolated",
    "mcast_flood": "mcast_flood", "bcast_flood": "bcast_flood", "neigh_suppress": "neigh_suppress",
}  # fmt: skip


def parse_port(text: str, where: str = "") -> dict[str, bool]:
    """The line `bridge_slave state ... hairpin off ...` of `ip -d link` -> fields of Link. Raises InputError."""
    words = text.split()
    got = {field: words[words.index(word) + 1 :][:1] for word, field in PORT_FLAGS.items() if word in words}
    if (
        words[:1] != ["bridge_slave"]
        or len(got) < len(PORT_FLAGS)
        or not all(v in (["on"], ["off"]) for v in got.values())
    ):
        raise InputError([Problem(where=where, said=NOT_A_KIND(found=text))])
    return {field: value == ["on"] for field, value in got.items()}

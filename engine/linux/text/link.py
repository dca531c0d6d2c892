"""A link as `ip link` prints it, and back. Source: iproute2 6.1 ip/ipaddress.c (print_linkinfo).

Rules. What a line shows beside the row (state, flags, the peer's name, the namespace's id) is derived in
`status.py` and comes in through the Net. `parse` reads what is a row's own and leaves out what is derived.
"""

from __future__ import annotations

from typing import Any

from engine.errors import InputError, Problem
from engine.linux.addr import mac, mac_text, text4
from engine.linux.linkinfo import Ipip
from engine.linux.net import Net, Netns
from engine.linux.rows import Link
from engine.linux.status import flags, iflink, lower_of, operstate, peer_of
from engine.linux.text.linkinfo import hardware
from engine.record import dataclass
from engine.say import Phrase

NOT_A_LINK = Phrase(
    en="{found!r} is not a link as ip link prints it",
    ko="{found!r}은(는) ip link가 출력하는 장치 형식이 아닙니다",
)


def shown_name(net: Net, ns: Netns, link: Link) -> str:
    """`eth0@if5` for a device whose other end is elsewhere, `veth0@veth1` with it here, `tunl0@NONE` for a tunnel bound
    to no device, the bare name for the rest."""
    other = iflink(ns, link)
    if other is None:
        return link.name
    if not other:
        return f"{link.name}@NONE"
    far = other_end(net, link)
    if far is not None and far[0].id == ns.id:
        return f"{link.name}@{far[1].name}"
    return f"{link.name}@if{other}"


def other_end(net: Net, link: Link) -> tuple[Netns, Link] | None:
    """The device that stands behind the @."""
    return peer_of(net, link) if link.kind == "veth" else lower_of(net, link)


def link_type(link: Link) -> str:
    if link.headerless:
        return "ipip" if link.kind == "ipip" else "none"
    return "loopback" if link.kind == "loopback" else "ether"


def broadcast_mac(link: Link) -> str:
    return "00:00:00:00:00:00" if link.kind == "loopback" else "ff:ff:ff:ff:ff:ff"


def netns_of_peer(net: Net, ns: Netns, link: Link) -> tuple[int, str] | None:
    """(id of the other end's namespace here, its name under /run/netns or ""); None when it is here or none."""
    end = link.peer if link.kind == "veth" else link.lower
    if end is None or end[0] == ns.id or end[0] not in ns.nsids:
        return None
    names = net.boxes[ns.box].netns_names
    return ns.nsids[end[0]], next((n for n, id in reversed(names.items()) if id == end[0]), "")


def head(net: Net, ns: Netns, link: Link, *, mode: bool = True) -> str:
    """The first line of `ip link` (with `mode`) or of `ip addr`; a queue of length 0 is not printed."""
    master = f"master {ns.links[link.master].name} " if link.master else ""
    return (
        f"{link.ifindex}: {shown_name(net, ns, link)}: <{','.join(flags(net, ns, link))}> mtu {link.mtu} "
        f"qdisc {link.qdisc} {master}state {operstate(net, ns, link)} {'mode DEFAULT ' if mode else ''}"
        f"group default {f'qlen {link.txqlen}' if link.txqlen else ''}"
    )


def second(net: Net, ns: Netns, link: Link) -> str:
    """The line with the hardware address."""
    return f"    {hardware(link)}{link_netns(net, ns, link)}"


def link_netns(net: Net, ns: Netns, link: Link) -> str:
    """Where the other end is, when that is another namespace; `ip -4 addr` has it on the first line."""
    where = netns_of_peer(net, ns, link)
    if where is None:
        return ""
    return f" link-netns {where[1]}" if where[1] else f" link-netnsid {where[0]}"


def stats(ns: Netns, link: Link) -> list[str]:
    """The four lines of `ip -s link`: bytes and packets, received and sent."""
    rx_packets, rx_bytes, tx_packets, tx_bytes = ns.link_stats.get(link.ifindex, (0, 0, 0, 0))
    widths = [10, 7, 6, 7, 7, 7]
    for count, place in ((rx_bytes, 0), (tx_bytes, 0), (rx_packets, 1), (tx_packets, 1)):
        widths[place] = max(widths[place], len(str(count)))
    out: list[str] = []
    for word, names, numbers in (
        (
            "RX",
            ("bytes", "packets", "errors", "dropped", "missed", "mcast"),
            (rx_bytes, rx_packets, 0, 0, 0, 0),
        ),
        (
            "TX",
            ("bytes", "packets", "errors", "dropped", "carrier", "collsns"),
            (tx_bytes, tx_packets, 0, 0, 0, 0),
        ),
    ):
        title = " ".join(
            name.rjust(width) for name, width in zip(names, [widths[0] - 4, *widths[1:]], strict=True)
        )
        out.append(f"    {word}: {title} {'':10}")
        row = " ".join(str(number).rjust(width) for number, width in zip(numbers, widths, strict=True))
        out.append(f"    {row} ")
    return out


def to_text(net: Net, ns: Netns, link: Link) -> str:
    """Both lines of `ip link show`."""
    return f"{head(net, ns, link)}\n{second(net, ns, link)}"


def stats_json(ns: Netns, link: Link) -> dict[str, Any]:
    """`stats64` of `ip -j -s link`."""
    rx_packets, rx_bytes, tx_packets, tx_bytes = ns.link_stats.get(link.ifindex, (0, 0, 0, 0))
    return {
        "rx": {
            "bytes": rx_bytes, "packets": rx_packets, "errors": 0, "dropped": 0, "over_errors": 0, "multicast": 0,
        },
        "tx": {
            "bytes": tx_bytes, "packets": tx_packets, "errors": 0, "dropped": 0, "carrier_errors": 0, "collisions": 0,
        },
    }  # fmt: skip


def address_word(link: Link) -> str:
    """The hardware address as text; a device without one has none."""
    if isinstance(link.info, Ipip):
        return text4(link.info.local)
    return "" if link.headerless else mac_text(link.mac)


def brief_head(net: Net, ns: Netns, link: Link) -> str:
    """The columns that `ip -br link` and `ip -br addr` begin with, trailing space included."""
    return f"{shown_name(net, ns, link):<16} {operstate(net, ns, link):<14} "


def to_brief(net: Net, ns: Netns, link: Link) -> str:
    """The line of `ip -br link`, without its trailing space."""
    address = f"{address_word(link)} ".lstrip()
    return f"{brief_head(net, ns, link)}{address}<{','.join(flags(net, ns, link))}>"


def to_json(
    net: Net, ns: Netns, link: Link, *, mode: bool = True, brief: bool = False, lower: bool = True
) -> dict[str, Any]:
    """The object of `ip -j link` (or `addr` with `mode` False); `brief` as with -br; `lower` False leaves out what the
    second line says (`ip -4 addr`)."""
    out: dict[str, Any] = {}
    if not brief:
        out["ifindex"] = link.ifindex
    other = iflink(ns, link)
    if other is not None:
        peer = other_end(net, link)
        if peer is not None and other and peer[0].id == ns.id:
            out["link"] = peer[1].name
        elif other:
            out["link_index"] = other
        else:
            out["link"] = None
    # The tool prints the name after the link's other end in brief form too.
    words = list(flags(net, ns, link))
    if brief:
        return {
            **name_last(out, link),
            "operstate": operstate(net, ns, link),
            **brief_tail(link, words, mode),
        }
    out = name_last(out, link)
    out["flags"] = words
    out["mtu"] = link.mtu
    out["qdisc"] = link.qdisc
    if link.master:
        out["master"] = ns.links[link.master].name
    out["operstate"] = operstate(net, ns, link)
    if mode:
        out["linkmode"] = "DEFAULT"
    out["group"] = "default"
    if link.txqlen:
        out["txqlen"] = link.txqlen
    if not lower:
        return out
    out["link_type"] = link_type(link)
    if isinstance(link.info, Ipip):
        out["address"] = text4(link.info.local)
        out |= (
            {"link_pointtopoint": True, "broadcast": text4(link.info.remote)}
            if link.info.remote
            else {"broadcast": "0.0.0.0"}
        )
    elif not link.headerless:
        out["address"] = mac_text(link.mac)
        out["broadcast"] = broadcast_mac(link)
    where = netns_of_peer(net, ns, link)
    if where is not None:
        out["link_netnsid"] = where[0]
    return out


def name_last(out: dict[str, Any], link: Link) -> dict[str, Any]:
    return {**out, "ifname": link.name}


def brief_tail(link: Link, words: list[str], mode: bool) -> dict[str, Any]:
    return (
        {**({} if link_type(link) == "none" else {"address": address_word(link)}), "flags": words}
        if mode
        else {}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What two lines of `ip link` say: the row's own fields, and the names that need a namespace to be resolved."""

    ifindex: int
    name: str
    other: str
    flags: tuple[str, ...]
    mtu: int
    qdisc: str
    master: str
    state: str
    txqlen: int
    mac: int
    netns: str


def parse(text: str, where: str = "") -> Shown:
    """The two lines of one device in `ip link` (or the first two in `ip addr`) -> Shown. Raises InputError."""
    bad = InputError([Problem(where=where, said=NOT_A_LINK(found=text.split("\n")[0]))])
    lines = text.split("\n")
    parts = lines[0].split(": ", 2)
    if len(lines) < 2 or len(parts) != 3 or not parts[0].strip().isdigit() or not parts[2].startswith("<"):
        raise bad
    name, _, other = parts[1].partition("@")
    words, _, rest = parts[2][1:].partition("> ")
    fields = rest.split()
    got = dict(zip(fields[::2], fields[1::2], strict=False))
    lower = lines[1].split()
    if not lower or not lower[0].startswith("link/") or not {"mtu", "qdisc", "state"} <= got.keys():
        raise bad
    kind = lower[0].removeprefix("link/")
    if len(lower) < 4 and kind != "none":
        raise bad
    tail = dict(zip(lower[4::2], lower[5::2], strict=False)) if kind != "none" else {}
    return Shown(
        ifindex=int(parts[0]), name=name, other=other, flags=tuple(words.split(",")), mtu=int(got["mtu"]),
        qdisc=got["qdisc"], master=got.get("master", ""), state=got["state"], txqlen=int(got.get("qlen", "0")),
        mac=mac(lower[1], where) if kind in ("ether", "loopback") else 0,
        netns=tail.get("link-netns", tail.get("link-netnsid", "")),
    )  # fmt: skip

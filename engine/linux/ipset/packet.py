"""Sets and packets: the element that a rule makes of a packet by its directions, looked up, added or taken out.

Theory. A rule names a direction for each part (`src,dst`); a set with more parts than directions never matches.
Ports are those of TCP, UDP and SCTP, ICMP's are its type and code; a fragment that is not the first has none. A
device is `src` = came in by, `dst` = leaves by; an element with physdev: wants the bridge port. What cannot be made
of the packet does not match. Sources: the *_kadt functions, ip_set_core.c, xt_set.c.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.linux.addr import mask
from engine.linux.ipset.held import IpSets
from engine.linux.ipset.refused import IpsetRefused
from engine.linux.ipset.rows import Beside, Element, Entry
from engine.linux.ipset.sets import IpSet
from engine.linux.packet import Icmp, Sctp, Tcp, Udp
from engine.record import replace

if TYPE_CHECKING:
    from engine.linux.skb import Skb

#: does the entry do (its counters)? Called once for each entry that covers the packet
Accept = Callable[[IpSet, Entry], bool]


def made(one: IpSet, skb: Skb, directions: tuple[str, ...], *, physdev: bool = False) -> Element | None:
    """The packet as an element of a set, or None. With too few directions there is none."""
    kind = one.kind
    if len(directions) < kind.dimension:
        return None
    ip, l4 = skb.packet.ip, skb.packet.l4
    out = Element()
    cut = one.options.bitmask & mask(one.options.netmask)
    for part, way in zip(kind.parts, directions, strict=False):
        address = ip.src if way == "src" else ip.dst
        if part in ("ip", "net"):
            out = replace(out, ip=address & cut)
        elif part in ("ip2", "net2"):
            out = replace(out, ip2=address & cut if kind.name == "hash:net,net" else address)
        elif part == "iface":
            name = (
                (skb.physin if way == "src" else skb.physout)
                if physdev
                else (skb.iif if way == "src" else skb.oif)
            )
            if not name:
                return None
            out = replace(out, iface=name, physdev=physdev)
        else:
            if isinstance(l4, Tcp | Udp | Sctp):
                port = l4.sport if way == "src" else l4.dport
            elif isinstance(l4, Icmp):
                port = l4.type << 8 | l4.code
            elif ip.proto in (1, 6, 17, 132, 136):
                return None
            else:
                port = 0
            out = replace(out, port=port, proto=ip.proto)
    if kind.name in ("hash:ip", "hash:ip,port") and not out.ip:
        return None
    if not kind.is_hash:
        if kind.parts == ("port",):
            if out.proto not in (6, 17):
                return None
            out = Element(port=out.port)
        number = out.port if kind.parts == ("port",) else out.ip
        if not one.options.low <= number <= one.options.high:
            return None
    return out


def test(
    sets: IpSets, name: str, skb: Skb, directions: tuple[str, ...], now: float, accept: Accept, *,
    inverse: bool = False, physdev: bool = False,
) -> bool:  # fmt: skip
    """Is the packet in the set? `inverse` = --return-nomatch: a nomatch element counts as found, others do not."""
    one = sets.sets[name]
    if one.kind.is_list:
        if not directions:
            return False
        for entry in one.listed(now):
            inside = test(
                sets, entry.element.name, skb, directions, now, accept, inverse=inverse, physdev=physdev
            )
            if inside and accept(one, entry):
                return True
        return False
    element = made(one, skb, directions, physdev=physdev)
    if element is None:
        return False
    for entry in one.candidates(element, now):
        if accept(one, entry):
            return entry.beside.nomatch is inverse if one.kind.nomatch else True
    return False


def kept(one: IpSet, element: Element) -> Element:
    """The element as `-j SET` stores it: with the longest prefix that the set holds."""
    first = max(one.prefixes[0], default=32) if one.prefixes else 32
    if one.kind.nets == ("net2",):
        return replace(element, ip2=element.ip2 & mask(first), bits2=first)
    if one.kind.nets:
        element = replace(element, ip=element.ip & mask(first), bits=first)
    if len(one.prefixes) == 2:
        second = max(one.prefixes[1], default=32)
        element = replace(element, ip2=element.ip2 & mask(second), bits2=second)
    return element


def change(
    sets: IpSets, name: str, skb: Skb, directions: tuple[str, ...], now: float, *,
    gone: bool = False, exist: bool = False, timeout: int | None = None,
) -> bool:  # fmt: skip
    """`-j SET --add-set` or --del-set; whether something was stored or taken out."""
    one = sets.sets[name]
    if one.kind.is_list:
        return bool(directions) and any(
            change(sets, e.element.name, skb, directions, now, gone=gone, exist=exist, timeout=timeout)
            for e in one.listed(now)
        )
    element = made(one, skb, directions)
    if element is None:
        return False
    element = kept(one, element)
    if one.kind.name == "hash:net" and not element.bits:
        return False
    found, _ = one.find(element)
    if gone and found is None:
        return False
    if not gone and found is not None and not exist:
        return False
    mine = sets.own(name)
    try:
        if gone:
            mine.delete(element, now)
        else:
            given = Beside(timeout=timeout) if one.options.timeout is not None else Beside()
            if one.options.counters:
                given = replace(given, packets=1, bytes=skb.packet.ip_length())
            mine.add(element, given, now, exist=exist)
    except IpsetRefused:
        return False
    return True

"""What a person asks to add, delete or test, as elements: ranges and prefixes as each type of set takes them.

Rules. One function per shape, with the kernel's order of checks (the *_uadt functions). Errors are IpsetRefused.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.linux.addr import mask
from engine.linux.ipset.kinds import Kind
from engine.linux.ipset.refused import IpsetRefused
from engine.linux.ipset.rows import Asked, Element, Options

ALL = 0xFFFFFFFF
#: protocols whose elements have ports, and ICMP with its type and code
WITH_PORTS = (6, 132, 17, 136)
ICMP = 1


def elements(kind: Kind, o: Options, asked: Asked, *, test: bool = False) -> Iterator[Element]:
    """The elements in the order in which the kernel handles them."""
    if kind.is_list:
        yield Element(name=asked.name)
    elif not kind.is_hash:
        yield from bitmap(kind, o, asked, test=test)
    elif kind.parts[0] == "net":
        yield from nets(kind, o, asked, test=test)
    else:
        yield from hosts(kind, o, asked, test=test)


def bitmap(kind: Kind, o: Options, asked: Asked, *, test: bool) -> Iterator[Element]:
    ports = kind.parts == ("port",)
    low, to = (asked.port, asked.port_to) if ports else (asked.ip, asked.ip_to)
    if not o.low <= low <= o.high:
        raise IpsetRefused("BITMAP_RANGE")
    if not ports and asked.bits is not None and not test:
        if not asked.bits:
            raise IpsetRefused("CIDR")
        low, to = spread(low, asked.bits)
    high = low if to is None or test else to
    if high < low:
        low, high = high, low
        if low < o.low:
            raise IpsetRefused("BITMAP_RANGE")
    if high > o.high:
        raise IpsetRefused("BITMAP_RANGE")
    step = 1 if ports else 1 << (32 - o.netmask)
    at = low
    while at <= high:
        yield Element(port=at) if ports else Element(ip=at & mask(o.netmask))
        at += step


def spread(ip: int, bits: int) -> tuple[int, int]:
    """The first and the last address of a prefix."""
    low = ip & mask(bits)
    return low, low | (ALL >> bits if bits else ALL)


def port_of(asked: Asked) -> tuple[int, bool]:
    """The port that is stored, and whether the protocol has ports at all."""
    if not asked.proto:
        raise IpsetRefused("PROTO")
    ports = asked.proto in WITH_PORTS
    return (asked.port if ports or asked.proto == ICMP else 0), ports


def port_range(asked: Asked, port: int, ports: bool) -> range:
    to = asked.port_to if ports and asked.port_to is not None else port
    return range(min(port, to), max(port, to) + 1)


def hosts(kind: Kind, o: Options, asked: Asked, *, test: bool) -> Iterator[Element]:
    """hash:ip, hash:ip,port, hash:ip,port,ip, hash:ip,port,net."""
    cut = o.bitmask & mask(o.netmask)
    ip = asked.ip & cut
    port, ports, has_port = 0, False, "port" in kind.parts
    net2 = "net2" in kind.parts
    if not has_port and not ip:
        raise IpsetRefused("NULL")
    if kind.name == "hash:ip,port" and not ip:
        raise IpsetRefused("EINVAL")
    bits2 = 32
    if net2 and asked.bits2 is not None:
        if not asked.bits2:
            raise IpsetRefused("CIDR")
        bits2 = asked.bits2
    if has_port:
        port, ports = port_of(asked)
    single = asked.ip_to is None and asked.bits is None and asked.ip2_to is None
    single = single and (asked.port_to is None or (net2 and not ports))
    if test or single:
        ip2 = asked.ip2 & mask(bits2) if net2 else asked.ip2
        yield Element(ip=ip, proto=asked.proto, port=port, ip2=ip2, bits2=bits2)
        return
    low, high = ip, ip
    if asked.ip_to is not None:
        high = asked.ip_to
        if low > high:
            if not high and not has_port:
                raise IpsetRefused("NULL")
            low, high = high, low
    elif asked.bits is not None:
        if not asked.bits:
            raise IpsetRefused("CIDR")
        low, high = spread(ip, asked.bits)
    seconds = list(second_nets(asked, bits2)) if net2 else [(asked.ip2, bits2)]
    step = 1 << (32 - o.netmask) if not has_port else 1
    at = low
    while at <= high:
        for number in port_range(asked, port, ports):
            for ip2, length in seconds:
                yield Element(ip=at, proto=asked.proto, port=number, ip2=ip2, bits2=length)
        at += step


def second_nets(asked: Asked, bits2: int) -> Iterator[tuple[int, int]]:
    """The nets of a third part that is a range, else the one net."""
    if asked.ip2_to is None:
        yield asked.ip2 & mask(bits2), bits2
        return
    low, high = sorted((asked.ip2, asked.ip2_to))
    if (low, high) == (0, ALL):
        raise IpsetRefused("HASH_RANGE")
    yield from prefixes(low, high)


def prefixes(low: int, high: int) -> Iterator[tuple[int, int]]:
    """A range as the fewest prefixes, in order (ip_set_range_to_cidr)."""
    while low <= high:
        bits = 32
        while bits > 1:
            first, last = spread(low, bits - 1)
            if first != low or last > high:
                break
            bits -= 1
        yield low, bits
        low = spread(low, bits)[1] + 1


def nets(kind: Kind, o: Options, asked: Asked, *, test: bool) -> Iterator[Element]:
    """hash:net, hash:net,port, hash:net,iface, hash:net,net."""
    zero = "iface" in kind.parts
    for bits in (asked.bits, asked.bits2):
        if bits == 0 and not zero:
            raise IpsetRefused("CIDR")
    bits = 32 if asked.bits is None else asked.bits
    bits2 = 32 if asked.bits2 is None else asked.bits2
    cut = o.bitmask & mask(o.netmask)
    port, ports = port_of(asked) if "port" in kind.parts else (0, False)

    def made(ip: int, length: int, number: int = port, ip2: int = asked.ip2, length2: int = bits2) -> Element:
        return Element(
            ip=ip, bits=length, proto=asked.proto, port=number, ip2=ip2, bits2=length2, iface=asked.iface,
            physdev=asked.physdev, wildcard=asked.wildcard,
        )  # fmt: skip

    ranged = asked.ip_to is not None or asked.ip2_to is not None or (ports and asked.port_to is not None)
    if test or not ranged:
        yield made(asked.ip & mask(bits) & cut, bits, ip2=asked.ip2 & mask(bits2) & cut)
        return
    if asked.ip_to is not None:
        low, high = sorted((asked.ip, asked.ip_to))
        if (low, high) == (0, ALL):
            raise IpsetRefused("HASH_RANGE")
        firsts = list(prefixes(low, high))
    else:
        firsts = [(asked.ip & mask(bits), bits)]
    seconds = list(second_nets(asked, bits2)) if "net2" in kind.parts else [(asked.ip2, bits2)]
    for ip, length in firsts:
        for number in port_range(asked, port, ports):
            for ip2, length2 in seconds:
                yield made(ip, length, number, ip2, length2)

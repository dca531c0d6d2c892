"""ipset's words read: elements, the options of create and add, numbers and names in them.

Rules. Order and messages of the checks as in lib/parse.c and lib/ipset.c of ipset 7.17. Raises Problem (the tool
refuses), NotModelled (real, but outside the model). Whether a set exists, and what the kernel thinks of it, is for
the op to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.errors import NotModelled
from engine.linux.ipset.kinds import KINDS, OTHERS, Kind, find
from engine.linux.ipset.refused import OTHER, IpsetRefused, Problem, syntax, usage
from engine.linux.ipset.rows import Asked, Beside, Options
from engine.linux.ipset.sets import places, range_bits
from engine.linux.ipset.spell import NAME_MAX, U64_MAX, addresses, host, number, ports, separated, set_name
from engine.record import replace
from engine.say import Phrase

TIMEOUT_MAX = 2147483
NO_IPV6 = Phrase(en="The course uses IPv4 so far.", ko="이 과정은 아직 IPv4만 다룹니다.")
#: old options that are read over
IGNORED = {"probes", "resize", "gc"}


def element(kind: Kind, text: str) -> Asked:
    """The element of add, del or test."""
    pieces = _pieces(kind, text)
    out = Asked(kind=kind.name)
    for part, piece in zip(kind.parts, pieces, strict=True):
        out = _part(kind, out, part, piece)
    return out


def _pieces(kind: Kind, text: str) -> list[str]:
    """The parts between commas, with the tool's words about too few and too many."""
    pieces = [text]
    while (at := separated(pieces[-1], ",")) >= 0:
        last = pieces.pop()
        pieces += [last[:at], last[at + 1 :]]
    if len(pieces) < kind.dimension:
        which = {1: "Second", 2: "Third"}[len(pieces)]
        raise syntax(f"{which} element is missing from {text}.")
    if len(pieces) > kind.dimension:
        if kind.is_list:
            return _old_member(text, pieces)
        if kind.dimension == 1:
            raise syntax(f"Elem separator in {text}, but settype {kind.name} supports none.")
        count, can = {2: ("Two", "one"), 3: ("Three", "two")}[kind.dimension]
        raise syntax(f"{count} elem separators in {text}, but settype {kind.name} supports {can}.")
    return pieces


def _old_member(text: str, pieces: list[str]) -> list[str]:
    if len(pieces) != 3 or pieces[1] not in ("before", "after"):
        raise Problem("you must specify elements as setname,[before|after],setname")
    raise NotModelled(f"ipset with the old form {text}")


def _part(kind: Kind, out: Asked, part: str, piece: str) -> Asked:
    if part in ("ip", "net"):
        ip, bits, to = addresses(piece)
        return replace(out, ip=ip, bits=bits, ip_to=to)
    if part == "ip2":
        if separated(piece, "-") >= 0 or (separated(piece, "/") >= 0 and not piece.endswith("/32")):
            raise syntax(f"plain IP address must be supplied: {piece}")
        ip, bits, _ = addresses(piece)
        return replace(out, ip2=ip, bits2=bits)
    if part == "net2":
        ip, bits, to = addresses(piece)
        return replace(out, ip2=ip, bits2=bits, ip2_to=to)
    if part == "iface":
        name = piece.removeprefix("physdev:")
        if len(name) > 15:
            raise syntax(f"interface name '{name}' is longer than 15 characters")
        return replace(out, iface=name, physdev=name != piece)
    if part == "name":
        return replace(out, name=set_name(piece))
    proto, number_, to = ports(piece)
    if not kind.is_hash:
        if proto == 1:
            raise NotModelled("ipset: an ICMP type in a bitmap:port")
        if proto not in (6, 17):
            raise syntax("Only protocols TCP and UDP are valid")
        proto = 0
    return replace(out, proto=proto, port=number_, port_to=to)


def allowed(kind: Kind, asked: Asked, command: str) -> None:
    """Raises Problem for a range that the command does not take."""
    ranges = kind.test_ranges if command == "test" else kind.ranges
    first_net = kind.parts[0] == "net"

    def refuse(what: str) -> Problem:
        family = "inet" if "ip" in kind.name or "net" in kind.name else "unspec"
        text = f"{what} is not allowed in command {command} with set type {kind.name} and family {family}"
        return Problem(text, status=OTHER)

    if asked.ip_to is not None and "ip" not in ranges:
        raise refuse("FROM-TO IP range")
    if asked.bits is not None and not first_net and "ip" not in ranges and "ip" in kind.parts:
        raise refuse("IP/CIDR range")
    if asked.port_to is not None and "port" not in ranges:
        raise refuse("FROM-TO port range")
    if asked.bits2 is not None and kind.parts[-1] == "ip2":
        bug = "There are not allowed options (28) but can't resolve them. It's a bug, please report the problem."
        raise Problem(bug, status=OTHER)
    if asked.ip2_to is not None and "ip2" not in ranges:
        raise NotModelled(f"ipset {command} {kind.name} with a range in its last part")


def beside(kind: Kind, command: str, words: Sequence[str]) -> tuple[Beside, Asked]:
    """The words behind an element: what stands beside it, and (in an otherwise empty Asked) before, after, wildcard."""
    known = {"add": kind.add, "del": (), "test": ("nomatch",) if kind.nomatch else ()}[command]
    if kind.is_list:
        known = (*known, "before", "after")
    out, place, at = Beside(), Asked(kind=kind.name), 0
    met: set[str] = set()
    while at < len(words):
        name = words[at].removeprefix("--")
        if name not in known:
            raise usage(f"Unknown argument: `{words[at]}'")
        at += 1
        if name in ("nomatch", "wildcard"):
            again(met, name)
            out = replace(out, nomatch=True) if name == "nomatch" else out
            place = replace(place, wildcard=True) if name == "wildcard" else place
            continue
        if at >= len(words):
            raise usage(f"Missing mandatory argument of option `{name}'")
        again(met, "before" if name == "after" else name)
        value = words[at]
        at += 1
        if name == "before":
            place = replace(place, before=set_name(value))
        elif name == "after":
            place = replace(place, after=set_name(value))
        else:
            out = _beside(out, name, value)
    return out, place


def again(met: set[str], name: str) -> None:
    if name in met:
        raise syntax(f"{name} already specified")
    met.add(name)


def _beside(out: Beside, name: str, value: str) -> Beside:
    if name == "timeout":
        return replace(out, timeout=number(value, 0, TIMEOUT_MAX))
    if name == "packets":
        return replace(out, packets=number(value, 0, U64_MAX - 1))
    if name == "bytes":
        return replace(out, bytes=number(value, 0, U64_MAX - 1))
    if name == "comment":
        if '"' in value:
            raise syntax('" character is not permitted in comments')
        if len(value.encode()) > 255:
            raise syntax("Comment is longer than the maximum allowed 255 characters")
        return replace(out, comment=value)
    if name == "skbmark":
        mark, slash, bits = value.partition("/")
        try:
            if not mark.startswith("0x"):
                raise ValueError
            pair = int(mark, 16) & 0xFFFFFFFF, int(bits, 16) & 0xFFFFFFFF if slash else 0xFFFFFFFF
        except ValueError:
            raise syntax("Invalid skbmark format, it should be:  MARK/MASK or MARK (see manpage)") from None
        return replace(out, skbmark=pair)
    if name == "skbprio":
        major, colon, minor = value.partition(":")
        try:
            if not colon:
                raise ValueError
            return replace(out, skbprio=(int(major, 16) & 0xFFFF) << 16 | int(minor, 16) & 0xFFFF)
        except ValueError:
            raise syntax("Invalid skbprio format, it should be:MAJOR:MINOR (see manpage)") from None
    return replace(out, skbqueue=number(value, 0, 65535))


def kind_of(text: str) -> Kind:
    """A type by the name that was typed."""
    if len(text) > NAME_MAX:
        raise syntax(f"typename '{text}' is longer than {NAME_MAX} characters")
    real = find(text)
    if not real:
        raise syntax(f"typename '{text}' is unknown")
    if real in OTHERS:
        raise NotModelled(f"ipset {real}")
    return KINDS[real]


FLAGS = ("counters", "comment", "forceadd", "skbinfo")


def options(kind: Kind, words: Sequence[str]) -> dict[str, Any]:
    """The options of `create` as they were typed: a dict of fields of Options; `initval` is missing when nobody chose
    it."""
    values: dict[str, Any] = {}
    met: set[str] = set()
    at = 0
    takes = set(kind.create) | ({"-4", "-6", *IGNORED} if kind.is_hash else set())
    if not kind.is_hash and not kind.is_list:
        takes |= {"from", "to"} | ({"network"} if kind.parts == ("ip",) else set())
    while at < len(words):
        name = words[at] if words[at] in ("-4", "-6") else words[at].removeprefix("--")
        if name not in takes:
            raise usage(f"Unknown argument: `{words[at]}'")
        at += 1
        if name in FLAGS:
            again(met, name)
            values[name] = True
            continue
        if name in ("-4", "-6"):
            if name == "-6":
                raise NotModelled("ipset create -6", NO_IPV6())
            continue
        if at >= len(words):
            raise usage(f"Missing mandatory argument of option `{name}'")
        again(met, name)
        _option(kind, values, name, words[at])
        at += 1
    if "range" in kind.create and "high" not in values:
        raise usage(f"Mandatory option `{'to' if 'low' in values else 'range'}' is missing")
    values.pop("family", None)
    return values


def _option(kind: Kind, values: dict[str, Any], name: str, text: str) -> None:
    if name == "family":
        if text in ("inet6", "ipv6"):
            raise NotModelled("ipset create family inet6", NO_IPV6())
        if text not in ("inet", "ipv4"):
            raise syntax(f"unknown inet family {text}")
    elif name in IGNORED:
        raise NotModelled(f"ipset create {name}")
    elif name in ("from", "to", "network"):
        raise NotModelled(f"ipset create {kind.name} {name}")
    elif name == "timeout":
        values[name] = number(text, 0, TIMEOUT_MAX)
    elif name == "bucketsize":
        values[name] = number(text, 0, 255)
    elif name == "netmask":
        if "bitmask" in values:
            raise syntax("bitmask and netmask are mutually exclusive, provide only one")
        try:
            value = number(text, 0, 255)
            if not 1 <= value <= 32:
                raise syntax(f"'{text}' is out of range 1-32")
        except Problem as problem:
            tail = "Syntax error: netmask is out of the inclusive range of 1-32"
            raise Problem(f"{problem.message}\n{tail}") from None
        values[name] = value
    elif name == "bitmask":
        if "netmask" in values:
            raise syntax("bitmask and netmask are mutually exclusive, provide only one")
        try:
            values[name] = host(text)
        except Problem as problem:
            tail = "Syntax error: bitmask is not valid for family = inet"
            raise Problem(f"{problem.message}\n{tail}") from None
    elif name == "range":
        _range(kind, values, text)
    else:
        values[name] = number(text, 0, 0xFFFFFFFF)


def _range(kind: Kind, values: dict[str, Any], text: str) -> None:
    if kind.parts == ("port",):
        proto, low, to = ports(text)
        if proto not in (6, 17):
            raise syntax("Only protocols TCP and UDP are valid")
        values["low"] = low
        if to is not None:
            values["low"], values["high"] = min(low, to), max(low, to)
        return
    if separated(text, "-") < 0 and separated(text, "/") < 0:
        raise syntax(f"IP/cidr or IP-IP range must be specified: {text}")
    ip, bits, end = addresses(text)
    if bits is not None:
        if bits >= 32:
            raise IpsetRefused("CIDR")
        values["low"] = ip >> (32 - bits) << (32 - bits)
        values["high"] = values["low"] | (0xFFFFFFFF >> bits)
    else:
        assert end is not None
        values["low"], values["high"] = min(ip, end), max(ip, end)


def rounded(kind: Kind, values: dict[str, Any], initval: int) -> Options:
    """The options as the kernel keeps them. Raises IpsetRefused."""
    o = Options(**{"initval": initval, **values})
    if kind.is_hash:
        size = o.bucketsize
        o = replace(o, bucketsize=2 if size < 2 else 12 if size > 12 else size + size % 2)
        if not o.bitmask:
            raise IpsetRefused("NETMASK")
        return replace(o, hashsize=1 << (max(o.hashsize, 64) - 1).bit_length())
    if kind.is_list:
        return replace(o, size=max(o.size, 4))
    if kind.parts == ("ip",) and o.netmask != 32:
        o = replace(
            o, low=o.low >> (32 - o.netmask) << (32 - o.netmask), high=o.high | 0xFFFFFFFF >> o.netmask
        )
        bits, cut = range_bits(o.low, o.high)
        if (not cut and (o.low or o.high != 0xFFFFFFFF)) or o.netmask <= bits:
            raise IpsetRefused("BITMAP_RANGE")
    if places(kind, o) > 65536:
        raise IpsetRefused("BITMAP_SIZE")
    return o

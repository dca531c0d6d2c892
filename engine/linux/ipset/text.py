"""How ipset 7.17 prints sets: list, save and XML, sorted if asked.

Rules. To the character, as lib/print.c and lib/session.c do; held by goldens of the real tool.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cmp_to_key

from engine.linux.addr import text4
from engine.linux.ipset.kinds import KINDS, Kind
from engine.linux.ipset.rows import Asked, Beside, Element, Entry
from engine.linux.ipset.sets import IpSet
from engine.linux.xt.names import FILE_PROTOCOLS, OWN_PROTOCOLS

#: /etc/protocols, by number
PROTOCOL_NAMES = {
    number: name
    for name, number in (*FILE_PROTOCOLS.items(), *OWN_PROTOCOLS.items())
    if number and name not in ("icmpv6", "ipv6-mh", "mh", "mobility-header")
}
PROTOCOL_NAMES[135] = "mobility-header"
#: name, type, code in ipset's order
ICMP_CODES: tuple[tuple[str, int, int], ...] = (
    ("echo-reply", 0, 0), ("pong", 0, 0), ("network-unreachable", 3, 0), ("host-unreachable", 3, 1),
    ("protocol-unreachable", 3, 2), ("port-unreachable", 3, 3), ("fragmentation-needed", 3, 4),
    ("source-route-failed", 3, 5), ("network-unknown", 3, 6), ("host-unknown", 3, 7), ("network-prohibited", 3, 9),
    ("host-prohibited", 3, 10), ("TOS-network-unreachable", 3, 11), ("TOS-host-unreachable", 3, 12),
    ("communication-prohibited", 3, 13), ("host-precedence-violation", 3, 14), ("precedence-cutoff", 3, 15),
    ("source-quench", 4, 0), ("network-redirect", 5, 0), ("host-redirect", 5, 1), ("TOS-network-redirect", 5, 2),
    ("TOS-host-redirect", 5, 3), ("echo-request", 8, 0), ("ping", 8, 0), ("router-advertisement", 9, 0),
    ("router-solicitation", 10, 0), ("ttl-zero-during-transit", 11, 0), ("ttl-zero-during-reassembly", 11, 1),
    ("ip-header-bad", 12, 0), ("required-option-missing", 12, 1), ("timestamp-request", 13, 0),
    ("timestamp-reply", 14, 0), ("address-mask-request", 17, 0), ("address-mask-reply", 18, 0),
)  # fmt: skip


def address(ip: int, bits: int | None) -> str:
    return text4(ip) if bits in (None, 32) else f"{text4(ip)}/{bits}"


def ports(proto: int, port: int, to: int | None = None) -> str:
    """`tcp:80`, `icmp:echo-request`, `esp:0`."""
    number = f"{port}" + ("" if to is None else f"-{to}")
    if proto == 1:
        kind, code = port >> 8, port & 255
        number = next((n for n, t, c in ICMP_CODES if (t, c) == (kind, code)), f"{kind}/{code}")
    return f"{PROTOCOL_NAMES.get(proto, proto)}:{number}"


def element(kind: Kind, e: Element) -> str:
    """An element as it stands in a listing."""
    out = []
    for part in kind.parts:
        if part in ("ip", "net"):
            out.append(address(e.ip, e.bits if part == "net" else 32))
        elif part in ("ip2", "net2"):
            out.append(address(e.ip2, e.bits2 if part == "net2" else 32))
        elif part == "port":
            out.append(ports(e.proto, e.port) if e.proto else str(e.port))
        elif part == "iface":
            out.append(("physdev:" if e.physdev else "") + e.iface)
        else:
            out.append(e.name)
    return ",".join(out)


def asked_text(a: Asked) -> str:
    """What was typed, as `X is in set Y` names it."""
    out = []
    for part in KINDS[a.kind].parts:
        if part in ("ip", "net"):
            text = address(a.ip, a.bits)
            out.append(text + (f"-{address(a.ip_to, a.bits)}" if a.ip_to is not None else ""))
        elif part in ("ip2", "net2"):
            out.append(address(a.ip2, a.bits2))
        elif part == "port":
            out.append(ports(a.proto, a.port, a.port_to) if a.proto else str(a.port))
        elif part == "iface":
            out.append(a.iface)
        else:
            near = a.before or a.after
            out.append(a.name + (f" after {near}" if near else ""))
    return ",".join(out)


def hexmark(mark: tuple[int, int]) -> str:
    return f"0x{mark[0]:x}" if mark[1] == 0xFFFFFFFF else f"0x{mark[0]:x}/0x{mark[1]:x}"


def remaining(entry: Entry, now: float) -> int:
    """Seconds that are left, 0 = for ever; never 0 for one that ends."""
    return max(int(entry.deadline - now), 1) if entry.deadline else 0


def beside_pairs(one: IpSet, entry: Entry, now: float) -> list[tuple[str, str]]:
    """(option, value) of what stands beside an element; value "" = a flag."""
    b, o = entry.beside, one.options
    values = {
        "timeout": str(remaining(entry, now)) if o.timeout is not None else None,
        "nomatch": "" if b.nomatch else None,
        "wildcard": "" if entry.element.wildcard else None,
        "packets": str(b.packets) if o.counters else None,
        "bytes": str(b.bytes) if o.counters else None,
        "comment": f'"{b.comment}"' if b.comment else None,
        "skbmark": hexmark(b.skbmark) if b.skbmark and b.skbmark != (0, 0) else None,
        "skbprio": f"{b.skbprio >> 16:x}:{b.skbprio & 0xFFFF:x}" if b.skbprio else None,
        "skbqueue": str(b.skbqueue) if b.skbqueue else None,
    }
    return [(name, value) for name in one.kind.add if (value := values[name]) is not None]


def header_pairs(one: IpSet) -> list[tuple[str, str]]:
    """(option, value) of what the set was made with; value "" = a flag."""
    o, kind = one.options, one.kind
    span = f"{o.low}-{o.high}" if kind.parts == ("port",) else f"{text4(o.low)}-{text4(o.high)}"
    values = {
        "family": "inet",
        "hashsize": str(one.hashsize()),
        "maxelem": str(o.maxelem),
        "netmask": str(o.netmask) if o.netmask != 32 else None,
        "bitmask": text4(o.bitmask) if o.bitmask != 0xFFFFFFFF else None,
        "range": span,
        "size": str(o.size),
        "timeout": str(o.timeout) if o.timeout is not None else None,
        "counters": "" if o.counters else None,
        "comment": "" if o.comment else None,
        "forceadd": None,  # the kernel does not tell
        "skbinfo": "" if o.skbinfo else None,
        "bucketsize": str(one.bucketsize()),
        "initval": f"0x{o.initval:08x}",
    }
    return [(name, value) for name in kind.create if (value := values[name]) is not None]


def words(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f" {name}" + (f" {value}" if value else "") for name, value in pairs)


def tags(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{value}</{name}>" if value else f"<{name}/>" for name, value in pairs)


def rows(one: IpSet, now: float, *, ordered: bool) -> list[tuple[str, Entry]]:
    """(an element with what stands beside it, its entry) in the order of the listing."""
    found = [(element(one.kind, e.element) + words(beside_pairs(one, e, now)), e) for e in one.listed(now)]
    if ordered and one.kind.is_hash:
        order = cmp_to_key(compare)
        found.sort(key=lambda row: order(row[0]))
    return found


def plain(one: IpSet, references: int, now: float, *, terse: bool = False, ordered: bool = False) -> str:
    """`ipset list`, one set."""
    entries = rows(one, now, ordered=ordered)
    out = [
        f"Name: {one.name}", f"Type: {one.kind.name}", f"Revision: {one.kind.revision}",
        f"Header:{words(header_pairs(one))}", f"Size in memory: {one.memory()}", f"References: {references}",
        f"Number of entries: {len(entries)}",
    ]  # fmt: skip
    if not terse:
        out += ["Members:", *(text for text, _ in entries)]
    return "\n".join(out) + "\n"


def save(one: IpSet, now: float, *, ordered: bool = False) -> str:
    """`ipset save`, one set."""
    out = [f"create {one.name} {one.kind.name}{words(header_pairs(one))}"]
    return (
        "\n".join([*out, *(f"add {one.name} {text}" for text, _ in rows(one, now, ordered=ordered))]) + "\n"
    )


def xml(one: IpSet, references: int, now: float, *, terse: bool = False, ordered: bool = False) -> str:
    """`ipset list -o xml`, one set, without the frame of all."""
    entries = rows(one, now, ordered=ordered)
    out = [
        f'<ipset name="{one.name}">', f"<type>{one.kind.name}</type>", f"<revision>{one.kind.revision}</revision>",
        f"<header>{tags(header_pairs(one))}", f"<memsize>{one.memory()}</memsize>",
        f"<references>{references}</references>", f"<numentries>{len(entries)}</numentries>", "</header>",
    ]  # fmt: skip
    if not terse:
        members = (
            f"<member><elem>{element(one.kind, e.element)}</elem>{tags(beside_pairs(one, e, now))}</member>"
            for _, e in entries
        )
        out += ["<members>", *members, "</members>"]
    return "\n".join([*out, "</ipset>"]) + "\n"


def compare(first: str, second: str) -> int:
    """The order of -s: by the numbers of addresses, longer prefixes last (bystrcmp)."""
    x, y, sign = first, second, 1
    while x and y:
        n1, x_rest = _number(x)
        n2, y_rest = _number(y)
        if n1 is None or n2 is None:
            a, b = _word(x), _word(y)
            if a or b:
                if len(a) != len(b):
                    return -1 if len(a) < len(b) else 1
                if a != b:
                    return -1 if a < b else 1
                x, y, sign = x[len(a) + 1 :], y[len(b) + 1 :], 1
                continue
            return (x > y) - (x < y)
        if n1 != n2:
            return sign * (n1 - n2)
        s1, s2 = x_rest[:1], y_rest[:1]
        if "/" in (s1, s2):
            if s1 == s2:
                sign = -1
            else:
                return 1 if s1 == "/" else -1
        x, y = x_rest[1:], y_rest[1:]
    return 1 if x else -1 if y else 0


_HEX = "0123456789abcdefABCDEF"


def _number(text: str) -> tuple[int | None, str]:
    """A hexadecimal number at the beginning, and what follows it (strtol)."""
    bare = text.lstrip(" ")
    at = len(text) - len(bare)
    end = at
    while end < len(text) and text[end] in _HEX:
        end += 1
    return (int(text[at:end], 16), text[end:]) if end > at else (None, text)


def _word(text: str) -> str:
    end = min((i for i in (text.find(":"), text.find(",")) if i >= 0), default=len(text))
    return text[:end]


def spelled(a: Asked) -> str:
    """An element with its ranges as the tool reads it."""
    out = []
    for part in KINDS[a.kind].parts:
        if part in ("ip", "net"):
            text = text4(a.ip) + (f"/{a.bits}" if a.bits is not None else "")
            out.append(text + (f"-{text4(a.ip_to)}" if a.ip_to is not None else ""))
        elif part in ("ip2", "net2"):
            text = text4(a.ip2) + (f"/{a.bits2}" if a.bits2 is not None else "")
            out.append(text + (f"-{text4(a.ip2_to)}" if a.ip2_to is not None else ""))
        elif part == "port":
            to = f"-{a.port_to}" if a.port_to is not None else ""
            out.append(ports(a.proto, a.port, a.port_to) if a.proto else f"{a.port}{to}")
        elif part == "iface":
            out.append(("physdev:" if a.physdev else "") + a.iface)
        else:
            out.append(a.name)
    return ",".join(out)


def change_words(asked: Asked, beside: Beside) -> list[str]:
    """The words behind an element in `add`, as the tool reads them."""
    out = [] if beside.timeout is None else ["timeout", str(beside.timeout)]
    out += ["nomatch"] if beside.nomatch else []
    out += ["wildcard"] if asked.wildcard else []
    out += ["before", asked.before] if asked.before else ["after", asked.after] if asked.after else []
    out += ["packets", str(beside.packets)] if beside.packets is not None else []
    out += ["bytes", str(beside.bytes)] if beside.bytes is not None else []
    out += ["comment", beside.comment] if beside.comment is not None else []
    out += ["skbmark", hexmark(beside.skbmark)] if beside.skbmark is not None else []
    out += (
        ["skbprio", f"{beside.skbprio >> 16:x}:{beside.skbprio & 0xFFFF:x}"]
        if beside.skbprio is not None
        else []
    )
    return out + (["skbqueue", str(beside.skbqueue)] if beside.skbqueue is not None else [])


def create_words(one: IpSet) -> list[str]:
    """The words of `create` behind the set's name, forceadd included."""
    out = [one.kind.name]
    for name, value in header_pairs(one):
        out += [name, value] if value else [name]
    return out + (["forceadd"] if one.options.forceadd else [])

"""Numbers, addresses, ports and names as ipset reads them.

Rules. Order and messages of the checks as in lib/parse.c of ipset 7.17. Raises Problem, or NotModelled where the
model stops.
"""

from __future__ import annotations

from engine.linux.ipset.refused import Problem, syntax
from engine.linux.ipset.text import ICMP_CODES
from engine.linux.xt.names import protocol_name, protocol_number, service_port

NAME_MAX = 31
U64_MAX = 2**64 - 1


def number(text: str, low: int, high: int) -> int:
    """A number as strtoull reads it; a minus sign counts down from 2^64."""
    bare = text.strip()
    negative = bare.startswith("-")
    digits = bare.lstrip("+-") if bare[:1] in ("-", "+") else bare
    value: int | None
    try:
        if digits[:2].lower() == "0x":
            value = int(digits, 16)
        elif len(digits) > 1 and digits[0] == "0":
            value = int(digits, 8)
        else:
            value = int(digits) if digits.isdigit() else None
    except ValueError:
        value = None
    if value is None or not digits.isascii() or "_" in digits:
        raise syntax(f"'{text}' is invalid as number")
    if negative:
        value = 2**64 - value if value else 0
    if not low <= value <= high or value > U64_MAX:
        raise syntax(f"'{text}' is out of range {low}-{high}")
    return value


def separated(text: str, marks: str) -> int:
    """Where a separator stands, -1 when there is none or it is the first or the last character (ipset_strchr)."""
    for mark in marks:
        at = text.find(mark)
        if at >= 0 and text[0] != mark and text[-1] != mark:
            return at
    return -1


def host(text: str) -> int:
    """An address as inet_aton has it: 10.1 is 10.0.0.1."""
    parts = text.split(".")
    try:
        numbers = [number(part, 0, 0xFFFFFFFF) for part in parts]
    except Problem:
        numbers = []
    last = 0xFFFFFFFF >> 8 * (len(parts) - 1) if len(parts) < 5 else 0
    if not numbers or any(n > 255 for n in numbers[:-1]) or numbers[-1] > last:
        raise syntax(f"cannot parse {text}: resolving to IPv4 address failed")
    value = 0
    for n in numbers[:-1]:
        value = value << 8 | n
    return value << 8 * (5 - len(parts)) | numbers[-1]


def addresses(text: str) -> tuple[int, int | None, int | None]:
    """(address, prefix length or None, end of a range or None)."""
    at = separated(text, "/")
    if at >= 0:
        value = number(text[at + 1 :], 0, 255)
        if value > 32:
            raise syntax(f"'{text[at + 1 :]}' is out of range 0-32")
        return host(text[:at]), value, None
    at = separated(text, "-")
    if at >= 0:
        return host(text[:at]), None, host(text[at + 1 :])
    return host(text), None, None


def port(text: str, proto: str) -> int:
    try:
        return number(text, 0, 65535)
    except Problem as problem:
        said = problem.message
    kind: str | None = proto
    if proto.isdigit():
        kind = protocol_name(int(proto))
    else:
        said += f"\nSyntax error: '{proto}' is invalid as number"
    found = service_port(kind, text) if kind in ("tcp", "udp") else None
    if found is None:
        raise Problem(f"{said}\ncannot parse '{text}' as a {proto} port")
    return found


def protocol(text: str) -> int:
    try:
        value = number(text, 0, 255)
    except Problem:
        found = protocol_number(text.lower() if text.lower() == "icmpv6" else text)
        if found is None:
            raise syntax(f"cannot parse '{text}' as a protocol") from None
        if not found:
            raise syntax(f"Unsupported protocol '{text}'") from None
        value = found
    return value


def icmp(text: str) -> int:
    for name, kind, code in ICMP_CODES:
        if name.lower().startswith(text.lower()):
            return kind << 8 | code
    at = separated(text, "/")
    if at < 0:
        raise Problem(f"Cannot parse {text} as an ICMP type/code.")
    return number(text[:at], 0, 255) << 8 | number(text[at + 1 :], 0, 255)


def ports(text: str) -> tuple[int, int, int | None]:
    """(protocol, port, end of a range or None) of `[PROTO:]PORT[-PORT]`."""
    at = separated(text, ":")
    name, proto = "tcp", 6
    if at >= 0:
        name, text = text[:at], text[at + 1 :]
        proto = protocol(name)
        if proto == 1:
            return proto, icmp(text), None
        if proto == 58:
            raise syntax("Protocol ICMPv6 can be used with family inet6 only")
        if proto not in (6, 132, 17, 136):
            if text != "0":
                raise syntax(f"Protocol {name} can be used with pseudo port value 0 only.")
            return proto, 0, None
    at = separated(text, "-")
    if at < 0:
        return proto, port(text, name), None
    to = port(text[at + 1 :], name)
    return proto, port(text[:at], name), to


def set_name(text: str) -> str:
    if len(text) > NAME_MAX:
        raise syntax(f"setname '{text}' is longer than {NAME_MAX} characters")
    return text

"""The entries that conntrack -I, -A, -U and -G describe.

Rules. `given` holds the options by letter (or by name, for ports, ICMP and zones) as they were typed. What an entry
must have is asked for in conntrack's own sentences (conntrack-tools 1.4.7, tests/golden/conntrack).
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.errors import InputError, NotModelled
from engine.linux.addr import Prefix, ip4
from engine.linux.conntrack import NO_ZONE, CtEntry, Tuple, Zone
from engine.linux.cttcp import Track
from engine.linux.packet import Proto
from engine.record import replace
from engine.shell.tools.conntrack_words import bad

Given = Mapping[str, str]
STATUS = ("ASSURED", "SEEN_REPLY", "UNSET", "CONFIRMED", "SRC_NAT", "DST_NAT", "FIXED_TIMEOUT")


def address(text: str) -> int:
    try:
        return ip4(text)
    except InputError:
        raise bad(f"Invalid IP address `{text}'") from None


def need(given: Given, letter: str, name: str) -> None:
    if letter not in given:
        raise bad(f"You need to supply the `--{name}' option for this command")


def port(given: Given, *names: str) -> int:
    for name in names:
        if name in given:
            text = given[name]
            if not text.isdigit():
                raise bad(f"invalid port `{text}'")
            return int(text) & 0xFFFF
    return 0


def zone(given: Given) -> Zone:
    for key, way in (("w", ""), ("orig-zone", "orig"), ("reply-zone", "reply")):
        if key in given and int(given[key], 0):
            return Zone(id=int(given[key], 0), way=way)
    return NO_ZONE


def wanted(given: Given, proto: int) -> Tuple:
    """The original tuple. An ICMP message is named by type, code and identifier."""
    need(given, "p", "protonum")
    if "s" not in given or "d" not in given:
        raise bad("you have to specify `--src' and `--dst'")
    if proto == Proto.ICMP:
        kind, code = int(given.get("icmp-type", "8"), 0), int(given.get("icmp-code", "0"), 0)
        ident = int(given.get("icmp-id", "0"), 0)
        return Tuple(proto, address(given["s"]), ident, address(given["d"]), kind << 8 | code)
    ends = port(given, "sport", "orig-port-src"), port(given, "dport", "orig-port-dst")
    return Tuple(proto, address(given["s"]), ends[0], address(given["d"]), ends[1])


def entry(given: Given, proto: int, now: float) -> CtEntry:
    """-I and -A: the mirror is the reply unless it is given, or NAT is."""
    need(given, "p", "protonum")
    need(given, "t", "timeout")
    if proto == Proto.TCP:
        need(given, "state", "state")
    orig = wanted(given, proto)
    reply = orig.mirrored()
    if proto != Proto.ICMP:
        reply = reply._replace(
            sport=port(given, "reply-port-src") or reply.sport,
            dport=port(given, "reply-port-dst") or reply.dport,
        )
    reply = reply._replace(
        src=address(given["r"]) if "r" in given else reply.src,
        dst=address(given["q"]) if "q" in given else reply.dst,
    )
    made = CtEntry(
        id=0, orig=orig, reply=reply, state=given.get("state", "").upper(), deadline=now + int(given["t"], 0), born=now,
        zone=zone(given), tcp=Track() if proto == Proto.TCP else None, decided=3,
    )  # fmt: skip
    for letter in ("n", "g"):
        if letter in given:
            made = translated(made, letter, given[letter])
    if "j" in given:
        raise NotModelled("conntrack -I --any-nat")
    return updated(made, {k: v for k, v in given.items() if k in ("m", "u")}, now)


def translated(made: CtEntry, letter: str, text: str) -> CtEntry:
    """--src-nat, --dst-nat ADDRESS[:PORT]."""
    where, _, number = text.partition(":")
    if not where:
        raise NotModelled(f"conntrack -{letter} without an address")
    if letter == "n":
        to = made.reply._replace(dst=address(where), dport=int(number) if number else made.reply.dport)
        return replace(made, reply=to, snat=True)
    to = made.reply._replace(src=address(where), sport=int(number) if number else made.reply.sport)
    return replace(made, reply=to, dnat=True)


def fits(one: CtEntry, given: Given, proto: int) -> bool:
    """Is this one of the entries that -U means? It goes by addresses, ports, protocol and zone."""
    for letter, value in (
        ("s", one.orig.src),
        ("d", one.orig.dst),
        ("r", one.reply.src),
        ("q", one.reply.dst),
    ):
        if letter in given and value not in (
            Prefix.parse(given[letter]) if "/" in given[letter] else Prefix(address(given[letter]), 32)
        ):
            return False
    if "p" in given and one.orig.proto != proto:
        return False
    ports = {
        "sport": one.orig.sport, "orig-port-src": one.orig.sport, "dport": one.orig.dport,
        "orig-port-dst": one.orig.dport, "reply-port-src": one.reply.sport, "reply-port-dst": one.reply.dport,
    }  # fmt: skip
    return all(port(given, name) == value for name, value in ports.items() if name in given)


def updated(one: CtEntry, given: Given, now: float) -> CtEntry:
    """Mark, status bits and timeout as -U and -I set them. Status bits are only ever added."""
    if "m" in given:
        value, slash, mask = given["m"].partition("/")
        bits = int(mask, 0) if slash else 0xFFFFFFFF
        one = replace(one, mark=one.mark & ~bits & 0xFFFFFFFF ^ int(value, 0))
    for word in filter(None, given.get("u", "").upper().split(",")):
        if word not in STATUS:
            raise bad(f"Bad parameter `{word}'")
        one = replace(
            one, assured=one.assured or word == "ASSURED", seen_reply=one.seen_reply or word == "SEEN_REPLY",
            fixed=one.fixed or word == "FIXED_TIMEOUT",
        )  # fmt: skip
    return replace(one, deadline=now + int(given["t"], 0)) if "t" in given else one

"""`ip rule`. Source: iproute2 6.1 ip/iprule.c."""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import Prefix, mask
from engine.linux.fib import MAIN, Rule
from engine.linux.ops.link import valid_name
from engine.linux.text import rule as rule_text
from engine.linux.text.route import plain_number, proto_name, table_number
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import USAGE, Ip, Words, dsfield, invarg, matches, number, prefix, route_type

REFUSED = (
    "realms", "tun_id", "suppress_ifgroup", "sup_group", "l3mdev", "nat", "map-to",
)  # fmt: skip


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if any(matches(word, full) for full in ("list", "lst", "show")):
        return show(ip, rest)
    for other in ("save", "restore"):
        if matches(word, other):
            raise NotModelled(f"ip rule {other}")
    if matches(word, "add"):
        return add(ip, rest)
    if matches(word, "delete"):
        return delete(ip, rest)
    if matches(word, "flush"):
        if rest.more:
            raise NotModelled("ip rule flush with a selector")
        return ip.do(ops.FlushRules(netns=ip.ns.id))
    if matches(word, "help"):
        raise ip_usage.usage("rule")
    raise Fail(f'Command "{word}" is unknown, try "ip rule help".', USAGE)


def mark(words: Words) -> tuple[int, int | None]:
    value, slash, bits = words.value().partition("/")
    first = number(value, "fwmark value is invalid\n")
    return first, number(bits, "fwmask value is invalid\n") if slash else None


def read(ip: Ip, words: Words) -> dict[str, Any]:
    """The selector and action of `ip rule add|del`, only what was written."""
    got: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word == "not":
            got["invert"] = True
        elif word in ("from", "to"):
            found, _ = prefix(words.value(), ip.family)
            got["src" if word == "from" else "dst"] = found
        elif any(matches(word, k) for k in ("preference", "order", "priority")):
            got["priority"] = number(words.value(), "preference value is invalid\n")
        elif word == "fwmark":
            got["fwmark"], bits = mark(words)
            if bits is not None:
                got["fwmask"] = bits
        elif matches(word, "protocol"):
            value = words.value()
            name = proto_name(value)
            if name is None:
                raise invarg('"protocol" value is invalid\n', value)
            got["proto"] = name
        elif matches(word, "table") or word == "lookup":
            value = words.value()
            table = table_number(value)
            if table is None:
                raise invarg("invalid table ID\n", value)
            got["table"] = table
        elif word == "tos" or matches(word, "dsfield"):
            got["tos"] = rule_tos(words.value())
        elif word in ("suppress_prefixlength", "sup_pl"):
            value = words.value()
            got["suppress"] = number(value, "suppress_prefixlength value is invalid\n", 0x7FFFFFFF)
        elif word == "uidrange":
            value = words.value()
            uids = rule_text.read_range(value, 0xFFFFFFFF)
            if uids is None or "-" not in value:
                raise invarg("invalid UID range\n", value)
            got["uids"] = uids
        elif word == "ipproto":
            value = words.value()
            proto = rule_text.proto_number(value)
            if proto is None:
                raise invarg('Invalid "ipproto" value\n', value)
            got["ipproto"] = proto
        elif word in ("sport", "dport"):
            got[word] = ports(words.value())
        elif word == "goto":
            value = words.value()
            target = plain_number(value)
            if target is None:
                raise invarg("invalid target\n", value)
            got["action"], got["target"] = "goto", target
        elif word in ("dev", "iif", "oif"):
            value = words.value()
            if not valid_name(value):
                raise invarg(('"oif"' if word == "oif" else '"iif"/"dev"') + " not a valid ifname", value)
            got["oif" if word == "oif" else "iif"] = value
        else:
            if word == "type":
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("rule")
            if any(matches(word, k) for k in REFUSED):
                raise NotModelled(f"{word} in ip rule")
            if word == "nop":
                got["action"] = "nop"
                continue
            kind = route_type(word)
            if not kind:
                raise invarg("Failed to parse rule type", word)
            if kind not in rule_text.ACTIONS:
                raise NotModelled(f"a rule of type {kind}")
            got["action"] = kind
    return got


def rule_tos(word: str) -> int:
    try:
        return dsfield(word)
    except Fail:
        raise invarg("TOS value is invalid\n", word) from None


def ports(word: str) -> tuple[int, int]:
    """A port or a range, 16 bits of what was typed, as the tool keeps them."""
    found = rule_text.read_range(word, 0xFFFFFFFF)
    if found is None:
        raise invarg("invalid port range\n", word)
    return found[0] & 0xFFFF, found[1] & 0xFFFF


def add(ip: Ip, words: Words) -> None:
    if not words.more:
        raise Fail('"ip rule add" requires arguments.', 1)
    got = read(ip, words)
    got.setdefault("table", MAIN)
    ip.do(ops.AddRule(netns=ip.ns.id, **got))


def delete(ip: Ip, words: Words) -> None:
    if not words.more:
        raise Fail('"ip rule del" requires arguments.', 1)
    got = read(ip, words)
    ip.do(ops.DelRule(netns=ip.ns.id, **got))


def show(ip: Ip, words: Words) -> None:
    wanted: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if any(matches(word, k) for k in ("preference", "order", "priority")):
            wanted["priority"] = number(words.value(), "preference value is invalid\n")
        elif word == "not":
            wanted["invert"] = True
        elif word == "fwmark":
            wanted["fwmark"], bits = mark(words)
            if bits is not None:
                wanted["fwmask"] = bits
        elif word in ("dev", "iif", "oif"):
            wanted["oif" if word == "oif" else "iif"] = words.value()
        elif matches(word, "lookup") or matches(word, "table"):
            value = words.value()
            table = table_number(value)
            if table is None:
                raise invarg("table id value is invalid\n", value)
            wanted["table"] = table
        elif matches(word, "from") or matches(word, "src"):
            wanted["src"], _ = prefix(words.value(), ip.family or "inet")
        elif word == "tos" or matches(word, "dsfield"):
            wanted["tos"] = rule_tos(words.value())
        elif word == "ipproto":
            value = words.value()
            proto = rule_text.proto_number(value)
            if proto is None:
                raise invarg('Invalid "ipproto" value\n', value)
            wanted["ipproto"] = proto
        elif word in ("sport", "dport"):
            wanted[word] = ports(words.value())
        elif word == "uidrange":
            value = words.value()
            uids = rule_text.read_range(value, 0xFFFFFFFF)
            if uids is None or "-" not in value:
                raise invarg("invalid UID range\n", value)
            wanted["uids"] = uids
        elif any(word == k for k in REFUSED) or matches(word, "protocol"):
            raise NotModelled(f"{word} in ip rule show")
        else:
            if matches(word, "dst") or matches(word, "to"):
                word = words.value()
            wanted["dst"], _ = prefix(word, ip.family or "inet")
    ip.dumped = True
    for row in ip.ns.rules:
        if fits(row, wanted):
            ip.emit(rule_text.to_text(row, ip.ns), rule_text.to_json(row, ip.ns))


def fits(row: Rule, wanted: dict[str, Any]) -> bool:
    for key, value in wanted.items():
        have = getattr(row, key)
        if isinstance(value, Prefix):
            if have.length < value.length or (have.addr ^ value.addr) & mask(value.length):
                return False
        elif have != value and not (key in ("fwmark", "fwmask") and not value):
            return False
    return True

"""`ip link add|set ... type vxlan|geneve|ipip|wireguard|macvlan|ipvlan`: the words after the kind.

Rules. `read_kind` turns them into the record of the kind, from the record that is there on `set`. Words that are real
and not modelled are refused by name; others end as in the tool. Sources: iproute2 6.1 ip/iplink_vxlan.c,
iplink_geneve.c, iplink_macvlan.c, iplink_ipvlan.c, link_iptnl.c.
"""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled
from engine.linux.linkinfo import (
    DF_MODES,
    GENEVE_PORT,
    IPVLAN_FLAGS,
    IPVLAN_MODES,
    MACVLAN_MODES,
    VXLAN_PORT,
    Geneve,
    Ipip,
    Ipvlan,
    LinkInfo,
    Macvlan,
    Vxlan,
    WireGuard,
)
from engine.record import dataclass, replace
from engine.shell.tool import Fail
from engine.shell.tools.ip_args import USAGE, Ip, Words, address, invarg, matches, number
from engine.shell.tools.ip_kind_usage import KIND_USAGE

KINDS = ("vxlan", "geneve", "ipip", "wireguard", "macvlan", "ipvlan")
#: what `ip` says when nobody names the port
NO_PORT = (
    "vxlan: destination port not specified\n"
    "Will use Linux kernel default (non-standard value)\n"
    "Use 'dstport 4789' to get the IANA assigned value\n"
    "Use 'dstport 0' to get default and quiet this message"
)
VXLAN_REFUSED = (
    "group6", "remote6", "local6", "flowlabel", "label", "maxaddress", "udp6zerocsumtx", "udp6zerocsumrx",
    "remcsumtx", "remcsumrx", "gbp", "gpe", "rsc", "norsc", "vnifilter", "proxy", "l2miss", "l3miss",
)  # fmt: skip
IPIP_REFUSED = (
    "6rd-prefix", "6rd-relay_prefix", "6rd-reset", "fwmark", "noencap", "encap", "encap-sport", "encap-dport",
    "encap-csum", "noencap-csum", "encap-csum6", "noencap-csum6", "encap-remcsum", "noencap-remcsum",
)  # fmt: skip


@dataclass(slots=True)
class Kind:
    """What the words asked for: the record, and the device of `dev`; `warn` goes to stderr."""

    info: LinkInfo
    lower: str = ""
    warn: str = ""


def usage(kind: str, head: str = "") -> Fail:
    return Fail(f"{head}{KIND_USAGE[kind].rstrip()}", 1)


def read_kind(ip: Ip, kind: str, words: Words, old: LinkInfo | None = None) -> Kind:
    """The words after `type KIND`. `old` is the device's record on `ip link set`. Raises Fail, NotModelled."""
    if kind == "vxlan":
        return read_vxlan(ip, words, old if isinstance(old, Vxlan) else None)
    if kind == "geneve":
        return read_geneve(ip, words, old if isinstance(old, Geneve) else None)
    if kind == "ipip":
        return read_ipip(ip, words, old if isinstance(old, Ipip) else None)
    if kind == "macvlan":
        return read_macvlan(words, old if isinstance(old, Macvlan) else None)
    if kind == "ipvlan":
        return read_ipvlan(words, old if isinstance(old, Ipvlan) else None)
    if words.more:
        raise Fail(f'Garbage instead of arguments "{words.now} ...". Try "ip link help".', 1)
    return Kind(info=old or WireGuard())


def ttl_of(word: str, got: dict[str, Any]) -> None:
    if word == "inherit":
        got["ttl"], got["ttl_inherit"] = 0, True
    elif word == "auto":
        got["ttl"], got["ttl_inherit"] = 0, False
    else:
        value = number(word, f'invalid TTL "{word}"') if word.isdigit() else -1
        if not 0 <= value <= 255:
            raise invarg("TTL must be <= 255" if value >= 0 else "invalid TTL", word)
        got["ttl"], got["ttl_inherit"] = value, False


def tos_of(word: str) -> int:
    if word == "inherit":
        return 1
    try:
        value = int(word, 16)
    except ValueError:
        raise invarg("bad TOS value", word) from None
    if value > 255:
        raise invarg("bad TOS value", word)
    return value


def port_of(word: str) -> int:
    return number(word, "dst port", 0xFFFF)


def any_address(word: str) -> int:
    return 0 if word == "any" else address(word, "inet")


def is_group(value: int) -> bool:
    return value >> 28 == 0xE


def device(ip: Ip, word: str) -> str:
    if ip.ns.link(word) is None:
        raise Fail(f'Cannot find device "{word}"', USAGE)
    return word


def read_vxlan(ip: Ip, words: Words, old: Vxlan | None) -> Kind:
    got: dict[str, Any] = {}
    lower = ""
    named: dict[str, str] = {}
    while words.more:
        word = words.take()
        if word in ("id", "vni"):
            value = words.value()
            got["vni"] = number(value, "invalid id", 0xFFFFFFFF) if value.isdigit() else -1
            if not 0 <= got["vni"] < 1 << 24:
                raise invarg("invalid id", value)
        elif word in ("group", "remote"):
            value = words.value()
            if named.get("remote"):
                raise Fail("vxlan: both group and remote cannot be specified", 1)
            named["remote"] = word
            got["remote"] = any_address(value)
            if got["remote"] and is_group(got["remote"]) != (word == "group"):
                raise invarg(f"invalid {word} address", value)
        elif word == "local":
            value = words.value()
            got["local"] = any_address(value)
            if is_group(got["local"]):
                raise invarg("invalid local address", value)
        elif word == "dev":
            lower = device(ip, words.value())
        elif matches(word, "ttl") or matches(word, "hoplimit"):
            ttl_of(words.value(), got)
        elif matches(word, "tos") or matches(word, "dsfield"):
            got["tos"] = tos_of(words.value())
        elif word == "df":
            value = words.value()
            if value not in DF_MODES:
                raise invarg("DF must be 'unset', 'set' or 'inherit'", value)
            got["df"] = value
        elif matches(word, "ageing"):
            value = words.value()
            got["ageing"] = 0 if value == "none" else number(value, "ageing timer")
        elif matches(word, "port") or matches(word, "srcport"):
            low, high = words.value(), words.value()
            got["port_low"], got["port_high"] = (
                number(low, "min port", 0xFFFF),
                number(high, "max port", 0xFFFF),
            )
        elif matches(word, "dstport"):
            got["port"] = port_of(words.value()) or VXLAN_PORT
        elif matches(word, "nolearning") or matches(word, "learning"):
            got["learning"] = matches(word, "learning")
        elif matches(word, "external") or matches(word, "noexternal"):
            got["external"] = not word.startswith("no")
        elif word in ("udpcsum", "noudpcsum"):
            got["udpcsum"] = word == "udpcsum"
        elif word in ("noproxy", "nol2miss", "nol3miss", "noudp6zerocsumtx", "noudp6zerocsumrx", "norsc"):
            continue
        elif any(matches(word, k) for k in VXLAN_REFUSED):
            raise NotModelled(f"{word} of a device of type vxlan")
        elif matches(word, "help"):
            raise usage("vxlan")
        else:
            raise usage("vxlan", f'vxlan: unknown command "{word}"?\n')
    if old is not None:
        return Kind(info=replace(old, **got), lower=lower)
    if got.get("external"):
        if "vni" in got:
            raise Fail("vxlan: both 'external' and vni cannot be specified", 1)
        got |= {"vni": 0, "learning": False}
    elif "vni" not in got:
        raise Fail("Error: Required attributes not provided to perform the operation.", 2)
    if named.get("remote") == "group" and got["remote"] and not lower:
        raise Fail("vxlan: 'group' requires 'dev' to be specified", 1)
    warn = "" if "port" in got else NO_PORT
    return Kind(info=Vxlan(**got), lower=lower, warn=warn)


def read_geneve(ip: Ip, words: Words, old: Geneve | None) -> Kind:
    got: dict[str, Any] = {}
    while words.more:
        word = words.take()
        if word in ("id", "vni"):
            value = words.value()
            got["vni"] = number(value, "invalid id", 0xFFFFFFFF) if value.isdigit() else -1
            if not 0 <= got["vni"] < 1 << 24:
                raise invarg("invalid id", value)
        elif matches(word, "remote"):
            value = words.value()
            got["remote"] = address(value, "inet")
            if is_group(got["remote"]):
                raise invarg("invalid remote address", value)
        elif matches(word, "ttl") or matches(word, "hoplimit"):
            ttl_of(words.value(), got)
        elif matches(word, "tos") or matches(word, "dsfield"):
            got["tos"] = tos_of(words.value())
        elif word == "df":
            value = words.value()
            if value not in DF_MODES:
                raise invarg("DF must be 'unset', 'set' or 'inherit'", value)
            got["df"] = value
        elif matches(word, "dstport"):
            got["port"] = port_of(words.value()) or GENEVE_PORT
        elif matches(word, "external") or matches(word, "noexternal"):
            got["external"] = not word.startswith("no")
        elif word in ("udpcsum", "noudpcsum"):
            got["udpcsum"] = word == "udpcsum"
        elif any(
            matches(word, k)
            for k in ("flowlabel", "label", "udp6zerocsumtx", "udp6zerocsumrx", "innerprotoinherit")
        ):
            raise NotModelled(f"{word} of a device of type geneve")
        elif matches(word, "help"):
            raise usage("geneve")
        else:
            raise usage("geneve", f'geneve: unknown command "{word}"?\n')
    external = got.get("external", False)
    if external and "vni" in got:
        raise Fail("geneve: both 'external' and vni cannot be specified", 1)
    if not external and "vni" not in got:
        raise Fail("geneve: missing virtual network identifier", 1)
    if not external and "remote" not in got and old is None:
        raise Fail("geneve: remote link partner not specified", 1)
    if old is not None:
        return Kind(info=replace(old, **got))
    return Kind(info=Geneve(**{"vni": 0, **got}))


def read_ipip(ip: Ip, words: Words, old: Ipip | None) -> Kind:
    got: dict[str, Any] = {}
    lower = ""
    while words.more:
        word = words.take()
        if word in ("remote", "local"):
            got[word] = any_address(words.value())
        elif word == "dev":
            lower = device(ip, words.value())
        elif matches(word, "ttl") or matches(word, "hoplimit") or matches(word, "hlim"):
            value = words.value()
            ttl = 0 if value == "inherit" else number(value, "invalid TTL") if value.isdigit() else -1
            if not 0 <= ttl <= 255:
                raise invarg("invalid TTL", value)
            got["ttl"] = ttl
        elif matches(word, "tos") or matches(word, "tclass") or matches(word, "dsfield"):
            got["tos"] = tos_of(words.value())
        elif matches(word, "pmtudisc") or matches(word, "nopmtudisc"):
            got["pmtudisc"] = not word.startswith("no")
        elif word == "external":
            got["external"] = True
        elif word == "mode":
            value = words.value()
            if value not in ("ipip", "ip4ip4", "any"):
                raise NotModelled(f"mode {value} of a device of type ipip")
        elif word in IPIP_REFUSED:
            raise NotModelled(f"{word} of a device of type ipip")
        else:
            raise usage("ipip")
    fresh = replace(old, **got) if old is not None else None
    try:
        return Kind(info=fresh or Ipip(**got), lower=lower)
    except ValueError:
        raise Fail("ttl != 0 and nopmtudisc are incompatible", 1) from None


def read_macvlan(words: Words, old: Macvlan | None) -> Kind:
    mode = old.mode if old is not None else "vepa"
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            mode = words.value()
            if mode == "source":
                raise NotModelled("mode source of a device of type macvlan")
            if mode not in MACVLAN_MODES:
                known = '"private", "vepa", "bridge", "passthru" or "source"'
                raise Fail(f'Error: argument of "mode" must be {known}, not "{mode}"', 1)
        elif matches(word, "help"):
            raise usage("macvlan")
        elif any(matches(word, k) for k in ("flag", "macaddr", "bcqueuelen", "nopromisc", "nodst")):
            raise NotModelled(f"{word} of a device of type macvlan")
        else:
            raise usage("macvlan", f'macvlan: unknown option "{word}"?\n')
    return Kind(info=Macvlan(mode=mode))


def read_ipvlan(words: Words, old: Ipvlan | None) -> Kind:
    mode, flag = (old.mode, old.flag) if old is not None else ("l3", "bridge")
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            mode = words.value()
            if mode not in IPVLAN_MODES:
                raise Fail('Error: argument of "mode" must be either "l2", "l3" or "l3s"', 1)
        elif word in IPVLAN_FLAGS:
            flag = word
        elif matches(word, "help"):
            raise usage("ipvlan")
        else:
            raise usage("ipvlan", f'ipvlan: unknown option "{word}"?\n')
    return Kind(info=Ipvlan(mode=mode, flag=flag))

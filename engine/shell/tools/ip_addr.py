"""`ip address` and the listing that `ip link show` shares with it. Source: iproute2 6.1 ip/ipaddress.c."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import Prefix, mask
from engine.linux.rows import LINK_KINDS, Address, Link
from engine.linux.text import address as address_text
from engine.linux.text import link as link_text
from engine.linux.text import linkinfo as linkinfo_text
from engine.record import dataclass
from engine.shell.tool import Fail
from engine.shell.tools import ip_usage
from engine.shell.tools.ip_args import (
    USAGE,
    Ip,
    Words,
    address,
    duplicate,
    garbage,
    invarg,
    matches,
    prefix,
    scope,
)

FLAG_WORDS = (
    "permanent",
    "dynamic",
    "secondary",
    "primary",
    "tentative",
    "deprecated",
    "dadfailed",
    "temporary",
)
#: flags that `ip address add` can set, not modelled
NOT_YET = ("nodad", "home", "mngtmpaddr", "autojoin", *FLAG_WORDS)
#: device types that ip knows by name and this kernel model has none of
OTHER_KINDS = (
    "bond", "vlan", "macvtap", "ipvtap", "gre", "gretap", "sit", "vrf",
    "vti", "nlmon", "vcan", "team", "macsec", "ip6tnl", "ip6gre", "xfrm", "amt",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a listing shows; "" and None and 0 ask for nothing. `master` -1 is nomaster."""

    ifindex: int = 0
    family: str = ""
    scope: str = ""
    up: bool = False
    label: str = ""
    to: Prefix | None = None
    master: int = 0
    kind: str = ""
    slave_kind: str = ""
    secondary: bool | None = None
    permanent: bool | None = None

    def wants(self, row: Address) -> bool:
        if self.scope and row.scope != self.scope:
            return False
        if self.secondary is not None and row.secondary != self.secondary:
            return False
        if self.permanent is False:
            return False
        if self.label and not fnmatchcase(row.label, self.label):
            return False
        return self.to is None or (row.addr ^ self.to.addr) & mask(self.to.length) == 0


def run(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return show(ip, Words([]), link=False)
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return modify(ip, rest, "add")
    if matches(word, "change") or word == "chg":
        raise NotModelled("ip address change")
    if matches(word, "replace"):
        return modify(ip, rest, "replace")
    if matches(word, "delete"):
        return modify(ip, rest, "delete")
    if matches(word, "list") or matches(word, "show") or matches(word, "lst"):
        return show(ip, rest, link=False)
    if matches(word, "flush"):
        return flush(ip, rest)
    for other in ("save", "showdump", "restore"):
        if matches(word, other):
            raise NotModelled(f"ip address {other}")
    if matches(word, "help"):
        raise ip_usage.usage("address")
    raise Fail(f'Command "{word}" is unknown, try "ip address help".', USAGE)


def read_filter(ip: Ip, words: Words, *, link: bool) -> Filter:
    got: dict[str, Any] = {"family": "link" if link else ip.family}
    device = ""
    while words.more:
        word = words.take()
        if word == "to":
            got["to"], _ = prefix(words.value(), "" if link else got["family"])
            got["family"] = got["family"] or "inet"
        elif word == "scope":
            value = words.value()
            got["scope"] = "" if value == "all" else scope(value, 'invalid "scope"\n')
        elif word == "up":
            got["up"] = True
        elif word.lstrip("-") in FLAG_WORDS:
            flag, wanted = word.lstrip("-"), not word.startswith("-")
            if flag in ("secondary", "temporary"):
                got["secondary"] = wanted
            elif flag == "primary":
                got["secondary"] = not wanted
            elif flag in ("permanent", "dynamic"):
                got["permanent"] = wanted if flag == "permanent" else not wanted
            else:
                raise NotModelled(f"ip address show {word}")
        elif word == "label":
            got["label"] = words.value()
        elif word == "group":
            if words.value() not in ("default", "0"):
                raise NotModelled("device groups other than default")
        elif word == "master":
            name = words.value()
            master = ip.ns.link(name)
            if master is None:
                raise invarg("Device does not exist\n", name)
            got["master"] = master.ifindex
        elif word == "vrf":
            raise NotModelled("vrf")
        elif word == "nomaster":
            got["master"] = -1
        elif word == "type":
            kind = words.value()
            if kind.endswith("_slave"):
                got["slave_kind"] = kind.removesuffix("_slave")
            else:
                got["kind"] = kind
        else:
            if word == "dev":
                word = words.value()
            elif matches(word, "help"):
                raise ip_usage.usage("link" if link else "address")
            if device:
                raise garbage("dev", word)
            device = word
    if device:
        row = ip.ns.link(device)
        if row is None:
            raise Fail(f'Device "{device}" does not exist.', 1)
        got["ifindex"] = row.ifindex
    return Filter(**got)


def kernel_keeps(rows: Filter, link: Link) -> bool:
    """The filters that the kernel applies to a dump of all links."""
    if (rows.master == -1 and link.master) or (rows.master > 0 and link.master != rows.master):
        return False
    if rows.kind and (link.kind != rows.kind or rows.kind not in LINK_KINDS[2:]):
        return False
    return not rows.slave_kind or (rows.slave_kind == "bridge" and bool(link.master))


def show(ip: Ip, words: Words, *, link: bool) -> None:
    rows = read_filter(ip, words, link=link)
    ip.dumped = True
    alone = link and rows.ifindex != 0
    for index in sorted(ip.ns.links):
        device = ip.ns.links[index]
        if (rows.ifindex and index != rows.ifindex) or (not rows.ifindex and not kernel_keeps(rows, device)):
            continue
        addresses = [] if link else list(ip.ns.addresses.get(index, ()))
        chosen = [a for a in addresses if rows.wants(a)]
        if not link and not chosen and (addresses or rows.family == "inet"):
            continue
        if rows.up and not device.up and not alone:
            ip.emit_raw({})
            continue
        show_device(ip, device, chosen, rows, link=link)


def show_device(ip: Ip, device: Link, chosen: list[Address], rows: Filter, *, link: bool) -> None:
    lower = link or not rows.family
    head_wanted = ip.brief or link or not ip.oneline
    if ip.json:
        obj: dict[str, Any] = {}
        if head_wanted:
            obj = link_text.to_json(ip.net, ip.ns, device, mode=link, brief=ip.brief, lower=lower)
        elif chosen:
            obj = {"index": device.ifindex, "dev": device.name}
        if ip.details and head_wanted and not ip.brief and lower:
            obj |= linkinfo_text.details_json(ip.net, ip.ns, device)
        if ip.stats and head_wanted and not ip.brief:
            obj["stats64"] = link_text.stats_json(ip.ns, device)
        if not link:
            obj["addr_info"] = [address_text.to_json(a, brief=ip.brief) for a in chosen]
        ip.emit_raw(obj)
        return
    if ip.brief:
        if link:
            ip.lines.append(link_text.to_brief(ip.net, ip.ns, device) + " ")
            return
        texts = "".join(f"{address_text.brief(a)} " for a in chosen)
        ip.lines.append(link_text.brief_head(ip.net, ip.ns, device) + texts)
        return
    parts: list[str] = []
    if head_wanted and not (rows.label and not fnmatchcase(device.name, rows.label)):
        parts.append(link_text.head(ip.net, ip.ns, device, mode=link))
        if not lower:
            parts[-1] += link_text.link_netns(ip.net, ip.ns, device)
        if lower:
            parts.append(link_text.second(ip.net, ip.ns, device))
            if ip.details:
                parts[-1] += linkinfo_text.details(ip.net, ip.ns, device, f"{ip.break_}    ")
        if ip.stats and link:
            parts += link_text.stats(ip.ns, device)
    if ip.oneline and not link:
        for row in chosen:
            ip.lines.append(
                f"{device.ifindex}: {device.name}    {address_text.to_text(row)}\\{address_text.LIFETIME}"
            )
        return
    for row in chosen:
        parts += [f"    {address_text.to_text(row)}", address_text.LIFETIME]
    if ip.stats and not link and head_wanted:
        parts += link_text.stats(ip.ns, device)
    if parts:
        ip.lines.append(ip.break_.join(parts))


def modify(ip: Ip, words: Words, action: str) -> None:
    """`ip address add|replace|delete`."""
    local: Prefix | None = None
    written = ""
    with_length = False
    device = label = broadcast = wide = ""
    family = ip.family
    brd = 0
    noprefixroute = False
    while words.more:
        word = words.take()
        if word in ("peer", "remote"):
            raise NotModelled("the peer of an address")
        if matches(word, "broadcast") or word == "brd":
            value = words.value()
            if broadcast:
                raise duplicate("broadcast", value)
            broadcast = value
            if value not in ("+", "-"):
                brd = address(value, family)
        elif word == "anycast":
            raise NotModelled("ip address anycast")
        elif word == "scope":
            wide = scope(words.value(), "invalid scope value.")
        elif word == "dev":
            device = words.value()
        elif word == "label":
            label = words.value()
        elif word == "noprefixroute":
            noprefixroute = True
        elif word in NOT_YET or any(
            matches(word, k) for k in ("metric", "priority", "preference", "valid_lft", "preferred_lft")
        ):
            raise NotModelled(f"ip address {word}")
        else:
            if word == "local":
                word = words.value()
            if matches(word, "help"):
                raise ip_usage.usage("address")
            if local is not None:
                raise garbage("local", word)
            written = word
            local, with_length = prefix(word, family)
            family = "inet"
    if not device:
        raise Fail('Not enough information: "dev" argument is required.', 1)
    row = ip.ns.link(device)
    wildcard = action == "delete" and local is not None and not with_length
    if wildcard:
        ip.warnings += [
            "Warning: Executing wildcard deletion to stay compatible with old scripts.",
            f"         Explicitly specify the prefix length ({written}/32) to avoid this warning.",
            "         This special behaviour is likely to disappear in further releases,",
            "         fix your scripts!",
        ]
    if row is None:
        raise Fail("\n".join([*ip.warnings, f'Cannot find device "{device}"']), 1)
    if action == "delete":
        return delete(ip, row, local, label, wildcard)
    if local is None:
        raise NotModelled("ip address add without an address")
    if broadcast == "+" and local.length <= 30:
        brd = local.broadcast
    elif broadcast == "-" and local.length <= 30:
        brd = local.network.addr
    new = Address(
        ifindex=0, addr=local.addr, length=local.length, broadcast=brd, label=label, noprefixroute=noprefixroute,
        scope=wide or ("host" if local.addr >> 24 == 127 else "global"),
    )  # fmt: skip
    if action == "replace" and any(
        a.addr == new.addr and a.length == new.length for a in ip.ns.addresses.get(row.ifindex, ())
    ):
        return None
    ip.do(ops.AddAddress(netns=ip.ns.id, device=device, address=new))
    return None


def delete(ip: Ip, device: Link, local: Prefix | None, label: str, wildcard: bool) -> None:
    for row in ip.ns.addresses.get(device.ifindex, ()):
        if (local is not None and row.addr != local.addr) or (label and row.label != label):
            continue
        if local is not None and not wildcard and row.length != local.length:
            continue
        ip.do(ops.DelAddress(netns=ip.ns.id, device=device.name, addr=row.addr, length=row.length))
        return
    raise Fail("\n".join([*ip.warnings, "Error: ipv4: Address not found."]), 2)


def flush(ip: Ip, words: Words) -> None:
    if not words.more:
        raise Fail("Flush requires arguments.", 1)
    rows = read_filter(ip, words, link=False)
    if rows.up or rows.master or rows.kind or rows.slave_kind or rows.secondary is not None:
        raise NotModelled("ip address flush with this selector")
    for index in sorted(ip.ns.addresses):
        if rows.ifindex and index != rows.ifindex:
            continue
        for row in ip.ns.addresses.get(index, ()):
            if rows.wants(row) and row in ip.ns.addresses.get(index, ()):
                name = ip.ns.links[index].name
                ip.do(ops.DelAddress(netns=ip.ns.id, device=name, addr=row.addr, length=row.length))

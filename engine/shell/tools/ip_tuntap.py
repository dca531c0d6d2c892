"""`ip tuntap add|del|show` and `ip tunnel add|change|del|show` for ipip.

Source: iproute2 6.1 ip/iptuntap.c, ip/iptunnel.c.

Rules. The tools speak by ioctl, so their errors name it. Tunnels of other modes are refused by name.
"""

from __future__ import annotations

from typing import Any

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import text4
from engine.linux.linkinfo import Ipip, Tun
from engine.linux.rows import Link
from engine.linux.text.linkinfo import lower_word
from engine.record import replace
from engine.shell.tool import Fail
from engine.shell.tools.ip_args import USAGE, Ip, Words, address, garbage, invarg, matches, no_device, number
from engine.shell.tools.ip_kind_usage import KIND_USAGE
from engine.shell.tools.ip_link import free_name
from engine.shell.tools.ip_link_kinds import tos_of

IDS = {"root": 0, "daemon": 1, "nobody": 65534}


def run(ip: Ip, argv: list[str]) -> None:
    """`ip tuntap`."""
    if not argv or matches(argv[0], "show") or matches(argv[0], "lst") or matches(argv[0], "list"):
        return show(ip, Words(argv[1:]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return change(ip, rest, add=True)
    if matches(word, "delete"):
        return change(ip, rest, add=False)
    if matches(word, "help"):
        raise Fail(KIND_USAGE["tuntap"].rstrip(), USAGE)
    raise Fail(f'Command "{word}" is unknown, try "ip tuntap help".', USAGE)


def show(ip: Ip, words: Words) -> None:
    """`tap0: tap persist user 0`, oldest last as the kernel lists its directory: by index."""
    if words.more:
        raise NotModelled("ip tuntap show with a selector")
    for index in sorted(ip.ns.links):
        link = ip.ns.links[index]
        info = link.info
        if not isinstance(info, Tun):
            continue
        line = f"{link.name}: {info.mode}{' persist' if info.persist else ''}"
        line += f" user {info.user}" if info.user >= 0 else ""
        line += f" group {info.group}" if info.group >= 0 else ""
        ip.lines.append(line)


def owner(word: str, what: str) -> int:
    if word.isdigit():
        return int(word)
    if word not in IDS:
        raise Fail(f"invalid {what} '{word}'" if what == "group" else f"invalid user name '{word}'", USAGE)
    return IDS[word]


def change(ip: Ip, words: Words, *, add: bool) -> None:
    device = mode = ""
    user = group = -1
    pi = False
    while words.more:
        word = words.take()
        if matches(word, "mode"):
            mode = words.value()
            if mode not in ("tun", "tap"):
                raise Fail(f'Unknown tunnel mode "{mode}"', USAGE)
        elif matches(word, "user"):
            user = owner(words.value(), "user")
        elif matches(word, "group"):
            group = owner(words.value(), "group")
        elif matches(word, "pi"):
            pi = True
        elif any(matches(word, k) for k in ("one_queue", "vnet_hdr", "multi_queue")):
            raise NotModelled(f"{word} in ip tuntap")
        elif matches(word, "help"):
            raise Fail(KIND_USAGE["tuntap"].rstrip(), USAGE)
        else:
            if word in ("dev", "name"):
                word = words.value()
            if device:
                raise garbage("name", word)
            device = word
    if not mode:
        raise Fail("You failed to specify a tunnel mode", 1)
    there = ip.ns.link(device) if device else None
    if add:
        if there is not None:
            busy = isinstance(there.info, Tun) and there.info.mode == mode
            raise Fail(
                "ioctl(TUNSETIFF): Device or resource busy" if busy else "ioctl(TUNSETIFF): Invalid argument",
                1,
            )
        info = Tun(mode=mode, user=user, group=group, pi=pi)
        name = device or free_name(ip, ip.ns.id, mode)
        ip.do(ops.AddDevice(netns=ip.ns.id, name=name, info=info))
        return
    if there is None:
        return  # the tool makes the device, forgets it, and closes it: nothing is left
    if not isinstance(there.info, Tun) or there.info.mode != mode:
        raise Fail("ioctl(TUNSETIFF): Invalid argument", 1)
    if there.info.pid:
        raise Fail("ioctl(TUNSETIFF): Device or resource busy", 1)
    ip.do(ops.DelLink(netns=ip.ns.id, name=device))


# -- ip tunnel ------------------------------------------------------------------------------------------------


def run_tunnel(ip: Ip, argv: list[str]) -> None:
    """`ip tunnel`."""
    if not argv or matches(argv[0], "show") or matches(argv[0], "lst") or matches(argv[0], "list"):
        return show_tunnels(ip, Words(argv[1:]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "add"):
        return set_tunnel(ip, rest, "add")
    if matches(word, "change"):
        return set_tunnel(ip, rest, "change")
    if matches(word, "delete"):
        return set_tunnel(ip, rest, "delete")
    if matches(word, "help"):
        raise Fail(KIND_USAGE["tunnel"].rstrip(), USAGE)
    raise Fail(f'Command "{word}" is unknown, try "ip tunnel help".', USAGE)


def line_of(ip: Ip, link: Link, info: Ipip) -> str:
    """`tunl1: ip/ip remote A local B ttl inherit`."""
    mode = "any/ip" if not info.remote and not info.local and not info.fallback else "ip/ip"
    ends = f"remote {text4(info.remote) if info.remote else 'any'} local {text4(info.local) if info.local else 'any'}"
    lower = lower_word(ip.net, ip.ns, link)
    out = f"{link.name}: {mode} {ends}" + (f" dev {lower}" if lower else "") + f" ttl {info.ttl or 'inherit'}"
    out += f" tos {'inherit' if info.tos == 1 else f'{info.tos:#x}'}" if info.tos else ""
    return out + ("" if info.pmtudisc else " nopmtudisc")


def show_tunnels(ip: Ip, words: Words) -> None:
    only = words.take() if words.more else ""
    if only in ("dev", "name") and words.more:
        only = words.take()
    if words.more:
        raise NotModelled("ip tunnel show with a selector")
    if only and ip.ns.link(only) is None:
        raise no_device(only)
    for index in sorted(ip.ns.links):
        link = ip.ns.links[index]
        if isinstance(link.info, Ipip) and only in ("", link.name):
            ip.lines.append(line_of(ip, link, link.info))


def set_tunnel(ip: Ip, words: Words, action: str) -> None:
    name = mode = lower = ""
    got: dict[str, Any] = {}
    pmtudisc: bool | None = None
    while words.more:
        word = words.take()
        if word == "mode":
            mode = words.value()
        elif word in ("remote", "local"):
            value = words.value()
            got[word] = 0 if value == "any" else address(value, "inet")
        elif word == "ttl" or matches(word, "hoplimit"):
            value = words.value()
            got["ttl"] = 0 if value == "inherit" else number(value, "invalid TTL", 255)
        elif word in ("tos", "dsfield"):
            got["tos"] = tos_of(words.value())
        elif word == "dev":
            lower = words.value()
        elif word in ("pmtudisc", "nopmtudisc"):
            pmtudisc = word == "pmtudisc"
        elif word in ("key", "ikey", "okey", "seq", "iseq", "oseq", "csum", "icsum", "ocsum"):
            raise NotModelled(f"{word} in ip tunnel")
        else:
            if word == "name":
                word = words.value()
            if name:
                raise garbage("name", word)
            name = word
    if mode and mode not in ("ipip", "ip/ip"):
        if mode in ("gre", "gre/ip", "sit", "ipv6/ip", "isatap", "vti", "any"):
            raise NotModelled(f"ip tunnel mode {mode}")
        raise invarg(f'Unknown tunnel mode "{mode}"\n', mode)
    if not mode and action == "add":
        raise Fail("cannot determine tunnel mode (ipip, gre, vti or sit)", USAGE)
    there = ip.ns.link(name) if name else None
    if action == "delete":
        if there is None or not isinstance(there.info, Ipip):
            raise Fail(f'delete tunnel "{name}" failed: No such device', 1)
        if there.info.fallback:
            raise Fail(f'delete tunnel "{name}" failed: Operation not permitted', 1)
        return ip.do(ops.DelLink(netns=ip.ns.id, name=name))
    if lower and ip.ns.link(lower) is None:
        raise no_device(lower)
    if action == "change":
        if there is None or not isinstance(there.info, Ipip):
            raise Fail(f'change tunnel "{name}" failed: No such device', 1)
        fresh = replace(there.info, **got, **({} if pmtudisc is None else {"pmtudisc": pmtudisc}))
        return ip.do(ops.SetDevice(netns=ip.ns.id, name=name, info=fresh))
    if "ipip" not in ip.net.boxes[ip.ns.box].modules:
        ip.do(ops.LoadModule(box=ip.ns.box, module="ipip"))
    info = Ipip(**got, pmtudisc=pmtudisc is not False)
    name = name or free_name(ip, ip.ns.id, "tunl")
    try:
        return ip.do(ops.AddDevice(netns=ip.ns.id, name=name, info=info, lower=lower))
    except OpError as problem:
        raise Fail(f'add tunnel "tunl0" failed: {problem.tool_text.rpartition(": ")[2]}', 1) from problem

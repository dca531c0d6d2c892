"""`ip` of iproute2 6.1: options and objects; each object is a module of its own beside this one.

Rules. Options and objects are tried in the real tool's order, so that the same abbreviations mean the same. An
option or object that is real but not modelled is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import NotModelled
from engine.linux.addr import NO_IPV6
from engine.linux.net import Net
from engine.linux.ops import Op
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools import (
    batch,
    ip_addr,
    ip_link,
    ip_neigh,
    ip_netns,
    ip_nexthop,
    ip_route,
    ip_rule,
    ip_tuntap,
    ip_usage,
)
from engine.shell.tools.ip_args import USAGE, Ip, invarg, is_ipv6, matches

VERSION = "ip utility, iproute2-6.1.0, libbpf 1.1.2"
#: objects in the order of ip.c; None = real, not modelled
OBJECTS: tuple[tuple[str, Callable[[Ip, list[str]], Out | None] | None], ...] = (
    ("address", ip_addr.run), ("addrlabel", None), ("maddress", None), ("route", ip_route.run),
    ("rule", ip_rule.run), ("neighbor", ip_neigh.run), ("neighbour", ip_neigh.run), ("ntable", None), ("ntbl", None),
    ("link", ip_link.run), ("l2tp", None), ("fou", None), ("ila", None), ("macsec", None),
    ("tunnel", ip_tuntap.run_tunnel), ("tunl", ip_tuntap.run_tunnel), ("tuntap", ip_tuntap.run),
    ("tap", ip_tuntap.run), ("token", None), ("tcpmetrics", None), ("tcp_metrics", None),
    ("monitor", None), ("xfrm", None), ("mroute", None), ("mrule", None), ("netns", ip_netns.run), ("netconf", None),
    ("vrf", None), ("sr", None), ("nexthop", ip_nexthop.run), ("mptcp", None), ("ioam", None),
)  # fmt: skip


def options(ip: Ip, argv: list[str]) -> list[str]:
    """Read the options before the object; what is left. Raises Fail, NotModelled."""
    rest = list(argv)

    def value() -> str:
        if not rest:
            raise ip_usage.usage("ip")
        return rest.pop(0)

    while rest and rest[0].startswith("-"):
        before = len(rest)
        typed = rest.pop(0)
        if typed == "--":
            break
        opt = typed[1:] if typed.startswith("--") else typed
        if matches(opt, "-loops"):
            raise NotModelled("ip -loops")
        elif matches(opt, "-family"):
            family = value()
            if family == "inet":
                ip.family = "inet"
            elif family in ("inet6", "mpls", "bridge", "link"):
                raise NotModelled(f"ip -family {family}")
            else:
                raise ip_usage.usage("ip") if family == "help" else invarg("invalid protocol family", family)
        elif opt == "-4":
            ip.family = "inet"
        elif opt == "-6":
            raise NotModelled("ip -6", NO_IPV6())
        elif opt in ("-0", "-M", "-B"):
            raise NotModelled(f"ip {opt}")
        elif matches(opt, "-human-readable"):
            raise NotModelled("ip -human-readable")
        elif matches(opt, "-iec"):
            raise NotModelled("ip -iec")
        elif matches(opt, "-stats") or matches(opt, "-statistics"):
            ip.stats += 1
        elif matches(opt, "-details"):
            ip.details += 1
        elif matches(opt, "-resolve"):
            raise NotModelled("ip -resolve")
        elif matches(opt, "-oneline"):
            ip.oneline = True
        elif matches(opt, "-timestamp") or matches(opt, "-tshort"):
            raise NotModelled("ip -timestamp")
        elif matches(opt, "-Version"):
            raise Fail("", 0, VERSION + "\n")
        elif matches(opt, "-force"):
            ip.force = True
            continue
        elif matches(opt, "-batch"):
            ip.batch = value()
            continue
        elif matches(opt, "-brief"):
            ip.brief = True
        elif matches(opt, "-json"):
            ip.json = True
        elif matches(opt, "-pretty"):
            ip.pretty = True
        elif matches(opt, "-rcvbuf"):
            raise NotModelled("ip -rcvbuf")
        elif matches(opt.partition("=")[0], "-color") and opt.partition("=")[2] in (
            "",
            "always",
            "auto",
            "never",
        ):
            # Accepted; the lab's terminal shows no colours of its own.
            continue
        elif matches(opt, "-help"):
            raise ip_usage.usage("ip")
        elif matches(opt, "-netns"):
            if not rest:
                # The real tool reads past the end of its words here.
                raise ip_netns.cannot_open("(null)", USAGE)
            name = rest.pop(0)
            netns = ip.net.boxes[ip.ns.box].netns_names.get(name)
            if netns is None:
                raise ip_netns.cannot_open(name, USAGE)
            ip.ns = ip.net.spaces[netns]
        elif matches(opt, "-Numeric"):
            raise NotModelled("ip -Numeric")
        elif matches(opt, "-all"):
            raise NotModelled("ip -all")
        elif opt == "-echo":
            raise NotModelled("ip -echo")
        else:
            raise Fail(f'Option "{opt}" is unknown, try "ip -help".', USAGE)
        ip.kept += argv[len(argv) - before : len(argv) - len(rest)]
    return rest


def run_ip(ip: Ip, argv: Sequence[str]) -> Out:
    """One command. Raises Fail with the real tool's error, NotModelled."""
    rest = options(ip, list(argv))
    if not rest:
        raise ip_usage.usage("ip")
    for name, do_it in OBJECTS:
        if matches(rest[0], name):
            if do_it is None:
                raise NotModelled(f"ip {name}")
            if ip.details and do_it not in (ip_netns.run, ip_link.run, ip_addr.run, ip_route.run):
                raise NotModelled("ip -details")
            out = do_it(ip, rest[1:])
            if out is not None:
                return out
            warnings = "".join(line + "\n" for line in ip.warnings)
            return Out(stdout=ip.output(), stderr=warnings)
    if matches(rest[0], "help"):
        raise ip_usage.usage("ip")
    if matches(rest[0], "stats"):
        raise NotModelled("ip stats")
    raise Fail(f'Object "{rest[0]}" is unknown, try "ip help".', 1)


def run(
    net: Net,
    netns: str,
    argv: Sequence[str],
    do: Callable[[Op], None],
    run_in: Callable[[str, Sequence[str]], Out] | None = None,
) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of `ip ARGV...` in a namespace; `do` carries out changes. Raises NotModelled."""
    try:
        out = run_ip(Ip(net=net, ns=net.spaces[netns], carry_out=do, run_in=run_in), argv)
    except Fail as fail:
        out = fail.out
    return out.stdout, out.stderr, out.code


def _run(ctx: Context, argv: list[str]) -> Out:
    def one(words: Sequence[str]) -> Out:
        return run_ip(Ip(net=ctx.net, ns=ctx.ns, carry_out=ctx.do, run_in=ctx.in_netns), words)

    asked = Ip(net=ctx.net, ns=ctx.ns, carry_out=ctx.do)
    options(asked, argv)
    if asked.batch:
        return batch.run(ctx, asked.batch, lambda words: one([*asked.kept, "--", *words]), force=asked.force)
    return one(argv)


SUBCOMMANDS = {
    "address": ("show", "add", "del", "flush", "replace"),
    "link": ("show", "set", "add", "del"),
    "route": ("show", "get", "add", "del", "replace", "append", "change", "flush"),
    "neigh": ("show", "add", "replace", "change", "del", "flush", "get"),
    "rule": ("show", "add", "del", "flush"),
    "nexthop": ("show", "add", "replace", "del", "get", "flush"),
    "netns": ("list", "add", "delete", "exec", "identify", "pids"),
}
BEFORE_DEVICE = ("dev", "oif", "iif", "master", "show", "set", "link", "del", "delete")
OPTIONS = ("-br", "-j", "-p", "-o", "-s", "-4", "-n", "-c")


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    words = list(argv)
    netns = ctx.ns
    while words and words[0].startswith("-"):
        opt = words.pop(0)
        if opt in ("-n", "-netns"):
            if not words:
                return list(ctx.box.netns_names)
            name = words.pop(0)
            netns = ctx.net.spaces.get(ctx.box.netns_names.get(name, ""), netns)
    if not words:
        return list(OPTIONS) if word.startswith("-") else list(SUBCOMMANDS)
    full = next(
        (
            o
            for o in ("address", "route", "rule", "neighbour", "link", "netns", "nexthop")
            if matches(words[0], o)
        ),
        "",
    )
    full = {"neighbour": "neigh"}.get(full, full)
    if not full:
        return []
    if len(words) == 1:
        return list(SUBCOMMANDS[full])
    if full == "netns":
        return list(ctx.box.netns_names) if len(words) == 2 and words[1] != "add" else []
    last = words[-1]
    if last == "netns":
        return list(ctx.box.netns_names)
    if last in BEFORE_DEVICE and not (full == "route" and last in ("show", "del", "delete")):
        return ["dev", *netns.names] if last == "show" else list(netns.names)
    if full == "link" and words[1] == "set":
        return ["up", "down", "mtu", "address", "master", "nomaster", "name", "netns", "type", "promisc"]
    if full == "link" and words[1] == "add":
        return (
            ["veth", "bridge", "dummy"]
            if last == "type"
            else ["type", "address", "mtu", "peer", "name", "netns"]
        )
    return [
        "dev",
        "via",
        "table",
        "metric",
        "src",
        "proto",
        "scope",
        "from",
        "to",
        "lladdr",
        "nud",
        "brd",
        "label",
    ]


TOOL = Tool(
    name="ip",
    summary=Phrase(
        en="shows and changes links, addresses, routes, neighbours, rules and network namespaces",
        ko="장치, 주소, 경로, 이웃, 규칙, 네트워크 네임스페이스를 보고 바꿉니다",
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=(
        "ip [-br] [-o] [-j [-p]] [-s] [-4] [-n NETNS] address | link | route | neigh | rule | netns [COMMAND ...]",
        "ip addr show dev eth0; ip addr add 10.0.0.1/24 dev eth0; ip link set eth0 up",
        "ip route get 10.0.0.9; ip route add default via 10.0.0.1; ip netns exec NAME COMMAND ...",
    ),
)

__all__ = ["TOOL", "Ip", "is_ipv6", "run", "run_ip"]

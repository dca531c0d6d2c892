"""`bridge` of iproute2 6.1: ports of bridges and forwarding entries. Source: iproute2 6.1 bridge/*.c."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import NO_IPV6
from engine.linux.net import Net
from engine.linux.ops import Op
from engine.linux.rows import Link
from engine.linux.status import flags, port_live
from engine.linux.text import link as link_text
from engine.linux.text.linkinfo import port_cost
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools import batch, ip_netns, ip_usage
from engine.shell.tools.bridge_fdb import fdb
from engine.shell.tools.ip_args import USAGE, Ip, Words, duplicate, matches, no_device

VERSION = "bridge utility, 6.1.0"
ON_OFF = ("hairpin", "learning", "flood", "isolated", "mcast_flood", "bcast_flood", "neigh_suppress")
LINK_REFUSED = (
    "guard", "fastleave", "root_block", "learning_sync", "mcast_router",
    "mcast_to_unicast", "cost", "priority", "state", "hwmode", "self", "master", "vlan_tunnel",
    "locked", "backup_port", "nobackup_port",
)  # fmt: skip


def run_bridge(ip: Ip, argv: Sequence[str]) -> Out:
    """One command. Raises Fail with the real tool's error, NotModelled."""
    rest = options(ip, list(argv))
    if not rest:
        raise ip_usage.usage("bridge")
    word, after = rest[0], rest[1:]
    if matches(word, "link"):
        link(ip, after)
    elif matches(word, "fdb"):
        fdb(ip, after)
    elif matches(word, "help"):
        raise ip_usage.usage("bridge")
    else:
        other = next((o for o in ("mdb", "vlan", "vni", "monitor") if matches(word, o)), "")
        if other:
            raise NotModelled(f"bridge {other}")
        raise Fail(f'Object "{word}" is unknown, try "bridge help".', USAGE)
    return Out(stdout=ip.output())


def options(ip: Ip, rest: list[str]) -> list[str]:
    while rest and rest[0].startswith("-"):
        words = list(rest)
        typed = rest.pop(0)
        if typed == "--":
            break
        opt = typed[1:] if typed.startswith("--") else typed
        if matches(opt, "-help"):
            raise ip_usage.usage("bridge")
        elif matches(opt, "-Version"):
            raise Fail("", 0, VERSION + "\n")
        elif matches(opt, "-stats") or matches(opt, "-statistics"):
            raise NotModelled("bridge -statistics")
        elif matches(opt, "-details"):
            ip.details += 1
        elif matches(opt, "-oneline"):
            ip.oneline = True
        elif matches(opt, "-timestamp"):
            raise NotModelled("bridge -timestamp")
        elif opt in ("-4", "-6") or matches(opt, "-family"):
            raise NotModelled(f"bridge {opt}", NO_IPV6() if opt == "-6" else "")
        elif matches(opt, "-netns"):
            if not rest:
                raise ip_netns.cannot_open("(null)", USAGE)
            name = rest.pop(0)
            netns = ip.net.boxes[ip.ns.box].netns_names.get(name)
            if netns is None:
                raise ip_netns.cannot_open(name, USAGE)
            ip.ns = ip.net.spaces[netns]
        elif matches(opt.partition("=")[0], "-color"):
            # Accepted; the lab's terminal shows no colours of its own.
            continue
        elif matches(opt, "-compressvlans"):
            raise NotModelled("bridge -compressvlans")
        elif matches(opt, "-force"):
            ip.force = True
            continue
        elif matches(opt, "-json"):
            ip.json = True
        elif matches(opt, "-pretty"):
            ip.pretty = True
        elif matches(opt, "-batch"):
            if not rest:
                raise ip_usage.usage("bridge")
            ip.batch = rest.pop(0)
            continue
        else:
            raise Fail(f'Option "{opt}" is unknown, try "bridge help".', USAGE)
        ip.kept += words[: len(words) - len(rest)]
    return rest


# -- link ----------------------------------------------------------------------------------------------------


def link(ip: Ip, argv: list[str]) -> None:
    if not argv:
        return link_show(ip, Words([]))
    word, rest = argv[0], Words(argv[1:])
    if matches(word, "set") or matches(word, "change"):
        return link_set(ip, rest)
    if any(matches(word, full) for full in ("show", "lst", "list")):
        return link_show(ip, rest)
    if matches(word, "help"):
        raise ip_usage.usage("bridge link")
    raise Fail(f'Command "{word}" is unknown, try "bridge link help".', USAGE)


def link_set(ip: Ip, words: Words) -> None:
    device = ""
    got: dict[str, bool] = {}
    while words.more:
        word = words.take()
        if word == "dev":
            device = words.value()
        elif word in ON_OFF:
            value = words.value()
            if value not in ("on", "off"):
                raise Fail(f'Error: argument of "{word}" must be one of "off", "on", not "{value}"', 234)
            got[word] = value == "on"
        elif word in LINK_REFUSED:
            raise NotModelled(f"bridge link set {word}")
        else:
            raise ip_usage.usage("bridge link")
    if not device:
        raise Fail("Device is a required argument.", USAGE)
    if ip.ns.link(device) is None:
        raise Fail(f'Cannot find bridge device "{device}"', USAGE)
    if got:
        ip.do(
            ops.SetLink(
                netns=ip.ns.id,
                name=device,
                hairpin=got.get("hairpin"),
                learning=got.get("learning"),
                flood=got.get("flood"),
                isolated=got.get("isolated"),
                mcast_flood=got.get("mcast_flood"),
                bcast_flood=got.get("bcast_flood"),
                neigh_suppress=got.get("neigh_suppress"),
            ),
            USAGE,
        )


def port_state(ip: Ip, port: Link) -> str:
    return "forwarding" if port_live(ip.net, ip.ns, ip.ns.links[port.master], port) else "disabled"


def name_and_link(ip: Ip, port: Link) -> str:
    """The name as `bridge` prints it: the number of the other end is looked up among this namespace's own devices, even
    where the other end is in another one (iproute2 6.1, print_name_and_link; the kernel showed `veth-p11@eth0`)."""
    shown = link_text.shown_name(ip.net, ip.ns, port)
    name, at, number = shown.partition("@if")
    here = ip.ns.links.get(int(number)) if at and number.isdigit() else None
    return f"{name}@{here.name}" if here is not None else shown


def link_show(ip: Ip, words: Words) -> None:
    device = ""
    while words.more:
        if words.take() == "dev":
            value = words.value()
            if device:
                raise duplicate("dev", value)
            device = value
    if device and ip.ns.link(device) is None:
        raise no_device(device, USAGE)
    ip.dumped = True
    for index in sorted(ip.ns.links):
        port = ip.ns.links[index]
        if not port.master or (device and port.name != device):
            continue
        bridge = ip.ns.links[port.master].name
        line = (
            f"{index}: {name_and_link(ip, port)}: <{','.join(flags(ip.net, ip.ns, port))}> "
            f"mtu {port.mtu} master {bridge} state {port_state(ip, port)} priority 32 cost {port_cost(ip.net, port)} "
        )
        obj = link_text.to_json(ip.net, ip.ns, port)
        obj = {
            k: obj[k]
            for k in ("ifindex", "link", "link_index", "ifname", "flags", "mtu", "master")
            if k in obj
        }
        here = ip.ns.links.get(obj.get("link_index", 0))
        if here is not None:
            obj = {**{k: v for k, v in obj.items() if k in ("ifindex",)}, "link": here.name, **obj}
            del obj["link_index"]
        obj |= {"state": port_state(ip, port), "priority": 32, "cost": port_cost(ip.net, port)}
        if ip.details:
            line += ip.break_ + "    " + "".join(f"{k} {v} " for k, v in details(port))
            obj |= {k: v if k == "mcast_router" else v == "on" for k, v in details(port)}
        ip.emit(line, obj)


def details(port: Link) -> list[tuple[str, Any]]:
    """The second line of `bridge -d link`: our four flags, and the kernel's defaults for what is not modelled."""

    def word(on: bool) -> str:
        return "on" if on else "off"

    return [
        ("hairpin", word(port.hairpin)), ("guard", "off"), ("root_block", "off"), ("fastleave", "off"),
        ("learning", word(port.learning)), ("flood", word(port.flood)), ("mcast_flood", word(port.mcast_flood)),
        ("bcast_flood", word(port.bcast_flood)), ("mcast_router", 1), ("mcast_to_unicast", "off"),
        ("neigh_suppress", word(port.neigh_suppress)), ("vlan_tunnel", "off"),
        ("isolated", word(port.isolated)), ("locked", "off"),
    ]  # fmt: skip


def run(net: Net, netns: str, argv: Sequence[str], do: Callable[[Op], None]) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of `bridge ARGV...`. Raises NotModelled."""
    try:
        out = run_bridge(Ip(net=net, ns=net.spaces[netns], carry_out=do, tool="bridge"), argv)
    except Fail as fail:
        out = fail.out
    return out.stdout, out.stderr, out.code


def _run(ctx: Context, argv: list[str]) -> Out:
    def one(words: Sequence[str]) -> Out:
        try:
            return run_bridge(Ip(net=ctx.net, ns=ctx.ns, carry_out=ctx.do, tool="bridge"), words)
        except OpError as error:
            raise Fail(error.tool_text, USAGE) from error

    asked = Ip(net=ctx.net, ns=ctx.ns, carry_out=ctx.do, tool="bridge")
    options(asked, list(argv))
    if asked.batch:
        return batch.run(ctx, asked.batch, lambda words: one([*asked.kept, "--", *words]), force=asked.force)
    return one(argv)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    words = [w for w in argv if not w.startswith("-")]
    if not words:
        return ["fdb", "link"]
    if len(words) == 1:
        return ["show", "add", "replace", "del", "get"] if matches(words[0], "fdb") else ["show", "set"]
    if words[-1] in ("dev", "brport", "br"):
        kinds = ("bridge",) if words[-1] == "br" else ("bridge", "veth", "physical", "dummy")
        return [link_.name for link_ in ctx.ns.links.values() if link_.kind in kinds]
    return ["dev", "br", "brport", "master", "static", "dynamic", "hairpin", "isolated", "learning", "flood"]


TOOL = Tool(
    name="bridge",
    summary=Phrase(
        en="shows and changes the ports of bridges and their forwarding entries",
        ko="브리지의 포트와 포워딩 항목(fdb)을 보고 바꿉니다",
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=(
        "bridge [-j [-p]] [-d] [-n NETNS] link show [dev DEV] | fdb show [br BRIDGE] [dev PORT] [dynamic]",
        "bridge fdb add|replace|del MAC dev PORT master [static|dynamic]",
        "bridge link set dev PORT hairpin|isolated|learning|flood on|off",
    ),
)

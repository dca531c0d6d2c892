"""`brctl` of bridge-utils 1.7: bridges and their ports in the old form."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import mac_text
from engine.linux.net import Net, Netns
from engine.linux.ops import Op
from engine.linux.rows import Link
from engine.linux.walk.timers import catch_up
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.nettools_usage import USAGE

#: command -> (fewest words, most words, what its usage line says)
COMMANDS = {
    "addbr": (1, 1, "<bridge>\t\tadd bridge"),
    "delbr": (1, 1, "<bridge>\t\tdelete bridge"),
    "addif": (2, 99, "<bridge> <device>\tadd interface to bridge"),
    "delif": (2, 99, "<bridge> <device>\tdelete interface from bridge"),
    "hairpin": (3, 3, "<bridge> <port> {on|off}\tturn hairpin on/off"),
    "setageing": (2, 2, "<bridge> <time>\t\tset ageing time"),
    "show": (0, 99, "[ <bridge> ]\t\tshow a list of bridges"),
    "showmacs": (1, 1, "<bridge>\t\tshow a list of mac addrs"),
}
REFUSED = ("setbridgeprio", "setfd", "sethello", "setmaxage", "setpathcost", "setportprio", "showstp", "stp")
HEAD = "bridge name\tbridge id\t\tSTP enabled\tinterfaces"


def perform(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> tuple[str, str]:
    """(stdout, stderr) of `brctl ARGV...`. Raises Fail, NotModelled."""
    if not argv or argv[0].startswith("-"):
        if argv and argv[0] not in ("-h", "--help"):
            raise NotModelled(f"brctl {argv[0]}")
        raise Fail("", 0 if argv else 1, USAGE["brctl"])
    command, words = argv[0], argv[1:]
    if command in REFUSED:
        raise NotModelled(f"brctl {command}")
    if command not in COMMANDS:
        raise Fail(f"never heard of command [{command}]", 1, USAGE["brctl"])
    fewest, most, text = COMMANDS[command]
    if not fewest <= len(words) <= most:
        raise Fail(f"Incorrect number of arguments for command\nUsage: brctl {command} {text}", 1)
    ns = net.spaces[netns]
    if command == "show":
        return show(ns, words)
    if command == "showmacs":
        return show_macs(net, ns, words[0]), ""
    change(ns, command, words, do)
    return "", ""


def change(ns: Netns, command: str, words: list[str], do: Callable[[Op], None]) -> None:
    name = words[0]
    link = ns.link(name)
    if command == "addbr":
        if link is not None:
            raise Fail(f"device {name} already exists; can't create bridge with the same name", 1)
        attempt(do, ops.AddLink(netns=ns.id, name=name, kind="bridge"), f"add bridge failed: {name}")
    elif command == "delbr":
        if link is None:
            raise Fail(f"bridge {name} doesn't exist; can't delete it", 1)
        if link.kind != "bridge":
            raise Fail(f"can't delete bridge {name}: Operation not permitted", 1)
        if link.up:
            raise Fail(f"bridge {name} is still up; can't delete it", 1)
        do(ops.DelLink(netns=ns.id, name=name))
    elif command in ("addif", "delif"):
        for device in words[1:]:
            port(ns, command, name, device, do)
    elif command == "hairpin":
        if words[2] not in ("on", "off", "yes", "no", "1", "0"):
            raise Fail(f"expect on/off for argument\nUsage: brctl hairpin {COMMANDS['hairpin'][2]}", 1)
        member = ns.link(words[1])
        if link is None or member is None or member.master != link.ifindex:
            raise Fail(f"can't set {words[1]} to hairpin on bridge {name}: No such file or directory", 1)
        do(ops.SetLink(netns=ns.id, name=words[1], hairpin=words[2] in ("on", "yes", "1")))
    else:
        if link is None or link.kind != "bridge":
            raise Fail("set ageing time failed: No such device", 1)
        if not words[1].isdigit():
            raise Fail(f"bad ageing time value\nUsage: brctl setageing {COMMANDS['setageing'][2]}", 1)
        do(ops.SetLink(netns=ns.id, name=name, ageing=int(words[1])))


def port(ns: Netns, command: str, bridge: str, device: str, do: Callable[[Op], None]) -> None:
    link, member = ns.link(bridge), ns.link(device)
    if member is None:
        raise Fail(f"interface {device} does not exist!", 1)
    if link is None:
        raise Fail(f"bridge {bridge} does not exist!", 1)
    if command == "delif":
        if member.master != link.ifindex:
            raise Fail(f"device {device} is not a port of {bridge}", 1)
        do(ops.SetLink(netns=ns.id, name=device, master=""))
        return
    if member.master:
        raise Fail(f"device {device} is already a member of a bridge; can't add it to bridge {bridge}.", 1)
    attempt(
        do, ops.SetLink(netns=ns.id, name=device, master=bridge), f"can't add {device} to bridge {bridge}"
    )


def attempt(do: Callable[[Op], None], op: Op, what: str) -> None:
    try:
        do(op)
    except OpError as error:
        words = {"EINVAL": "Invalid argument", "ELOOP": "Too many levels of symbolic links"}
        raise Fail(f"{what}: {words.get(error.errno, 'Operation not supported')}", 1) from error


def show(ns: Netns, words: list[str]) -> tuple[str, str]:
    out, err = [HEAD], ""
    bridges: list[Link] = []
    if not words:
        bridges = sorted((link for link in ns.links.values() if link.kind == "bridge"), key=lambda b: b.name)
    for name in words:
        link = ns.link(name)
        if link is None:
            err += f"bridge {name} does not exist!\n"
        elif link.kind != "bridge":
            err += f"device {name} is not a bridge!\n"
        else:
            bridges.append(link)
    for bridge in bridges:
        ports = sorted(p.name for p in ns.ports(bridge.ifindex))
        line = f"{bridge.name}\t\t8000.{mac_text(bridge.mac).replace(':', '')}\tno\t\t"
        out.append(line + (ports[0] if ports else ""))
        out += [f"\t\t\t\t\t\t\t{name}" for name in ports[1:]]
    if words and not bridges:
        raise Fail(err.rstrip("\n"), 1)
    if not bridges:
        return "", err
    return "".join(line + "\n" for line in out), err


def show_macs(net: Net, ns: Netns, name: str) -> str:
    bridge = ns.link(name)
    if bridge is None or bridge.kind != "bridge":
        raise Fail("read of forward table failed: No such device", 1)
    numbers = {p.ifindex: n for n, p in enumerate(ns.ports(bridge.ifindex), 1)}
    catch_up(net, ns)
    out = ["port no\tmac addr\t\tis local?\tageing timer"]
    rows = [r for r in ns.fdb.values() if r.bridge == bridge.ifindex and r.ifindex in numbers]
    for row in sorted(rows, key=lambda r: r.mac):
        age = 0.0 if row.local or row.static else max(net.clock - row.since, 0.0)
        local = "yes" if row.local else "no"
        out.append(f"{numbers[row.ifindex]:3}\t{mac_text(row.mac)}\t{local}\t\t{age:7.2f}")
    return "".join(line + "\n" for line in out)


def run(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of `brctl ARGV...`. Raises NotModelled."""
    try:
        stdout, stderr = perform(net, netns, argv, do)
    except Fail as fail:
        return fail.out.stdout, fail.out.stderr, fail.out.code
    return stdout, stderr, 1 if stderr else 0


def _run(ctx: Context, argv: list[str]) -> Out:
    stdout, stderr, code = run(ctx.net, ctx.ns.id, argv, ctx.do)
    return Out(stdout=stdout, stderr=stderr, code=code)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if not argv:
        return list(COMMANDS)
    if len(argv) == 1:
        return [link.name for link in ctx.ns.links.values() if link.kind == "bridge"]
    return [link.name for link in ctx.ns.links.values() if link.kind not in ("bridge", "loopback")]


TOOL = Tool(
    name="brctl",
    summary=Phrase(
        en="shows and changes bridges in the old form (see bridge and ip link)",
        ko="브리지를 옛 형식으로 보고 바꿉니다 (bridge, ip link 참고)",
    ),
    run=_run,
    complete=_complete,
    group="network",
    usage=(
        "brctl show [BRIDGE] | showmacs BRIDGE",
        "brctl addbr|delbr BRIDGE; brctl addif|delif BRIDGE DEVICE",
    ),
)

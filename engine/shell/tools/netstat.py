"""`netstat` of net-tools: sockets with their programs, the routing table, the interface table."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import NotModelled
from engine.linux.net import Net
from engine.linux.rows import Socket
from engine.linux.status import carrier, kind_flags, running
from engine.linux.text.socket import listed, netstat_line
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.ifconfig import by_name
from engine.shell.tools.nettools_usage import USAGE
from engine.shell.tools.route import table as route_table

HEAD = "Proto Recv-Q Send-Q Local Address           Foreign Address         State      "

#: the letters of the column Flg, in the tool's order
LETTERS = (
    ("BROADCAST", "B"), ("LOOPBACK", "L"), ("MULTICAST", "M"), ("NOARP", "O"), ("POINTOPOINT", "P"),
)  # fmt: skip


def table(net: Net, netns: str, argv: list[str], standing: Sequence[Socket] = ()) -> str:
    """What `netstat ARGV...` prints; `standing` are the open connections. Raises Fail, NotModelled."""
    parsed = TOOL.parse(argv)
    if "-h" in parsed:
        raise Fail("", 3, USAGE["netstat"])
    if parsed.words:
        raise NotModelled(f"netstat {parsed.words[0]} (an interval)")
    if "-r" in parsed:
        # netstat -r begins with MSS and Window; every -e takes the next form.
        form = {0: 1, 1: 0, 2: 2}.get(len(parsed.opts.get("-e", [])), 2)
        return route_table(net, netns, numeric="-n" in parsed, form=form)
    if "-i" in parsed:
        return interfaces(net, netns, "-a" in parsed)
    if "-e" in parsed:
        raise NotModelled("netstat -e")
    protos = {p for p, o in (("tcp", "-t"), ("udp", "-u")) if o in parsed}
    named = bool(protos) or "-4" in parsed
    protos = protos or {"tcp", "udp"}
    if "-a" in parsed:
        states, word = {"LISTEN", "UNCONN", "ESTAB"}, "(servers and established)"
    elif "-l" in parsed:
        states, word = {"LISTEN", "UNCONN"}, "(only servers)"
    else:
        states, word = {"ESTAB"}, "(w/o servers)"
    programs = "-p" in parsed
    out = [f"Active Internet connections {word}", HEAD + (" PID/Program name    " if programs else "")]
    rows = [
        r
        for r in listed(net, net.spaces[netns], standing)
        if r.socket.proto in protos and r.socket.state in states
    ]
    rows.sort(key=lambda r: r.socket.proto)
    out += [netstat_line(row, numeric="-n" in parsed, programs=programs) for row in rows]
    if not named:
        out.append(f"Active UNIX domain sockets {word}")
        out.append(
            "Proto RefCnt Flags       Type       State         I-Node   "
            + ("PID/Program name     Path" if programs else "Path")
        )
    return "".join(line + "\n" for line in out)


def interfaces(net: Net, netns: str, every: bool) -> str:
    """`netstat -i`."""
    ns = net.spaces[netns]
    out = [
        "Kernel Interface table",
        "Iface             MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg",
    ]
    for link in by_name(ns):
        if not link.up and not every:
            continue
        rx, _, tx, _ = ns.link_stats.get(link.ifindex, (0, 0, 0, 0))
        held = kind_flags(link)
        word = "".join(letter for name, letter in LETTERS if name in held)
        word += "R" if running(net, ns, link) and carrier(net, ns, link) else ""
        word += "U" if link.up else ""
        out.append(
            f"{link.name:<15} {link.mtu:>5} {rx:>8} {0:>6} {0:>6} {0:<6} {tx:>8} {0:>6} {0:>6} {0:>6} {word}"
        )
    return "".join(line + "\n" for line in out)


def unknown(tool: Tool, option: str) -> Fail:
    kind = (
        f"unrecognized option '{option}'" if option.startswith("--") else f"invalid option -- '{option[1:]}'"
    )
    return Fail(f"netstat: {kind}\n" + USAGE["netstat"].rstrip("\n"), 3)


def _run(ctx: Context, argv: list[str]) -> Out:
    return Out(stdout=table(ctx.net, ctx.ns.id, argv, ctx.world.standing(ctx.ns)))


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    return ["-nplt", "-tulpn", "-an", "-rn", "-i"]


TOOL = Tool(
    name="netstat",
    summary=Phrase(
        en="shows sockets with their programs, the routing table (-r) or the interfaces (-i)",
        ko="소켓과 프로그램, 라우팅 테이블(-r), 인터페이스(-i)를 보여 줍니다",
    ),
    run=_run,
    complete=_complete,
    group="network",
    unknown=unknown,
    usage_code=3,
    usage=("netstat [-n] [-p] [-l] [-a] [-t] [-u] [-4]", "netstat -r [-n] [-e]", "netstat -i [-a]"),
    opts=(
        Opt(("-r", "--route")),
        Opt(("-i", "--interfaces")),
        Opt(("-n", "--numeric")),
        Opt(("-p", "--programs")),
        Opt(("-l", "--listening")),
        Opt(("-a", "--all")),
        Opt(("-t", "--tcp")),
        Opt(("-u", "--udp")),
        Opt(("-e", "--extend")),
        Opt(("-4", "--inet")),
        Opt(("-v", "--verbose")),
        Opt(("-W", "--wide")),
        Opt(("-h", "--help")),
        *(
            Opt(names, refused=True)
            for names in (
                ("-g", "--groups"), ("-s", "--statistics"), ("-M", "--masquerade"), ("--numeric-hosts",),
                ("--numeric-ports",), ("--numeric-users",), ("-N", "--symbolic"), ("-o", "--timers"),
                ("-c", "--continuous"), ("-F", "--fib"), ("-C", "--cache"), ("-Z", "--context"), ("-U", "--udplite"),
                ("-S", "--sctp"), ("-w", "--raw"), ("-x", "--unix"), ("-6", "--inet6"), ("--ax25",), ("--ipx",),
                ("--netrom",), ("-V", "--version"), ("-L",), ("-f",), ("-D",),
            )
        ),
        Opt(("-A",), "AF", refused=True),
    ),
)  # fmt: skip

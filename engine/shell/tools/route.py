"""`route` of net-tools: the main routing table in the old form, and its changes by ioctl."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled, OpError
from engine.linux import ops
from engine.linux.addr import Prefix, mask, text4
from engine.linux.fib import MAIN, Route
from engine.linux.net import Net, Netns
from engine.linux.ops import Op
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.ip_args import raw_address
from engine.shell.tools.nettools_usage import USAGE
from engine.shell.tools.nettools_usage import USAGE as TEXTS

HEADS = (
    "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface",
    "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface",
    "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface    MSS   Window irtt",
)
REASONS = {
    "EEXIST": "File exists", "ENETUNREACH": "Network is unreachable", "ENODEV": "No such device",
    "ESRCH": "No such process", "EINVAL": "Invalid argument", "ENETDOWN": "Network is down",
}  # fmt: skip


def table(net: Net, netns: str, *, numeric: bool, form: int) -> str:
    """The table. `form` 0 is route's, 1 netstat -r's, 2 both (-ee)."""
    ns = net.spaces[netns]
    rows = [
        line(ns, row, numeric, form) for row in ns.tables[MAIN].routes() if row.type not in ("broadcast",)
    ]
    return "".join(text + "\n" for text in ("Kernel IP routing table", HEADS[form], *rows))


def line(ns: Netns, row: Route, numeric: bool, form: int) -> str:
    rejects = row.type in ("unreachable", "prohibit")
    flags = "!" if rejects else "U" + ("G" if row.gateway else "") + ("H" if row.dst.length == 32 else "")
    if rejects and row.dst.length == 32:
        flags = "!H"
    dst = "default" if row.dst == (0, 0) and not numeric else text4(row.dst.addr)
    gateway = "-" if rejects else text4(row.gateway)
    device = "-" if rejects else ns.links[row.oif].name if row.oif else "*"
    head = f"{dst:<15} {gateway:<15} {text4(mask(row.dst.length)):<15} "
    if form == 1:
        number = "-" if rejects else "0"
        return head + f"{flags:<6}{number:>5} {number:<5} {number:>6} {device}"
    body = f"{flags:<5} {row.metric:<6} {'-' if rejects else '0':<2} {0:>7} "
    if form == 0:
        return head + body + device
    number = "-" if rejects else "0"
    return head + body + f"{device:<8} {number:<5} {number:<6} {number}"


def usage() -> Fail:
    return Fail(USAGE["route"].rstrip("\n"), 3)


def inet_usage(first: str = "") -> Fail:
    return Fail((first + "\n" if first else "") + TEXTS["inet_route"].rstrip("\n"), 3)


def change(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> None:
    """`route add|del [-net|-host] TARGET ...`. Raises Fail as the tool ends."""
    action, words = argv[0], list(argv[1:])
    kind = ""
    if words and words[0] in ("-net", "-host"):
        kind = words.pop(0)
    if not words:
        raise inet_usage()
    target = words.pop(0)
    got: dict[str, int | str] = {"gateway": 0, "device": "", "metric": 0, "type": ""}
    netmask: int | None = None
    while words:
        word = words.pop(0)
        if word == "reject":
            got["type"] = "unreachable"
            continue
        if word in ("mod", "dyn", "reinstate"):
            raise NotModelled(f"route {action} {word}")
        if not words and word not in ("dev", "device", "gw", "netmask", "metric"):
            got["device"] = word
            continue
        if not words:
            raise inet_usage()
        value = words.pop(0)
        if word in ("gw", "gateway"):
            address = raw_address(value)
            if address is None:
                raise Fail(f"{value}: Host name lookup failure", 5)
            got["gateway"] = address
        elif word == "netmask":
            netmask = raw_address(value)
            if netmask is None or mask(netmask.bit_count()) != netmask:
                raise inet_usage(f"route: bogus netmask {value}")
        elif word == "metric":
            if not value.isdigit():
                raise inet_usage()
            got["metric"] = int(value)
        elif word in ("dev", "device"):
            got["device"] = value
        elif word in ("mss", "window", "irtt"):
            raise NotModelled(f"route {action} {word}")
        else:
            raise inet_usage()
    dst = destination(target, kind, netmask)
    ns = net.spaces[netns]
    call = "SIOCADDRT" if action == "add" else "SIOCDELRT"
    if got["device"] and ns.link(str(got["device"])) is None:
        raise Fail(f"{call}: No such device", 7)
    if action == "add" and not got["gateway"] and not got["device"] and not got["type"]:
        raise Fail("SIOCADDRT: No such device", 7)
    op: Op
    if action == "add":
        op = ops.AddRoute(
            netns=netns, dst=dst, gateway=int(got["gateway"]), device=str(got["device"]) if not got["type"] else "",
            metric=int(got["metric"]), type=str(got["type"]) or "unicast", mode="prepend",
        )  # fmt: skip
    else:
        op = ops.DelRoute(
            netns=netns, dst=dst, gateway=int(got["gateway"]), device=str(got["device"]), metric=int(got["metric"]),
            type=str(got["type"]),
        )  # fmt: skip
    try:
        do(op)
    except OpError as error:
        errno = "ENETUNREACH" if "invalid gateway" in error.tool_text else error.errno
        raise Fail(f"{call}: {REASONS[errno]}", 7) from error


def destination(target: str, kind: str, netmask: int | None) -> Prefix:
    if target == "default":
        return Prefix(0, 0)
    head, slash, tail = target.partition("/")
    address = raw_address(head)
    if address is None:
        raise Fail(f"{head}: Host name lookup failure", 5)
    if slash:
        if not tail.isdigit() or int(tail) > 32:
            raise inet_usage()
        length = int(tail)
    elif netmask is not None:
        length = netmask.bit_count()
    elif kind == "-net":
        raise NotModelled("route -net without a netmask (write TARGET/LENGTH)")
    else:
        length = 32
    if kind == "-host":
        length = 32
    if address & ~mask(length) & 0xFFFFFFFF:
        raise inet_usage("route: netmask doesn't match route address")
    return Prefix(address, length)


def run(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of `route ARGV...`. Raises NotModelled."""
    try:
        return perform(net, netns, argv, do), "", 0
    except Fail as fail:
        return fail.out.stdout, fail.out.stderr, fail.out.code


def perform(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> str:
    parsed = TOOL.parse(argv, permute=False)
    if "-h" in parsed:
        raise NotModelled("route --help")
    if not parsed.words:
        form = min(len(parsed.opts.get("-e", [])), 2)
        return table(net, netns, numeric="-n" in parsed, form=form)
    if parsed.words[0] in ("add", "del"):
        change(net, netns, parsed.words, do)
        return ""
    if parsed.words[0] == "flush":
        raise NotModelled("route flush")
    raise usage()


def _run(ctx: Context, argv: list[str]) -> Out:
    return Out(stdout=perform(ctx.net, ctx.ns.id, argv, ctx.do))


TOOL = Tool(
    name="route",
    summary=Phrase(
        en="shows and changes the main routing table in the old form (see ip route)",
        ko="메인 라우팅 테이블을 옛 형식으로 보고 바꿉니다 (ip route 참고)",
    ),
    run=_run,
    group="network",
    unknown=lambda tool, option: usage(),
    usage_code=3,
    usage=("route [-n] [-e]", "route add|del [-net|-host] TARGET[/LENGTH] [gw GATEWAY] [metric N] [dev DEV]"),
    opts=(
        Opt(("-n", "--numeric")),
        Opt(("-e", "--extend")),
        Opt(("-v", "--verbose")),
        Opt(("-4", "--inet")),
        Opt(("-h", "--help")),
        Opt(("-F", "--fib"), refused=True),
        Opt(("-C", "--cache"), refused=True),
        Opt(("-N", "--symbolic"), refused=True),
        Opt(("-6", "--inet6"), refused=True),
        Opt(("-V", "--version"), refused=True),
        Opt(("-A",), "AF", refused=True),
    ),
)

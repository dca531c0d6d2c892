"""`arp` of net-tools: the neighbours in the old form, and their changes by ioctl."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.linux import ops
from engine.linux.addr import mac_text, text4
from engine.linux.fib import SCOPES
from engine.linux.flow import FlowKey
from engine.linux.multipath import find
from engine.linux.net import Net
from engine.linux.ops import Op
from engine.linux.rows import Neighbour
from engine.linux.walk.timers import catch_up
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.ip_args import raw_address
from engine.shell.tools.nettools_usage import USAGE

HEAD = "Address                  HWtype  HWaddress           Flags Mask            Iface"


def host(word: str) -> int:
    address = raw_address(word) if word[:1].isdigit() else None
    if address is None:
        raise Fail(f"{word}: Host name lookup failure", 255)
    return address


def perform(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> str:
    """What `arp ARGV...` prints. Raises Fail, NotModelled."""
    parsed = TOOL.parse(argv)
    words = parsed.words
    if "-h" in parsed:
        raise NotModelled("arp --help")
    if "-s" in parsed:
        return put(net, netns, [*parsed.opts["-s"], *words] if parsed.last("-s") else words, do)
    if "-d" in parsed:
        return delete(net, netns, words, parsed.last("-i"), do)
    return show(
        net, netns, words[0] if words else "", parsed.last("-i"), bsd="-a" in parsed, verbose="-v" in parsed
    )


def show(net: Net, netns: str, wanted: str, device: str, *, bsd: bool, verbose: bool) -> str:
    ns = net.spaces[netns]
    address = host(wanted) if wanted else None
    catch_up(net, ns)
    # /proc/net/arp leaves out entries of state NOARP.
    entries = [
        r for r in sorted(ns.neighbours.values(), key=lambda r: (r.ifindex, r.ip)) if r.state != "NOARP"
    ]
    shown = [
        r for r in entries
        if (not device or ns.links[r.ifindex].name == device) and (address is None or r.ip == address)
    ]  # fmt: skip
    out = [HEAD] if shown and not bsd else []
    for row in shown:
        name = ns.links[row.ifindex].name
        known = bool(row.mac) and row.state not in ("INCOMPLETE", "FAILED")
        if bsd:
            hw = f"{mac_text(row.mac)} [ether]" if known else "<incomplete>"
            out.append(f"? ({text4(row.ip)}) at {hw} {'PERM ' if row.state == 'PERMANENT' else ''}on {name}")
        else:
            hw = f"{'ether':<8}{mac_text(row.mac):<20}" if known else f"{'':8}{'(incomplete)':<20}"
            flags = ("C" if known else "") + ("M" if row.state == "PERMANENT" else "")
            out.append(f"{text4(row.ip):<23}  {hw}{flags:<6}{'':15} {name}")
    if verbose:
        out.append(f"Entries: {len(entries)}\tSkipped: {len(entries) - len(shown)}\tFound: {len(shown)}")
    if entries and not shown:
        if address is not None and not bsd:
            out.append(f"{wanted} ({text4(address)}) -- no entry")
        else:
            out.append(f"arp: in {len(entries)} entries no match found.")
    return "".join(line + "\n" for line in out)


def put(net: Net, netns: str, words: list[str], do: Callable[[Op], None]) -> str:
    if not words:
        raise Fail("arp: need host name", 255)
    address = host(words[0])
    if len(words) < 2:
        raise Fail("arp: need hardware address", 255)
    parts = words[1].split(":")
    if len(parts) != 6 or not all(
        0 < len(p) <= 2 and all(c in "0123456789abcdefABCDEF" for c in p) for p in parts
    ):
        raise Fail("arp: invalid hardware address", 255)
    if len(words) > 2:
        raise NotModelled(f"arp -s ... {words[2]}")
    ns = net.spaces[netns]
    # The kernel looks for a route of scope link: an address behind a gateway has no place in the table.
    route = find(net, ns, FlowKey(dst=address, scope=SCOPES["link"])).route
    if route is None or not route.oif:
        raise Fail("SIOCSARP: Network is unreachable", 255)
    row = Neighbour(
        ifindex=0, ip=address, mac=int("".join(p.rjust(2, "0") for p in parts), 16), state="PERMANENT"
    )
    do(ops.SetNeighbour(netns=netns, device=ns.links[route.oif].name, neighbour=row))
    return ""


def delete(net: Net, netns: str, words: list[str], device: str, do: Callable[[Op], None]) -> str:
    if not words:
        raise Fail("arp: need host name", 255)
    address = host(words[0])
    ns = net.spaces[netns]
    for row in list(ns.neighbours.values()):
        if row.ip == address and (not device or ns.links[row.ifindex].name == device):
            do(ops.DelNeighbour(netns=netns, device=ns.links[row.ifindex].name, ip=address))
            return ""
    raise Fail(f"No ARP entry for {words[0]}", 255)


def run(net: Net, netns: str, argv: list[str], do: Callable[[Op], None]) -> tuple[str, str, int]:
    """(stdout, stderr, exit code) of `arp ARGV...`. Raises NotModelled."""
    try:
        return perform(net, netns, argv, do), "", 0
    except Fail as fail:
        return fail.out.stdout, fail.out.stderr, fail.out.code


def unknown(tool: Tool, option: str) -> Fail:
    kind = (
        f"unrecognized option '{option}'" if option.startswith("--") else f"invalid option -- '{option[1:]}'"
    )
    return Fail(f"arp: {kind}\n" + USAGE["arp"].rstrip("\n"), 3)


def _run(ctx: Context, argv: list[str]) -> Out:
    return Out(stdout=perform(ctx.net, ctx.ns.id, argv, ctx.do))


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] in ("-i", "--device"):
        return list(ctx.ns.names)
    return ["-n", "-an", "-d", "-s", "-i"] if word.startswith("-") else []


TOOL = Tool(
    name="arp",
    summary=Phrase(
        en="shows and changes the ARP table in the old form (see ip neigh)",
        ko="ARP 테이블을 옛 형식으로 보고 바꿉니다 (ip neigh 참고)",
    ),
    run=_run,
    complete=_complete,
    group="network",
    unknown=unknown,
    usage_code=3,
    usage=("arp [-n] [-v] [-a] [-i DEV] [ADDRESS]", "arp -d ADDRESS", "arp -s ADDRESS MAC"),
    opts=(
        Opt(("-n", "--numeric")),
        Opt(("-a", "--all")),
        Opt(("-e",)),
        Opt(("-v", "--verbose")),
        Opt(("-i", "--device"), "DEV"),
        Opt(("-d", "--delete")),
        Opt(("-s", "--set")),
        Opt(("-h", "--help")),
        Opt(("-f", "--file"), refused=True),
        Opt(("-D", "--use-device"), refused=True),
        Opt(("-H", "--hw-type"), refused=True),
        Opt(("-A", "-p", "--protocol"), refused=True),
        Opt(("-V", "--version"), refused=True),
    ),
)

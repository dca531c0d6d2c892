"""tcpdump: what passed a device, from what the lab's taps remember.

Theory. A tap sits before PREROUTING on the way in and after POSTROUTING on the way out. The lab stands still while a
command runs, so tcpdump looks back: it shows what has passed since it last looked in this namespace (the same packets
again when nothing new has come). `tcpdump ... & curl ...` shows what the curl causes.

Rules. The window is said in one line on stderr. Filters: engine/shell/pcapfilter.py; text: engine/shell/dissect.py.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from engine.errors import NotModelled
from engine.linux.clock import moment
from engine.linux.packet import Packet
from engine.linux.wire.encode import mss_of
from engine.linux.wire.pcapfile import COOKED
from engine.say import Phrase
from engine.shell.complete import devices
from engine.shell.dissect import Dissector
from engine.shell.names import lookup, name_of
from engine.shell.pcapfilter import FilterError, compile_filter
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool
from engine.shell.tools.tcpdump_file import NAMES, WAYS, packet_type, read, snaplen, write
from engine.shell.world import Seen

SINCE_START = Phrase(
    en="(tcpdump in the lab looks back: packets since the lab began)",
    ko="(tcpdump는 지나간 패킷을 보여 줍니다: 실습이 시작된 뒤의 패킷)",
)
SINCE_LAST = Phrase(
    en="(tcpdump in the lab looks back: packets since it last looked here, at {time})",
    ko="(tcpdump는 지나간 패킷을 보여 줍니다: 지난번에 본 {time} 뒤의 패킷)",
)
SAME_AGAIN = Phrase(
    en="(tcpdump in the lab looks back: nothing new has passed, so the same packets again)",
    ko="(tcpdump는 지나간 패킷을 보여 줍니다: 새로 지나간 것이 없어 같은 패킷을 다시 보여 줍니다)",
)


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv, permute=False)
    if "-D" in got:
        return Out(stdout=_list(ctx))
    count = got.last("-c")
    if count and (not count.isdigit() or int(count) < 1):
        raise Fail(f"tcpdump: invalid packet count {count}")
    length = snaplen(got.last("-s", "0"))
    if "-r" in got:
        return _from_file(ctx, got, count)
    device = got.last("-i") or _first(ctx)
    if device != "any" and device not in ctx.ns.names:
        raise Fail(f"tcpdump: {device}: No such device exists\n(No such device exists)")
    if device != "any" and not ctx.ns.links[ctx.ns.names[device]].up:
        raise Fail(f"tcpdump: {device}: That device is not up")

    test = _test(ctx, got.words)
    window, note = _window(ctx)
    way = got.last("-Q", "inout")
    if way not in ("in", "out", "inout"):
        raise Fail(f"tcpdump: unknown capture direction `{way}'")
    seen = [
        s for s in window
        if s.netns == ctx.spot.netns and device in ("any", s.device) and s.device in ctx.ns.names
        and way in ("inout", s.direction) and test(s.packet)
    ]  # fmt: skip
    shown = seen[: int(count)] if count else seen
    if "-w" in got:
        stdout = write(ctx, got.last("-w"), shown, device == "any", length)
        return _text(ctx, got, device, shown, len(seen), note, length=length, instead=stdout)
    return _text(ctx, got, device, shown, len(seen), note, length=length)


def _test(ctx: Context, words: list[str]) -> Callable[[Packet], bool]:
    """The filter as a function. Raises Fail with tcpdump's own words."""

    def resolve(name: str) -> int:
        found = lookup(ctx, name)
        if not found.address:
            raise FilterError(f"unknown host '{name}'")
        return found.address

    try:
        return compile_filter(words, resolve)
    except FilterError as error:
        said = str(error)
        head = "can't parse filter expression: " if said == "syntax error" else ""
        raise Fail(f"tcpdump: {head}{said}") from None


def _from_file(ctx: Context, got: Parsed, count: str) -> Out:
    """`-r FILE`: the packets of a capture file, which `-w` may write to another."""
    path = got.last("-r")
    found = read(ctx, path)
    test = _test(ctx, got.words)
    shown = [s for s in found.seen if test(s.packet)][: int(count) if count else None]
    named = "-" if path == "-" else path
    head = f"reading from file {named}, link-type {NAMES[found.linktype]}, snapshot length {found.length}\n"
    any_device = found.linktype == COOKED
    if "-w" in got:
        stdout = write(ctx, got.last("-w"), shown, any_device, found.length)
        return Out.mixed([("err", head), ("out", stdout)])
    dissector = Dissector(
        None if "-n" in got else lambda a: name_of(ctx, a),
        len(got.opts.get("-v", ())),
        "-q" in got,
        found.mss,
    )
    device = "any" if any_device else (found.seen[0].device if found.seen else "eth0")
    lines = "".join(_line(ctx, dissector, got, device, s) + "\n" for s in shown)
    return Out.mixed([("err", head), ("out", lines)])


def _first(ctx: Context) -> str:
    """The default device: the first one that is up and no loopback."""
    up = [link for _, link in sorted(ctx.ns.links.items()) if link.up and link.kind != "loopback"]
    if up:
        return up[0].name
    if any(link.up for link in ctx.ns.links.values()):
        return "lo"
    raise Fail("tcpdump: no suitable device found")


def _window(ctx: Context) -> tuple[list[Seen], str]:
    """The packets to look at, and the line that says which they are."""
    world = ctx.world
    if ctx.since >= 0:
        return world.since(ctx.since), ""
    key = f"{ctx.spot.box}/{ctx.spot.netns}"
    known = world.watched.get(key)
    now = world.position
    if known is None:
        world.watched[key] = (0, now, ctx.net.clock)
        return world.since(0), ctx.say(SINCE_START())
    start, end, time = known
    if now == end:
        return world.since(start), ctx.say(SAME_AGAIN())
    world.watched[key] = (end, now, ctx.net.clock)
    return world.since(end), ctx.say(SINCE_LAST(time=moment(time).strftime("%H:%M:%S")))


def _text(
    ctx: Context, got: Parsed, device: str, shown: list[Seen], total: int, note: str, *, length: int,
    instead: str | None = None,
) -> Out:  # fmt: skip
    """Everything that a capture prints; `instead` of the packets' lines when they go to a file."""
    verbose = "-v" in got
    names = None if "-n" in got else lambda address: name_of(ctx, address)
    mtu = 1500 if device == "any" else ctx.ns.links[ctx.ns.names[device]].mtu
    dissector = Dissector(names, len(got.opts.get("-v", ())), "-q" in got, mss_of(mtu))
    head = "tcpdump: data link type LINUX_SLL2\n" if device == "any" else ""
    if instead is None and not verbose:
        head += "tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n"
    link = "LINUX_SLL2 (Linux cooked v2)" if device == "any" else "EN10MB (Ethernet)"
    head += (
        "tcpdump: " if verbose or instead is not None else ""
    ) + f"listening on {device}, link-type {link}, snapshot length {length} bytes\n"
    lines = (
        "".join(_line(ctx, dissector, got, device, s) + "\n" for s in shown) if instead is None else instead
    )
    word = "packet" if len(shown) == 1 else "packets"
    tail = "" if "-c" in got and len(shown) == int(got.last("-c")) else "\n"
    tail += f"{len(shown)} {word} captured\n"
    tail += (
        f"{total} {'packet' if total == 1 else 'packets'} received by filter\n0 packets dropped by kernel\n"
    )
    return Out.mixed([("err", head), ("err", note), ("out", lines), ("err", tail)])


def _line(ctx: Context, dissector: Dissector, got: Parsed, device: str, seen: Seen) -> str:
    text = ""
    if "-t" not in got:
        text = f"{moment(seen.time).strftime('%H:%M:%S.%f')} "
    elif len(got.opts["-t"]) == 2:
        text = f"{(moment(seen.time) - datetime(1970, 1, 1)).total_seconds():.6f} "
    elif len(got.opts["-t"]) > 2:
        raise NotModelled("tcpdump -ttt")
    linked = "-e" in got
    if device == "any":
        link = ctx.ns.links[ctx.ns.names[seen.device]]
        text += f"{seen.device:<5} {WAYS[packet_type(seen, ctx.ns)]:<3} "
        text += dissector.cooked(seen.packet, link.ifindex) if linked else ""
    elif linked:
        text += dissector.link(seen.packet)
    return text + dissector.body(seen.packet, linked=linked, time=seen.time)


def _list(ctx: Context) -> str:
    """`-D`: the devices of this namespace; pseudo devices other than `any` are left out."""
    links = [link for _, link in sorted(ctx.ns.links.items())]
    rows = [f"{link.name} [Up, Running, Connected]" for link in links if link.up and link.kind != "loopback"]
    rows.append("any (Pseudo-device that captures on all interfaces) [Up, Running]")
    rows += [f"{link.name} [Up, Running, Loopback]" for link in links if link.up and link.kind == "loopback"]
    rows += [
        f"{link.name} [none]" if link.kind != "loopback" else f"{link.name} [Loopback]"
        for link in links
        if not link.up
    ]
    return "".join(f"{n}.{row}\n" for n, row in enumerate(rows, 1))


WORDS = (
    "and",
    "or",
    "not",
    "host",
    "net",
    "port",
    "src",
    "dst",
    "icmp",
    "arp",
    "tcp",
    "udp",
    "ip",
    "broadcast",
)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] in ("-i", "--interface"):
        return ["any", *devices(ctx)]
    return [] if word.startswith("-") else list(WORDS)


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


TOOL = Tool(
    name="tcpdump",
    summary=Phrase("the packets that passed a device", "장치를 지나간 패킷을 보여 줍니다"),
    run=_run,
    complete=_complete,
    group="packet",
    background=True,
    usage=(
        "tcpdump [-n] [-e] [-v] [-c COUNT] [-i DEV|any] [FILTER]",
        "tcpdump -n -i eth0 icmp & ping -c 1 10.0.0.5",
        "tcpdump -i eth0 -w a.pcap; tcpdump -n -r a.pcap; download a.pcap",
    ),
    opts=(
        _o("-i --interface", "DEV", "the device, or any", "장치 이름 또는 any"),
        _o("-n", "", "addresses and ports as numbers", "주소와 포트를 숫자로"),
        _o("-e", "", "the link header (MAC addresses)", "링크 헤더(MAC 주소)까지"),
        _o("-c", "COUNT", "stop after COUNT packets", "COUNT개 뒤에 멈춥니다"),
        _o("-v", "", "TTL, ids, flags of the IP header", "IP 헤더의 TTL, 식별자, 플래그까지"),
        _o("-q", "", "less", "짧게"),
        _o("-t", "", "no times (-tt: seconds)", "시각 없이(-tt: 초)"),
        _o("-Q", "WAY", "in, out or inout", "in, out 또는 inout"),
        _o("-D --list-interfaces", "", "the devices", "장치 목록"),
        _o("-l", "", "accepted", "받습니다"),
        _o("-U", "", "accepted", "받습니다"),
        _o("-p --no-promiscuous-mode", "", "accepted", "받습니다"),
        _o(
            "-s --snapshot-length", "BYTES", "keep so many bytes of each packet", "패킷마다 이만큼만 담습니다"
        ),
        _o(
            "-w",
            "FILE",
            "write the packets to a file (`download FILE` takes it out)",
            "패킷을 파일에 씁니다(`download 파일`로 꺼냅니다)",
        ),
        _o("-r", "FILE", "read them from a file", "파일에서 읽습니다"),
        *(Opt((f"-{c}",), refused=True) for c in "AXxLSKNObdfIJhHR"),
        *(Opt((f"-{c}",), "X", refused=True) for c in "CGFWyEzZjMTVB"),
    ),
    notes=Phrase(
        en="Filters: [tcp|udp|icmp|arp|ip] [src|dst] [host|net|port|portrange] VALUE, joined by and, or, not, ( ). "
        "`download FILE` takes a written file out of the lab, for Wireshark.",
        ko="필터: [tcp|udp|icmp|arp|ip] [src|dst] [host|net|port|portrange] 값을 and, or, not, ( )로 잇습니다. "
        "파일로 쓴 것은 `download 파일`로 꺼내어 Wireshark로 열 수 있습니다.",
    ),
)

"""`ss` of iproute2 6.1: TCP and UDP sockets with their processes. Source: iproute2 6.1 misc/ss.c, ssfilter.y.

Rules. The model holds listening and bound sockets of TCP and UDP over IPv4, and the connections that a cluster's own
programs keep open; sockets of other families are none, so that a listing without -t or -u shows these two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import NotModelled
from engine.linux.addr import NO_IPV6
from engine.linux.net import Net, Netns
from engine.linux.rows import Socket
from engine.linux.text.services import port_number
from engine.linux.text.socket import COLUMNS, Shown, cells, listed, render
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.ip_args import raw_address
from engine.shell.tools.nettools_usage import USAGE

Test = Callable[[Shown], bool]
VERSION = "ss utility, iproute2-6.1.0\n"
#: words after `state`: which of ss's states they mean, in our rows' words; "" = none of ours
STATES = {
    "listening": {"LISTEN"}, "listen": {"LISTEN"}, "unconnected": {"UNCONN"}, "closed": {"UNCONN"},
    "established": {"ESTAB"}, "estab": {"ESTAB"}, "connected": {"ESTAB"}, "synchronized": {"ESTAB"},
    "all": {"LISTEN", "UNCONN", "ESTAB"}, "bucket": set[str](), "big": {"ESTAB", "LISTEN", "UNCONN"},
    "syn-sent": set[str](), "syn-recv": set[str](), "fin-wait-1": set[str](), "fin-wait-2": set[str](),
    "time-wait": set[str](), "close-wait": set[str](), "last-ack": set[str](), "closing": set[str](),
}  # fmt: skip
#: words that name one state alone, so that its column is not printed
SINGLE = set(STATES) - {"all", "bucket", "big", "connected", "synchronized"}
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "=": int.__eq__, "==": int.__eq__, "eq": int.__eq__, "!=": int.__ne__, "ne": int.__ne__, "neq": int.__ne__,
    ">=": int.__ge__, "ge": int.__ge__, "geq": int.__ge__, "<=": int.__le__, "le": int.__le__, "leq": int.__le__,
    ">": int.__gt__, "gt": int.__gt__, "<": int.__lt__, "lt": int.__lt__,
}  # fmt: skip


class Expression:
    """The filter language of ss: sport, dport, src, dst, and, or, not, parentheses."""

    def __init__(self, words: list[str]) -> None:
        text = " ".join(words)
        for mark in ("(", ")"):
            text = text.replace(mark, f" {mark} ")
        self.words = text.split()
        self.at = 0

    def now(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self) -> str:
        word = self.now()
        if not word:
            raise bad_filter('ss: bison bellows (while parsing filter): "syntax error!"')
        self.at += 1
        return word

    def whole(self) -> Test:
        if not self.words:
            return lambda row: True
        test = self.either()
        if self.now():
            raise bad_filter('ss: bison bellows (while parsing filter): "syntax error!"')
        return test

    def either(self) -> Test:
        left = self.both()
        while self.now() in ("or", "|", "||"):
            self.take()
            right, before = self.both(), left
            left = lambda row, a=before, b=right: a(row) or b(row)  # type: ignore[misc]  # noqa: E731
        return left

    def both(self) -> Test:
        left = self.one()
        while self.now() in ("and", "&", "&&") or self.now() in (
            "sport",
            "dport",
            "src",
            "dst",
            "not",
            "!",
            "(",
        ):
            if self.now() in ("and", "&", "&&"):
                self.take()
            right, before = self.one(), left
            left = lambda row, a=before, b=right: a(row) and b(row)  # type: ignore[misc]  # noqa: E731
        return left

    def one(self) -> Test:
        word = self.take()
        if word == "(":
            inner = self.either()
            if self.take() != ")":
                raise bad_filter('ss: bison bellows (while parsing filter): "syntax error!"')
            return inner
        if word in ("not", "!"):
            inner = self.one()
            return lambda row: not inner(row)
        if word in ("sport", "dport"):
            compare = COMPARE.get(self.now())
            if compare is not None:
                self.take()
            port = self.port(self.take().removeprefix(":"))
            test = compare or int.__eq__
            return lambda row: test(row.socket.port if word == "sport" else row.socket.peer[1], port)
        if word in ("src", "dst"):
            if self.now() in ("=", "==", "eq"):
                self.take()
            return self.host(self.take(), word)
        if word in ("dev", "fwmark", "cgroup", "autobound"):
            raise NotModelled(f"{word} in a filter of ss")
        raise bad_filter('ss: bison bellows (while parsing filter): "syntax error!"')

    def port(self, word: str) -> int:
        number = port_number(word)
        if number is None:
            raise bad_filter(f'Error: "{word}" does not look like a port.')
        return number

    def host(self, word: str, side: str) -> Test:
        address, colon, port = word.partition(":")
        head, slash, length = address.partition("/")
        value = raw_address(head) if head not in ("", "*") else 0
        bits = int(length) if slash and length.isdigit() else (32 if head not in ("", "*") else 0)
        if value is None or bits > 32:
            raise bad_filter(f'Error: an inet prefix is expected rather than "{address}".')
        number = self.port(port) if colon and port not in ("", "*") else None
        cut = 32 - bits
        if side == "dst":
            return lambda row: (
                row.socket.peer[0] >> cut == value >> cut and number in (None, row.socket.peer[1])
            )
        return lambda row: row.socket.addr >> cut == value >> cut and number in (None, row.socket.port)


def bad_filter(text: str) -> Fail:
    return Fail(f"{text} Sorry.\n" + USAGE["ss"].rstrip("\n") if "bison" in text else text, 255)


def table(
    net: Net,
    netns: str,
    argv: list[str],
    screen: int | None = None,
    standing: Callable[[Netns], Sequence[Socket]] = lambda ns: (),
) -> str:
    """What `ss ARGV...` prints; `standing` gives the open connections of a namespace. Raises Fail, NotModelled."""
    parsed = TOOL.parse(argv)
    if "-V" in parsed:
        raise Fail("", 0, VERSION)
    if "-h" in parsed:
        raise Fail("", 0, USAGE["ss"])
    if "-Z" in parsed:
        raise Fail("ss: SELinux is not enabled.", 1)
    if "-N" in parsed:
        names = net.boxes[net.spaces[netns].box].netns_names
        name = parsed.last("-N")
        if name not in names:
            raise Fail(f'Cannot open network namespace "{name}": No such file or directory', 1)
        netns = names[name]
    protos = {p for p, o in (("tcp", "-t"), ("udp", "-u")) if o in parsed}
    words = list(parsed.words)
    states: set[str] = set()
    lone = False
    while words and words[0] in ("state", "exclude", "excl"):
        word = words.pop(0)
        if word != "state":
            raise NotModelled("ss exclude")
        if not words:
            raise Fail('Command line is not complete. Try option "help"', 255)
        state = words.pop(0)
        if state not in STATES:
            raise Fail(f"ss: wrong state name: {state}", 255)
        lone = not states and state in SINGLE
        states |= STATES[state]
    given = bool(states) or lone
    wide = not protos
    protos = protos or {"tcp", "udp"}
    if not given:
        if "-a" in parsed:
            states = {"LISTEN", "UNCONN", "ESTAB"}
        elif "-l" in parsed:
            states = {"LISTEN", "UNCONN"}
        else:
            states = {"ESTAB"}
            lone = protos == {"udp"}
    test = Expression(words).whole()
    rows = [
        cells(row, numeric="-n" in parsed, processes="-p" in parsed)
        for row in listed(net, net.spaces[netns], standing(net.spaces[netns]))
        if row.socket.proto in protos and row.socket.state in states and test(row)
    ]
    header = [[name for name, _, _ in COLUMNS]] if "-H" not in parsed else []
    hidden = ([] if wide or len(protos) > 1 else [0]) + ([1] if lone else [])
    return render([*header, *rows], hidden=hidden, screen=screen)


def unknown(tool: Tool, option: str) -> Fail:
    kind = (
        f"unrecognized option '{option}'" if option.startswith("--") else f"invalid option -- '{option[1:]}'"
    )
    return Fail(f"ss: {kind}\n" + USAGE["ss"].rstrip("\n"), 255)


def _run(ctx: Context, argv: list[str]) -> Out:
    screen = ctx.columns if ctx.to_terminal else None
    return Out(stdout=table(ctx.net, ctx.ns.id, argv, screen, ctx.world.standing))


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    return (
        ["-ltnp", "-lunp", "-tulpn", "-tan", "-s"]
        if word.startswith("-")
        else ["state", "sport", "dport", "src"]
    )


def refused(*names: str, value: str = "") -> Opt:
    return Opt(names, value, refused=True)


TOOL = Tool(
    name="ss",
    summary=Phrase(
        en="shows sockets: who listens where, and which process it is",
        ko="소켓을 보여 줍니다. 어느 프로세스가 어디에서 수신 대기하는지 알 수 있습니다",
    ),
    run=_run,
    complete=_complete,
    group="network",
    unknown=unknown,
    usage_code=255,
    usage=("ss [-l] [-a] [-t] [-u] [-n] [-p] [-4] [-H] [-N NETNS] [state STATE] ['sport = :80']",),
    opts=(
        Opt(("-n", "--numeric"), help=Phrase("numbers, not names", "이름 대신 숫자로")),
        Opt(("-a", "--all"), help=Phrase("all sockets", "모든 소켓")),
        Opt(("-l", "--listening"), help=Phrase("listening sockets", "수신 대기(listen) 소켓")),
        Opt(("-p", "--processes"), help=Phrase("with their processes", "프로세스도 함께")),
        Opt(("-t", "--tcp"), help=Phrase("TCP", "TCP")),
        Opt(("-u", "--udp"), help=Phrase("UDP", "UDP")),
        Opt(("-4", "--ipv4"), help=Phrase("IPv4", "IPv4")),
        Opt(("-H", "--no-header"), help=Phrase("no header", "머리줄 없이")),
        Opt(("-O", "--oneline")),
        Opt(("-N", "--net"), "NETNS", help=Phrase("in another namespace", "다른 네임스페이스에서")),
        Opt(("-V", "--version")),
        Opt(("-h", "--help")),
        Opt(("-Z", "--context")),
        *(
            refused(*names)
            for names in (
                ("-r", "--resolve"), ("-o", "--options"), ("-e", "--extended"), ("-m", "--memory"), ("-T", "--threads"),
                ("-i", "--info"), ("--tipcinfo",), ("-s", "--summary"), ("--tos",), ("--cgroup",), ("-b", "--bpf"),
                ("-E", "--events"), ("-z", "--contexts"), ("-6", "--ipv6"), ("-0", "--packet"), ("-M", "--mptcp"),
                ("-S", "--sctp"), ("-d", "--dccp"), ("-w", "--raw"), ("-x", "--unix"), ("--tipc",), ("--vsock",),
                ("--xdp",), ("-K", "--kill"), ("--inet-sockopt",),
            )
        ),
        refused("-f", "--family", value="FAMILY"),
        refused("-A", "--query", value="QUERY"),
        refused("--socket", value="QUERY"),
        refused("-D", "--diag", value="FILE"),
        refused("-F", "--filter", value="FILE"),
    ),
)  # fmt: skip

__all__ = ["NO_IPV6", "TOOL", "table"]

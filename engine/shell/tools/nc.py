"""nc: OpenBSD's on machines, busybox's in images built on it. Connect, scan, send a line, or start a listener.

Theory. A client's input is what was piped into it; a terminal has none. A listener would hold the terminal;
here it goes
to the background at once, with & or without, and says its process id.

Rules. What a listener receives is not kept. Texts: tests/golden/shell/nc.txt (netcat-openbsd 1.219), busybox.txt.
"""

from __future__ import annotations

import re

from engine.errors import OpError
from engine.l7.serve import serve
from engine.linux.addr import text4
from engine.linux.exchange import Call, tcp_call, udp_call
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.packet import Payload
from engine.linux.text.services import any_port, service
from engine.say import Phrase
from engine.shell.complete import addresses
from engine.shell.names import Found, lookup
from engine.shell.servers import start
from engine.shell.sockets import errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool

USAGE = (
    "usage: nc [-46CDdFhklNnrStUuvZz] [-I length] [-i interval] [-M ttl]",
    "	  [-m minttl] [-O length] [-P proxy_username] [-p source_port]",
    "	  [-q seconds] [-s sourceaddr] [-T keyword] [-V rtable] [-W recvlimit]",
    "	  [-w timeout] [-X proxy_protocol] [-x proxy_address[:port]]",
    "	  [destination] [port]",
)
BUSYBOX_USAGE = """\
BusyBox v1.36.1 () multi-call binary.

Usage: nc [-iN] [-wN] [-l] [-p PORT] [-f FILE|IPADDR PORT] [-e PROG]

Open a pipe to IP:PORT or FILE

	-l	Listen mode, for inbound connects
		(use -ll with -e for persistent server)
	-p PORT	Local port
	-w SEC	Connect timeout
	-i SEC	Delay interval for lines sent
	-f FILE	Use file (ala /dev/ttyS0) instead of network
	-e PROG	Run PROG after connect"""
ONE_LINE = 4096


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    words = got.words
    if "-l" in got:
        return _listen(ctx, got, argv)
    if not words or (len(words) == 1 and ctx.busybox):
        raise Fail(BUSYBOX_USAGE if ctx.busybox else "\n".join(USAGE))
    if len(words) == 1:
        raise Fail("nc: missing port number")
    if len(words) > 2:
        raise Fail(BUSYBOX_USAGE if ctx.busybox else "\n".join(USAGE))
    ports = _ports(words[1])
    timeout = _timeout(got)
    found = lookup(ctx, words[0])
    legs: list[Leg] = list(found.legs)
    if not found.address:
        if ctx.busybox:
            text = f"nc: bad address '{words[0]}'\n"
        else:
            text = f'nc: getaddrinfo for host "{words[0]}" port {words[1]}: {found.error}\n'
        return Out(stderr=text, code=1, journeys=_journey(ctx, legs, Outcome.NAME_NOT_FOUND))
    texts: list[tuple[str, str]] = []
    good = False
    outcome = Outcome.DELIVERED
    for port in ports:
        call = _call(ctx, got, found, port, timeout)
        legs += call.legs
        outcome = call.outcome
        ok, more = _said(ctx, got, words[0], found, port, call, timeout)
        good = good or ok
        texts += more
    return Out.mixed(texts, int(not good), _journey(ctx, legs, outcome))


def _ports(word: str) -> list[int]:
    low, dash, high = word.partition("-")
    numbers = []
    for one in (low, high) if dash else (low,):
        number = any_port(one)
        if number is None:
            raise Fail(f"nc: port number invalid: {one}")
        if number > 65535:
            raise Fail(f"nc: port number too large: {one}")
        if number == 0:
            raise Fail(f"nc: port number too small: {one}")
        numbers.append(number)
    if numbers[-1] - numbers[0] > 1000:
        raise Fail("nc: the lab scans at most 1000 ports at once", 2)
    return (
        list(range(numbers[0], numbers[-1] + 1))
        if numbers[0] <= numbers[-1]
        else list(range(numbers[-1], numbers[0] + 1))
    )


def _timeout(got: Parsed) -> float:
    word = got.last("-w", "0")
    if not re.fullmatch(r"\d+", word):
        raise Fail(f"nc: timeout invalid: {word}")
    return float(word)


def _call(ctx: Context, got: Parsed, found: Found, port: int, timeout: float) -> Call:
    text = "" if ctx.tty or "-z" in got else ctx.stdin[:ONE_LINE]
    source = _source(ctx, got)
    sport = got.last("-p", "0")
    if not sport.isdigit() or int(sport) > 65535:
        raise Fail(f"nc: port number invalid: {sport}")
    data = Payload(protocol=_protocol(text), text=text, size=len(text.encode())) if text else None
    if "-u" in got:
        probe = data or Payload(protocol="text", text="X", size=1)
        return udp_call(
            ctx.net, ctx.spot.netns, found.address, port, choose=ctx.world.choose, request=probe, sport=int(sport),
            source=source, timeout=timeout or 1.0, serve=serve, who="nc",
            purpose=f"nc -u {text4(found.address)} {port}",
        )  # fmt: skip
    return tcp_call(
        ctx.net, ctx.spot.netns, found.address, port, choose=ctx.world.choose, request=data, sport=int(sport),
        source=source, timeout=timeout, serve=serve, purpose=f"nc {text4(found.address)} {port}", who="nc",
    )  # fmt: skip


def _protocol(text: str) -> str:
    return "http" if re.match(r"(GET|HEAD|POST|PUT|DELETE) \S+ HTTP/", text) else "text"


def _source(ctx: Context, got: Parsed) -> int:
    if "-s" not in got:
        return 0
    found = lookup(ctx, got.last("-s"))
    if not found.address or not ctx.ns.owns(found.address):
        raise Fail("nc: bind failed: Cannot assign requested address")
    return found.address


def _journey(ctx: Context, legs: list[Leg], outcome: Outcome) -> tuple[Journey, ...]:
    return (
        (Journey(act=ctx.line, outcome=outcome, legs=tuple(legs), started=legs[0].started),) if legs else ()
    )


def _said(
    ctx: Context, got: Parsed, host: str, found: Found, port: int, call: Call, timeout: float
) -> tuple[bool, list[tuple[str, str]]]:
    """(did it work, what is printed) for one port."""
    proto = "udp" if "-u" in got else "tcp"
    reached = not call.error or call.server is not None
    if proto == "udp":
        reached = call.error != "ECONNREFUSED" and not (call.error and call.error != "ETIMEDOUT")
    received = call.response.text if call.response is not None and "-z" not in got else ""
    if ctx.busybox:
        return _busybox(ctx, got, host, found, port, call, reached, received)
    if not reached:
        if "-v" not in got or proto == "udp":
            return False, []
        if timeout and (call.error == "ETIMEDOUT" or call.seconds > timeout):
            text = f"nc: connect to {host} port {port} (tcp) timed out: Operation now in progress\n"
        else:
            text = f"nc: connect to {host} port {port} (tcp) failed: {errno_text(call.error)}\n"
        return False, [("err", text)]
    texts: list[tuple[str, str]] = []
    if "-v" in got:
        name = "*" if "-n" in got or service(port, proto) == str(port) else service(port, proto)
        shown = host if found.literal else f"{host} ({text4(found.address)})"
        texts.append(("err", f"Connection to {shown} {port} port [{proto}/{name}] succeeded!\n"))
    texts.append(("out", received))
    return True, texts


def _busybox(
    ctx: Context, got: Parsed, host: str, found: Found, port: int, call: Call, reached: bool, received: str
) -> tuple[bool, list[tuple[str, str]]]:
    """busybox's larger nc (nc_bloaty.c): silent without -v, and refusals only with -vv."""
    where = f"{host} ({text4(found.address)}:{port})"
    loud = len(got.opts.get("-v", []))
    if reached:
        return True, [("err", f"{where} open\n" if loud else ""), ("out", received)]
    if loud > 1 or (loud and call.error != "ECONNREFUSED"):
        return False, [("err", f"nc: {where}: {errno_text(call.error)}\n")]
    return False, []


def _listen(ctx: Context, got: Parsed, argv: list[str]) -> Out:
    words = list(got.words)
    port_word = got.last("-p") or (words.pop() if words else "")
    if not port_word:
        raise Fail(BUSYBOX_USAGE if ctx.busybox else "\n".join(USAGE))
    if not port_word.isdigit() or not 0 < int(port_word) < 65536:
        raise Fail(f"nc: port number invalid: {port_word}")
    address = 0
    host = got.last("-s") or (words[0] if words else "")
    if host:
        found = lookup(ctx, host)
        if not found.address:
            raise Fail(f'nc: getaddrinfo for host "{host}" port {port_word}: {found.error}')
        address = found.address
    proto = "udp" if "-u" in got else "tcp"
    try:
        return start(ctx, ("nc", *argv), proto, int(port_word), address=address, program="sink")
    except OpError as error:
        said = f"bind: {errno_text(error.errno)}" if ctx.busybox else errno_text(error.errno)
        raise Fail(f"nc: {said}") from None


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    return [] if word.startswith("-") else addresses(ctx)


def _o(name: str, value: str, en: str, ko: str) -> Opt:
    return Opt((name,), value, Phrase(en, ko))


TOOL = Tool(
    name="nc",
    summary=Phrase("open a TCP or UDP connection, or listen", "TCP/UDP로 연결하거나 포트를 엽니다"),
    run=_run,
    complete=_complete,
    group="packet",
    background=True,
    usage=("nc -zv HOST PORT[-PORT]", "echo hi | nc [-u] [-w SECONDS] HOST PORT", "nc -l[k] [-u] -p PORT &"),
    opts=(
        _o("-z", "", "only connect, send nothing", "연결만 하고 아무것도 보내지 않습니다"),
        _o("-v", "", "say what happens", "무슨 일이 있는지 말합니다"),
        _o("-w", "SECONDS", "give up after so many seconds", "이 시간이 지나면 포기합니다"),
        _o("-u", "", "UDP", "UDP"),
        _o("-n", "", "no names", "이름을 찾지 않습니다"),
        _o("-l", "", "listen (in the background)", "포트를 엽니다(백그라운드)"),
        _o("-k", "", "keep listening", "계속 엽니다"),
        _o("-p", "PORT", "the local port", "내 쪽 포트"),
        _o("-s", "ADDRESS", "the local address", "내 쪽 주소"),
        _o("-N", "", "close after the input", "입력이 끝나면 닫습니다"),
        _o("-4", "", "IPv4", "IPv4"),
        _o("-q", "SECONDS", "accepted", "받습니다"),
        *(Opt((f"-{c}",), refused=True) for c in "6CDdFhrStUZ"),
        *(Opt((f"-{c}",), "X", refused=True) for c in "IiMmOPTVWXxef"),
    ),
    after_unknown=USAGE,
)

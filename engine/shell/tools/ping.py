"""ping: iputils' on machines, busybox's in images built on it.

Theory. Before the first echo request ping connects a socket, so a missing route shows at once as `connect:`; what
happens later comes as ICMP errors (`From X icmp_seq=N ...`) or not at all. An unresolved neighbour holds the
requests of about three seconds and then fails them together.

Rules. The clock is virtual; round-trip times are made up from the number of devices on the way, always the same.
Without -c a real ping runs until Ctrl+C; here it stops after four and says so.
Sources: iputils 20221126 ping.c, ping_common.c; busybox 1.35 networking/ping.c; tests/golden/shell/ping*.txt.
"""

from __future__ import annotations

import re
from dataclasses import field

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.exchange import Call, ping_call
from engine.linux.journey import Journey, Leg, Outcome, StepKind
from engine.linux.ops import Advance
from engine.linux.packet import Icmp
from engine.linux.walk.routing import find_route
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.complete import addresses, devices
from engine.shell.names import Found, lookup, name_of
from engine.shell.sockets import connect_error, errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool

STOPPED = Phrase(
    en="(a real ping runs until Ctrl+C; the lab's stops after 4, `-c N` asks for N)",
    ko="(진짜 ping은 Ctrl+C까지 계속됩니다. 여기서는 4번 뒤에 멈추고, `-c N`으로 횟수를 정합니다)",
)
DEFAULT_COUNT = 4
MOST = 1000
#: How long ping waits for the last reply, in seconds (MAXWAIT).
LINGER = 10.0
#: An unresolved neighbour fails its queue after three unanswered requests (facts 10 section 1.4).
RESOLUTION = 3.07

UNREACHABLE = {
    0: "Destination Net Unreachable", 1: "Destination Host Unreachable", 2: "Destination Protocol Unreachable",
    3: "Destination Port Unreachable", 5: "Source Route Failed", 6: "Destination Net Unknown",
    7: "Destination Host Unknown", 9: "Destination Net Prohibited", 10: "Destination Host Prohibited",
    13: "Packet filtered",
}  # fmt: skip

USAGE = """\
Usage
  ping [options] <destination>

Options:
  <destination>      dns name or ip address
  -a                 use audible ping
  -A                 use adaptive ping
  -B                 sticky source address
  -c <count>         stop after <count> replies
  -C                 call connect() syscall on socket creation
  -D                 print timestamps
  -d                 use SO_DEBUG socket option
  -e <identifier>    define identifier for ping session, default is random for
                     SOCK_RAW and kernel defined for SOCK_DGRAM
                     Imply using SOCK_RAW (for IPv4 only for identifier 0)
  -f                 flood ping
  -h                 print help and exit
  -I <interface>     either interface name or address
  -i <interval>      seconds between sending each packet
  -L                 suppress loopback of multicast packets
  -l <preload>       send <preload> number of packages while waiting replies
  -m <mark>          tag the packets going out
  -M <pmtud opt>     define mtu discovery, can be one of <do|dont|want>
  -n                 no dns name resolution
  -O                 report outstanding replies
  -p <pattern>       contents of padding byte
  -q                 quiet output
  -Q <tclass>        use quality of service <tclass> bits
  -s <size>          use <size> as number of data bytes to be sent
  -S <size>          use <size> as SO_SNDBUF socket option value
  -t <ttl>           define time to live
  -U                 print user-to-user latency
  -v                 verbose output
  -V                 print version and exit
  -w <deadline>      reply wait <deadline> in seconds
  -W <timeout>       time to wait for response

IPv4 options:
  -4                 use IPv4
  -b                 allow pinging broadcast
  -R                 record route
  -T <timestamp>     define timestamp, can be one of <tsonly|tsandaddr|tsprespec>

IPv6 options:
  -6                 use IPv6
  -F <flowlabel>     define flow label, default is random
  -N <nodeinfo opt>  use icmp6 node info query, try <help> as argument

For more details see ping(8)."""


@dataclass(slots=True)
class Plan:
    """What was asked for. `count` 0 = until Ctrl+C; `wait` after the last request, `deadline` for all, in seconds."""

    target: str
    count: int = 0
    interval: float = 1.0
    wait: float = LINGER
    deadline: float = 0.0
    size: int = 56
    ttl: int = 0
    df: bool = True
    strict: bool = False
    quiet: bool = False
    numeric: bool = False
    source: int = 0
    bound: str = ""


@dataclass(slots=True)
class Echo:
    """One request: when it was sent, when something came back (inf: nothing), and the call."""

    seq: int
    sent: float
    back: float
    call: Call


@dataclass(slots=True)
class Run:
    echoes: list[Echo] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)


def _number(word: str, low: int, high: int) -> int:
    if not re.fullmatch(r"-?\d+", word):
        raise Fail(f"ping: invalid argument: '{word}'")
    if not low <= int(word) <= high:
        raise Fail(f"ping: invalid argument: '{word}': out of range: {low} <= value <= {high}")
    return int(word)


def _seconds(word: str) -> float:
    match = re.match(r"\d+(\.\d+)?", word)
    if match is None or match.group(0) != word:
        raise Fail(
            f"ping: option argument contains garbage: {word}\nping: this will become fatal error in the future",
            2,
        )
    return float(word)


def _plan(ctx: Context, got: Parsed) -> Plan:
    plan = Plan("")
    if "-c" in got:
        plan.count = _number(got.last("-c"), 1, 9223372036854775807)
    if "-t" in got:
        plan.ttl = _number(got.last("-t"), 0, 255)
    if "-s" in got:
        plan.size = _number(got.last("-s"), 0, 127992)
    if "-i" in got:
        plan.interval = _seconds(got.last("-i"))
    if "-W" in got:
        plan.wait = _seconds(got.last("-W"))
    if "-w" in got:
        plan.deadline = float(_number(got.last("-w"), 0, 2147483647))
    if "-M" in got:
        how = got.last("-M")
        if how not in ("do", "dont", "want"):
            raise Fail(f"ping: invalid -M argument: {how}", 2)
        plan.df, plan.strict = how != "dont", how == "do"
    plan.quiet, plan.numeric = "-q" in got, "-n" in got
    if "-I" in got:
        _source(ctx, plan, got.last("-I"))
    if not got.words:
        raise Fail("ping: usage error: Destination address required")
    if len(got.words) > 1:
        raise NotModelled("ping HOP... DESTINATION")
    plan.target = got.words[0]
    return plan


def _source(ctx: Context, plan: Plan, word: str) -> None:
    found = lookup(ctx, word) if word.count(".") == 3 else Found()
    if found.address:
        if not ctx.ns.owns(found.address):
            raise Fail("ping: bind: Cannot assign requested address", 2)
        plan.source = found.address
    elif word in ctx.ns.names:
        plan.bound = word
    else:
        raise Fail(f"ping: SO_BINDTODEVICE {word}: No such device", 2)


def _run(ctx: Context, argv: list[str]) -> Out:
    if ctx.busybox:
        from engine.shell.tools.busyping import run as busybox_run

        return busybox_run(ctx, argv)
    plan = _plan(ctx, TOOL.parse(argv))
    found = lookup(ctx, plan.target)
    if not found.address:
        text = f"ping: {plan.target}: {found.error}\n"
        return Out(stderr=text, code=2, journeys=journey(ctx, list(found.legs), Outcome.NAME_NOT_FOUND))
    error = connect_error(ctx, found.address, plan.bound)
    if error is not None:
        words = errno_text(error)
        if error == "EACCES":
            text = "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n"
        else:
            text = f"ping: connect: {words}\n"
        call = (
            echo(ctx, plan, found.address, 1, 0) if error != "EACCES" or ctx.ns.owns(found.address) else None
        )
        legs = [*found.legs, *(call.legs if call is not None else ())]
        return Out(
            stderr=text, code=2, journeys=journey(ctx, legs, call.outcome if call else Outcome.REJECTED)
        )
    run = send(ctx, plan, found)
    return _report(ctx, plan, found, run)


def fits(ctx: Context, plan: Plan, dst: int) -> bool:
    """Does the request leave in one piece? Without `-M do` a larger one is cut and carries no DF."""
    route = find_route(ctx.net, ctx.ns, dst, src=plan.source, oif=plan.bound).route
    if route is None or route.oif not in ctx.ns.links:
        return True
    known = ctx.ns.path_mtus.get(dst)
    mtu = route.mtu or (ctx.ns.links[1] if route.type == "local" else ctx.ns.links[route.oif]).mtu
    return plan.size + 28 <= min(mtu, known[0] if known is not None else mtu)


def echo(ctx: Context, plan: Plan, dst: int, seq: int, ident: int) -> Call:
    return ping_call(
        ctx.net, ctx.spot.netns, dst, choose=ctx.world.choose, ident=ident, seq=seq, size=plan.size, ttl=plan.ttl,
        df=plan.df and (plan.strict or fits(ctx, plan, dst)), source=plan.source, bound=plan.bound,
        timeout=min(plan.wait, 1.0),
    )  # fmt: skip


def journey(ctx: Context, legs: list[Leg], outcome: Outcome) -> tuple[Journey, ...]:
    if not legs:
        return ()
    return (Journey(act=ctx.line, outcome=outcome, legs=tuple(legs), started=legs[0].started),)


def send(ctx: Context, plan: Plan, found: Found) -> Run:
    """Send the requests, one an interval, until the count or the deadline."""
    run = Run(legs=list(found.legs))
    ident = 0
    count = plan.count or (MOST if plan.deadline else DEFAULT_COUNT)
    group = -10.0
    at = 0.0
    for seq in range(1, min(count, MOST) + 1):
        if plan.deadline and at >= plan.deadline:
            break
        began = ctx.net.clock
        call = echo(ctx, plan, found.address, seq, ident)
        ident = call.sock[1]
        run.legs += call.legs
        back = at + call.seconds
        if call.outcome is Outcome.UNRESOLVED_NEIGHBOUR and call.error != "ETIMEDOUT":
            if at >= group + RESOLUTION:
                group = at
            back = group + RESOLUTION
        elif not answered(call):
            back = float("inf")
        run.echoes.append(Echo(seq, at, back, call))
        spent = ctx.net.clock - began
        if spent < plan.interval:
            ctx.do(Advance(seconds=plan.interval - spent))
        at += plan.interval
    return run


def answered(call: Call) -> bool:
    """Did anything come back to the sender: the reply, an ICMP error, or an errno of its own kernel?"""
    return call.icmp is not None or call.error not in ("", "ETIMEDOUT")


def milliseconds(call: Call, seq: int) -> float:
    """A round-trip time that is made up: the devices passed, the first one slower, a little wobble."""
    hops = sum(
        1 for w in call.leg.walks() for s in w.steps() if s.kind in (StepKind.TRANSMIT, StepKind.RECEIVE)
    )
    first = 0.04 + 0.1 * any(s.aside for s in call.leg.forward.steps()) if seq == 1 else 0.0
    return round(0.02 + 0.006 * hops + first + (seq * 7919 + hops) % 13 / 1000, 3)


def _line(ctx: Context, plan: Plan, found: Found, one: Echo) -> tuple[str, str]:
    """What one request prints: (stdout, stderr)."""
    call = one.call
    icmp = call.icmp
    head = f"icmp_seq={one.seq}"
    if icmp is not None and not icmp.is_error:
        who = _who(ctx, plan, found, call.icmp_from)
        time = f" time={text_ms(milliseconds(call, one.seq))} ms" if plan.size >= 16 else ""
        other = " (DIFFERENT ADDRESS!)" if call.icmp_from != found.address else ""
        return f"{plan.size + 8} bytes from {who}: {head} ttl={call.reply_ttl}{time}{other}\n", ""
    if icmp is not None:
        refused = f"ping: sendmsg: {errno_text('EPERM')}\n" if call.error == "EPERM" else ""
        return f"From {_who(ctx, plan, found, call.icmp_from)} {head} {describe(icmp)}\n", refused
    if call.error == "EMSGSIZE":
        return "", f"ping: local error: message too long, mtu={_mtu(ctx, plan, found.address)}\n"
    if call.outcome is Outcome.UNRESOLVED_NEIGHBOUR:
        return f"From {_who(ctx, plan, found, call.sock[0])} {head} Destination Host Unreachable\n", ""
    if call.error in ("", "ETIMEDOUT", "EPERM"):
        return "", ""
    return "", f"ping: sendmsg: {errno_text(call.error)}\n"


def _who(ctx: Context, plan: Plan, found: Found, address: int) -> str:
    if found.literal or plan.numeric:
        return text4(address)
    name = name_of(ctx, address)
    return f"{name} ({text4(address)})" if name else text4(address)


def describe(icmp: Icmp) -> str:
    """An ICMP error in ping's words (pr_icmph)."""
    if icmp.type == 3 and icmp.code == 4:
        return f"Frag needed and DF set (mtu = {icmp.mtu})"
    if icmp.type == 3:
        return UNREACHABLE.get(icmp.code, f"Dest Unreachable, Bad Code: {icmp.code}")
    if icmp.type == 11:
        return "Time to live exceeded" if icmp.code == 0 else "Frag reassembly time exceeded"
    return "Redirect Host" if icmp.type == 5 else f"Bad ICMP type: {icmp.type}"


def text_ms(value: float) -> str:
    """A time as ping prints it: three digits behind the point, fewer for longer ones."""
    return (
        f"{value:.0f}"
        if value >= 100
        else f"{value:.1f}"
        if value >= 10
        else f"{value:.2f}"
        if value >= 1
        else f"{value:.3f}"
    )


def _mtu(ctx: Context, plan: Plan, dst: int) -> int:
    from engine.linux.walk import routing

    route = routing.find_route(ctx.net, ctx.ns, dst, oif=plan.bound).route
    link = ctx.ns.links.get(route.oif) if route is not None else None
    return link.mtu if link is not None else 1500


def _report(ctx: Context, plan: Plan, found: Found, run: Run) -> Out:
    shown = text4(found.address)
    source = ""
    if plan.bound:
        source = f" from {text4(run.echoes[0].call.sock[0])} {plan.bound}:"
    elif plan.source:
        source = f" from {text4(plan.source)} :"
    texts = [("out", f"PING {plan.target} ({shown}){source} {plan.size}({plan.size + 28}) bytes of data.\n")]
    end = max((e.sent for e in run.echoes), default=0.0) + plan.wait
    if plan.deadline:
        end = min(end, plan.deadline)
    seen = sorted((e for e in run.echoes if e.back <= end), key=lambda e: (e.back, e.seq))
    for one in seen:
        stdout, stderr = _line(ctx, plan, found, one)
        texts += [("out", "" if plan.quiet else stdout), ("err", stderr)]
    good = [e for e in seen if e.call.icmp is not None and not e.call.icmp.is_error]
    bad = [e for e in seen if e not in good and (e.call.icmp is not None or _counts(e.call))]
    texts.append(("out", statistics(plan, run, good, bad)))
    if plan.count == 0 and not plan.deadline:
        texts.append(("err", ctx.say(STOPPED())))
    code = int(not good or bool(plan.deadline and plan.count and len(good) < plan.count))
    outcome = run.echoes[0].call.outcome if run.echoes else Outcome.NOT_MODELLED
    return Out.mixed(texts, code, journey(ctx, run.legs, outcome))


def _counts(call: Call) -> bool:
    """Local errors that ping counts in `+N errors`: those that the socket's error queue reports."""
    return call.error == "EMSGSIZE" or call.outcome is Outcome.UNRESOLVED_NEIGHBOUR


def statistics(plan: Plan, run: Run, good: list[Echo], bad: list[Echo]) -> str:
    sent = len(run.echoes)
    loss = (sent - len(good)) * 100.0 / sent if sent else 0.0
    errors = f", +{len(bad)} errors" if bad else ""
    spent = int((sent - 1) * (plan.interval * 1000 + 11)) if sent else 0
    text = (
        f"\n--- {plan.target} ping statistics ---\n{sent} packets transmitted, {len(good)} received{errors}, "
    )
    text += f"{loss:g}% packet loss, time {spent}ms\n"
    tail = ""
    if good and plan.size >= 16:
        times = [milliseconds(e.call, e.seq) for e in good]
        mean = sum(times) / len(times)
        deviation = (sum(t * t for t in times) / len(times) - mean * mean) ** 0.5 if len(times) > 1 else 0.0
        tail = f"rtt min/avg/max/mdev = {min(times):.3f}/{mean:.3f}/{max(times):.3f}/{deviation:.3f} ms"
    pipe = max((_outstanding(run.echoes, e) for e in (*good, *bad)), default=0)
    if pipe > 1:
        tail += (", " if tail else "") + f"pipe {pipe}"
    return text + tail + "\n"


def _outstanding(echoes: list[Echo], one: Echo) -> int:
    """How many requests were on their way when this one was answered, itself included."""
    return sum(1 for e in echoes if one.seq <= e.seq and e.sent < one.back) if one.back != float("inf") else 0


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] == "-I":
        return devices(ctx)
    if word.startswith("-"):
        return []
    from engine.shell.names import hosts

    return [*addresses(ctx), *(n for _, names in hosts(ctx) for n in names)]


def _o(name: str, value: str, en: str, ko: str) -> Opt:
    return Opt((name,), value, Phrase(en, ko))


TOOL = Tool(
    name="ping",
    summary=Phrase("ask an address for an echo (ICMP)", "주소에 ICMP 에코를 보내 응답을 봅니다"),
    run=_run,
    complete=_complete,
    group="packet",
    usage=("ping [-c COUNT] [-W SECONDS] [-s SIZE] [-M do] [-t TTL] [-I DEV|ADDRESS] DESTINATION",),
    opts=(
        _o("-c", "COUNT", "stop after COUNT requests", "COUNT번 보내고 멈춥니다"),
        _o("-i", "SECONDS", "time between requests", "보내는 간격"),
        _o("-W", "SECONDS", "how long to wait for the last reply", "마지막 응답을 기다리는 시간"),
        _o("-w", "SECONDS", "end after so many seconds", "이 시간이 지나면 끝냅니다"),
        _o(
            "-s",
            "SIZE",
            "bytes of data (the packet is 28 larger)",
            "데이터 바이트 수(패킷은 28바이트 더 큽니다)",
        ),
        _o("-M", "HOW", "do, want (must not be cut) or dont", "do, want(조각내지 않음) 또는 dont"),
        _o("-t", "TTL", "time to live", "TTL"),
        _o("-I", "INTERFACE", "a device or a source address", "장치 또는 출발지 주소"),
        _o("-n", "", "no names", "이름을 찾지 않습니다"),
        _o("-q", "", "only the summary", "요약만 보여 줍니다"),
        _o("-4", "", "IPv4", "IPv4"),
        *(Opt((f"-{c}",), refused=True) for c in "aABCDdfhLOrRUvVb6"),
        *(Opt((f"-{c}",), "X", refused=True) for c in "elmpQSTFN"),
    ),
    after_unknown=("", *USAGE.strip().splitlines()),
    usage_code=2,
)

"""traceroute: UDP probes with a rising TTL, or ICMP with -I. The Linux traceroute on machines, busybox's in
its images.

Theory. Every router that brings the TTL to zero answers with time exceeded; the target answers with port unreachable
(UDP, because nothing listens on 33434 and up) or an echo reply (ICMP). A hop that stays silent is a `*`.

Rules. Texts: tests/golden/shell/traceroute.txt (traceroute 2.1), busybox.txt. Round-trip times are made up.
"""

from __future__ import annotations

import re

from engine.errors import NotModelled
from engine.linux.addr import text4
from engine.linux.exchange import Call, ping_call, udp_call
from engine.linux.journey import Journey, Leg, Outcome
from engine.linux.packet import Payload
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.complete import addresses, devices
from engine.shell.names import Found, lookup, name_of
from engine.shell.sockets import connect_error, errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Parsed, Tool
from engine.shell.tools.ping import RESOLUTION, milliseconds

MARKS = {0: " !N", 1: " !H", 2: " !P", 9: " !X", 10: " !X", 13: " !X"}
FIRST_PORT = 33434


@dataclass(slots=True)
class Plan:
    target: str
    hops: int = 30
    probes: int = 3
    wait: float = 5.0
    first: int = 1
    icmp: bool = False
    numeric: bool = False
    source: int = 0
    bound: str = ""
    size: int = 60


def _number(name: str, word: str, low: int, high: int) -> int:
    if not re.fullmatch(r"\d+", word):
        raise Fail(f"Cannot handle `-{name}' option with arg `{word}' (argc 2)", 2)
    if not low <= int(word) <= high:
        words = {
            "m": "max hops cannot be more than 255",
            "q": "no more than 10 probes per hop",
            "f": "first hop out of range",
        }
        raise Fail(words.get(name, f"bad {name}"), 2)
    return int(word)


def _length(ctx: Context, words: list[str]) -> int:
    """The packet length after the host, in bytes with all headers."""
    if ctx.busybox or len(words) > 1:
        raise NotModelled(f"traceroute HOST {' '.join(words)}")
    if not re.fullmatch(r"\d+", words[0]):
        raise Fail(f'Cannot handle "packetlen" cmdline arg `{words[0]}\' on position 2 (argc 2)', 2)
    if int(words[0]) > 65000:
        raise Fail(f"too big packetlen {words[0]} specified", 2)
    return max(28, int(words[0]))


def _plan(ctx: Context, got: Parsed) -> Plan:
    plan = Plan(got.words[0], numeric="-n" in got, icmp="-I" in got)
    plan.hops = _number("m", got.last("-m", "30"), 1, 255)
    plan.probes = _number("q", got.last("-q", "3"), 1, 10)
    plan.first = _number("f", got.last("-f", "1"), 1, 255)
    wait = got.last("-w", "3" if ctx.busybox else "5")
    if not re.fullmatch(r"\d+(\.\d+)?", wait):
        raise Fail(f"Cannot handle `-w' option with arg `{wait}' (argc 2)", 2)
    plan.wait = float(wait)
    plan.size = 46 if ctx.busybox else 60
    if len(got.words) > 1:
        plan.size = _length(ctx, got.words[1:])
    if "-i" in got:
        if got.last("-i") not in ctx.ns.names:
            raise Fail("setsockopt SO_BINDTODEVICE: No such device", 1)
        plan.bound = got.last("-i")
    if "-s" in got:
        plan.source = lookup(ctx, got.last("-s")).address
        if not plan.source or not ctx.ns.owns(plan.source):
            raise Fail("bind: Cannot assign requested address", 1)
    return plan


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if not got.words:
        return Out(stdout="\n".join(["Usage:", *(f"  {u}" for u in TOOL.usage)]) + "\n")
    plan = _plan(ctx, got)
    found = lookup(ctx, plan.target)
    if not found.address:
        return Out(
            stderr=_no_host(ctx, plan, found),
            code=1 if ctx.busybox else 2,
            journeys=_journey(ctx, list(found.legs), Outcome.NAME_NOT_FOUND),
        )
    head = f"traceroute to {plan.target} ({text4(found.address)}), {plan.hops} hops max, {plan.size} byte packets\n"
    error = connect_error(ctx, found.address, plan.bound)
    if error is not None:
        if ctx.busybox:
            text = f"traceroute: can't connect to remote host ({text4(found.address)}): {errno_text(error)}\n"
            return Out(stderr=text, code=1)
        return Out.mixed([("out", head.rstrip("\n")), ("err", f"\nconnect: {errno_text(error)}\n")], 1)
    return _trace(ctx, plan, found, head)


def _no_host(ctx: Context, plan: Plan, found: Found) -> str:
    if ctx.busybox:
        return f"traceroute: bad address '{plan.target}'\n"
    return f'{plan.target}: {found.error}\nCannot handle "host" cmdline arg `{plan.target}\' on position 1 (argc 1)\n'


def _trace(ctx: Context, plan: Plan, found: Found, head: str) -> Out:
    legs: list[Leg] = list(found.legs)
    out = head
    outcome = Outcome.NO_ANSWER
    port = FIRST_PORT
    for ttl in range(plan.first, plan.hops + 1):
        text, before, done = f"{ttl:2} ", 0, False
        for probe in range(plan.probes):
            call = _probe(ctx, plan, found.address, ttl, port, probe + (ttl - 1) * plan.probes + 1)
            port += 1
            legs += call.legs
            outcome = call.outcome
            words, before, ended = _words(ctx, plan, found, call, before, probe)
            text += words
            done = done or ended
        out += text + "\n"
        if done:
            break
    return Out(stdout=out, journeys=_journey(ctx, legs, outcome))


def _probe(ctx: Context, plan: Plan, dst: int, ttl: int, port: int, seq: int) -> Call:
    if plan.icmp:
        return ping_call(
            ctx.net, ctx.spot.netns, dst, choose=ctx.world.choose, seq=seq, size=plan.size - 28, ttl=ttl, df=False,
            source=plan.source, bound=plan.bound, timeout=plan.wait, who="traceroute",
        )  # fmt: skip
    data = Payload(protocol="traceroute", text="", size=plan.size - 28)
    return udp_call(
        ctx.net, ctx.spot.netns, dst, port, choose=ctx.world.choose, request=data, ttl=ttl, source=plan.source,
        bound=plan.bound, timeout=plan.wait, purpose=f"probe ttl {ttl}", who="traceroute",
    )  # fmt: skip


def _words(
    ctx: Context, plan: Plan, found: Found, call: Call, before: int, probe: int
) -> tuple[str, int, bool]:
    """(what one probe adds to its line, who answered last, is the trace over)."""
    icmp = call.icmp
    sender, mark, ended = call.icmp_from, "", False
    time = milliseconds(call, probe + 1)
    if call.outcome is Outcome.UNRESOLVED_NEIGHBOUR and call.seconds > 1:
        time = RESOLUTION * 1000
        if time > plan.wait * 1000 + 100:
            return " *", before, False
    if icmp is None and call.outcome is Outcome.UNRESOLVED_NEIGHBOUR and call.error == "EHOSTUNREACH":
        sender, mark, ended = call.sock[0], " !H", True
    elif icmp is None and not call.error and call.server is not None:
        sender, ended = found.address, True
    elif icmp is None:
        return " *", before, False
    elif icmp.type == 3:
        mark, ended = ("" if icmp.code == 3 else MARKS.get(icmp.code, f" !<{icmp.code}>")), True
        if icmp.code == 4:
            mark = f" !F-{icmp.mtu}"
    elif icmp.type == 0:
        ended = True
    who = "" if sender == before else _name(ctx, plan, sender)
    return f"{who}  {time:.3f} ms{mark}", sender, ended


def _name(ctx: Context, plan: Plan, address: int) -> str:
    if plan.numeric:
        return f" {text4(address)}"
    return f" {name_of(ctx, address) or text4(address)} ({text4(address)})"


def _journey(ctx: Context, legs: list[Leg], outcome: Outcome) -> tuple[Journey, ...]:
    return (
        (Journey(act=ctx.line, outcome=outcome, legs=tuple(legs), started=legs[0].started),) if legs else ()
    )


def _unknown(tool: Tool, option: str) -> Fail:
    return Fail(f"Bad option `{option}' (argc 1)", 2)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] == "-i":
        return devices(ctx)
    return [] if word.startswith("-") else addresses(ctx)


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


TOOL = Tool(
    name="traceroute",
    summary=Phrase("the routers on the way", "가는 길에 있는 라우터를 보여 줍니다"),
    run=_run,
    complete=_complete,
    group="packet",
    usage=("traceroute [-n] [-I] [-q PROBES] [-m HOPS] [-w SECONDS] HOST",),
    opts=(
        _o("-n", "", "no names", "이름을 찾지 않습니다"),
        _o("-I --icmp", "", "ICMP echo instead of UDP", "UDP 대신 ICMP 에코"),
        _o("-q --queries", "N", "probes a hop", "홉마다 보내는 수"),
        _o("-m --max-hops", "N", "the largest TTL", "가장 큰 TTL"),
        _o("-f --first", "N", "the first TTL", "첫 TTL"),
        _o("-w --wait", "SECONDS", "how long to wait for an answer", "응답을 기다리는 시간"),
        _o("-i --interface", "DEV", "the device", "장치"),
        _o("-s --source", "ADDRESS", "the source address", "출발지 주소"),
        _o("-N --sim-queries", "N", "accepted (the lab sends one by one)", "받습니다(하나씩 보냅니다)"),
        _o("-4", "", "IPv4", "IPv4"),
        *(
            Opt(n, refused=True)
            for n in (("-T", "--tcp"), ("-U", "--udp"), ("-6",), ("-d",), ("-F",), ("-r",), ("-e",), ("-A",))
        ),
        *(Opt(n, refused=True) for n in (("--mtu",), ("--back",), ("-D",), ("-V",), ("-l",), ("-v",))),
        *(
            Opt(n, "X", refused=True)
            for n in (("-p", "--port"), ("-g",), ("-t",), ("-z",), ("-M",), ("-O",), ("-P",), ("--sport",))
        ),
    ),
    unknown=_unknown,
    usage_code=2,
)

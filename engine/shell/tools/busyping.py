"""ping as busybox prints it: sequence numbers from 0, no word about ICMP errors. tests/golden/shell/busybox.txt."""

from __future__ import annotations

import re

from engine.linux.addr import text4
from engine.linux.journey import Outcome
from engine.say import Phrase
from engine.shell.names import is_address, lookup
from engine.shell.sockets import connect_error, errno_text
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools import ping

USAGE = """\
BusyBox v1.36.1 () multi-call binary.

Usage: ping [OPTIONS] HOST

Send ICMP ECHO_REQUESTs to HOST

	-4,-6		Force IP or IPv6 name resolution
	-c CNT		Send only CNT pings
	-s SIZE		Send SIZE data bytes in packets (default 56)
	-i SECS		Interval
	-A		Ping as soon as reply is received
	-t TTL		Set TTL
	-I IFACE/IP	Source interface or IP address
	-W SEC		Seconds to wait for the first response (default 10)
			(after all -c CNT packets are sent)
	-w SEC		Seconds until ping exits (default:infinite)
			(can exit earlier with -c CNT)
	-q		Quiet, only display output at start/finish
	-p HEXBYTE	Payload pattern"""


def _number(word: str) -> int:
    if not re.fullmatch(r"\d+", word):
        raise Fail(f"ping: invalid number '{word}'")
    return int(word)


def run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    if len(got.words) != 1:
        raise Fail(USAGE)
    plan = ping.Plan(got.words[0], quiet="-q" in got, numeric=True)
    plan.count = _number(got.last("-c", "0"))
    plan.size = _number(got.last("-s", "56"))
    plan.ttl = min(_number(got.last("-t", "64")), 255)
    plan.wait = float(_number(got.last("-W", "10")))
    plan.deadline = float(_number(got.last("-w", "0")))
    if "-I" in got:
        word = got.last("-I")
        if is_address(word):
            plan.source = lookup(ctx, word).address
            if not ctx.ns.owns(plan.source):
                raise Fail("ping: bind: Cannot assign requested address")
        elif word in ctx.ns.names:
            plan.bound = word
        else:
            raise Fail(
                "ping: setsockopt(SO_BINDTODEVICE): No such device" if word else "ping: bad address ''"
            )
    found = lookup(ctx, plan.target)
    if not found.address:
        journeys = ping.journey(ctx, list(found.legs), Outcome.NAME_NOT_FOUND)
        return Out(stderr=f"ping: bad address '{plan.target}'\n", code=1, journeys=journeys)
    head = f"PING {plan.target} ({text4(found.address)}): {plan.size} data bytes\n"
    error = connect_error(ctx, found.address, plan.bound)
    if error is not None:
        call = ping.echo(ctx, plan, found.address, 1, 0) if error != "EACCES" else None
        legs = [*found.legs, *(call.legs if call is not None else ())]
        outcome = call.outcome if call is not None else Outcome.REJECTED
        text = f"ping: sendto: {errno_text(error)}\n"
        return Out.mixed([("out", head), ("err", text)], 1, ping.journey(ctx, legs, outcome))
    return _report(ctx, plan, head, ping.send(ctx, plan, found))


def _report(ctx: Context, plan: ping.Plan, head: str, run: ping.Run) -> Out:
    texts = [("out", head)]
    end = max((e.sent for e in run.echoes), default=0.0) + plan.wait
    good = [e for e in run.echoes if e.back <= end and e.call.icmp is not None and not e.call.icmp.is_error]
    times = [ping.milliseconds(e.call, e.seq) for e in good]
    for one, time in zip(good, times, strict=True):
        sender = text4(one.call.icmp_from)
        line = f"{plan.size + 8} bytes from {sender}: seq={one.seq - 1} ttl={one.call.reply_ttl} time={time:.3f} ms\n"
        texts.append(("out", "" if plan.quiet else line))
    for one in run.echoes:
        if one.call.error not in ("", "ETIMEDOUT", "EHOSTUNREACH") and one.call.icmp is None:
            texts.append(("err", f"ping: sendto: {errno_text(one.call.error)}\n"))
    sent = len(run.echoes)
    loss = (sent - len(good)) * 100 // sent if sent else 0
    text = f"\n--- {plan.target} ping statistics ---\n{sent} packets transmitted, "
    text += f"{len(good)} packets received, {loss}% packet loss\n"
    if good:
        text += (
            f"round-trip min/avg/max = {min(times):.3f}/{sum(times) / len(times):.3f}/{max(times):.3f} ms\n"
        )
    texts.append(("out", text))
    if not plan.count and not plan.deadline:
        texts.append(("err", ctx.say(ping.STOPPED())))
    outcome = run.echoes[0].call.outcome if run.echoes else Outcome.NOT_MODELLED
    return Out.mixed(texts, int(not good), ping.journey(ctx, run.legs, outcome))


def _unknown(tool: Tool, option: str) -> Fail:
    words = (
        f"unrecognized option: {option.lstrip('-')}"
        if option.startswith("--")
        else f"invalid option -- '{option[1:]}'"
    )
    return Fail(f"ping: {words}\n{USAGE}")


TOOL = Tool(
    name="ping",
    summary=Phrase("ask an address for an echo (ICMP)", "주소에 ICMP 에코를 보내 응답을 봅니다"),
    run=run,
    group="packet",
    opts=(
        *(Opt((f"-{c}",), "N") for c in "csitIWw"),
        *(Opt((f"-{c}",)) for c in "q4"),
        *(Opt((f"-{c}",), refused=True) for c in "6A"),
        Opt(("-p",), "X", refused=True),
    ),
    unknown=_unknown,
)

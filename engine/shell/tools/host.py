"""The machine: hostname, whoami, id, uname, date, sleep, env, dmesg, journalctl.

Rules. Time is the lab's virtual clock: `sleep` lets it pass, `date` begins at the lab's birth. journalctl shows
what the machine's programs logged (Box.journal), each line as `unit: text`.
"""

from __future__ import annotations

import re
from datetime import datetime

from engine.linux.clock import moment
from engine.linux.ops import Advance
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool

#: The lab's date and time at a virtual time.
wall = moment


def _hostname(ctx: Context, argv: list[str]) -> Out:
    got = HOSTNAME.parse(argv)
    if "-i" in got or "-I" in got:
        from engine.linux.addr import text4

        rows = [
            a
            for i in sorted(ctx.ns.addresses)
            for a in ctx.ns.addresses[i]
            if ctx.ns.links[i].kind != "loopback"
        ]
        return Out(stdout=" ".join(text4(a.addr) for a in rows) + (" " if "-I" in got else "") + "\n")
    return Out(stdout=ctx.spot.hostname + "\n")


def _id(ctx: Context, argv: list[str]) -> Out:
    user = ctx.spot.user
    number = "0" if user == "root" else user if user.isdigit() else "101"
    if argv == ["-u"]:
        return Out(stdout=number + "\n")
    if argv:
        raise Fail(
            f"id: invalid option -- '{argv[0].lstrip('-')[:1]}'\nTry 'id --help' for more information."
        )
    return Out(stdout=f"uid={number}({user}) gid={number}({user}) groups={number}({user})\n")


def _uname(ctx: Context, argv: list[str]) -> Out:
    got = UNAME.parse(argv)
    parts = {
        "-s": "Linux", "-n": ctx.spot.hostname, "-r": "6.12.57+deb13-amd64",
        "-v": "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1 (2025-11-05)", "-m": "x86_64", "-o": "GNU/Linux",
    }  # fmt: skip
    chosen = [v for k, v in parts.items() if k in got or "-a" in got] or ["Linux"]
    return Out(stdout=" ".join(chosen) + "\n")


def _date(ctx: Context, argv: list[str]) -> Out:
    now = moment(ctx.net.clock)
    if argv and argv[0] == "+%s":
        return Out(stdout=f"{int((now - datetime(1970, 1, 1)).total_seconds())}\n")
    if argv and argv[0].startswith("+"):
        return Out(stdout=now.strftime(argv[0][1:]) + "\n")
    DATE.parse(argv)
    return Out(stdout=now.strftime("%a %b %e %H:%M:%S UTC %Y") + "\n")


def _sleep(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        raise Fail("sleep: missing operand\nTry 'sleep --help' for more information.")
    total = 0.0
    for word in argv:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", word)
        if match is None:
            raise Fail(f"sleep: invalid time interval ‘{word}’\nTry 'sleep --help' for more information.")
        total += float(match.group(1)) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}[match.group(2)]
    ctx.do(Advance(seconds=min(total, 10.0 * 366 * 86400)))
    return Out()


def _env(ctx: Context, argv: list[str]) -> Out:
    if argv and not argv[0].startswith("-"):
        env = dict(ctx.env)
        while argv and "=" in argv[0]:
            name, _, value = argv.pop(0).partition("=")
            env[name] = value
        if argv:
            return ctx.run_in(ctx.spot, argv)
        return Out(stdout="".join(f"{k}={v}\n" for k, v in env.items()))
    ENV.parse(argv)
    return Out(stdout="".join(f"{k}={v}\n" for k, v in ctx.env.items()))


def _printenv(ctx: Context, argv: list[str]) -> Out:
    PRINTENV.parse([a for a in argv if a.startswith("-")])
    if not argv:
        return Out(stdout="".join(f"{k}={v}\n" for k, v in ctx.env.items()))
    found = [ctx.env[name] for name in argv if name in ctx.env]
    return Out(stdout="".join(f"{v}\n" for v in found), code=int(len(found) < len(argv)))


def _journal(ctx: Context, kernel: bool) -> list[tuple[float, str, str, str]]:
    """(time, unit, its name with the process id, text) of the machine's journal; with `kernel` the kernel's lines."""
    out = []
    for time, line in ctx.box.journal:
        match = re.match(r"(([\w.@-]+)(?:\[\d+\])?): (.*)", line, re.S)
        who, unit, text = match.groups() if match is not None else ("systemd[1]", "systemd", line)
        if unit == "kernel" or not kernel:
            out.append((time, unit, who, text))
    return out


def _dmesg(ctx: Context, argv: list[str]) -> Out:
    got = DMESG.parse(argv)
    rows = _journal(ctx, True)
    if "-T" in got:
        return Out(
            stdout="".join(f"[{moment(t).strftime('%a %b %e %H:%M:%S %Y')}] {x}\n" for t, _, _, x in rows)
        )
    return Out(stdout="".join(f"[{t:12.6f}] {x}\n" for t, _, _, x in rows))


def _journalctl(ctx: Context, argv: list[str]) -> Out:
    got = JOURNALCTL.parse(argv)
    if got.words:
        raise Fail(f"Failed to add match '{got.words[0]}': Invalid argument")
    units = {u.removesuffix(".service") for u in got.opts.get("-u", [])}
    rows = [r for r in _journal(ctx, "-k" in got) if not units or r[1] in units]
    count = got.last("-n", "")
    if count:
        if not count.isdigit():
            raise Fail(f"Failed to parse lines '{count}'")
        rows = rows[-int(count) :] if int(count) else []
    if "-r" in got:
        rows = rows[::-1]
    if not rows:
        return Out(stdout="-- No entries --\n")
    text = ""
    for time, _, who, line in rows:
        stamp = moment(time).strftime("%b %d %H:%M:%S")
        text += f"{line}\n" if got.last("-o") == "cat" else f"{stamp} {ctx.box.name} {who}: {line}\n"
    return Out(stdout=text)


def _flag(*names: str, en: str, ko: str) -> Opt:
    return Opt(names, "", Phrase(en, ko))


HOSTNAME = Tool(
    name="hostname",
    summary=Phrase("this machine's name and addresses", "이 머신의 이름과 주소를 보여 줍니다"),
    run=_hostname,
    group="machine",
    opts=(
        _flag("-i", "--ip-address", en="addresses", ko="주소"),
        _flag("-I", "--all-ip-addresses", en="all addresses", ko="모든 주소"),
        _flag("-s", "--short", en="short name", ko="짧은 이름"),
        Opt(("-f", "--fqdn"), refused=True),
        Opt(("-d", "--domain"), refused=True),
    ),
)
WHOAMI = Tool(
    name="whoami",
    summary=Phrase("who you are", "지금 사용자를 보여 줍니다"),
    run=lambda ctx, argv: Out(stdout=ctx.spot.user + "\n"),
    group="machine",
)
ID = Tool(
    name="id", summary=Phrase("user and groups", "사용자와 그룹을 보여 줍니다"), run=_id, group="machine"
)
UNAME = Tool(
    name="uname",
    summary=Phrase(
        "the kernel (one for all containers of a machine)",
        "커널 정보를 보여 줍니다(머신의 모든 컨테이너가 같은 커널)",
    ),
    run=_uname,
    group="machine",
    opts=(
        _flag("-a", "--all", en="everything", ko="전부"),
        _flag("-s", en="kernel", ko="커널"),
        _flag("-n", en="host name", ko="호스트 이름"),
        _flag("-r", en="release", ko="릴리스"),
        _flag("-v", en="version", ko="버전"),
        _flag("-m", en="machine", ko="하드웨어 종류"),
        _flag("-o", en="operating system", ko="운영 체제"),
    ),
    after_unknown=("Try 'uname --help' for more information.",),
)
DATE = Tool(
    name="date",
    summary=Phrase("the lab's clock", "실습 환경의 시계를 보여 줍니다"),
    run=_date,
    group="machine",
    opts=(
        _flag("-u", "--utc", en="UTC (always)", ko="UTC(언제나)"),
        Opt(("-s", "--set"), "STRING", refused=True),
    ),
)
SLEEP = Tool(
    name="sleep",
    summary=Phrase("let the lab's time pass", "실습 환경의 시간을 흐르게 합니다"),
    run=_sleep,
    group="machine",
)
ENV = Tool(
    name="env",
    summary=Phrase("the variables", "변수를 보여 줍니다"),
    run=_env,
    group="machine",
)
PRINTENV = Tool(
    name="printenv",
    summary=Phrase("variables' values", "변수의 값을 보여 줍니다"),
    run=_printenv,
    group="machine",
)
DMESG = Tool(
    name="dmesg",
    summary=Phrase("what the kernel said", "커널이 남긴 말을 보여 줍니다"),
    run=_dmesg,
    group="machine",
    opts=(_flag("-T", "--ctime", en="with dates", ko="날짜와 함께"), Opt(("-w", "--follow"), refused=True)),
)
JOURNALCTL = Tool(
    name="journalctl",
    summary=Phrase("what the machine's services logged", "머신의 서비스가 남긴 기록을 보여 줍니다"),
    run=_journalctl,
    group="machine",
    usage=("journalctl [-u UNIT] [-n N] [-k] [-r] [-o cat]",),
    opts=(
        Opt(
            ("-u", "--unit"),
            "UNIT",
            Phrase("one service: kubelet, containerd, docker", "서비스 하나: kubelet, containerd, docker"),
        ),
        Opt(("-n", "--lines"), "N", Phrase("the last N lines", "마지막 N줄")),
        Opt(
            ("-o", "--output"), "MODE", Phrase("`cat` = without time and host", "`cat` = 시각과 호스트 없이")
        ),
        _flag("-k", "--dmesg", en="the kernel's", ko="커널의 기록"),
        _flag("-r", "--reverse", en="newest first", ko="새것부터"),
        _flag("-e", "--pager-end", en="accepted", ko="받습니다"),
        _flag("-x", "--catalog", en="accepted", ko="받습니다"),
        Opt(("--no-pager",), "", Phrase("accepted", "받습니다")),
        Opt(("-f", "--follow"), refused=True),
        Opt(("-b", "--boot"), refused=True),
        Opt(("--since",), "TIME", refused=True),
        Opt(("--until",), "TIME", refused=True),
        Opt(("-g", "--grep"), "PATTERN", refused=True),
        Opt(("-p", "--priority"), "LEVEL", refused=True),
    ),
)
TOOLS = (HOSTNAME, WHOAMI, ID, UNAME, DATE, SLEEP, ENV, PRINTENV, DMESG, JOURNALCTL)

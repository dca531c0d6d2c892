"""ps: the processes of this pid namespace. procps' on machines, busybox's in images built on it.

Theory. `ps` reads /proc: in a container's pid namespace only its own processes are there, numbered from 1; on
the machine
all are, with the machine's numbers.

Rules. Times, sizes and loads are made up and constant. Formats: tests/golden/shell/processes.txt (procps 4.0.2).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.linux.clock import moment
from engine.linux.rows import Proc
from engine.record import dataclass, replace
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool

HELP = "\n\nUsage:\n ps [options]\n\n Try 'ps --help <simple|list|output|threads|misc|all>'"


@dataclass(frozen=True, slots=True)
class Column:
    """`right` = numbers; `width` as procps lays it out."""

    title: str
    width: int
    right: bool
    value: Callable[[Context, Proc], str]


def _user(ctx: Context, proc: Proc) -> str:
    return proc.user if len(proc.user) <= 8 else proc.user[:7] + "+"


def _args(ctx: Context, proc: Proc) -> str:
    return " ".join(proc.args) if proc.args else f"[{proc.comm}]"


def _pid(ctx: Context, proc: Proc) -> str:
    return str(ctx.files.seen_pid(proc))


def _ppid(ctx: Context, proc: Proc) -> str:
    if proc.pid not in ctx.box.procs:
        return str(proc.ppid)
    parent = ctx.box.procs.get(proc.ppid)
    return str(ctx.files.seen_pid(parent)) if parent is not None and parent in ctx.files.procs() else "0"


def _start(ctx: Context, proc: Proc) -> str:
    return moment(proc.started).strftime("%H:%M")


def _ns(kind: str) -> Callable[[Context, Proc], str]:
    return lambda ctx, proc: str(proc.space(kind))


def _tty(ctx: Context, proc: Proc) -> str:
    return "?" if proc.pid in ctx.box.procs else "pts/0"


def _stat(ctx: Context, proc: Proc) -> str:
    if proc.pid not in ctx.box.procs:
        return "R+" if proc.comm == "ps" else "Ss"
    if proc.stopped:
        return "Ts" if proc.nspid == 1 else "T"
    return "Ss" if proc.pid == 1 or proc.nspid == 1 else "S"


def _const(text: str) -> Callable[[Context, Proc], str]:
    return lambda ctx, proc: text


COLUMNS: dict[str, Column] = {
    "pid": Column("PID", 7, True, _pid),
    "ppid": Column("PPID", 7, True, _ppid),
    "user": Column("USER", 8, False, _user),
    "uid": Column(
        "UID", 5, True, lambda c, p: "0" if p.user == "root" else p.user if p.user.isdigit() else "101"
    ),
    "comm": Column("COMMAND", 15, False, lambda c, p: p.comm),
    "ucmd": Column("CMD", 15, False, lambda c, p: p.comm),
    "args": Column("COMMAND", 27, False, _args),
    "cmd": Column("CMD", 27, False, _args),
    "command": Column("COMMAND", 27, False, _args),
    "stat": Column("STAT", 4, False, _stat),
    "tty": Column("TT", 8, False, lambda c, p: _tty(c, p)),
    "tname": Column("TTY", 8, False, lambda c, p: _tty(c, p)),
    "time": Column("TIME", 8, True, _const("00:00:00")),
    "stime": Column("STIME", 5, False, _start),
    "netns": Column("NETNS", 10, True, _ns("net")),
    "pidns": Column("PIDNS", 10, True, _ns("pid")),
    "mntns": Column("MNTNS", 10, True, _ns("mnt")),
    "utsns": Column("UTSNS", 10, True, _ns("uts")),
    "ipcns": Column("IPCNS", 10, True, _ns("ipc")),
    "c": Column("C", 2, True, _const("0")),
}
COLUMNS["euser"] = COLUMNS["user"]
FULL_USER = Column("UID", 8, False, _user)


def _present(ctx: Context, argv: list[str]) -> list[Proc]:
    """The processes of the pid namespace, with the terminal's shell and this ps, which run while it looks."""
    procs = ctx.files.procs()
    me = ctx.box.procs.get(ctx.spot.pid, ctx.box.procs[1])
    if me.comm == "ps":  # it is this container's first process
        return procs
    contained = ctx.files.seen_pid(me) != me.pid
    if ctx.spot.contained and me.comm == "ps":
        return procs
    number = max((ctx.files.seen_pid(p) for p in procs), default=0) + 6
    own = Proc(
        pid=number + 1, ppid=0, args=("ps", *argv), netns=ctx.spot.netns, user=ctx.spot.user, nspid=number + 1
    )
    own = replace(own, spaces=me.spaces, started=ctx.net.clock)
    if not ctx.shell.terminal(ctx):
        return [*procs, own]
    shell = replace(own, pid=number, nspid=number, args=("sh",) if contained else ("-bash",))
    return [*procs, shell, replace(own, ppid=number)]


def _run(ctx: Context, argv: list[str]) -> Out:
    procs = _present(ctx, argv)
    if ctx.busybox:
        return _busybox(ctx, argv, procs)
    # BSD letters without a dash: aux, ax, ef
    words = [("-B" + a if a and set(a) <= set("auxefw") and not a.startswith("-") else a) for a in argv]
    bsd = "".join(w[2:] for w in words if w.startswith("-B"))
    got = TOOL.parse([w for w in words if not w.startswith("-B")])
    if got.words:
        if all(w.isdigit() for w in got.words):
            got.opts.setdefault("-p", []).extend(got.words)
        else:
            raise Fail("error: unsupported SysV option" + HELP)
    every = "-e" in got or "-A" in got or ("a" in bsd and "x" in bsd) or "x" in bsd
    chosen = _choose(ctx, procs, got.opts, every)
    rows = [p for p in procs if p in chosen]
    if "-o" in got:
        columns = _columns(",".join(got.opts["-o"]))
    elif "u" in bsd:
        return Out(stdout=_aux(ctx, rows))
    elif "-f" in got:
        columns = [
            FULL_USER,
            COLUMNS["pid"],
            COLUMNS["ppid"],
            COLUMNS["c"],
            COLUMNS["stime"],
            COLUMNS["tname"],
            COLUMNS["time"],
            COLUMNS["cmd"],
        ]
    else:
        columns = [COLUMNS["pid"], COLUMNS["tname"], COLUMNS["time"], COLUMNS["ucmd"]]
    heads = "--no-headers" not in got and any(c.title for c in columns)
    text = _table(ctx, columns, rows, heads)
    return Out(stdout=text, code=int(not rows))


def _choose(ctx: Context, procs: list[Proc], opts: dict[str, list[str]], every: bool) -> list[Proc]:
    if "-p" in opts or "-C" in opts:
        pids = {w for words in opts.get("-p", []) for w in words.replace(",", " ").split()}
        if any(not w.isdigit() for w in pids):
            raise Fail("error: process ID list syntax error" + HELP)
        names = {w for words in opts.get("-C", []) for w in words.split(",")}
        return [p for p in procs if _pid(ctx, p) in pids or p.comm in names]
    return procs if every else [p for p in procs if p.pid not in ctx.box.procs]


def _columns(text: str) -> list[Column]:
    out: list[Column] = []
    for word in text.split(","):
        name, equals, title = word.partition("=")
        column = COLUMNS.get(name.strip())
        if column is None:
            raise Fail(f'error: unknown user-defined format specifier "{name}"' + HELP)
        out.append(Column(title, column.width, column.right, column.value) if equals else column)
    return out


def _table(ctx: Context, columns: list[Column], procs: list[Proc], heads: bool) -> str:
    lines = [[c.title for c in columns]] if heads else []
    lines += [[c.value(ctx, p) for c in columns] for p in procs]
    out = ""
    for line in lines:
        cells = []
        for i, (cell, column) in enumerate(zip(line, columns, strict=True)):
            last = i == len(columns) - 1
            cells.append(
                f"{cell:>{column.width}}" if column.right else cell if last else f"{cell:<{column.width}}"
            )
        out += " ".join(cells) + "\n"
    return out


def _aux(ctx: Context, procs: list[Proc]) -> str:
    out = "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"
    for proc in procs:
        stat = COLUMNS["stat"].value(ctx, proc)
        size = 2500 + proc.pid * 37 % 9000
        out += (
            f"{_user(ctx, proc):<8} {_pid(ctx, proc):>7}  0.0  0.0 {size:>6} {size * 2 // 3:>5} "
            f"{_tty(ctx, proc):<8} {stat:<4} "
            f"{_start(ctx, proc)}   0:00 {_args(ctx, proc)}\n"
        )
    return out


def _busybox(ctx: Context, argv: list[str], procs: list[Proc]) -> Out:
    got = BUSYBOX.parse([a for a in argv if a not in ("aux", "ax", "-ef", "-e", "-A", "ef")])
    if "-o" not in got:
        rows = [f"{_pid(ctx, p):>5} {_user(ctx, p):<8} {_clock(ctx, p):>5} {_args(ctx, p)}" for p in procs]
        return Out(stdout="".join(line + "\n" for line in ["PID   USER     TIME  COMMAND", *rows]))
    known = {
        "pid": (5, _pid),
        "ppid": (5, _ppid),
        "user": (8, _user),
        "comm": (16, COLUMNS["comm"].value),
        "args": (27, _args),
    }
    names = ",".join(got.opts["-o"]).split(",")
    for name in names:
        if name not in known:
            raise NotModelled(f"ps -o {name}")
    titles = {"comm": "COMMAND", "args": "COMMAND"}
    lines = [
        [titles.get(n, n.upper()) for n in names],
        *([known[n][1](ctx, p) for n in names] for p in procs),
    ]
    out = ""
    for index, line in enumerate(lines):
        cells = [
            f"{c:>{known[n][0]}}" if n.endswith("pid") and index else f"{c:<{known[n][0]}}"
            for c, n in zip(line, names, strict=True)
        ]
        out += " ".join(cells).rstrip() + "\n"
    return Out(stdout=out)


def _clock(ctx: Context, proc: Proc) -> str:
    return "0:00"


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


TOOL = Tool(
    name="ps",
    summary=Phrase("the processes (in a container: its own)", "프로세스 목록(컨테이너에서는 그 안의 것만)"),
    run=_run,
    group="machine",
    usage=("ps aux", "ps -ef", "ps -e -o pid,ppid,netns,args", "ps -p PID", "ps -C NAME"),
    opts=(
        _o("-e -A", "", "all processes", "모든 프로세스"),
        _o("-f", "", "full lines", "자세한 줄"),
        _o(
            "-o",
            "COLUMNS",
            "pid,ppid,user,comm,args,stat,netns,pidns,mntns,utsns,ipcns ...",
            "pid,ppid,user,comm,args,netns 등",
        ),
        _o("-p --pid", "PID", "this process", "이 프로세스만"),
        _o("-C", "NAME", "processes of this name", "이 이름의 프로세스만"),
        _o("-w", "", "accepted", "받습니다"),
        _o("--no-headers --no-heading", "", "no title line", "제목 줄 없이"),
        *(
            Opt((n,), refused=True)
            for n in ("-L", "-H", "-T", "-l", "-j", "-M", "-Z", "-a", "-d", "--forest")
        ),
        *(
            Opt(n, "X", refused=True)
            for n in (("-u", "-U"), ("-t",), ("--sort",), ("-g", "-G"), ("--ppid",), ("-s",))
        ),
    ),
)
BUSYBOX = Tool(
    name="ps",
    summary=TOOL.summary,
    run=_run,
    opts=(Opt(("-o",), "COLUMNS"), Opt(("-T",), refused=True), Opt(("-w",)), Opt(("-l",), refused=True)),
)

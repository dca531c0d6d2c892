"""nsenter and unshare: run a command in other namespaces, each type chosen by itself.

Theory. `nsenter -t PID -n` gives the machine's own tools the network of a process: what shows a container without any
tool of its own. With -m the files are the container's, and so are the tools.

Rules. -U, -T and -C are accepted with -a only as far as they change nothing that the lab shows. unshare is
modelled for
-n, -u, -i, -m, -p --fork: a process of its own for as long as its shell is open.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.ops import AddNetns, StartProc
from engine.linux.rows import Proc
from engine.record import replace
from engine.say import Phrase
from engine.shell.complete import available_commands, pids
from engine.shell.place import Spot, inside
from engine.shell.tool import Context, Fail, Opt, Out, Tool

NAMES = {
    "-m": "mnt",
    "-u": "uts",
    "-i": "ipc",
    "-n": "net",
    "-p": "pid",
    "-C": "cgroup",
    "-U": "user",
    "-T": "time",
}


def _nsenter(ctx: Context, argv: list[str]) -> Out:
    got = NSENTER.parse(argv, permute=False)
    target = got.last("-t")
    kinds = [k for k in NAMES if k in got]
    if "-a" in got:
        kinds = ["-m", "-u", "-i", "-n", "-p"]
    if target and not target.isdigit():
        raise Fail(f"nsenter: failed to parse pid: '{target}'")
    proc = ctx.files.proc(target) if target else None
    for kind in kinds:
        word = NAMES[kind]
        file = (got.opts.get(kind) or [""])[-1]
        if file:
            if kind != "-n":
                raise NotModelled(f"nsenter {kind}FILE")
            continue
        if not target:
            raise Fail(f"nsenter: neither filename nor target pid supplied for ns/{word}")
        if proc is None:
            raise Fail(f"nsenter: cannot open /proc/{target}/ns/{word}: No such file or directory")
    if not kinds and target and proc is None and "-a" in got:
        raise Fail(f"nsenter: cannot open /proc/{target}/ns/user: No such file or directory")
    spot = ctx.spot
    if "-n" in kinds:
        file = (got.opts.get("-n") or [""])[-1]
        spot = replace(
            spot, netns=_by_file(ctx, file) if file else proc.netns if proc is not None else spot.netns
        )
    if proc is not None:
        spot = _joined(ctx, spot, proc, kinds)
    return ctx.run_in(spot, got.words or ([] if "-m" not in kinds else ["sh"]))


def _by_file(ctx: Context, file: str) -> str:
    """The namespace behind /run/netns/NAME or /proc/PID/ns/net."""
    parts = file.strip("/").split("/")
    if parts[-2:-1] == ["netns"] and parts[-1] in ctx.box.netns_names:
        return ctx.box.netns_names[parts[-1]]
    if len(parts) == 4 and parts[0] == "proc" and parts[2:] == ["ns", "net"]:
        proc = ctx.files.proc(parts[1])
        if proc is not None:
            return proc.netns
    raise Fail(f"nsenter: cannot open {file}: No such file or directory")


def _joined(ctx: Context, spot: Spot, proc: Proc, kinds: list[str]) -> Spot:
    there = inside(ctx.box, proc, spot.name) if proc.container else None
    if there is not None and "-m" in kinds:
        tools = there.tools if proc.program != "pause" else frozenset[str]()
        spot = replace(spot, root=there.root, mounts=there.mounts, tools=tools, container=proc.container)
    if there is not None and "-u" in kinds:
        spot = replace(spot, hostname=there.hostname)
    if "-p" in kinds:
        spot = replace(spot, pid=proc.pid)
    return spot


def _unshare(ctx: Context, argv: list[str]) -> Out:
    got = UNSHARE.parse(argv, permute=False)
    box = ctx.box
    netns = ctx.spot.netns
    new = tuple(NAMES[k] for k in ("-m", "-u", "-i", "-n", "-p", "-C") if k in got)
    if not new:
        return ctx.run_in(ctx.spot, got.words)
    if "-p" in got and "-f" not in got:
        raise NotModelled("unshare --pid without --fork")
    pid = box.next_pid
    if "-n" in got:
        netns = f"{box.name}/unshare-{pid}"
        ctx.do(AddNetns(box=box.name, id=netns, label=f"unshare-{pid}"))
    words = tuple(got.words) or ("bash",)
    ctx.do(StartProc(box=box.name, args=words, netns=netns, ppid=ctx.proc.pid, new=new, pid=pid))
    spot = replace(ctx.spot, netns=netns, pid=pid, ends=pid)
    out = ctx.run_in(spot, got.words)
    if out.enter is None:
        from engine.linux.ops import KillProc

        if pid in box.procs:
            ctx.do(KillProc(box=box.name, pid=pid))
    return out


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    if argv and argv[-1] in ("-t", "--target"):
        return pids(ctx)
    return [] if word.startswith("-") else available_commands(ctx)


def _o(names: str, value: str, en: str, ko: str) -> Opt:
    return Opt(tuple(names.split()), value, Phrase(en, ko))


NSENTER = Tool(
    name="nsenter",
    summary=Phrase(
        "run a command in a process's namespaces", "프로세스의 네임스페이스 안에서 명령을 실행합니다"
    ),
    run=_nsenter,
    complete=_complete,
    group="machine",
    usage=("nsenter -t PID -n [-m] [-u] [-i] [-p] [COMMAND]", "nsenter --net=/run/netns/NAME [COMMAND]"),
    opts=(
        _o("-t --target", "PID", "the process", "대상 프로세스"),
        _o("-n --net", "[=FILE]", "its network", "네트워크"),
        _o("-m --mount", "[=FILE]", "its files (and so its tools)", "파일(그래서 도구도)"),
        _o("-u --uts", "[=FILE]", "its host name", "호스트 이름"),
        _o("-i --ipc", "[=FILE]", "its IPC", "IPC"),
        _o("-p --pid", "[=FILE]", "its processes", "프로세스"),
        _o("-a --all", "", "all of them", "전부"),
        _o("-C --cgroup", "[=FILE]", "its cgroup", "cgroup"),
        _o("-F --no-fork", "", "accepted", "받습니다"),
        Opt(("-U", "--user"), refused=True),
        Opt(("-T", "--time"), refused=True),
        Opt(("-r", "--root"), refused=True),
        Opt(("-w", "--wd"), refused=True),
        Opt(("-S", "--setuid"), "UID", refused=True),
        Opt(("-G", "--setgid"), "GID", refused=True),
    ),
    after_unknown=("Try 'nsenter --help' for more information.",),
)
UNSHARE = Tool(
    name="unshare",
    summary=Phrase("run a command in new namespaces of its own", "새 네임스페이스에서 명령을 실행합니다"),
    run=_unshare,
    complete=lambda ctx, argv, word: [] if word.startswith("-") else available_commands(ctx),
    group="machine",
    usage=("unshare -n [-m] [-u] [-i] [-p --fork] [COMMAND]",),
    opts=(
        _o("-n --net", "", "a new network", "새 네트워크"),
        _o("-m --mount", "", "new mounts", "새 마운트"),
        _o("-u --uts", "", "a host name of its own", "따로 갖는 호스트 이름"),
        _o("-i --ipc", "", "new IPC", "새 IPC"),
        _o("-p --pid", "", "new processes (with --fork)", "새 프로세스(--fork와 함께)"),
        _o("-C --cgroup", "", "a new cgroup", "새 cgroup"),
        _o("-f --fork", "", "start the command as a child", "명령을 자식으로 시작합니다"),
        _o("--mount-proc", "", "accepted with -p", "-p와 함께 받습니다"),
        Opt(("-U", "--user"), refused=True),
        Opt(("-r", "--map-root-user"), refused=True),
        Opt(("-T", "--time"), refused=True),
        Opt(("-R", "--root"), "DIR", refused=True),
    ),
    after_unknown=("Try 'unshare --help' for more information.",),
)
TOOLS = (NSENTER, UNSHARE)

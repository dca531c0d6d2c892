"""Servers that a learner starts from the shell: a process with one listening socket, in this place's namespaces."""

from __future__ import annotations

from engine.linux.ops import KillProc, Listen, StartProc
from engine.linux.rows import Socket
from engine.say import Phrase
from engine.shell.tool import Context, Out

STARTED = Phrase(
    en="listening on {proto} port {port} in the background; end it with `kill {pid}`",
    ko="{proto} 포트 {port}을(를) 백그라운드에서 열었습니다. `kill {pid}`(으)로 끝냅니다",
)


def start(
    ctx: Context,
    argv: tuple[str, ...],
    proto: str,
    port: int,
    *,
    address: int = 0,
    program: str,
    **config: str,
) -> Out:
    """Start the process and open its socket. OpError (EADDRINUSE ...), and then nothing runs."""
    box = ctx.box
    pid = box.next_pid
    shell = ctx.proc
    join = tuple((kind, shell.pid) for kind in ("mnt", "uts", "ipc", "pid", "cgroup") if shell.pid != 1)
    ctx.do(
        StartProc(
            box=box.name,
            args=argv,
            netns=ctx.spot.netns,
            ppid=shell.pid,
            user=ctx.spot.user,
            join=join,
            program=program,
            config=tuple(sorted(config.items())),
            container=ctx.spot.container,
            pid=pid,
        )
    )
    state = "LISTEN" if proto == "tcp" else "UNCONN"
    socket = Socket(
        proto=proto, addr=address, port=port, pid=pid, state=state, backlog=1 if program == "sink" else 5
    )
    try:
        ctx.do(Listen(netns=ctx.spot.netns, socket=socket))
    except Exception:
        ctx.do(KillProc(box=box.name, pid=pid))
        raise
    seen = ctx.files.seen_pid(box.procs[pid])
    out = f"[{ctx.session.job(pid, ctx.line)}] {seen}\n" if ctx.background else ""
    return Out(stdout=out, stderr=ctx.say(STARTED(proto=proto, port=port, pid=seen)))

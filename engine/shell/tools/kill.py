"""kill: end, stop or continue a process; what watches it (kubelet, containerd, dockerd) notices when the world settles.

Theory. Process 1 of a pid namespace has no default handlers: a signal that it did not ask for does nothing to it, from
inside nor from outside. Only SIGKILL (and SIGSTOP) from outside is forced upon it (man pid_namespaces).

Rules. Signals that end a process by default are modelled (HUP INT QUIT KILL TERM), and STOP and CONT: a stopped program
accepts nothing while its kernel goes on. The rest is refused by name.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.l7.behave import exit_code
from engine.linux.ops import KillProc, StopProc
from engine.linux.rows import Proc
from engine.say import Phrase
from engine.shell.complete import pids
from engine.shell.tool import Context, Fail, Out, Tool

SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "TRAP": 5, "ABRT": 6, "BUS": 7, "FPE": 8, "KILL": 9, "USR1": 10,
    "SEGV": 11,
    "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15, "CHLD": 17, "CONT": 18, "STOP": 19, "TSTP": 20, "WINCH": 28,
}  # fmt: skip
ENDING = (1, 2, 3, 9, 15)
STOP, CONT = 19, 18
USAGE = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]"
SHIELDED = Phrase(
    en="process 1 of a pid namespace ignores this signal: it has no handler for it; SIGKILL from outside ends it",
    ko="pid 네임스페이스의 1번 프로세스는 이 신호의 처리기가 없어 무시합니다. 바깥에서 SIGKILL을 보내야 끝납니다",
)


def _number(word: str) -> int:
    name = word.upper().removeprefix("SIG")
    if name in SIGNALS:
        return SIGNALS[name]
    if word.isdigit() and int(word) in (0, *SIGNALS.values()):
        return int(word)
    raise Fail(f"bash: kill: {word}: invalid signal specification")


def _run(ctx: Context, argv: list[str]) -> Out:
    words = list(argv)
    signal = 15
    if words and words[0] == "-l":
        return _names(words[1:])
    if words and words[0] in ("-s", "-n"):
        if len(words) < 2:
            raise Fail(f"bash: kill: {words[0]}: option requires an argument", 1)
        signal = _number(words[1])
        words = words[2:]
    elif words and words[0].startswith("-") and words[0] != "--":
        signal = _number(words[0][1:])
        words = words[1:]
    if words and words[0] == "--":
        words = words[1:]
    if not words:
        raise Fail(USAGE, 2)
    errors = ""
    for word in words:
        errors += _one(ctx, word, signal)
    return Out(stderr=errors, code=int(any(e.startswith("bash:") for e in errors.splitlines())))


def _names(words: list[str]) -> Out:
    if not words:
        rows = [f"{n:2}) SIG{name}" for name, n in SIGNALS.items()]
        return Out(stdout="\t".join(rows) + "\n")
    name = words[0].upper().removeprefix("SIG")
    if words[0].isdigit():
        found = next((k for k, v in SIGNALS.items() if v == int(words[0])), None)
        if found is not None:
            return Out(stdout=found + "\n")
    elif name in SIGNALS:
        return Out(stdout=f"{SIGNALS[name]}\n")
    raise Fail(f"bash: kill: {words[0]}: invalid signal specification")


def _one(ctx: Context, word: str, signal: int) -> str:
    """Signal one process; the error line or ""."""
    if word.startswith("%"):
        job = ctx.session.jobs.get(int(word[1:])) if word[1:].isdigit() else None
        if job is None or job[0] not in ctx.box.procs:
            return f"bash: kill: {word}: no such job\n"
        word = str(ctx.files.seen_pid(ctx.box.procs[job[0]]))
    if not word.isdigit():
        return f"bash: kill: {word}: arguments must be process or job IDs\n"
    proc = ctx.files.proc(word)
    if proc is None or int(word) == 0:
        return f"bash: kill: ({word}) - No such process\n"
    if signal == 0:
        return ""
    if signal in (STOP, CONT):
        if proc.pid == 1 or (signal == STOP and _inside(ctx, proc)):
            return ctx.say(SHIELDED()) if signal == STOP else ""
        ctx.do(StopProc(box=ctx.spot.box, pid=proc.pid, stopped=signal == STOP))
        return ""
    if signal not in ENDING:
        raise NotModelled(f"kill -{next(k for k, v in SIGNALS.items() if v == signal)}")
    if proc.pid == 1:
        return ctx.say(SHIELDED())
    code = None if _inside(ctx, proc) and signal == 9 else exit_code(proc.comm, _first(ctx, proc), signal)
    if code is None:
        return ctx.say(SHIELDED())
    ctx.do(KillProc(box=ctx.spot.box, pid=proc.pid, code=code))
    return ""


def _first(ctx: Context, proc: Proc) -> bool:
    """Is this process 1 of a pid namespace below the machine's?"""
    return proc.nspid == 1 and proc.space("pid") != ctx.box.procs[1].space("pid")


def _inside(ctx: Context, proc: Proc) -> bool:
    """Does the signal come from the very namespace that it is process 1 of?"""
    viewer = ctx.box.procs.get(ctx.spot.pid)
    return _first(ctx, proc) and viewer is not None and viewer.space("pid") == proc.space("pid")


TOOL = Tool(
    name="kill",
    summary=Phrase("end, stop or continue a process", "프로세스를 끝내거나 멈추거나 다시 돌립니다"),
    run=_run,
    complete=lambda ctx, argv, word: (
        ["-9", "-TERM", "-KILL", "-STOP", "-CONT"] if word.startswith("-") else pids(ctx)
    ),
    group="machine",
    usage=("kill [-9 | -TERM | -SIGNAL] PID...", "kill -l [SIGNAL]"),
)

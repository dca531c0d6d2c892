"""kill: end a process; what watches it (kubelet, containerd, dockerd) notices when the world settles.

Theory. Process 1 of a pid namespace has no default handlers: from inside its namespace SIGTERM and even SIGKILL do
nothing to it unless it asked for them. From outside, both end it.

Rules. Signals that end a process by default are modelled (HUP INT QUIT KILL TERM); STOP and the like are refused by
name.
"""

from __future__ import annotations

from engine.errors import NotModelled
from engine.linux.ops import KillProc
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
#: Programs that ask for SIGTERM and so end by it even as process 1 of their namespace.
HANDLES_TERM = ("http", "pause", "coredns", "echo")
USAGE = "kill: usage: kill [-s sigspec | -n signum | -sigspec] pid | jobspec ... or kill -l [sigspec]"
SHIELDED = Phrase(
    en="process 1 of a pid namespace ignores this signal from inside its own namespace",
    ko="pid 네임스페이스의 1번 프로세스는 자기 네임스페이스 안에서 온 이 신호를 무시합니다",
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
        return f"bash: kill: {word}: no such job\n"
    if not word.isdigit():
        return f"bash: kill: {word}: arguments must be process or job IDs\n"
    proc = ctx.files.proc(word)
    if proc is None or int(word) == 0:
        return f"bash: kill: ({word}) - No such process\n"
    if signal == 0:
        return ""
    if signal not in ENDING:
        raise NotModelled(f"kill -{next(k for k, v in SIGNALS.items() if v == signal)}")
    if proc.pid == 1:
        return ctx.say(SHIELDED())
    if _shielded(ctx, proc, signal):
        return ctx.say(SHIELDED())
    ctx.do(KillProc(box=ctx.spot.box, pid=proc.pid))
    return ""


def _shielded(ctx: Context, proc: Proc, signal: int) -> bool:
    """Is this process 1 of the namespace that the signal comes from, with no handler for it?"""
    if proc.nspid != 1 or ctx.spot.pid == 1:
        return False
    viewer = ctx.box.procs.get(ctx.spot.pid)
    if viewer is None or viewer.space("pid") != proc.space("pid"):
        return False
    return signal != 15 or proc.program not in HANDLES_TERM


TOOL = Tool(
    name="kill",
    summary=Phrase("end a process", "프로세스를 끝냅니다"),
    run=_run,
    complete=lambda ctx, argv, word: ["-9", "-TERM", "-KILL"] if word.startswith("-") else pids(ctx),
    group="machine",
    usage=("kill [-9 | -TERM | -SIGNAL] PID...", "kill -l [SIGNAL]"),
)

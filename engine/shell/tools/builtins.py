"""What the shell itself does: cd, pwd, exit, export, unset, true, false, history, clear, jobs, type, : ."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Out, Tool


def _cd(ctx: Context, argv: list[str]) -> Out:
    if len(argv) > 1:
        raise Fail("bash: cd: too many arguments")
    session = ctx.session
    target = argv[0] if argv else session.env.get("HOME", "/")
    if target == "-":
        target = session.env.get("OLDPWD", "")
        if not target:
            raise Fail("bash: cd: OLDPWD not set")
    path = ctx.path(target)
    kind = ctx.files.kind(path)
    if kind not in ("dir", "link"):
        reason = "Not a directory" if kind else "No such file or directory"
        raise Fail(f"bash: cd: {target}: {reason}")
    session.env["OLDPWD"], session.cwd = session.cwd, path
    return Out(stdout=path + "\n" if argv[:1] == ["-"] else "")


def _pwd(ctx: Context, argv: list[str]) -> Out:
    return Out(stdout=ctx.cwd + "\n")


def _exit(ctx: Context, argv: list[str]) -> Out:
    if argv and not argv[0].isdigit():
        return Out(stderr=f"bash: exit: {argv[0]}: numeric argument required\n", code=2, leave=True)
    return Out(code=int(argv[0]) & 255 if argv else ctx.session.code, leave=True)


def _export(ctx: Context, argv: list[str]) -> Out:
    if not argv or argv == ["-p"]:
        return Out(stdout="".join(f'declare -x {k}="{v}"\n' for k, v in sorted(ctx.session.env.items())))
    for word in argv:
        name, equals, value = word.partition("=")
        if not name.isidentifier():
            raise Fail(f"bash: export: `{word}': not a valid identifier")
        if equals:
            ctx.session.env[name] = value
    return Out()


def _unset(ctx: Context, argv: list[str]) -> Out:
    for name in argv:
        ctx.session.env.pop(name, None)
    return Out()


def _history(ctx: Context, argv: list[str]) -> Out:
    if argv == ["-c"]:
        ctx.shell.history.clear()
        return Out()
    if argv and not argv[0].isdigit():
        raise Fail(f"bash: history: {argv[0]}: numeric argument required")
    lines = list(enumerate(ctx.shell.history, 1))
    if argv:
        lines = lines[-int(argv[0]) :] if int(argv[0]) else []
    return Out(stdout="".join(f"{n:5}  {line}\n" for n, line in lines))


def _type(ctx: Context, argv: list[str]) -> Out:
    from engine.shell.tools import find
    from engine.shell.unknown import available

    names = available(ctx)
    out, err = "", ""
    for word in argv:
        tool = find(word)
        if tool is None or word not in names:
            err += f"bash: type: {word}: not found\n"
        elif tool.builtin:
            out += f"{word} is a shell builtin\n"
        else:
            out += f"{word} is {where(word)}\n"
    return Out(stdout=out, stderr=err, code=int(bool(err)))


def _jobs(ctx: Context, argv: list[str]) -> Out:
    """What goes on behind an `&` of this shell; the last one is marked +, the one before it -."""
    if argv:
        raise NotModelled(f"jobs {argv[0]}")
    jobs = ctx.session.jobs
    for number in [n for n, (pid, _) in jobs.items() if pid not in ctx.box.procs]:
        del jobs[number]
    marks = dict(zip(sorted(jobs, reverse=True), "+-", strict=False))
    rows = [f"[{n}]{marks.get(n, ' ')}  {'Running':<24}{jobs[n][1].rstrip('& ')} &\n" for n in sorted(jobs)]
    return Out(stdout="".join(rows))


SBIN = frozenset(
    {
        "ip", "bridge", "iptables", "iptables-save", "iptables-restore", "conntrack", "sysctl", "arp", "tcpdump",
        "traceroute", "nft", "ipset", "ipvsadm",
    }
)  # fmt: skip


def where(word: str) -> str:
    """Where a machine keeps a program (Debian's folders)."""
    if word.startswith("/"):
        return word
    if word in ("docker", "kubectl", "crictl", "ctr"):
        return f"/usr/bin/{word}"
    return f"/usr/sbin/{word}" if word in SBIN else f"/usr/bin/{word}"


def _make(name: str, en: str, ko: str, run: object, aliases: tuple[str, ...] = ()) -> Tool:
    return Tool(name=name, summary=Phrase(en, ko), run=run, aliases=aliases, group="shell", builtin=True)  # type: ignore[arg-type]


TOOLS = (
    _make("cd", "go to another folder", "다른 폴더로 이동합니다", _cd),
    _make("pwd", "the folder you are in", "지금 있는 폴더를 보여 줍니다", _pwd),
    _make("exit", "leave a nested shell", "안쪽 셸에서 나옵니다", _exit, ("logout",)),
    _make("export", "set a variable", "변수를 정합니다", _export),
    _make("unset", "remove a variable", "변수를 지웁니다", _unset),
    _make("true", "succeed", "성공으로 끝납니다", lambda ctx, argv: Out(), (":",)),
    _make("false", "fail", "실패로 끝납니다", lambda ctx, argv: Out(code=1)),
    _make("history", "what you typed here", "여기서 입력한 명령을 보여 줍니다", _history),
    _make("clear", "wipe the screen", "화면을 지웁니다", lambda ctx, argv: Out(clear=True)),
    _make("jobs", "background jobs", "백그라운드 작업을 보여 줍니다", _jobs),
    _make("type", "what a command is", "명령이 무엇인지 알려 줍니다", _type),
)

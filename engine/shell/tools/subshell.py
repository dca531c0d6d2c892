"""sh and bash: a nested shell, `-c TEXT`, or a script from the input; sudo, which is nothing to root."""

from __future__ import annotations

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool

BY_HAND = Phrase(en="`sh -c 'COMMANDS'` and `sh FILE` are.", ko="`sh -c '명령'`과 `sh 파일`은 됩니다.")


def _shell(ctx: Context, argv: list[str]) -> Out:
    while argv and argv[0] in ("-l", "-i", "--login"):
        argv = argv[1:]
    if argv and argv[0] in ("-c", "-lc", "-ic"):
        if len(argv) < 2:
            raise Fail("bash: -c: option requires an argument", 2)
        return ctx.shell.run_text(argv[1], ctx.spot, ctx.stdin)
    if argv and argv[0].startswith("-"):
        raise NotModelled(f"sh {argv[0]}", BY_HAND())
    if argv:
        if len(argv) > 1:
            raise NotModelled("sh FILE ARGUMENTS", BY_HAND())
        try:
            text = ctx.files.read(ctx.path(argv[0]))
        except FileError as error:
            raise Fail(f"bash: {argv[0]}: {error.reason}", 127) from None
        return ctx.shell.run_text(text, ctx.spot, ctx.stdin)
    if not ctx.tty:
        return ctx.shell.run_text(ctx.stdin, ctx.spot, "")
    return Out(enter=ctx.spot)


def _sudo(ctx: Context, argv: list[str]) -> Out:
    if argv and argv[0] in ("-i", "-s", "-E", "-n"):
        argv = argv[1:]
    if argv and argv[0].startswith("-"):
        raise NotModelled(f"sudo {argv[0]}")
    return ctx.run_in(ctx.spot, argv or ["bash"])


SH = Tool(
    name="sh",
    summary=Phrase(
        "a shell inside this one; `exit` leaves it", "이 안에 셸을 하나 더 엽니다. `exit`로 나옵니다"
    ),
    run=_shell,
    group="shell",
    aliases=("bash", "ash"),
    usage=("sh", "sh -c 'COMMANDS'", "sh FILE"),
)
SUDO = Tool(
    name="sudo",
    summary=Phrase(
        "you are root already: runs the command as it is", "이미 root이므로 명령을 그대로 실행합니다"
    ),
    run=_sudo,
    group="shell",
    here=lambda world, spot: True,
)
TOOLS = (SH, SUDO)

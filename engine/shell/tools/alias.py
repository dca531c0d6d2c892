"""alias, unalias, source and complete: how a learner makes the shell shorter to type.

Rules. An alias belongs to one terminal and stands for the first word of a line, as bash has it; `source` runs a file,
or what `<(command)` printed, in the terminal's own session. `complete` is accepted: the lab completes by itself.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable

from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool

#: What the parser puts in front of a text that `<(...)` gives to `source`.
GIVEN = "\0"


def _alias(ctx: Context, argv: list[str]) -> Out:
    table = ctx.session.aliases
    if not argv or argv == ["-p"]:
        return Out(stdout="".join(f"alias {k}={shlex.quote(v)}\n" for k, v in sorted(table.items())))
    out, err = "", ""
    for word in argv:
        name, equals, value = word.partition("=")
        if equals and name:
            table[name] = value
        elif name in table:
            out += f"alias {name}={shlex.quote(table[name])}\n"
        else:
            err += f"bash: alias: {word}: not found\n"
    return Out(stdout=out, stderr=err, code=1 if err else 0)


def _unalias(ctx: Context, argv: list[str]) -> Out:
    table = ctx.session.aliases
    if not argv:
        raise Fail("unalias: usage: unalias [-a] name [name ...]", 2)
    if argv == ["-a"]:
        table.clear()
        return Out()
    missing = [w for w in argv if table.pop(w, None) is None]
    return Out(stderr="".join(f"bash: unalias: {w}: not found\n" for w in missing), code=1 if missing else 0)


def _source(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        raise Fail("bash: source: filename argument required\nsource: usage: source filename [arguments]", 2)
    if argv[0].startswith(GIVEN):
        return ctx.shell.source(argv[0].removeprefix(GIVEN), ctx)
    try:
        text = ctx.files.read(ctx.path(argv[0]))
    except FileError as error:
        raise Fail(f"bash: {argv[0]}: {error.reason}") from None
    return ctx.shell.source(text, ctx)


def _complete(ctx: Context, argv: list[str]) -> Out:
    return Out()


Run = Callable[[Context, list[str]], Out]


def _make(
    name: str, en: str, ko: str, run: Run, usage: tuple[str, ...], aliases: tuple[str, ...] = ()
) -> Tool:
    return Tool(
        name=name, summary=Phrase(en, ko), run=run, usage=usage, group="shell", builtin=True, aliases=aliases
    )


TOOLS = (
    _make("alias", "a short name for a command", "명령에 짧은 이름을 붙입니다", _alias, ("alias k=kubectl",)),
    _make("unalias", "forget a short name", "짧은 이름을 지웁니다", _unalias, ("unalias k",)),
    _make(
        "source", "run a file in this shell", "파일을 이 셸에서 실행합니다", _source,
        ("source ~/.bashrc", "source <(kubectl completion bash)"), (".",),
    ),
    _make(
        "complete", "how words are completed (the lab does it by itself)",
        "단어 완성 방법을 정합니다(실습은 저절로 완성합니다)", _complete, ("complete -o default -F __start_kubectl k",),
    ),
)  # fmt: skip

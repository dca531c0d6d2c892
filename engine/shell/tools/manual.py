"""help, man and which: what exists at this place, and what is modelled of one command, from its table."""

from __future__ import annotations

from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools import find
from engine.shell.tools.builtins import where
from engine.shell.unknown import available, not_found

GROUPS: dict[str, Phrase] = {
    "packet": Phrase("Send packets and watch them", "패킷을 보내고 지켜보기"),
    "net": Phrase("Devices, addresses, routes, rules", "장치, 주소, 경로, 규칙"),
    "container": Phrase("Containers and the cluster", "컨테이너와 클러스터"),
    "machine": Phrase("The machine and its processes", "머신과 프로세스"),
    "text": Phrase("Files and text", "파일과 글"),
    "shell": Phrase("The shell", "셸"),
}
#: Other words that tools use for the same groups.
SAME = {
    "network": "net",
    "containers and the cluster": "container",
    "cluster": "container",
    "containers": "container",
}
USAGE = Phrase("Usage", "쓰는 법")
OPTIONS = Phrase("Options", "옵션")
REFUSED = Phrase(
    "Real, but not modelled here (refused by name)",
    "실제 도구에는 있지만 여기에는 없는 것(이름을 밝히고 거절합니다)",
)
MORE = Phrase(
    en="`help NAME` says what is modelled of one. Pipes |, ;, &&, ||, > >> <, $(...) and $VAR work.",
    ko="`help 이름`으로 하나를 자세히 볼 수 있습니다. 파이프 |, ;, &&, ||, > >> <, $(...), $VAR를 쓸 수 있습니다.",
)
NO_SUCH = Phrase(en="there is no help on {name}", ko="{name}에 대한 도움말이 없습니다")


def _help(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        return Out(stdout=_overview(ctx))
    text, errors = "", ""
    for word in argv:
        tool = find(word)
        if tool is None:
            errors += not_found(ctx, word).stderr if " " not in word else ctx.say(NO_SUCH(name=word))
            continue
        text += ("\n" if text else "") + about(tool, word, ctx.lang)
    return Out(stdout=text, stderr=errors, code=int(bool(errors)))


def _man(ctx: Context, argv: list[str]) -> Out:
    words = [w for w in argv if not w.isdigit()]
    if not words:
        raise Fail("What manual page do you want?\nFor example, try 'man man'.")
    missing = [w for w in words if find(w) is None]
    if missing:
        raise Fail(f"No manual entry for {missing[0]}", 16)
    return _help(ctx, words)


def group_of(tool: Tool) -> str:
    group = SAME.get(tool.group, tool.group)
    return group if group in GROUPS else "net"


def _overview(ctx: Context) -> str:
    """Tools of this place by group, one line each; aliases share their tool's line."""
    by_group: dict[str, dict[str, list[str]]] = {}
    for name in available(ctx):
        tool = find(name)
        if tool is not None:
            by_group.setdefault(group_of(tool), {}).setdefault(tool.name, []).append(name)
    blocks = []
    for group, title in GROUPS.items():
        tools = by_group.get(group, {})
        if not tools:
            continue
        lines = [title().text(ctx.lang)]
        for name, typed in tools.items():
            tool = find(name) or find(typed[0])
            if tool is not None:
                shown = ", ".join(sorted(typed, key=lambda n: (n != name, n)))
                lines.append(f"  {shown:<18} {tool.summary().text(ctx.lang)}")
        blocks.append("\n".join(lines) + "\n")
    return "\n".join([*blocks, MORE().text(ctx.lang) + "\n"])


def about(tool: Tool, word: str, lang: str) -> str:
    """The page of one tool, from its table."""
    lines = [f"{tool.name}: {tool.summary().text(lang)}"]
    if tool.usage:
        lines += ["", f"{USAGE().text(lang)}:", *(f"  {u}" for u in tool.usage)]
    kept = [o for o in tool.opts if not o.refused]
    if kept:
        lines += ["", f"{OPTIONS().text(lang)}:"]
        for opt in kept:
            left = ", ".join(opt.names) + (f" {opt.value}" if opt.value else "")
            lines.append(f"  {left:<26} {opt.help().text(lang) if opt.help else ''}".rstrip())
    refused = [o.names[0] for o in tool.opts if o.refused]
    if refused:
        lines += ["", f"{REFUSED().text(lang)}:", "  " + " ".join(refused)]
    if tool.notes is not None:
        lines += ["", tool.notes().text(lang)]
    return "\n".join(lines) + "\n"


def _which(ctx: Context, argv: list[str]) -> Out:
    got = WHICH.parse(argv)
    here = available(ctx)
    found = []
    for word in got.words:
        tool = find(word)
        if tool is not None and word in here and not (tool.builtin and tool.group == "shell"):
            found.append(where(word))
    return Out(stdout="".join(f + "\n" for f in found), code=int(len(found) < len(got.words)))


def _names(ctx: Context, argv: list[str], word: str) -> list[str]:
    return available(ctx)


HELP = Tool(
    name="help",
    summary=Phrase(
        "the tools of this place; `help ip` = one of them", "여기 있는 도구 목록. `help ip`는 하나를 자세히"
    ),
    run=_help,
    complete=_names,
    group="shell",
    builtin=True,
)
MAN = Tool(
    name="man",
    summary=Phrase("what is modelled of a command", "명령에서 무엇을 쓸 수 있는지"),
    run=_man,
    complete=_names,
    group="shell",
    builtin=True,
)
WHICH = Tool(
    name="which",
    summary=Phrase("where a command is", "명령이 어디에 있는지"),
    run=_which,
    complete=_names,
    group="shell",
    opts=(Opt(("-a",), "", Phrase("all of them", "전부")),),
)
TOOLS = (HELP, MAN, WHICH)

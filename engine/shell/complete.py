"""Completion: the words that could stand at the cursor, from the tools' own tables and the lab's names.

Rules. It never fails: a line that cannot be taken apart completes to nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.errors import EngineError
from engine.shell.tool import Context, Tool
from engine.shell.unknown import available

if TYPE_CHECKING:
    from engine.shell.shell import Shell

_CUT = re.compile(r"\|\||&&|[|;&]|\$\(|`|\n")
#: Commands that run the rest of their line as a command, and how many words of their own come first.
PREFIXES = {"sudo": 1, "env": 1, "time": 1}


def complete(shell: Shell, line: str, cursor: int) -> list[str]:
    """Whole words for the place of the cursor, sorted; a folder ends in `/`."""
    head = line[:cursor]
    segment = _CUT.split(head)[-1].lstrip()
    words = segment.split(" ")
    word = words[-1]
    before = [w for w in words[:-1] if w]
    while before and ("=" in before[0] or before[0] in PREFIXES):
        before = before[1:]
    if word.startswith("'") or word.startswith('"'):
        return []
    session = shell.session
    ctx = Context(
        world=shell.world,
        spot=session.spot,
        shell=shell,
        session=session,
        cwd=session.cwd,
        env=dict(session.env),
    )
    try:
        found = _words(shell, ctx, before, word)
    except EngineError:
        return []
    return sorted(
        {w for w in found if w.startswith(word) and w != word}
        | {w for w in found if w == word and len(found) > 1}
    )


def _words(shell: Shell, ctx: Context, before: list[str], word: str) -> list[str]:
    if not before:
        return paths(ctx, word) if "/" in word else available(ctx)
    tool = shell.tool(before[0], ctx.spot)
    if tool is None or before[-1] in (">", ">>", "<", "2>"):
        return paths(ctx, word)
    argv = before[1:]
    if tool.complete is not None:
        found = list(tool.complete(ctx, argv, word))
        if found or (word.startswith("-") and not tool.opts):
            return found
    if word.startswith("-"):
        return options(tool)
    last = tool.option(argv[-1]) if argv else None
    if last is not None and last.value in ("DEV", "INTERFACE"):
        return devices(ctx)
    return paths(ctx, word)


def options(tool: Tool) -> list[str]:
    return [name for opt in tool.opts if not opt.refused for name in opt.names]


def available_commands(ctx: Context) -> list[str]:
    return available(ctx)


def devices(ctx: Context) -> list[str]:
    return sorted(ctx.ns.names)


def netns_names(ctx: Context) -> list[str]:
    return sorted(ctx.box.netns_names)


def addresses(ctx: Context) -> list[str]:
    """Addresses of the lab, as targets: everything but loopback."""
    from engine.linux.addr import is_loopback, text4

    out = {
        text4(a.addr)
        for ns in ctx.net.spaces.values()
        for rows in ns.addresses.values()
        for a in rows
        if not is_loopback(a.addr)
    }
    return sorted(out)


def pids(ctx: Context) -> list[str]:
    return [str(ctx.files.seen_pid(p)) for p in ctx.files.procs()]


def paths(ctx: Context, word: str) -> list[str]:
    """Files and folders that a typed path could become."""
    head, slash, _ = word.rpartition("/")
    folder = ctx.path(head + slash) if slash else ctx.cwd
    out = []
    for name in ctx.files.list(folder, quiet=True):
        path = folder.rstrip("/") + "/" + name
        out.append(head + slash + name + ("/" if ctx.files.kind(path) == "dir" else ""))
    return out

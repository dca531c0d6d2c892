"""What the shell says about words that it does not run: unknown commands, tools that an image lacks, loops, `watch`.

Rules. The first line is the real shell's; ours follows in the learner's language and says the next step.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.tool import Context, Out, Tool
from engine.shell.tools import MODULES, find

if TYPE_CHECKING:
    from engine.shell.place import Spot
    from engine.shell.world import World

DID_YOU_MEAN = Phrase(
    en="did you mean {near}? `help` lists the tools that exist here",
    ko="혹시 {near}입니까? `help`로 여기 있는 도구를 볼 수 있습니다",
)
LISTED = Phrase(en="`help` lists the tools that exist here", ko="`help`로 여기 있는 도구를 볼 수 있습니다")
NOT_IN_IMAGE = Phrase(
    en="this container's image has no {tool}. A node has: `nsenter -t PID -n {tool} ...` there runs the node's own "
    "tool in this container's network",
    ko="이 컨테이너 이미지에는 {tool}이(가) 없습니다. 노드에는 있습니다. "
    "노드에서 `nsenter -t PID -n {tool} ...`을 실행하면 노드의 도구가 이 컨테이너의 네트워크 안에서 돕니다",
)
NOT_HERE = Phrase(en="{tool} is not installed on this machine", ko="이 머신에는 {tool}이(가) 없습니다")
BACKGROUND = Phrase(
    en="Only servers (nc -l, python3 -m http.server) and tcpdump go on in the background of a lab; "
    "leave out the & and run it.",
    ko="실습 환경에서는 서버(nc -l, python3 -m http.server)와 tcpdump만 백그라운드로 실행합니다. &를 빼십시오.",
)


def absent(world: World, spot: Spot, tool: Tool, word: str) -> bool:
    """Is the tool missing at this spot (the image lacks it, the machine has no such daemon)?"""
    if tool.builtin:
        return False
    if spot.tools is not None:
        return word not in spot.tools and tool.name not in spot.tools
    return tool.here is not None and not tool.here(world, spot)


def not_found(ctx: Context, word: str) -> Out:
    """The shell's words for a command that it cannot find, and ours."""
    if "/" in word:
        kind = ctx.files.kind(ctx.path(word))
        if kind == "file":
            raise NotModelled(word, LISTED())
        reason = "Is a directory" if kind == "dir" else "No such file or directory"
        return Out(stderr=f"bash: {word}: {reason}\n", code=126 if kind == "dir" else 127)
    text = f"sh: {word}: not found\n" if ctx.spot.contained else f"bash: {word}: command not found\n"
    if find(word) is not None:
        said = NOT_IN_IMAGE(tool=word) if ctx.spot.contained else NOT_HERE(tool=word)
        return Out(stderr=text + ctx.say(said), code=127)
    near = difflib.get_close_matches(word, available(ctx), n=2, cutoff=0.6)
    said = DID_YOU_MEAN(near=", ".join(near)) if near else LISTED()
    return Out(stderr=text + ctx.say(said), code=127)


def available(ctx: Context) -> list[str]:
    """Names of the commands that exist at this spot, sorted."""
    out = []
    for name in MODULES:
        tool = find(name)
        if tool is not None and not tool.refusal and not absent(ctx.world, ctx.spot, tool, name):
            out.append(name)
    return sorted(out)


def forbidden_background(word: str) -> NotModelled:
    return NotModelled(f"{word} ... &", BACKGROUND())

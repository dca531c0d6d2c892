"""ipset: sets of addresses, ports and devices for iptables rules.

Rules. The command itself lives below the shell (engine/linux/ipset/command.py), where controllers run it too; here
stand only the shell's part: who may, files (-file), completion, help. Everything prints as ipset 7.17 of Debian 12
does.
"""

from __future__ import annotations

from engine.linux.ipset import command
from engine.linux.ipset.command import COMMANDS, FLAGS
from engine.linux.ipset.kinds import KINDS
from engine.linux.ipset.refused import VERSION, Problem, render
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.iptables import may_administer


def _ipset(ctx: Context, argv: list[str]) -> Out:
    try:
        asking = command.ask(argv)
    except Problem as problem:
        err, code = render(problem)
        return Out(stderr=err, code=code)
    if not may_administer(ctx) and asking.command not in ("help", "quit"):
        said = f"ipset v{VERSION}, protocol version: 7\n" if asking.command == "version" else ""
        raise Fail(f"ipset v{VERSION}: Kernel error received: Operation not permitted", stdout=said)
    stdin = ctx.stdin
    if asking.file and asking.command == "restore":
        try:
            stdin = ctx.files.read(ctx.path(asking.file))
        except FileError as error:
            raise Fail(f"ipset v{VERSION}: Cannot open {asking.file} for reading: {error.reason}") from None
    out, err, code = command.run(ctx.net, ctx.spot.netns, argv, ctx.do, stdin)
    if asking.file and asking.command in ("list", "save") and not code:
        try:
            ctx.files.write(ctx.path(asking.file), out)
        except FileError as error:
            raise Fail(f"ipset v{VERSION}: Cannot open {asking.file} for writing: {error.reason}") from None
        out = ""
    return Out(stdout=out, stderr=err, code=code)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    """`argv` are the words before the one at the cursor."""
    words = [w for w in argv if not w.startswith("-")]
    sets = ctx.ns.ipsets
    if not words:
        return [c[0] for c in COMMANDS] + [f for f in FLAGS if len(f) > 2]
    verb, rest = words[0], words[1:]
    if verb == "create":
        if len(rest) == 1:
            return list(KINDS)
        kind = KINDS.get(rest[1]) if len(rest) > 1 else None
        return list(kind.create) if kind is not None else []
    if not rest or (verb in ("swap", "rename") and len(rest) < 2):
        return sets.names()
    one = sets.sets.get(rest[0])
    if one is None:
        return []
    if len(rest) == 1 and one.kind.is_list and verb in ("add", "del", "test"):
        return [name for name in sets.names() if not sets.sets[name].kind.is_list]
    if len(rest) > 1 and verb == "add":
        return [*one.kind.add, *(("before", "after") if one.kind.is_list else ())]
    return []


TOOL = Tool(
    name="ipset",
    summary=Phrase(
        en="shows and changes sets of addresses, ports and devices, which rules ask with -m set --match-set",
        ko="규칙이 -m set --match-set으로 물어보는 주소, 포트, 장치의 집합을 보고 바꿉니다",
    ),
    run=_ipset,
    complete=_complete,
    group="net",
    usage=(
        "ipset create NAME TYPE [OPTIONS]    add|del|test NAME ELEMENT [OPTIONS]    [-exist] [-quiet]",
        "ipset list|save [NAME] [-name] [-terse] [-sorted] [-output plain|save|xml] [-file FILE]",
        "ipset restore [-exist] < FILE    flush|destroy [NAME]    rename OLD NEW    swap A B",
        "TYPE: hash:ip hash:net hash:ip,port hash:ip,port,ip hash:ip,port,net hash:net,port hash:net,iface",
        "      hash:net,net bitmap:ip bitmap:port list:set",
        "OPTIONS of create: timeout S, counters, comment, skbinfo; hash: hashsize N, maxelem N, forceadd,",
        "      bucketsize N, initval N, netmask N; bitmap: range A-B; list: size N",
        "OPTIONS of add: timeout S, nomatch (nets), packets N, bytes N, comment TEXT, before|after NAME (list)",
    ),
)

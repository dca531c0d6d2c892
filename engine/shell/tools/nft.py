"""nft: the rules of nf_tables, as nftables 1.0.6 of Debian 12 prints and takes them.

Rules. The command itself lives below the shell (engine/linux/nft/command.py), where controllers run it too; here
stand only the shell's part: who may, files, completion, help. The tables of iptables are nft's too; they are not
listed here, and the tool says so on stderr.
"""

from __future__ import annotations

from engine.linux.nft import command
from engine.linux.nft.tables import HOOKS, PRIORITIES, Table
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool
from engine.shell.tools.iptables import may_administer

ROOT = (
    "Operation not permitted (you must be root)\n"
    "netlink: Error: cache initialization failed: Operation not permitted"
)
VERBS = ("add", "create", "delete", "flush", "insert", "list", "rename", "replace", "reset")
OBJECTS = ("table", "chain", "rule", "set", "map", "element", "counter", "quota", "limit")
LISTS = (
    "ruleset",
    "table",
    "tables",
    "chain",
    "chains",
    "set",
    "sets",
    "map",
    "maps",
    "counters",
    "quotas",
    "limits",
)
NEXT = {
    "add": OBJECTS, "create": ("table", "chain", "set", "map", "element"), "insert": ("rule",), "replace": ("rule",),
    "delete": OBJECTS, "flush": ("ruleset", "table", "chain", "set", "map"), "list": LISTS, "rename": ("chain",),
    "reset": ("counters", "counter", "quotas", "quota"),
}  # fmt: skip
WORDS = (
    "ip saddr", "ip daddr", "tcp dport", "udp dport", "meta l4proto", "meta mark", "iifname", "oifname", "ct state",
    "counter", "accept", "drop", "jump", "goto", "return", "reject", "dnat to", "snat to", "masquerade", "log",
)  # fmt: skip


def _nft(ctx: Context, argv: list[str]) -> Out:
    if not may_administer(ctx) and not {"-v", "--version"} & set(argv):
        if {"list", "reset", "-f", "--file"} & set(argv):
            raise Fail(ROOT, 1)
        line = " ".join(argv)
        raise Fail(
            f"Error: Could not process rule: Operation not permitted\n{line}\n{'^' * (len(line) + 1)}", 1
        )

    def read(name: str) -> str:
        if name == "-":
            return ctx.stdin
        try:
            return ctx.files.read(ctx.path(name))
        except FileError as error:
            raise Fail(f'internal:0:0-0: Error: Could not open file "{name}": {error.reason}\n') from None

    out, err, code = command.run(ctx.net, ctx.spot.netns, argv, ctx.do, read)
    if not code and "list" in argv and "ruleset" in argv and ctx.ns.xt.tables:
        err += f"# {command.XT_TABLES().text('en')}\n"
    return Out(stdout=out, stderr=err, code=code)


def _complete(ctx: Context, argv: list[str], word: str) -> list[str]:
    """`argv` are the words before the one at the cursor."""
    words = [w for w in argv if not w.startswith("-")]
    if argv and argv[-1] in ("-f", "--file"):
        return []
    if not words:
        return [*VERBS, "-f", "-a", "-n", "-s", "-c"]
    if len(words) == 1:
        return list(NEXT.get(words[0], ()))
    rest = words[2:]
    family = rest.pop(0) if rest and rest[0] in ("ip", "inet") else "ip"
    tables = [t for t in ctx.ns.nft.tables.values() if t.family == family]
    if not rest:
        return [*(["ip", "inet"] if len(words) == 2 else []), *(t.name for t in tables)]
    table = next((t for t in tables if t.name == rest[0]), None)
    if len(rest) == 1 and table is not None:
        return _names(table, words[1])
    last = argv[-1]
    if last == "hook":
        return list(HOOKS)
    if last == "priority":
        return list(PRIORITIES)
    if last in ("jump", "goto") and table is not None:
        return [c.name for c in table.chains.values() if c.base is None]
    if last in ("iifname", "oifname", "iif", "oif"):
        return list(ctx.ns.names)
    return list(WORDS) if words[1] == "rule" else []


def _names(table: Table, kind: str) -> list[str]:
    if kind in ("chain", "rule"):
        return list(table.chains)
    if kind in ("set", "map", "element"):
        return [s.name for s in table.sets.values() if kind == "element" or s.is_map == (kind == "map")]
    return [name for k, name in table.objects if k == kind]


TOOL = Tool(
    name="nft",
    summary=Phrase(
        en="shows and changes the nf_tables rules of this network namespace",
        ko="이 네트워크 네임스페이스의 nf_tables 규칙을 보고 바꿉니다",
    ),
    run=_nft,
    complete=_complete,
    group="net",
    usage=(
        "nft [-a] [-s] [-n] list ruleset|tables|chains|sets | table [FAMILY] TABLE | chain|set|map [FAMILY] TABLE NAME",
        "nft add|create|delete table|chain|set|map|counter|quota|limit [FAMILY] TABLE [NAME] ['{ ... }']",
        "nft add|insert|replace|delete rule [FAMILY] TABLE CHAIN [handle N | index N] STATEMENT...",
        "nft add|delete element [FAMILY] TABLE SET '{ ... }' | flush ruleset|table|chain|set | rename chain | reset",
        "nft [-c] -f FILE    (FAMILY: ip inet; `-` reads standard input)",
    ),
)

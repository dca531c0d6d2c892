"""The command `nft` without a shell around it: options, files, what it prints and its exit code.

Rules. `run` asks for changes by `do` only. NotModelled goes through to the caller. Source: main.c of nftables 1.0.6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import NotModelled
from engine.linux.net import Net, Netns
from engine.linux.nft import suggest
from engine.linux.nft.cmd import Cmd
from engine.linux.nft.lexer import NftError
from engine.linux.nft.parse import commands
from engine.linux.nft.refused import NftRefused
from engine.linux.nft.tables import Table
from engine.linux.nft.text import Style, chain_text, object_text, set_text, table_text
from engine.linux.nft.types import Numeric
from engine.linux.ops.base import Op
from engine.linux.ops.nft import NftApply
from engine.say import Phrase

Do = Callable[[Op], None]
Result = tuple[str, str, int]
VERSION = "nftables v1.0.6 (Lester Gooch #5)\n"
NO_COMMAND = "nft: no command specified\n"
#: long option -> short
LONG = {
    "help": "h", "version": "v", "file": "f", "define": "D", "interactive": "i", "includepath": "I", "check": "c",
    "optimize": "o", "numeric": "n", "stateless": "s", "terse": "t", "service": "S", "reversedns": "N", "guid": "u",
    "numeric-priority": "y", "numeric-protocol": "p", "numeric-time": "T", "handle": "a", "json": "j", "debug": "d",
    "echo": "e",
}  # fmt: skip
VALUED = "fDId"
FLAGS = "hvVcionstSNuypTaje"
MODELLED = "fcnsatv"
JSON = Phrase(
    en="The text form of `nft list ruleset` has the same rows.",
    ko="`nft list ruleset`의 텍스트에 같은 내용이 있습니다.",
)
XT_TABLES = Phrase(
    en="iptables' own rules live in tables of nft too; here `iptables-save` prints them.",
    ko="iptables의 규칙도 nft 테이블에 있습니다. 여기서는 `iptables-save`로 출력합니다.",
)


class Options:
    """What the options say; `words` are the rest."""

    def __init__(self) -> None:
        self.flags: set[str] = set()
        self.file: str | None = None
        self.words: list[str] = []


def options(argv: Sequence[str]) -> Options:
    """Options first, then the command. Raises NotModelled; ValueError with nft's words."""
    out = Options()
    at = 0
    while at < len(argv):
        word = argv[at]
        at += 1
        if not word.startswith("-") or word == "-":
            out.words = list(argv[at - 1 :])
            break
        letters = [LONG[word[2:].split("=")[0]]] if word[2:].split("=")[0] in LONG else list(word[1:])
        if word.startswith("--") and word[2:].split("=")[0] not in LONG:
            raise ValueError(f"nft: unrecognized option '{word}'\n")
        for i, letter in enumerate(letters):
            if letter not in VALUED + FLAGS:
                raise ValueError(f"nft: invalid option -- '{letter}'\n")
            if letter not in MODELLED + "h":
                raise NotModelled(f"nft -{letter}", JSON() if letter == "j" else "")
            if letter == "f":
                rest = word[word.index("=") + 1 :] if "=" in word else "".join(letters[i + 1 :])
                if not rest:
                    if at >= len(argv):
                        raise ValueError("nft: option requires an argument -- 'f'\n")
                    rest, at = argv[at], at + 1
                out.file = rest
                break
            out.flags.add(letter)
    return out


def run(net: Net, netns: str, argv: Sequence[str], do: Do, read: Callable[[str], str]) -> Result:
    """(stdout, stderr, exit code) of `nft ARGV`; `read` gives a file's text (`-` = standard input) or raises
    OSError."""
    try:
        asked = options(argv)
    except ValueError as error:
        return "", str(error), 1
    if "v" in asked.flags:
        return VERSION, "", 0
    if "h" in asked.flags:
        raise NotModelled("nft -h")
    source = ""
    if asked.file is not None:
        source = "/dev/stdin" if asked.file == "-" else asked.file
        text = read(asked.file)
        if not text.endswith("\n"):
            text += "\n"
    elif asked.words:
        text = " ".join(asked.words) + "\n"
    else:
        return "", NO_COMMAND, 1
    ns = net.spaces[netns]
    try:
        cmds = commands(text, dict(ns.names))
    except NftError as error:
        return "", error.render(text.split("\n"), source), 1
    listing = [c for c in cmds if c.verb in ("list", "reset")]
    out = ""
    try:
        for cmd in listing:
            out += show(net, ns, cmd, asked.flags)
        if len(listing) < len(cmds) or any(c.verb == "reset" for c in cmds):
            if "c" in asked.flags:
                from engine.linux.ops.base import apply

                apply(net.copy(), NftApply(netns=netns, text=text, source=source))
            else:
                do(NftApply(netns=netns, text=text, source=source))
    except NftRefused as refused:
        return "", refused.printed, 1
    except NftError as error:
        return "", error.render(text.split("\n"), source), 1
    return out, "", 0


def show(net: Net, ns: Netns, cmd: Cmd, flags: set[str]) -> str:
    """What a list command prints. Raises NftError."""
    names = {i: link.name for i, link in ns.links.items()}
    style = Style(
        handles="a" in flags, stateless="s" in flags, terse="t" in flags, now=net.clock,
        names=Numeric(names) if "n" in flags else names,
    )  # fmt: skip
    tables = [t for t in ns.nft.tables.values() if not cmd.family or t.family == cmd.family]
    kind = cmd.object
    if kind == "ruleset":
        return "".join(table_text(t, style) for t in tables)
    if kind == "tables":
        return "".join(f"table {t.family} {t.name}\n" for t in tables)
    if cmd.table:
        tables = [t for t in tables if t.name == cmd.table]
        if not tables:
            raise NftError(suggest.GONE, cmd.places["table"], errno="ENOENT")
    if kind == "table":
        return table_text(tables[0], style)
    if kind in ("chain", "set", "map", "counter", "quota", "limit"):
        return one(ns, tables[0], cmd, style)
    return "".join(several(t, kind, style, only=bool(cmd.table)) for t in tables)


def head(table: Table) -> str:
    return f"table {table.family} {table.name} {{\n"


def one(ns: Netns, table: Table, cmd: Cmd, style: Style) -> str:
    """One chain, set, map or object, inside its table."""
    if cmd.object == "chain":
        if cmd.chain not in table.chains:
            raise NftError(suggest.GONE, cmd.places["chain"], errno="ENOENT")
        return head(table) + chain_text(table.chains[cmd.chain], table.family, style) + "}\n"
    if cmd.object in ("set", "map"):
        there = table.sets.get(cmd.name)
        if there is None:
            raise NftError(suggest.GONE, cmd.places["name"], errno="ENOENT")
        if there.is_map != (cmd.object == "map"):
            raise NftError(suggest.GONE, cmd.places["name"], errno="ENOENT")
        return head(table) + set_text(there, style) + "}\n"
    key = (cmd.object, cmd.name)
    if key not in table.objects:
        raise NftError(suggest.GONE, cmd.places["name"], errno="ENOENT")
    return head(table) + object_text(table.objects[key], table.cells.get(key), style) + "}\n"


def several(table: Table, kind: str, style: Style, *, only: bool) -> str:
    """`nft list sets`, `chains`, `counters` ...: of one table."""
    if kind == "chains":
        parts = [_bare(table, name, style) for name in table.chains]
        return head(table) + "".join(parts) + "}\n"
    if kind in ("sets", "maps"):
        parts = [set_text(s, style) for s in table.sets.values() if s.is_map == (kind == "maps")]
    else:
        parts = [
            object_text(o, table.cells.get(k), style)
            for k, o in table.objects.items()
            if k[0] == kind.rstrip("s")
        ]
        if not parts:
            return ""
    return head(table) + "".join(parts) + "}\n"


def _bare(table: Table, name: str, style: Style) -> str:
    """A chain without its rules."""
    from engine.record import replace

    return chain_text(replace(table.chains[name], rules=[]), table.family, style)

"""The command `ipset` without a shell around it: an argv or a text for restore, ops, the real tool's output and exit
code.

Rules. `run` asks for changes by `do` only, which applies an op or raises. NotModelled goes through to the caller. In
a restored text neighbouring lines that add to (or delete from) one set travel together: what stands before a line
that the tool itself refuses is then not carried out, what stands before one that the kernel refuses is. Source:
lib/ipset.c, lib/session.c of ipset 7.17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from engine.errors import NotModelled, OpError
from engine.linux.ipset import read, text
from engine.linux.ipset.expand import elements
from engine.linux.ipset.refused import VERSION, IpsetRefused, Problem, render, syntax, usage
from engine.linux.ipset.rows import Asked, Beside
from engine.linux.ipset.sets import IpSet, chosen_initval
from engine.linux.ipset.spell import set_name
from engine.linux.net import Net
from engine.linux.ops.base import Op
from engine.linux.ops.ipset import (
    IpsetAdd,
    IpsetCreate,
    IpsetDel,
    IpsetDestroy,
    IpsetFlush,
    IpsetRename,
    IpsetSwap,
    references,
)
from engine.record import dataclass, replace
from engine.say import Phrase

Do = Callable[[Op], None]
Result = tuple[str, str, int]
#: command, its names as typed in full, how many words it takes (negative = may be left out)
COMMANDS: tuple[tuple[str, tuple[str, ...], int], ...] = (
    ("create", ("create", "new", "-N"), 2), ("add", ("add", "-A"), 2), ("del", ("del", "-D"), 2),
    ("test", ("test", "-T"), 2), ("destroy", ("destroy", "x", "-X"), -1), ("list", ("list", "-L"), -1),
    ("save", ("save", "-S"), -1), ("restore", ("restore", "-R"), 0), ("flush", ("flush", "-F"), -1),
    ("rename", ("rename", "e", "-E"), 2), ("swap", ("swap", "w", "-W"), 2), ("help", ("help", "-h", "-H"), -1),
    ("version", ("version", "-v", "-V"), 0), ("quit", ("quit",), 0),
)  # fmt: skip
FLAGS = {
    "-s": "sorted", "-sorted": "sorted", "-q": "quiet", "-quiet": "quiet", "-!": "exist", "-exist": "exist",
    "-n": "name", "-name": "name", "-t": "terse", "-terse": "terse", "-r": "resolve", "-resolve": "resolve",
}  # fmt: skip
SEE_HELP = Phrase(en="`help ipset` lists what is.", ko="쓸 수 있는 것은 `help ipset`으로 볼 수 있습니다.")


@dataclass(slots=True, kw_only=True)
class Asking:
    """A command line that was read: `words` behind the command's own one or two; `output` plain, save or xml."""

    command: str = ""
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    output: str = ""
    file: str = ""


def ask(argv: Sequence[str], *, line: bool = False) -> Asking:
    """Read a command line. Raises Problem. `line` = it stands in a restored text."""
    out = Asking()
    flags: set[str] = set()
    rest: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        short = word[1:] if word.startswith("--") else word
        if short in FLAGS:
            flags.add(FLAGS[short])
        elif short in ("-o", "-output", "-f", "-file"):
            if not words:
                raise usage(f"Missing mandatory argument to option {'-o' if short[1] == 'o' else '-f'}")
            value = words.pop(0)
            if short[1] == "f":
                out.file = value
            elif value not in ("plain", "save", "xml"):
                raise syntax(f"unknown output mode '{value}'")
            else:
                out.output = value
        else:
            rest.append(word)
    out.flags = frozenset(flags)
    if "resolve" in flags:
        raise NotModelled("ipset -resolve", SEE_HELP())
    if not rest:
        raise usage("No command specified.")
    if rest[0] == "-":
        raise NotModelled("ipset - (its own prompt)", SEE_HELP())
    found = next((c for c in COMMANDS if _named(rest[0], c[1])), None)
    if found is None:
        raise usage(f"No command specified: unknown argument {rest[0]}")
    out.command, names, takes = found
    if line and out.command in ("restore", "version", "help"):
        raise usage(f"Command `{names[0]}' is invalid in restore mode.")
    rest = rest[1:]
    if takes > 0:
        if not rest:
            raise usage(f"Missing mandatory argument to command {names[0]}")
        if len(rest) < takes:
            raise usage(f"Missing second mandatory argument to command {names[0]}")
    count = min(abs(takes), len(rest))
    out.names, out.words = tuple(rest[:count]), tuple(rest[count:])
    return out


def _named(word: str, names: Sequence[str]) -> bool:
    bare = word[2:] if word.startswith("--") else word
    return bool(bare) and word != "-" and any(name.startswith(bare) for name in names)


def run(net: Net, netns: str, argv: Sequence[str], do: Do, stdin: str = "") -> Result:
    """(stdout, stderr, exit code) of `ipset ARGV` in a namespace. Files are the caller's: `restore` reads `stdin`."""
    try:
        asking = ask(argv)
        if asking.command == "restore":
            if asking.words:
                raise usage(f"Unknown argument {asking.words[0]}")
            return restore(net, netns, stdin, do, exist="exist" in asking.flags)
        return act(net, netns, asking, do)
    except (Problem, IpsetRefused) as error:
        return ("", *_quiet(argv, *render(error)))


def _quiet(argv: Sequence[str], err: str, code: int) -> tuple[str, int]:
    return ("" if any(w in ("-q", "-quiet", "--quiet") for w in argv) else err), code


def run_line(net: Net, netns: str, argv: Sequence[str], do: Do) -> None:
    """One command of a controller. Raises OpError with ipset's words where the real controller would see it fail."""
    _, err, code = run(net, netns, argv, do)
    if code:
        raise OpError("EINVAL", err.rstrip("\n"))


def act(net: Net, netns: str, asking: Asking, do: Do) -> Result:
    """Carry out a command that changes or shows something."""
    command, exist = asking.command, "exist" in asking.flags
    if command in ("version", "quit"):
        return (f"ipset v{VERSION}, protocol version: 7\n" if command == "version" else ""), "", 0
    if command == "help":
        raise NotModelled("ipset help", SEE_HELP())
    names = asking.names
    if command in ("list", "save"):
        return show(net, netns, asking), "", 0
    if command == "test":
        return test(net, netns, asking)
    if command in ("add", "del"):
        change(net, netns, read_change(net, netns, asking), do)
        return "", "", 0
    if command == "create":
        do(read_create(netns, asking))
        return "", "", 0
    checked = [set_name(name) for name in names]
    nothing_more(asking)
    if command in ("destroy", "flush"):
        kind = IpsetDestroy if command == "destroy" else IpsetFlush
        try:
            do(kind(netns=netns, name=checked[0] if checked else ""))
        except IpsetRefused as error:
            if not (exist and error.code == "ENOENT" and command == "destroy"):
                raise
    elif command == "rename":
        do(IpsetRename(netns=netns, name=checked[0], new_name=checked[1]))
    else:
        do(IpsetSwap(netns=netns, name=checked[0], other=checked[1]))
    return "", "", 0


def nothing_more(asking: Asking) -> None:
    if asking.words:
        raise usage(f"Unknown argument {asking.words[0]}")


def read_create(netns: str, asking: Asking) -> IpsetCreate:
    name = set_name(asking.names[0])
    kind = read.kind_of(asking.names[1])
    values = read.options(kind, asking.words)
    options = read.rounded(kind, values, chosen_initval(netns, name) if kind.is_hash else 0)
    return IpsetCreate(netns=netns, name=name, kind=kind.name, options=options, exist="exist" in asking.flags)


def read_element(net: Net, netns: str, asking: Asking) -> tuple[IpSet, Asked, Beside]:
    """The set of add, del or test, its element, and what stands beside it."""
    name = set_name(asking.names[0])
    one = net.spaces[netns].ipsets.sets.get(name)
    if one is None:
        raise IpsetRefused("ENOENT")
    asked = read.element(one.kind, asking.names[1])
    beside, place = read.beside(one.kind, asking.command, asking.words)
    read.allowed(one.kind, asked, asking.command)
    asked = replace(asked, wildcard=place.wildcard, before=place.before, after=place.after)
    return one, asked, beside


def read_change(net: Net, netns: str, asking: Asking) -> IpsetAdd | IpsetDel:
    one, asked, beside = read_element(net, netns, asking)
    exist = "exist" in asking.flags
    if asking.command == "del":
        return IpsetDel(netns=netns, name=one.name, asked=asked, exist=exist)
    return IpsetAdd(netns=netns, name=one.name, asked=asked, beside=beside, exist=exist)


def change(net: Net, netns: str, op: IpsetAdd | IpsetDel, do: Do) -> None:
    """Add or delete; of a range that the kernel refuses in the middle the first part is carried out."""
    try:
        do(op)
    except IpsetRefused as error:
        if error.done:
            do(replace(op, first=error.done))
        raise


def test(net: Net, netns: str, asking: Asking) -> Result:
    one, asked, beside = read_element(net, netns, asking)
    try:
        inside = is_in(one, asked, beside, net.clock)
    except IpsetRefused:  # the tool takes every refusal of the kernel for a no
        inside = False
    if "quiet" in asking.flags:
        return "", "", 0 if inside else 1
    what = text.asked_text(asked)
    if inside:
        return "", f"Warning: {what} is in set {one.name}.\n", 0
    return "", f"{what} is NOT in set {one.name}.\n", 1


def is_in(one: IpSet, asked: Asked, beside: Beside, now: float) -> bool:
    if one.kind.is_list:
        return one.beside_member(asked)
    wanted = next(elements(one.kind, one.options, asked, test=True))
    found = next(one.candidates(wanted, now), None)
    return found is not None and (beside.nomatch or not found.beside.nomatch)


def show(net: Net, netns: str, asking: Asking) -> str:
    """list and save."""
    ns, now = net.spaces[netns], net.clock
    names = [set_name(name) for name in asking.names]
    nothing_more(asking)
    if names and names[0] not in ns.ipsets.sets:
        raise IpsetRefused("ENOENT")
    output = asking.output or ("save" if asking.command == "save" else "plain")
    chosen = [ns.ipsets.sets[name] for name in names or ns.ipsets.names()]
    if "name" in asking.flags and output != "save":
        if output == "xml":
            return "".join(["<ipsets>\n", *(f'<ipset name="{s.name}"/>\n' for s in chosen), "</ipsets>\n"])
        return "".join(f"{s.name}\n" for s in chosen)
    used = references(ns)
    ordered, terse = "sorted" in asking.flags, "terse" in asking.flags
    if output == "save":
        return "".join(text.save(s, now, ordered=ordered) for s in chosen)
    if output == "xml":
        parts = [text.xml(s, used[s.name], now, terse=terse, ordered=ordered) for s in chosen]
        return "".join(["<ipsets>\n", *parts, "</ipsets>\n"])
    return "\n".join(text.plain(s, used[s.name], now, terse=terse, ordered=ordered) for s in chosen)


def split(line: str) -> list[str]:
    """The words of a line of a restored text; double quotes keep blanks together. Raises Problem."""
    words, current, quoted = [], "", False
    for c in line:
        if c == '"':
            quoted = not quoted
        elif c in " \r\n\t" and not quoted:
            if current:
                words.append(current)
            current = ""
        else:
            current += c
    if quoted:
        raise usage("Missing close quote!")
    return [*words, current] if current else words


def restore(net: Net, netns: str, content: str, do: Do, *, exist: bool = False) -> Result:
    """`ipset restore` fed with `content`; what lines print (list, save) is in order."""
    out: list[str] = []
    held: list[tuple[int, IpsetAdd | IpsetDel]] = []
    number = 0
    try:
        for number, raw in enumerate(content.split("\n"), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            if line == "COMMIT":
                release(net, netns, held, do)
                continue
            asking = ask(split(line), line=True)
            # -exist holds for the rest of the text; what was kept back goes as its first line says.
            exist = exist or "exist" in asking.flags
            if exist:
                asking.flags |= {"exist"}
            if asking.command in ("add", "del"):
                op = read_change(net, netns, asking)
                if held and (held[0][1].name != op.name or _verb(held[0][1]) != asking.command):
                    release(net, netns, held, do)
                held.append((number, replace(op, exist=held[0][1].exist if held else op.exist)))
                continue
            if asking.command == "create":
                # The whole line is read before the kernel hears of those that were kept back.
                with suppress(IpsetRefused):
                    read_create(netns, asking)
            release(net, netns, held, do)
            if asking.command == "quit":
                return "".join(out), "", 0
            said, err, code = act(net, netns, asking, do)
            out.append(said)
            if code or err:
                return "".join(out), err, code
        release(net, netns, held, do)
    except Held as stop:
        return ("".join(out), *render(stop.error, stop.line))
    except (Problem, IpsetRefused) as error:
        return ("".join(out), *render(error, number))
    return "".join(out), "", 0


class Held(Exception):
    """A line that was kept back is refused by the kernel."""

    def __init__(self, error: IpsetRefused, line: int) -> None:
        super().__init__(str(error))
        self.error, self.line = error, line


def _verb(op: IpsetAdd | IpsetDel) -> str:
    return "del" if isinstance(op, IpsetDel) else "add"


def release(net: Net, netns: str, held: list[tuple[int, IpsetAdd | IpsetDel]], do: Do) -> None:
    """Carry out the lines that were kept back."""
    todo, held[:] = list(held), []
    for line, op in todo:
        try:
            change(net, netns, op, do)
        except IpsetRefused as error:
            raise Held(error, line) from None


def restore_text(net: Net, netns: str, content: str, do: Do, *, exist: bool = False) -> None:
    """What a controller feeds to `ipset restore`. Raises OpError with its words where it would see it fail."""
    _, err, code = restore(net, netns, content, do, exist=exist)
    if code:
        raise OpError("EINVAL", err.rstrip("\n"))

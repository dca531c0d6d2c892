"""A command of the lab: one table that drives its parsing, its help, its completion and its refusals.

How to write one (engine/shell/tools/NAME.py):

    TOOL = Tool(name="ping", summary=Phrase(en=..., ko=...), run=run, opts=(Opt(("-c",), "COUNT", Phrase(...)), ...))
    def run(ctx: Context, argv: list[str]) -> Out: ...      # argv without the command's own name

and a line in tools/__init__.py. Tools with words instead of options (`ip`, `kubectl`) parse by themselves and say
what they know in `usage` and `complete`.

Rules. An option that the real tool has and we lack stands in the table with `refused=True` (NotModelled names
it); one that the real tool does not know gives the real tool's error through `Tool.unknown`. Raise `Fail` to end
with a real tool's own words; NotModelled, OpError and InputError may be raised anywhere and become stderr.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from engine.errors import EngineError, NotModelled
from engine.linux.journey import Journey
from engine.linux.net import Net, Netns
from engine.linux.ops import Op
from engine.linux.rows import Box, Proc
from engine.record import dataclass, replace
from engine.say import Phrase, Said, plain
from engine.shell import powers
from engine.shell.files import Files
from engine.shell.place import Spot
from engine.shell.world import World

if TYPE_CHECKING:
    from engine.shell.shell import Session

SEE_HELP = Phrase(en="`help {tool}` lists what is.", ko="`help {tool}`(으)로 쓸 수 있는 것을 볼 수 있습니다.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A text that a command wants edited. `name` is the file's; `command` reads the new text from its standard input
    (a here-document), so that the log of a lab holds what was saved; `why` is what is said before a text that was
    refused is opened again."""

    name: str
    text: str
    command: str
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """What a command leaves. `enter` opens a nested shell there; `leave` ends the innermost one; `clear` wipes
    the screen; `chunks` = the texts in order (see `mixed`); `downloads` are files that leave the lab: (name, bytes);
    `edit` asks whoever runs the shell for an editor."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0
    journeys: tuple[Journey, ...] = ()
    enter: Spot | None = None
    leave: bool = False
    clear: bool = False
    chunks: tuple[tuple[str, str], ...] = ()
    downloads: tuple[tuple[str, bytes], ...] = ()
    edit: Edit | None = None

    @classmethod
    def mixed(
        cls, chunks: Sequence[tuple[str, str]], code: int = 0, journeys: tuple[Journey, ...] = ()
    ) -> Out:
        """Texts in the order in which a terminal shows them: ("out" or "err", text)."""
        kept = tuple(c for c in chunks if c[1])
        out, err = ("".join(t for s, t in kept if s == which) for which in ("out", "err"))
        return cls(stdout=out, stderr=err, code=code, journeys=journeys, chunks=kept)

    def texts(self) -> tuple[tuple[str, str], ...]:
        """The texts in order; by default errors come after the output."""
        return self.chunks or (("out", self.stdout), ("err", self.stderr))


class Fail(EngineError):
    """The real tool ends with an error of its own: its words on stderr (no newline at the end), its exit code."""

    def __init__(self, stderr: str, code: int = 1, stdout: str = "") -> None:
        super().__init__(plain(stderr))
        self.out = Out(stdout=stdout, stderr=stderr + "\n" if stderr else "", code=code)


@dataclass(frozen=True, slots=True)
class Opt:
    """One option. `names` as typed (`("-c", "--count")`); `value` the metavariable ("" = a flag, "[=FILE]" = a
    value that
    may be left out and must be glued); `refused` = real, but not modelled."""

    names: tuple[str, ...]
    value: str = ""
    help: Phrase | None = None
    refused: bool = False

    @property
    def optional(self) -> bool:
        return self.value.startswith("[")


@dataclass(slots=True)
class Parsed:
    """Options by their first name, in order of typing, and the words that are left."""

    opts: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.opts

    def last(self, name: str, default: str = "") -> str:
        return self.opts[name][-1] if name in self.opts else default


def getopt_unknown(tool: Tool, option: str) -> Fail:
    """glibc's getopt error: what most tools print for an option that they do not know."""
    if option.startswith("--"):
        text = f"{tool.name}: unrecognized option '{option}'"
    else:
        text = f"{tool.name}: invalid option -- '{option[1:]}'"
    return Fail("\n".join([text, *tool.after_unknown]), tool.usage_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """`group` orders `help`; `usage` lines are shown by `help NAME` under the summary; `after_unknown` are the lines
    that the real tool prints after an unknown option, `usage_code` its exit code then. `background` = may end in &.
    `builtin` = part of the shell itself, there in every image; `here` says whether a machine has it (docker, crictl);
    `refusal` = the tool exists only to be refused by name."""

    name: str
    summary: Phrase
    run: Callable[[Context, list[str]], Out]
    complete: Callable[[Context, list[str], str], Sequence[str]] | None = None
    aliases: tuple[str, ...] = ()
    group: str = "text"
    opts: tuple[Opt, ...] = ()
    usage: tuple[str, ...] = ()
    notes: Phrase | None = None
    unknown: Callable[[Tool, str], Fail] = getopt_unknown
    after_unknown: tuple[str, ...] = ()
    usage_code: int = 1
    background: bool = False
    builtin: bool = False
    here: Callable[[World, Spot], bool] | None = None
    refusal: bool = False

    def option(self, word: str) -> Opt | None:
        return next((o for o in self.opts if word in o.names), None)

    def parse(self, argv: Sequence[str], *, permute: bool = True) -> Parsed:
        """getopt: bundled short flags, values glued or apart, `--long=value`, `--`. With `permute` False the first
        word ends the options. Raises NotModelled for a refused option, Fail for an unknown one."""
        out = Parsed()
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if word == "--":
                out.words += rest
                break
            if not word.startswith("-") or word == "-":
                out.words.append(word)
                if not permute:
                    out.words += rest
                    break
            elif word.startswith("--") or (self.option(word.partition("=")[0]) and len(word) > 2):
                self._long(word, rest, out)
            else:
                self._short(word, rest, out)
        return out

    def _long(self, word: str, rest: list[str], out: Parsed) -> None:
        name, equals, glued = word.partition("=")
        opt = self.option(name)
        if opt is None:
            near = [o for o in self.opts if any(n.startswith(name) and n.startswith("--") for n in o.names)]
            if len(near) != 1:
                raise self.unknown(self, name)
            opt = near[0]
        self._allowed(opt, name)
        if not opt.value:
            if equals:
                raise Fail(f"{self.name}: option '{name}' doesn't allow an argument", self.usage_code)
            out.opts.setdefault(opt.names[0], []).append("")
        elif equals or opt.optional:
            out.opts.setdefault(opt.names[0], []).append(glued)
        elif rest:
            out.opts.setdefault(opt.names[0], []).append(rest.pop(0))
        else:
            text = f"{self.name}: option '{name}' requires an argument"
            raise Fail("\n".join([text, *self.after_unknown]), self.usage_code)

    def _short(self, word: str, rest: list[str], out: Parsed) -> None:
        letters = word[1:]
        while letters:
            name, letters = "-" + letters[0], letters[1:]
            opt = self.option(name)
            if opt is None:
                raise self.unknown(self, name)
            self._allowed(opt, name)
            value = ""
            if opt.optional:
                value, letters = letters.removeprefix("="), ""
            elif opt.value:
                if letters:
                    value, letters = letters, ""
                elif rest:
                    value = rest.pop(0)
                else:
                    text = f"{self.name}: option requires an argument -- '{name[1:]}'"
                    raise Fail("\n".join([text, *self.after_unknown]), self.usage_code)
            out.opts.setdefault(opt.names[0], []).append(value)

    def _allowed(self, opt: Opt, name: str) -> None:
        if opt.refused:
            raise NotModelled(f"{self.name} {name}", SEE_HELP(tool=self.name))


class Runs(Protocol):
    """What a Context may ask of the shell that runs it."""

    history: list[str]

    def run_argv(
        self, argv: Sequence[str], spot: Spot, stdin: str, tty: bool, *, screen: bool = False
    ) -> Out: ...

    def run_text(self, text: str, spot: Spot, stdin: str) -> Out: ...

    def source(self, text: str, context: Context) -> Out: ...

    def terminal(self, context: Context) -> bool: ...


@dataclass(slots=True)
class Context:
    """What a command sees. `tty` = its input is the terminal; `background` = the line ended in &; `since` = the
    position in the capture where a background tcpdump began, -1 otherwise; `session` = the shell that runs it;
    `to_terminal` = what it prints is shown as it is, neither piped nor kept."""

    world: World
    spot: Spot
    shell: Runs
    session: Session
    stdin: str = ""
    tty: bool = True
    background: bool = False
    env: dict[str, str] = field(default_factory=dict)
    cwd: str = "/"
    columns: int = 100
    line: str = ""
    since: int = -1
    to_terminal: bool = False

    @property
    def net(self) -> Net:
        return self.world.net

    @property
    def box(self) -> Box:
        return self.world.net.boxes[self.spot.box]

    @property
    def ns(self) -> Netns:
        return self.world.net.spaces[self.spot.netns]

    @property
    def proc(self) -> Proc:
        """The process whose namespaces the shell shares: process 1 on a machine, the container's in a container."""
        return self.box.procs.get(self.spot.pid, self.box.procs[1])

    @property
    def place(self) -> str:
        return self.spot.name

    @property
    def busybox(self) -> bool:
        """Are the tools of this place busybox's applets (an image built on it that brings no others)?"""
        tools = self.spot.tools
        return tools is not None and "ash" in tools and "tshark" not in tools

    @property
    def lang(self) -> str:
        return self.world.lang

    @property
    def files(self) -> Files:
        return Files(self.world, self.spot)

    def do(self, op: Op) -> None:
        """Carry out a change. Raises OpError, also where a container may not (powers.py)."""
        powers.check(self.box, self.spot, op)
        self.world.do(op)

    def say(self, said: Said) -> str:
        """One line of ours, for stderr, in the learner's language."""
        return said.text(self.world.lang) + "\n"

    def path(self, word: str) -> str:
        """A path as typed -> absolute."""
        import posixpath

        return posixpath.normpath(posixpath.join(self.cwd, word))

    def run_in(
        self, spot: Spot, argv: Sequence[str], *, interactive: bool = True, screen: bool = True
    ) -> Out:
        """Run a command in another place (`ip netns exec X CMD`, `docker exec C CMD`). No command, or a bare shell
        with `interactive`, opens a nested terminal there. Without `screen` it has no terminal to print to."""
        shown = screen and self.to_terminal
        return self.shell.run_argv(argv, spot, self.stdin, interactive and self.tty, screen=shown)

    def in_netns(self, netns: str, argv: Sequence[str]) -> Out:
        """Run a command of this place in another network namespace."""
        return self.run_in(self.spot.moved(netns), argv)


def with_stdout(out: Out, stdout: str) -> Out:
    return replace(out, stdout=stdout)

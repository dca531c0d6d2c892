"""The docker command's grammar (cobra and pflag): options of a command, what is wrong with them, in docker's words.

Rules. One `Verb` a command: its usage line, its options, how many words it takes. An option that docker has and
the lab lacks stands there with `refused`; one that docker does not know gives docker's error and exit code 125.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from engine.docker.daemon import Dockerd
from engine.docker.errors import DockerError, NoDaemon
from engine.errors import NotModelled
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.tool import SEE_HELP, Context, Fail, Out


@dataclass(frozen=True, slots=True)
class Flag:
    """`names` without dashes, the long one first; `value` "" for a switch."""

    names: tuple[str, ...]
    value: str = ""
    refused: bool = False


def flags(text: str) -> tuple[Flag, ...]:
    """`"publish,p= tty,t volume,v=!"`: names by comma, `=` takes a value, `!` is refused."""
    out = []
    for word in text.split():
        body = word.rstrip("!=")
        marks = word[len(body) :]
        out.append(Flag(tuple(body.split(",")), "VALUE" if "=" in marks else "", "!" in marks))
    return tuple(out)


@dataclass(slots=True)
class Given:
    """Options by long name, in order, and the words."""

    flags: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def on(self, name: str) -> bool:
        return self.flags.get(name, ["false"])[-1] not in ("false", "0", "f", "F", "FALSE", "False")

    def one(self, name: str, default: str = "") -> str:
        return self.flags.get(name, [default])[-1]

    def all(self, name: str) -> list[str]:
        return self.flags.get(name, [])


Run = Callable[[Context, Dockerd, Given], Out]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A command of docker's. `name` with its group (`network ls`); `usage` what follows it in the usage line;
    `least` and `most` words (-1: any); `interspersed` False: the first word ends the options;
    `completes` what its words are."""

    name: str
    usage: str
    run: Run
    summary: Phrase
    options: tuple[Flag, ...] = ()
    least: int = 0
    most: int = -1
    interspersed: bool = True
    completes: str = ""

    def fail(self, text: str) -> Fail:
        tail = f"\n\nUsage:  docker {self.name} {self.usage}".rstrip()
        return Fail(f"{text}{tail}\n\nRun 'docker {self.name} --help' for more information", 125)

    def parse(self, argv: list[str]) -> Given:
        """pflag: `--name value`, `--name=value`, `-abc`, `-pvalue`. Raises Fail, NotModelled."""
        got = Given()
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if word == "--":
                got.words += rest
                break
            if not word.startswith("-") or word == "-":
                got.words.append(word)
                if not self.interspersed:
                    got.words += rest
                    break
            elif word.startswith("--"):
                self._long(word, rest, got)
            else:
                self._short(word, rest, got)
        self._count(got.words)
        return got

    def _flag(self, name: str) -> Flag | None:
        return next((f for f in self.options if name in f.names), None)

    def _allowed(self, flag: Flag, typed: str) -> None:
        if flag.refused:
            raise NotModelled(f"docker {self.name} {typed}", SEE_HELP(tool="docker"))

    def _long(self, word: str, rest: list[str], got: Given) -> None:
        name, equals, value = word[2:].partition("=")
        if name == "help":
            raise NotModelled(f"docker {self.name} --help", SEE_HELP(tool="docker"))
        flag = self._flag(name) if len(name) > 1 else None
        if flag is None:
            raise self.fail(f"unknown flag: --{name}")
        self._allowed(flag, f"--{name}")
        if flag.value and not equals:
            if not rest:
                raise self.fail(f"flag needs an argument: --{name}")
            value = rest.pop(0)
        if not flag.value:
            value = value if equals else "true"
            if value.lower() not in ("true", "false", "1", "0", "t", "f"):
                raise self.fail(
                    f'invalid argument "{value}" for "--{name}" flag: strconv.ParseBool: parsing "{value}": '
                    "invalid syntax"
                )
        got.flags.setdefault(flag.names[0], []).append(value)

    def _short(self, word: str, rest: list[str], got: Given) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self._flag(letter)
            if flag is None:
                raise self.fail(f"unknown shorthand flag: '{letter}' in {word}")
            self._allowed(flag, f"-{letter}")
            value = "true"
            if flag.value:
                if letters:
                    value, letters = letters.removeprefix("="), ""
                elif rest:
                    value = rest.pop(0)
                else:
                    raise self.fail(f"flag needs an argument: '{letter}' in {word}")
            got.flags.setdefault(flag.names[0], []).append(value)

    def _count(self, words: list[str]) -> None:
        count = len(words)
        tail = f"Usage:  docker {self.name} {self.usage}\n\n"
        plural = "s" if (self.least if count < self.least else self.most) != 1 else ""
        if self.most == self.least and count != self.least:
            if self.least == 0:
                raise Fail(
                    f"docker: 'docker {self.name}' accepts no arguments\n\n{tail}Run 'docker {self.name} --help' "
                    "for more information"
                )
            raise Fail(
                f"docker: 'docker {self.name}' requires {self.least} argument{plural}\n\n{tail}"
                f"See 'docker {self.name} --help' for more information"
            )
        if count < self.least:
            raise Fail(
                f"docker: 'docker {self.name}' requires at least {self.least} argument{plural}\n\n{tail}"
                f"See 'docker {self.name} --help' for more information"
            )
        if 0 <= self.most < count:
            raise Fail(
                f"docker: 'docker {self.name}' requires at most {self.most} argument{plural}\n\n{tail}"
                f"See 'docker {self.name} --help' for more information"
            )


def each(words: list[str], act: Callable[[str], str]) -> Out:
    """Do one thing to many: its line for each, the daemon's errors at the end, exit code 1 for any."""
    out, errors = "", ""
    for word in words:
        try:
            out += act(word) + "\n"
        except DockerError as error:
            errors += f"Error response from daemon: {error.message}\n"
    return Out(stdout=out, stderr=errors, code=1 if errors else 0)


def refusal(error: DockerError | NoDaemon) -> Out:
    """The daemon's answer as the docker command prints it."""
    head = "" if isinstance(error, NoDaemon) else "Error response from daemon: "
    return Out(stderr=f"{head}{error.message}\n", code=1)


def table(header: list[str], rows: list[list[str]]) -> str:
    """tabwriter with three spaces between columns; the last column is not padded."""
    widths = [max(len(r[i]) for r in [header, *rows]) + 3 for i in range(len(header))]
    lines = []
    for row in [header, *rows]:
        cells = [cell.ljust(widths[i]) for i, cell in enumerate(row[:-1])]
        lines.append("".join(cells) + row[-1] + "\n")
    return "".join(lines)

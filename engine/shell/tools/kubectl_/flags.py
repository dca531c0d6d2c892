"""kubectl's command lines: pflag's rules and texts.

Rules. Each verb declares its flags in a table; a flag that real kubectl has and the model has not is `refused` and
stops by name; one that kubectl does not know gives kubectl's own error. Flags and words mix freely; `--` ends both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import field

from engine.errors import NotModelled
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.tool import Fail

SEE = Phrase(en="`help kubectl` lists what is.", ko="`help kubectl`이 있는 것을 보여 줍니다.")


def later(what: str) -> NotModelled:
    """Something of real kubectl that the model has not."""
    return NotModelled(what, SEE())


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag. `value` False = a boolean; `bare` what it means without a value (--watch, --dry-run)."""

    name: str
    short: str = ""
    value: bool = True
    bare: str | None = None
    refused: bool = False


def flag(name: str, short: str = "") -> Flag:
    return Flag(name=name, short=short)


def switch(name: str, short: str = "") -> Flag:
    return Flag(name=name, short=short, value=False)


def refused(name: str, short: str = "", *, value: bool = False) -> Flag:
    return Flag(name=name, short=short, value=value, refused=True)


#: Flags whose value pflag reads as a number or as Go's duration, whatever verb has them.
NUMBERS = frozenset(
    (
        "replicas", "current-replicas", "grace-period", "tail", "revision", "to-revision", "chunk-size", "min", "max",
        "cpu-percent", "max-log-requests", "limit-bytes", "skip-wait-for-delete-timeout",
    )
)  # fmt: skip
DURATIONS = frozenset(("timeout", "since", "pod-running-timeout"))
DURATION = re.compile(r"[-+]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+)")
#: Flags of every verb.
COMMON = (
    flag("namespace", "n"), flag("kubeconfig"), flag("context"), flag("cluster"), flag("user"), flag("server", "s"),
    refused("token", value=True), flag("as"), flag("as-group"), flag("as-uid"), flag("request-timeout"),
    switch("help", "h"),
    switch("insecure-skip-tls-verify"), flag("cache-dir"), refused("v", "v", value=True),
    refused("certificate-authority", value=True), refused("client-certificate", value=True),
    refused("client-key", value=True), refused("tls-server-name", value=True), refused("username", value=True),
    refused("password", value=True), switch("match-server-version"), switch("warnings-as-errors"),
    refused("profile", value=True), refused("log-flush-frequency", value=True), switch("disable-compression"),
)  # fmt: skip
#: Verbs that may speak for somebody else: the lab's API server lets everybody do everything.
SPEAKERS = ("auth",)


@dataclass(slots=True)
class Line:
    """A parsed command line: `words`, `after` what stood behind `--` (None without one), flags by name."""

    verb: str
    words: list[str] = field(default_factory=list)
    after: list[str] | None = None
    flags: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return self.flags[name][-1] if name in self.flags else default

    def on(self, name: str, default: bool = False) -> bool:
        return self.get(name, "true" if default else "false") in ("true", "1", "t", "T", "TRUE", "True")

    def all(self, name: str) -> list[str]:
        """Every value of a repeated flag."""
        return self.flags.get(name, [])

    def __contains__(self, name: str) -> bool:
        return name in self.flags


def see_help(verb: str) -> str:
    return f"See 'kubectl {verb} --help' for usage." if verb else "See 'kubectl --help' for usage."


def parse(verb: str, argv: Sequence[str], own: Iterable[Flag], *, stop: bool = False) -> Line:
    """Parse what stands behind the verb. `stop` True: the second word ends the flags (exec without `--`)."""
    table = (*own, *COMMON)
    names = {f.name: f for f in reversed(table)}
    shorts = {f.short: f for f in reversed(table) if f.short}
    line = Line(verb)
    rest = list(argv)
    if "--help" in rest[: rest.index("--") if "--" in rest else None] or "-h" in rest[:1]:
        raise Help(verb, tuple(f for f in own if not f.refused))
    while rest:
        word = rest.pop(0)
        if word == "--":
            line.after = rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            found = names.get(name)
            if found is None:
                raise Fail(f"error: unknown flag: --{name}\n{see_help(verb)}")
            _put(line, found, f"--{name}", value if equals else None, rest, verb)
        elif word.startswith("-") and word != "-":
            _shorts(line, word, shorts, rest, verb)
        else:
            line.words.append(word)
            if stop and len(line.words) == 2:
                line.words += rest
                break
    if line.get("validate", "true") not in ("true", "strict"):
        raise NotModelled(f"kubectl {verb} --validate={line.get('validate')}", SEE())
    if "as" in line and verb.split(" ")[0] not in SPEAKERS:
        raise NotModelled(f"kubectl {verb} --as", SEE())
    return line


class Help(Exception):
    """--help was asked for: the verb and its own flags."""

    def __init__(self, verb: str, flags: tuple[Flag, ...]) -> None:
        super().__init__(verb)
        self.verb = verb
        self.flags = flags


def _shorts(line: Line, word: str, shorts: dict[str, Flag], rest: list[str], verb: str) -> None:
    letters = word[1:]
    while letters:
        found = shorts.get(letters[0])
        if found is None:
            raise Fail(f"error: unknown shorthand flag: '{letters[0]}' in {word}\n{see_help(verb)}")
        tail = letters[1:]
        if found.value and found.bare is None:
            value = tail.removeprefix("=") if tail else None
            _put(line, found, f"-{letters[0]}", value, rest, verb)
            return
        if tail.startswith("="):
            _put(line, found, f"-{letters[0]}", tail[1:], rest, verb)
            return
        _put(line, found, f"-{letters[0]}", None, rest, verb)
        letters = tail


def unreadable(name: str, value: str) -> str:
    """Why Go cannot read the value of a flag; "" when it can."""
    if name in NUMBERS and not re.fullmatch(r"[-+]?\d+", value):
        return f'strconv.ParseInt: parsing "{value}": invalid syntax'
    if name not in DURATIONS or DURATION.fullmatch(value):
        return ""
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", value):
        return f'time: missing unit in duration "{value}"'
    unit = re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)([^\d.]+).*", value)
    return (
        f'time: unknown unit "{unit[1]}" in duration "{value}"'
        if unit
        else f'time: invalid duration "{value}"'
    )


def both(found: Flag) -> str:
    """A flag as pflag names it in an error: `-w, --watch`."""
    return f"-{found.short}, --{found.name}" if found.short else f"--{found.name}"


def _put(line: Line, found: Flag, typed: str, value: str | None, rest: list[str], verb: str) -> None:
    if found.refused:
        raise NotModelled(f"kubectl {verb} --{found.name}", SEE())
    if value is None:
        if not found.value:
            value = "true"
        elif found.bare is not None:
            value = found.bare
        elif rest:
            value = rest.pop(0)
        else:
            short = f"'{typed[1:]}' in {typed}" if not typed.startswith("--") else typed
            raise Fail(f"error: flag needs an argument: {short}\n{see_help(verb)}")
    elif not found.value and value not in (
        "true",
        "false",
        "1",
        "0",
        "t",
        "f",
        "True",
        "False",
        "TRUE",
        "FALSE",
    ):
        raise Fail(
            f'error: invalid argument "{value}" for "{both(found)}" flag: strconv.ParseBool: parsing "{value}": '
            f"invalid syntax\n{see_help(verb)}"
        )
    why = unreadable(found.name, value) if found.value else ""
    if why:
        raise Fail(f'error: invalid argument "{value}" for "{both(found)}" flag: {why}\n{see_help(verb)}')
    line.flags.setdefault(found.name, []).append(value)

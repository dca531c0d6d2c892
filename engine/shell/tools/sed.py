"""sed: substitution, deletion and printing of lines, as people edit files with it. GNU sed's words.

Rules. Commands: s/a/b/[g][i][p][N], d, p, q; an address is a line number, `$`, /pattern/ or two of these; several with
-e or `;`. Every other command of sed is refused by name. `-i` writes the file only when something really changed.
"""

from __future__ import annotations

import re

from engine.errors import NotModelled
from engine.record import dataclass
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.grep import compile_patterns, translate
from engine.shell.tools.text import joined, lines_of

USAGE = "Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]..."
OTHERS = "aAbBcCDgGhHilnNrRtTvwWxyz=:{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """`start`, `end` are a line number, -1 for the last line, a pattern, or None; `letter` s d p q."""

    letter: str
    start: int | re.Pattern[str] | None = None
    end: int | re.Pattern[str] | None = None
    invert: bool = False
    pattern: re.Pattern[str] | None = None
    new: str = ""
    every: bool = False
    show: bool = False
    nth: int = 1


class Script:
    """Reads a script letter by letter; errors are GNU sed's."""

    def __init__(self, text: str, extended: bool) -> None:
        self.text, self.at, self.flags = text, 0, "E" if extended else ""

    def fail(self, what: str) -> Fail:
        return Fail(f"sed: -e expression #1, char {self.at}: {what}", 1)

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def part(self, stop: str, what: str) -> str:
        """Everything up to the next `stop` that has no backslash before it."""
        out = ""
        while (c := self.peek()) != stop:
            if not c:
                raise self.fail(what)
            self.at += 1
            if c == "\\" and self.peek() == stop:
                c = stop
                self.at += 1
            elif c == "\\":
                c += self.peek()
                self.at += 1
            out += c
        self.at += 1
        return out

    def address(self) -> int | re.Pattern[str] | None:
        c = self.peek()
        if c == "$":
            self.at += 1
            return -1
        if c.isdigit():
            found = re.match(r"\d+", self.text[self.at :])
            assert found is not None
            self.at += found.end()
            return int(found.group())
        if c == "/":
            self.at += 1
            return compile_patterns([self.part("/", "unterminated address regex")], self.flags)
        return None

    def commands(self) -> list[Command]:
        out: list[Command] = []
        while True:
            while self.peek() in (" ", ";", "\n", "\t") and self.peek():
                self.at += 1
            if not self.peek():
                return out
            out.append(self.one())

    def one(self) -> Command:
        start = self.address()
        end = None
        if start is not None and self.peek() == ",":
            self.at += 1
            end = self.address()
            if end is None:
                raise self.fail("unexpected `,'")
        while self.peek() == " ":
            self.at += 1
        invert = self.peek() == "!"
        self.at += invert
        letter = self.peek()
        self.at += 1
        if letter in ("d", "p", "q"):
            command = Command(letter=letter, start=start, end=end, invert=invert)
        elif letter == "s":
            command = self.substitution(start, end, invert)
        elif letter and letter in OTHERS:
            raise NotModelled(f"sed's command {letter!r}")
        else:
            raise self.fail("missing command" if not letter else f"unknown command: `{letter}'")
        while self.peek() in (" ", "\t") and self.peek():
            self.at += 1
        if self.peek() not in ("", ";", "\n"):
            raise self.fail("extra characters after command")
        return command

    def substitution(
        self, start: int | re.Pattern[str] | None, end: int | re.Pattern[str] | None, invert: bool
    ) -> Command:
        stop = self.peek()
        if not stop or stop in "\\\n":
            raise self.fail("unterminated `s' command")
        self.at += 1
        old = self.part(stop, "unterminated `s' command")
        new = self.part(stop, "unterminated `s' command")
        found = re.match(r"[gpiI0-9]*", self.text[self.at :])
        words = found.group() if found is not None else ""
        self.at += len(words)
        if self.peek() in ("e", "w", "m", "M"):
            raise NotModelled(f"sed's flag {self.peek()!r} of s")
        flags = self.flags + ("i" if "i" in words.lower() else "")
        digits = "".join(c for c in words if c.isdigit())
        compile_patterns([old], flags)
        pattern = re.compile(translate(old, "E" in self.flags), re.IGNORECASE if "i" in flags else 0)
        return Command(
            letter="s", start=start, end=end, invert=invert, pattern=pattern, new=new, every="g" in words,
            show="p" in words, nth=int(digits or "1"),
        )  # fmt: skip


def replacement(found: re.Match[str], new: str) -> str:
    r"""The replacement text: `&` is the match, `\1` a group, `\n` a newline."""
    out, at = "", 0
    while at < len(new):
        c = new[at]
        if c == "\\" and at + 1 < len(new):
            d = new[at + 1]
            out += (
                (found.group(int(d)) or "") if d.isdigit() else "\n" if d == "n" else "\t" if d == "t" else d
            )
            at += 2
            continue
        out += found.group() if c == "&" else c
        at += 1
    return out


def edit(lines: list[str], commands: list[Command], quiet: bool) -> list[str]:
    """The lines as sed would print them."""
    out: list[str] = []
    inside = [False] * len(commands)
    for number, original in enumerate(lines, 1):
        line, gone, end = original, False, False
        for i, c in enumerate(commands):
            if selected(c, i, inside, line, number, number == len(lines)) == c.invert:
                continue
            if c.letter == "d":
                gone = True
                break
            if c.letter == "p":
                out.append(line)
            elif c.letter == "q":
                end = True
                break
            else:
                new = substitute(c, line)
                if new is not None:
                    line = new
                    out += [line] if c.show else []
        if not gone and not quiet:
            out.append(line)
        if end:
            break
    return out


def substitute(c: Command, line: str) -> str | None:
    """The line after s, None when nothing matched."""
    assert c.pattern is not None
    found = list(c.pattern.finditer(line))[c.nth - 1 :]
    if not c.every:
        found = found[:1]
    if not found:
        return None
    out, at = "", 0
    for one in found:
        out += line[at : one.start()] + replacement(one, c.new)
        at = one.end()
    return out + line[at:]


def selected(c: Command, i: int, inside: list[bool], line: str, number: int, last: bool) -> bool:
    def hits(address: int | re.Pattern[str] | None) -> bool:
        if isinstance(address, int):
            return last if address == -1 else number == address
        return address is not None and address.search(line) is not None

    if c.start is None:
        return True
    if c.end is None:
        return hits(c.start)
    if inside[i]:
        inside[i] = not (hits(c.end) or (isinstance(c.end, int) and c.end != -1 and number >= c.end))
        return True
    if hits(c.start):
        inside[i] = not (isinstance(c.end, int) and c.end != -1 and number >= c.end)
        return True
    return False


def _run(ctx: Context, argv: list[str]) -> Out:
    got = TOOL.parse(argv)
    words = list(got.words)
    scripts = list(got.opts.get("-e", []))
    if not scripts:
        if not words:
            raise Fail(USAGE, 1)
        scripts.append(words.pop(0))
    try:
        commands = Script("\n".join(scripts), "-E" in got).commands()
    except (re.error, IndexError):
        raise Fail("sed: -e expression #1: invalid regular expression", 1) from None
    quiet = "-n" in got
    if "-i" not in got:
        texts: list[str] = []
        errors = ""
        for word in words or ["-"]:
            try:
                texts += lines_of(ctx.stdin if word == "-" else ctx.files.read(ctx.path(word)))
            except FileError as error:
                errors += f"sed: can't read {word}: {error.reason}\n"
        return Out(stdout=joined(run_checked(texts, commands, quiet)), stderr=errors, code=2 if errors else 0)
    if not words:
        raise Fail("sed: no input files", 1)
    errors = ""
    for word in words:
        try:
            text = ctx.files.read(ctx.path(word))
            new = joined(run_checked(lines_of(text), commands, quiet))
            if new != text:
                ctx.files.write(ctx.path(word), new)
        except FileError as error:
            errors += f"sed: can't read {word}: {error.reason}\n"
    return Out(stderr=errors, code=2 if errors else 0)


def run_checked(lines: list[str], commands: list[Command], quiet: bool) -> list[str]:
    try:
        return edit(lines, commands, quiet)
    except IndexError:
        raise Fail("sed: -e expression #1: invalid reference in `s' command's RHS", 1) from None


TOOL = Tool(
    name="sed",
    summary=Phrase(
        en="change, delete or print lines of a file", ko="파일의 줄을 바꾸거나 지우거나 출력합니다"
    ),
    run=_run,
    usage=("sed [-i] [-n] [-E] [-e SCRIPT] SCRIPT [FILE...]",),
    opts=(
        Opt(("-i", "--in-place"), "", Phrase("write the file", "파일을 고쳐 씁니다")),
        Opt(
            ("-n", "--quiet", "--silent"), "", Phrase("print only what p prints", "p가 출력하는 것만 냅니다")
        ),
        Opt(("-E", "-r", "--regexp-extended"), "", Phrase("extended patterns", "확장 정규식")),
        Opt(("-e", "--expression"), "SCRIPT", Phrase("a script (may repeat)", "스크립트(여러 번 가능)")),
        Opt(("-f", "--file"), "FILE", refused=True),
        Opt(("-s", "--separate"), refused=True),
        Opt(("-z", "--null-data"), refused=True),
    ),
)
TOOLS = (TOOL,)

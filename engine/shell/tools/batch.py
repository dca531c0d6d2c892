"""`ip -batch FILE` and `bridge -batch FILE`: one command a line, the first error ends it unless -force is given.

Theory. Lines are cut into words at blanks; quotes hold words together, `#` begins a comment, a backslash at the end
of a line goes on with the next. An error that the tool says itself ends the batch on the spot; one that the kernel says
is followed by `Command failed FILE:LINE`. Source: iproute2 6.1 lib/utils.c (do_batch, getcmdline, makeargs).
"""

from __future__ import annotations

from collections.abc import Callable

from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out

#: how the errors begin at which the tool exits by itself (invarg, duparg, get_prefix), so that nothing goes on
AT_ONCE = ("Error: argument ", "Error: any valid ", "Error: either ", "Error: duplicate ", "Error: inet ", "Usage: ",
           "Command line is not complete")  # fmt: skip


def command_lines(text: str) -> list[tuple[int, str]]:
    """(number of the last line that it is made of, the command) with comments cut off and lines joined."""
    out: list[tuple[int, str]] = []
    waiting = ""
    for number, line in enumerate(text.splitlines(), 1):
        line = without_comment(line)
        if line.endswith("\\"):
            waiting += line[:-1]
            continue
        out.append((number, waiting + line))
        waiting = ""
    if waiting:
        out.append((len(text.splitlines()), waiting))
    return out


def without_comment(line: str) -> str:
    at = line.find("#")
    while at > 0 and line[at - 1] == "\\":
        at = line.find("#", at + 1)
    return line if at < 0 else line[:at]


def words_of(line: str) -> list[str]:
    """Words at blanks; a word that begins with a quote goes to the next one of its kind."""
    out: list[str] = []
    rest = line.lstrip(" \t\r\n")
    while rest:
        if rest[0] in "'\"":
            quote = rest[0]
            word, found, rest = rest[1:].partition(quote)
            if not found:
                raise Fail("Unterminated quoted string", 1)
        else:
            end = next((at for at, c in enumerate(rest) if c in " \t\r\n"), len(rest))
            word, rest = rest[:end], rest[end:]
        out.append(word)
        rest = rest.lstrip(" \t\r\n")
    return out


def run(ctx: Context, name: str, command: Callable[[list[str]], Out], *, force: bool) -> Out:
    """The batch in the file `name` ("-": what comes in)."""
    text = ctx.stdin
    if name != "-":
        try:
            text = ctx.files.read(ctx.path(name))
        except FileError as error:
            raise Fail(f'Cannot open file "{name}" for reading: {error.reason}', 1) from None
    out, err, code = "", "", 0
    for number, line in command_lines(text):
        words = words_of(line)
        if not words:
            continue
        try:
            done = command(words)
        except Fail as fail:
            done = fail.out
        out, err = out + done.stdout, err + done.stderr
        if done.code and done.stderr.startswith(AT_ONCE):
            return Out(stdout=out, stderr=err, code=done.code)
        if done.code:
            code = 1
            err += f"Command failed {name}:{number}\n"
            if not force:
                break
    return Out(stdout=out, stderr=err, code=code)

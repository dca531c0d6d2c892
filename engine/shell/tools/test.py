"""test and [: what an expression of files, texts and numbers says, as an exit code.

Rules. The expressions of POSIX with bash's -a and -o refused by name (they are obsolescent there); more words than an
expression has are an error with code 2, as in the real tool. Source: POSIX.1-2017 `test`, bash's test.c.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Out, Tool

NUMBERS: dict[str, Callable[[int, int], bool]] = {
    "-eq": int.__eq__, "-ne": int.__ne__, "-lt": int.__lt__, "-le": int.__le__, "-gt": int.__gt__, "-ge": int.__ge__,
}  # fmt: skip
TEXTS: dict[str, Callable[[str, str], bool]] = {"=": str.__eq__, "==": str.__eq__, "!=": str.__ne__}
FILES = ("-e", "-f", "-d", "-s", "-r", "-w", "-x", "-L", "-h")
OTHER = (
    "-b",
    "-c",
    "-g",
    "-G",
    "-k",
    "-N",
    "-O",
    "-p",
    "-S",
    "-t",
    "-u",
    "-v",
    "-o",
    "-a",
    "-ef",
    "-nt",
    "-ot",
)


def holds(ctx: Context, words: list[str], name: str) -> bool:
    """Is it so? Raises Fail with code 2 for what is no expression."""
    if not words:
        return False
    if len(words) == 1:
        return bool(words[0])
    if words[0] == "!":
        return not holds(ctx, words[1:], name)
    if len(words) > 3:
        raise Fail(f"{name}: too many arguments", 2)
    operator = words[0] if len(words) == 2 else words[1]
    if operator in OTHER:
        raise NotModelled(f"{name} {operator}")
    if len(words) == 2:
        return unary(ctx, operator, words[1], name)
    left, _, right = words
    if operator in TEXTS:
        return TEXTS[operator](left, right)
    if operator in NUMBERS:
        return NUMBERS[operator](number(left, name), number(right, name))
    raise Fail(f"{name}: {operator}: binary operator expected", 2)


def unary(ctx: Context, operator: str, word: str, name: str) -> bool:
    if operator in ("-n", "-z"):
        return bool(word) is (operator == "-n")
    if operator not in FILES:
        raise Fail(f"{name}: {operator}: unary operator expected", 2)
    path = ctx.path(word)
    kind = ctx.files.kind(path)
    if operator in ("-f", "-d"):
        return kind == {"-f": "file", "-d": "dir"}[operator]
    if operator in ("-L", "-h"):
        return kind == "link"
    if operator == "-s" and kind == "file":
        try:
            return bool(ctx.files.read(path))
        except FileError:
            return False
    if operator == "-x" and kind == "file":
        return "/bin/" in path
    return bool(kind)


def number(word: str, name: str) -> int:
    try:
        return int(word)
    except ValueError:
        raise Fail(f"{name}: {word}: integer expression expected", 2) from None


def _test(ctx: Context, argv: list[str]) -> Out:
    return Out(code=0 if holds(ctx, argv, "test") else 1)


def _bracket(ctx: Context, argv: list[str]) -> Out:
    if argv[-1:] != ["]"]:
        raise Fail("[: missing `]'", 2)
    return Out(code=0 if holds(ctx, argv[:-1], "[") else 1)


SUMMARY = Phrase(
    en="says by its exit code whether a file is there, a text or a number is so",
    ko="파일이 있는지, 문자열이나 숫자가 조건에 맞는지를 종료 코드로 알려 줍니다",
)
TOOLS = (
    Tool(
        name="test",
        summary=SUMMARY,
        run=_test,
        group="shell",
        builtin=True,
        usage=("test -f FILE", "test TEXT = TEXT"),
    ),
    Tool(name="[", summary=SUMMARY, run=_bracket, group="shell", builtin=True, usage=("[ -f FILE ]",)),
)

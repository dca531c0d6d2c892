"""ls and readlink: the lab's files, folders, and the links of /proc/PID/ns and /sys/class/net.

Rules. Times and owners are the same for every file (the lab keeps none); what is a link says its target.
"""

from __future__ import annotations

import fnmatch

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.binary import as_bytes
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Opt, Out, Tool

DATE = "Nov 21 09:00"


def _columns(names: list[str], width: int) -> str:
    """Names in columns, downwards, as ls does on a terminal."""
    if not names:
        return ""
    for rows in range(1, len(names) + 1):
        columns = [names[i : i + rows] for i in range(0, len(names), rows)]
        widths = [max(len(n) for n in c) + 2 for c in columns]
        if sum(widths) - 2 <= width or rows == len(names):
            break
    lines = []
    for row in range(rows):
        cells = [(c[row], w) for c, w in zip(columns, widths, strict=True) if row < len(c)]
        lines.append("".join(f"{n:<{w}}" for n, w in cells[:-1]) + cells[-1][0])
    return "".join(line + "\n" for line in lines)


def _long(ctx: Context, folder: str, names: list[str]) -> str:
    rows: list[tuple[str, str, str]] = []
    for name in names:
        path = folder.rstrip("/") + "/" + name if folder else ctx.path(name)
        kind = ctx.files.kind(path)
        if kind == "link":
            rows.append(("lrwxrwxrwx 1", "0", f"{name} -> {ctx.files.readlink(path)}"))
        elif kind == "dir":
            rows.append(("drwxr-xr-x 2", "4096", name))
        else:
            size = 0 if path.startswith(("/proc/", "/sys/")) else len(as_bytes(ctx.files.read(path)))
            mode = "-rwxr-xr-x 1" if "/bin/" in path else "-rw-r--r-- 1"
            rows.append((mode, str(size), name))
    width = max((len(size) for _, size, _ in rows), default=1)
    return "".join(f"{mode} root root {size:>{width}} {DATE} {name}\n" for mode, size, name in rows)


def _ls(ctx: Context, argv: list[str]) -> Out:
    got = LS.parse(argv)
    files: list[str] = []
    folders: list[str] = []
    errors = ""
    for word in got.words or ["."]:
        kind = ctx.files.kind(ctx.path(word))
        if not kind:
            errors += f"ls: cannot access '{word}': No such file or directory\n"
        elif (
            kind == "file"
            or "-d" in got
            or (kind == "link" and "-l" in got and not word.endswith("/"))
            or (kind == "link" and ctx.path(word).startswith("/proc/"))
        ):
            files.append(word)
        else:
            folders.append(word)
    out = _names(ctx, "", files, got.opts)
    for i, word in enumerate(folders):
        try:
            names = ctx.files.list(ctx.path(word))
        except FileError as error:
            errors += f"ls: cannot open directory '{word}': {error.reason}\n"
            names = []
        if "-a" not in got and "-A" not in got:
            names = [n for n in names if not n.startswith(".")]
        elif "-a" in got:
            names = [".", "..", *names]
        if len(folders) + len(files) > 1:
            out += ("\n" if i or files else "") + f"{word}:\n"
        if "-l" in got:
            out += (
                "total 0\n" if ctx.path(word).startswith(("/proc", "/sys")) else f"total {4 * len(names)}\n"
            )
        out += _names(ctx, ctx.path(word), names, got.opts)
    return Out(stdout=out, stderr=errors, code=2 if errors else 0)


def _names(ctx: Context, folder: str, names: list[str], opts: dict[str, list[str]]) -> str:
    if "-r" in opts:
        names = names[::-1]
    if "-l" in opts:
        return _long(ctx, folder, names)
    if "-1" in opts or not ctx.to_terminal:
        return "".join(n + "\n" for n in names)
    return _columns(names, ctx.columns)


def _readlink(ctx: Context, argv: list[str]) -> Out:
    got = READLINK.parse(argv)
    if not got.words:
        raise Fail("readlink: missing operand\nTry 'readlink --help' for more information.")
    out = ""
    code = 0
    for word in got.words:
        path = ctx.path(word)
        try:
            out += ctx.files.readlink(path) + "\n"
        except FileError:
            if "-f" in got and ctx.files.kind(path):
                out += path + "\n"
            else:
                code = 1
    return Out(stdout=out, code=code)


def _find(ctx: Context, argv: list[str]) -> Out:
    """find [DIR...] [-maxdepth N] [-type f|d] [-name GLOB]; other tests are refused by name."""
    words = list(argv)
    tops: list[str] = []
    while words and not words[0].startswith(("-", "(", "!")):
        tops.append(words.pop(0))
    depth, kind, pattern = 99, "", "*"
    while words:
        test = words.pop(0)
        if test not in ("-name", "-type", "-maxdepth", "-print"):
            raise NotModelled(f"find {test}")
        if test == "-print":
            continue
        if not words:
            raise Fail(f"find: missing argument to `{test}'")
        value = words.pop(0)
        if test == "-maxdepth":
            if not value.isdigit():
                raise Fail(
                    f"find: Expected a positive decimal integer argument to -maxdepth, but got ‘{value}’"
                )
            depth = int(value)
        elif test == "-type":
            if value not in ("f", "d", "l"):
                raise NotModelled(f"find -type {value}")
            kind = {"f": "file", "d": "dir", "l": "link"}[value]
        else:
            pattern = value
    out, errors = "", ""
    for top in tops or ["."]:
        if not ctx.files.kind(ctx.path(top)):
            errors += f"find: ‘{top}’: No such file or directory\n"
            continue
        for path in _below(ctx, top, depth):
            named = fnmatch.fnmatchcase(path.rstrip("/").rsplit("/", 1)[-1], pattern)
            if named and (not kind or ctx.files.kind(ctx.path(path)) == kind):
                out += path + "\n"
    return Out(stdout=out, stderr=errors, code=int(bool(errors)))


def _below(ctx: Context, top: str, depth: int) -> list[str]:
    out = [top]
    path = ctx.path(top)
    if depth > 0 and ctx.files.kind(path) == "dir":
        for name in ctx.files.list(path, quiet=True):
            out += _below(ctx, f"{top.rstrip('/')}/{name}", depth - 1) if len(out) < 5000 else []
    return out


def _opt(*names: str, en: str, ko: str) -> Opt:
    return Opt(names, "", Phrase(en, ko))


LS = Tool(
    name="ls",
    summary=Phrase("list files", "파일 목록을 보여 줍니다"),
    run=_ls,
    opts=(
        _opt("-l", en="one a line, with size and links", ko="한 줄에 하나씩, 크기와 링크까지"),
        _opt("-a", "--all", en="hidden ones too", ko="숨은 파일까지"),
        _opt("-A", "--almost-all", en="hidden ones, without . and ..", ko=". 과 .. 을 뺀 숨은 파일까지"),
        _opt("-1", en="one a line", ko="한 줄에 하나씩"),
        Opt(("--color",), "[=WHEN]", Phrase("accepted; no colour here", "받지만 색은 없습니다")),
        _opt("-d", "--directory", en="folders themselves", ko="폴더 자체"),
        _opt("-r", "--reverse", en="the other way round", ko="거꾸로"),
        _opt(
            "-h",
            "--human-readable",
            en="accepted; sizes here are small",
            ko="받습니다(크기가 작아 그대로입니다)",
        ),
        Opt(("-R", "--recursive"), refused=True),
        Opt(("-t",), refused=True),
        Opt(("-S",), refused=True),
        Opt(("-i", "--inode"), refused=True),
        Opt(("-L", "--dereference"), refused=True),
        Opt(("-n",), refused=True),
    ),
    after_unknown=("Try 'ls --help' for more information.",),
    usage_code=2,
)
READLINK = Tool(
    name="readlink",
    summary=Phrase(
        "what a link points to (as /proc/PID/ns/net)", "링크가 가리키는 곳을 보여 줍니다(/proc/PID/ns/net 등)"
    ),
    run=_readlink,
    opts=(_opt("-f", "--canonicalize", en="follow every link", ko="모든 링크를 따라갑니다"),),
    after_unknown=("Try 'readlink --help' for more information.",),
)
FIND = Tool(
    name="find",
    summary=Phrase("files and folders below a folder", "폴더 아래의 파일을 찾습니다"),
    run=_find,
    usage=("find [DIR] [-maxdepth N] [-type f|d|l] [-name GLOB]",),
)
TOOLS = (LS, READLINK, FIND)

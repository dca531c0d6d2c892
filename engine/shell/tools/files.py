"""tee, mkdir, touch, rm, cp, mv: files of the lab, through ops, so that undo knows them."""

from __future__ import annotations

from collections.abc import Callable

from engine.say import Phrase
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Opt, Out, Tool


def _each(name: str, words: list[str], act: Callable[[str], str]) -> Out:
    """Do `act` to every word; it returns "" or an error's text."""
    errors = "".join(f"{name}: {text}\n" for text in (act(w) for w in words) if text)
    return Out(stderr=errors, code=int(bool(errors)))


def _need(name: str, words: list[str], what: str = "missing operand") -> None:
    if not words:
        raise Fail(f"{name}: {what}\nTry '{name} --help' for more information.")


def _tee(ctx: Context, argv: list[str]) -> Out:
    got = TEE.parse(argv)

    def act(word: str) -> str:
        try:
            ctx.files.write(ctx.path(word), ctx.stdin, append="-a" in got)
        except FileError as error:
            return f"{word}: {error.reason}"
        return ""

    out = _each("tee", got.words, act)
    return Out(stdout=ctx.stdin, stderr=out.stderr, code=out.code)


def _mkdir(ctx: Context, argv: list[str]) -> Out:
    got = MKDIR.parse(argv)
    _need("mkdir", got.words)

    def act(word: str) -> str:
        path = ctx.path(word)
        try:
            if "-p" in got:
                parts = path.strip("/").split("/")
                for depth in range(1, len(parts) + 1):
                    one = "/" + "/".join(parts[:depth])
                    if ctx.files.kind(one) == "file":
                        raise FileError("ENOTDIR" if depth < len(parts) else "EEXIST")
                    if not ctx.files.kind(one):
                        ctx.files.mkdir(one)
            else:
                ctx.files.mkdir(path)
        except FileError as error:
            return f"cannot create directory ‘{word}’: {error.reason}"
        return ""

    return _each("mkdir", got.words, act)


def _touch(ctx: Context, argv: list[str]) -> Out:
    got = TOUCH.parse(argv)
    if not got.words:
        raise Fail("touch: missing file operand\nTry 'touch --help' for more information.")

    def act(word: str) -> str:
        if not ctx.files.kind(ctx.path(word)):
            try:
                ctx.files.write(ctx.path(word), "")
            except FileError as error:
                return f"cannot touch '{word}': {error.reason}"
        return ""

    return _each("touch", got.words, act)


def _rm(ctx: Context, argv: list[str]) -> Out:
    got = RM.parse(argv)
    if "-f" not in got:
        _need("rm", got.words)

    def act(word: str) -> str:
        path = ctx.path(word)
        kind = ctx.files.kind(path)
        try:
            if kind == "dir" and "-r" in got and not path.startswith(("/proc", "/sys")) and path != "/":
                head = path.rstrip("/") + "/"
                for one in [p for p in ctx.files.paths() if p.startswith(head)]:
                    ctx.files.remove(one)
                ctx.files.forget(path)
            elif kind or "-f" not in got:
                ctx.files.remove(path)
        except FileError as error:
            return f"cannot remove '{word}': {error.reason}"
        return ""

    return _each("rm", got.words, act)


def _copy(name: str, tool: Callable[[], Tool]) -> Callable[[Context, list[str]], Out]:
    def run(ctx: Context, argv: list[str]) -> Out:
        got = tool().parse(argv)
        if not got.words:
            raise Fail(f"{name}: missing file operand\nTry '{name} --help' for more information.")
        if len(got.words) == 1:
            text = f"{name}: missing destination file operand after '{got.words[0]}'"
            raise Fail(f"{text}\nTry '{name} --help' for more information.")
        *sources, target = got.words
        into = ctx.files.kind(ctx.path(target)) == "dir"
        if len(sources) > 1 and not into:
            raise Fail(f"{name}: target '{target}': No such file or directory")

        def act(word: str) -> str:
            source = ctx.path(word)
            if ctx.files.kind(source) == "dir":
                return f"-r not specified; omitting directory '{word}'"
            place = ctx.path(target) + ("/" + source.rsplit("/", 1)[-1] if into else "")
            try:
                text = ctx.files.read(source)
            except FileError as error:
                return f"cannot stat '{word}': {error.reason}"
            if place == source:
                return f"'{word}' and '{target}' are the same file"
            try:
                ctx.files.write(place, text)
                if name == "mv":
                    ctx.files.remove(source)
            except FileError as error:
                return f"cannot create regular file '{target}': {error.reason}"
            return ""

        return _each(name, sources, act)

    return run


def _opt(*names: str, en: str, ko: str) -> Opt:
    return Opt(names, "", Phrase(en, ko))


def _tool(name: str, en: str, ko: str, run: Callable[[Context, list[str]], Out], *opts: Opt) -> Tool:
    return Tool(
        name=name,
        summary=Phrase(en, ko),
        run=run,
        opts=opts,
        after_unknown=(f"Try '{name} --help' for more information.",),
    )


FORCE = _opt("-f", "--force", en="no questions", ko="묻지 않습니다")
TEE = _tool(
    "tee",
    "write input to files and on",
    "입력을 파일에 쓰면서 그대로 내보냅니다",
    _tee,
    _opt("-a", "--append", en="append", ko="덧붙입니다"),
)
MKDIR = _tool(
    "mkdir",
    "make folders",
    "폴더를 만듭니다",
    _mkdir,
    _opt("-p", "--parents", en="parents too", ko="위 폴더까지"),
)
TOUCH = _tool("touch", "make empty files", "빈 파일을 만듭니다", _touch)
RM = _tool(
    "rm",
    "remove files",
    "파일을 지웁니다",
    _rm,
    FORCE,
    _opt("-r", "-R", "--recursive", en="folders too", ko="폴더까지"),
)
CP: Tool = _tool(
    "cp",
    "copy files",
    "파일을 복사합니다",
    _copy("cp", lambda: CP),
    FORCE,
    Opt(("-r", "-R", "-a", "--recursive"), refused=True),
)
MV: Tool = _tool("mv", "move files", "파일을 옮깁니다", _copy("mv", lambda: MV), FORCE)
TOOLS = (TEE, MKDIR, TOUCH, RM, CP, MV)

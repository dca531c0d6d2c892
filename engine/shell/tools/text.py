"""Text: echo, printf, cat, head, tail, wc, sort, uniq, cut, tr. GNU coreutils' words and output.

Rules. Input is `ctx.stdin` or the files of the place; errors about files are one line each and do not stop the rest.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.binary import as_bytes
from engine.shell.files import FileError
from engine.shell.tool import Context, Fail, Opt, Out, Tool


def inputs(ctx: Context, name: str, words: list[str]) -> tuple[list[tuple[str, str]], str]:
    """The texts of the named files ("-" or none = stdin): ([(name, text)], errors)."""
    texts: list[tuple[str, str]] = []
    errors = ""
    for word in words or ["-"]:
        if word == "-":
            texts.append(("-", ctx.stdin))
            continue
        try:
            texts.append((word, ctx.files.read(ctx.path(word))))
        except FileError as error:
            verb = {"head": f"cannot open '{word}' for reading", "tail": f"cannot open '{word}' for reading"}
            errors += f"{name}: {verb.get(name, word)}: {error.reason}\n"
    return texts, errors


def lines_of(text: str) -> list[str]:
    """Lines with no newline; a last line without one counts."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def joined(lines: list[str]) -> str:
    return "".join(line + "\n" for line in lines)


_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "0": "\0"}


def escaped(text: str) -> str:
    """Backslash escapes as echo -e and printf read them."""
    return re.sub(r"\\([ntrabe\\0])", lambda m: _ESCAPES[m.group(1)], text)


def _echo(ctx: Context, argv: list[str]) -> Out:
    newline, escapes = True, False
    while argv and re.fullmatch(r"-[neE]+", argv[0]):
        newline = newline and "n" not in argv[0]
        escapes = "e" in argv[0] or (escapes and "E" not in argv[0])
        argv = argv[1:]
    text = " ".join(argv)
    return Out(stdout=(escaped(text) if escapes else text) + ("\n" if newline else ""))


def _printf(ctx: Context, argv: list[str]) -> Out:
    if not argv:
        raise Fail("bash: printf: usage: printf [-v var] format [arguments]", 2)
    form, values = escaped(argv[0]), argv[1:]
    bad = re.search(r"%(?![-0-9.]*[sdxq%])", form)
    if bad or "%q" in form:
        raise NotModelled(f"printf {argv[0]!r}")
    out, first = "", True
    while first or values:
        first = False

        def fill(match: re.Match[str]) -> str:
            if match.group(0) == "%%":
                return "%"
            value = values.pop(0) if values else ""
            if match.group(0)[-1] in "dx":
                try:
                    return match.group(0) % int(value or "0", 0)
                except ValueError:
                    raise Fail(f"bash: printf: {value}: invalid number") from None
            return match.group(0) % value

        before = len(values)
        out += re.sub(r"%[-0-9.]*[sdx%]", fill, form)
        if len(values) == before:
            break
        if len(out) > 100_000:
            break
    return Out(stdout=out)


def _cat(ctx: Context, argv: list[str]) -> Out:
    got = CAT.parse(argv)
    texts, errors = inputs(ctx, "cat", got.words)
    text = "".join(t for _, t in texts)
    if "-n" in got:
        text = joined([f"{n:6}\t{line}" for n, line in enumerate(lines_of(text), 1)])
    return Out(stdout=text, stderr=errors, code=int(bool(errors)))


def _count(name: str, word: str) -> tuple[str, int]:
    match = re.fullmatch(r"([+-]?)(\d+)", word)
    if match is None:
        raise Fail(f"{name}: invalid number of lines: '{word}'")
    return match.group(1), int(match.group(2))


def _ends(tool: Callable[[], Tool], name: str) -> Callable[[Context, list[str]], Out]:
    def run(ctx: Context, argv: list[str]) -> Out:
        argv = [
            a if before in ("-n", "-c", "--lines", "--bytes") else re.sub(r"^-(\d+)$", r"-n\1", a)
            for before, a in zip(["", *argv], argv, strict=False)
        ]
        got = tool().parse(argv)
        texts, errors = inputs(ctx, name, got.words)
        out = ""
        for i, (file, text) in enumerate(texts):
            if len(texts) > 1 and "-q" not in got:
                out += ("\n" if i else "") + f"==> {'standard input' if file == '-' else file} <==\n"
            if "-c" in got:
                sign, n = _count(name, got.last("-c"))
                if name == "head":
                    out += text[: max(0, len(text) - n)] if sign == "-" else text[:n]
                else:
                    out += text[max(0, n - 1) :] if sign == "+" else text[max(0, len(text) - n) :]
                continue
            sign, n = _count(name, got.last("-n", "10"))
            lines = lines_of(text)
            if name == "head":
                lines = lines[: max(0, len(lines) - n)] if sign == "-" else lines[:n]
            else:
                lines = lines[max(0, n - 1) :] if sign == "+" else lines[max(0, len(lines) - n) :]
            out += joined(lines)
        return Out(stdout=out, stderr=errors, code=int(bool(errors)))

    return run


def _wc(ctx: Context, argv: list[str]) -> Out:
    got = WC.parse(argv)
    texts, errors = inputs(ctx, "wc", got.words)
    chosen = [k for k in ("-l", "-w", "-c") if k in got] or ["-l", "-w", "-c"]
    rows: list[tuple[list[int], str]] = []
    for name, text in texts:
        every = {"-l": text.count("\n"), "-w": len(text.split()), "-c": len(as_bytes(text))}
        rows.append(([every[k] for k in chosen], "" if not got.words else name))
    if len(rows) > 1:
        rows.append(([sum(r[0][i] for r in rows) for i in range(len(chosen))], "total"))
    width = (
        1
        if len(chosen) == 1 and len(rows) == 1
        else max(len(str(n)) for r in rows for n in r[0])
        if rows
        else 1
    )
    if not got.words and len(chosen) > 1:
        width = 7
    out = "".join(
        " ".join([*(f"{n:>{width}}" for n in nums), *([name] if name else [])]) + "\n" for nums, name in rows
    )
    return Out(stdout=out, stderr=errors, code=int(bool(errors)))


def _number(text: str) -> float:
    match = re.match(r"\s*-?\d+(\.\d+)?", text)
    return float(match.group(0)) if match else 0.0


def _version(text: str) -> list[tuple[int, int, str]]:
    return [(1, int(p), "") if p.isdigit() else (0, 0, p) for p in re.findall(r"\d+|\D+", text)]


def _sort(ctx: Context, argv: list[str]) -> Out:
    got = SORT.parse(argv)
    texts, errors = inputs(ctx, "sort", got.words)
    lines = [line for _, text in texts for line in lines_of(text)]
    key = got.last("-k")
    match = re.fullmatch(r"(\d+)([nrV]*)(?:,(\d+)([nrV]*))?", key) if key else None
    if key and (match is None or match.group(1) == "0"):
        raise NotModelled(f"sort -k {key}")
    flags = "".join(f[1] for f in ("-n", "-r", "-V") if f in got)
    flags += (match.group(2) + (match.group(4) or "")) if match else ""

    def field(line: str) -> str:
        if match is None:
            return line
        sep = got.last("-t") or None
        parts = line.split(sep)
        return " ".join(parts[int(match.group(1)) - 1 : int(match.group(3) or len(parts))])

    def rank(line: str) -> object:
        text = field(line)
        if "n" in flags:
            return (_number(text), line)
        return (_version(text), line) if "V" in flags else (text, line)

    lines.sort(key=rank, reverse="r" in flags)  # type: ignore[arg-type]
    if "-u" in got:
        lines = list(dict.fromkeys(lines))
    return Out(stdout=joined(lines), stderr=errors, code=2 if errors else 0)


def _uniq(ctx: Context, argv: list[str]) -> Out:
    got = UNIQ.parse(argv)
    texts, errors = inputs(ctx, "uniq", got.words[:1])
    groups: list[tuple[str, int]] = []
    for line in lines_of("".join(t for _, t in texts)):
        if groups and groups[-1][0] == line:
            groups[-1] = (line, groups[-1][1] + 1)
        else:
            groups.append((line, 1))
    if "-d" in got:
        groups = [g for g in groups if g[1] > 1]
    if "-u" in got:
        groups = [g for g in groups if g[1] == 1]
    out = joined([f"{n:7} {line}" if "-c" in got else line for line, n in groups])
    return Out(stdout=out, stderr=errors, code=int(bool(errors)))


def _ranges(spec: str) -> list[tuple[int, int]]:
    out = []
    for part in spec.split(","):
        match = re.fullmatch(r"(\d*)(-?)(\d*)", part)
        if not match or not part or part == "-" or "0" in (match.group(1), match.group(3)):
            raise Fail("cut: invalid field range\nTry 'cut --help' for more information.")
        low = int(match.group(1) or 1)
        high = int(match.group(3) or 10**6) if match.group(2) else low
        out.append((low, high))
    return out


def _cut(ctx: Context, argv: list[str]) -> Out:
    got = CUT.parse(argv)
    texts, errors = inputs(ctx, "cut", got.words)
    how = [k for k in ("-f", "-c") if k in got]
    if len(how) != 1:
        words = (
            "only one list may be specified"
            if how
            else "you must specify a list of bytes, characters, or fields"
        )
        raise Fail(f"cut: {words}\nTry 'cut --help' for more information.")
    ranges = _ranges(got.last(how[0]))
    delimiter = got.last("-d", "\t")
    if len(delimiter) != 1:
        raise Fail("cut: the delimiter must be a single character\nTry 'cut --help' for more information.")
    out: list[str] = []
    for line in (line for _, text in texts for line in lines_of(text)):
        if how[0] == "-f" and delimiter not in line:
            if "-s" not in got:
                out.append(line)
            continue
        parts: list[str] = line.split(delimiter) if how[0] == "-f" else list(line)
        kept = [p for i, p in enumerate(parts, 1) if any(a <= i <= b for a, b in ranges)]
        out.append((delimiter if how[0] == "-f" else "").join(kept))
    return Out(stdout=joined(out), stderr=errors, code=int(bool(errors)))


_CLASSES = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:lower:]": "abcdefghijklmnopqrstuvwxyz", "[:digit:]": "0123456789",
    "[:space:]": " \t\n\r\v\f",
}  # fmt: skip


def _set(text: str) -> str:
    for name, letters in _CLASSES.items():
        text = text.replace(name, letters)
    if "[:" in text:
        raise NotModelled(f"tr {text}")
    text = escaped(text)

    def span(match: re.Match[str]) -> str:
        low, high = ord(match.group(1)), ord(match.group(2))
        if low > high:
            raise Fail(f"tr: range-endpoints of '{match.group(0)}' are in reverse collating sequence order")
        return "".join(chr(c) for c in range(low, min(high, low + 256) + 1))

    return re.sub(r"(.)-(.)", span, text, flags=re.S)


def _tr(ctx: Context, argv: list[str]) -> Out:
    got = TR.parse(argv, permute=False)
    if not got.words:
        raise Fail("tr: missing operand\nTry 'tr --help' for more information.")
    first = _set(got.words[0])
    second = _set(got.words[1]) if len(got.words) > 1 else ""
    text = ctx.stdin
    if "-d" in got:
        text = "".join(c for c in text if c not in first)
    elif second:
        table = {a: (second[i] if i < len(second) else second[-1]) for i, a in enumerate(first)}
        text = "".join(table.get(c, c) for c in text)
    elif "-s" not in got:
        raise Fail(f"tr: missing operand after '{got.words[0]}'\nTry 'tr --help' for more information.")
    if "-s" in got:
        squeeze = second or first
        text = re.sub(
            r"(.)\1+", lambda m: m.group(1) if m.group(1) in squeeze else m.group(0), text, flags=re.S
        )
    return Out(stdout=text)


def _flag(*names: str, en: str, ko: str) -> Opt:
    return Opt(names, "", Phrase(en, ko))


TRY = "Try '{} --help' for more information."


def _base64(ctx: Context, argv: list[str]) -> Out:
    got = BASE64.parse(argv)
    if len(got.words) > 1:
        raise Fail(f"base64: extra operand '{got.words[1]}'\nTry 'base64 --help' for more information.")
    texts, errors = inputs(ctx, "base64", list(got.words))
    text = "".join(t for _, t in texts)
    if "-d" in got:
        packed = "".join(text.split("\n"))
        good = re.match(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", packed)
        done = good[0] if good is not None else ""
        tail = re.match(r"[A-Za-z0-9+/]{2,3}(?![A-Za-z0-9+/])", packed[len(done) :])
        cut = tail[0] + "=" * (4 - len(tail[0])) if tail is not None else ""
        plain = (base64.b64decode(done) + base64.b64decode(cut)).decode(errors="replace")
        bad = "base64: invalid input\n" if len(done) < len(packed) else ""
        return Out(stdout=plain, stderr=errors + bad, code=int(bool(errors or bad)))
    wrap = got.opts.get("-w", ["76"])[-1]
    if not wrap.isdigit():
        raise Fail(f"base64: invalid wrap size: '{wrap}'")
    packed = base64.b64encode(as_bytes(text)).decode()
    size = int(wrap)
    rows = [packed[i : i + size] for i in range(0, len(packed), size)] if size else [packed]
    return Out(stdout=joined(rows) if size else packed, stderr=errors, code=int(bool(errors)))


def _tool(
    name: str, en: str, ko: str, run: Callable[[Context, list[str]], Out], *opts: Opt, code: int = 1
) -> Tool:
    return Tool(
        name=name,
        summary=Phrase(en, ko),
        run=run,
        opts=opts,
        after_unknown=(TRY.format(name),),
        usage_code=code,
    )


CAT: Tool = _tool(
    "cat",
    "show files",
    "파일 내용을 보여 줍니다",
    _cat,
    _flag("-n", "--number", en="number the lines", ko="줄 번호를 붙입니다"),
    Opt(("-A", "--show-all"), refused=True),
    Opt(("-e",), refused=True),
    Opt(("-v",), refused=True),
    Opt(("-T",), refused=True),
)
HEAD: Tool = _tool(
    "head",
    "the first lines",
    "앞쪽 줄만 보여 줍니다",
    _ends(lambda: HEAD, "head"),
    Opt(("-n", "--lines"), "N", Phrase("how many lines", "줄 수")),
    Opt(("-c", "--bytes"), "N", Phrase("how many bytes", "바이트 수")),
    _flag("-q", "--quiet", en="no headings", ko="파일 이름을 붙이지 않습니다"),
)
TAIL: Tool = _tool(
    "tail",
    "the last lines",
    "뒤쪽 줄만 보여 줍니다",
    _ends(lambda: TAIL, "tail"),
    Opt(("-n", "--lines"), "N", Phrase("how many lines", "줄 수")),
    Opt(("-c", "--bytes"), "N", Phrase("how many bytes", "바이트 수")),
    _flag("-q", "--quiet", en="no headings", ko="파일 이름을 붙이지 않습니다"),
    Opt(("-f", "--follow"), refused=True),
    Opt(("-F",), refused=True),
)
WC = _tool(
    "wc",
    "count lines, words and bytes",
    "줄, 단어, 바이트를 셉니다",
    _wc,
    _flag("-l", "--lines", en="lines", ko="줄"),
    _flag("-w", "--words", en="words", ko="단어"),
    _flag("-c", "--bytes", en="bytes", ko="바이트"),
    Opt(("-m", "--chars"), refused=True),
    Opt(("-L", "--max-line-length"), refused=True),
)
SORT = _tool(
    "sort",
    "sort lines",
    "줄을 정렬합니다",
    _sort,
    _flag("-n", "--numeric-sort", en="by number", ko="숫자로 비교"),
    _flag("-r", "--reverse", en="the other way round", ko="거꾸로"),
    _flag("-u", "--unique", en="equal lines once", ko="같은 줄은 한 번만"),
    _flag("-V", "--version-sort", en="by version", ko="버전 순서"),
    Opt(("-k", "--key"), "KEY", Phrase("by field N[,M]", "N[,M]번째 칸으로")),
    Opt(("-t", "--field-separator"), "SEP", Phrase("field separator", "칸을 나누는 글자")),
    Opt(("-h",), refused=True),
    Opt(("-f",), refused=True),
    Opt(("-b",), refused=True),
    Opt(("-s",), refused=True),
    Opt(("-o",), "FILE", refused=True),
    code=2,
)
UNIQ = _tool(
    "uniq",
    "join equal neighbouring lines",
    "이어진 같은 줄을 하나로 줄입니다",
    _uniq,
    _flag("-c", "--count", en="count them", ko="개수를 셉니다"),
    _flag("-d", "--repeated", en="only repeated ones", ko="되풀이된 줄만"),
    _flag("-u", "--unique", en="only single ones", ko="한 번 나온 줄만"),
    Opt(("-i",), refused=True),
    Opt(("-f",), "N", refused=True),
)
CUT = _tool(
    "cut",
    "fields of lines",
    "줄에서 칸을 골라냅니다",
    _cut,
    Opt(("-f", "--fields"), "LIST", Phrase("these fields", "이 칸들")),
    Opt(("-c", "--characters"), "LIST", Phrase("these characters", "이 글자들")),
    Opt(("-d", "--delimiter"), "C", Phrase("separator", "나누는 글자")),
    _flag("-s", "--only-delimited", en="skip lines without it", ko="나누는 글자가 없는 줄은 건너뜁니다"),
    Opt(("-b",), "LIST", refused=True),
)
TR = _tool(
    "tr",
    "replace or delete characters",
    "글자를 바꾸거나 지웁니다",
    _tr,
    _flag("-d", "--delete", en="delete", ko="지웁니다"),
    _flag("-s", "--squeeze-repeats", en="squeeze repeats", ko="되풀이를 하나로 줄입니다"),
    Opt(("-c", "-C", "--complement"), refused=True),
)
ECHO = _tool("echo", "print words", "글을 출력합니다", _echo)
PRINTF = _tool("printf", "print by a format", "형식에 맞춰 출력합니다", _printf)

BASE64: Tool = _tool(
    "base64",
    "encode and decode base64",
    "base64로 바꾸고 되돌립니다",
    _base64,
    _flag("-d", "--decode", en="decode", ko="되돌리기"),
    Opt(
        ("-w", "--wrap"),
        "COLS",
        Phrase("break lines after COLS (76; 0: never)", "COLS마다 줄 바꿈(76, 0은 없음)"),
    ),
    Opt(("-i", "--ignore-garbage"), refused=True),
)
TOOLS = (CAT, HEAD, TAIL, WC, SORT, UNIQ, CUT, TR, ECHO, PRINTF, BASE64)

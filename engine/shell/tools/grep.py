"""grep: lines that match. POSIX basic (default), extended (-E) and fixed (-F) patterns, GNU's options.

Rules. A pattern is translated to Python's syntax piece by piece; what has no translation is refused by name.
"""

from __future__ import annotations

import re

from engine.errors import NotModelled
from engine.say import Phrase
from engine.shell.tool import Context, Fail, Opt, Out, Tool
from engine.shell.tools.text import inputs, joined, lines_of

_CLASS = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "digit": "0-9", "lower": "a-z", "upper": "A-Z", "space": r"\s",
    "blank": " \t",
    "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip


def translate(pattern: str, extended: bool) -> str:
    """A POSIX pattern as a Python one. Raises NotModelled, re.error."""
    out, i = "", 0
    while i < len(pattern):
        c = pattern[i]
        if c == "\\" and i + 1 < len(pattern):
            d = pattern[i + 1]
            i += 2
            if d in "{}()|+?":
                out += "\\" + d if extended else d
            elif d in "wWsSbB":
                out += "\\" + d
            elif d in "<>":
                out += r"\b"
            elif d.isdigit():
                out += "\\" + d
            elif d.isalnum():
                raise NotModelled(f"grep '\\{d}'")
            else:
                out += "\\" + d
            continue
        if c == "[":
            end = i + 1
            end += pattern[end : end + 1] == "^"
            end += pattern[end : end + 1] == "]"
            while end < len(pattern) and pattern[end] != "]":
                if pattern[end : end + 2] == "[:":
                    stop = pattern.find(":]", end)
                    end = stop + 1 if stop > 0 else end
                end += 1
            if end >= len(pattern):
                raise re.error("Unmatched [, [^, [:, [., or [=")
            body = pattern[i + 1 : end].replace("\\", "\\\\")
            body = re.sub(r"\[:(\w+):\]", lambda m: _CLASS.get(m.group(1), ""), body)
            out += "[" + re.sub(r"(?<!\\)\[", r"\\[", body) + "]"
            i = end + 1
            continue
        if not extended and c in "{}()|+?":
            out += "\\" + c
        elif not extended and c == "*" and (not out or (out[-1] in "(|^" and out[-2:] != "\\(")):
            out += r"\*"
        elif not extended and c == "^" and i and pattern[i - 2 : i] not in ("\\(", "\\|"):
            out += r"\^"
        elif (
            not extended
            and c == "$"
            and i + 1 < len(pattern)
            and pattern[i + 1 : i + 3] not in ("\\)", "\\|")
        ):
            out += r"\$"
        elif extended and c == "{" and not re.match(r"\{\d*,?\d*\}", pattern[i:]):
            out += r"\{"
        else:
            out += c
        i += 1
    return out


def compile_patterns(patterns: list[str], flags: str) -> re.Pattern[str]:
    """One pattern of many; `flags` holds the letters of E F i w x. Raises Fail as grep does."""
    pieces = [p for text in patterns for p in text.split("\n")]
    try:
        made = [re.escape(p) if "F" in flags else translate(p, "E" in flags) for p in pieces]
        whole = "|".join(f"(?:{p})" for p in made)
        if "x" in flags:
            whole = rf"^(?:{whole})$"
        elif "w" in flags:
            whole = rf"(?<!\w)(?:{whole})(?!\w)"
        return re.compile(whole, re.IGNORECASE if "i" in flags else 0)
    except (re.error, OverflowError, RecursionError) as error:
        words = str(error)
        text = words if words.startswith("Unmatched") else "Invalid regular expression"
        raise Fail(f"grep: {text}", 2) from None


def _run(ctx: Context, argv: list[str]) -> Out:
    argv = [re.sub(r"^-(\d+)$", r"-C\1", a) for a in argv]
    got = TOOL.parse(argv)
    patterns = list(got.opts.get("-e", []))
    words = list(got.words)
    if not patterns:
        if not words:
            usage = "Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information."
            raise Fail(usage, 2)
        patterns.append(words.pop(0))
    wanted = compile_patterns(patterns, "".join(f[1] for f in ("-E", "-F", "-i", "-w", "-x") if f in got))
    files, errors = (_recursive(ctx, words), "") if "-r" in got else (words, "")
    if "-r" in got and not files:
        return Out(code=1)
    texts, more = inputs(ctx, "grep", files)
    named = ("-H" in got or len(texts) > 1 or "-r" in got) and "-h" not in got
    out: list[str] = []
    hits = 0
    for name, text in texts:
        name = "(standard input)" if name == "-" else name
        found = _file(lines_of(text), wanted, got.opts, f"{name}" if named else "")
        hits += found[0]
        if "-q" in got:
            continue
        if "-l" in got:
            out += [name] if found[0] else []
        elif "-L" in got:
            out += [] if found[0] else [name]
        elif "-c" in got:
            out.append(f"{name}:{found[0]}" if named else str(found[0]))
        else:
            out += found[1]
    errors = "" if "-s" in got else errors + more
    return Out(stdout=joined(out), stderr=errors, code=2 if more else 0 if hits else 1)


def _context(opts: dict[str, list[str]]) -> tuple[int, int]:
    def number(flag: str) -> int:
        word = (opts.get(flag) or opts.get("-C") or ["0"])[-1]
        if not word.isdigit():
            raise Fail(f"grep: {word}: invalid context length argument", 2)
        return int(word)

    return number("-B"), number("-A")


def _file(
    lines: list[str], wanted: re.Pattern[str], opts: dict[str, list[str]], name: str
) -> tuple[int, list[str]]:
    before, after = _context(opts)
    invert = "-v" in opts
    limit = opts.get("-m", ["1000000"])[-1]
    if not limit.isdigit():
        raise Fail("grep: invalid max count", 2)
    hits = [i for i, line in enumerate(lines) if bool(wanted.search(line)) != invert][: int(limit)]
    chosen = {i: True for i in hits}
    for i in hits:
        for j in range(max(0, i - before), min(len(lines), i + after + 1)):
            chosen.setdefault(j, False)
    out: list[str] = []
    last = -1
    for i in sorted(chosen):
        if (before or after) and last >= 0 and i > last + 1:
            out.append("--")
        mark = ":" if chosen[i] else "-"
        head = (name + mark if name else "") + (f"{i + 1}{mark}" if "-n" in opts else "")
        if "-o" in opts:
            out += [head + m.group(0) for m in wanted.finditer(lines[i]) if m.group(0)] if not invert else []
        else:
            out.append(head + lines[i])
        last = i
    return len(hits), out


def _recursive(ctx: Context, words: list[str]) -> list[str]:
    out: list[str] = []
    for word in words or ["."]:
        path = ctx.path(word)
        if ctx.files.kind(path) == "file":
            out.append(word)
            continue
        head = path.rstrip("/") + "/"
        out += [word.rstrip("/") + "/" + p[len(head) :] for p in ctx.files.paths() if p.startswith(head)]
    return out


def _egrep(ctx: Context, argv: list[str]) -> Out:
    return _run(ctx, ["-E", *argv])


def _opt(*names: str, value: str = "", en: str, ko: str) -> Opt:
    return Opt(names, value, Phrase(en, ko))


TOOL = Tool(
    name="grep",
    summary=Phrase("lines that match a pattern", "패턴에 맞는 줄만 골라냅니다"),
    run=_run,
    usage=("grep [-E|-F] [-i] [-v] [-w] [-n] [-c] [-o] [-A N] [-B N] [-C N] PATTERN [FILE...]",),
    opts=(
        _opt("-E", "--extended-regexp", en="extended pattern", ko="확장 정규식"),
        _opt("-G", "--basic-regexp", en="basic pattern (the default)", ko="기본 정규식(기본값)"),
        _opt("-F", "--fixed-strings", en="plain text", ko="글자 그대로"),
        _opt("-i", "--ignore-case", "-y", en="ignore case", ko="대소문자를 가리지 않습니다"),
        _opt("-v", "--invert-match", en="lines that do not match", ko="맞지 않는 줄"),
        _opt("-w", "--word-regexp", en="whole words", ko="낱말 전체"),
        _opt("-x", "--line-regexp", en="whole lines", ko="줄 전체"),
        _opt("-n", "--line-number", en="with line numbers", ko="줄 번호와 함께"),
        _opt("-c", "--count", en="only their number", ko="개수만"),
        _opt("-o", "--only-matching", en="only what matched", ko="맞은 부분만"),
        _opt("-q", "--quiet", "--silent", en="only the exit code", ko="종료 코드만"),
        _opt("-l", "--files-with-matches", en="only file names", ko="파일 이름만"),
        _opt("-L", "--files-without-match", en="files with no match", ko="맞는 줄이 없는 파일"),
        _opt("-H", "--with-filename", en="with file names", ko="파일 이름과 함께"),
        _opt("-h", "--no-filename", en="without file names", ko="파일 이름 없이"),
        _opt("-s", "--no-messages", en="no errors about files", ko="파일 오류를 숨깁니다"),
        _opt("-r", "--recursive", "-R", en="whole folders", ko="폴더 전체"),
        _opt("-e", "--regexp", value="PATTERN", en="a pattern (may repeat)", ko="패턴(여러 번 가능)"),
        _opt("-m", "--max-count", value="N", en="stop after N", ko="N줄 뒤에 멈춤"),
        _opt("-A", "--after-context", value="N", en="N lines after", ko="뒤 N줄"),
        _opt("-B", "--before-context", value="N", en="N lines before", ko="앞 N줄"),
        _opt("-C", "--context", value="N", en="N lines around", ko="앞뒤 N줄"),
        Opt(("--color", "--colour"), "[=WHEN]", Phrase("accepted; no colour here", "받지만 색은 없습니다")),
        Opt(("-P", "--perl-regexp"), refused=True),
        Opt(("-f", "--file"), "FILE", refused=True),
        Opt(("-z",), refused=True),
        Opt(("--include",), "GLOB", refused=True),
        Opt(("--line-buffered",), "", Phrase("accepted", "받습니다")),
    ),
    after_unknown=(
        "Usage: grep [OPTION]... PATTERNS [FILE]...",
        "Try 'grep --help' for more information.",
    ),
    usage_code=2,
)
EGREP = Tool(name="egrep", summary=TOOL.summary, run=_egrep, opts=TOOL.opts)
TOOLS = (TOOL, EGREP)

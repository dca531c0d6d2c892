"""The program's door: which part of the course a command line asks for.

Rules. `--help` and `--version` import nothing but argparse, so every other import is inside the function
that needs it. A subcommand lives in `course/cli/NAME.py`, which has `parser()` and `run(args) -> int`; the
order of HELP is the order of COMMANDS. Exit codes: 0 done, 1 a check did not hold, 2 bad input or usage,
70 our own defect (a crash file has the traceback), 130 interrupted. A person never meets a traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from course import __version__
from course.lang import wanted
from course.usage import said

PROGRAM = "k8snet-tutor"

#: Subcommand -> one line of help, English and Korean. Everything here works without a terminal.
COMMANDS: dict[str, tuple[str, str]] = {
    "trace": ("one journey, hop by hop: LAB FROM TO", "패킷 한 번의 여정을 홉마다 보기: LAB FROM TO"),
    "flows": ("run packet-flow tables and judge them", "패킷 흐름 표를 실행하고 판정하기"),
    "shell": ("the lab's shell, line by line", "실습 환경의 셸을 한 줄씩 쓰기"),
    "real": ("the same in the real Linux kernel, compared", "같은 것을 실제 리눅스 커널에서 실행해 비교하기"),
    "lessons": ("list the lessons, or check one", "레슨 목록 보기, 레슨 검사하기"),
}

HELP = {
    "en": f"""\
{PROGRAM}: a course in Kubernetes networking, with a living lab

usage: {PROGRAM} [options]      open the course
       {PROGRAM} COMMAND ...    work without the screens (see COMMAND -h)

commands:
{{commands}}

options of the course:
  --lesson ID      open this lesson (see `{PROGRAM} lessons`)
  --lang en|ko     the language; else the one you chose, else your locale's
  --data-dir DIR   keep the progress here, not in your user data directory
  --plain          no screens: the lesson and its hops as text, line by line
  --ascii          draw with + - | instead of box glyphs
  -h, --help       this text
  --version        the version
""",
    "ko": f"""\
{PROGRAM}: 레슨마다 살아 있는 실습 환경이 있는 쿠버네티스 네트워킹 과정

사용법: {PROGRAM} [옵션]         과정 열기
        {PROGRAM} 명령 ...       화면 없이 쓰기 (자세한 것은 명령 -h)

명령:
{{commands}}

과정의 옵션:
  --lesson ID      이 레슨을 바로 열기 (`{PROGRAM} lessons` 참고)
  --lang en|ko     언어. 정하지 않으면 지난번에 고른 언어, 그다음은 로캘
  --data-dir DIR   학습 기록을 사용자 데이터 디렉터리 대신 여기에 두기
  --plain          화면 없이 레슨과 홉을 한 줄씩 글로 보기
  --ascii          상자 문자 대신 + - | 로 그리기
  -h, --help       이 도움말
  --version        버전
""",
}

UNKNOWN = {
    "en": "{program}: there is no command {word!r}{guess}. Commands: {commands}. See `{program} --help`.",
    "ko": "{program}: {word!r} 명령은 없습니다{guess}. 명령: {commands}. 설명: `{program} --help`",
}
GUESS = {"en": " (did you mean {guess}?)", "ko": " ({guess}?)"}
USAGE = {
    "en": "{program}: {message}. `{program} --help` lists the options.",
    "ko": "{program}: {message}. 옵션 목록은 `{program} --help`에 있습니다.",
}
NO_TERMINAL = {
    "en": "{program}: the course needs a terminal on its input and output ({reason}). "
    "Without one: `{program} --plain`, or the commands {commands}.",
    "ko": "{program}: 과정을 열려면 입력과 출력이 터미널이어야 합니다({reason}). "
    "터미널 없이는 `{program} --plain` 또는 {commands} 명령을 쓰십시오.",
}
CRASH = {
    "en": "{program}: a defect of ours: {error}. Details are in {file}; please report it with that file.",
    "ko": "{program}: 프로그램의 결함입니다: {error}. {file} 파일을 첨부해 신고해 주십시오.",
}


def help_text(lang: str) -> str:
    """The help in one language, one line for each subcommand."""
    column = 0 if lang == "en" else 1
    return HELP[lang].format(
        commands="\n".join(f"  {name:<9}{line[column]}" for name, line in COMMANDS.items())
    )


class _Parser(argparse.ArgumentParser):
    """argparse with our one-line error in the reader's language."""

    lang = "en"

    def error(self, message: str) -> None:  # type: ignore[override]
        text = USAGE[self.lang].format(program=PROGRAM, message=said(message, self.lang))
        self.exit(2, f"{text}\n")


def course_parser(lang: str = "en") -> argparse.ArgumentParser:
    """The options of the course itself; `run_app` gets their namespace."""
    parser = _Parser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    parser.lang = lang
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--version", action="store_true")
    parser.add_argument("--lesson", metavar="ID")
    parser.add_argument("--lang", choices=("en", "ko"))
    parser.add_argument("--data-dir", metavar="DIR", type=Path)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--ascii", action="store_true")
    return parser


def why_no_terminal() -> str | None:
    """The reason why the screens cannot be shown here, or None. Textual draws on standard error."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed or not stream.isatty():
            return f"{name} is not a terminal"
    return "TERM=dumb" if os.environ.get("TERM", "dumb") == "dumb" else None


def _open_course(argv: Sequence[str], lang: str) -> int:
    args = course_parser(lang).parse_args(argv)
    if args.help:
        print(help_text(lang), end="")
        return 0
    if args.version:
        print(PROGRAM, __version__)
        return 0
    if not args.plain and (reason := why_no_terminal()):
        text = NO_TERMINAL[lang].format(program=PROGRAM, reason=reason, commands=", ".join(COMMANDS))
        print(text, file=sys.stderr)
        return 2
    # Composed Korean text gets lost under the kitty keyboard protocol in several terminals; Textual reads
    # this when it is imported. A person who wants the protocol sets it to 0.
    os.environ.setdefault("TEXTUAL_DISABLE_KITTY_KEY", "1")
    import gc

    from engine.unswept import calm

    calm()
    from course.app import run_app

    gc.freeze()
    return run_app(args)


def _run_command(name: str, argv: Sequence[str]) -> int:
    from importlib import import_module

    from engine.unswept import calm

    calm()
    command = import_module(f"course.cli.{name}")
    return int(command.run(command.parser().parse_args(argv)))


def _dispatch(argv: Sequence[str], lang: str) -> int:
    if not argv or argv[0].startswith("-"):
        return _open_course(argv, lang)
    word, rest = argv[0], argv[1:]
    if word in COMMANDS:
        return _run_command(word, rest)
    from difflib import get_close_matches

    close = get_close_matches(word, COMMANDS, n=1, cutoff=0.5)
    guess = GUESS[lang].format(guess=close[0]) if close else ""
    text = UNKNOWN[lang].format(program=PROGRAM, word=word, guess=guess, commands=", ".join(COMMANDS))
    print(text, file=sys.stderr)
    return 2


def _known_error(error: Exception, lang: str) -> str | None:
    """The sentence of an error that the engine raised on purpose; None for a defect of ours."""
    errors = sys.modules.get("engine.errors")  # not loaded: then nobody raised one
    if errors is not None and isinstance(error, errors.EngineError):
        return str(error.text(lang))
    return None


def _crash_file(error: Exception, argv: Sequence[str]) -> Path:
    """Write the traceback beside the progress, or where it can be written, and say where."""
    import platform
    import tempfile
    import traceback
    from datetime import UTC, datetime

    from course.paths import data_dir

    named = [argv[i + 1] for i, word in enumerate(argv[:-1]) if word == "--data-dir"]
    name = f"crash-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}.txt"
    where = f"{PROGRAM} {__version__}, Python {platform.python_version()}, {platform.platform()}"
    text = f"{where}\n{list(argv)!r}\n\n{''.join(traceback.format_exception(error))}"
    for folder in (data_dir(Path(named[0]) if named else None), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        except OSError:
            continue
        return folder / name
    return Path(os.devnull)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; the result is the exit code."""
    words = sys.argv[1:] if argv is None else list(argv)
    lang = wanted(words)
    try:
        code = _dispatch(words, lang)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader (head, less) has gone: nothing to say, and nothing to flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if text := _known_error(error, lang):
            print(f"{PROGRAM}: {text}", file=sys.stderr)
            return 2
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        text = CRASH[lang].format(program=PROGRAM, error=line, file=_crash_file(error, words))
        print(text, file=sys.stderr)
        return 70


if __name__ == "__main__":
    sys.exit(main())

"""What the subcommands share: their parser, how a LAB word becomes a lab, errors, JSON, colour."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, NoReturn

from course import lang as languages
from course import usage
from course.catalog import LESSONS
from engine.errors import EngineError, InputError, Problem
from engine.grade.course import Course
from engine.lab.lab import Lab
from engine.say import Phrase

PROGRAM = "k8snet-tutor"

NO_LAB = Phrase(
    en="there is no lab, file, folder or lesson {word!r}; write a lab file, a folder of Kubernetes manifests, a "
    "lesson's id (see `{program} lessons`) or one of the shared labs: {labs}",
    ko="{word!r}(이)라는 실습 환경, 파일, 폴더, 레슨이 없습니다. 실습 파일, 쿠버네티스 매니페스트 폴더, 레슨 id"
    "(`{program} lessons` 참고), 공용 실습 환경({labs}) 가운데 하나를 적으십시오",
)
BAD_USAGE = Phrase(en="{message}. `{program} -h` tells more", ko="{message}. 자세한 것은 `{program} -h`")


class Parser(argparse.ArgumentParser):
    """argparse with one-line errors, in JSON when the command line asks for it."""

    def error(self, message: str) -> NoReturn:
        if "--json" in sys.argv:
            said = BAD_USAGE(message=message, program=self.prog)
            print(json.dumps({"error": said.text("en")}, ensure_ascii=False))
            raise SystemExit(2)
        lang = languages.wanted()
        said = BAD_USAGE(message=usage.said(message, lang), program=self.prog)
        self.exit(2, f"{self.prog}: {said.text(lang)}\n")


def make_parser(name: str, about: tuple[str, str]) -> Parser:
    """A subcommand's parser with --json and --lang. `about` is (English, Korean)."""
    lang = languages.wanted()
    parser = Parser(
        prog=f"{PROGRAM} {name}",
        description=about[1 if lang == "ko" else 0],
        allow_abbrev=False,
        add_help=False,
    )
    for group in parser._action_groups:
        group.title = usage.heading(group.title or "", lang)
    parser.add_argument("-h", "--help", action="help", help=both(*usage.HELP))
    parser.add_argument("--json", action="store_true", help=both("print JSON", "JSON으로 출력"))
    parser.add_argument("--lang", choices=("en", "ko"), default=lang, help=both("language", "언어"))
    return parser


def both(en: str, ko: str) -> str:
    """A help line in the reader's language."""
    return ko if languages.wanted() == "ko" else en


def guarded(args: argparse.Namespace, work: Callable[[], int]) -> int:
    """Run a subcommand; an error of the engine becomes exit code 2, and {"error": ...} with --json."""
    try:
        return work()
    except EngineError as error:
        if args.json:
            print_json(error_json(error))
        else:
            print(f"{PROGRAM}: {error.text(args.lang)}", file=sys.stderr)
        return 2


def error_json(error: EngineError) -> dict[str, Any]:
    """`{"error": text, "problems": [{"where", "text"}]}`; problems only where a file has them."""
    out: dict[str, Any] = {"error": error.text("en")}
    if isinstance(error, InputError):
        out["problems"] = [{"where": p.where, "text": p.said.text("en")} for p in error.problems]
    return out


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def load_course() -> Course:
    """The course that comes with the program."""
    return Course.load(LESSONS)


def shared_labs() -> list[str]:
    return sorted(p.stem for p in (LESSONS / "labs").glob("*.yaml"))


def lab_path(word: str) -> Path | None:
    """The path behind a LAB word, when it is one: a file or folder, or the name of a shared lab."""
    if word and "\0" not in word and Path(word).exists():
        return Path(word)
    shared = LESSONS / "labs" / f"{word}.yaml"
    return shared if word in shared_labs() else None


def open_lab(word: str, *, seed: int = 0, lang: str = "en") -> Lab:
    """LAB: a lab file, a folder, a shared lab's name or a lesson's id. Raises InputError."""
    path = lab_path(word)
    if path is not None:
        return Lab.load(path, seed=seed, lang=lang)
    course = load_course()
    try:
        entry = course.entry(word)
    except InputError:
        labs = ", ".join(shared_labs()) or "-"
        raise InputError([Problem(where="", said=NO_LAB(word=word, program=PROGRAM, labs=labs))]) from None
    return course.lesson(entry.id).open_lab(seed=seed, lang=lang)


def say_notes(lab: Lab, lang: str) -> None:
    """What a folder of manifests holds and the model does not act on: on stderr, one line each, a long list cut."""
    lines = list(dict.fromkeys(n.text(lang) for n in lab.notes))
    for line in lines[:20]:
        print(line, file=sys.stderr)
    if len(lines) > 20:
        print(MORE(count=len(lines) - 20).text(lang), file=sys.stderr)


MORE = Phrase(en="... and {count} more", ko="... 그 밖에 {count}개")


class Paint:
    """Colour on a terminal, nothing elsewhere. `Paint(stream)("bold", text)`."""

    CODES: ClassVar = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

    def __init__(self, stream: IO[str] | None = None) -> None:
        stream = sys.stdout if stream is None else stream
        self.on = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, style: str, text: str) -> str:
        return f"\x1b[{self.CODES[style]}m{text}\x1b[0m" if self.on else text


def words(argv: Sequence[str] | argparse.Namespace, parser: Parser) -> argparse.Namespace:
    """`run` takes a parsed namespace or raw words."""
    return argv if isinstance(argv, argparse.Namespace) else parser.parse_args(list(argv))

"""`lessons [list]`: the course. `lessons check PATH|all`: lint and prove lessons, one line an exercise.
Exit code 1 when something does not hold, 2 when a path is no lesson."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

from course.catalog import LESSONS
from course.cli.common import Paint, Parser, both, guarded, load_course, make_parser, print_json, words
from engine.errors import InputError, Problem
from engine.grade.course import Course
from engine.grade.prove import Report, check_course, check_lesson
from engine.say import Phrase

ABOUT = ("The course: list its lessons, or check them.", "레슨 목록을 보거나 레슨을 검사합니다.")
MINUTES = Phrase(en="{minutes} min", ko="{minutes}분")
COMING = Phrase(en="coming", ko="준비 중")
NO_FOLDER = Phrase(
    en="{path} is no lesson; write a lesson's folder or id, or `all`",
    ko="{path}은(는) 레슨이 아닙니다. 레슨 폴더, id 또는 `all`을 적으십시오",
)
NEED_PATH = Phrase(
    en="check what? Write a lesson's folder or id, or `all`",
    ko="무엇을 검사할지 레슨 폴더, id 또는 `all`을 적으십시오",
)
NO_PATH = Phrase(
    en="`list` lists the whole course and takes no path, found {path!r}; `lessons check {path}` checks a lesson",
    ko="`list`는 전체 과정을 보여 주며 경로를 받지 않는데 {path!r}이(가) 있습니다. 레슨 검사: `lessons check {path}`",
)
TOTAL = Phrase(
    en="{lessons} lessons, {exercises} exercises: {bad} do not hold",
    ko="레슨 {lessons}개, 연습 {exercises}개 가운데 성립하지 않는 것 {bad}개",
)


def parser() -> Parser:
    p = make_parser("lessons", ABOUT)
    p.add_argument("what", metavar="list|check", nargs="?", choices=("list", "check"), default="list")
    p.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help=both("a lesson's folder or id, or all", "레슨 폴더, id 또는 all"),
    )
    return p


def run(argv: Sequence[str] | argparse.Namespace) -> int:
    args = words(argv, parser())
    return guarded(args, lambda: _list(args) if args.what == "list" else _check(args))


def _list(args: argparse.Namespace) -> int:
    if args.paths:
        raise InputError([Problem(where="lessons list", said=NO_PATH(path=args.paths[0]))])
    course = load_course()
    lang, paint = args.lang, Paint()
    if args.json:
        both_ = ("en", "ko")
        rows = [
            {
                "id": e.id, "status": e.status, "minutes": e.minutes,
                "title": {x: e.title.text(x) for x in both_}, "summary": {x: e.summary.text(x) for x in both_},
            }
            for e in course.entries()
        ]  # fmt: skip
        print_json({"lessons": rows})
        return 0
    width = max(len(e.id) for e in course.entries())
    for group in course.groups:
        print(paint("bold", group.title.text(lang)))
        for e in group.lessons:
            note = MINUTES(minutes=e.minutes) if e.ready else COMING()
            print(f"  {e.id:<{width}}  {e.title.text(lang)} ({note.text(lang)})")
    return 0


def _reports(args: argparse.Namespace) -> Iterable[Report]:
    """The reports of what was asked for. Raises InputError for a path that is no lesson."""
    if not args.paths:
        raise InputError([Problem(where="lessons check", said=NEED_PATH())])
    course = load_course()
    if args.paths == ["all"]:
        return check_course(course)
    folders = [_folder(word, course) for word in args.paths]
    return [check_lesson(path, _course_of(path, course)) for path in folders]


def _folder(word: str, course: Course) -> Path:
    path = Path(word)
    if (
        "\0" not in word
        and path.is_dir()
        and ((path / "exercises.yaml").exists() or list(path.glob("lesson.*.md")))
    ):
        return path.resolve()
    try:
        return course.path / course.entry(word).id
    except InputError:
        raise InputError([Problem(where="lessons check", said=NO_FOLDER(path=word))]) from None


def _course_of(path: Path, course: Course) -> Course | None:
    """The course that a folder belongs to: ours, or one that lies around it, or none."""
    if path.parent == LESSONS.resolve() or path.parent == LESSONS:
        return course
    return Course.load(path.parent) if (path.parent / "course.yaml").is_file() else None


def _check(args: argparse.Namespace) -> int:
    paint = Paint()
    reports: list[Report] = []
    for report in _reports(args):
        reports.append(report)
        if not args.json:
            _show(report, args.lang, paint)
    bad = sum(not r.ok for r in reports)
    if args.json:
        print_json({"ok": not bad, "lessons": [r.to_json(args.lang) for r in reports]})
    else:
        exercises = sum(len(r.proofs) for r in reports)
        wrong = sum(not p.ok for r in reports for p in r.proofs) + sum(bool(r.problems) for r in reports)
        print(TOTAL(lessons=len(reports), exercises=exercises, bad=wrong).text(args.lang))
    return 1 if bad else 0


def _show(report: Report, lang: str, paint: Paint) -> None:
    print(f"{_mark(not report.problems, paint)}  {paint('bold', report.id)}")
    for problem in report.problems:
        print(f"          {problem.text(lang)}")
    for proof in report.proofs:
        print(f"  {_mark(proof.ok, paint)}  {proof.id} ({proof.kind})")
        for problem in proof.problems:
            print(f"          {problem.text(lang)}")


def _mark(ok: bool, paint: Paint) -> str:
    return paint("green", "ok  ") if ok else paint("red", "FAIL")

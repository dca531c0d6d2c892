"""`flows FILE...`: run packet-flow tables; one line a row, then totals. Exit code 1 when a row does not hold."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from course.cli.common import Paint, Parser, error_json, guarded, make_parser, open_lab, print_json, words
from engine.errors import EngineError, InputError
from engine.grade import flows as tables
from engine.grade.flows import Row, to_json
from engine.grade.hints import hint
from engine.grade.table import Table, read_table
from engine.lab.lab import Lab
from engine.lab.source import open_source
from engine.record import replace
from engine.say import Phrase

ABOUT = ("Run packet-flow tables and judge them.", "패킷 흐름 표를 실행하고 판정합니다.")
TOTAL = Phrase(en="{passed} passed, {failed} failed", ko="{passed}개 통과, {failed}개 실패")


def parser() -> Parser:
    p = make_parser("flows", ABOUT)
    p.add_argument("files", metavar="FILE", nargs="+", type=Path)
    return p


def open_table_lab(table: Table, path: Path, lang: str) -> Lab:
    """The lab of a table: inline, a file beside it, or a shared lab's or lesson's name."""
    if isinstance(table.lab, str):
        beside = path.parent / table.lab
        if "\0" not in table.lab and beside.exists():
            return Lab.load(open_source(beside), lang=lang)
        try:
            return open_lab(table.lab, lang=lang)
        except InputError as error:
            where = table.doc.where(("lab",))
            raise InputError([replace(p, where=p.where or where) for p in error.problems]) from None
    return Lab.load(table.lab_doc(), folder=path.parent, lang=lang)


def run_file(path: Path, lang: str) -> list[Row]:
    """Judge one table. Raises InputError."""
    table = read_table(path)
    return tables.run(open_table_lab(table, path, lang), table.flows)


def _show(path: Path, rows: list[Row], lang: str, paint: Paint) -> None:
    print(paint("bold", str(path)))
    for row in rows:
        mark = paint("green", "ok  ") if row.ok else paint("red", "FAIL")
        print(f"  {mark}  {row.flow.title}")
        for finding in row.findings:
            print(f"          {finding.kind}: {finding.said.text(lang)}")
            print(f"          {hint(finding).text(lang)}")


def _run(args: argparse.Namespace) -> int:
    paint = Paint()
    results: list[dict[str, Any]] = []
    passed = failed = 0
    broken = False
    for path in args.files:
        try:
            rows = run_file(path, args.lang)
        except EngineError as error:
            if len(args.files) == 1:
                raise
            broken = True
            results.append({"file": str(path), **error_json(error)})
            if not args.json:
                print(paint("red", error.text(args.lang)))
            continue
        results.append(to_json(str(path), rows))
        passed += sum(r.ok for r in rows)
        failed += sum(not r.ok for r in rows)
        if not args.json:
            _show(path, rows, args.lang, paint)
    if args.json:
        print_json(results[0] if len(args.files) == 1 else results)
    else:
        print(TOTAL(passed=passed, failed=failed).text(args.lang))
    return 2 if broken else 1 if failed else 0


def run(argv: Sequence[str] | argparse.Namespace) -> int:
    args = words(argv, parser())
    return guarded(args, lambda: _run(args))

"""A learner's progress as a JSON document: to carry it to another machine, to keep it, to read it.

The document is `{"format", "version", "exported", TABLE: [ROW, ...], ...}` with the tables and columns of
`rows.COLUMNS` under their plural names, and settings as one object. Answers and settings are JSON inside JSON,
not texts. Unknown keys are errors; all errors of a document come at once, each with its path.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import cast

from course.progress import rows
from course.progress.records import Json
from course.progress.rows import Row, Rows
from engine.errors import InputError, Problem
from engine.say import Phrase

FORMAT = "k8snet-tutor progress"
VERSION = 1

#: table -> its name in the document
NAMES = {
    "attempt": "attempts",
    "watched": "watched",
    "position": "positions",
    "visit": "visits",
    "day": "days",
}
KEYS = ("format", "version", "exported", *NAMES.values(), "settings")

NOT_A_DOCUMENT = Phrase(
    en='a JSON object with "format": "{format}" is needed: a file that the course exported',
    ko='"format": "{format}"이(가) 있는 JSON 객체, 곧 과정에서 내보낸 파일이어야 합니다',
)
OTHER_VERSION = Phrase(
    en="version {found} is not known here; this program reads version {known}. Update the program",
    ko="버전 {found}은(는) 알 수 없습니다. 이 프로그램은 버전 {known}을(를) 읽습니다. 프로그램을 업데이트하십시오",
)
NOT_A_LIST = Phrase(en="a list is needed", ko="목록이어야 합니다")
NOT_AN_OBJECT = Phrase(en="an object is needed", ko="객체여야 합니다")
NOT_FINITE = Phrase(
    en="a JSON value without NaN and Infinity is needed", ko="NaN과 Infinity가 없는 JSON 값이어야 합니다"
)


def to_document(content: Rows, exported: datetime) -> dict[str, Json]:
    """The document of all rows."""
    document: dict[str, Json] = {"format": FORMAT, "version": VERSION, "exported": exported.isoformat()}
    for table, name in NAMES.items():
        document[name] = [cast(Json, dict(row)) for row in content[table]]
    for attempt in cast("list[dict[str, Json]]", document["attempts"]):
        attempt["answer"] = json.loads(str(attempt["answer"]))
    document["days"] = [row["day"] for row in content["day"]]
    document["settings"] = {str(row["key"]): json.loads(str(row["value"])) for row in content["setting"]}
    return document


def _as_row(table: str, item: object, where: str) -> object:
    """A document's item in the shape of a row, where the two differ."""
    if table == "day":
        return {"day": item}
    if table == "attempt" and isinstance(item, dict) and "answer" in item:
        return {**item, "answer": rows.compact(item["answer"])}
    return item


def _rows_of(table: str, found: object, name: str, problems: list[Problem]) -> list[Row]:
    if not isinstance(found, list):
        problems.append(Problem(where=name, said=NOT_A_LIST()))
        return []
    good: list[Row] = []
    for index, item in enumerate(found):
        where = f"{name}[{index}]"
        try:
            row = rows.check(table, _as_row(table, item, where), where)
        except (ValueError, RecursionError):
            row = [Problem(where=f"{where}.answer", said=NOT_FINITE())]
        if isinstance(row, list):
            problems.extend(row)
        else:
            good.append(row)
    return good


def _settings_of(found: object, problems: list[Problem]) -> list[Row]:
    if not isinstance(found, dict):
        problems.append(Problem(where="settings", said=NOT_AN_OBJECT()))
        return []
    good: list[Row] = []
    for key, value in found.items():
        try:
            row = rows.check("setting", {"key": key, "value": rows.compact(value)}, f"settings.{key}")
        except (ValueError, RecursionError):
            row = [Problem(where=f"settings.{key}", said=NOT_FINITE())]
        if isinstance(row, list):
            problems.extend(row)
        else:
            good.append(row)
    return good


def from_document(document: object) -> Rows:
    """The rows of a document; tables that it leaves out are empty. Raises InputError with every problem."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InputError([Problem(where="", said=NOT_A_DOCUMENT(format=FORMAT))])
    if document.get("version") != VERSION:
        said = OTHER_VERSION(found=repr(document.get("version")), known=VERSION)
        raise InputError([Problem(where="version", said=said)])
    problems = [
        Problem(where=str(key), said=rows.UNKNOWN(names=", ".join(KEYS)))
        for key in document
        if key not in KEYS
    ]
    content = {
        table: _rows_of(table, document.get(name, []), name, problems) for table, name in NAMES.items()
    }
    content["setting"] = _settings_of(document.get("settings", {}), problems)
    if problems:
        raise InputError(problems)
    return content

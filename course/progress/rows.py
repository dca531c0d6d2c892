"""All of a progress file as plain rows: read, checked, and merged into another file.

Rows = {table: [row, ...]}, a row is {column: value} with SQLite's own value types. Export, import, rescue and
the flight into memory all pass through here, so that a column is described once, in COLUMNS.
Merging keeps everything of both sides: attempts by uid, the earlier look at a solution, the later position,
visits widened, days united; of two settings the incoming one wins.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from typing import TypeAlias

from course.progress.records import Json, Outcome
from engine.errors import Problem
from engine.say import Phrase, Said

Value: TypeAlias = str | int | float
Row: TypeAlias = dict[str, Value]
Rows: TypeAlias = dict[str, list[Row]]
Check: TypeAlias = Callable[[object], "Value | Said"]

NOT_A_TEXT = Phrase(en="a text is needed", ko="글자열이어야 합니다")
NOT_A_COUNT = Phrase(en="a whole number from 0 is needed", ko="0 이상의 정수여야 합니다")
NOT_A_SEED = Phrase(en="a whole number of at most 64 bits is needed", ko="64비트 이하의 정수여야 합니다")
NOT_SECONDS = Phrase(en="a number of seconds from 0 is needed", ko="0 이상의 초 단위 숫자여야 합니다")
NOT_A_MOMENT = Phrase(
    en="a time like 2026-11-21T10:00:00+09:00 is needed",
    ko="2026-11-21T10:00:00+09:00 같은 시각이어야 합니다",
)
NOT_A_DAY = Phrase(en="a day like 2026-11-21 is needed", ko="2026-11-21 같은 날짜여야 합니다")
NOT_AN_OUTCOME = Phrase(en="one of {names} is needed", ko="{names} 중 하나여야 합니다")
NOT_JSON = Phrase(en="a JSON text is needed", ko="JSON 글자열이어야 합니다")
MISSING = Phrase(en="is missing", ko="빠져 있습니다")
UNKNOWN = Phrase(en="is not known here; known: {names}", ko="알 수 없는 항목입니다. 아는 항목: {names}")
NOT_A_ROW = Phrase(en="an object with the keys {names} is needed", ko="{names} 키를 가진 객체여야 합니다")

BIGGEST = 2**63 - 1


def _text(value: object) -> Value | Said:
    if not isinstance(value, str) or not value:
        return NOT_A_TEXT()
    # Lone surrogates come from damaged bytes or odd JSON; SQLite cannot hold them.
    return value if value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value) else NOT_A_TEXT()


def _whole(value: object, lowest: int, problem: Phrase) -> Value | Said:
    good = isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= BIGGEST
    return value if good and isinstance(value, int) else problem()


def _count(value: object) -> Value | Said:
    return _whole(value, 0, NOT_A_COUNT)


def _seed(value: object) -> Value | Said:
    return _whole(value, -BIGGEST - 1, NOT_A_SEED)


def _seconds(value: object) -> Value | Said:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        return NOT_SECONDS()
    return float(value)


def _moment(value: object) -> Value | Said:
    try:
        good = isinstance(value, str) and datetime.fromisoformat(value).utcoffset() is not None
    except ValueError:
        good = False
    return value if good and isinstance(value, str) else NOT_A_MOMENT()


def _day(value: object) -> Value | Said:
    try:
        return date.fromisoformat(value).isoformat() if isinstance(value, str) else NOT_A_DAY()
    except ValueError:
        return NOT_A_DAY()


def _outcome(value: object) -> Value | Said:
    names = [o.value for o in Outcome]
    return value if isinstance(value, str) and value in names else NOT_AN_OUTCOME(names=", ".join(names))


def _json(value: object) -> Value | Said:
    if isinstance(_text(value), Said) or not isinstance(value, str):
        return NOT_JSON()
    try:
        json.loads(value)
    except ValueError:
        return NOT_JSON()
    return value


def compact(value: Json) -> str:
    """The JSON text that is kept in a column. ValueError for NaN and infinities, which JSON has not."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True)


#: table -> column -> its check, which gives the value or says what is wrong
COLUMNS: dict[str, dict[str, Check]] = {
    "attempt": {
        "uid": _text,
        "lesson": _text,
        "exercise": _text,
        "seed": _seed,
        "at": _moment,
        "outcome": _outcome,
        "answer": _json,
        "hints": _count,
        "seconds": _seconds,
    },
    "watched": {"lesson": _text, "exercise": _text, "at": _moment},
    "position": {"lesson": _text, "step": _count, "at": _moment},
    "visit": {"lesson": _text, "step": _count, "first": _moment, "last": _moment, "count": _count},
    "setting": {"key": _text, "value": _json},
    "day": {"day": _day},
}


def check(table: str, found: object, where: str) -> Row | list[Problem]:
    """The row, or everything that is wrong with it. `where` is its path, such as `attempts[3]`."""
    columns = COLUMNS[table]
    if not isinstance(found, dict):
        return [Problem(where=where, said=NOT_A_ROW(names=", ".join(columns)))]
    row: Row = {}
    problems = [
        Problem(where=f"{where}.{key}", said=UNKNOWN(names=", ".join(columns)))
        for key in found
        if key not in columns
    ]
    for column, good in columns.items():
        value = good(found[column]) if column in found else MISSING()
        if isinstance(value, Said):
            problems.append(Problem(where=f"{where}.{column}", said=value))
        else:
            row[column] = value
    return problems or row


def select(
    db: sqlite3.Connection, table: str, where: str = "TRUE", values: Mapping[str, object] | None = None
) -> list[Row]:
    """The rows of one table in the order of writing. A row with values that cannot be, such as a bit that fell
    over inside a text, is left out; it stays in the file."""
    columns = list(COLUMNS[table])
    found = db.execute(
        f"SELECT {', '.join(columns)} FROM {table} WHERE {where} ORDER BY rowid", values or {}
    ).fetchall()
    checked = (check(table, dict(zip(columns, row, strict=True)), table) for row in found)
    return [row for row in checked if isinstance(row, dict)]


def read(db: sqlite3.Connection) -> Rows:
    """All rows of all tables. The caller holds a transaction if it wants one moment."""
    return {table: select(db, table) for table in COLUMNS}


def _later(left: Value, right: Value) -> bool:
    return datetime.fromisoformat(str(left)) > datetime.fromisoformat(str(right))


def _merge_attempts(db: sqlite3.Connection, rows: Iterable[Row]) -> int:
    columns = list(COLUMNS["attempt"])
    before = db.total_changes
    db.executemany(
        f"INSERT OR IGNORE INTO attempt ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})",
        rows,
    )
    return db.total_changes - before


def _merge_watched(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        have = db.execute(
            "SELECT at FROM watched WHERE lesson = :lesson AND exercise = :exercise", row
        ).fetchone()
        if have is None or _later(have[0], row["at"]):
            db.execute("INSERT OR REPLACE INTO watched VALUES (:lesson, :exercise, :at)", row)


def _merge_positions(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        have = db.execute("SELECT at FROM position WHERE lesson = :lesson", row).fetchone()
        if have is None or _later(row["at"], have[0]):
            db.execute("INSERT OR REPLACE INTO position VALUES (:lesson, :step, :at)", row)


def _merge_visits(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    for row in rows:
        have = db.execute(
            "SELECT first, last, count FROM visit WHERE lesson = :lesson AND step = :step", row
        ).fetchone()
        new = dict(row)
        if have is not None:
            first, last, count = have
            new["first"] = first if _later(row["first"], first) else row["first"]
            new["last"] = last if _later(last, row["last"]) else row["last"]
            new["count"] = max(count, int(row["count"]))
        db.execute("INSERT OR REPLACE INTO visit VALUES (:lesson, :step, :first, :last, :count)", new)


def merge(db: sqlite3.Connection, rows: Rows) -> int:
    """Put the rows into the file, inside the caller's transaction; the number of attempts that were new."""
    added = _merge_attempts(db, rows.get("attempt", []))
    _merge_watched(db, rows.get("watched", []))
    _merge_positions(db, rows.get("position", []))
    _merge_visits(db, rows.get("visit", []))
    db.executemany("INSERT OR REPLACE INTO setting VALUES (:key, :value)", rows.get("setting", []))
    db.executemany("INSERT OR IGNORE INTO day VALUES (:day)", rows.get("day", []))
    return added

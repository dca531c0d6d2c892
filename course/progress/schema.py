"""The tables of the progress file, as the list of steps that lead to them.

Rules. A step that was released is never edited: a change is a new step at the end, and its number is the new
`PRAGMA user_version`. A step is plain statements; all missing steps run in one transaction, so that a killed
upgrade leaves the old file. Times are ISO 8601 with offset, answers and settings are JSON texts.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from engine.errors import EngineError
from engine.say import Phrase

#: `PRAGMA application_id`: "k8nt". A file with another id is not ours.
APPLICATION_ID = 0x6B386E74

STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE attempt (
            uid TEXT NOT NULL UNIQUE, lesson TEXT NOT NULL, exercise TEXT NOT NULL, seed INTEGER NOT NULL,
            at TEXT NOT NULL, outcome TEXT NOT NULL, answer TEXT NOT NULL, hints INTEGER NOT NULL,
            seconds REAL NOT NULL)""",
        "CREATE INDEX attempt_of ON attempt (lesson, exercise)",
        """CREATE TABLE watched (
            lesson TEXT NOT NULL, exercise TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (lesson, exercise))""",
        "CREATE TABLE position (lesson TEXT NOT NULL PRIMARY KEY, step INTEGER NOT NULL, at TEXT NOT NULL)",
        """CREATE TABLE visit (
            lesson TEXT NOT NULL, step INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL,
            count INTEGER NOT NULL, PRIMARY KEY (lesson, step))""",
        "CREATE TABLE setting (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE day (day TEXT NOT NULL PRIMARY KEY)",
    ),
)

TOO_NEW = Phrase(
    en="{file} was written by a newer k8snet-tutor (format {found}; this one knows up to {known}). "
    "It was left as it is. Update the program, or start it with --data-dir and another folder.",
    ko="{file}은(는) 더 새로운 k8snet-tutor가 쓴 파일입니다(형식 {found}, 이 프로그램은 {known}까지 압니다). "
    "파일은 그대로 두었습니다. 프로그램을 업데이트하거나 --data-dir로 다른 폴더를 지정해 시작하십시오.",
)


class ProgressTooNew(EngineError):
    """The file's format is newer than this program; nothing was written to it."""

    def __init__(self, file: Path, found: int) -> None:
        super().__init__(TOO_NEW(file=str(file), found=found, known=len(STEPS)))


def version(db: sqlite3.Connection) -> int:
    """The number of steps that this file has taken; 0 for an empty one."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def migrate(db: sqlite3.Connection) -> None:
    """Bring the tables to the newest form; another process may be doing the same at this moment."""
    if version(db) == len(STEPS):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version(db) :]:
            for statement in step:
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(STEPS)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise

"""Opening the progress file so that nothing that can happen to a file surprises the course.

Rules. WAL with synchronous=NORMAL where the disk can (a local one), else a rollback journal with FULL; both
survive kill -9. Writers take BEGIN IMMEDIATE and wait up to five seconds for each other. A file is looked at
through a read-only connection first: one that is damaged or newer than us is never written to.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from course.progress import rows, schema

FILE = "progress.sqlite3"
TIMEOUT = 5.0
#: More URI parameters for every connection to a file, such as `vfs=unix-dotfile`.
URI_OPTIONS: tuple[str, ...] = ()


class Damaged(Exception):
    """The file is there and is not a whole progress file."""


def _decode(raw: bytes) -> str:
    """Bytes that are no UTF-8 any more become a text that `rows.check` refuses, not an error of the query."""
    return raw.decode("utf-8", "surrogateescape")


def connect(file: Path, *options: str) -> sqlite3.Connection:
    """A bare connection in autocommit mode; the caller's threads take turns."""
    query = "&".join((*options, *URI_OPTIONS))
    db = sqlite3.connect(
        f"{file.absolute().as_uri()}?{query}",
        uri=True,
        timeout=TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
    )
    db.text_factory = _decode
    return db


def is_damage(error: sqlite3.Error) -> bool:
    """Does SQLite say that the file itself is wrong, and not its surroundings or our statement?"""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _look(db: sqlite3.Connection, file: Path) -> None:
    found = schema.version(db)
    if found > len(schema.STEPS):
        raise schema.ProgressTooNew(file, found)
    if found == 0 and db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        return  # created by another process a moment ago, or left empty
    if db.execute("PRAGMA application_id").fetchone()[0] != schema.APPLICATION_ID:
        raise Damaged("another program's file")
    if (verdict := db.execute("PRAGMA integrity_check(1)").fetchone()[0]) != "ok":
        raise Damaged(verdict)


def examine(file: Path) -> None:
    """Read-only: raise Damaged or ProgressTooNew, or sqlite3.Error where the file cannot be read at all."""
    try:
        with closing(connect(file, "mode=ro")) as db:
            _look(db, file)
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            raise Damaged(str(error)) from error
        raise


def _journal(db: sqlite3.Connection) -> None:
    """WAL if this disk can. Turning it on fails at once, whatever the timeout, while another process starts."""
    end = time.monotonic() + TIMEOUT
    while True:
        try:
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            break
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
            if not busy or time.monotonic() > end:
                raise
            time.sleep(0.01)
    if mode != "wal":
        db.execute("PRAGMA journal_mode = DELETE")
    db.execute(f"PRAGMA synchronous = {'NORMAL' if mode == 'wal' else 'FULL'}")


def open_file(folder: Path) -> sqlite3.Connection:
    """The progress file of this folder, created or upgraded where needed, ready for reading and writing.

    Raises Damaged, ProgressTooNew, and sqlite3.Error or OSError where nothing can be kept in this folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    if file.exists():
        examine(file)
    db = connect(file, "mode=rwc")
    try:
        _journal(db)
        schema.migrate(db)
        db.execute("BEGIN IMMEDIATE")  # says now, not at the first answer, that the file cannot be written
        db.execute("ROLLBACK")
    except BaseException:
        db.close()
        raise
    return db


def open_memory(content: rows.Rows | None = None) -> sqlite3.Connection:
    """The same tables without a file, filled with what could be read of one."""
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    schema.migrate(db)
    rows.merge(db, content or {})
    return db


def read_only(file: Path) -> rows.Rows:
    """All rows of a file that cannot be written, also where SQLite may not create its -shm beside it."""
    for options in (("mode=ro",), ("mode=ro", "immutable=1")):
        try:
            with closing(connect(file, *options)) as db:
                return rows.read(db)
        except sqlite3.Error:
            continue
    return {}

"""A damaged progress file: kept aside whole, and everything that can still be read brought back.

Rules. The damaged file is copied aside with its -wal and -shm before anything else; the repaired file is built
beside it and takes its place in one rename, so that a kill at any moment leaves either the damage, which the
next start repairs, or the repaired file. Processes that meet the same damage take turns by a lock file.
SQLite reads a table from both ends, around pages that are gone. Where the first page is gone, that of an
empty file takes its place: the tables are always created in the same order, so their roots are known.
"""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from course.progress import database, rows, schema
from course.progress.rows import Row, Rows
from engine.say import Phrase, Said

PARTS = ("", "-wal", "-shm")

DAMAGED = Phrase(
    en="The progress file was damaged. It is kept as {file}, and the {kept} entries that could be read from it "
    "are here again.",
    ko="학습 기록 파일이 손상되어 있었습니다. 원본은 {file}에 보관했고, 읽을 수 있었던 항목 {kept}개를 되살렸습니다.",
)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One process at a time in here. The lock goes when its process goes, however it goes."""
    with open(folder / "progress.lock", "wb") as lock:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keep_aside(file: Path, at: datetime) -> Path:
    """Copy the file and its companions; SQLite finds them together under the new name."""
    number = 0
    while True:
        suffix = f"-{number}" if number else ""
        aside = file.with_name(f"progress.damaged-{at:%Y%m%dT%H%M%S}{suffix}.sqlite3")
        if not aside.exists():
            break
        number += 1
    for part in PARTS:
        source = file.with_name(file.name + part)
        if source.exists():
            shutil.copy2(source, aside.with_name(aside.name + part))
    return aside


def _walk(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    """Each row that SQLite can still reach, first to last and then last to first; some come twice."""
    columns = list(rows.COLUMNS[table])
    for order in ("ASC", "DESC"):
        try:
            for values in db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY rowid {order}"):
                yield dict(zip(columns, values, strict=True))
        except sqlite3.DatabaseError:
            continue  # the rest of this direction is behind the damage


def _reach(file: Path) -> Rows:
    """The rows of one candidate file that are whole: readable, and of the right kinds of values."""
    found: Rows = {}
    with closing(database.connect(file, "mode=rw")) as db:
        for table in rows.COLUMNS:
            unique: dict[tuple[rows.Value, ...], Row] = {}
            for row in _walk(db, table):
                if isinstance(good := rows.check(table, row, table), dict):
                    unique.setdefault(tuple(good.values()), good)
            found[table] = list(unique.values())
    return found


def _with_a_new_first_page(file: Path, folder: Path) -> Path:
    """A copy whose first page is that of an empty progress file of the same page size."""
    data = bytearray(file.read_bytes())
    model = folder / "model.sqlite3"
    with closing(database.connect(model, "mode=rwc")) as db:
        schema.migrate(db)
    first = bytearray(model.read_bytes())
    size = int.from_bytes(first[16:18], "big")
    first = first[:size]
    first[28:32] = (len(data) // size).to_bytes(4, "big")
    first[32:40] = bytes(8)  # no free list
    data[:size] = first
    graft = folder / "graft.sqlite3"
    graft.write_bytes(data)
    if (wal := file.with_name(file.name + "-wal")).exists():
        shutil.copyfile(wal, graft.with_name(graft.name + "-wal"))
    return graft


def _count(found: Rows) -> int:
    return sum(map(len, found.values()))


def salvage(file: Path) -> Rows:
    """What can be read of a damaged file; it is not touched."""
    best: Rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = folder / file.name
        for part in PARTS[:2]:
            if (source := file.with_name(file.name + part)).exists():
                shutil.copyfile(source, copy.with_name(copy.name + part))
        for new_first_page in (False, True):
            try:
                found = _reach(_with_a_new_first_page(file, folder) if new_first_page else copy)
            except (sqlite3.DatabaseError, OSError):
                continue
            if _count(found) > _count(best):
                best = found
    return best


def _build(new: Path, found: Rows) -> None:
    """A whole progress file in one piece, without a -wal. One that a killed rescue left there is used, too."""
    try:
        if new.exists():
            database.examine(new)
    except (database.Damaged, sqlite3.Error):
        new.unlink()
    with closing(database.connect(new, "mode=rwc")) as db:
        schema.migrate(db)
        db.execute("BEGIN IMMEDIATE")
        rows.merge(db, found)
        db.execute("COMMIT")


def repair(folder: Path, now: datetime) -> tuple[sqlite3.Connection, Said | None]:
    """Keep the damaged file aside and open a new one with what could be read of it; say so.

    The notice is None where another process has just done all this. Raises sqlite3.Error or OSError where
    nothing can be written here; the damaged file is then still in its place.
    """
    file = folder / database.FILE
    with _turn(folder):
        try:
            return database.open_file(folder), None
        except database.Damaged:
            aside = _keep_aside(file, now)
        found = salvage(aside)
        new = folder / "progress.new.sqlite3"
        _build(new, found)
        for part in PARTS[1:]:  # an old -wal beside a new file would be played into it
            file.with_name(file.name + part).unlink(missing_ok=True)
        new.replace(file)
        return database.open_file(folder), DAMAGED(file=str(aside), kept=_count(found))

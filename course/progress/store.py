"""The course's memory of one learner: every question the screens ask of it, and everything they tell it.

Rules. A method is one transaction. Nothing that happens to the file stops the course: damage is repaired, a
file that cannot be written gives way to memory, and `notice` then says so. Only a file of a newer program is
refused (ProgressTooNew). Safe from several threads, and with several programs on one file.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import Any, Self, TypeVar, get_args

from course.progress import database, rescue, rows, transfer
from course.progress.records import (
    Animation,
    Attempt,
    ExerciseState,
    Imported,
    Json,
    Language,
    Outcome,
    Position,
    Settings,
    Visit,
    streak,
)
from engine.say import Phrase, Said

T = TypeVar("T")

IN_MEMORY = Phrase(
    en="Your progress cannot be saved in {folder} ({reason}). The course goes on, but what you do from now on "
    "is forgotten when you close it. Make room or choose another folder with --data-dir.",
    ko="학습 기록을 {folder}에 저장할 수 없습니다({reason}). 강좌는 계속되지만 지금부터 하는 일은 닫을 때 사라집니다. "
    "공간을 확보하거나 --data-dir로 다른 폴더를 지정하세요.",
)

_ATTEMPT = ", ".join(rows.COLUMNS["attempt"])


def _attempt(values: tuple[Any, ...]) -> Attempt:
    uid, lesson, exercise, seed, at, outcome, answer, hints, seconds = values
    return Attempt(
        uid=uid,
        lesson=lesson,
        exercise=exercise,
        seed=seed,
        at=datetime.fromisoformat(at),
        outcome=Outcome(outcome),
        answer=json.loads(answer),
        hints=hints,
        seconds=seconds,
    )


def _is_setting(key: str, value: object) -> bool:
    """Is this a value that the setting can have? A file may hold what another version or a person wrote."""
    if key == "language":
        return value is None or value in get_args(Language)
    if key == "theme":
        return value is None or isinstance(value, str)
    if key == "ascii":
        return isinstance(value, bool)
    if key == "animation":
        return value in get_args(Animation)
    if key == "speed":
        return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 100
    return False


def _sound(table: str, row: rows.Row) -> None:
    """ValueError for a row that could not be exported and imported again: a caller's mistake."""
    if isinstance(problems := rows.check(table, row, table), list):
        raise ValueError("; ".join(problem.text() for problem in problems))


class Progress:
    """One learner's progress. Use `open`; `close` it, or use it as a context manager."""

    def __init__(
        self, db: sqlite3.Connection, folder: Path, now: Callable[[], datetime], notice: Said | None
    ) -> None:
        self._db = db
        self._folder = folder
        self._now = now
        self._lock = RLock()
        self._in_memory = False
        #: What the learner must know about the file, or None. It can change after any call.
        self.notice = notice

    @classmethod
    def open(cls, folder: Path, now: Callable[[], datetime]) -> Progress:
        """The progress in this folder. `now` gives aware local time. Raises only ProgressTooNew."""
        try:
            try:
                return cls(database.open_file(folder), folder, now, None)
            except database.Damaged:
                return cls(*_in_order(rescue.repair(folder, now()), folder, now))
        except (sqlite3.Error, OSError, database.Damaged) as error:
            progress = cls(database.open_memory(_still_readable(folder)), folder, now, None)
            progress._says_in_memory(error)
            return progress

    @property
    def file(self) -> Path | None:
        """The file in use; None while everything is in memory."""
        return None if self._in_memory else self._folder / database.FILE

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- what the learner did

    def record(
        self,
        *,
        lesson: str,
        exercise: str,
        seed: int,
        outcome: Outcome,
        answer: Json = None,
        hints: int = 0,
        seconds: float = 0.0,
    ) -> Attempt:
        """Keep one graded answer, at this moment."""
        attempt = Attempt(
            uid=os.urandom(16).hex(),
            lesson=lesson,
            exercise=exercise,
            seed=seed,
            at=self._now(),
            outcome=outcome,
            answer=answer,
            hints=hints,
            seconds=seconds,
        )
        row: rows.Row = {
            **{key: getattr(attempt, key) for key in rows.COLUMNS["attempt"]},
            "at": attempt.at.isoformat(),
            "answer": transfer.compact(answer),
        }
        self._add("attempt", row)
        return attempt

    def watch(self, lesson: str, exercise: str) -> None:
        """The learner looked at the solution. Looking does not solve."""
        row: rows.Row = {"lesson": lesson, "exercise": exercise, "at": self._now().isoformat()}
        self._add("watched", row)

    def visit(self, lesson: str, step: int) -> None:
        """The learner opened a step: it counts as seen, and is where they are now."""
        at = self._now().isoformat()
        _sound("position", {"lesson": lesson, "step": step, "at": at})

        def write(db: sqlite3.Connection) -> None:
            db.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", (lesson, step, at))
            db.execute(
                "INSERT INTO visit VALUES (?, ?, ?, ?, 1)"
                " ON CONFLICT DO UPDATE SET last = excluded.last, count = count + 1",
                (lesson, step, at, at),
            )
            self._today(db)

        self._write(write)

    def change(self, **settings: Language | str | bool | float | None) -> Settings:
        """Change the named settings (fields of Settings) and keep the others. ValueError for a wrong one."""
        for key, value in settings.items():
            if not _is_setting(key, value):
                raise ValueError(f"{key}={value!r} is not a setting")
        pairs = [(key, transfer.compact(value)) for key, value in settings.items()]
        self._write(lambda db: db.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", pairs))
        return self.settings()

    # -- what the course asks

    def attempts(self, lesson: str | None = None, exercise: str | None = None) -> tuple[Attempt, ...]:
        """All attempts in the order in which they came, of one lesson or of one exercise of it."""
        sql = f"SELECT {_ATTEMPT} FROM attempt WHERE (:l IS NULL OR lesson = :l)"
        sql += " AND (:e IS NULL OR exercise = :e) ORDER BY rowid"
        found = self._read(lambda db: db.execute(sql, {"l": lesson, "e": exercise}).fetchall())
        return tuple(map(_attempt, found))

    def exercises(self) -> dict[tuple[str, str], ExerciseState]:
        """(lesson, exercise) -> its state, for all that were ever tried or watched. One look for the map."""
        sql = """
            SELECT lesson, exercise, count(*), max(hints), min(CASE outcome WHEN 'passed' THEN rowid END),
                   min(CASE outcome WHEN 'passed' THEN seconds END)
            FROM attempt GROUP BY lesson, exercise"""

        def read(db: sqlite3.Connection) -> dict[tuple[str, str], ExerciseState]:
            watched = set(db.execute("SELECT lesson, exercise FROM watched").fetchall())
            states = {key: ExerciseState(watched=True) for key in watched}
            for lesson, exercise, attempts, hints, first, best in db.execute(sql).fetchall():
                at = None
                if first is not None:
                    at = db.execute("SELECT at FROM attempt WHERE rowid = ?", (first,)).fetchone()[0]
                states[lesson, exercise] = ExerciseState(
                    attempts=attempts,
                    solved=at is not None,
                    solved_at=datetime.fromisoformat(at) if at is not None else None,
                    watched=(lesson, exercise) in watched,
                    hints=hints,
                    best_seconds=best,
                )
            return states

        return self._read(read)

    def exercise(self, lesson: str, exercise: str) -> ExerciseState:
        """The state of one exercise; an untouched one has no attempts."""
        return self.exercises().get((lesson, exercise), ExerciseState())

    def positions(self) -> dict[str, Position]:
        """Lesson -> where the learner was in it, the latest lesson last."""
        found = self._read(
            lambda db: db.execute("SELECT lesson, step, at FROM position ORDER BY rowid").fetchall()
        )
        places = [Position(lesson=le, step=step, at=datetime.fromisoformat(at)) for le, step, at in found]
        return {place.lesson: place for place in sorted(places, key=lambda place: place.at)}

    def last(self) -> Position | None:
        """Where the learner was when they stopped."""
        return next(reversed(self.positions().values()), None)

    def visits(self, lesson: str) -> tuple[Visit, ...]:
        """The steps of a lesson that were opened, by step."""
        sql = "SELECT lesson, step, first, last, count FROM visit WHERE lesson = ? ORDER BY step"
        return tuple(
            Visit(
                lesson=name,
                step=step,
                first=datetime.fromisoformat(first),
                last=datetime.fromisoformat(last),
                count=count,
            )
            for name, step, first, last, count in self._read(lambda db: db.execute(sql, (lesson,)).fetchall())
        )

    def settings(self) -> Settings:
        """What the learner chose. A value that this program does not know counts as not chosen."""
        found = self._read(lambda db: db.execute("SELECT key, value FROM setting").fetchall())
        known = {key: value for key, text in found if _is_setting(key, value := json.loads(text))}
        return dataclasses.replace(Settings(), **known)

    def days(self) -> tuple[date, ...]:
        """The days on which the learner did something, oldest first."""
        found = self._read(lambda db: db.execute("SELECT day FROM day ORDER BY day").fetchall())
        return tuple(date.fromisoformat(day) for (day,) in found)

    def streak(self) -> int:
        """Days in a row up to today; a day that has only begun does not break it."""
        return streak(self.days(), self._now().date())

    # -- to another machine and back

    def export(self) -> dict[str, Json]:
        """Everything as a JSON document (see transfer.py)."""
        return transfer.to_document(self._read(rows.read), self._now())

    def import_(self, document: object) -> Imported:
        """Add a document's content to what is here; nothing here gets lost. InputError names every problem."""
        content = transfer.from_document(document)
        added = self._write(lambda db: rows.merge(db, content))
        return Imported(attempts=added, lessons=len({row["lesson"] for row in content["position"]}))

    # -- transactions

    def _add(self, table: str, row: rows.Row) -> None:
        _sound(table, row)

        def write(db: sqlite3.Connection) -> None:
            rows.merge(db, {table: [row]})
            self._today(db)

        self._write(write)

    def _today(self, db: sqlite3.Connection) -> None:
        db.execute("INSERT OR IGNORE INTO day VALUES (?)", (self._now().date().isoformat(),))

    def _write(self, action: Callable[[sqlite3.Connection], T]) -> T:
        return self._run("BEGIN IMMEDIATE", action)

    def _read(self, action: Callable[[sqlite3.Connection], T]) -> T:
        return self._run("BEGIN", action)

    def _run(self, begin: str, action: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                return self._transaction(begin, action)
            except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
                if self._in_memory or isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                    raise
                self._recover(error)
                return self._transaction(begin, action)

    def _transaction(self, begin: str, action: Callable[[sqlite3.Connection], T]) -> T:
        self._db.execute(begin)
        try:
            result = action(self._db)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    def _recover(self, error: sqlite3.Error) -> None:
        """The file failed under us: repair it if it is damaged, else go on in memory with what it held."""
        try:
            if database.is_damage(error):
                self._db.close()
                self._db, notice = rescue.repair(self._folder, self._now())
                self.notice = notice or self.notice
                return
            content = rows.read(self._db)
        except (sqlite3.Error, OSError, database.Damaged):
            content = _still_readable(self._folder)
        self._db.close()
        self._db = database.open_memory(content)
        self._says_in_memory(error)

    def _says_in_memory(self, error: Exception) -> None:
        self._in_memory = True
        self.notice = IN_MEMORY(folder=str(self._folder), reason=str(error))


def _still_readable(folder: Path) -> rows.Rows:
    """What a file that cannot be written holds; nothing where there is none."""
    file = folder / database.FILE
    try:
        return database.read_only(file) if file.exists() else {}
    except OSError:
        return {}


def _in_order(
    repaired: tuple[sqlite3.Connection, Said | None], folder: Path, now: Callable[[], datetime]
) -> tuple[sqlite3.Connection, Path, Callable[[], datetime], Said | None]:
    return repaired[0], folder, now, repaired[1]

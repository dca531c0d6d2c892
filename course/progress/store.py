"""The course's memory of one learner: every question the screens ask of it, and everything they tell it.

Rules. A method is one transaction. Nothing that happens to the file stops the course: damage is repaired, a
file that cannot be written gives way to memory, and `notice` then says so. Only a file of a newer program is
refused (ProgressTooNew). Safe from several threads, and with several programs on one file. Rescue and transfer
are imported when they are needed: this module stands between the start and the first screen.
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
from typing import Self, TypeVar, get_args

from course.progress import database, rows
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
    ko="학습 기록을 {folder}에 저장할 수 없습니다({reason}). 과정은 계속되지만 지금부터 하는 일은 닫을 때 사라집니다. "
    "공간을 확보하거나 --data-dir로 다른 폴더를 지정하십시오.",
)


def _when(row: rows.Row, column: str = "at") -> datetime:
    return datetime.fromisoformat(str(row[column]))


#: Counted by SQLite: this stands between the start and the first screen. The kinds are asked for because a
#: byte that fell over can make another kind of value of one.
_STATES = """
    SELECT lesson, exercise, count(*), max(hints), min(CASE outcome WHEN 'passed' THEN seconds END),
           (SELECT at FROM attempt AS first WHERE outcome = 'passed' AND first.lesson = attempt.lesson
            AND first.exercise = attempt.exercise ORDER BY rowid LIMIT 1)
    FROM attempt
    WHERE typeof(lesson) || typeof(exercise) || typeof(hints) || typeof(seconds) = 'texttextintegerreal'
    GROUP BY lesson, exercise"""


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)) if text is not None else None
    except ValueError:
        return None


def _attempt(row: rows.Row) -> Attempt:
    return Attempt(
        uid=str(row["uid"]),
        lesson=str(row["lesson"]),
        exercise=str(row["exercise"]),
        seed=int(row["seed"]),
        at=_when(row),
        outcome=Outcome(str(row["outcome"])),
        answer=json.loads(str(row["answer"])),
        hints=int(row["hints"]),
        seconds=float(row["seconds"]),
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
                from course.progress import rescue

                db, notice = rescue.repair(folder, now())
                return cls(db, folder, now, notice)
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
            "answer": rows.compact(answer),
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
        pairs = [(key, rows.compact(value)) for key, value in settings.items()]
        self._write(lambda db: db.executemany("INSERT OR REPLACE INTO setting VALUES (?, ?)", pairs))
        return self.settings()

    # -- what the course asks

    def attempts(self, lesson: str | None = None, exercise: str | None = None) -> tuple[Attempt, ...]:
        """All attempts in the order in which they came, of one lesson or of one exercise of it."""
        where = "(:lesson IS NULL OR lesson = :lesson) AND (:exercise IS NULL OR exercise = :exercise)"
        values = {"lesson": lesson, "exercise": exercise}
        return tuple(map(_attempt, self._read(lambda db: rows.select(db, "attempt", where, values))))

    def exercises(self) -> dict[tuple[str, str], ExerciseState]:
        """(lesson, exercise) -> its state, for all that were ever tried or watched. One look for the map."""

        def read(db: sqlite3.Connection) -> dict[tuple[str, str], ExerciseState]:
            watched = {(str(r["lesson"]), str(r["exercise"])) for r in rows.select(db, "watched")}
            states = {key: ExerciseState(watched=True) for key in watched}
            for lesson, exercise, attempts, hints, best, solved_at in db.execute(_STATES):
                states[lesson, exercise] = ExerciseState(
                    attempts=attempts,
                    solved=solved_at is not None,
                    solved_at=_moment(solved_at),
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
        found = self._read(lambda db: rows.select(db, "position"))
        places = [Position(lesson=str(r["lesson"]), step=int(r["step"]), at=_when(r)) for r in found]
        return {place.lesson: place for place in sorted(places, key=lambda place: place.at)}

    def last(self) -> Position | None:
        """Where the learner was when they stopped."""
        return next(reversed(self.positions().values()), None)

    def visits(self, lesson: str) -> tuple[Visit, ...]:
        """The steps of a lesson that were opened, by step."""
        found = self._read(lambda db: rows.select(db, "visit", "lesson = :lesson", {"lesson": lesson}))
        return tuple(
            Visit(
                lesson=lesson,
                step=int(row["step"]),
                first=_when(row, "first"),
                last=_when(row, "last"),
                count=int(row["count"]),
            )
            for row in sorted(found, key=lambda row: int(row["step"]))
        )

    def settings(self) -> Settings:
        """What the learner chose. A value that this program does not know counts as not chosen."""
        found = self._read(lambda db: rows.select(db, "setting"))
        values = {str(row["key"]): json.loads(str(row["value"])) for row in found}
        return dataclasses.replace(Settings(), **{k: v for k, v in values.items() if _is_setting(k, v)})

    def days(self) -> tuple[date, ...]:
        """The days on which the learner did something, oldest first."""
        found = self._read(lambda db: rows.select(db, "day"))
        return tuple(sorted(date.fromisoformat(str(row["day"])) for row in found))

    def streak(self) -> int:
        """Days in a row up to today; a day that has only begun does not break it."""
        return streak(self.days(), self._now().date())

    # -- to another machine and back

    def export(self) -> dict[str, Json]:
        """Everything as a JSON document (see transfer.py)."""
        from course.progress import transfer

        return transfer.to_document(self._read(rows.read), self._now())

    def import_(self, document: object) -> Imported:
        """Add a document's content to what is here; nothing here gets lost. InputError names every problem."""
        from course.progress import transfer

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
            except sqlite3.DatabaseError as error:
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
                from course.progress import rescue

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

"""Old files open in new programs, and an upgrade happens whole or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from course.progress import Outcome, Progress, Settings, schema
from tests.course.progress.clock import Clock

#: What the first release wrote, as SQLite's own dump. It never changes.
VERSION_1 = (Path(__file__).parent / "version-1.sql").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with sqlite3.connect(tmp_path / "progress.sqlite3") as db:
        db.executescript(VERSION_1)
    db.close()
    return tmp_path


def test_a_file_of_version_1_opens(folder: Path) -> None:
    with Progress.open(folder, Clock()) as progress:
        assert progress.notice is None
        (first, second) = progress.attempts()
        assert (first.lesson, first.exercise, first.seed, first.outcome) == (
            "01-docker",
            "ports",
            7,
            Outcome.FAILED,
        )
        assert second.answer == {"주소": "172.17.0.2"}
        assert progress.exercise("01-docker", "ports").solved
        assert progress.exercise("01-docker", "modes").watched
        assert progress.settings() == Settings(language="ko", speed=2.0)
        last = progress.last()
        assert last is not None and (last.lesson, last.step) == ("01-docker", 3)
        assert len(progress.days()) == 1


def test_a_later_step_keeps_what_is_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = ("CREATE TABLE note (text TEXT NOT NULL)", "INSERT INTO note SELECT answer FROM attempt")
    monkeypatch.setattr(schema, "STEPS", (*schema.STEPS, later))
    for _ in range(2):  # the second time there is nothing left to do
        with Progress.open(folder, Clock()) as progress:
            assert len(progress.attempts()) == 2
    with sqlite3.connect(folder / "progress.sqlite3") as db:
        assert db.execute("SELECT count(*) FROM note").fetchone() == (2,)
        assert db.execute("PRAGMA user_version").fetchone() == (len(schema.STEPS),)
    db.close()


def test_a_step_that_fails_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = ("CREATE TABLE note (text TEXT NOT NULL)", "INSERT INTO note VALUES (NULL)")
    db = sqlite3.connect(folder / "progress.sqlite3", isolation_level=None)
    with monkeypatch.context() as patch, pytest.raises(sqlite3.IntegrityError):
        patch.setattr(schema, "STEPS", (*schema.STEPS, broken))
        schema.migrate(db)
    db.close()
    with Progress.open(folder, Clock()) as progress:
        assert len(progress.attempts()) == 2
        assert progress.notice is None

"""A damaged file is kept aside, said so, and read as far as it can be read."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from course.progress import Outcome, Progress, ProgressTooNew
from course.progress import rescue as rescue_module
from tests.course.progress.clock import Clock

COUNT = 600


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    with Progress.open(folder, Clock()) as progress:
        for number in range(COUNT):
            progress.record(
                lesson="1", exercise=f"e{number % 9}", seed=number, outcome=Outcome.PASSED, answer="x" * 100
            )
        progress.visit("1", 4)
        progress.change(language="ko")
    return folder


@pytest.fixture
def folder(healthy: Path, tmp_path: Path) -> Path:
    return shutil.copytree(healthy, tmp_path / "data")


def damaged_copies(folder: Path) -> list[Path]:
    return sorted(folder.glob("progress.damaged-*.sqlite3"))


def overwrite(file: Path, start: int, data: bytes) -> None:
    with open(file, "r+b") as out:
        out.seek(start)
        out.write(data)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 + 100)


def blank_first_page(file: Path) -> None:
    overwrite(file, 0, bytes(4096))


def other_magic(file: Path) -> None:
    overwrite(file, 0, b"not a database..")


def hole_in_the_middle(file: Path) -> None:
    """A tenth of the pages is gone, some of them the table's and some its index's."""
    pages = file.stat().st_size // 4096
    overwrite(file, pages // 2 * 4096, b"\xff" * (pages // 10 * 4096))


def bad_index(file: Path) -> None:
    """The rows are whole and the index is not: SQLite would answer wrongly, without an error."""
    with sqlite3.connect(file) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'attempt_of'").fetchone()[0]
    db.close()
    overwrite(file, root * 4096 - 200, b"\x00" * 200)


#: how the file is damaged, and how many of the attempts must come back
WAYS: list[tuple[Callable[[Path], None], int]] = [
    (cut, 120),  # half of the file is gone; which rows stood there is by chance, as their keys are random
    (blank_first_page, COUNT),
    (other_magic, COUNT),
    (hole_in_the_middle, COUNT // 2),
    (bad_index, COUNT),
]


@pytest.mark.parametrize(("damage", "least"), WAYS, ids=[way.__name__ for way, _ in WAYS])
def test_a_damaged_file_is_kept_aside_and_read(
    folder: Path, damage: Callable[[Path], None], least: int
) -> None:
    file = folder / "progress.sqlite3"
    damage(file)
    before = file.read_bytes()
    with Progress.open(folder, Clock()) as progress:
        (aside,) = damaged_copies(folder)
        assert aside.read_bytes() == before
        assert progress.notice is not None
        assert str(aside) in progress.notice.text("en")
        assert str(aside) in progress.notice.text("ko")
        attempts = progress.attempts()
        assert least <= len(attempts) <= COUNT
        assert {attempt.answer for attempt in attempts} == {"x" * 100}
        progress.record(lesson="1", exercise="new", seed=1, outcome=Outcome.FAILED)
        assert progress.file == file
    with Progress.open(folder, Clock()) as progress:
        assert progress.notice is None
        assert len(progress.attempts()) == len(attempts) + 1
    assert not (folder / "progress.new.sqlite3").exists()


NEVER_ONE = {
    "json": b"{}",
    "zeros": bytes(10_000),
    "noise": random.Random(5).randbytes(5000),
    "only its first words": b"SQLite format 3\x00",
}


@pytest.mark.parametrize("content", NEVER_ONE.values(), ids=NEVER_ONE)
def test_a_file_that_never_was_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "progress.sqlite3").write_bytes(content)
    with Progress.open(tmp_path, Clock()) as progress:
        (aside,) = damaged_copies(tmp_path)
        assert aside.read_bytes() == content
        assert progress.notice is not None
        assert progress.attempts() == ()
        progress.visit("1", 0)
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.last() is not None


def test_another_programs_database_is_not_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "progress.sqlite3"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE recipe (name)")
    db.close()
    before = file.read_bytes()
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.notice is not None
        assert damaged_copies(tmp_path)[0].read_bytes() == before


def test_an_empty_file_is_only_new(tmp_path: Path) -> None:
    (tmp_path / "progress.sqlite3").touch()
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.notice is None
        progress.visit("1", 0)


def test_what_stands_only_in_the_wal_is_brought_back(folder: Path) -> None:
    progress = Progress.open(folder, Clock())
    last = progress.record(lesson="9", exercise="late", seed=1, outcome=Outcome.PASSED)
    crashed = folder.with_name("crashed")
    shutil.copytree(folder, crashed)  # as kill -9 leaves it: the last attempt is in the -wal only
    progress.close()
    assert (crashed / "progress.sqlite3-wal").stat().st_size > 0
    other_magic(crashed / "progress.sqlite3")
    with Progress.open(crashed, Clock()) as progress:
        (aside,) = damaged_copies(crashed)
        assert aside.with_name(aside.name + "-wal").exists()
        assert last in progress.attempts()


def test_damage_that_shows_while_the_course_is_open(folder: Path) -> None:
    with Progress.open(folder, Clock()) as progress:
        hole_in_the_middle(folder / "progress.sqlite3")
        assert len(progress.attempts()) >= COUNT // 2
        assert progress.notice is not None
        assert len(damaged_copies(folder)) == 1
        progress.record(lesson="1", exercise="after", seed=1, outcome=Outcome.PASSED)
    with Progress.open(folder, Clock()) as progress:
        assert progress.exercise("1", "after").solved


@pytest.mark.parametrize("stop", ["_build", "salvage"])
def test_a_rescue_that_is_killed_is_taken_up_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch, stop: str
) -> None:
    other_magic(folder / "progress.sqlite3")
    real = getattr(rescue_module, stop)

    def killed(*args: object) -> None:
        real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(rescue_module, stop, killed)
        with pytest.raises(KeyboardInterrupt):
            Progress.open(folder, Clock())
    with Progress.open(folder, Clock()) as progress:
        assert len(progress.attempts()) == COUNT
        assert progress.settings().language == "ko"
    assert len(damaged_copies(folder)) == 2  # nothing that was kept aside is overwritten


def test_no_byte_that_changes_stops_the_course(folder: Path) -> None:
    """One wrong byte anywhere: in a page's structure, in a text, in a time, in the header."""
    whole = (folder / "progress.sqlite3").read_bytes()
    chance = random.Random(8)
    for _ in range(60):
        place, value = chance.randrange(len(whole)), chance.randrange(256)
        (folder / "progress.sqlite3").write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
        try:
            with Progress.open(folder, Clock()) as progress:
                assert len(progress.attempts()) >= COUNT // 2, place
                progress.exercises(), progress.positions(), progress.visits("1"), progress.settings()
                progress.streak()
                progress.visit("1", 5)
                assert progress.export()["format"]
        except ProgressTooNew:
            assert 60 <= place < 64  # the byte that says so

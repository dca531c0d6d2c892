"""kill -9 at any moment, and two programs at once: nothing that was said to be kept is lost."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

from course.progress import Outcome, Progress
from tests.course.progress.clock import Clock

ROOT = Path(__file__).resolve().parents[3]

#: Records attempts for ever, and prints each one's uid when the store says that it is kept.
WRITER = """
import sys
from datetime import datetime
from pathlib import Path
from course.progress import Outcome, Progress
progress = Progress.open(Path(sys.argv[1]), lambda: datetime.now().astimezone())
for number in range(int(sys.argv[2])):
    attempt = progress.record(lesson="1", exercise="e", seed=number, outcome=Outcome.PASSED, answer="x" * 300)
    progress.visit("1", number % 7)
    print(attempt.uid, flush=True)
assert progress.file is not None, progress.notice
"""


def writer(folder: Path, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def test_twenty_kills_lose_nothing_that_was_kept(tmp_path: Path) -> None:
    chance = random.Random(20)
    kept: list[str] = []
    for _ in range(20):
        with writer(tmp_path, 100_000) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                kept.append(process.stdout.readline().strip())
            process.kill()
            # what it still said before it died counts, too; a last line cut in two does not
            kept += [line.strip() for line in process.stdout if line.endswith("\n")]
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.notice is None
        attempts = progress.attempts()
        assert {uid for uid in kept if uid} <= {attempt.uid for attempt in attempts}
        # an attempt may be kept without its visit, never a visit without its attempt
        assert 0 <= len(attempts) - sum(visit.count for visit in progress.visits("1")) <= 20
    with sqlite3.connect(tmp_path / "progress.sqlite3") as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_two_programs_at_once_lose_no_update(tmp_path: Path) -> None:
    writers = [writer(tmp_path, 150) for _ in range(2)]
    with Progress.open(tmp_path, Clock()) as progress:
        for number in range(50):
            progress.record(lesson="2", exercise="e", seed=number, outcome=Outcome.FAILED)
        said = [process.communicate()[0].split() for process in writers]
        assert [process.returncode for process in writers] == [0, 0]
        assert [len(uids) for uids in said] == [150, 150]
        assert len(progress.attempts()) == 350
        assert sum(visit.count for visit in progress.visits("1")) == 300


def test_a_file_born_in_several_programs_at_once(tmp_path: Path) -> None:
    """All of them find no file and make one; the tables are made once."""
    writers = [writer(tmp_path / "new", 3) for _ in range(4)]
    assert [len(process.communicate()[0].split()) for process in writers] == [3] * 4
    with Progress.open(tmp_path / "new", Clock()) as progress:
        assert len(progress.attempts()) == 12


def test_several_programs_meet_the_same_damage(tmp_path: Path) -> None:
    """One of them repairs the file, the others find it repaired; all go on writing into the same one."""
    with Progress.open(tmp_path, Clock()) as progress:
        kept = progress.record(lesson="1", exercise="before", seed=1, outcome=Outcome.PASSED)
    with open(tmp_path / "progress.sqlite3", "r+b") as file:
        file.write(b"not a database..")
    writers = [writer(tmp_path, 5) for _ in range(4)]
    assert [len(process.communicate()[0].split()) for process in writers] == [5] * 4
    assert len(list(tmp_path.glob("progress.damaged-*.sqlite3"))) == 1
    with Progress.open(tmp_path, Clock()) as progress:
        assert kept in progress.attempts()
        assert len(progress.attempts()) == 21

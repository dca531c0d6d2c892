"""Where nothing can be written the course goes on in memory, and says so; a newer file is left alone."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from course.progress import Outcome, Progress, ProgressTooNew, database, schema
from tests.course.progress.clock import Clock
from tests.tools import find

ROOT = Path(__file__).resolve().parents[3]


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Progress.open(tmp_path / "file", Clock()) as progress:
        assert progress.file is None
        assert progress.notice is not None
        assert str(tmp_path / "file") in progress.notice.text("en")
        assert "--data-dir" in progress.notice.text("ko")
        progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.PASSED)
        assert progress.exercise("1", "a").solved


#: argv: mount options, then a program that runs with `folder` in a file system of its own
IN_A_FILE_SYSTEM = """
mount -t tmpfs -o size="$2" tmpfs "$1"
exec "$3" -c "$4" "$1"
"""
READ_ONLY = """
import subprocess, sys
from pathlib import Path
from course.progress import Outcome, Progress
from tests.course.progress.clock import Clock
folder = Path(sys.argv[1])
with Progress.open(folder, Clock()) as progress:
    progress.record(lesson="1", exercise="before", seed=1, outcome=Outcome.PASSED)
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
with Progress.open(folder, Clock()) as progress:
    assert progress.file is None
    assert progress.exercise("1", "before").solved
    progress.record(lesson="1", exercise="after", seed=1, outcome=Outcome.PASSED)
    assert progress.exercise("1", "after").solved
    print(progress.notice.text("en"))
"""
FULL = """
import sys
from pathlib import Path
from course.progress import Outcome, Progress
from tests.course.progress.clock import Clock
folder = Path(sys.argv[1])
count = 0
with Progress.open(folder, Clock()) as progress:
    while progress.file is not None:
        progress.record(lesson="1", exercise="e", seed=count, outcome=Outcome.PASSED, answer="x" * 5000)
        count += 1
        assert count < 1000, "the disk was not full"
    assert len(progress.attempts()) == count
    progress.visit("1", 1)
    assert progress.last().step == 1
    print(progress.notice.text("en"))
with Progress.open(folder, Clock()) as progress:
    assert len(progress.attempts()) == count - 1
"""


@pytest.mark.needs("userns")
@pytest.mark.parametrize(("program", "size"), [(READ_ONLY, "4m"), (FULL, "512k")], ids=["read-only", "full"])
def test_a_real_file_system_that_takes_nothing(tmp_path: Path, program: str, size: str) -> None:
    unshare = find("unshare")
    assert unshare is not None
    run = subprocess.run(
        [unshare, "-Urm", "sh", "-euc", IN_A_FILE_SYSTEM, "sh", str(tmp_path), size, sys.executable, program],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "cannot be saved" in run.stdout


def test_a_file_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        progress.visit("1", 0)
    file = tmp_path / "progress.sqlite3"
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {len(schema.STEPS) + 1}")
    db.close()
    before = file.read_bytes()
    with pytest.raises(ProgressTooNew) as caught:
        Progress.open(tmp_path, Clock())
    assert str(caught.value) == (
        f"{file} was written by a newer k8snet-tutor (format {len(schema.STEPS) + 1}; this one knows up to "
        f"{len(schema.STEPS)}). It was left as it is. Update the program, or start it with --data-dir and "
        "another folder."
    )
    assert file.read_bytes() == before


def test_a_disk_without_shared_memory_gets_a_rollback_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own dot-file locking has no WAL, as some network disks have none."""
    monkeypatch.setattr(database, "URI_OPTIONS", ("vfs=unix-dotfile",))
    for _ in range(2):
        with Progress.open(tmp_path, Clock()) as progress:
            progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.PASSED)
            assert progress.notice is None
            assert progress.file is not None
            with sqlite3.connect(f"{progress.file.as_uri()}?vfs=unix-dotfile", uri=True) as db:
                assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
            db.close()

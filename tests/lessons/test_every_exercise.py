"""Every lesson of the course, one test an exercise: it fails untouched, passes solved, accepts its ways, refuses its
near-misses. The same proofs as `lessons check`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from course.catalog import LESSONS
from engine.errors import InputError
from engine.grade import proof, prove
from engine.grade.course import Course, Folder

SAMPLE = Path(__file__).parent / "sample"
ROOTS = (LESSONS, SAMPLE)


@cache
def course(root: Path) -> Course:
    return Course.load(root)


def lessons() -> list[tuple[Path, str]]:
    """Every lesson that is ready, and every folder that looks like one."""
    found = {(root, entry.id) for root in ROOTS for entry in course(root).entries() if entry.ready}
    return sorted(
        found | {(root, path.parent.name) for root in ROOTS for path in root.glob("*/exercises.yaml")}
    )


def exercises() -> list[tuple[Path, str, str]]:
    out = []
    for root, id in lessons():
        try:
            out += [(root, id, e.id) for e in Folder.load(root / id, course(root)).file.exercises]
        except InputError:
            # test_lesson fails with the problems of this lesson.
            continue
    return out


def test_course_map_has_every_lesson_of_the_mission() -> None:
    assert len(list(course(LESSONS).entries())) >= 19
    for entry in course(LESSONS).entries():
        for lang in ("en", "ko"):
            assert entry.title.text(lang)
            assert entry.summary.text(lang)


@pytest.mark.parametrize(("root", "id"), lessons(), ids=lambda v: v if isinstance(v, str) else v.name)
def test_lesson(root: Path, id: str) -> None:
    """Text, blocks, files, runs and plays."""
    try:
        folder = Folder.load(root / id, course(root))
    except InputError as error:
        pytest.fail(error.text("en"), pytrace=False)
    problems = prove.lesson_problems(folder, course(root))
    assert not problems, "\n".join(p.text("en") for p in problems)


@pytest.mark.parametrize(
    ("root", "id", "exercise"), exercises(), ids=lambda v: v if isinstance(v, str) else v.name
)
def test_exercise(root: Path, id: str, exercise: str) -> None:
    folder = Folder.load(root / id, course(root))
    proven = proof.prove(folder, folder.exercise(exercise))
    assert proven.ok, "\n".join(p.text("en") for p in proven.problems)

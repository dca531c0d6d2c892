"""Export and import: what went out comes in again, and nothing that was there gets lost."""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course.progress import Outcome, Progress
from engine.errors import InputError
from tests.course.progress.clock import Clock

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
counts = st.integers(0, 2**63 - 1)
moments = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
).map(datetime.isoformat)
answers = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


documents = objects(
    format=st.just("k8snet-tutor progress"),
    version=st.just(1),
    attempts=st.lists(
        objects(
            uid=st.uuids().map(lambda u: u.hex),
            lesson=texts,
            exercise=texts,
            seed=st.integers(-(2**63), 2**63 - 1),
            at=moments,
            outcome=st.sampled_from(["passed", "failed"]),
            answer=answers,
            hints=counts,
            seconds=st.floats(0, 1e12),
        ),
        max_size=5,
        unique_by=lambda a: a["uid"],
    ),
    watched=st.lists(
        objects(lesson=texts, exercise=texts, at=moments),
        max_size=3,
        unique_by=lambda w: (w["lesson"], w["exercise"]),
    ),
    positions=st.lists(
        objects(lesson=texts, step=counts, at=moments), max_size=3, unique_by=lambda p: p["lesson"]
    ),
    visits=st.lists(
        objects(lesson=texts, step=counts, first=moments, last=moments, count=counts),
        max_size=3,
        unique_by=lambda v: (v["lesson"], v["step"]),
    ),
    days=st.lists(st.dates().map(lambda d: d.isoformat()), max_size=3, unique=True),
    settings=st.dictionaries(texts, answers, max_size=3),
)


def exported(progress: Progress) -> dict[str, Any]:
    """The export without its own time, through the text that a file holds."""
    document = json.loads(json.dumps(progress.export()))
    assert document.pop("exported")
    return document


@settings(max_examples=60)
@given(document=documents)
def test_a_document_comes_out_as_it_went_in(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name, Progress.open(Path(name), Clock()) as progress:
        assert progress.import_(document).attempts == len(document["attempts"])
        assert exported(progress) == document
        assert progress.import_(document).attempts == 0
        assert exported(progress) == document
        progress.settings(), progress.exercises(), progress.positions(), progress.streak()


@settings(max_examples=30)
@given(here=documents, there=documents)
def test_an_import_loses_nothing_of_either_side(here: dict[str, Any], there: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as name, Progress.open(Path(name), Clock()) as progress:
        progress.import_(here)
        progress.import_(there)
        both = exported(progress)
    for side in (here, there):
        for key in ("attempts", "days"):
            assert all(item in both[key] for item in side[key])
        for visit in side["visits"]:
            (kept,) = [
                v for v in both["visits"] if (v["lesson"], v["step"]) == (visit["lesson"], visit["step"])
            ]
            assert kept["count"] >= visit["count"]
            assert datetime.fromisoformat(kept["first"]) <= datetime.fromisoformat(visit["first"])
            assert datetime.fromisoformat(kept["last"]) >= datetime.fromisoformat(visit["last"])


def test_the_later_place_wins(tmp_path: Path) -> None:
    clock = Clock()
    with Progress.open(tmp_path / "a", clock) as left, Progress.open(tmp_path / "b", clock) as right:
        left.visit("1", 5)
        right.visit("1", 2)
        left.import_(right.export())
        assert left.positions()["1"].step == 2
        left.visit("1", 6)
        left.import_(right.export())
        assert left.positions()["1"].step == 6


def test_every_problem_of_a_document_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.PASSED)
        document = progress.export()
        document["attempts"] += [{"uid": "u", "lesson": 3, "hints": True, "colour": "red"}, 7]  # type: ignore[operator]
        document["days"] = ["2026-02-30"]
        document["visits"] = {}
        document["extra"] = 1
        before = progress.export()
        with pytest.raises(InputError) as caught:
            progress.import_(document)
        assert caught.value.text("en").splitlines() == [
            "extra: is not known here; known: format, version, exported, attempts, watched, positions, visits,"
            " days, settings",
            "attempts[1].colour: is not known here; known: uid, lesson, exercise, seed, at, outcome, answer,"
            " hints, seconds",
            "attempts[1].lesson: a text is needed",
            "attempts[1].exercise: is missing",
            "attempts[1].seed: is missing",
            "attempts[1].at: is missing",
            "attempts[1].outcome: is missing",
            "attempts[1].answer: is missing",
            "attempts[1].hints: a whole number from 0 is needed",
            "attempts[1].seconds: is missing",
            "attempts[2]: an object with the keys uid, lesson, exercise, seed, at, outcome, answer, hints,"
            " seconds is needed",
            "visits: a list is needed",
            "days[0].day: a day like 2026-11-21 is needed",
        ]
        assert progress.export()["attempts"] == before["attempts"]


@pytest.mark.parametrize("document", [None, [], {}, {"format": "k8snet-tutor progress", "version": 2}])
def test_what_is_not_our_document_is_refused(tmp_path: Path, document: object) -> None:
    with Progress.open(tmp_path, Clock()) as progress, pytest.raises(InputError):
        progress.import_(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=60)
@given(data=st.data())
def test_no_document_however_strange_gives_another_error(data: st.DataObject) -> None:
    document = data.draw(documents)
    key = data.draw(st.sampled_from(sorted(document)))
    document[key] = data.draw(json_values)
    with tempfile.TemporaryDirectory() as name, Progress.open(Path(name), Clock()) as progress:
        try:
            progress.import_(document)
        except InputError as error:
            assert error.text("ko")
        exported(progress)

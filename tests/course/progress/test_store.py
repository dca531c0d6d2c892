"""What the screens ask of a learner's progress."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from course.progress import ExerciseState, Outcome, Progress, Settings
from tests.course.progress.clock import Clock


def test_an_attempt_comes_back_as_it_was(tmp_path: Path) -> None:
    answer = {"주소": ["10.244.1.5", 1, 2.5, None, True], "nested": {"a": []}}
    with Progress.open(tmp_path, Clock()) as progress:
        kept = progress.record(
            lesson="03",
            exercise="bridge",
            seed=-7,
            outcome=Outcome.FAILED,
            answer=answer,
            hints=2,
            seconds=12.5,
        )
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.attempts() == (kept,)
        assert progress.attempts(lesson="03", exercise="bridge") == (kept,)
        assert progress.attempts(lesson="02") == ()
        assert progress.notice is None
        assert progress.file == tmp_path / "progress.sqlite3"


def test_the_state_of_an_exercise_is_what_its_attempts_come_to(tmp_path: Path) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.exercise("1", "a") == ExerciseState()
        progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.FAILED, hints=3, seconds=1)
        assert progress.exercise("1", "a") == ExerciseState(attempts=1, hints=3)
        first = progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.PASSED, hints=1, seconds=9)
        progress.record(lesson="1", exercise="a", seed=2, outcome=Outcome.PASSED, seconds=4)
        progress.record(lesson="1", exercise="a", seed=3, outcome=Outcome.FAILED, seconds=2)
        state = progress.exercise("1", "a")
        assert (state.attempts, state.solved, state.solved_at, state.hints) == (4, True, first.at, 3)
        assert state.best_seconds == 4
        assert state.alone


def test_watching_a_solution_does_not_solve(tmp_path: Path) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        progress.watch("1", "a")
        progress.watch("1", "a")
        assert progress.exercises() == {("1", "a"): ExerciseState(watched=True)}
        progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.PASSED)
        state = progress.exercise("1", "a")
        assert state.solved and state.watched and not state.alone


def test_the_last_position_is_where_the_learner_stopped(tmp_path: Path) -> None:
    clock = Clock()
    with Progress.open(tmp_path, clock) as progress:
        assert progress.last() is None
        for lesson, step in (("1", 0), ("1", 1), ("2", 0), ("1", 0)):
            progress.visit(lesson, step)
    with Progress.open(tmp_path, clock) as progress:
        last = progress.last()
        assert last is not None and (last.lesson, last.step) == ("1", 0)
        assert {name: place.step for name, place in progress.positions().items()} == {"2": 0, "1": 0}
        assert [(visit.step, visit.count) for visit in progress.visits("1")] == [(0, 2), (1, 1)]
        assert progress.visits("1")[0].first < progress.visits("1")[0].last


def test_settings_are_changed_one_by_one(tmp_path: Path) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.settings() == Settings()
        progress.change(language="ko", speed=2.0)
        assert progress.change(ascii=True) == Settings(language="ko", speed=2.0, ascii=True)
        assert progress.change(language=None) == Settings(speed=2.0, ascii=True)


@pytest.mark.parametrize(
    "wrong", [{"language": "fr"}, {"speed": 0}, {"speed": True}, {"animation": "fast"}, {"colour": "red"}]
)
def test_a_wrong_setting_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with Progress.open(tmp_path, Clock()) as progress:
        with pytest.raises(ValueError, match="is not a setting"):
            progress.change(**wrong)
        assert progress.settings() == Settings()


@pytest.mark.parametrize("wrong", [{"lesson": ""}, {"seed": 2**63}, {"hints": -1}, {"seconds": float("nan")}])
def test_what_could_not_be_exported_is_not_recorded(tmp_path: Path, wrong: dict[str, object]) -> None:
    attempt = {"lesson": "1", "exercise": "a", "seed": 1, "outcome": Outcome.PASSED, **wrong}
    with Progress.open(tmp_path, Clock()) as progress:
        with pytest.raises(ValueError, match=rf"attempt\.{next(iter(wrong))}"):
            progress.record(**attempt)  # type: ignore[arg-type]
        assert progress.attempts() == ()


def test_the_streak_counts_days_in_the_learners_own_time(tmp_path: Path) -> None:
    clock = Clock()
    with Progress.open(tmp_path, clock) as progress:
        assert progress.streak() == 0
        for _ in range(3):
            progress.visit("1", 0)
            clock.pass_days(1)
        assert progress.streak() == 3  # today has not begun: the row still stands
        progress.watch("1", "a")
        assert progress.streak() == 4
        clock.pass_days(2)
        assert progress.streak() == 0
        progress.record(lesson="1", exercise="a", seed=1, outcome=Outcome.FAILED)
        assert progress.streak() == 1
        assert progress.days()[0] == date(2026, 11, 21)
        assert len(progress.days()) == 5


def test_a_setting_of_another_version_counts_as_not_chosen(tmp_path: Path) -> None:
    """... and stays in the file for that version."""
    with Progress.open(tmp_path, Clock()) as progress:
        document = progress.export()
        document["settings"] = {"language": "fr", "animation": "none", "tempo": [1]}
        progress.import_(document)
        assert progress.settings() == Settings(animation="none")
        assert progress.export()["settings"] == {"language": "fr", "animation": "none", "tempo": [1]}

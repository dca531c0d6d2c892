"""The course as lines: a sitting typed into a pipe, in both languages, until the input ends."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import pytest

from course.catalog import LESSONS
from course.plain import LETTERS, run_plain
from course.progress import Progress
from course.words_lesson import ASKS
from engine.grade.course import Course
from engine.grade.lesson import Play
from engine.grade.story import Story
from engine.linux.journey import OUTCOMES
from tests.course.progress.clock import Clock


def sit(
    folder: Path, typed: str, monkeypatch: pytest.MonkeyPatch, *, lang: str, lesson: str | None = None
) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    return run_plain(argparse.Namespace(data_dir=folder, lang=lang, lesson=lesson))


@pytest.mark.parametrize(("lang", "coming"), [("en", "(coming)"), ("ko", "(준비 중)")])
def test_the_map_and_the_end_of_the_input(
    lang: str,
    coming: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert sit(tmp_path, "", monkeypatch, lang=lang) == 0
    out = capsys.readouterr().out
    assert coming in out and "\x1b" not in out


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_first_exercise_is_played_asked_and_graded(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    posed = Course.load(LESSONS).lesson("01-containers").pose("source-on-the-wire", 1)
    assert posed.question is not None
    options = posed.question.options
    right = LETTERS[[o.id for o in options].index(posed.question.right.id)]
    wrong = next(letter for letter in "abc" if letter != right)
    typed = f"99\n1\n{wrong}\nh\n{right}\nlab host/laptop\nip -br addr\n:back\nzzz\nq\n"
    assert sit(tmp_path, typed, monkeypatch, lang=lang) == 0
    out = capsys.readouterr().out
    assert "172.17.0.3" in out and "192.168.10.20/24" in out
    assert ("Right." if lang == "en" else "맞았습니다.") in out
    assert posed.hints[0].text(lang) in out
    with Progress.open(tmp_path, Clock()) as progress:
        assert progress.exercise("01-containers", "source-on-the-wire").solved
        assert [a.outcome for a in progress.attempts()] == ["failed", "passed"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_a_prediction_is_asked_before_its_packet_is_told(
    lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Course.load(LESSONS).lesson("01-containers")
    at, play = next(
        ((i, j), b)
        for i, step in enumerate(folder.lesson.steps)
        for j, b in enumerate(step.en)
        if isinstance(b, Play) and b.ask is not None
    )
    played = Story(folder).play(*at)
    assert played.question is not None and play.ask is not None
    wrong = next(letter for letter, o in zip(LETTERS, played.question.options, strict=False) if not o.right)
    with Progress.open(tmp_path, Clock()) as progress:
        progress.visit("01-containers", at[0])
    assert sit(tmp_path, f"1\n{wrong}\nq\n", monkeypatch, lang=lang) == 0
    out = capsys.readouterr().out
    asked = ASKS[played.question.ask](field=played.question.field).text(lang)
    before, told = out[: out.index(asked)], out[out.index(asked) :]
    outcome = OUTCOMES[played.journey.outcome]().text(lang)
    assert played.journey.act in before and outcome not in before.split(played.journey.act)[-1]
    assert outcome in told
    finding = played.question.check(played.question.options[LETTERS.index(wrong)].id)
    assert finding is not None and finding.said.text(lang) in told
    assert played.question.right.text.text(lang) not in finding.said.text(lang)
    with Progress.open(tmp_path, Clock()) as progress:
        assert [a.outcome for a in progress.attempts()] == ["failed"]

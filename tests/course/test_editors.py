"""The learner's own editor on a temporary file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from course import editors


def script(folder: Path, text: str) -> str:
    path = folder / "editor.sh"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_the_program_works_on_a_real_file_of_that_name(tmp_path: Path) -> None:
    program = script(tmp_path, 'basename "$1" >> "$1"')
    assert editors.edited("a/b.yaml", "x\n", [program]) == "x\nb.yaml\n"


def test_an_editor_that_fails_or_is_missing_saves_nothing(tmp_path: Path) -> None:
    assert editors.edited("b.yaml", "x\n", [script(tmp_path, "exit 1")]) is None
    assert editors.edited("b.yaml", "x\n", [str(tmp_path / "nope")]) is None


def test_kube_editor_goes_before_editor(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in editors.NAMES:
        monkeypatch.delenv(name, raising=False)
    assert editors.chosen() == []
    monkeypatch.setenv("EDITOR", "nano")
    monkeypatch.setenv("KUBE_EDITOR", "vim -n")
    assert editors.chosen() == ["vim", "-n"]


def test_a_here_document_ends_with_a_word_that_the_text_has_not() -> None:
    assert editors.heredoc("cat", "a\nEOF\n") == "cat <<'EOF_'\na\nEOF\nEOF_"

"""The course map is read once by YAML and then from a cache that never lies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from course import catalog

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(catalog, "user_cache_path", lambda *args, **kwargs: tmp_path / "cache")
    return tmp_path / "cache" / "course.json"


def test_the_cache_says_what_the_text_says(kept: Path) -> None:
    assert catalog._data("groups: [{a: 1}]") == {"groups": [{"a": 1}]}
    assert kept.exists()
    kept.write_text(json.dumps({"text": "groups: [{a: 1}]", "data": "from the cache"}), encoding="utf-8")
    assert catalog._data("groups: [{a: 1}]") == "from the cache"
    assert catalog._data("groups: [{a: 2}]") == {"groups": [{"a": 2}]}


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"text": 1}', "\udcff"])
def test_a_broken_cache_is_passed_over(kept: Path, content: str) -> None:
    kept.parent.mkdir()
    kept.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert catalog._data("a: 1") == {"a": 1}
    assert catalog._data("a: 1") == {"a": 1}


def test_a_cache_that_cannot_be_written_is_no_error(kept: Path) -> None:
    kept.parent.write_text("a file where the folder should be", encoding="utf-8")
    assert catalog._data("a: 1") == {"a": 1}


def test_the_first_screen_needs_no_engine_and_no_yaml() -> None:
    """TUI start-up: what is imported before the course map is on the screen, from the second start on."""
    code = "from course import app, catalog; catalog.entries(); import sys; print('\\n'.join(sys.modules))"
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    heavy = {
        "yaml",
        "networkx",
        "asyncio.subprocess",
        "textual.widgets._markdown",
        "rich.markdown",
        "pygments",
    }
    assert not heavy & loaded - {"asyncio.subprocess"}
    assert {m for m in loaded if m.startswith("engine.")} == {"engine.errors", "engine.record", "engine.say"}

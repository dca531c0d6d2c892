"""No YAML, however strange, gives a traceback: random files of every kind, and our own ones bent."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course.catalog import LESSONS
from course.cli import flows, lessons, shell, trace
from engine.errors import EngineError
from engine.grade.exercise import read_exercises
from engine.lab.doc import Doc, read
from engine.lab.reader import Problems

WORDS = (
    "nodes", "hosts", "name", "addresses", "cni", "proxy", "fabric", "kind", "lab", "flows", "from", "to", "expect",
    "docker", "manifests", "apiVersion", "metadata", "spec", "containers", "image", "ports", "faults", "addons",
    "kubernetes", "listen", "exercises", "id", "hints", "goal", "at", "via", "proto", "items", "nodeName", "replicas",
    "template", "publish", "network",
)  # fmt: skip
SCALARS = (
    "v1", "Pod", "List", "Deployment", "w1", "bridge", "10.0.0.1", "10.0.0.0/8", "300.1.1.1", "pod/a", "pod/a:80",
    "svc/x:1", "http://a/", "delivered", "nginx", "8080:80", "", "~", "\x00", "한국", "a" * 300, "-", "2024-01-01",
    "0x10",
)  # fmt: skip
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(SCALARS), st.text(max_size=8)
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)
documents = st.dictionaries(st.sampled_from(WORDS), values, max_size=6)


def survives(capsys: pytest.CaptureFixture[str], folder: Path, file: Path) -> None:
    """Every subcommand that reads YAML ends with 0, 1 or 2 and says something."""
    for run, argv in (
        (trace.run, [str(file), "pod/a", "pod/b:80"]),
        (trace.run, [str(file), "node/w1", "10.0.0.1:80", "--json"]),
        (flows.run, [str(file), "--json"]),
        (shell.run, [str(file), "-c", "ip -br addr"]),
        (lessons.run, ["check", str(folder)]),
    ):
        code = run(argv)
        said = capsys.readouterr()
        assert code in (0, 1, 2)
        assert said.out or said.err
        assert "Traceback" not in said.err


def lesson_of(folder: Path, text: str) -> Path:
    """A folder that `lessons check` takes for a lesson, with `text` for its exercises."""
    for lang in ("en", "ko"):
        (folder / f"lesson.{lang}.md").write_text("# T\n\n## S\n\n```exercise a\n```\n")
    file = folder / "exercises.yaml"
    file.write_text(text, encoding="utf-8")
    return file


# capsys is one for all examples; `survives` reads it empty after each command.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(document=documents)
def test_random_documents(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str], document: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    survives(capsys, folder, lesson_of(folder, yaml.safe_dump(document, allow_unicode=True)))
    shutil.rmtree(folder)


def bent(rng: random.Random, value: Any) -> Any:
    """The value with one thing in it changed: a key lost or misspelt, a leaf of another kind, an item twice."""
    if isinstance(value, dict) and value:
        key = rng.choice(list(value))
        out = dict(value)
        act = rng.random()
        if act < 0.15:
            del out[key]
        elif act < 0.3:
            out[f"{key}x"] = out.pop(key)
        else:
            out[key] = bent(rng, value[key])
        return out
    if isinstance(value, list) and value:
        at = rng.randrange(len(value))
        if rng.random() < 0.15:
            return [*value, value[at]]
        return [bent(rng, v) if i == at else v for i, v in enumerate(value)]
    return rng.choice(
        (None, True, -1, 10**30, 0.5, "", "x", "10.0.0.1", [], {}, [[]], {"a": None}, "nan", ["x"])
    )


EXERCISES = sorted(LESSONS.glob("*/exercises.yaml"))
OURS = sorted(
    [*LESSONS.glob("labs/*.yaml"), *LESSONS.glob("*/lab.yaml"), *Path("tests/flows").glob("*.yaml")]
)


@pytest.mark.parametrize("seed", range(40))
def test_our_own_files_bent(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = random.Random(seed)
    value = yaml.safe_load(rng.choice(OURS).read_text(encoding="utf-8"))
    for _ in range(rng.randint(1, 3)):
        value = bent(rng, value)
    text = yaml.safe_dump(value, allow_unicode=True)
    survives(capsys, tmp_path, lesson_of(tmp_path, text))


@pytest.mark.parametrize("seed", range(60))
def test_our_exercises_bent(seed: int) -> None:
    rng = random.Random(seed)
    value = read(rng.choice(EXERCISES).read_text(encoding="utf-8"), "exercises.yaml").value
    for _ in range(rng.randint(1, 3)):
        value = bent(rng, value)
    problems = Problems()
    try:
        read_exercises(Doc("exercises.yaml", value), problems)
        problems.raise_any()
    except EngineError as error:
        assert error.text("en") and error.text("ko")


@pytest.mark.parametrize("file", sorted(LESSONS.rglob("*.yaml")), ids=lambda f: str(f.relative_to(LESSONS)))
def test_our_files_are_read_without_libyaml_too(file: Path) -> None:
    yaml.load(file.read_text(encoding="utf-8"), yaml.SafeLoader)

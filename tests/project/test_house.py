"""The project's own promises: one list of packages, both languages of every sentence, a wheel that runs elsewhere."""

from __future__ import annotations

import ast
import os
import re
import string
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from course import __version__
from tests import tools

ROOT = Path(__file__).resolve().parents[2]


def test_ci_installs_every_package_that_a_test_can_ask_for() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    found = re.search(r"^packages=\((.*?)\)", script, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert set(found[1].split()) == {*tools.PACKAGES.values(), *tools.BUILD_PACKAGES}


def phrases() -> list[tuple[str, ast.Call]]:
    """(file:line, call) for each `Phrase(...)` in the engine and the course."""
    return [
        (f"{path.relative_to(ROOT)}:{node.lineno}", node)
        for room in ("engine", "course")
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Phrase"
    ]


def holes(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def test_every_sentence_has_both_languages_with_the_same_holes() -> None:
    wrong: list[str] = []
    for where, call in phrases():
        values = [*call.args, *(keyword.value for keyword in call.keywords)]
        texts = [v.value for v in values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
        if len(texts) != len(values):
            continue  # built from other values, as `plain` does
        if len(texts) != 2 or bool(texts[0]) != bool(texts[1]) or holes(texts[0]) != holes(texts[1]):
            wrong.append(where)
        elif len(re.findall("[a-z]{2,}", re.sub("{.*?}", "", texts[0]))) > 2 and not re.search(
            "[가-힣]", texts[1]
        ):
            wrong.append(f"{where}: the Korean is not Korean")
    assert not wrong


@pytest.mark.parametrize("target", ["run", "test", "check", "fix", "bench", "real", "pictures"])
def test_make_help_lists_every_target(target: str) -> None:
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  make {target} +\w", shown, re.MULTILINE)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built with the tools that are here."""
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_holds_the_program_and_all_lessons(wheel: Path) -> None:
    assert wheel.name == f"k8snet_tutor-{__version__}-py3-none-any.whl"
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "engine", "course", "lessons"], cwd=ROOT, capture_output=True, text=True
    ).stdout.split()
    assert {path for path in tracked if (ROOT / path).exists()} <= inside
    assert {path.split("/")[0] for path in inside} <= {
        "engine",
        "course",
        "lessons",
        f"k8snet_tutor-{__version__}.dist-info",
    }


def test_the_wheel_runs_where_the_tree_is_not(wheel: Path, tmp_path: Path) -> None:
    """Unpacked beside nothing of ours; the dependencies are those of this environment."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    for option, said in (("--version", __version__), ("--help", "usage: k8snet-tutor")):
        shown = subprocess.run(
            [sys.executable, "-P", "-m", "course", option],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert shown.returncode == 0, shown.stderr
        assert said in shown.stdout
    where = subprocess.run(
        [sys.executable, "-P", "-c", "import course, engine; print(course.__file__, engine.__file__)"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert all(path.startswith(str(tmp_path)) for path in where)

"""The README tells the truth: its outputs are the program's, its links lead somewhere, its counts are current."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from course import catalog
from engine.linux.journey import OUTCOMES

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def examples() -> list[tuple[str, str]]:
    """(command, output) of every ```console block."""
    out: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            out.append((command, output))
    return out


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the console script, as an installation would have it."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "k8snet-tutor"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m course "$@"\n')
    script.chmod(0o755)
    return folder


REAL = pytest.mark.needs("userns", "ip", "iptables", "nft", "conntrack")


@pytest.mark.parametrize(
    ("command", "output"),
    [pytest.param(c, o, marks=[REAL] if " real " in c else [], id=c) for c, o in examples()],
)
def test_the_outputs_are_the_programs(command: str, output: str, program: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    done = subprocess.run(
        [bash, "-c", command], cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL,
        env={"PATH": f"{program}:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    assert done.stdout == output, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


def test_the_table_of_outcomes_is_the_engines() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, re.MULTILINE))
    assert rows == {str(outcome): phrase.en for outcome, phrase in OUTCOMES.items()}


def test_the_count_of_lessons_is_current() -> None:
    words = {8: "Eight", 9: "Nine", 10: "Ten", 14: "Fourteen", 13: "Thirteen", 12: "Twelve"}
    entries = list(catalog.entries())
    ready = sum(1 for e in entries if e.ready)
    assert f"{words[ready]} lessons are ready" in README
    assert f"{words[len(entries) - ready]} more are on the map" in README


def test_the_pictures_ask_nothing_of_the_network() -> None:
    for file in sorted((ROOT / "docs" / "pictures").glob("*.svg")):
        text = file.read_text(encoding="utf-8")
        assert "@font-face" not in text and "<script" not in text, file.name
        assert not re.search(r"(?:href|src|url)\s*[=(]\s*[\"']?https?:", text), file.name

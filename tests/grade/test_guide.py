"""The guides are true: every example of the author's guide is proven, every key and word that exists is described."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from course.cli.common import shared_labs
from engine.grade.course import Folder
from engine.grade.exercise import COMMON, OWN, read_exercises
from engine.grade.finding import KINDS as FINDINGS
from engine.grade.lesson import PLAY_KEYS, read_lesson
from engine.grade.predict import ASKS, FIELDS
from engine.grade.proof import prove
from engine.grade.steps import STEP_KINDS
from engine.grade.table import EXPECT_KEYS, FLOW_KEYS
from engine.lab.describe import KEYS
from engine.lab.doc import read
from engine.lab.lab import Lab
from engine.lab.reader import Problems
from engine.linux.journey import Outcome

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "authoring.md").read_text(encoding="utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
HINTS = "hints: [{en: a, ko: 가}, {en: b, ko: 나}, {en: c, ko: 다}]"


def blocks(text: str) -> list[str]:
    return re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


EXAMPLES = [
    b.replace("hints: [...]", HINTS) for b in blocks(GUIDE) if b.startswith("  - id:") and "\n    kind:" in b
]


def test_each_kind_has_an_example() -> None:
    assert {re.search(r"kind: (\w+)", b)[1] for b in EXAMPLES} == set(OWN)  # type: ignore[index]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda b: b.split()[2])
def test_every_example_is_proven(example: str) -> None:
    problems = Problems()
    file = read_exercises(read("lab: two-nodes\nexercises:\n" + example, "guide.yaml"), problems)
    problems.raise_any()
    text = "# T\n\n## A\n\n```exercise x\n```\n"
    names = {"en": "en", "ko": "ko"}
    folder = Folder(ROOT / "lessons" / "guide", read_lesson("guide", {"en": text, "ko": text}, names), file)
    proof = prove(folder, file.exercises[0])
    assert proof.ok, "\n".join(p.text("en") for p in proof.problems)


def test_the_example_of_a_lesson_is_read() -> None:
    text = re.search(r"^````markdown\n(.*?)^````", GUIDE, re.MULTILINE | re.DOTALL)
    assert text is not None
    lesson = read_lesson("x", {"en": text[1], "ko": text[1]}, {"en": "en", "ko": "ko"})
    assert lesson.exercises == ("who-floods",)


@pytest.mark.parametrize(
    "words", [PLAY_KEYS, ASKS, FIELDS, STEP_KINDS, FINDINGS, COMMON, ("fails", "fresh")], ids=lambda w: w[0]
)
def test_the_guide_names_every_word(words: tuple[str, ...]) -> None:
    assert [w for w in words if not re.search(rf"\b{re.escape(w)}\b", GUIDE)] == []


@pytest.mark.parametrize(
    "words",
    [KEYS, FLOW_KEYS, EXPECT_KEYS, tuple(str(o) for o in Outcome), tuple(shared_labs())],
    ids=lambda w: w[0],
)
def test_the_page_of_formats_names_every_word(words: tuple[str, ...]) -> None:
    assert [w for w in words if not re.search(rf"(?<![\w-]){re.escape(w)}(?![\w-])", FORMATS)] == []


def test_the_example_of_a_lab_opens() -> None:
    text = blocks(FORMATS)[0].replace("manifests: [app.yaml]", "manifests: []")
    lab = Lab.load(read(text, "formats.yaml"))
    assert "10.244.0.0/24" not in lab.run("node/w2", "ip route").stdout
    assert "10.244.0.0/24" in lab.run("node/w1", "ip route").stdout

"""Options are shuffled, so none may lean on the one that stands above it in the file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from course.catalog import LESSONS

FILES = sorted(LESSONS.glob("*/exercises.yaml"))
LEANING = re.compile(
    r"^(that|those|the (former|latter|same)|as above|all of (these|them|the above)|neither of these)\b"
)
LEANING_KO = re.compile(r"^(그것[과도은]|위의|위와|앞의|이들 모두|모두 맞)")


@pytest.mark.parametrize("path", FILES, ids=lambda p: Path(p).parent.name)
def test_no_option_points_at_another(path: Path) -> None:
    found = [
        (exercise["id"], option["text"])
        for exercise in yaml.safe_load(path.read_text(encoding="utf-8"))["exercises"]
        if exercise["kind"] == "choice"
        for option in exercise["options"]
        if LEANING.search(option["text"]["en"]) or LEANING_KO.search(option["text"]["ko"])
    ]
    assert found == []

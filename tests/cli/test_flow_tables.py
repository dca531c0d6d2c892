"""Every table in tests/flows holds, run as a person runs it: `k8snet-tutor flows FILE`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from course.__main__ import main

TABLES = sorted((Path(__file__).resolve().parents[1] / "flows").glob("*.yaml"))


@pytest.mark.parametrize("path", TABLES, ids=lambda p: p.stem)
def test_a_table_holds(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["flows", str(path), "--json"])
    printed = json.loads(capsys.readouterr().out)
    (table,) = printed if isinstance(printed, list) else [printed]
    assert [(row["name"], row["findings"]) for row in table["rows"] if not row["ok"]] == []
    assert (code, table["failed"]) == (0, 0)


@pytest.mark.parametrize("name", ["docker-host", "two-nodes"])
def test_the_labs_of_the_lessons_have_many_rows(name: str) -> None:
    rows = yaml.safe_load((TABLES[0].parent / f"{name}.yaml").read_text(encoding="utf-8"))["flows"]
    names = [row["name"] for row in rows]
    assert len(rows) >= 25 and len(set(names)) == len(names)
    assert all(row["expect"] for row in rows)

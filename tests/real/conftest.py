"""Every comparison with the kernel says which behaviour it met (claims.py)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.real import compare
from tests.real import claims


@pytest.fixture(autouse=True)
def what_was_met(request: pytest.FixtureRequest, record_property: pytest.RecordProperty) -> Iterator[None]:
    """Notes the keys of everything that this test found equal, under its file's name."""
    met: set[str] = set()

    def hear(one: compare.Compared) -> None:
        if one.same:
            met.update(claims.met(one.compared))

    compare.OBSERVERS.append(hear)
    claims.ACTIVE.append(met)
    yield
    compare.OBSERVERS.remove(hear)
    claims.ACTIVE.remove(met)
    if met:
        claims.note(record_property, request.path.stem.removeprefix("test_"), met)

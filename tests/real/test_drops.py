"""Drops held against the kernel: for every packet that is thrown away, the model's reason is the kernel's.

The reasons are recorded (capture_drops.py), so the model is held to them everywhere. Where this process may trace the
kernel they are measured anew. No machine owes us that right: without it the second test is skipped, on every machine.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from engine.linux.journey import Outcome
from tests.real import kfree
from tests.real.capture_drops import FILE, dropped
from tests.real.drop_scenes import MEANING, SCENES, meaning
from tests.tools import need

RECORDED: dict[str, Any] = json.loads(Path(FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SCENES)
def test_the_model_has_the_kernels_reason(name: str, record_property: Any) -> None:
    drops = RECORDED["drops"][name]
    assert len(drops) == 1, "a scene drops one packet; record anew: capture_drops.py"
    found = SCENES[name].model()
    assert found in meaning(*drops[0]), f"kernel {drops[0]}, model {found}"
    record_property("drops compared", 1)


def test_every_meaning_was_measured() -> None:
    seen = {
        one
        for drops in RECORDED["drops"].values()
        for where, reason in drops
        for one in (reason, f"{where}:{reason}")
    }
    assert set(MEANING) <= seen
    said = {SCENES[name].model() for name in RECORDED["drops"]}
    assert {one for row in MEANING.values() for one in row} <= said
    assert {outcome for outcome, _ in said} >= {
        Outcome.DROPPED,
        Outcome.NO_ROUTE,
        Outcome.REJECTED,
        Outcome.TOO_BIG,
    }


def test_the_kernel_still_says_so(record_property: Any) -> None:
    """On the recorded kernel the same function and reason; on another one a reason that means the same, and those that
    it names otherwise are counted apart."""
    if problem := kfree.unusable():
        pytest.skip(f"drops are not traced here: {problem}")
    need("userns", "iptables", "nft", "ip", "bridge")
    same_kernel = os.uname().release.split("-")[0] == RECORDED["kernel"]
    unnamed = 0
    with kfree.Drops() as drops:
        for name, scene in SCENES.items():
            expected = [tuple(one) for one in RECORDED["drops"][name]]
            for _ in range(3):  # a softirq may have run in another process's time
                found = dropped(drops, scene)
                if found == expected:
                    break
            if same_kernel:
                assert found == expected, f"{name}: recorded {expected}, now {found}"
                continue
            known = [one for one in found if meaning(*one)]
            assert all(scene.model() in meaning(*one) for one in known), f"{name}: {found}"
            unnamed += not known
    record_property("kernel comparison", (len(SCENES), len(SCENES) - unnamed, len(SCENES) - unnamed))
    record_property("drops this kernel names otherwise", unnamed)

"""Random clusters of the four wirings, in the kernel and in the model: rules, connections, ports, steps are equal.

Five rounds of rules and fifty flows on each topology. The examples of a plain run are always the same ones;
K8SNET_REAL_ROUNDS=10 (what `make real` sets) draws ten times as many, new ones each time. What was found once is kept
in regressions/*.yaml and run first. A failing example shrinks; its text is written where the message says.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.real.clusters import KINDS
from tests.real.driver import Tally, run, smaller
from tests.real.strategies import Example, dump, examples, load
from tests.tools import need

need("userns", "iptables", "nft", "ip", "bridge")

ROUNDS = int(os.environ.get("K8SNET_REAL_ROUNDS", "1"))
EXAMPLES = 11
REGRESSIONS = sorted(Path(__file__).with_name("regressions").glob("*.yaml"))


def check(example: Example, tally: Tally) -> None:
    found = run(example, tally, rows=True)
    if found:
        less, told = smaller(example)
        path = Path(tempfile.gettempdir(), "difference.yaml")
        path.write_text(dump(less, "what it is, and which side was right"))
        raise AssertionError(
            f"{told or found}\nkept in {path}; a regression when it lies in tests/real/regressions"
        )


def finish(tally: Tally, record_property: pytest.RecordProperty) -> None:
    record_property("kernel comparison", (tally.networks, tally.packets, tally.steps))
    record_property("kernel detail", (tally.rulesets, tally.rows, tally.choices, tally.connections))
    for text in tally.passing:
        record_property("kernel difference not met again", text)


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda p: p.stem)
def test_what_was_found_once(path: Path, record_property: pytest.RecordProperty) -> None:
    tally = Tally()
    check(load(path.read_text()), tally)
    finish(tally, record_property)


@pytest.mark.parametrize("kind", KINDS)
def test_random_clusters(kind: str, record_property: pytest.RecordProperty) -> None:
    tally = Tally()

    @settings(
        max_examples=EXAMPLES * ROUNDS, deadline=None, database=None, derandomize=ROUNDS == 1,
        suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
    )  # fmt: skip
    @given(examples((kind,)))
    def one(example: Example) -> None:
        check(example, tally)

    one()
    finish(tally, record_property)

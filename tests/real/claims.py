"""Which behaviour the comparisons of this run met, against what engine/linux/compared.txt claims.

Every test that compares a flow with a kernel's notes the keys of its walks under its file's name. At the end of the run
each claim of a comparison that ran whole must have been met; keys that were met and are not claimed are printed. To
write the list anew: K8SNET_CLAIMS=FILE in a run makes a report, `python -m tests.real.claims FILE` takes it over.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.linux import behaviour
from engine.linux.journey import Step, Walk

#: the name of a user property: (comparison, keys)
PROPERTY = "kernel behaviour"
#: the random ones last: what a fixed comparison meets too is claimed for that one
LAST = ("random", "clusters")


def met(walks: Iterable[Walk]) -> set[str]:
    """The keys of everything that happened in these walks, questions on the way (ARP) included."""
    out: set[str] = set()
    for walk in walks:
        for step in walk.steps():
            out |= met_by(step)
    return out


def met_by(step: Step) -> set[str]:
    return {*behaviour.keys(step), *met(step.aside), *met(step.copies)}


#: what the tests that run now have met so far (conftest.py)
ACTIVE: list[set[str]] = []


def hear(walks: Iterable[Walk]) -> None:
    """A comparison with a recording has these walks; they count when its test passes."""
    found = met(walks)
    for each in ACTIVE:
        each |= found


def note(record_property: pytest.RecordProperty, comparison: str, keys: Iterable[str]) -> None:
    record_property(PROPERTY, (comparison, sorted(keys)))


def of_reports(config: pytest.Config, stats: Mapping[str, list[Any]]) -> tuple[dict[str, set[str]], set[str]]:
    """(comparison -> keys that it met, the comparisons that ran whole) from the reports of a run. A run of single
    tests, or by -k, is never whole."""
    found: dict[str, set[str]] = {}
    for report in [*stats.get("passed", []), *stats.get("", [])]:  # noted when the test is taken down
        for name, value in getattr(report, "user_properties", ()):
            if name == PROPERTY:
                found.setdefault(value[0], set()).update(value[1])
    broken = {
        one.nodeid.partition("::")[0].rpartition("/test_")[2].removesuffix(".py")
        for word in ("failed", "skipped", "error", "deselected") for one in stats.get(word, [])
    }  # fmt: skip
    part = any("::" in str(arg) for arg in config.args)
    return found, set() if part else set(found) - broken


def judge(found: Mapping[str, set[str]], whole: Iterable[str]) -> tuple[list[str], list[str]]:
    """(claims that no comparison met, keys that were met and are not claimed)."""
    claims = behaviour.claims()
    everything = set().union(*found.values()) if found else set()
    false = [f"{where}: {key}" for key, where in claims.items() if where in whole and key not in everything]
    new = sorted(key for key in everything if key not in claims and "?" not in key)
    return false, new


def write(found: Mapping[str, Iterable[str]]) -> None:
    """The list, with what each comparison met; what another comparison claims stays."""
    claims = {key: where for key, where in behaviour.claims().items() if where not in found}
    for where, keys in sorted(found.items(), key=lambda one: (one[0] in LAST, one[0])):
        claims |= {key: where for key in keys if "?" not in key and key not in claims}
    head = behaviour.CLAIMS.read_text(encoding="utf-8").splitlines()
    comments = [line for line in head if line.startswith("#")]
    lines = [f"{where}: {key}" for key, where in sorted(claims.items(), key=lambda one: (one[1], one[0]))]
    behaviour.CLAIMS.write_text("\n".join([*comments, *lines]) + "\n", encoding="utf-8")


def report(found: Mapping[str, set[str]]) -> None:
    """Keep what was met, where K8SNET_CLAIMS says."""
    path = os.environ.get("K8SNET_CLAIMS", "")
    if path:
        Path(path).write_text(json.dumps({where: sorted(keys) for where, keys in found.items()}))


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1]).read_text()))

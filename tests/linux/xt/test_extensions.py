"""The register of matches and targets: every name leads to its extension, and asking for a name loads nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.linux.xt.extensions import MATCHES, OTHER_MATCHES, OTHER_TARGETS, PLAIN, TARGETS


@pytest.mark.parametrize("name", MATCHES)
def test_a_match_has_its_own_name(name: str) -> None:
    assert MATCHES[name].name == name


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_has_its_own_name(name: str) -> None:
    assert TARGETS[name].name == name


def test_what_is_listed_is_what_is_there() -> None:
    for register, other in ((MATCHES, OTHER_MATCHES), (TARGETS, OTHER_TARGETS)):
        assert set(register) == set(register._homes)
        assert len(set(register)) == len(register)
        assert not set(register) & other
    assert not set(PLAIN) & set(TARGETS)


def test_nobody_is_loaded_before_it_is_asked_for() -> None:
    code = (
        "import sys; from engine.linux.xt.parse import parse;"
        "parse(['-A', 'INPUT', '-s', '10.0.0.0/8', '-j', 'ACCEPT']);"
        "print([m for m in sys.modules if m.startswith('engine.linux.xt.match_')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "match_set" not in done.stdout and "match_host" not in done.stdout

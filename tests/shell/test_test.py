"""`test` and `[`, held against the shell of this machine."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from engine.lab.lab import Lab

LINES = [
    "test -f /etc/hosts", "test -e /etc/hosts", "test -d /etc", "test -f /etc", "test -d /etc/hosts",
    "test -s /etc/hosts", "test ! -f /nope", "test -f /nope", "test", "test x", 'test ""', "test -n x",
    "test -z x", 'test -z ""', "test a = a", "test a != a", "test a == a", "test 3 -gt 2", "test 3 -lt 2",
    "test 3 -eq 3", "test 3 -ne 3", "test 2 -le 2", "test 2 -ge 3", "[ 1 -eq 1 ]", "[ ! 1 -eq 1 ]",
    "[ -d /etc ]", "test x -eq 1", "[ 1 -eq", "test a b c d e", "test -q x", "test a ~ b",
]  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load({"hosts": [{"name": "h"}]})


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("line", LINES)
def test_as_the_real_shell(lab: Lab, line: str) -> None:
    real = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    ours = lab.run("host/h", line)
    assert ours.code == real.returncode
    assert ours.stderr.strip() == real.stderr.strip().partition("line 1: ")[2]

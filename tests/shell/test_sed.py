"""sed as people edit files with it, against GNU sed itself where it is installed."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from engine.lab.lab import Lab

TEXT = "one two\ntwo three\nthree aXbX\nfour\n"
SCRIPTS = (
    ["s/two/2/"], ["s/X/[&]/2"], ["s/X/-/g"], ["-n", "2,3p"], ["/three/d"], ["$d"], ["2q"], ["-E", "s/(o)(n)/\\2\\1/"],
    ["-n", "s/o/0/p"], ["-e", "1d", "-e", "s/e/E/g"], ["2!d"], ["/two/,/three/s/t/T/"], ["s,a,b,;s/b/c/"], ["s/T/x/I"],
)  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab.load({"hosts": [{"name": "bench"}]})


@pytest.mark.skipif(shutil.which("sed") is None, reason="GNU sed is the reference")
@pytest.mark.parametrize("argv", SCRIPTS, ids=" ".join)
def test_like_gnu_sed(lab: Lab, argv: list[str]) -> None:
    real = subprocess.run(["sed", *argv], input=TEXT, text=True, capture_output=True, check=True).stdout
    quoted = " ".join("'" + word + "'" for word in argv)
    ours = lab.copy().run("host/bench", f"printf '{TEXT}' | sed {quoted}")
    assert ours.stdout == real


def test_in_place(lab: Lab) -> None:
    lab = lab.copy()
    lab.run("host/bench", "printf 'a=1\\nb=2\\n' > /root/f")
    assert lab.run("host/bench", "sed -i s/2/3/ /root/f").code == 0
    assert lab.run("host/bench", "cat /root/f").stdout == "a=1\nb=3\n"


@pytest.mark.parametrize("script", ["y/a/b/", "w /tmp/x", "s/a/b/e", "n"])
def test_what_is_not_modelled_is_refused_by_name(lab: Lab, script: str) -> None:
    result = lab.copy().run("host/bench", f"echo a | sed '{script}'")
    assert result.code == 2 and "sed" in result.stderr


@pytest.mark.parametrize("script", ["s/a", "s/a/b", "k", "s/(/x/;p p", "1,d", "s/a/\\9/"])
def test_errors_are_errors(lab: Lab, script: str) -> None:
    result = lab.copy().run("host/bench", f"echo a | sed '{script}'")
    assert result.code == 1 and result.stderr.startswith("sed: -e expression #1")

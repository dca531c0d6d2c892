"""How a test that lacks a tool is skipped, told of, or failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import tools

pytest_plugins = ["pytester"]

INNER = """
import pytest
from tests.tools import need

@pytest.mark.needs("tmux")
def test_screen(): pass

@pytest.mark.needs("tmux", "iptables")
def test_both(): pass

def test_inside(): need("tmux")

def test_plain(): pass
"""


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A run of its own with this project's conftest, on a machine without tmux and iptables."""
    monkeypatch.delenv("K8SNET_ALL_TOOLS", raising=False)
    conftest = Path(tools.__file__).with_name("conftest.py").read_text(encoding="utf-8")
    gone = "\nfound = tools.find\ntools.find = lambda t: None if t in ('tmux', 'iptables') else found(t)\n"
    pytester.makeconftest(conftest + gone)
    pytester.makeini(
        f"[pytest]\npythonpath = {Path(tools.__file__).parents[1]}\nmarkers = needs(*tools): see tests/tools.py\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    pytester.makepyfile(INNER)
    return pytester


def test_a_missing_tool_is_a_skip_that_names_its_package(inner: pytest.Pytester) -> None:
    result = inner.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines(
        [
            "*did not run: 1 test: iptables (apt-get install iptables), tmux (apt-get install tmux)",
            "*did not run: 2 tests: tmux (apt-get install tmux)",
        ]
    )


def test_the_summary_also_comes_with_several_workers(inner: pytest.Pytester) -> None:
    result = inner.runpytest_subprocess("-n", "2")
    result.stdout.fnmatch_lines(["*did not run: 2 tests: tmux (apt-get install tmux)"])


def test_where_all_tools_must_be_here_it_is_a_failure(
    inner: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8SNET_ALL_TOOLS", "1")
    result = inner.runpytest_subprocess()
    outcomes = result.parseoutcomes()
    assert outcomes.get("skipped", 0) == 0
    assert outcomes["passed"] == 1
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 3
    result.stdout.fnmatch_lines(["*tmux (apt-get install tmux)*K8SNET_ALL_TOOLS=1*"])


def test_a_tool_without_a_package_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="does not know 'sl'"):
        tools.have("sl")

"""What every test gets: the `needs` marker, one hypothesis profile, a home of its own, and the closing list
of what did not run. Fixtures of one part live in that part's own folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import tools
from tests.real import claims

# No deadline: machines that run tests are shared and uneven, and a slow example is not a wrong one.
settings.register_profile(
    "k8snet", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("k8snet")

# Tests run the tools by name; a plain user's PATH on Debian has no sbin.
os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


@pytest.fixture(autouse=True, scope="session")
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the progress of the person who runs the tests."""
    patch = pytest.MonkeyPatch()
    data: Path = tmp_path_factory.mktemp("user-data")
    patch.setenv("XDG_DATA_HOME", str(data))
    patch.setenv("XDG_CACHE_HOME", str(data / "cache"))
    patch.delenv("NO_COLOR", raising=False)
    yield
    patch.undo()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        tools.need(*mark.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was compared with the kernel, and which tests did not run for want of which package."""
    compared(terminalreporter)
    missing: Counter[str] = Counter()
    names: dict[str, list[str]] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _, found, want = reason.partition(tools.REASON)
        if found:
            missing[want] += 1
            names.setdefault(want, []).append(report.nodeid)
    if not missing:
        return
    terminalreporter.section("did not run")
    for want, count in sorted(missing.items()):
        terminalreporter.write_line(f"did not run: {count} {'test' if count == 1 else 'tests'}: {want}")
        for nodeid in names[want]:
            terminalreporter.write_line(f"    {nodeid}")


def recorded(terminalreporter: pytest.TerminalReporter, name: str) -> list[Any]:
    """What tests recorded with record_property under a name."""
    return [
        value
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for key, value in getattr(report, "user_properties", ())
        if key == name
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A claim of kernel-checked behaviour that no comparison of this run met fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(session.config, "workerinput"):
        return
    found, whole = claims.of_reports(session.config, reporter.stats)
    if found:
        claims.report(found)
        false, _ = claims.judge(found, whole)
        if false and session.exitstatus == 0:
            session.exitstatus = 1


def compared(terminalreporter: pytest.TerminalReporter) -> None:
    """Tests record ("kernel comparison", (networks, packets, steps)), ("kernel detail", (rulesets, rows, choices,
    connections)) and ("route lookups", how many). A difference fails its test."""
    basic = recorded(terminalreporter, "kernel comparison")
    lookups = sum(recorded(terminalreporter, "route lookups"))
    if not basic and not lookups:
        return
    networks, packets, steps = (sum(row[i] for row in basic) for i in range(3))
    failed = [r for r in terminalreporter.stats.get("failed", []) if r.nodeid.startswith("tests/real/")]
    differences = f"{len(failed)} tests with differences" if failed else "0 differences"
    terminalreporter.write_line(
        f"kernel comparison: {networks} networks, {packets} packets, {steps} steps compared, {differences}"
    )
    for text in recorded(terminalreporter, "kernel difference not met again"):
        terminalreporter.write_line(
            f"    not met again in new namespaces, with patience: {text}", yellow=True
        )
    detail = recorded(terminalreporter, "kernel detail")
    if detail or lookups:
        rulesets, read, choices, connections = (sum(row[i] for row in detail) for i in range(4))
        terminalreporter.write_line(
            f"    {rulesets} random rulesets, {read} rows read back, {connections} connections, "
            f"{choices} choices from the tape, {lookups} route lookups"
        )
    found, whole = claims.of_reports(terminalreporter.config, terminalreporter.stats)
    false, new = claims.judge(found, whole)
    for text in false:
        terminalreporter.write_line(
            f"    claimed in compared.txt and not met by its comparison: {text}", red=True
        )
    if new:
        terminalreporter.write_line(f"    met and not claimed: {', '.join(new)}")

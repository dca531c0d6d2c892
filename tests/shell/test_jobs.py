"""What goes on behind an &, what has a terminal to print to, base64, and commands that a real machine has."""

from __future__ import annotations

import base64
import subprocess

import pytest

from engine.shell.shell import Shell
from engine.shell.tools import REAL
from tests.shell.clusters import world

TEXT = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: nginx, ports: [{containerPort: 80}]}]}
"""


@pytest.fixture(scope="module")
def shell() -> Shell:
    return Shell(world(TEXT), "node/cp")


def test_jobs_are_numbered_listed_and_ended(shell: Shell) -> None:
    first = shell.run("kubectl port-forward pod/web 8080:80 &")
    second = shell.run("nc -l -p 5555 &")
    assert first.stdout.startswith("[1] ") and second.stdout.startswith("[2] ")
    assert shell.run("jobs").stdout == (
        "[1]-  Running                 kubectl port-forward pod/web 8080:80 &\n"
        "[2]+  Running                 nc -l -p 5555 &\n"
    )
    assert shell.run("kill %1").code == 0
    assert shell.run("jobs").stdout == "[2]+  Running                 nc -l -p 5555 &\n"
    assert shell.run("kill %1").stderr == "bash: kill: %1: no such job\n"


def test_without_t_a_program_in_a_container_has_no_terminal(shell: Shell) -> None:
    names = shell.run("kubectl exec web -- ls /").stdout
    assert names.splitlines() == sorted(names.split()) and len(names.splitlines()) > 3
    assert len(shell.run("kubectl exec -it web -- ls /").stdout.splitlines()) == 1
    assert shell.run("kubectl exec -it web -- ls / | cat").stdout == names


@pytest.mark.parametrize(
    "line", ["echo -n abc | base64", "echo YWJj | base64 -d", "echo '***' | base64 -d", "echo YW | base64 -d"]
)
def test_base64_as_coreutils_has_it(shell: Shell, line: str) -> None:
    real = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    got = shell.run(line)
    assert (got.stdout, got.stderr, got.code) == (real.stdout, real.stderr, real.returncode)


def test_base64_breaks_its_lines(shell: Shell) -> None:
    packed = base64.b64encode(b"x" * 100).decode()
    shell.run(f"printf '%s' {'x' * 100} > /tmp/x")
    assert shell.run("base64 /tmp/x").stdout == f"{packed[:76]}\n{packed[76:]}\n"
    assert shell.run("base64 -w 0 /tmp/x").stdout == packed


def test_printenv(shell: Shell) -> None:
    assert shell.run("printenv HOME").stdout == "/root\n"
    assert shell.run("printenv HOME NOPE").code == 1


def test_what_a_real_machine_has_is_never_said_not_to_be_found(shell: Shell) -> None:
    for name in REAL.split():
        result = shell.run(name)
        assert result.code == 2 and f"`{name}` is not modelled here" in result.stderr

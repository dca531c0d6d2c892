"""awk in the lab's shell against mawk 1.3.4: tests/golden/shell/awk.json holds what it printed for one input (lines,
run by bash with the input on stdin)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.shell.shell import Shell
from tests.shell.clusters import world

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "shell" / "awk.json").read_text())
TEXT = """
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: nginx}]}
"""


@pytest.fixture(scope="module")
def shell() -> Shell:
    shell = Shell(world(TEXT), "node/cp")
    shell.run("cat > /tmp/in <<'EOF'\n" + GOLDEN["input"] + "EOF")
    return shell


@pytest.mark.parametrize("answer", GOLDEN["answers"], ids=lambda a: a["line"])
def test_awk_prints_what_mawk_prints(shell: Shell, answer: dict[str, Any]) -> None:
    result = shell.run(f"cat /tmp/in | {answer['line']}")
    assert (result.stdout, result.stderr, result.code) == (
        answer["stdout"],
        answer["stderr"],
        answer["code"],
    )


@pytest.mark.parametrize(
    ("program", "what"),
    [
        ("NR==2,NR==3", "pattern, pattern"),
        ("{ $2=1; print }", "$N ="),
        ('{ print > "x" }', "print >"),
        ('{ print $1 > "x" }', "print >"),
        ("{ if ($4>2) print $1 }", "if"),
        ("{ a[$1]++ }", "a["),
        ("{ print substr($1,1,2) }", "substr("),
        ("{ print ($1 > 2) ? 1 : 2 }", "?:"),
        ('{ printf "%c", $1 }', "%c"),
        ("{ NF=1; print }", "NF ="),
        ("{ print x^2 }", "^"),
        ("{ ++x }", "++"),
        ("/(/", "/(/"),
        ('$1 ~ "["', "/[/"),
        ('BEGIN { while ("x" | getline) n++ }', "while"),
    ],
)
def test_what_of_awk_is_not_modelled_is_named(shell: Shell, program: str, what: str) -> None:
    result = shell.run(f"cat /tmp/in | awk '{program}'")
    assert result.code == 2 and "awk" in result.stderr and what in result.stderr
    assert "not modelled here" in result.stderr


def test_awk_of_what_kubectl_prints(shell: Shell) -> None:
    line = """kubectl get pods --no-headers | awk '$3=="Running" {print $1}'"""
    assert shell.run(line).stdout == "web\n"

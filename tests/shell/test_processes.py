"""ps, lsns, nsenter, kill against the lines of the real tools (tests/golden/shell/processes.txt)."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engine.linux.ops import StartProc
from engine.shell.shell import Shell
from tests.shell.labs import at, three
from tests.shell.test_goldens import transcript

GOLDEN = {command: (text, code) for _, command, text, code in transcript("processes")}


@pytest.fixture
def shell() -> Shell:
    """The processes of the golden's scene: 1 the script, 38 and 39 its children in namespaces of their own."""
    world = three()
    box = world.net.boxes["lab"]
    box.procs[1] = replace(box.procs[1], args=("bash", "/tmp/k8snet-scene"))
    for pid, name, seconds in ((38, "a", "1000"), (39, "b", "2000")):
        world.do(StartProc(box="lab", args=("sleep", seconds), netns=f"lab/{name}", pid=pid, new=("net",)))
    return at(world)


def rows(text: str) -> list[str]:
    """The title and the rows of processes 1, 38 and 39, with times, sizes and states masked."""
    kept = []
    for line in text.splitlines():
        if re.search(r"^\S*PID |PID|\b(1 |38|39)\b", line) and not re.search(r"\bps\b", line):
            line = re.sub(r"\d\d:\d\d(?!:)", "HH:MM", line)
            line = re.sub(r"\d\.\d +\d\.\d +\d+ +\d+", "SIZES", line)
            kept.append(re.sub(r"\bSs?\b", "S", re.sub(r" \d HH", " 0 HH", line)).rstrip())
    return kept


@pytest.mark.parametrize(
    "command",
    [
        "ps aux",
        "ps -ef",
        "ps -e -o pid,ppid,comm",
        "ps -eo pid,args",
        "ps -o pid= -C sleep",
        "ps -p 1 -o pid,cmd",
    ],
)
def test_ps_prints_the_same_columns(shell: Shell, command: str) -> None:
    result = shell.run(command)
    assert [re.sub(r" +", " ", r) for r in rows(result.stdout)] == [
        re.sub(r" +", " ", r) for r in rows(GOLDEN[command][0])
    ]
    assert rows(result.stdout)[0] == rows(GOLDEN[command][0])[0]


@pytest.mark.parametrize(
    "command",
    ["lsns -t foo", "lsns --nosuch", "nsenter -t 99999 -n true", "nsenter -n true", "nsenter --bad"],
)
def test_errors_are_those_of_the_real_tools(shell: Shell, command: str) -> None:
    result = shell.run(command)
    assert (result.stderr.rstrip("\n"), result.code) == GOLDEN[command]


@pytest.mark.parametrize("command", ["kill 99999", "kill", "kill -l TERM", "kill abc", "kill -FOO 1"])
def test_kill_speaks_as_bash(shell: Shell, command: str) -> None:
    result = shell.run(command)
    text, code = GOLDEN[command]
    assert (result.stdout + result.stderr).rstrip("\n") == text.replace("line 1: ", "")
    assert result.code == code


def test_lsns_shows_the_tree_of_the_real_one(shell: Shell) -> None:
    ours = [line.split() for line in shell.run("lsns -t net").stdout.splitlines()]
    real = [line.split() for line in GOLDEN["lsns -t net"][0].splitlines()]
    assert ours[0] == real[0]
    for mine, theirs in zip(ours[2:], real[2:], strict=True):
        assert mine[1:3] == theirs[1:3]
        assert mine[3:5] == theirs[3:5]
        assert mine[-2:] == theirs[-2:]
    assert shell.run("lsns").stdout.splitlines()[0].split() == GOLDEN["lsns"][0].splitlines()[0].split()
    assert [
        line.split()[1:] for line in shell.run("lsns -n -t net -o NS,TYPE,PID,COMMAND").stdout.splitlines()
    ][1:] == [line.split()[1:] for line in GOLDEN["lsns -n -t net -o NS,TYPE,PID,COMMAND"][0].splitlines()][
        1:
    ]


def test_lsns_of_one_process_lists_its_eight_namespaces(shell: Shell) -> None:
    lines = shell.run("lsns -p 38").stdout.splitlines()
    assert len(lines) == 9
    assert [line.split()[1] for line in lines[1:]].count("net") == 1


def test_killing_a_process_frees_its_namespace(shell: Shell) -> None:
    shell.run("ip netns del a")
    assert "lab/a" in shell.world.net.spaces
    shell.run("kill 38")
    assert "lab/a" not in shell.world.net.spaces

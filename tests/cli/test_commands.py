"""trace, flows, shell, lessons: text and JSON, exit codes, errors, no colour without a terminal."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from course.__main__ import main
from course.cli.common import Paint

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "tests" / "lessons" / "sample"
TABLE = ROOT / "tests" / "flows" / "two-nodes.yaml"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


class Ran:
    """One command line."""

    def __init__(self, capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> None:
        try:
            self.code = main(list(words))
        except SystemExit as end:
            self.code = int(end.code or 0)
        captured = capsys.readouterr()
        self.out, self.err = captured.out, captured.err

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    return lambda *words: Ran(capsys, words)


# ---- trace


def test_trace_text(run: Any) -> None:
    got = run("trace", "two-nodes", "pod/a", "pod/c:80")
    assert got.code == 0
    lines = got.out.splitlines()
    assert lines[0] == "nc -zv 10.244.2.2 80: delivered, it arrived, and the answer came back"
    assert any(line.lstrip().startswith("1  pod/a/nc") for line in lines)
    assert "-- the way back --" in lines
    assert any("10.244.2.0/24 via 192.168.10.102 dev eth0" in line for line in lines)
    assert "\x1b" not in got.out


def test_trace_in_korean(run: Any) -> None:
    got = run("trace", "two-nodes", "pod/a", "pod/c:80", "--lang", "ko")
    assert "도착했고 응답도 돌아왔습니다" in got.out
    assert "-- 돌아오는 길 --" in got.out


def test_trace_json_is_the_public_form(run: Any) -> None:
    got = run("trace", "two-nodes", "pod/a", "host/internet:80", "--json")
    assert got.code == 0
    journey = got.json
    assert list(journey) == ["version", "outcome", "legs"]
    assert journey["version"] == 1
    leg = journey["legs"][0]
    assert list(leg) == ["purpose", "forward", "back"]
    hop = leg["forward"]["hops"][1]
    assert {"node", "namespace", "device", "steps"} <= set(hop)
    step = hop["steps"][-1]
    assert {"kind", "before", "after", "why", "fidelity"} <= set(step)
    assert step["after"][0]["layer"] == "ethernet"


def test_trace_refused_is_still_a_trace(run: Any) -> None:
    got = run("trace", "two-nodes", "pod/a", "pod/b:81")
    assert got.code == 0
    assert "refused" in got.out.splitlines()[0]


def test_trace_of_what_is_not_modelled_is_1(run: Any) -> None:
    got = run("trace", "two-nodes", "pod/a", "https://pod/b:443/")
    assert got.code == 1
    assert "https is not modelled here" in got.out
    asked = run("trace", "two-nodes", "pod/a", "pod/b:80", "--proto", "https", "--json")
    assert asked.json["outcome"] == "not-modelled"


def test_trace_of_plain_manifests(run: Any, tmp_path: Path) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"
    pod += "spec: {containers: [{name: c, image: nginx, ports: [{containerPort: 80}]}]}\n"
    (tmp_path / "all.yaml").write_text(
        "---\n".join([pod % "a", pod % "b", "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: t}\n"])
    )
    got = run("trace", str(tmp_path), "pod/a", "pod/b:80")
    assert got.code == 0
    assert "delivered" in got.out
    assert "Thing" in got.err
    assert "skipped" in got.err


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            ["trace", "nothing-like-it", "pod/a", "pod/b:80"],
            "there is no lab, file, folder or lesson 'nothing-like-it'",
        ),
        (["trace", "two-nodes", "pod/zz", "pod/b:80"], "there is no pod/zz in this lab"),
        (["trace", "two-nodes", "pod/a", "pod/b"], "pod/b needs a port for tcp"),
        (
            ["trace", "two-nodes", "pod/a", "http://internet/", "--header", "x"],
            "'x' is not a header; write NAME: VALUE",
        ),
        (["trace", "two-nodes", "pod/a"], "the following arguments are required: TO"),
        (["trace", "two-nodes", "pod/a", "pod/b:80", "--proto", "xyz"], "invalid choice: 'xyz'"),
        (["flows", "no-such-file.yaml"], "no-such-file.yaml: there is no such file"),
        (["shell", "two-nodes", "--on", "node/w9", "-c", "ip a"], "there is no place called 'node/w9' here"),
        (["lessons", "check"], "check what?"),
        (["lessons", "check", "no-such-lesson"], "no-such-lesson is no lesson"),
        (["lessons", "lst"], "invalid choice: 'lst'"),
    ],
)
def test_bad_input_is_2_in_text_and_in_json(
    run: Any, words: list[str], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = run(*words)
    assert got.code == 2
    assert error in got.err
    assert "Traceback" not in got.err
    monkeypatch.setattr(sys, "argv", ["k8snet-tutor", *words, "--json"])
    got = run(*words, "--json")
    assert got.code == 2
    assert error in got.json["error"]
    assert got.err == ""


def test_every_problem_of_a_lab_file_is_in_the_json(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text("nodes:\n  - {nam: w1}\nfabrc: x\n")
    got = run("trace", str(path), "pod/a", "pod/b:80", "--json")
    assert got.code == 2
    assert [p["where"].removeprefix(f"{path}:") for p in got.json["problems"]] == [
        "3: fabrc",
        "2: nodes[0].nam",
        "2: nodes[0]",
    ]


def test_pictures_and_captures(run: Any, tmp_path: Path) -> None:
    for kind in ("pcap", "svg"):
        target = tmp_path / f"x.{kind}"
        got = run("trace", "two-nodes", "pod/a", "pod/b:80", f"--{kind}", str(target))
        if (ROOT / "engine" / "export" / f"{kind}.py").exists():
            assert got.code == 0
            assert target.stat().st_size > 100
        else:
            assert got.code == 2
            assert f"trace --{kind} is not modelled here" in got.err


# ---- flows


def test_flows(run: Any) -> None:
    got = run("flows", str(TABLE))
    assert got.code == 0
    lines = got.out.splitlines()
    assert lines[0] == str(TABLE)
    assert all(line.startswith("  ok  ") for line in lines[1:-1])
    assert lines[-1] == f"{len(lines) - 2} passed, 0 failed"


def test_flows_that_do_not_hold(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(
        "lab: {hosts: [{name: a}, {name: b}]}\n"
        "flows:\n  - {from: host/a, to: host/b:80, expect: {outcome: delivered}}\n"
    )
    got = run("flows", str(path))
    assert got.code == 1
    assert "  FAIL  host/a -> host/b:80 (tcp)" in got.out
    assert "expected delivered, but refused" in got.out
    assert "ss -lnt" in got.out
    out = run("flows", str(path), "--json").json
    assert (out["passed"], out["failed"]) == (0, 1)
    assert [r["ok"] for r in out["rows"]] == [False]
    several = run("flows", str(path), str(TABLE), "--json")
    assert several.code == 1
    assert [t["file"] for t in several.json] == [str(path), str(TABLE)]


def test_a_table_with_a_lab_file_beside_it(run: Any, tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("hosts: [{name: a}, {name: b, listen: [80]}]\n")
    (tmp_path / "t.yaml").write_text(
        "lab: lab.yaml\nflows: [{from: host/a, to: 'host/b:80', expect: {outcome: delivered}}]\n"
    )
    assert run("flows", str(tmp_path / "t.yaml")).code == 0


def test_places_of_an_inline_lab_are_those_of_the_table(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("lab:\n  hosts:\n    - {nam: a}\nflows: [{from: a, to: b}]\n")
    assert f"{path}:3: hosts[0].nam: there is no key 'nam' here" in run("flows", str(path)).err


# ---- shell


def test_shell_command(run: Any) -> None:
    got = run("shell", "two-nodes", "--on", "pod/a", "-c", "ip route show default")
    assert (got.code, got.out, got.err) == (0, "default via 10.244.1.1 dev eth0 \n", "")
    got = run("shell", "two-nodes", "--on", "node/w1", "-c", "ip link show nothing")
    assert got.code == 1
    assert got.err == 'Device "nothing" does not exist.\n'


def test_shell_lines_from_a_pipe(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lines_in = ["ip link set cni0 down", "ip -br link show cni0", ":undo", ":undo", "ip -br link show cni0"]
    text = "\n".join([*lines_in, ":place pod/a", "hostname", ":nonsense", ""])
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    got = run("shell", "two-nodes", "--on", "node/w1")
    lines = got.out.splitlines()
    assert lines[0].split()[:2] == ["cni0", "DOWN"]
    assert lines[1] == "taken back: node/w1: ip -br link show cni0"
    assert lines[3].split()[:2] == ["cni0", "UP"]
    assert lines[4] == "a"
    assert "there is no :nonsense" in got.err


def test_shell_json(run: Any) -> None:
    got = run("shell", "two-nodes", "--on", "pod/a", "-c", "ping -c 1 10.244.1.1", "--json").json
    assert list(got) == ["place", "line", "stdout", "stderr", "code", "journeys"]
    assert got["code"] == 0
    assert got["journeys"][0]["outcome"] == "delivered"


# ---- lessons


def test_lessons_list(run: Any) -> None:
    got = run("lessons")
    assert got.code == 0
    assert "Foundations" in got.out
    assert "03-cni-bridge" in got.out
    assert "기초" in run("lessons", "list", "--lang", "ko").out
    rows = run("lessons", "--json").json["lessons"]
    assert len(rows) >= 19
    assert set(rows[0]) == {"id", "status", "minutes", "title", "summary"}
    assert set(rows[0]["title"]) == {"en", "ko"}


def test_lessons_check(run: Any, tmp_path: Path) -> None:
    got = run("lessons", "check", str(SAMPLE / "01-sample"))
    assert got.code == 0, got.out
    assert "  ok    which-wire (predict)" in got.out.splitlines()
    shutil.copytree(SAMPLE, tmp_path / "course")
    path = tmp_path / "course" / "01-sample" / "exercises.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("      - 192.168.10.1\n", ""), encoding="utf-8")
    got = run("lessons", "check", str(path.parent), "--json")
    assert got.code == 1
    lesson = got.json["lessons"][0]
    assert [e["id"] for e in lesson["exercises"] if not e["ok"]] == ["find-the-gateway"]
    assert lesson["exercises"][0].keys() == {"id", "kind", "ok", "problems"}


# ---- colour


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_only_on_a_terminal_and_never_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert Paint(Terminal())("red", "x") == "\x1b[31mx\x1b[0m"
    assert Paint(io.StringIO())("red", "x") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint(Terminal())("red", "x") == "x"


# ---- the program itself


def program(*words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "course", *words],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C.UTF-8", **env},
    )


def test_the_program_from_outside() -> None:
    got = program("shell", "workbench", "--on", "host/bench", stdin="ip -br addr show eth0\nfalse\n")
    assert got.returncode == 1
    assert got.stdout.split() == ["eth0", "UP", "192.168.10.40/24"]
    got = program("trace", "workbench", "host/bench", "host/laptop:80", "--nonsense")
    assert got.returncode == 2
    assert "Traceback" not in got.stderr
    got = program("flows", "--json")
    assert got.returncode == 2
    assert "FILE" in json.loads(got.stdout)["error"]


@pytest.mark.parametrize("word", ["trace", "flows", "shell", "lessons"])
def test_help_of_each(run: Any, word: str) -> None:
    got = run(word, "-h")
    assert got.code == 0
    assert f"k8snet-tutor {word}" in got.out
    assert "--json" in got.out

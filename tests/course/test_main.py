"""The program's door: help, version, subcommands, refusals, and what a person sees when something fails."""

from __future__ import annotations

import argparse
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.cells import cell_len

from course import __version__
from course.__main__ import COMMANDS, help_text, main
from engine.errors import InputError, Problem
from engine.say import plain

ROOT = Path(__file__).resolve().parents[2]


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, without a terminal."""
    return subprocess.run(
        [sys.executable, "-m", "course", *argv],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[argparse.Namespace], int]], None]:
    """Let the subcommand `trace` be this function for one test."""

    def install(body: Callable[[argparse.Namespace], int]) -> None:
        def parser() -> argparse.ArgumentParser:
            made = argparse.ArgumentParser(prog="k8snet-tutor trace")
            made.add_argument("lab")
            return made

        monkeypatch.setitem(sys.modules, "course.cli.trace", SimpleNamespace(parser=parser, run=body))  # type: ignore[arg-type]

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return install


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_has_one_line_for_each_command(option: str) -> None:
    shown = run(option)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == help_text("en")
    lines = shown.stdout.splitlines()
    order = [word for line in lines if (word := line.strip().split(" ")[0]) in COMMANDS]
    assert order == list(COMMANDS)


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_help_fits_into_eighty_columns(lang: str) -> None:
    assert [line for line in help_text(lang).splitlines() if cell_len(line) > 79] == []


def test_help_is_korean_in_a_korean_locale_or_when_asked() -> None:
    assert run("--help", LC_ALL="ko_KR.UTF-8").stdout == help_text("ko")
    assert run("--help", "--lang", "ko").stdout == help_text("ko")
    assert run("--help", "--lang=en", LC_ALL="ko_KR.UTF-8").stdout == help_text("en")


def test_version() -> None:
    assert run("--version").stdout == f"k8snet-tutor {__version__}\n"


def test_an_unknown_command_gets_a_guess() -> None:
    shown = run("trac", "lab")
    assert shown.returncode == 2
    assert shown.stderr == (
        "k8snet-tutor: there is no command 'trac' (did you mean trace?). "
        "Commands: trace, flows, shell, real, lessons. See `k8snet-tutor --help`.\n"
    )
    assert "did you mean" not in run("xyzzy").stderr


@pytest.mark.parametrize(
    "wrong", [["--colour"], ["--lang", "fr"], ["--data-dir"], ["--lesson", "1", "more"], ["--les", "1"]]
)
def test_wrong_options_are_one_line(wrong: list[str]) -> None:
    shown = run(*wrong)
    assert shown.returncode == 2
    assert shown.stderr.count("\n") == 1
    assert shown.stderr.endswith("`k8snet-tutor --help` lists the options.\n")


def test_without_a_terminal_it_names_the_ways_that_need_none() -> None:
    shown = run()
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == (
        "k8snet-tutor: the course needs a terminal on its input and output (stdin is not a terminal). "
        "Without one: `k8snet-tutor --plain`, or the commands trace, flows, shell, real, lessons.\n"
    )


@pytest.mark.parametrize(
    ("where", "term"), [("stderr", "xterm-256color"), ("stdout", "xterm"), ("all", "dumb")]
)
def test_a_terminal_on_one_side_only_or_a_dumb_one(tmp_path: Path, where: str, term: str) -> None:
    """Textual would draw into the file, or garbage onto the dumb terminal, and wait for ever."""
    control, terminal = pty.openpty()
    streams: dict[str, int] = {"stdin": terminal, "stdout": terminal, "stderr": terminal}
    with open(tmp_path / "out", "wb") as file:
        if where != "all":
            streams[where] = file.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "course"],
            cwd=ROOT,
            env={**os.environ, "TERM": term, "LC_ALL": "C.UTF-8"},
            **streams,  # type: ignore[call-overload]
        )
        assert process.wait() == 2
    os.close(terminal)
    shown = (tmp_path / "out").read_bytes() if where == "stderr" else os.read(control, 4096)
    os.close(control)
    assert b"needs a terminal" in shown
    assert (b"TERM=dumb" if where == "all" else where.encode() + b" is not a terminal") in shown
    assert b"\x1b" not in shown


def test_the_course_gets_its_options_and_no_kitty_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[argparse.Namespace] = []

    def run_app(args: argparse.Namespace) -> int:
        assert os.environ["TEXTUAL_DISABLE_KITTY_KEY"] == "1"
        seen.append(args)
        return 5

    monkeypatch.delenv("TEXTUAL_DISABLE_KITTY_KEY", raising=False)
    monkeypatch.setitem(sys.modules, "course.app", SimpleNamespace(run_app=run_app))  # type: ignore[arg-type]
    monkeypatch.setattr("course.__main__.why_no_terminal", lambda: None)
    options = ["--lesson", "3", "--lang", "ko", "--data-dir", str(tmp_path), "--ascii"]
    assert main(options) == 5
    (args,) = seen
    assert (args.lesson, args.lang, args.data_dir, args.ascii, args.plain) == (
        "3",
        "ko",
        tmp_path,
        True,
        False,
    )
    os.environ["TEXTUAL_DISABLE_KITTY_KEY"] = "1"  # monkeypatch puts the old state back


def test_a_subcommand_gets_its_own_arguments(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda args: 1 if args.lab == "my-lab" else 0)
    assert main(["trace", "my-lab"]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["trace", "-h"])
    assert caught.value.code == 0
    assert "usage: k8snet-tutor trace" in capsys.readouterr().out


def test_an_error_of_the_engine_is_its_sentence(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    def body(args: argparse.Namespace) -> int:
        raise InputError([Problem(where=f"lab.yaml:{n}", said=plain("no")) for n in (3, 9)])

    command(body)
    assert main(["trace", "x"]) == 2
    assert capsys.readouterr().err == "k8snet-tutor: lab.yaml:3: no\nlab.yaml:9: no\n"


def test_a_defect_is_one_line_and_a_crash_file(
    command: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def body(args: argparse.Namespace) -> int:
        raise RuntimeError("first line\nsecond line")

    command(body)
    os.environ["XDG_DATA_HOME"], before = str(tmp_path), os.environ["XDG_DATA_HOME"]
    try:
        assert main(["trace", "x"]) == 70
    finally:
        os.environ["XDG_DATA_HOME"] = before
    said = capsys.readouterr().err
    (file,) = tmp_path.rglob("crash-*.txt")
    assert said.count("\n") == 1
    assert "RuntimeError: first line." in said and str(file) in said
    assert 'raise RuntimeError("first line' in file.read_text(encoding="utf-8")
    assert __version__ in file.read_text(encoding="utf-8")


def test_an_interrupt_is_quiet(command: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    def body(args: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    command(body)
    assert main(["trace", "x"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    shown = subprocess.run(
        [sys.executable, "-m", "course", "--help"], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True
    )
    os.close(writer)
    assert (shown.returncode, shown.stderr) == (0, "")

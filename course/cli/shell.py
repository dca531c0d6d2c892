"""`shell LAB`: the lab's shell, line by line: `-c CMD`, lines from a pipe, or a prompt.

With --json one line a command: {"place", "line", "stdout", "stderr", "code", "journeys"}. A line `:place NAME`
changes the place, `:places` lists them, `:undo`, `:redo`, `:reset` go back and forth. Exit code 1 when the last
command of -c or of a pipe failed (its own code is in the JSON).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress

from course import editors
from course.cli.common import Paint, Parser, both, guarded, make_parser, open_lab, say_notes, words
from course.downloads import keep
from course.words_lesson import NOT_SAVED
from engine.errors import EngineError
from engine.lab.lab import Lab
from engine.say import Phrase
from engine.shell.shell import Result

ABOUT = ("The lab's shell, line by line.", "실습 환경의 셸을 한 줄씩 씁니다.")
WELCOME = Phrase(
    en="You are at {place}. `help` lists the tools, `:places` the other places, Ctrl-D ends.",
    ko="지금 {place}에 있습니다. `help`는 도구 목록, `:places`는 다른 곳 목록, Ctrl-D는 끝내기입니다.",
)
UNDONE = Phrase(en="taken back: {act}", ko="되돌렸습니다: {act}")
REDONE = Phrase(en="done again: {act}", ko="다시 했습니다: {act}")
NOTHING = Phrase(en="there is nothing to take back", ko="되돌릴 것이 없습니다")
RESET = Phrase(en="the lab is as it was opened", ko="실습 환경이 처음 상태가 되었습니다")
NO_WORD = Phrase(
    en="there is no {word}; there are :place NAME, :places, :undo, :redo, :reset",
    ko="{word}은(는) 없습니다. :place 이름, :places, :undo, :redo, :reset이 있습니다",
)


def parser() -> Parser:
    p = make_parser("shell", ABOUT)
    p.add_argument("lab", metavar="LAB")
    p.add_argument("-c", dest="command", metavar="CMD", help=both("run this and end", "이 명령만 실행"))
    p.add_argument(
        "--on",
        metavar="PLACE",
        default="",
        help=both("node/w1, pod/NAME, host/NAME ...", "node/w1, pod/이름, host/이름 ..."),
    )
    p.add_argument("--seed", type=int, default=0)
    return p


def run(argv: Sequence[str] | argparse.Namespace) -> int:
    args = words(argv, parser())
    return guarded(args, lambda: _run(args))


def first_place(lab: Lab) -> str:
    """Where a person lands: the control plane's node, else the first place."""
    nodes = lab.source.description.nodes
    planes = [f"node/{n.name}" for n in nodes if n.control_plane]
    return (planes or lab.places())[0]


def _run(args: argparse.Namespace) -> int:
    lab = open_lab(args.lab, seed=args.seed, lang=args.lang)
    terminal = Terminal(lab, args.on or first_place(lab), args)
    lab.shell(terminal.place)
    if args.command is not None:
        terminal.line(args.command)
        return int(terminal.code != 0)
    if sys.stdin.isatty():
        say_notes(lab, args.lang)
        print(WELCOME(place=terminal.place).text(args.lang))
    for line in terminal.lines():
        if line.strip():
            terminal.line(line)
    return 0 if sys.stdin.isatty() else int(terminal.code != 0)


class Terminal:
    """The lines of one session."""

    def __init__(self, lab: Lab, place: str, args: argparse.Namespace) -> None:
        self.lab, self.place, self.args = lab, place, args
        self.code = 0
        self.paint = Paint()

    def lines(self) -> Iterator[str]:
        """Typed lines with a prompt, or the lines of a pipe; until the end of input."""
        if not sys.stdin.isatty():
            for line in sys.stdin:
                yield line.rstrip("\n")
            return
        with suppress(ImportError):
            import readline  # noqa: F401  (line editing and history at the prompt)
        while True:
            try:
                yield input(self.lab.shell(self.place).prompt)
            except EOFError:
                print()
                return
            except KeyboardInterrupt:
                print("^C")

    def line(self, line: str) -> None:
        if line.lstrip().startswith(":"):
            self.own(line.split())
            return
        try:
            result = self.lab.run(self.place, line)
        except EngineError as error:
            self.code = 2
            print(error.text(self.args.lang), file=sys.stderr)
            return
        self.code = result.code
        if result.edit is not None and sys.stdin.isatty() and (program := editors.chosen()):
            self.edit(result, program)
            return
        self.show(line, result)
        for said in keep(result.downloads):
            print(said.text(self.args.lang), file=sys.stderr)

    def show(self, line: str, result: Result) -> None:
        if self.args.json:
            journeys = [j.to_json() for j in result.journeys]
            value = {"place": self.place, "line": line, "stdout": result.stdout, "stderr": result.stderr}
            print(json.dumps({**value, "code": result.code, "journeys": journeys}, ensure_ascii=False))
            return
        print(result.stdout, end="")
        sys.stdout.flush()
        print(result.stderr, end="", file=sys.stderr)
        sys.stderr.flush()

    def edit(self, result: Result, program: list[str]) -> None:
        """A command wants a text edited: run the learner's editor and type what was saved. `result` may say why the
        text of the last time was refused."""
        asked = result.edit
        assert asked is not None
        print(asked.why, end="", file=sys.stderr)
        new = editors.edited(asked.name, asked.text, program)
        if new is None or new == asked.text:
            print(NOT_SAVED().text(self.args.lang), file=sys.stderr)
            return
        self.line(editors.heredoc(asked.command, new))

    def own(self, typed: list[str]) -> None:
        """A word of ours."""
        lang = self.args.lang
        if typed[0] == ":place" and len(typed) == 2:
            try:
                self.lab.shell(typed[1])
                self.place = typed[1]
            except EngineError as error:
                print(error.text(lang), file=sys.stderr)
        elif typed == [":places"]:
            print("\n".join(self.lab.places()))
        elif typed in ([":undo"], [":redo"]):
            act = self.lab.undo() if typed == [":undo"] else self.lab.redo()
            phrase = UNDONE if typed == [":undo"] else REDONE
            print((NOTHING() if act is None else phrase(act=act.text())).text(lang))
        elif typed == [":reset"]:
            self.lab.reset()
            print(RESET().text(lang))
        else:
            self.code = 2
            print(NO_WORD(word=typed[0]).text(lang), file=sys.stderr)

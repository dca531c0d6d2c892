"""iptables-restore without a shell around it: its text, table by table, as ops.

Rules. As xtables-restore.c of iptables 1.8.9: a table is committed whole at its COMMIT, tables before a refused one
stay, and errors name the line. What iptables itself refuses (an unknown option) is found while reading; a chain to
jump to that does not exist is found at COMMIT, and named with COMMIT's line. --test stops short of COMMIT, and so
finds only the first kind.
"""

from __future__ import annotations

import re

from engine.errors import NotModelled, OpError
from engine.linux.net import Net
from engine.linux.ops.xt import XtOp
from engine.linux.ops.xtrestore import Restored, XtRestore
from engine.linux.xt.command import Do, Result, op_of, with_sets
from engine.linux.xt.options import Problem
from engine.linux.xt.parse import (
    BadArgument,
    HelpAsked,
    OtherFamily,
    VersionAsked,
    parse,
    split,
    valid_chain_name,
)
from engine.linux.xt.refused import XtRefused, hint, problem_text
from engine.linux.xt.tables import TABLES, builtin

PROGRAM = "iptables-restore"
_COUNTERS = re.compile(r"\[(\d+):(\d+)\]")


class Stop(Exception):
    """The text cannot be used; its arguments are (stderr, exit code)."""


class Reader:
    """One text while it is read. `only` restores a single table (-T)."""

    def __init__(
        self, net: Net, netns: str, do: Do, *, keep: bool, test: bool, counters: bool, only: str
    ) -> None:
        self.net, self.netns, self.do = net, netns, do
        self.keep, self.test, self.counters, self.only = keep, test, counters, only
        self.table = ""
        self.chains: list[Restored] = []
        self.steps: list[tuple[int, XtOp]] = []
        self.warnings = ""

    def line(self, number: int, text: str) -> None:
        """One line of the text. Raises Stop."""
        if not text or text.startswith("#"):
            return
        if self.table and text == "COMMIT":
            self.commit(number)
        elif text.startswith("*") and not self.table:
            name = text[1:].split()[0] if text[1:].split() else ""
            if name not in TABLES:
                what = f"table name '{name}' invalid" if name else "table name invalid"
                raise Stop(*problem_text(Problem(f"{PROGRAM}: line {number} {what}"), PROGRAM, number))
            self.table, self.chains, self.steps = name, [], []
        elif text.startswith(":") and self.table:
            self.chain(number, text[1:].split())
        elif self.table:
            self.command(number, text)
        else:
            raise Stop(f"{PROGRAM}: line {number} failed\n", 1)

    def chain(self, number: int, words: list[str]) -> None:
        """`:NAME POLICY [packets:bytes]`."""
        try:
            if not words:
                raise Problem(f"{PROGRAM}: line {number} chain name invalid")
            valid_chain_name(words[0])
            if len(words) < 2:
                raise Problem(f"{PROGRAM}: line {number} policy invalid")
            if words[0] not in builtin(self.table):
                self.chains.append(Restored(name=words[0]))
                return
            packets = size = 0
            if self.counters:
                found = _COUNTERS.fullmatch(words[2]) if len(words) > 2 else None
                if found is None:
                    raise Problem(f"invalid policy counters for chain '{words[0]}'")
                packets, size = int(found[1]), int(found[2])
        except Problem as problem:
            raise Stop(*problem_text(problem, PROGRAM, number)) from None
        policy = "ACCEPT" if words[1] == "-" else words[1]
        if policy not in ("ACCEPT", "DROP"):
            raise Stop(f"{PROGRAM}: line {number} failed: Bad policy name.\n", 1)
        self.chains.append(Restored(name=words[0], policy=policy, packets=packets, bytes=size))

    def command(self, number: int, text: str) -> None:
        """`[packets:bytes] -A CHAIN ...` or another command of iptables."""
        try:
            given: tuple[int, int] | None = None
            if text.startswith("["):
                inside, closed, text = text[1:].partition("]")
                if not closed:
                    raise Problem(f"Bad line {number}: need ]")
                found = _COUNTERS.fullmatch(f"[{inside}]")
                given = (int(found[1]), int(found[2])) if found else None
            command = with_sets(self.net, self.netns, parse(split(text), restore=True, table=self.table))
        except Problem as problem:
            raise Stop(*problem_text(problem, PROGRAM, number)) from None
        except BadArgument as error:
            tail = f"Error occurred at line: {number}\n{hint(PROGRAM)}"
            raise Stop(f"Bad argument `{error}'\n{tail}", 2) from None
        except OtherFamily:
            return
        except (HelpAsked, VersionAsked):
            raise NotModelled(f"{PROGRAM} with -h or -V in its text") from None
        if command.command in ("L", "S", "C"):
            raise NotModelled(f"{PROGRAM} with -{command.command} in its text")
        if self.counters and given is not None:
            command.counters = given
        self.warnings += command.warnings
        op = op_of(self.netns, command)
        assert isinstance(op, XtOp)
        self.steps.append((number, op))

    def commit(self, number: int) -> None:
        op = XtRestore(
            netns=self.netns,
            table=self.table,
            chains=tuple(self.chains),
            steps=tuple(self.steps),
            keep=self.keep,
        )
        self.table = ""
        if self.test or (self.only and self.only != op.table):
            return
        try:
            self.do(op)
        except XtRefused as error:
            at = error.at(number) if error.shape == "check" else error
            raise Stop(*at.render(PROGRAM)) from None


def restore(
    net: Net, netns: str, text: str, do: Do, *,
    keep: bool = False, test: bool = False, counters: bool = False, only: str = "",
) -> Result:  # fmt: skip
    """(stdout, stderr, exit code) of iptables-restore fed with `text`. `keep` is --noflush."""
    reader = Reader(net, netns, do, keep=keep, test=test, counters=counters, only=only)
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    try:
        for number, line in enumerate(lines, 1):
            reader.line(number, line)
    except Stop as stop:
        return "", reader.warnings + stop.args[0], stop.args[1]
    if reader.table:
        return "", reader.warnings + f"{PROGRAM}: COMMIT expected at line {len(lines) + 1}\n", 1
    return "", reader.warnings, 0


def restore_text(net: Net, netns: str, text: str, do: Do, *, keep: bool = True) -> None:
    """What a controller feeds to iptables-restore. Raises OpError with its words where it would see it fail."""
    _, err, code = restore(net, netns, text, do, keep=keep)
    if code:
        raise OpError("EINVAL", err.rstrip("\n"))

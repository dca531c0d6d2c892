"""How iptables words a refusal that comes from the kernel or from looking at the kernel's rules.

Rules. Three shapes, with three exit codes: its own check (`iptables v1.8.9 (nf_tables): ...` and a hint, 2), its
own error table (`iptables: ...`, 1), the kernel's answer to one object of a batch (`... RULE_APPEND failed`, 4).
iptables-restore words the same three with the number of the line.
"""

from __future__ import annotations

from engine.errors import OpError
from engine.linux.xt.options import PARAMETER, VERSION, Problem

VERSION_TEXT = "1.8.9 (nf_tables)"

NO_CHAIN = "No chain/target/match by that name"
BAD_RULE = "Bad rule (does a matching rule exist in that chain?)"


class XtRefused(OpError):
    """`shape` is "check", "table" or "kernel"; `word` the message without frame; `line` of the restored text;
    `whole` = the kernel found it by walking the whole table."""

    def __init__(self, errno: str, shape: str, word: str, line: int = 0) -> None:
        self.shape = shape
        self.word = word
        self.line = line
        self.whole = False
        self.spoken = ""
        super().__init__(errno, frame("iptables", shape, word, line)[0].rstrip("\n"))

    def at(self, line: int) -> XtRefused:
        placed = XtRefused(self.errno, self.shape, self.word, line)
        placed.whole = self.whole
        return placed

    def render(self, program: str) -> tuple[str, int]:
        """(stderr, exit code) as `program` prints it."""
        return frame(program, self.shape, self.word, self.line)


def frame(program: str, shape: str, word: str, line: int = 0) -> tuple[str, int]:
    if shape == "check":
        return problem_text(Problem(word), program, line)
    if shape == "incompatible":
        return f"{program} v{VERSION_TEXT}: {word}\n", 1
    if shape == "kernel":
        where = f"\nline {line}:" if line else ""
        return f"{program} v{VERSION_TEXT}: {where} {word}\n", 4
    dmesg = " Run `dmesg' for more information." if word == "Bad policy name" and not line else ""
    return (f"{program}: line {line} failed: {word}.\n" if line else f"{program}: {word}.{dmesg}\n"), 1


def problem_text(problem: Problem, program: str, line: int = 0) -> tuple[str, int]:
    """(stderr, exit code) of a refused command line."""
    out = f"{program} v{VERSION_TEXT}: {problem.message}\n"
    if problem.status == PARAMETER:
        out += (f"Error occurred at line: {line}\n" if line else "") + hint(program)
    elif problem.status == VERSION:
        out += f"Perhaps {program} or your kernel needs to be upgraded.\n"
    return out, problem.status


def hint(program: str) -> str:
    return f"Try `{program} -h' or '{program} --help' for more information.\n"


def no_such_chain(name: str) -> XtRefused:
    return XtRefused("ENOENT", "check", f"Chain '{name}' does not exist")


def kernel(errno: str, verb: str, what: str) -> XtRefused:
    """The kernel's answer to one object of the batch."""
    text = {
        "EINVAL": "Invalid argument", "EMLINK": "Too many links", "EBUSY": "Device or resource busy",
        "ENOENT": "No such file or directory", "EOPNOTSUPP": "Operation not supported",
    }[errno]  # fmt: skip
    return XtRefused(errno, "kernel", f"{verb} failed ({text}): {what}")

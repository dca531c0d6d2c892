"""The transcript of the real conntrack (tests/golden/conntrack), replayed in the lab's shell."""

from __future__ import annotations

import re
from pathlib import Path

from tests.linux.walk.wires import Wires

FOLDER = Path(__file__).parents[1] / "golden" / "conntrack"
#: seconds pass while the real tool is run
SECONDS = re.compile(r"^((?:ipv4 +2 )?\w+ +\d+ )\d+ |(?<=-A -t )\d+ ")


def cases(text: str) -> list[tuple[str, list[str], list[str], int]]:
    """(command, its output sorted, its errors, its code); a kernel lists entries in the order of a hash."""
    found: list[tuple[str, list[str], list[str], int]] = []
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        line, *rows = part.splitlines()
        code = next((int(r[1:-1]) for r in rows if r.startswith("[")), 0)
        out = sorted(loose(r[2:]) for r in rows if r.startswith("|"))
        found.append((line, out, [r[2:] for r in rows if r.startswith("!")], code))
    return found


def loose(row: str) -> str:
    return SECONDS.sub(lambda m: f"{m[1] or ''}SECONDS ", row)


def test_the_tool() -> None:
    w = Wires()
    for line, out, err, code in cases((FOLDER / "tool.txt").read_text()):
        done = w.shell.run(line)
        got = sorted(loose(row) for row in done.stdout.splitlines())
        assert (got, done.stderr.splitlines(), done.code) == (out, err, code), line

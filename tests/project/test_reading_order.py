"""engine/__init__.py lists every file of the engine once, in its room, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import engine

ENGINE = Path(engine.__file__).resolve().parent
#: The reading order of files of a real tool is the tools' own.
UNLISTED = ("shell/tools/",)
#: Files that stand in a room and are read with the room beside it.
BESIDE = {"linux/walk": "linux"}


def listed() -> list[str]:
    """Paths below engine/, as the docstring has them."""
    out: list[str] = []
    room = folder = ""
    for line in (engine.__doc__ or "").splitlines():
        head = re.match(r"(\w[\w ]*\w|\w+)  +|  (\w+)/  +", line)
        if head is not None and head[1]:
            room = folder = "" if head[1] == "below all" else head[1]
        elif head is not None:
            folder = f"{room}/{head[2]}"
        elif "over the walker" in line:
            folder = BESIDE[folder]
        names = re.findall(r"\w+\.py", line)
        out += [f"{folder}/{n}" if folder else n for n in names if n != "__init__.py"]
    return out


def test_every_file_is_listed_once() -> None:
    there = {
        str(path.relative_to(ENGINE))
        for path in ENGINE.rglob("*.py")
        if path.name != "__init__.py" and not str(path.relative_to(ENGINE)).startswith(UNLISTED)
    }
    found = listed()
    assert len(found) == len(set(found))
    assert there - set(found) == set(), "add these to the reading order in engine/__init__.py"
    assert set(found) - there == set(), "these are gone"

"""The course map: what lessons/course.yaml says, read without the engine, so that the first screen is quick.

Rules. Only reading; `lessons check` judges the file. A lesson folder is found beside the file.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

from engine.record import dataclass

LESSONS = Path(str(files("lessons")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One lesson of the map. `number` counts from 1 over the whole course; `ready` when its folder can be opened."""

    id: str
    number: int
    title: dict[str, str]
    summary: dict[str, str]
    minutes: int
    ready: bool

    @property
    def folder(self) -> Path:
        return LESSONS / self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    title: dict[str, str]
    lessons: tuple[Entry, ...]


@cache
def groups() -> tuple[Group, ...]:
    """All groups in order."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load((LESSONS / "course.yaml").read_text(encoding="utf-8"), Loader=loader)
    out: list[Group] = []
    number = 0
    for group in data["groups"]:
        entries = []
        for row in group["lessons"]:
            number += 1
            entries.append(
                Entry(
                    id=row["id"],
                    number=number,
                    title=row["title"],
                    summary=row["summary"],
                    minutes=int(row.get("minutes", 25)),
                    ready=row["status"] == "ready",
                )  # fmt: skip
            )
        out.append(Group(title=group["title"], lessons=tuple(entries)))
    return tuple(out)


def entries() -> list[Entry]:
    return [e for g in groups() for e in g.lessons]


def find(word: str) -> Entry | None:
    """A lesson by its id, its number ("3") or the id without its number."""
    for e in entries():
        if word in (e.id, str(e.number), f"{e.number:02}") or e.id.partition("-")[2] == word:
            return e
    return None

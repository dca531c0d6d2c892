"""The course map: what lessons/course.yaml says, read without the engine, so that the first screen is quick.

Rules. Only reading; `lessons check` judges the file. A lesson folder is found beside the file. What YAML made of the
text is kept in the user's cache directory beside the text itself, because importing a YAML reader costs a twentieth of
the way to the first screen; a cache that cannot be read or written, or holds another text, is passed over.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from course.paths import APPLICATION
from engine.record import dataclass

#: beside this package, in the tree and in the wheel
LESSONS = Path(__file__).resolve().parents[1] / "lessons"


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


def _data(text: str) -> Any:
    """What the YAML text says, from the cache if it is of this text."""
    kept = user_cache_path(APPLICATION, appauthor=False) / "course.json"
    try:
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["text"] == text:
            return found["data"]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no cache, or not ours: read the text itself
    import yaml

    data = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        new = kept.with_name(f"course.{os.getpid()}.json")
        new.write_text(json.dumps({"text": text, "data": data}), encoding="utf-8")
        new.replace(kept)
    except OSError:
        pass  # a read-only home: the next start reads the text again
    return data


@cache
def groups() -> tuple[Group, ...]:
    """All groups in order."""
    data = _data((LESSONS / "course.yaml").read_text(encoding="utf-8"))
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
                )
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

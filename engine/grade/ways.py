"""Ways to solve an exercise, as its file gives them: deeds, answers as typed, commands that find a value.

Rules. `accepted`, `refused` and `solution` are read here and tried by `prove.py`; a value is found by running a
command in a copy of the lab, never written down.
"""

from __future__ import annotations

import re

from engine.errors import EngineError, InputError
from engine.lab.deeds import Deed, read_deeds
from engine.lab.lab import Lab
from engine.lab.reader import A_TEXT, Fields, Node, Problems
from engine.record import dataclass
from engine.say import Phrase, plain

NO_MATCH = Phrase(
    en="the output of `{run}` at {on} has nothing that agrees with {take}: {text}",
    ko="{on}에서 `{run}`의 출력에 {take}와(과) 맞는 것이 없습니다: {text}",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A value found by a command: `take` on the output of `run` at `on`."""

    on: str
    run: str
    take: str
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to solve (or not): deeds, or an answer, or a command that finds one. `finding` is the expected kind."""

    name: str
    deeds: tuple[Deed, ...] = ()
    answer: str = ""
    take: Take | None = None
    finding: str = ""
    where: str = ""


def read_solution(node: Node) -> Way | None:
    deeds = read_deeds(node)
    return Way(name="solution", deeds=deeds, where=node.where) if deeds else None


def read_take(node: Node) -> Take | None:
    f = node.fields("on", "run", "take")
    on, run = f.need("on", A_TEXT()), f.need("run", A_TEXT())
    pattern = None if (n := f.need("take", A_TEXT())) is None else n.pattern()
    place = on.text() if on is not None else None
    line = run.text() if run is not None else None
    if not place or not line or pattern is None:
        return None
    return Take(on=place, run=line, take=pattern.pattern, where=node.where)


def taken(lab: Lab, take: Take, *, many: bool = False) -> str:
    """The value that a command gives, run in a copy. Raises InputError at the place of the value."""
    problems = Problems()
    try:
        copy = lab.copy()
        out = ""
        for line in take.run.splitlines():
            result = copy.run(take.on, line)
            out = result.stdout
        found = [
            next((g for g in m.groups() if g is not None), m[0])
            for m in re.finditer(take.take, out, re.MULTILINE)
        ]
        if found:
            return ",".join(found) if many else found[0].strip()
        text = plain((out or result.stderr).strip()[:200] or "-")
        problems.add(take.where, NO_MATCH(run=take.run, on=take.on, take=take.take, text=text))
    except InputError:
        raise
    except EngineError as error:
        problems.add(take.where, error.said)
    problems.raise_any()
    raise AssertionError


def ways(f: Fields, key: str, *, take: bool = False, apply: bool = False) -> tuple[Way, ...]:
    """`accepted` or `refused`: each a mapping with deeds, a command that finds a value, or an answer as typed."""
    out: list[Way] = []
    for node in f.items(key):
        way = _way(node, take, apply)
        if way is not None:
            out.append(way)
    return tuple(out)


def _way(node: Node, take: bool, apply: bool) -> Way | None:
    value = node.value
    if take:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return Way(name=str(value), answer=str(value), where=node.where)
        found = read_take(node)
        return None if found is None else Way(name=f"{found.on}: {found.run}", take=found, where=node.where)
    if apply and isinstance(value, dict) and "apply" in value:
        g = node.fields("name", "apply", "finding")
        applied = Deed(manifest=g.text("apply"), where=node.where)
        return Way(
            name=g.text("name", "manifest"), deeds=(applied,), finding=g.text("finding"), where=node.where
        )
    g = node.fields("name", "do", "finding")
    name = g.need("name", A_TEXT())
    todo = g.need("do", A_TEXT())
    deeds = read_deeds(todo)
    text = name.text() if name is not None else None
    return Way(name=text or "", deeds=deeds, finding=g.text("finding"), where=node.where) if text else None

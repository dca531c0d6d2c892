"""`did you mean ...`: which name nft thinks of when it does not find one.

Theory. misspell.c of nftables 1.0.6 fills its matrix with rows that overlap by one cell, and compares letters one
place too far; what it suggests depends on that, so it is done the same way here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from engine.linux.nft.sets import NftSet
from engine.linux.nft.tables import Chain, Object, Table

T = TypeVar("T")


def distance(a: str, b: str) -> int:
    wide = len(b)
    cells = [0] * ((len(a) + 1) * (wide + 1))
    for i in range(len(a) + 1):
        cells[i * wide] = i
    for j in range(wide + 1):
        cells[j] = j
    for i in range(1, len(a) + 1):
        for j in range(1, wide + 1):
            cost = 0 if a[i : i + 1] == b[j : j + 1] else 1
            best = min(
                cells[(i - 1) * wide + j] + 1,
                cells[i * wide + j - 1] + 1,
                cells[(i - 1) * wide + j - 1] + cost,
            )
            if i > 1 and j > 1 and a[i : i + 1] == b[j - 1] and a[i - 1] == b[j : j + 1]:
                best = min(best, cells[(i - 2) * wide + j - 2] + cost)
            cells[i * wide + j] = best
    return cells[len(a) * wide + wide]


def nearest(wanted: str, names: Iterable[tuple[str, T]]) -> T | None:
    """The closest of some named things, None when none is close."""
    best: tuple[int, T] | None = None
    for name, thing in names:
        longer, shorter = max(len(name), len(wanted)), min(len(name), len(wanted))
        if longer <= 1:
            continue
        allowed = max(-(-longer // 3), 1) if longer - shorter <= 1 else -(-(longer + 2) // 3)
        away = distance(name, wanted)
        if away <= allowed and (best is None or away < best[0]):
            best = (away, thing)
    return best[1] if best is not None else None


GONE = "No such file or directory"


def table_hint(tables: Iterable[Table], wanted: str) -> str:
    found = nearest(wanted, ((t.name, t) for t in tables))
    return GONE if found is None else f"{GONE}; did you mean table ‘{found.name}’ in family {found.family}?"


def chain_hint(tables: Iterable[Table], wanted: str) -> str:
    rows: list[tuple[str, tuple[Table, Chain]]] = [
        (c.name, (t, c)) for t in tables for c in t.chains.values()
    ]
    found = nearest(wanted, rows)
    if found is None:
        return GONE
    return f"{GONE}; did you mean chain ‘{found[1].name}’ in table {found[0].family} ‘{found[0].name}’?"


def set_hint(tables: Iterable[Table], wanted: str) -> str:
    rows: list[tuple[str, tuple[Table, NftSet]]] = [(s.name, (t, s)) for t in tables for s in t.sets.values()]
    found = nearest(wanted, rows)
    if found is None:
        return GONE
    table, there = found
    kind = "map" if there.is_map else "set"
    return f"{GONE}; did you mean {kind} ‘{there.name}’ in table {table.family} ‘{table.name}’?"


def object_hint(tables: Iterable[Table], wanted: str) -> str:
    rows: list[tuple[str, tuple[Table, Object]]] = [
        (o.name, (t, o)) for t in tables for o in t.objects.values()
    ]
    found = nearest(wanted, rows)
    if found is None:
        return GONE
    return f"{GONE}; did you mean obj ‘{found[1].name}’ in table {found[0].family} ‘{found[0].name}’?"

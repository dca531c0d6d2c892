"""What a measurement is, and how the table of all of them looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row: a measured value beside its gate. `gate` is the most (or with `at_least` the least) that passes;
    None: the value is for information. `value` is None where it could not be measured, `note` then says why."""

    name: str
    value: float | None
    unit: str
    gate: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "NOT MEASURED"
        if self.gate is None:
            return ""
        return "pass" if (self.value >= self.gate if self.at_least else self.value <= self.gate) else "MISS"


def spread(values: Sequence[float], unit: str) -> str:
    return f"{median(values):.3g} {unit} [{min(values):.3g}-{max(values):.3g}], n={len(values)}"


def show(lines: Sequence[Line]) -> str:
    """The table as text."""
    rows = [("what", "measured", "gate", "", "")]
    whys: list[str] = []
    for line in lines:
        note = line.note
        if line.value is None:
            value, note = "-", ""
            why = f"  {line.note}"
            whys += [] if why in whys else [why]
        else:
            value = f"{line.value:,.0f} {line.unit}" if line.value >= 100 else f"{line.value:.3g} {line.unit}"
        gate = "" if line.gate is None else f"{'>=' if line.at_least else '<='} {line.gate:,g} {line.unit}"
        rows.append((line.name, value, gate, line.verdict, note))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    return "\n".join([*table, *(["", "not measured, because:", *whys] if whys else [])])

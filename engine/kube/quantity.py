"""Kubernetes quantities as `kubectl describe node` sums and prints them (apimachinery/pkg/api/resource)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fractions import Fraction

BINARY = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
DECIMAL = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1),
           "k": Fraction(1000), "M": Fraction(10**6), "G": Fraction(10**9), "T": Fraction(10**12),
           "P": Fraction(10**15), "E": Fraction(10**18)}  # fmt: skip
FORM = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)(?:[eE]([+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]?))")


def value(text: str) -> Fraction:
    """`250m` -> 1/4. ValueError for what is no quantity."""
    match = FORM.fullmatch(text)
    if match is None:
        raise ValueError(text)
    if match[2] is not None:
        return Fraction(match[1]) * Fraction(10) ** int(match[2])
    unit = Fraction(BINARY[match[3]]) if match[3] in BINARY else DECIMAL[match[3]]
    return Fraction(match[1]) * unit


def total(texts: Iterable[str]) -> str:
    """The sum in the form of its parts: binary when the first is, else decimal; `0` for none."""
    rows = list(texts)
    if not rows:
        return "0"
    number = sum((value(t) for t in rows), Fraction(0))
    if any(rows[0].endswith(u) for u in BINARY):
        for unit in ("Ti", "Gi", "Mi", "Ki"):
            if number and (number / BINARY[unit]).denominator == 1:
                return f"{int(number / BINARY[unit])}{unit}"
        return str(int(number))
    if number.denominator == 1:
        return str(int(number))
    for unit in ("m", "u", "n"):
        if (number / DECIMAL[unit]).denominator == 1:
            return f"{int(number / DECIMAL[unit])}{unit}"
    return str(float(number))


def percent(part: str, whole: str) -> int:
    """Whole percent, cut."""
    all_of_it = value(whole)
    return int(value(part) * 100 / all_of_it) if all_of_it else 0

"""kubectl get --sort-by (k8s.io/kubectl/pkg/cmd/get/sorter.go).

Theory. A field that is not there is less than everything, another absent one included; so the order of those is what
Go's sort leaves, which for twelve rows and fewer is an insertion sort. Texts that are both quantities (100m, 2Gi) are
compared as such, others as people count: web-2 before web-10.
"""

from __future__ import annotations

import re
from functools import cmp_to_key
from typing import Any, Final

from engine.kube.quantity import value
from engine.shell.tool import Fail

INSERTION: Final = 12
CHUNK: Final = re.compile(r"\d+|\D")


def order(keys: list[Any]) -> list[int]:
    """The indexes of the rows in order; None is a field that is not there."""
    for key in keys:
        if isinstance(key, dict | list):
            kind = "[]interface {}" if isinstance(key, list) else "map[string]interface {}"
            raise Fail(f"error: unsortable type: {kind}")
    rows = list(range(len(keys)))
    if len(rows) > INSERTION:
        by_field = cmp_to_key(_compare)
        return sorted(rows, key=lambda at: by_field(keys[at]))
    for i in range(1, len(rows)):
        at = i
        while at > 0 and (keys[rows[at]] is None or _compare(keys[rows[at]], keys[rows[at - 1]]) < 0):
            rows[at - 1], rows[at] = rows[at], rows[at - 1]
            at -= 1
    return rows


def _compare(one: Any, other: Any) -> int:
    if one is None or other is None:
        return (one is not None) - (other is not None)
    if not isinstance(one, str) or not isinstance(other, str):
        one, other = (float(one), float(other)) if not isinstance(one, str) else (0.0, 0.0)
        return int(one > other) - int(one < other)
    amounts = _amount(one), _amount(other)
    if None not in amounts:
        a, b = amounts
        assert a is not None and b is not None
        return int(a > b) - int(a < b)
    return _natural(one, other)


def _amount(text: str) -> Any:
    try:
        return value(text)
    except ValueError:
        return None


def _natural(one: str, other: str) -> int:
    """github.com/fvbommel/sortorder: runs of digits by their value, the rest by its bytes."""
    for a, b in zip(CHUNK.findall(one), CHUNK.findall(other), strict=False):
        if a[0].isdigit() and b[0].isdigit() and int(a) != int(b):
            return 1 if int(a) > int(b) else -1
        if a != b and not (a[0].isdigit() and b[0].isdigit()):
            return 1 if a > b else -1
    return (one > other) - (one < other) if len(one) == len(other) else (len(one) > len(other)) * 2 - 1

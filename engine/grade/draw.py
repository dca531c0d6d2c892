"""Values drawn from a seed: a second try is a new task, and the same seed is the same task for a whole group.

Theory. `draw:` names values; `{{name}}` in any text of the exercise becomes the value. A text that is nothing but
`{{port}}` becomes a number when the value is one. Each value has a random stream of its own (seed and name), so
that adding a draw does not change the others.

Rules. Drawing knows no exercise: it turns plain values into plain values. An unknown `{{name}}` is a problem.
"""

from __future__ import annotations

import random
import re
from typing import Any, Final

from engine.lab.reader import Node, Problems
from engine.linux.addr import Prefix, text4
from engine.record import dataclass
from engine.say import Phrase

Value = str | int
ANY: Final = Prefix(0, 0)

HOLE: Final = re.compile(r"\{\{\s*([a-zA-Z][\w-]*)\s*\}\}")

ONE_WAY = Phrase(
    en="a draw is one of: one-of, number, port, address, network",
    ko="draw는 one-of, number, port, address, network 가운데 하나입니다",
)
A_RANGE = Phrase(
    en="two numbers, the lower first, as in [8000, 8999]", ko="[8000, 8999]처럼 작은 것이 앞에 오는 두 수"
)
NO_DRAW = Phrase(
    en="{{{{{name}}}}} is not drawn here; drawn are: {names}",
    ko="{{{{{name}}}}}은(는) draw에 없습니다. 있는 것: {names}",
)
SHORTER = Phrase(
    en="length {length} must be longer than that of {network} and at most 30",
    ko="length {length}은(는) {network}의 길이보다 길고 30 이하여야 합니다",
)
TOO_FEW = Phrase(
    en="{count} draws are kept apart, but the list has only {have} values",
    ko="서로 다르게 뽑을 것이 {count}개인데 값은 {have}개뿐입니다",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """One value to draw. `way` is one-of, number, address or network."""

    name: str
    way: str
    values: tuple[Value, ...] = ()
    low: int = 0
    high: int = 0
    network: Prefix = ANY
    length: int = 0
    without: tuple[int, ...] = ()
    apart: str = ""


def read_draws(node: Node, problems: Problems) -> tuple[Draw, ...]:
    """The `draw:` mapping of an exercise."""
    out = [d for name, inner in node.pairs() if (d := _read(name, inner)) is not None]
    groups: dict[str, list[Draw]] = {}
    for draw in out:
        if draw.apart:
            groups.setdefault(draw.apart, []).append(draw)
    for group in groups.values():
        have = len({v for d in group for v in d.values})
        if have < len(group):
            problems.add(node.where, TOO_FEW(count=len(group), have=have))
    return tuple(out)


def _read(name: str, node: Node) -> Draw | None:
    f = node.fields("one-of", "number", "port", "address", "network", "length", "except", "apart")
    ways = [w for w in ("one-of", "number", "port", "address", "network") if w in f]
    if len(ways) != 1:
        if isinstance(node.value, dict):
            node.wrong(ONE_WAY())
        return None
    way, inner = ways[0], f.node(ways[0])
    assert inner is not None
    apart = f.text("apart")
    if way == "one-of":
        values = tuple(n.value for n in inner.items(2) if isinstance(n.value, str | int))
        return Draw(name=name, way=way, values=values, apart=apart)
    if way in ("number", "port"):
        value = inner.value
        fits = isinstance(value, list) and len(value) == 2 and all(type(x) is int for x in value)
        if not fits or value[0] > value[1]:
            inner.expected(A_RANGE())
            return None
        return Draw(name=name, way="number", low=value[0], high=value[1], apart=apart)
    network = inner.prefix(bare=False)
    if network is None:
        return None
    without = tuple(a for a in (n.address() for n in f.items("except")) if a is not None)
    length = f.get("length", lambda n: n.number(1, 30), 24)
    if way == "network" and length <= network.length:
        node.wrong(SHORTER(length=length, network=str(network)))
        return None
    return Draw(name=name, way=way, network=network, length=length, without=without, apart=apart)


def drawn(draws: tuple[Draw, ...], seed: int) -> dict[str, Value]:
    """The values of one seed."""
    out: dict[str, Value] = {}
    taken: dict[str, set[Value]] = {}
    for draw in draws:
        dice = random.Random(f"{seed}/{draw.name}")
        used = taken.setdefault(draw.apart, set()) if draw.apart else set()
        for _ in range(64):
            value = _one(draw, dice)
            if value not in used:
                break
        else:
            value = next(v for v in draw.values if v not in used)
        if draw.apart:
            used.add(value)
        out[draw.name] = value
    return out


def _one(draw: Draw, dice: random.Random) -> Value:
    if draw.way == "one-of":
        return draw.values[dice.randrange(len(draw.values))]
    if draw.way == "number":
        return dice.randint(draw.low, draw.high)
    if draw.way == "network":
        count = 1 << (draw.length - draw.network.length)
        step = 1 << (32 - draw.length)
        return str(Prefix(draw.network.addr + dice.randrange(count) * step, draw.length))
    first, last = draw.network.addr + 1, max(draw.network.broadcast - 1, draw.network.addr + 1)
    while True:
        address = dice.randint(first, last)
        if address not in draw.without or last - first < len(draw.without):
            return text4(address)


def filled(value: Any, values: dict[str, Value]) -> Any:
    """A plain value with every `{{name}}` replaced. Unknown names stay as they are (`unknown_names` finds them)."""
    if isinstance(value, str):
        if "{{" not in value:
            return value
        whole = HOLE.fullmatch(value)
        if whole is not None and whole[1] in values:
            return values[whole[1]]
        return HOLE.sub(lambda m: str(values.get(m[1], m[0])), value)
    if isinstance(value, dict):
        return {filled_key(k, values): filled(v, values) for k, v in value.items()}
    if isinstance(value, list):
        return [filled(v, values) for v in value]
    return value


def filled_key(key: str, values: dict[str, Value]) -> str:
    return HOLE.sub(lambda m: str(values.get(m[1], m[0])), key) if "{{" in key else key


def unknown_names(node: Node, names: set[str]) -> None:
    """Record every `{{name}}` below `node` that no draw has. Go templates ({{.Names}}) are no names of ours."""
    value = node.value
    if isinstance(value, str):
        for name in HOLE.findall(value):
            if name not in names:
                node.wrong(NO_DRAW(name=name, names=", ".join(sorted(names)) or "-"))
    elif isinstance(value, dict):
        for k, v in value.items():
            unknown_names(node.child(k, v), names)
    elif isinstance(value, list):
        for i, v in enumerate(value):
            unknown_names(node.child(i, v), names)

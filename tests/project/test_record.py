"""engine.record.dataclass is held against dataclasses.dataclass: the same classes made by both, and compared."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from engine import record

Maker = Callable[..., Any]
WAYS = [
    {"frozen": True, "slots": True, "kw_only": True},
    {"frozen": True, "slots": True},
    {"slots": True},
    {"slots": True, "kw_only": True},
    {"frozen": True},
    {},
]


def classes(make: Maker, ways: dict[str, bool]) -> list[Any]:
    """The shapes that the program uses, made by one decorator."""

    class Plain:
        one: int
        two: str = "x"
        kind: ClassVar[str] = "plain"

    class Full:
        one: int
        many: tuple[int, ...] = ()
        made: list[int] = field(default_factory=list, compare=False)
        quiet: int = field(default=7, repr=False, compare=False)
        derived: int = field(default=3, init=False)

        def double(self) -> int:
            return 2 * self.one

    class Single:
        value: int

    class Empty:
        pass

    class Checked:
        one: int

        def __post_init__(self) -> None:
            if self.one < 0:
                raise ValueError("negative")

    class OwnWays:
        one: int

        def __repr__(self) -> str:
            return f"<{self.one}>"

        def __eq__(self, other: object) -> bool:
            return type(other) is type(self)

        def __hash__(self) -> int:
            return 5

    class Wide:
        """With so many fields that a frozen one is filled another way (record._MANY)."""

        one: int
        two: int = 2
        three: str = "3"
        four: tuple[int, ...] = ()
        five: list[int] = field(default_factory=list, compare=False)
        six: int = field(default=6, repr=False, compare=False)
        seven: int = field(default=7, init=False)
        eight: int = 8
        nine: int = 9

        def __post_init__(self) -> None:
            assert self.nine and (self.__class__.__name__, self.seven) == ("Wide", 7)

    made = [make(**ways)(cls) for cls in (Plain, Full, Single, Empty, Checked, OwnWays, Wide)]
    tall = {f"n{n}": "int" for n in range(9)}
    parent = make(**ways)(type("Parent", (), {"__annotations__": {"one": "int"}, "__module__": __name__}))
    more = {
        "__annotations__": tall,
        **dict.fromkeys(tall, 3),
        "__module__": __name__,
        "__doc__": "A tall child.",
    }
    made.append(make(**ways)(type("Tall", (parent,), more)))
    base = make(**ways)(type("Base", (), {"__annotations__": {"one": "int"}, "__module__": __name__}))
    derived = {"__annotations__": {"three": "int"}, "three": 3, "__module__": __name__, "__doc__": "A child."}
    return [*made, make(**ways)(type("Child", (base,), derived))]


def bare(cls: Any) -> str:
    """The signature without annotations, which only the standard decorator keeps, and without its factory mark."""
    parameters = inspect.signature(cls).parameters.values()
    return ", ".join(f"{p.name}{p.kind}{p.default is not inspect.Parameter.empty}" for p in parameters)


@pytest.mark.parametrize("ways", WAYS, ids=str)
def test_the_same_classes_behave_the_same(ways: dict[str, bool]) -> None:
    frozen = ways.get("frozen", False)
    for ours, theirs in zip(
        classes(record.dataclass, ways), classes(dataclasses.dataclass, ways), strict=True
    ):
        assert bare(ours) == bare(theirs)
        assert [f.name for f in dataclasses.fields(ours)] == [f.name for f in dataclasses.fields(theirs)]
        assert getattr(ours, "__slots__", None) == getattr(theirs, "__slots__", None)
        assert ours.__match_args__ == theirs.__match_args__
        assert (ours.__hash__ is None) == (theirs.__hash__ is None)
        required = {name: 4 for name in ("one", "value") if name in theirs.__dataclass_fields__}
        mine, other = ours(**required), theirs(**required)
        name = ours.__qualname__.rpartition(".")[2]
        assert repr(mine).rpartition(name)[2] == repr(other).rpartition(name)[2]
        assert mine == ours(**required) and mine != other and mine.__eq__(other) in (NotImplemented, False)
        if theirs.__hash__ is not None:
            assert hash(mine) == hash(ours(**required))
        for wrong in ({}, {**required, "zzz": 1}):
            if wrong != required:
                for cls in (ours, theirs):
                    with pytest.raises(TypeError):
                        cls(**wrong)
        for key in required:
            changed = dataclasses.replace(mine, **{key: 9})
            assert getattr(changed, key) == 9
            assert (changed == mine) is (dataclasses.replace(other, **{key: 9}) == other)
            for value in (mine, other):
                if frozen:
                    with pytest.raises(
                        dataclasses.FrozenInstanceError, match=f"cannot assign to field '{key}'"
                    ):
                        setattr(value, key, 1)
                    with pytest.raises(dataclasses.FrozenInstanceError, match=f"cannot delete field '{key}'"):
                        delattr(value, key)
                else:
                    setattr(value, key, 1)
        assert copy.copy(mine) == mine
        assert copy.deepcopy(mine) == mine


def test_defaults_are_made_anew_and_do_not_count_where_they_must_not() -> None:
    full = classes(record.dataclass, WAYS[0])[1]
    one, two = full(one=1), full(one=1, quiet=99)
    assert one == two and "quiet" not in repr(one)
    assert one.made == [] and one.made is not two.made
    assert one.derived == 3 and one.double() == 2


@pytest.mark.parametrize("ways", WAYS, ids=str)
def test_a_change_is_the_same_however_often_it_is_made(ways: dict[str, bool]) -> None:
    """`replace` makes a function of its own for what is done often."""
    for cls in classes(record.dataclass, ways):
        names = [f.name for f in dataclasses.fields(cls) if f.init]
        if not names:
            continue
        first = cls(**{name: 4 for name in ("one", "value") if name in names})
        for n in range(3 * record._OFTEN):  # type: ignore[attr-defined]
            for changes in ({names[0]: n + 1}, {names[-1]: n + 1, names[0]: 5}, {}):
                assert record.replace(first, **changes) == dataclasses.replace(first, **changes)
            with pytest.raises(TypeError):
                record.replace(first, zzz=1)


def test_what_is_not_offered_is_refused() -> None:
    with pytest.raises(TypeError, match="hash"):
        record.dataclass(type("No", (), {"__annotations__": {"one": "int"}, "one": field(hash=False)}))
    with pytest.raises(TypeError):
        record.dataclass(order=True)  # type: ignore[call-overload]


def test_post_init_is_called() -> None:
    checked = classes(record.dataclass, WAYS[0])[4]
    with pytest.raises(ValueError, match="negative"):
        checked(one=-1)


@record.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """At the top of a module, so that pickle finds it."""

    one: int
    two: tuple[str, ...] = ()


def test_pickle_brings_it_back() -> None:
    kept = Kept(one=1, two=("a",))
    assert pickle.loads(pickle.dumps(kept)) == kept


@pytest.mark.parametrize(("base", "child"), [(record, dataclasses), (dataclasses, record), (record, record)])
def test_both_decorators_inherit_from_each_other(base: Any, child: Any) -> None:
    parent = base.dataclass(frozen=True, slots=True)(type("Parent", (), {"__annotations__": {"one": "int"}}))
    made = child.dataclass(frozen=True, slots=True)(
        type("Made", (parent,), {"__annotations__": {"two": "int"}, "two": 2})
    )
    assert (made(1).one, made(1).two) == (1, 2)
    assert made(1) == made(1, 2) and hash(made(1)) == hash(made(1, 2))
    with pytest.raises(TypeError, match="non-frozen dataclass from a frozen one"):
        child.dataclass(slots=True)(
            type("Loose", (parent,), {"__annotations__": {"three": "int"}, "three": 3})
        )


def test_a_record_that_holds_itself_is_printed() -> None:
    loop = record.dataclass(slots=True)(
        type("Loop", (), {"__annotations__": {"inner": "object"}, "inner": None})
    )
    value = loop()
    value.inner = value
    assert repr(value) == "Loop(inner=...)"


def test_the_tree_uses_it() -> None:
    """One way to make a record; a plain `from dataclasses import dataclass` is slow at every start."""
    from pathlib import Path

    root = Path(record.__file__).parents[1]
    slow = [
        str(path.relative_to(root))
        for room in ("engine", "course")
        for path in sorted((root / room).rglob("*.py"))
        if path.name != "record.py" and any(_takes_it(line) for line in path.read_text("utf-8").splitlines())
    ]
    assert not slow, "write: from engine.record import dataclass"
    assert "engine.record" in sys.modules


def _takes_it(line: str) -> bool:
    words = line.replace(",", " ").split()
    return words[:3] == ["from", "dataclasses", "import"] and "dataclass" in words


def test_who_inherits_from_a_record_is_one() -> None:
    """A wide frozen record is filled as its own class: a bare subclass that took over its `__init__` would not be."""
    import engine.lab.lab
    import engine.shell.shell  # noqa: F401

    todo: list[type] = [object]
    seen: set[type] = set()
    while todo:
        cls = todo.pop()
        for sub in type.__subclasses__(cls):
            if sub not in seen:
                seen.add(sub)
                todo.append(sub)
                where = str(sub.__module__)  # that of a sister, which fills a wide record, is engine.record
                if (
                    where.startswith("engine.")
                    and where != record.__name__
                    and "__dataclass_params__" in vars(cls)
                ):
                    assert "__init__" in vars(sub), f"{where}.{sub.__qualname__}"
    assert len([c for c in seen if "__dataclass_params__" in vars(c)]) > 200

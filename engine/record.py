"""`dataclass`, made fast: records as the standard library makes them, at a quarter of the cost of making the class.

Theory. The standard decorator compiles up to six methods for each class, most of a millisecond on a small machine; the
program has some three hundred records, and they stand between a key and a lesson's first paint. Here only `__init__`
is compiled. Comparing, hashing and printing go over the fields by one C call; refusing a change is one function for
all. Measured on a lesson: half the time of importing the engine, and two MiB less.

Rules. The meaning is that of `dataclasses.dataclass`, and type checkers are told that it is that very function; a
test holds the two against each other. `replace` is here for who makes many; `field` and `fields` are the standard
ones. What no record here uses (order, unsafe_hash, InitVar, field's hash) is not offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:
    import dataclasses
    from operator import attrgetter
    from types import MemberDescriptorType

    _set = object.__setattr__
    _FACTORY = object()

    #: class -> the names of what its `__init__` takes, and what reads their values
    _TAKEN = {}
    #: class and names that are changed -> how often that was done, or a function that does it
    _CHANGED = {}
    #: what is done as often as this gets a function of its own, which costs as much as 50 times without
    _OFTEN = 50

    def replace(record, /, **changes):
        """As `dataclasses.replace`, in a fifth of the time. TypeError for a field that `__init__` does not take."""
        cls = record.__class__
        what = (cls, *changes)
        how = _CHANGED.get(what, 0)
        if how.__class__ is not int:
            return how(record, **changes)
        taken = _TAKEN.get(cls)
        if taken is None:
            names = tuple(f.name for f in dataclasses.fields(cls) if f.init)
            taken = _TAKEN[cls] = (names, _key(names))
        values = dict(zip(taken[0], taken[1](record), strict=True))
        values.update(changes)
        changed = cls(**values)
        _CHANGED[what] = _changer(cls, changes) if how == _OFTEN and changes else how + 1
        return changed

    def _changer(cls, changes):
        """A function (record, **changes) for a change of just these fields."""
        passed = ", ".join(
            f"{name}={name}" if name in changes else f"{name}=_record.{name}" for name in _TAKEN[cls][0]
        )
        return eval(f"lambda _record, *, {', '.join(changes)}: _cls({passed})", {"_cls": cls})

    def dataclass(cls=None, /, *, frozen=False, slots=False, kw_only=False):
        """As `dataclasses.dataclass` with these three options."""

        def make(cls):
            return _make(cls, frozen, slots, kw_only)

        return make if cls is None else make(cls)

    def _make(cls, frozen, slots, kw_only):
        if cls.__doc__ is None:
            cls.__doc__ = cls.__name__  # else the standard decorator spells out the signature, which is slow
        own = cls.__dict__
        hashed = own.get("__hash__") is not None
        frozen_bases = [b.__dataclass_params__ for b in cls.__mro__[1:] if _is_frozen(b)]
        if frozen_bases and not frozen:
            raise TypeError("cannot inherit non-frozen dataclass from a frozen one")
        for (
            params
        ) in frozen_bases:  # the standard decorator, told nothing of frozen, would refuse these bases
            params.frozen = False
        try:
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(cls)
        finally:
            for params in frozen_bases:
                params.frozen = True
        cls.__dataclass_params__.frozen = frozen
        fields = dataclasses.fields(cls)
        if any(f.hash is not None for f in fields):
            raise TypeError("field(hash=...) is not offered here; use compare")
        if "__init__" not in own:
            cls.__init__ = _init(cls, fields, frozen)
        if "__repr__" not in own:
            cls.__repr__ = _repr([f.name for f in fields if f.repr])
        if "__eq__" not in own:
            key = _key([f.name for f in fields if f.compare])
            cls.__eq__ = _eq(key)
            if frozen and not hashed:
                cls.__hash__ = lambda self: hash(key(self))
            elif not frozen and not hashed:
                cls.__hash__ = None
        if frozen:
            cls.__setattr__, cls.__delattr__ = _refuse_set, _refuse_delete
            if slots and "__getstate__" not in own:
                cls.__getstate__, cls.__setstate__ = _get_state, _set_state
        return cls

    def _is_frozen(cls):
        params = cls.__dict__.get("__dataclass_params__")
        return params is not None and params.frozen

    def _init(cls, fields, frozen):
        """Compile `__init__`: positional fields first, then keyword ones, as the standard library orders them."""
        scope = {"_set": _set, "_FACTORY": _FACTORY}
        positional, keyword, body = [], [], []
        opened = frozen and len(fields) >= _MANY and _opened(cls, scope)
        for f in fields:
            value = name = f.name
            if f.default_factory is not dataclasses.MISSING:
                scope[f"_make_{name}"] = f.default_factory
                value = f"_make_{name}() if {name} is _FACTORY else {name}" if f.init else f"_make_{name}()"
                default = "=_FACTORY"
            elif f.default is not dataclasses.MISSING:
                scope[f"_default_{name}"] = f.default
                default = f"=_default_{name}"
                value = name if f.init else f"_default_{name}"
            else:
                default = ""
            if f.init:
                (keyword if f.kw_only else positional).append(name + default)
            elif not default:
                continue
            slot = getattr(cls, name, None)
            if not frozen or opened:
                body.append(f"self.{name} = {value}")
            elif isinstance(slot, MemberDescriptorType):  # writes past __setattr__, at a third of its cost
                scope[f"_write_{name}"] = slot.__set__
                body.append(f"_write_{name}(self, {value})")
            else:
                body.append(f"_set(self, {name!r}, {value})")
        if opened:
            body = ["_set(self, '__class__', _Open)", *body, "self.__class__ = _Frozen"]
        if hasattr(cls, "__post_init__"):
            body.append("self.__post_init__()")
        words = ", ".join(["self", *positional, *(["*", *keyword] if keyword else [])])
        text = f"def __init__({words}):\n " + "\n ".join(body or ["pass"])
        exec(compile(text, f"<record {cls.__qualname__}>", "exec"), scope)  # profiles name the class
        init = scope["__init__"]
        init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
        return init

    #: a record with as many fields is filled while its class is one that can be written
    _MANY = 8

    def _opened(cls, scope):
        """Make the sister of a frozen class that has the same slots and no lock. False when it has not only slots."""
        own = cls.__dict__
        if "__slots__" not in own or any("__slots__" not in base.__dict__ for base in cls.__mro__[1:-1]):
            return False
        sister = type(cls.__name__, cls.__bases__, {"__slots__": own["__slots__"]})
        sister.__setattr__, sister.__delattr__ = _set, object.__delattr__
        scope["_Open"], scope["_Frozen"] = sister, cls
        return True

    def _key(names):
        """The compared values of a record as one tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        if names:
            one = attrgetter(names[0])
            return lambda self: (one(self),)
        return lambda self: ()

    def _eq(key):
        def __eq__(self, other):
            return key(self) == key(other) if other.__class__ is self.__class__ else NotImplemented

        return __eq__

    def _repr(names):
        from reprlib import recursive_repr

        @recursive_repr()
        def __repr__(self):
            shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
            return f"{self.__class__.__qualname__}({shown})"

        return __repr__

    def _refuse_set(self, name, value):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _refuse_delete(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def _get_state(self):
        return [getattr(self, f.name) for f in dataclasses.fields(self)]

    def _set_state(self, state):
        for f, value in zip(dataclasses.fields(self), state, strict=True):
            _set(self, f.name, value)

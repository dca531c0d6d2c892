"""How an extension of iptables (`-m NAME`, `-j NAME`) declares and reads its options.

Rules. One `Extension` per match or target: a table of `Option` rows, `take` for one option that was met, `check`
for what must hold at the end, `build` for the record. Messages are those of libxtables 1.8.9, to the letter: a
`Problem` whose text ends in a newline prints a blank line there, and so here. An option that iptables knows and
the model does not is declared with `modelled=False` and stops with its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any

from engine.errors import EngineError, InputError, NotModelled
from engine.linux.addr import ip4
from engine.linux.xt.names import LOG_LEVELS
from engine.record import dataclass, replace
from engine.say import plain

PARAMETER, VERSION, RESOURCE, OTHER = 2, 3, 4, 1


class Problem(EngineError):
    """iptables refuses the command line. `status` is its exit code: 2 parameter, 3 version, 4 resource, 1 other."""

    def __init__(self, message: str, status: int = PARAMETER) -> None:
        super().__init__(plain(message))
        self.message = message
        self.status = status


def strtoui(text: str, low: int, high: int) -> int | None:
    """A whole number in C notation (10, 0x10, 010) from `low` to `high`; None for anything else."""
    body = text.strip()
    if not body.isascii() or not body or body != text.lstrip():
        return None
    try:
        if body[:2].lower() == "0x":
            value = int(body[2:], 16) if body[2:] and body[2:].isalnum() else -1
        elif len(body) > 1 and body[0] == "0":
            value = int(body, 8) if body.isdigit() else -1
        else:
            value = int(body) if body.isdigit() else -1
    except ValueError:
        return None
    return value if low <= value <= high else None


Kind = Callable[[str, "Option", str], Any]


def STRING(extension: str, option: Option, text: str) -> str:
    return text


#: An option of the older kind, whose extension gives its own messages for repeats.
def ANY(extension: str, option: Option, text: str) -> str:
    return text


def number(low: int, high: int) -> Kind:
    """An integer, refused in libxtables' words."""

    def kind(extension: str, option: Option, text: str) -> int:
        value = strtoui(text, low, high)
        if value is None:
            raise Problem(
                f'{extension}: bad value for option "--{option.name}", or out of range ({low}-{high}).\n'
            )
        return value

    return kind


UINT32 = number(0, 0xFFFFFFFF)


def MARKMASK(extension: str, option: Option, text: str) -> tuple[int, int]:
    """`value[/mask]`."""
    mark, slash, mask = text.partition("/")
    value = strtoui(mark, 0, 0xFFFFFFFF)
    bits = strtoui(mask, 0, 0xFFFFFFFF) if slash else 0xFFFFFFFF
    if value is None or bits is None:
        raise Problem(f'{extension}: bad integer value for option "--{option.name}", or out of range.\n')
    return value, bits


def FRACTION(extension: str, option: Option, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise Problem(f'{extension}: bad value for option "--{option.name}", or out of range (0-1).\n')
    return value


def LEVEL(extension: str, option: Option, text: str) -> int:
    value = strtoui(text, 0, 7)
    if value is None:
        value = LOG_LEVELS.get(text)
    if value is None:
        raise Problem(f'log level "{text}" unknown\n')
    return value


def _dotted(text: str) -> int:
    try:
        return ip4(text)
    except (InputError, NotModelled):
        raise Problem("getaddrinfo: Name or service not known\n") from None


def HOST(extension: str, option: Option, text: str) -> int:
    """An address."""
    return _dotted(text)


def PLENMASK(extension: str, option: Option, text: str) -> int:
    """A prefix length, or a mask that is one."""
    length = strtoui(text, 0, 32)
    if length is None and text.isdigit():
        raise NotModelled(f"iptables {extension} with the mask {text}")
    if length is None and text.count(".") == 3:
        bits = _dotted(text)
        length = bin(bits).count("1")
        if bits != 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF:
            raise NotModelled(f"iptables {extension} with the mask {text}")
    if length is None:
        what = "neither a valid network mask nor valid CIDR (0-32)"
        raise Problem(f'{extension}: bad value for option "--{option.name}", {what}.\n')
    return length


def HOSTMASK(extension: str, option: Option, text: str) -> tuple[int, int]:
    """`address[/length]`, host bits kept."""
    host, slash, bits = text.partition("/")
    return _dotted(host), PLENMASK(extension, option, bits) if slash else 32


@dataclass(frozen=True, slots=True)
class Option:
    """`name` as typed behind `--`; several names may share an `id`. `kind` None = takes no word."""

    name: str
    id: str
    kind: Kind | None
    invert: bool = False
    must: bool = False
    excludes: frozenset[str] = frozenset()
    requires: str = ""
    modelled: bool = True


def exclusive(*options: Option) -> tuple[Option, ...]:
    """Options of which only one may be used."""
    ids = frozenset(o.id for o in options)
    return tuple(replace(o, excludes=o.excludes | (ids - {o.id})) for o in options)


@dataclass(slots=True)
class Parsing:
    """One extension while its options are read. `proto`, `not_proto` are the rule's -p as far as it was read."""

    extension: Extension
    proto: int = 0
    not_proto: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    inverted: dict[str, bool] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    next_word: Callable[[], str | None] = lambda: None
    take_word: Callable[[], None] = lambda: None


def keep(p: Parsing, option: Option, value: Any, invert: bool) -> None:
    """The usual `take`: remember the value."""
    p.values[option.id] = value
    p.inverted[option.id] = invert


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A match or a target. `alias` is the name that it is kept and printed under."""

    name: str
    options: tuple[Option, ...] = ()
    build: Callable[[Parsing], Any]
    take: Callable[[Parsing, Option, Any, bool], None] = keep
    check: Callable[[Parsing], None] | None = None

    def read(self, p: Parsing, option: Option, text: str, invert: bool) -> None:
        """One option was met."""
        name = self.name
        if not option.modelled:
            raise NotModelled(f"iptables {name} --{option.name}")
        if option.kind is not ANY and name != "tcp":
            # libxtables finds an option by its number, and so names the first of several spellings.
            option = next(o for o in self.options if o.id == option.id)
        if option.kind is not ANY and name != "tcp":
            if option.id in p.used:
                raise Problem(f'{name}: option "--{option.name}" can only be used once.\n')
            if invert and not option.invert:
                raise Problem(f'{name}: option "--{option.name}" cannot be inverted.\n')
        value = text if option.kind is None else option.kind(name, option, text)
        self.take(p, option, value, invert)
        p.used.append(option.id)

    def finish(self, p: Parsing) -> Any:
        """All words are read: the record, or what is missing."""
        if self.check is not None:
            self.check(p)
        seen: set[str] = set()
        for option in self.options:
            if option.id in seen:
                continue
            seen.add(option.id)
            if option.must and option.id not in p.used:
                raise Problem(f'{self.name}: option "--{option.name}" must be specified\n')
            if option.id not in p.used:
                continue
            for other in self.options:
                if other.id == option.requires and other.id not in p.used:
                    raise Problem(f'{self.name}: option "--{option.name}" also requires "--{other.name}".\n')
                if other.id in option.excludes and other.id in p.used:
                    raise Problem(
                        f'{self.name}: option "--{option.name}" cannot be used together with "--{other.name}".\n'
                    )
        return self.build(p)

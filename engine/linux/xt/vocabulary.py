"""The vocabulary of the iptables command line: its options, what a line asks for, names and addresses in it.

Rules. As do_parse of iptables 1.8.9 has them. How a line is read stands in reader.py; callers use parse.py.
"""

from __future__ import annotations

from dataclasses import field

from engine.errors import NotModelled
from engine.linux.addr import mask
from engine.linux.xt.extensions import OTHER_TARGETS, PLAIN, TARGETS
from engine.linux.xt.options import Problem, strtoui
from engine.linux.xt.rule import XtRule
from engine.record import dataclass

NAME_MAX = 28
#: letter -> how it takes a word: "" never, "1" always, "2" only glued to it
SHORT = {
    **dict.fromkeys("ACDEIMNPRcdijopstgm", "1"), **dict.fromkeys("FLXZSWhw", "2"), **dict.fromkeys("Vnvxf46", ""),
}  # fmt: skip
LONG = {
    "append": "A", "delete": "D", "check": "C", "insert": "I", "replace": "R", "list": "L", "list-rules": "S",
    "flush": "F", "zero": "Z", "new-chain": "N", "delete-chain": "X", "rename-chain": "E", "policy": "P",
    "source": "s", "destination": "d", "src": "s", "dst": "d", "protocol": "p", "in-interface": "i", "jump": "j",
    "table": "t", "match": "m", "numeric": "n", "out-interface": "o", "verbose": "v", "wait": "w",
    "wait-interval": "W", "exact": "x", "fragments": "f", "version": "V", "help": "h", "line-numbers": "0",
    "modprobe": "M", "set-counters": "c", "goto": "g", "ipv4": "4", "ipv6": "6",
}  # fmt: skip
#: The letter under which an option is named in "multiple -j flags", and whether ! may stand before it.
FLAGS = {"s": True, "d": True, "p": True, "i": True, "o": True, "f": True, "g": False, "j": False}
COMMANDS = "IDRALFZNXPESC"
RULE_COMMANDS = frozenset("ICDAR")
#: command -> options that it refuses
ILLEGAL = {
    **dict.fromkeys("IRAC", "nx0"), "D": "nx0c", "C": "nx0c", "#": "nsdpjxio0cf", "L": "sdpjiocf",
    **dict.fromkeys("FZNXES", "nsdpjxio0cf"), "P": "nsdpjxio0f",
}  # fmt: skip
ORDER = "nsdpjvxio0cf"


@dataclass(slots=True, kw_only=True)
class Command:
    """`command` is the letter (and `zero` for -Z beside -L or -S); `rulenum` 0 = none; `flags` the letters of the
    options that were given; `rules` the rule, once for each pair of -s and -d addresses; `warnings` go to stderr."""

    command: str = ""
    zero: bool = False
    table: str = "filter"
    chain: str = ""
    rulenum: int = 0
    new_name: str = ""
    policy: str = ""
    flags: set[str] = field(default_factory=set)
    verbose: int = 0
    rules: tuple[XtRule, ...] = ()
    counters: tuple[int, int] = (0, 0)
    warnings: str = ""


class HelpAsked(Exception):
    """-h"""


class VersionAsked(Exception):
    """-V; its argument is True behind a !"""


class OtherFamily(Exception):
    """-6: iptables gives up, iptables-restore leaves the line out."""


class BadArgument(Exception):
    """A word that belongs to nothing: iptables prints it without its name and version."""


def valid_chain_name(name: str) -> None:
    """What -N accepts. Raises Problem."""
    if len(name) > NAME_MAX:
        raise Problem(f"chain name `{name}' too long (must be under {NAME_MAX + 1} chars)")
    if name[:1] in ("-", "!"):
        raise Problem(f"chain name not allowed to start with `{name[0]}'")
    if name in TARGETS or name in PLAIN or name in OTHER_TARGETS:
        raise Problem("chain name may not clash with target name")
    if any(c.isspace() for c in name):
        raise Problem(f"Invalid chain name `{name}'")


def parse_addresses(text: str) -> list[tuple[int, int]]:
    """`10.0.0.0/8,1.2.3.4` -> [(address, length)], without host bits."""
    out = []
    for part in text.split(","):
        host, slash, bits = part.strip().rpartition("/")
        if not slash:
            host, length = bits, 32
        else:
            length = _mask_length(bits)
        addr = 0 if length == 0 else _address(host)
        out.append((addr & mask(length), length))
    return out


def _mask_length(text: str) -> int:
    value = _dotted(text) if text.count(".") == 3 else None
    if value is not None:
        length = bin(value).count("1")
        if mask(length) != value:
            raise NotModelled(f"iptables with the mask {text}")
        return length
    bits = strtoui(text, 0, 32)
    if bits is None:
        raise Problem(f"invalid mask `{text}' specified")
    return bits


def _dotted(text: str) -> int | None:
    """One to four numbers; the missing ones are 0 (10.1 is 10.1.0.0)."""
    parts = text.split(".")
    numbers = [strtoui(p, 0, 255) for p in parts]
    if len(parts) > 4 or None in numbers:
        return None
    value = 0
    for n in numbers + [0] * (4 - len(parts)):
        value = value << 8 | (n or 0)
    return value


def _address(text: str) -> int:
    value = _dotted(text)
    if value is None and text == "localhost":
        return 127 << 24 | 1
    if value is None:
        raise Problem(f"host/network `{text}' not found")
    return value

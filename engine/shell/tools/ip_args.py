"""How iproute2 reads its words: abbreviations, numbers, addresses, and the sentences it ends with.

Rules. Nothing here knows a subcommand. A word that the real tool knows and we lack is NotModelled by name; all else
ends with the real tool's own words and exit code. Source: iproute2 6.1 lib/utils.c, lib/json_writer.c.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import field
from typing import Any

from engine.errors import NotModelled, OpError
from engine.linux.addr import NO_IPV6, Prefix, mask
from engine.linux.fib import SCOPES
from engine.linux.net import Net, Netns
from engine.linux.ops import Op
from engine.linux.rows import Link
from engine.linux.text.route import plain_number
from engine.record import dataclass
from engine.shell.tool import Fail, Out

#: what C's exit(-1) leaves
USAGE = 255


def matches(word: str, full: str) -> bool:
    """`matches()`: an abbreviation of `full`, never empty of sense: "" matches nothing here."""
    return bool(word) and full.startswith(word)


def is_ipv6(word: str) -> bool:
    return ":" in word and all(c in "0123456789abcdefABCDEF:.%/" for c in word)


def invarg(message: str, word: str) -> Fail:
    return Fail(f'Error: argument "{word}" is wrong: {message}', USAGE)


def duplicate(key: str, word: str) -> Fail:
    return Fail(f'Error: duplicate "{key}": "{word}" is the second value.', USAGE)


def garbage(key: str, word: str) -> Fail:
    return Fail(f'Error: either "{key}" is duplicate, or "{word}" is a garbage.', USAGE)


def no_device(name: str, code: int = 1) -> Fail:
    return Fail(f'Cannot find device "{name}"', code)


@dataclass(slots=True)
class Words:
    """A cursor over the words of one command."""

    words: Sequence[str]
    at: int = 0

    @property
    def more(self) -> bool:
        return self.at < len(self.words)

    @property
    def now(self) -> str:
        return self.words[self.at]

    def take(self) -> str:
        word = self.words[self.at]
        self.at += 1
        return word

    def value(self) -> str:
        """The word after a key. Raises the tool's complaint when the line ends."""
        if not self.more:
            raise Fail('Command line is not complete. Try option "help"', USAGE)
        return self.take()

    @property
    def rest(self) -> list[str]:
        return list(self.words[self.at :])


@dataclass(slots=True)
class Ip:
    """One run of ip or bridge: where it stands, its options, what it prints. `run_in` runs another command in a
    network namespace (for `ip netns exec`)."""

    net: Net
    ns: Netns
    carry_out: Callable[[Op], None]
    run_in: Callable[[str, Sequence[str]], Out] | None = None
    tool: str = "ip"
    family: str = ""
    json: bool = False
    pretty: bool = False
    brief: bool = False
    oneline: bool = False
    stats: int = 0
    details: int = 0
    lines: list[str] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    dumped: bool = False
    #: the file of -batch ("-" is the input), whether -force goes on behind an error, and the options beside these
    batch: str = ""
    force: bool = False
    kept: list[str] = field(default_factory=list)

    @property
    def break_(self) -> str:
        """`_SL_`: what parts the lines of one object."""
        return "\\" if self.oneline else "\n"

    def do(self, op: Op, code: int = 2) -> None:
        """Carry out a change; a refusal is the kernel's sentence and exit code 2."""
        try:
            self.carry_out(op)
        except OpError as error:
            raise Fail("\n".join([*self.warnings, error.tool_text]), code) from error

    def device(self, name: str, code: int = 1) -> Link:
        link = self.ns.link(name)
        if link is None:
            raise no_device(name, code)
        return link

    def emit(self, line: str, obj: dict[str, Any] | None = None) -> None:
        """One object of a listing, in both forms."""
        self.dumped = True
        if self.json:
            if obj is not None:
                self.objects.append(obj)
        else:
            self.lines.append(line)

    def emit_raw(self, obj: dict[str, Any]) -> None:
        """An object of the JSON form alone."""
        self.dumped = True
        if self.json:
            self.objects.append(obj)

    def output(self) -> str:
        if self.json and self.dumped:
            return dump(self.objects, pretty=self.pretty)
        return "".join(line + "\n" for line in self.lines)


def dump(objects: Sequence[Any], *, pretty: bool = False) -> str:
    """The array that json_writer.c prints, with its newline."""
    if not pretty:
        return json.dumps(list(objects), separators=(",", ":")) + "\n"
    return _pretty(list(objects), 0) + "\n"


def _pretty(value: Any, depth: int) -> str:
    if isinstance(value, list):
        inner = ",".join(_pretty(v, depth + 1) for v in value)
        return f"[ {inner} ]" if value else "[ ]"
    if isinstance(value, dict):
        pad = "\n" + "    " * (depth + 1)
        inner = ",".join(f"{pad}{json.dumps(k)}: {_pretty(v, depth + 1)}" for k, v in value.items())
        closing = "\n" + "    " * depth if value else ""
        return "{" + inner + closing + "}"
    return json.dumps(value)


def dsfield(word: str) -> int:
    """`rtnl_dsfield_a2n`: a number of one byte, read as hex."""
    try:
        value = int(word, 16)
    except ValueError:
        value = -1
    if not 0 <= value <= 255:
        raise invarg('"tos" value is invalid\n', word)
    return value


def number(word: str, message: str, top: int = 0xFFFFFFFF) -> int:
    """A number as `get_u32` reads it. Raises invarg(message)."""
    value = plain_number(word, top)
    if value is None:
        raise invarg(message, word)
    return value


def raw_address(word: str) -> int | None:
    """`get_addr_ipv4`: one to four parts, missing ones are zero on the right."""
    parts = word.split(".")
    if len(parts) > 4:
        return None
    value = 0
    for part in parts:
        one = plain_number(part, 255)
        if one is None:
            return None
        value = value << 8 | one
    return value << 8 * (4 - len(parts))


def family_name(family: str) -> str:
    return family or "any valid"


def address(word: str, family: str) -> int:
    """`get_addr`: a host's address. Raises the tool's complaint; NotModelled for IPv6."""
    if is_ipv6(word):
        raise NotModelled(f"IPv6 ({word})", NO_IPV6())
    value = raw_address(word)
    if value is None:
        raise Fail(f'Error: {family_name(family)} address is expected rather than "{word}".', 1)
    return value


def prefix(word: str, family: str) -> tuple[Prefix, bool]:
    """`get_prefix`: the prefix with its host bits, and whether a length was written. `default` is 0.0.0.0/0."""
    if word in ("default", "any", "all"):
        return Prefix(0, 0), False
    if is_ipv6(word):
        raise NotModelled(f"IPv6 ({word})", NO_IPV6())
    head, slash, tail = word.partition("/")
    value = raw_address(head)
    length: int | None = 32
    if slash:
        length = plain_number(tail, 32)
        if length is None and "." in tail:
            bits = raw_address(tail)
            length = bits.bit_count() if bits is not None and mask(bits.bit_count()) == bits else None
    if value is None or length is None:
        raise Fail(f'Error: {family_name(family)} prefix is expected rather than "{word}".', 1)
    return Prefix(value, length), bool(slash)


def lladdr(word: str) -> int:
    """`ll_addr_a2n` for a six-byte address. Raises its complaint."""
    if "." in word and raw_address(word) is not None:
        raise NotModelled(f"a hardware address written as {word}")
    parts = word.split(":")
    for part in parts:
        if not part or len(part) > 2 or any(c not in "0123456789abcdefABCDEF" for c in part):
            raise Fail(f'"{part}" is invalid lladdr.', 1)
    if len(parts) != 6:
        raise Fail(f"Invalid address length {len(parts)} - must be 6 bytes", 1)
    return int("".join(p.rjust(2, "0") for p in parts), 16)


def scope(word: str, message: str) -> str:
    """A scope by name or number. Raises invarg(message); NotModelled for a number without a name."""
    if word in SCOPES:
        return word
    value = plain_number(word, 255)
    if value is None:
        raise invarg(message, word)
    for name, code in SCOPES.items():
        if code == value:
            return name
    raise NotModelled(f"scope {word}")


#: types of routes in the order of rtnl_rtntype_a2n: (name, may be abbreviated)
ROUTE_TYPE_WORDS = (
    ("local", False), ("nat", False), ("broadcast", True), ("anycast", True), ("multicast", True), ("prohibit", True),
    ("unreachable", True), ("blackhole", True), ("xresolve", True), ("unicast", True), ("throw", False),
)  # fmt: skip


def route_type(word: str) -> str:
    """A route's type as typed, "" when the word is none. Raises NotModelled for a type that the model lacks."""
    name = next((n for n, short in ROUTE_TYPE_WORDS if (matches(word, n) if short else word == n)), "")
    if word == "brd":
        name = "broadcast"
    if not name and plain_number(word, 255) is not None:
        raise NotModelled(f"a route type written as {word}")
    return name


def on_off(key: str, word: str) -> bool:
    if word not in ("on", "off"):
        raise Fail(f'Error: argument of "{key}" must be "on" or "off", not "{word}"', 1)
    return word == "on"

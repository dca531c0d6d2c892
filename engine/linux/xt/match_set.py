"""-m set: is the packet in an ipset?

Rules. As in match.py. The rule keeps the set's name; the directions say for each part of an element whether it comes
from the packet's source or destination. Counters of elements are counted here, as the kernel does it (xt_set.c).
"""

from __future__ import annotations

from collections.abc import Callable
from operator import eq, gt, lt, ne
from typing import Any

from engine.linux.ipset import packet
from engine.linux.ipset.rows import Entry
from engine.linux.ipset.sets import IpSet
from engine.linux.xt.match import Match, asks, bang
from engine.linux.xt.options import ANY, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.record import dataclass, replace
from engine.say import Phrase, Said

NAME_MAX = 31
DIM_MAX = 6
IN_SET = Phrase("the packet's {parts} in the set {name}", "패킷의 {parts}이(가) 집합 {name}에 있음")
NOT_IN_SET = Phrase("the packet's {parts} not in the set {name}", "패킷의 {parts}이(가) 집합 {name}에 없음")
COMPARE: dict[str, Callable[[int, int], bool]] = {"eq": eq, "ne": ne, "lt": lt, "gt": gt}


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMatch(Match):
    """`-m set --match-set NAME DIRECTIONS`. `packets`, `bytes` are (eq|ne|lt|gt, number) or None; `update`,
    `update_sub` = count the packet in the element, and in the elements of a list's members."""

    name: str
    directions: tuple[str, ...]
    invert: bool = False
    return_nomatch: bool = False
    update: bool = True
    update_sub: bool = True
    packets: tuple[str, int] | None = None
    bytes: tuple[str, int] | None = None

    def test(self, seen: Seen) -> bool:
        sets = seen.ns.ipsets
        top = sets.sets[self.name]

        def accept(one: IpSet, entry: Entry) -> bool:
            below = top.kind.is_list and one is not sets.sets[self.name]
            if one.options.counters:
                counted = self.update and (self.update_sub or not below)
                entry = count(seen, one, entry) if counted else entry
                return below or self._counters(entry)
            return True

        hit = packet.test(
            sets, self.name, seen.skb, self.directions, seen.net.clock, accept, inverse=self.return_nomatch
        )
        return hit is not self.invert

    def _counters(self, entry: Entry) -> bool:
        for asked, value in ((self.packets, entry.beside.packets), (self.bytes, entry.beside.bytes)):
            if asked is not None and not COMPARE[asked[0]](value or 0, asked[1]):
                return False
        return True

    def _tail(self, lead: str) -> list[str]:
        out = [f"{lead}return-nomatch"] if self.return_nomatch else []
        out += [] if self.update else ["!", f"{lead}update-counters"]
        out += [] if self.update_sub else ["!", f"{lead}update-subcounters"]
        for word, asked in (("packets", self.packets), ("bytes", self.bytes)):
            if asked is not None:
                out += ["!"] if asked[0] == "ne" else []
                out += [f"{lead}{word}-{'eq' if asked[0] == 'ne' else asked[0]}", str(asked[1])]
        return out

    def words(self) -> list[str]:
        head = ["-m", "set", *bang(self.invert), "--match-set", self.name, ",".join(self.directions)]
        return head + self._tail("--")

    def listing(self, numeric: bool, proto: int) -> str:
        head = [*bang(self.invert), "match-set", self.name, ",".join(self.directions), *self._tail("")]
        return " " + " ".join(head)

    def why(self) -> Said:
        return asks(IN_SET, NOT_IN_SET, self.invert, parts=",".join(self.directions), name=self.name)

    @property
    def sets(self) -> tuple[str, ...]:
        return (self.name,)


def count(seen: Seen, one: IpSet, entry: Entry) -> Entry:
    """The entry with this packet counted."""
    size = seen.skb.packet.ip_length()
    b = entry.beside
    entry = replace(entry, beside=replace(b, packets=(b.packets or 0) + 1, bytes=(b.bytes or 0) + size))
    seen.ns.ipsets.own(one.name).update(entry)
    return entry


def directions(text: str) -> tuple[str, ...]:
    """`src,dst`, in the words of libxt_set.h."""
    out: list[str] = []
    for word in text.split(","):
        if len(out) == DIM_MAX:
            raise Problem(f"Can't be more src/dst options than {DIM_MAX}.")
        if not word.startswith(("src", "dst")):
            raise Problem("You must spefify (the comma separated list of) 'src' or 'dst'.")
        out.append(word[:3])
    return tuple(out)


def set_and_directions(p: Parsing, option: str, arg: str) -> tuple[str, tuple[str, ...]]:
    """The two words behind --match-set, --add-set, --del-set, --map-set."""
    after = p.next_word()
    if after is None or after[:1] in ("-", "!"):
        raise Problem(f"--{option} requires two args.")
    if len(arg) > NAME_MAX:
        raise Problem(f"setname `{arg}' too long, max {NAME_MAX} characters.")
    p.take_word()
    return arg, directions(after)


def _set_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    if option.id == "set":
        if "set" in p.values:
            raise Problem("--match-set can be specified only once")
        p.values["set"], p.inverted["set"] = set_and_directions(p, "match-set", arg), invert
    elif option.id in ("update", "update_sub"):
        p.values[option.id] = not invert
    elif option.id == "return_nomatch":
        if invert:
            raise Problem("--return-nomatch flag cannot be inverted")
        p.values[option.id] = True
    else:
        word, how = option.name.split("-")
        if word in p.values:
            raise Problem(f"only one of the --{word}-[eq|lt|gt] is allowed")
        if invert and how != "eq":
            raise Problem(f"--{word}-{how} option cannot be inverted")
        value = strtoui(arg, 0, 2**64 - 1)
        if value is None:
            raise Problem(f"Cannot parse {arg} as a counter value\n")
        p.values[word] = ("ne" if invert else how, value)


def _set_check(p: Parsing) -> None:
    if "set" not in p.values:
        raise Problem("You must specify `--match-set' with proper arguments")


def _set_build(p: Parsing) -> SetMatch:
    get: Any = p.values.get
    name, ways = p.values["set"]
    return SetMatch(
        name=name, directions=ways, invert=p.inverted["set"], return_nomatch=get("return_nomatch", False),
        update=get("update", True), update_sub=get("update_sub", True), packets=get("packets"), bytes=get("bytes"),
    )  # fmt: skip


SET = Extension(
    name="set",
    options=(
        Option("match-set", "set", ANY, invert=True), Option("return-nomatch", "return_nomatch", None, invert=True),
        Option("update-counters", "update", None, invert=True),
        Option("update-subcounters", "update_sub", None, invert=True),
        *(Option(f"{w}-{h}", w, ANY, invert=True) for w in ("packets", "bytes") for h in ("eq", "lt", "gt")),
    ),
    take=_set_option, check=_set_check, build=_set_build,
)  # fmt: skip

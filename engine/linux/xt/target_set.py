"""-j SET: put the packet's addresses and ports into an ipset, take them out, or take a mark from one.

Rules. As in target.py. --map-prio and --map-queue are refused by name: packets have neither here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.linux.ipset import packet
from engine.linux.ipset.rows import Entry
from engine.linux.ipset.sets import IpSet
from engine.linux.xt.match_set import set_and_directions
from engine.linux.xt.options import ANY, Extension, Option, Parsing, Problem, strtoui
from engine.linux.xt.seen import Seen
from engine.linux.xt.target import Act, Target
from engine.record import dataclass
from engine.say import Phrase, Said

if TYPE_CHECKING:
    from engine.linux.xt.rule import XtRule

FULL = 0xFFFFFFFF
SET_WHY = Phrase(
    "change ipsets by the packet ({what}), and go on", "패킷에 따라 ipset을 바꾸고 계속합니다({what})"
)

Named = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetTarget(Target):
    """`add`, `gone`, `mark` are (set, directions) or None; `timeout` seconds or None."""

    add: Named | None = None
    gone: Named | None = None
    mark: Named | None = None
    exist: bool = False
    timeout: int | None = None

    def unfit(self, table: str, rule: XtRule) -> bool:
        return self.mark is not None and table != "mangle"

    def run(self, seen: Seen) -> Act | None:
        sets, skb, now = seen.ns.ipsets, seen.skb, seen.net.clock
        if self.add is not None:
            name, ways = self.add
            packet.change(sets, name, skb, ways, now, exist=self.exist, timeout=self.timeout)
        if self.gone is not None:
            name, ways = self.gone
            packet.change(sets, name, skb, ways, now, gone=True)
        if self.mark is not None:
            found: list[Entry] = []

            def accept(one: IpSet, entry: Entry) -> bool:
                found[:] = [entry]
                return True

            name, ways = self.mark
            if packet.test(sets, name, skb, ways, now, accept) and found:
                mark, mask = found[0].beside.skbmark or (0, 0)
                skb.mark = (skb.mark & ~mask & FULL) ^ mark
        return None

    def _words(self, lead: str) -> list[str]:
        out: list[str] = []
        if self.add is not None:
            out += [f"{lead}add-set", self.add[0], ",".join(self.add[1])]
        out += [f"{lead}exist"] if self.exist else []
        out += [f"{lead}timeout", str(self.timeout)] if self.timeout is not None else []
        if self.gone is not None:
            out += [f"{lead}del-set", self.gone[0], ",".join(self.gone[1])]
        if self.mark is not None:
            out += [f"{lead}map-set", self.mark[0], ",".join(self.mark[1]), f"{lead}map-mark"]
        return out

    def words(self) -> list[str]:
        return ["-j", "SET", *self._words("--")]

    def listing(self, numeric: bool) -> str:
        return " " + " ".join(self._words(""))

    def why(self) -> Said:
        return SET_WHY(what=" ".join(self._words("")))

    @property
    def sets(self) -> tuple[str, ...]:
        return tuple(named[0] for named in (self.add, self.gone, self.mark) if named is not None)


def _set_option(p: Parsing, option: Option, arg: str, invert: bool) -> None:
    if option.id in ("add", "gone", "mark"):
        if option.id in p.values:
            raise Problem(f"--{option.name} can be specified only once")
        if invert:
            raise Problem(f"--{option.name} cannot be inverted")
        p.values[option.id] = set_and_directions(p, option.name, arg)
    elif option.id == "timeout":
        value = strtoui(arg, 0, FULL - 1)
        if value is None:
            raise Problem(f"Invalid value for option --timeout or out of range 0-{FULL - 1}")
        p.values["timeout"] = value
    else:
        p.values[option.id] = True


def _set_check(p: Parsing) -> None:
    got = p.values
    if not {"add", "gone", "mark"} & set(got):
        raise Problem("You must specify either `--add-set' or `--del-set' or `--map-set'")
    if "add" not in got:
        if "exist" in got:
            raise Problem("Flag `--exist' can be used with `--add-set' only")
        if "timeout" in got:
            raise Problem("Option `--timeout' can be used with `--add-set' only")
    if "mark" not in got and "map" in got:
        raise Problem("Flag `--map-mark' can be used with `--map-set' only")
    if "mark" in got and "map" not in got:
        raise Problem("You must specify flags `--map-mark' or '--map-prio` or `--map-queue'")


def _set_build(p: Parsing) -> SetTarget:
    get = p.values.get
    return SetTarget(
        add=get("add"), gone=get("gone"), mark=get("mark"), exist=get("exist", False), timeout=get("timeout")
    )


SET = Extension(
    name="SET",
    options=(
        Option("add-set", "add", ANY), Option("del-set", "gone", ANY), Option("map-set", "mark", ANY),
        Option("exist", "exist", None), Option("timeout", "timeout", ANY), Option("map-mark", "map", None),
        Option("map-prio", "map-prio", None, modelled=False), Option("map-queue", "map-queue", None, modelled=False),
    ),
    take=_set_option, check=_set_check, build=_set_build,
)  # fmt: skip

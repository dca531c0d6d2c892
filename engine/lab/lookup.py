"""One question to a place's own resolver, and what came of it: the `resolve:` rows of flow tables.

Rules. The names, their order and the packets are the C library's (engine/shell/resolver.py). Asking changes the
world's net as a program there would, so who only wants to know gives it a copy.
"""

from __future__ import annotations

from typing import Final

from engine.errors import InputError, NotModelled, Problem
from engine.lab.places import NO_RESOLVER, find, spot_of
from engine.linux.addr import text4
from engine.linux.choose import Choose
from engine.linux.journey import Journey, Outcome
from engine.linux.wire import dns
from engine.record import dataclass
from engine.shell import names
from engine.shell.names import Seat
from engine.shell.resolver import Answered, Status
from engine.shell.world import World

TYPES: Final = ("A", "AAAA", "SRV", "PTR", "CNAME", "TXT", "MX")
#: `rcode` when no server answered
NONE: Final = "none"
RCODES: Final = ("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """`answers` is the data of the records of the type that was asked for; `queries` the names in the order in which
    they were asked, each once in a row; `rcode` that of the answer that counted."""

    journey: Journey
    rcode: str
    answers: tuple[str, ...] = ()
    queries: tuple[str, ...] = ()


class Sticky:
    """The same random choice for all questions of one lookup: all of them go to the same replica. Judging takes each
    replica once, not every mixture of them."""

    def __init__(self, choose: Choose) -> None:
        self.choose = choose
        self.picked: dict[tuple[str, int], int] = {}
        self.chances: dict[tuple[str, float], bool] = {}

    def pick(self, what: str, count: int, about: object = None) -> int:
        key = (what, count)
        if key not in self.picked:
            self.picked[key] = self.choose.pick(what, count, about)
        return self.picked[key]

    def chance(self, what: str, probability: float, about: object = None) -> bool:
        key = (what, probability)
        if key not in self.chances:
            self.chances[key] = self.choose.chance(what, probability, about)
        return self.chances[key]

    def number(self, what: str, low: int, high: int, about: object = None) -> int:
        return self.choose.number(what, low, high, about)


def resolve(world: World, source: str, name: str, type: str, choose: Choose) -> Resolved:
    """Ask. Raises InputError for a place that is not there; NotModelled."""
    started = world.net.clock
    asker = find(world, source)
    if not asker.netns:
        raise InputError([Problem(where=source, said=NO_RESOLVER(ref=source))])
    seat = Seat(world, spot_of(world, asker))
    act = f"{source}: {type}? {name}"
    if type == "A" and (address := names.in_hosts(seat, name)):
        journey = Journey(act=act, outcome=Outcome.DELIVERED, started=started)
        return Resolved(journey=journey, rcode="NOERROR", answers=(text4(address),))
    literal = names.aton(name)
    if literal is not None:
        if type != "PTR":
            raise NotModelled(f"resolve: {name} ({type})")
        name = dns.reverse(literal)  # asked as it is (res_query)
    found = names.resolver(seat, choose=Sticky(choose)).search(name, (type,))
    answers = tuple(r.data for r in found.records(type))
    outcome = found.legs[-1].outcome if found.legs else Outcome.NAME_NOT_FOUND
    if found.status is not Status.FOUND or not answers:
        outcome = Outcome.NAME_NOT_FOUND
    asked = Journey(act=act, outcome=outcome, legs=found.legs, started=started)
    (journey,) = world.told([asked])
    return Resolved(journey=journey, rcode=rcode_of(found), answers=answers, queries=found.names)


def rcode_of(found: Answered) -> str:
    if found.status is Status.FOUND or found.status is Status.NO_DATA:
        return "NOERROR"
    if found.status is Status.NO_NAME:
        return "NXDOMAIN"
    return found.rcode or NONE

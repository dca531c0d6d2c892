"""Who plays in a journey: the namespaces that it crosses, the programs that it meets, the loopback devices it uses;
and where it was going when it ended on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from course.render.plan import Wanted
from engine.linux.journey import Journey, Outcome, Place, Walk
from engine.linux.net import Net


def _walks(walks: Iterable[Walk]) -> Iterator[Walk]:
    for walk in walks:
        yield walk
        for step in walk.steps():
            yield from _walks(step.aside)


def places(journey: Journey) -> Iterator[Place]:
    """Every place of every walk, ARP exchanges included, flooded copies not."""
    for leg in journey.legs:
        for walk in _walks(leg.walks()):
            for hop in walk.hops:
                yield hop.place


def wanted(journey: Journey | None) -> tuple[frozenset[str], Wanted]:
    """(namespaces whose lo is to be drawn, what must stay in the picture)."""
    lo: set[str] = set()
    spaces: set[str] = set()
    programs: dict[str, dict[str, None]] = {}
    for place in places(journey) if journey is not None else ():
        spaces.add(place.netns)
        if place.device == "lo":
            lo.add(place.netns)
        if place.program not in ("", "kernel", "-"):
            programs.setdefault(place.netns, {})[place.program] = None
    found = {netns: tuple(names) for netns, names in programs.items()}
    return frozenset(lo), Wanted(spaces=frozenset(spaces), programs=found)


def targets(journey: Journey | None, net: Net) -> frozenset[str]:
    """The namespaces that have the addresses to which packets were going that ended on the way."""
    wanted: set[int] = set()
    for leg in journey.legs if journey is not None else ():
        walk = leg.forward
        packets = [
            p for step in walk.steps() for p in (step.after or step.before,) if p is not None and p.has_ip
        ]
        if walk.outcome is not Outcome.DELIVERED and packets:
            wanted.add(packets[-1].ip.dst)
    if not wanted:
        return frozenset()
    return frozenset(
        ns.id
        for ns in net.spaces.values()
        if any(a.addr in wanted for rows in ns.addresses.values() for a in rows)
    )


def bridge_ports(net: Net) -> frozenset[tuple[str, str]]:
    """(netns, device) of every port of a bridge."""
    return frozenset(
        (ns.id, link.name) for ns in net.spaces.values() for link in ns.links.values() if link.master
    )

"""What the nodes' kube-proxies share of the rows they make: those of a service port are made once for all that choose
alike.

Rules. A `Memo` holds nothing that could not be made again from its key, so copies of a cluster may share it; rows are
kept with the very service port they were made of. A mode gives `build(port, chosen, style)`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import field
from typing import Generic, Protocol, TypeVar

from engine.kube.proxy import topology
from engine.kube.proxy.model import MANY, Chosen, ServicePort
from engine.kube.proxy.picture import Key, Picture
from engine.linux.layered import Layered
from engine.record import dataclass
from engine.unswept import unswept


class Placed(Protocol):
    """What a mode's settings say of their node."""

    @property
    def node(self) -> str: ...
    @property
    def zone(self) -> str: ...
    @property
    def node_ip(self) -> int: ...
    @property
    def minor(self) -> int: ...


class Dated(Protocol):
    """A mode's plan: `serial` is that of the picture it was made for."""

    @property
    def serial(self) -> int: ...


Rows = TypeVar("Rows")
Made = TypeVar("Made", bound=Dated)
Style = TypeVar("Style", bound=Hashable)


class Memo(Generic[Style, Rows]):
    """Rows by service port, style and choice; `plans` are a mode's own, by what they were made for."""

    __slots__ = ("build", "plans", "rows")

    def __init__(self, build: Callable[[ServicePort, Chosen, Style], Rows]) -> None:
        self.build = build
        self.rows: dict[tuple[str, str, str, str], tuple[ServicePort, dict[object, Rows]]] = {}
        self.plans: dict[object, object] = {}

    def of(self, port: ServicePort, style: Style, node: str, zone: str, minor: int) -> Rows:
        """One service port's rows on a node."""
        name = (port.namespace, port.name, port.port_name, port.proto)
        held = self.rows.get(name)
        if held is None or held[0] is not port:
            held = self.rows[name] = (port, {})
        chosen, key = None, (style, None)
        if not topology.same_everywhere(port):
            chosen = topology.choose(port, node, zone, minor=minor)
            key = (style, chosen)  # type: ignore[assignment]
        found = held[1].get(key)
        if found is None:
            chosen = chosen or topology.choose(port, node, zone, minor=minor)
            found = held[1][key] = self.build(port, chosen, style)
        return found

    def maker(self, place: Placed, style: Style, from_node: Style) -> Callable[[ServicePort], Rows]:
        """What makes a service port's rows on a node: in `style`, or in `from_node` where one of the port's source
        ranges holds the node's address."""

        def make(port: ServicePort) -> Rows:
            inside = any(place.node_ip in prefix for prefix in port.source_ranges)
            return self.of(port, from_node if inside else style, place.node, place.zone, place.minor)

        return make


def nearest(picture: Picture, plans: Iterable[Made]) -> tuple[Made | None, frozenset[Key] | None]:
    """The plan from which the fewest Services have changed, and those; (None, None) without any to begin with. Nothing
    has changed since one of the same serial."""
    best: Made | None = None
    changed: frozenset[Key] | None = None
    for known in plans:
        found = frozenset[Key]() if known.serial == picture.serial else picture.changed(known.serial)
        if found is not None and (changed is None or len(found) < len(changed)):
            best, changed = known, found
    return best, changed


def renewed(
    picture: Picture,
    old: dict[Key, tuple[Rows, ...]],
    changed: frozenset[Key] | None,
    make: Callable[[ServicePort], Rows],
) -> dict[Key, tuple[Rows, ...]]:
    """Every Service's rows: those of `old`, and new ones for what changed since (None: for all)."""
    ports = dict(old) if changed is not None else {}
    keys = picture.services if changed is None else changed
    with unswept(len(keys) > MANY):
        for key in keys:
            if key in picture.services:
                ports[key] = tuple(make(port) for port in picture.services[key])
            else:
                ports.pop(key, None)
    return ports


#: names that came and went singly before a large set is made anew
SINGLE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """A large set of names that changes a little: those of `base` without `less`, and `more`."""

    base: frozenset[str] = field(repr=False)
    more: frozenset[str] = frozenset()
    less: frozenset[str] = frozenset()

    def missing_from(self, others: Collection[str]) -> set[str]:
        """Those of `others` that are not among the names."""
        new = others.beyond(self.base) if isinstance(others, Layered) else set(others) - self.base
        return {n for n in (*new, *self.less) if n in others and n not in self.more}


def names_of(
    old: Names | None,
    before: Mapping[Key, tuple[Rows, ...]],
    after: Mapping[Key, tuple[Rows, ...]],
    changed: frozenset[Key] | None,
    names: Callable[[Rows], Iterable[str]],
) -> Names:
    """The names that the rows of all service ports have; `changed` are the Services whose rows differ from those of
    `before`, to which `old` belongs."""
    if old is None or changed is None or len(old.more) + len(old.less) > SINGLE:
        return Names(base=frozenset(name for rows in after.values() for row in rows for name in names(row)))
    was = {name for key in changed for row in before.get(key, ()) for name in names(row)}
    now = {name for key in changed for row in after.get(key, ()) for name in names(row)}
    return Names(base=old.base, more=old.more - was | now, less=(old.less | was) - now)

"""Events: what programs record about objects, put together as client-go does before anybody reads them.

Theory. client-go's EventCorrelator counts the same event up, makes ten different messages of one reason within ten
minutes one event that is counted on, and hears an object that keeps complaining 25 times and then once in five minutes
(tools/record/events_cache.go).

Rules. A `Row` is what was recorded; `Correlator` makes `Event`s of rows, in the order in which they were recorded.
"""

from __future__ import annotations

from dataclasses import field

from engine.kube.clock import EPOCH
from engine.record import dataclass, replace

#: The event correlator's defaults (client-go tools/record).
AGGREGATE_COUNT, AGGREGATE_SECONDS = 10, 600.0
SPAM_BURST, SPAM_SECONDS = 25.0, 300.0
COMBINED = "(combined from similar events): "


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of `kubectl get events`, counted up while the same thing happens again. Times are virtual seconds."""

    kind: str
    namespace: str
    name: str
    uid: str
    type: str
    reason: str
    message: str
    source: str
    host: str = ""
    field_path: str = ""
    count: int = 1
    first: float = 0.0
    last: float = 0.0
    id: str = ""
    version: int = 0


#: type, reason, source, field path and message of an event
Said = tuple[str, str, str, str, str]
#: What was recorded, before the correlator has seen it: the version of the first, clock, then kind, namespace, name and
#: uid of the object, the host, and what was said, in order.
Row = tuple[int, float, tuple[str, str, str, str], str, tuple[Said, ...]]
Rows = list[Row]


def event_id(clock: float, version: int) -> str:
    """The end of an event's name: nanoseconds since 1970 in hex, so that names sort by time."""
    return f"{int((EPOCH.timestamp() + clock) * 10**9) + version:x}"


@dataclass(slots=True)
class Correlator:
    """client-go's EventCorrelator and what came out of it: the same event again only counts up, ten different messages
    of one reason within ten minutes become one that is counted on, and an object that keeps complaining is heard 25
    times and then once in five minutes (tools/record/events_cache.go)."""

    events: dict[tuple[str, ...], Event] = field(default_factory=dict)
    alike: dict[tuple[str, ...], tuple[tuple[str, ...], float]] = field(default_factory=dict)
    tokens: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)

    def copy(self) -> Correlator:
        return Correlator(dict(self.events), dict(self.alike), dict(self.tokens))

    def take(self, row: Row) -> None:
        version, clock, about, host, events = row
        for said in events:
            self.hear(version, clock, about, host, said)
            version += 1

    def hear(
        self, version: int, clock: float, about: tuple[str, str, str, str], host: str, said: Said
    ) -> None:
        kind, namespace, name, uid = about
        type, reason, source, field_path, message = said
        alike = (*about, type, reason, source, host)
        messages, last = self.alike.get(alike, ((), clock))
        if clock - last > AGGREGATE_SECONDS:
            messages = ()
        if message not in messages and len(messages) < AGGREGATE_COUNT:
            messages = (*messages, message)
        self.alike[alike] = (messages, clock)
        key: tuple[str, ...] = (*alike, field_path, message)
        if len(messages) >= AGGREGATE_COUNT:
            key, message = alike, COMBINED + message
        if self._spam((source, kind, namespace, name, uid), clock):
            return
        old = self.events.pop(key, None)
        if old is not None:
            self.events[key] = replace(old, count=old.count + 1, last=clock, version=version, message=message)
            return
        self.events[key] = Event(
            kind=kind, namespace=namespace or "default", name=name, uid=uid, type=type, reason=reason,
            message=message, source=source, host=host, field_path=field_path, first=clock, last=clock,
            id=f"{name}.{event_id(clock, version)}", version=version,
        )  # fmt: skip

    def _spam(self, key: tuple[str, ...], clock: float) -> bool:
        """A token bucket per source and object. True when this event is dropped."""
        tokens, last = self.tokens.get(key, (SPAM_BURST, clock))
        tokens = min(SPAM_BURST, tokens + (clock - last) / SPAM_SECONDS)
        dropped = tokens < 1
        self.tokens[key] = (tokens if dropped else tokens - 1, clock)
        return dropped

"""The API server's store: objects by kind, namespace and name, and events.

Rules. `Store` keeps and finds; it decides nothing and knows no controller. Bodies are shared between copies and
never changed in place (`objects.edited`). Every write gets the next resourceVersion, as etcd's revision does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import field, replace

from engine.kube.clock import EPOCH, stamp
from engine.kube.ids import Ids
from engine.kube.objects import BY_KIND, Json, edited, meta, name_of, namespace_of, spec_of
from engine.record import dataclass

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


def event_id(clock: float, version: int) -> str:
    """The end of an event's name: nanoseconds since 1970 in hex, so that names sort by time."""
    return f"{int((EPOCH.timestamp() + clock) * 10**9) + version:x}"


@dataclass(slots=True)
class Store:
    """`objects[kind][namespace, name]` is a body. `version` is the resourceVersion given out last; `alike` and
    `tokens` are the memory of the event correlator."""

    ids: Ids = field(default_factory=Ids)
    objects: dict[str, dict[tuple[str, str], Json]] = field(default_factory=dict)
    events: dict[tuple[str, ...], Event] = field(default_factory=dict)
    version: int = 200
    alike: dict[tuple[str, ...], tuple[tuple[str, ...], float]] = field(default_factory=dict)
    tokens: dict[tuple[str, ...], tuple[float, float]] = field(default_factory=dict)
    #: kind -> key -> version of its last write or removal, the latest at the end
    touched: dict[str, dict[tuple[str, str], int]] = field(default_factory=dict)

    def copy(self) -> Store:
        return Store(
            self.ids.copy(), {k: dict(v) for k, v in self.objects.items()}, dict(self.events), self.version,
            dict(self.alike), dict(self.tokens), {k: dict(v) for k, v in self.touched.items()},
        )  # fmt: skip

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        return self.objects.get(kind, {}).get((namespace, name))

    def list(self, kind: str, namespace: str | None = None) -> list[Json]:
        """All of a kind, or of one namespace, by namespace and name as the API server lists."""
        found = self.objects.get(kind, {})
        return [found[k] for k in sorted(found) if namespace is None or k[0] == namespace]

    def since(self, kind: str, version: int) -> tuple[tuple[str, str], ...]:
        """The (namespace, name) of every object of a kind that was written or removed after a version, the latest
        first. `version` 0 asks for all that ever were."""
        out = []
        for key, when in reversed(self.touched.get(kind, {}).items()):
            if when <= version:
                break
            out.append(key)
        return tuple(out)

    def _touch(self, kind: str, key: tuple[str, str]) -> None:
        log = self.touched.setdefault(kind, {})
        log.pop(key, None)
        log[key] = self.version

    def every(self) -> Iterator[Json]:
        for kind in self.objects.values():
            yield from kind.values()

    def create(self, body: Json, clock: float) -> Json:
        """Store a new object: uid, resourceVersion, creationTimestamp, generation. ValueError if it exists."""
        kind, key = str(body["kind"]), (namespace_of(body), name_of(body))
        if key in self.objects.get(kind, {}):
            raise ValueError(f"{kind} {key} exists")
        new = edited(body)
        m = new.setdefault("metadata", {})
        m["uid"] = self.ids.uuid(f"uid/{kind}/{key[0]}/{key[1]}")
        m["creationTimestamp"] = stamp(clock)
        if "spec" in new and kind in BY_KIND and BY_KIND[kind].kind not in ("Node", "Namespace", "Service"):
            m["generation"] = 1
        return self._write(kind, key, new)

    def update(self, body: Json) -> Json:
        """Replace an object by a changed body. A body that is equal changes nothing, as in the API server."""
        kind, key = str(body["kind"]), (namespace_of(body), name_of(body))
        old = self.objects[kind][key]
        if body == old:
            return old
        m = body["metadata"]
        if "generation" in m and spec_of(body) != spec_of(old):
            m["generation"] = meta(old)["generation"] + 1
        return self._write(kind, key, body)

    def change(self, kind: str, namespace: str, name: str, by: Callable[[Json], None]) -> Json:
        """Edit a copy and store it."""
        body = edited(self.objects[kind][namespace, name])
        by(body)
        return self.update(body)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        self.version += 1
        del self.objects[kind][namespace, name]
        self._touch(kind, (namespace, name))

    def _write(self, kind: str, key: tuple[str, str], body: Json) -> Json:
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.objects.setdefault(kind, {})[key] = body
        self._touch(kind, key)
        return body

    def record(
        self, about: Json, type: str, reason: str, message: str, source: str, clock: float, *, host: str = "",
        field_path: str = "",
    ) -> None:  # fmt: skip
        """Record an event about an object, through client-go's correlator: the same one again only counts up, ten
        different messages of one reason within ten minutes become one that is counted on, and an object that keeps
        complaining is heard 25 times and then once in five minutes (tools/record/events_cache.go)."""
        kind, namespace, name = str(about["kind"]), namespace_of(about), name_of(about)
        uid = str(meta(about).get("uid", name))
        alike = (kind, namespace, name, uid, type, reason, source, host)
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
        self.version += 1
        if old is not None:
            self.events[key] = replace(
                old, count=old.count + 1, last=clock, version=self.version, message=message
            )
            return
        self.events[key] = Event(
            kind=kind, namespace=namespace or "default", name=name, uid=uid, type=type, reason=reason,
            message=message, source=source, host=host, field_path=field_path, first=clock, last=clock,
            id=f"{name}.{event_id(clock, self.version)}", version=self.version,
        )  # fmt: skip

    def _spam(self, key: tuple[str, ...], clock: float) -> bool:
        """A token bucket per source and object. True when this event is dropped."""
        tokens, last = self.tokens.get(key, (SPAM_BURST, clock))
        tokens = min(SPAM_BURST, tokens + (clock - last) / SPAM_SECONDS)
        dropped = tokens < 1
        self.tokens[key] = (tokens if dropped else tokens - 1, clock)
        return dropped

    def events_about(self, uid: str) -> tuple[Event, ...]:
        """Events of one object, oldest last occurrence first."""
        return tuple(
            sorted((e for e in self.events.values() if e.uid == uid), key=lambda e: (e.last, e.version))
        )

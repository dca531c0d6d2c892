"""The API server's store: objects by kind, namespace and name, and events.

Theory. `copy` costs microseconds whatever the store holds: what is large is shared below and written above
(engine.linux.layered), and what was written when is one list that both stores go on with until one of them has gone
another way (written.py). Look-ups that controllers need often have an index (pods by node, objects by owner, by
namespace, by label), made when it is first asked for and kept true from then on.

Rules. `Store` keeps and finds; it decides nothing and knows no controller. Bodies are shared between copies and
never changed in place (`objects.edited`). Every write gets the next resourceVersion, as etcd's revision does.
Objects are written only through `create`, `update`, `change` and `remove`: who writes into `objects` goes past the
indexes. An event is put together by the correlator when somebody first looks at events: a lab writes many and few
people read them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any

from engine.kube.clock import stamp
from engine.kube.events import Correlator, Event, Rows, Said
from engine.kube.ids import Ids, life_of
from engine.kube.index import Index
from engine.kube.objects import (
    BY_KIND,
    Json,
    controller_of,
    edited,
    labels_of,
    meta,
    namespace_of,
    spec_of,
)
from engine.kube.written import Key, Written
from engine.linux.layered import shared
from engine.linux.trail import Trail
from engine.record import dataclass

Keys = list[Key]
Bodies = list[Json]


def _nodes(kind: str, body: Json) -> tuple[str, ...]:
    if kind != "Pod":
        return ()
    node = spec_of(body).get("nodeName")
    return (node,) if node else ()


def _owners(_: str, body: Json) -> tuple[str, ...]:
    rows = meta(body).get("ownerReferences")
    return tuple(str(row.get("uid", "")) for row in rows) if rows else ()


def _labels(_: str, body: Json) -> tuple[tuple[str, str, str], ...]:
    namespace = namespace_of(body)
    return tuple((namespace, k, v) for k, v in labels_of(body).items())


def _orphans(_: str, body: Json) -> tuple[str, ...]:
    return () if controller_of(body) is not None else (namespace_of(body),)


def _alike(one: Json, other: Json) -> bool:
    """Have these two metadata the same labels and owners?"""
    for field_ in ("labels", "ownerReferences"):
        a, b = one.get(field_), other.get(field_)
        if a is not b and a != b:
            return False
    return True


#: More changes of a kind's names than this are sorted in at once, fewer one by one.
FEW = 24
#: more of them than this are sorted in before a copy is made, and not copied each time
LATE = 512


@dataclass(slots=True)
class Store:
    """`objects[kind][namespace, name]` is a body. `version` is the resourceVersion given out last. `written` tells what
    was written or removed, the latest at the end. `_names` are the sorted keys of a kind with what came (True) and went
    since; `_log` the events that the correlator has not seen, `_own` whether what it has seen is ours alone."""

    ids: Ids = field(default_factory=Ids)
    objects: dict[str, dict[Key, Json]] = field(default_factory=dict)
    version: int = 200
    written: dict[str, Written] = field(default_factory=dict)
    #: for who tidies up: owners that objects were written with (namespace, their references; those that objects share
    #: stand there once), and objects that were written on their way out (kind, namespace, name)
    claims: Trail[tuple[str, Bodies]] = field(default_factory=Trail)
    going: Trail[tuple[str, str, str]] = field(default_factory=Trail)
    _claimed: Bodies | None = None
    _own: bool = True
    _names: dict[str, tuple[Keys, dict[Key, bool]]] = field(default_factory=dict)
    _by: dict[str, Index[Any, tuple[str, str, str]]] = field(default_factory=dict)
    _seen: Correlator = field(default_factory=Correlator)
    _log: Rows = field(default_factory=list)
    _older: tuple[Rows, ...] = ()

    def copy(self, apart: str = "") -> Store:
        """An independent store over shared objects. The rows of the kind `apart` are copied one by one, for who is
        about to write most of them."""
        self._own = False
        if self._log:
            self._older, self._log = (*self._older, self._log), []
        for kind in [k for k, (_, late) in self._names.items() if len(late) > LATE]:
            self.keys(kind)
        objects: dict[str, dict[Key, Json]] = {}
        for kind, rows in self.objects.items():
            self.objects[kind], objects[kind] = (rows, rows.copy()) if kind == apart else shared(rows)
        return Store(
            self.ids.copy(), objects, self.version, {k: w.copy() for k, w in self.written.items()},
            self.claims.copy(), self.going.copy(), self._claimed, False,
            {k: (names, dict(late)) for k, (names, late) in self._names.items()},
            {k: index.copy() for k, index in self._by.items()}, self._seen, [], self._older,
        )  # fmt: skip

    # ---- finding

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        found = self.objects.get(kind)
        return None if found is None else found.get((namespace, name))

    def keys(self, kind: str) -> Keys:
        """The (namespace, name) of all of a kind, sorted. Not to be changed."""
        found = self.objects.get(kind)
        if not found:
            return []
        names, late = self._names.get(kind, ([], {}))
        if late:
            names = _merged(names, late)
        if len(names) != len(found):
            names = sorted(found)
        self._names[kind] = (names, {})
        return names

    def list(self, kind: str, namespace: str | None = None) -> Bodies:
        """All of a kind, or of one namespace, by namespace and name as the API server lists."""
        found = self.objects.get(kind)
        if not found:
            return []
        names = self.keys(kind)
        if namespace is not None:
            names = names[bisect_left(names, (namespace,)) : bisect_left(names, (namespace + "\0",))]
        return [found[k] for k in names]

    def in_namespace(self, kind: str, namespace: str) -> Bodies:
        """All of a kind in one namespace, by name."""
        return self.list(kind, namespace)

    def pods_on(self, node: str) -> Bodies:
        """The Pods that are bound to a node, in the order in which they were bound."""
        found = self.objects.get("Pod", {})
        return [found[n, name] for _, n, name in self._index("node", _nodes).get(node)]

    def owned_by(self, uid: str, kind: str = "") -> Bodies:
        """The objects that name this uid among their owners, of one kind or of all, oldest first."""
        return [
            self.objects[k][n, name]
            for k, n, name in self._index("owner", _owners).get(uid)
            if not kind or k == kind
        ]

    def selected(self, kind: str, namespace: str, labels: Mapping[str, str]) -> Bodies:
        """The objects of one namespace that have all these labels, by name; all of them for no labels."""
        if not labels:
            return self.list(kind, namespace)
        index = self._index(f"labels/{kind}", _labels)
        groups = sorted((index.get((namespace, k, v)) for k, v in labels.items()), key=len)
        names = sorted(name for row in groups[0] if all(row in g for g in groups[1:]) for name in (row[2],))
        found = self.objects.get(kind, {})
        return [found[namespace, name] for name in names]

    def orphans(self, kind: str, namespace: str) -> Bodies:
        """The objects of one namespace that no controller owns, by name."""
        found = self.objects.get(kind, {})
        rows = self._index(f"orphans/{kind}", _orphans).get(namespace)
        return [found[namespace, name] for name in sorted(row[2] for row in rows)]

    def _index(self, name: str, words: Words) -> Index[Any, tuple[str, str, str]]:
        """An index, built when it is first asked for."""
        index = self._by.get(name)
        if index is None:
            index = self._by[name] = Index()
            only = {"node": "Pod"}.get(name) or name.partition("/")[2]
            for kind in (only,) if only else tuple(self.objects):
                for (namespace, at), body in self.objects.get(kind, {}).items():
                    for word in words(kind, body):
                        index.add(word, (kind, namespace, at))
        return index

    def _reindex(self, kind: str, key: Key, old: Json | None, new: Json | None) -> None:
        """Keep the indexes true."""
        if not self._by:
            return
        words: list[tuple[str, Words]] = []
        if kind == "Pod" and (old is None or new is None or old.get("spec") is not new.get("spec")):
            words.append(("node", _nodes))
        if old is None or new is None or not _alike(old["metadata"], new["metadata"]):
            words += [("owner", _owners), (f"orphans/{kind}", _orphans), (f"labels/{kind}", _labels)]
        for name, of in words:
            index = self._by.get(name)
            if index is None:
                continue
            before = of(kind, old) if old is not None else ()
            after = of(kind, new) if new is not None else ()
            if before != after:
                row = (kind, *key)
                for word in before:
                    if word not in after:
                        index.remove(word, row)
                for word in after:
                    if word not in before:
                        index.add(word, row)

    def since(self, kind: str, version: int) -> tuple[Key, ...]:
        """The (namespace, name) of every object of a kind that was written or removed after a version, the latest
        first. `version` 0 asks for all that ever were."""
        found = self.written.get(kind)
        return found.since(version) if found is not None else ()

    def latest(self, kind: str) -> int:
        """The version of the last write or removal of a kind; 0 when there was none."""
        found = self.written.get(kind)
        return found.latest if found is not None else 0

    def unheard(self) -> Rows:
        """What was recorded since the store was made or events were last read."""
        return self._log

    def every(self) -> Iterator[Json]:
        for kind in self.objects.values():
            yield from kind.values()

    # ---- writing

    def create(self, body: Json, clock: float, finish: Callable[[Json], Json] | None = None) -> Json:
        """Store a new object: uid, resourceVersion, creationTimestamp, generation. ValueError if it exists. What is in
        the body is shared from now on: nobody changes it any more. `finish` fills in what depends on the uid."""
        m = body.get("metadata") or {}
        kind, key = str(body["kind"]), (str(m.get("namespace", "")), str(m.get("name", "")))
        if key in self.objects.get(kind, ()):
            raise ValueError(f"{kind} {key} exists")
        m = dict(m)
        m["uid"] = self.ids.uid(life_of(kind, *key))
        m["creationTimestamp"] = stamp(clock)
        if "spec" in body and kind in BY_KIND and kind not in ("Node", "Namespace", "Service"):
            m["generation"] = 1
        made = {**body, "metadata": m}
        return self._write(kind, key, made if finish is None else finish(made), None)

    def update(self, body: Json) -> Json:
        """Replace an object by a changed body. A body that is equal changes nothing, as in the API server."""
        m = body["metadata"]
        kind, key = body["kind"], (m.get("namespace", ""), m["name"])
        old: Json = self.objects[kind][key]
        if body == old:
            return old
        if "generation" in m and body.get("spec") is not old.get("spec") and spec_of(body) != spec_of(old):
            m["generation"] = meta(old)["generation"] + 1
        return self._write(kind, key, body, old)

    def change(self, kind: str, namespace: str, name: str, by: Callable[[Json], None]) -> Json:
        """Edit a copy and store it."""
        body = edited(self.objects[kind][namespace, name])
        by(body)
        return self.update(body)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        self.version += 1
        key = (namespace, name)
        old = self.objects[kind].pop(key)
        self.ids.ended(life_of(kind, namespace, name))
        self._touch(kind, key)
        self._reindex(kind, key, old, None)
        if kind in self._names:
            self._names[kind][1][key] = False

    def _write(self, kind: str, key: Key, body: Json, old: Json | None) -> Json:
        self.version += 1
        m = body["metadata"]
        m["resourceVersion"] = str(self.version)
        if "deletionTimestamp" in m:
            self.going.append((kind, *key))
        references = m.get("ownerReferences")
        if references is not None and references is not self._claimed:
            before = old["metadata"].get("ownerReferences") if old is not None else None
            if before is not references and before != references:
                self._claimed = references
                self.claims.append((key[0], references))
        rows = self.objects.get(kind)
        if rows is None:
            rows = self.objects[kind] = {}
        rows[key] = body
        self._touch(kind, key)
        self._reindex(kind, key, old, body)
        if old is None and kind in self._names:
            self._names[kind][1][key] = True
        return body

    def _touch(self, kind: str, key: Key) -> None:
        found = self.written.get(kind)
        if found is None:
            found = self.written[kind] = Written()
        found.add(self.version, key, len(self.objects.get(kind, ())))

    # ---- events

    def record(
        self, about: Json, type: str, reason: str, message: str, source: str, clock: float, *, host: str = "",
        field_path: str = "",
    ) -> None:  # fmt: skip
        """Record an event about an object, through client-go's correlator (`Correlator`)."""
        self.record_all(about, ((type, reason, source, field_path, message),), clock, host=host)

    def record_all(self, about: Json, events: tuple[Said, ...], clock: float, *, host: str = "") -> None:
        """Record several events about an object, one after the other."""
        if events:
            m = about["metadata"]
            name = str(m.get("name", ""))
            row = (str(about["kind"]), str(m.get("namespace", "")), name, str(m.get("uid", name)))
            self._log.append((self.version + 1, clock, row, host, events))
            self.version += len(events)

    @property
    def events(self) -> dict[tuple[str, ...], Event]:
        """All events by what makes two of them one, the latest at the end."""
        if not self._own:
            self._own = True
            self._seen = self._seen.copy()
        if self._log or self._older:
            for rows in (*self._older, self._log):
                for row in rows:
                    self._seen.take(row)
            self._log, self._older = [], ()
        return self._seen.events

    def events_about(self, uid: str) -> tuple[Event, ...]:
        """Events of one object, oldest last occurrence first."""
        return tuple(sorted((e for e in self._heard(uid) if e.uid == uid), key=lambda e: (e.last, e.version)))

    def _heard(self, uid: str) -> Iterable[Event]:
        """Events, at least all of one uid. The correlator never mixes objects, so in a large lab it is run over the
        rows of that one only."""
        if sum(map(len, self._older)) + len(self._log) < 5000:
            return self.events.values()
        one = Correlator(
            {k: e for k, e in self._seen.events.items() if e.uid == uid},
            {k: v for k, v in self._seen.alike.items() if k[3] == uid},
            {k: v for k, v in self._seen.tokens.items() if k[4] == uid},
        )
        for rows in (*self._older, self._log):
            for row in rows:
                if row[2][3] == uid:
                    one.take(row)
        return one.events.values()


Words = Callable[[str, Json], tuple[Any, ...]]


def _merged(names: Keys, late: dict[Key, bool]) -> Keys:
    """Sorted keys with those that came and without those that went."""
    if len(late) > FEW:
        out = [k for k in names if k not in late]
        out += [k for k, there in late.items() if there]
        out.sort()
        return out
    out = names.copy()
    for key, there in late.items():
        at = bisect_left(out, key)
        found = at < len(out) and out[at] == key
        if there and not found:
            out.insert(at, key)
        elif found and not there:
            del out[at]
    return out

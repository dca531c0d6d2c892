"""What waits for its end: namespaces that are Terminating, and owners that are deleted in the foreground.

Theory. The namespace controller deletes all that is in a namespace that has a deletionTimestamp and then takes the
finalizer `kubernetes` away, which ends it. The garbage collector takes `foregroundDeletion` from an owner when nothing
is left that it owns. An object with a finalizer of somebody else stays, and whoever waits for it waits with it.
Sources: pkg/controller/namespace/deletion, pkg/controller/garbagecollector (processDeletingDependentsItem).
"""

from __future__ import annotations

from engine.kube.apiserver import FOREGROUND
from engine.kube.objects import Json, deleting, edited, meta, name_of, namespace_of
from engine.kube.passes import Pass
from engine.record import dataclass

MEMORY = "engine.kube.controllers.finalize"


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to which version was looked, how many had been on their way out by then, and who of them waits in the
    foreground: (kind, namespace, name)."""

    version: int = 0
    going: int = 0
    waiting: frozenset[tuple[str, str, str]] = frozenset()


def sync(at: Pass) -> None:
    seen = at.cluster.memory.get(MEMORY, Seen())
    assert isinstance(seen, Seen)
    if seen.version == at.store.version:
        return
    now = at.store.version
    waiting, gone = set(seen.waiting), len(at.store.going)
    for row in at.store.going[seen.going :]:
        body = at.store.get(*row)
        if body is not None and deleting(body) and FOREGROUND in (meta(body).get("finalizers") or ()):
            waiting.add(row)
    for row in sorted(waiting):
        body = at.store.get(*row)
        if body is None or not deleting(body) or finished(at, body):
            waiting.discard(row)
    for body in list(at.store.list("Namespace")):
        if deleting(body):
            empty(at, body)
    at.cluster.memory[MEMORY] = Seen(now, gone, frozenset(waiting))


def finished(at: Pass, body: Json) -> bool:
    """Let an owner go that owns nothing any more. True when it does not wait here any longer."""
    if at.store.owned_by(str(meta(body)["uid"])):
        return False
    new = edited(body)
    rest = [f for f in new["metadata"].get("finalizers") or () if f != FOREGROUND]
    if rest:
        new["metadata"]["finalizers"] = rest
        at.store.update(new)
    else:
        at.store.remove(str(body["kind"]), namespace_of(body), name_of(body))
    return True


def empty(at: Pass, namespace: Json) -> None:
    """Delete what is in a namespace, and the namespace when nothing is."""
    name = name_of(namespace)
    left = 0
    for kind in list(at.store.objects):
        for body in list(at.store.in_namespace(kind, name)):
            left += 1
            if not deleting(body):
                at.delete(body)
                left -= at.store.get(kind, name, name_of(body)) is None
    if not left and not meta(namespace).get("finalizers"):
        at.store.remove("Namespace", "", name)

"""The garbage collector: what belonged to owners that are gone goes too.

Theory. An object names its owners by kind, name and uid. When none of them is left it is deleted; when only some are
gone their references are taken out. Source: pkg/controller/garbagecollector (attemptToDeleteItem).

Rules. Level-triggered: owners that objects were written with are looked for (Store.claims), and everything is searched
once when something that can own was removed. Owners of kinds that the model does not know count as there.
"""

from __future__ import annotations

from engine.kube.objects import BY_KIND, Json, deleting, meta, name_of, namespace_of
from engine.kube.passes import Pass
from engine.kube.store import Store
from engine.record import dataclass

MEMORY = "garbage"
#: Kinds that never own anything here: their removal asks for no search.
NEVER = frozenset({"Event", "EndpointSlice", "ControllerRevision", "Lease", "Namespace", "Pod"})


@dataclass(frozen=True, slots=True)
class Seen:
    """Up to which version was looked, and how many claims of owners had been made by then."""

    version: int = 0
    claims: int = 0


def sync(at: Pass) -> None:
    """Delete what has lost its owners."""
    store = at.store
    seen = at.cluster.memory.get(MEMORY, Seen())
    assert isinstance(seen, Seen)
    if seen.version == store.version:
        return
    now = Seen(store.version, len(store.claims))
    todo: dict[tuple[str, str, str], Json] = {}
    if seen.version and any(_removed(store, kind, seen.version) for kind in store.written):
        todo = {_ref(b): b for b in store.every() if "ownerReferences" in meta(b)}
    else:
        for namespace, references in store.claims[seen.claims :]:
            for owner in references:
                if not exists(store, namespace, owner):
                    todo.update((_ref(b), b) for b in store.owned_by(str(owner["uid"])))
    for body in todo.values():
        collect(at, body)
    at.cluster.memory[MEMORY] = now


def _removed(store: Store, kind: str, version: int) -> bool:
    """Was one that can own removed since?"""
    found = store.objects.get(kind, {})
    return kind not in NEVER and any(key not in found for key in store.since(kind, version))


def _ref(body: Json) -> tuple[str, str, str]:
    return str(body["kind"]), namespace_of(body), name_of(body)


def collect(at: Pass, body: Json) -> None:
    """Delete one object that has no owner left, or take out the references to those that are gone."""
    owners = meta(body).get("ownerReferences") or []
    kept = [o for o in owners if exists(at.store, namespace_of(body), o)]
    if len(kept) == len(owners) or deleting(body):
        return
    if not kept:
        at.delete(body)
    else:
        at.store.update({**body, "metadata": {**meta(body), "ownerReferences": kept}})


def exists(store: Store, namespace: str, owner: Json) -> bool:
    kind = BY_KIND.get(str(owner.get("kind")))
    if kind is None or kind.kind == "Node":
        return True
    found = store.get(kind.kind, namespace if kind.namespaced else "", str(owner.get("name")))
    return found is not None and meta(found).get("uid") == owner.get("uid")

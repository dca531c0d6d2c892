"""The garbage collector: what belonged to owners that are gone goes too.

Theory. An object names its owners by kind, name and uid. When none of them is left it is deleted; when only some are
gone their references are taken out. Source: pkg/controller/garbagecollector (attemptToDeleteItem).

Rules. Level-triggered: objects that were written are checked against their owners, and everything is searched once
when something that can own was removed. Owners of kinds that the model does not know count as there.
"""

from __future__ import annotations

from engine.kube.objects import BY_KIND, Json, deleting, meta, namespace_of
from engine.kube.passes import Pass
from engine.kube.store import Store

MEMORY = "garbage"
#: Kinds that never own anything here: their removal asks for no search.
NEVER = frozenset({"Event", "EndpointSlice", "ControllerRevision", "Lease", "Namespace", "Pod"})


def sync(at: Pass) -> None:
    """Delete what has lost its owners."""
    store = at.store
    seen = at.cluster.memory.get(MEMORY)
    version = seen if isinstance(seen, int) else 0
    if version == store.version:
        return
    now = store.version
    todo: list[Json] = []
    removed = False
    for kind in list(store.written):
        found = store.objects.get(kind, {})
        for key in store.since(kind, version):
            body = found.get(key)
            if body is None:
                removed = removed or kind not in NEVER
            elif "ownerReferences" in meta(body):
                todo.append(body)
    if removed and version:
        todo = [b for b in store.every() if "ownerReferences" in meta(b)]
    fine: set[int] = set()  # references that have all been found: pods made together share theirs
    for body in todo:
        references = body["metadata"]["ownerReferences"]
        if id(references) not in fine and collect(at, body):
            fine.add(id(references))
    at.cluster.memory[MEMORY] = now


def collect(at: Pass, body: Json) -> bool:
    """Delete one object that has no owner left, or take out the references to those that are gone. True when all are
    there."""
    owners = meta(body).get("ownerReferences") or []
    kept = [o for o in owners if exists(at.store, namespace_of(body), o)]
    if len(kept) == len(owners):
        return True
    if deleting(body):
        return False
    if not kept:
        at.delete(body)
    else:
        at.store.update({**body, "metadata": {**meta(body), "ownerReferences": kept}})
    return False


def exists(store: Store, namespace: str, owner: Json) -> bool:
    kind = BY_KIND.get(str(owner.get("kind")))
    if kind is None or kind.kind == "Node":
        return True
    found = store.get(kind.kind, namespace if kind.namespaced else "", str(owner.get("name")))
    return found is not None and meta(found).get("uid") == owner.get("uid")

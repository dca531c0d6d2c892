"""Claiming pods: one without an owner and with the labels of a selector gets that owner, one that has lost the labels
is let go (ClaimPods in pkg/controller/controller_ref_manager.go)."""

from __future__ import annotations

from engine.kube.objects import Json, controller_of, deleting, labels_of, meta, name_of, namespace_of, spec_of
from engine.kube.ownership import owner_reference
from engine.kube.passes import Pass
from engine.kube.podspec import finished
from engine.kube.select import matches
from engine.kube.workloads import queue
from engine.kube.workloads.common import owned

CLAIMERS = ("ReplicaSet", "DaemonSet", "StatefulSet")


def sync(at: Pass, todo: queue.Queue) -> None:
    """Owners for pods that have none, and none for pods that do not belong to theirs any more."""
    new = [r for r in todo.waiting if r[0] in CLAIMERS]
    for kind, namespace, name in sorted(new):
        body = at.store.get(kind, namespace, name)
        if body is not None and not deleting(body):
            release(at, body)
            for pod in unclaimed(at, body):
                claim(at, body, pod)
    for key in queue.taken(at):
        found = at.store.get("Pod", *key)
        if found is None:
            continue
        pod = found
        if controller_of(pod) is not None or deleting(pod) or finished(pod):
            continue
        owner = next((b for kind in CLAIMERS for b in at.store.list(kind, key[0]) if takes(b, pod)), None)
        if owner is not None:
            claim(at, owner, pod)


def takes(owner: Json, pod: Json) -> bool:
    if deleting(owner) or not matches(spec_of(owner).get("selector"), labels_of(pod)):
        return False
    return owner["kind"] != "StatefulSet" or name_of(pod).removeprefix(f"{name_of(owner)}-").isdigit()


def unclaimed(at: Pass, owner: Json) -> list[Json]:
    """The pods of its namespace that an owner could take."""
    rows = at.store.orphans("Pod", namespace_of(owner))
    return [p for p in rows if not deleting(p) and not finished(p) and takes(owner, p)]


def claim(at: Pass, owner: Json, pod: Json) -> None:
    references = [*(meta(pod).get("ownerReferences") or ()), owner_reference(owner)]
    at.store.update({**pod, "metadata": {**meta(pod), "ownerReferences": references}})


def release(at: Pass, owner: Json) -> None:
    """Pods that have lost the labels of their owner's selector belong to nobody."""
    selector, uid = spec_of(owner).get("selector"), meta(owner)["uid"]
    exact = (
        (selector or {}).get("matchLabels", {}).items()
        if not (selector or {}).get("matchExpressions")
        else None
    )
    last: object = None
    for pod in owned(at, owner):
        labels = labels_of(pod)
        if exact is not None and (labels is last or exact <= labels.items()):
            last = labels
            continue
        if not matches(selector, labels_of(pod)) and not deleting(pod):
            m = dict(meta(pod))
            kept = [o for o in m["ownerReferences"] if o["uid"] != uid]
            m["ownerReferences"] = kept
            if not kept:
                del m["ownerReferences"]
            at.store.update({**pod, "metadata": m})

"""ControllerRevisions: the templates that a DaemonSet or a StatefulSet had (pkg/controller/history).

Theory. Each new template gets a revision named OWNER-HASH with the next number; a template that was there before gets
its old revision back with a new number. Of the revisions that no pod uses, revisionHistoryLimit are kept.
"""

from __future__ import annotations

from engine.kube.ids import template_hash
from engine.kube.objects import Json, meta, name_of, namespace_of, spec_of
from engine.kube.ownership import owner_reference
from engine.kube.passes import Pass
from engine.kube.workloads.common import owned

LABEL = "controller-revision-hash"


def revisions(at: Pass, owner: Json) -> list[Json]:
    """The revisions of an owner, the oldest number first."""
    rows = owned(at, owner, "ControllerRevision")
    return sorted(rows, key=lambda r: (int(r["revision"]), name_of(r)))


def current(at: Pass, owner: Json) -> Json | None:
    """The revision of the template as it is now, made or brought to the front; None when it may not be made."""
    template = spec_of(owner)["template"]
    data: Json = {"spec": {"template": {**template, "$patch": "replace"}}}
    rows = revisions(at, owner)
    number = 1 + max((int(r["revision"]) for r in rows), default=0)
    for row in rows:
        if row["data"] == data:
            if int(row["revision"]) == number - 1:
                return row
            return at.store.update({**row, "metadata": dict(meta(row)), "revision": number})
    hash = template_hash(template)
    name = f"{name_of(owner)}-{hash}"
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    own = name if owner["kind"] == "StatefulSet" else hash
    notes = meta(owner).get("annotations") or {}
    m: Json = {
        "name": name, "namespace": namespace_of(owner), "labels": {**labels, LABEL: own},
        "ownerReferences": [owner_reference(owner)],
    }  # fmt: skip
    if notes:
        m["annotations"] = dict(notes)
    body: Json = {
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": m, "data": data, "revision": number,
    }  # fmt: skip
    return at.try_create(body)


def hash_of(revision: Json) -> str:
    """What the pods of a revision carry as their label."""
    return str(meta(revision)["labels"][LABEL])


def clean_up(at: Pass, owner: Json, used: set[str]) -> None:
    """Forget the oldest revisions that no pod uses (`used`: label values) beyond revisionHistoryLimit."""
    limit = int(spec_of(owner).get("revisionHistoryLimit", 10))
    idle = [r for r in revisions(at, owner) if hash_of(r) not in used]
    for row in idle[: max(0, len(idle) - limit)]:
        at.delete(row)
